/* The daemon's configuration: what the files, or the flags of onced run, amount to.
 *
 * config_load() reads, checks and completes everything and reports every error, one line each,
 * "FILE:LINE: Key: what is wrong, what was expected", or "onced: --flag: ...". What it returns is
 * valid as a whole and never changes; a reload loads another one. It starts nothing, connects to
 * nothing, and prints no secret. */
#ifndef ONCED_CONFIG_H
#define ONCED_CONFIG_H

#include <once/client.h>
#include <once/elect.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "core/policy.h"
#include "daemon/link.h"
#include "daemon/options.h"

#define CONFIG_FILE_DEFAULT "/etc/onced/onced.conf"

enum {
	CONFIG_NAME_MAX = 64,	   /* of nodes, jobs, groups; without the NUL */
	CONFIG_KEY_MAX = 200,	   /* of etcd keys given here; the elector takes no longer ones */
	CONFIG_FILE_MAX = 1 << 20, /* bytes in one file */
	CONFIG_JOBS_MAX = 1024,
	CONFIG_STEPS_MAX = 256,
	CONFIG_GROUPS_MAX = 1000, /* beside the default one */
	CONFIG_ID_MAX = 128,
};

enum config_job_type {
	CONFIG_JOB_SERVICE, /* runs as long as this node leads */
	CONFIG_JOB_CRON,    /* at the instants of a schedule, once each */
	CONFIG_JOB_ONCE,    /* one time ever */
	CONFIG_JOB_STEPS,   /* commands in order, each one time ever */
	CONFIG_JOB_MIGRATE, /* the files of a directory in order, each one time ever */
};

enum config_restart {
	CONFIG_RESTART_ALWAYS,
	CONFIG_RESTART_ON_FAILURE,
	CONFIG_RESTART_NO,
};

enum config_on_failure {
	CONFIG_FAILURE_HOLD, /* waits for a person */
	CONFIG_FAILURE_UNDO, /* what was done is taken back */
};

struct config_step {
	char *name; /* by the name rule, each once */
	char **argv;
	size_t argc;
	char **undo; /* what takes it back; NULL: nothing does */
	size_t n_undo;
};

/* Whom a job runs as, looked up when the file was read. */
struct config_user {
	char *name; /* NULL: as the daemon */
	char *home, *shell;
	uint32_t uid, gid;
	uint32_t groups[LINK_SUPPLEMENTARY_MAX];
	uint32_t n_groups;
};

/* All owned by the config. Of the keys that another type has: their defaults. */
struct config_job {
	char *name; /* [a-z0-9][a-z0-9._-]{0,63}; of onced run: "run" */
	enum config_job_type type;
	char *description; /* "" when none */
	char *group;	   /* by the name rule; "default" when not said */
	char **argv;	   /* at least one; ends with NULL. Shell=yes: /bin/sh -c TEXT */
	size_t argc;
	char *unit; /* argv has this unit of systemd started; NULL: it is a command of its own */
	char *directory;    /* absolute; NULL: the daemon's choice ("/"; of onced run: where it was
			       called) */
	char **environment; /* NAME=value, each name once; ends with NULL */
	size_t n_environment;
	enum config_restart restart;
	int64_t restart_delay_ns;
	int64_t stop_grace_ns; /* at most timing.stop_grace_ns */
	bool isolate;	       /* own PID namespace */
	bool shell;	       /* as said; argv and the steps are complete with it */
	struct config_user user;
	/* cron */
	char *schedule, *time_zone; /* both parse */
	enum policy_overlap overlap;
	enum policy_missed missed;
	int64_t starting_deadline_ns; /* 0: none */
	int64_t jitter_ns;
	/* every type but service */
	int64_t timeout_ns; /* of one attempt; 0: none */
	struct policy_retry retry;
	enum policy_interrupt on_interrupt;
	char **probe; /* NULL: none */
	size_t n_probe;
	int64_t probe_timeout_ns;
	int64_t history_ok, history_failed, output_tail, pause_on_failure;
	char *id; /* once and steps: of the ledger; default: the name */
	struct config_step *steps;
	size_t n_steps;
	enum config_on_failure on_failure; /* steps */
	/* migrate */
	char *files;	/* the directory */
	char *baseline; /* the last file that was applied before onced was; NULL: none */
	char **runner;	/* with %f and others in it */
	size_t n_runner;
};

struct config {
	/* etcd */
	char **endpoints; /* each "https://host:port" or "http://host:port"; ends with NULL */
	size_t n_endpoints;
	char *cacert, *cert, *key_file; /* absolute paths; NULL: none */
	char *user, *password;		/* NULL: none; password is zeroed by config_free() */
	char *password_file;		/* where it was read from; NULL when nowhere */
	bool allow_plaintext;
	/* this node */
	char *node;
	char *address; /* "" when none */
	/* election of the default group */
	char *key, *value, *prefix, *group;
	char profile[16];
	struct once_timing timing;
	/* daemon */
	char *state_dir;   /* NULL: the service manager's, or runtime_dir */
	char *runtime_dir; /* NULL: none can be had (onced run of a user without one) */
	enum once_log_level log_level;
	bool isolate; /* default of the jobs */
	/* status page and metrics */
	char *http_listen; /* as listen_parse() takes it; NULL: none */
	bool http_remote;  /* Listen= may be beyond this host */
	struct config_job
		*jobs; /* in the order of their names; the command of onced run is the only one */
	size_t n_jobs;
	/* onced run */
	bool run;
	bool once;
	bool inherit_environment; /* the command gets all of our environment, as under etcdctl lock
				   */
	bool password_from_environment; /* worth a warning */
	const char *plaintext; /* of endpoints: one on another host, without encryption; NULL: none */
	/* where it came from: the file's path, or "onced run" */
	char *source;
};

/* Fills *ret, or prints every error to `errors` and returns the exit code: EXIT_CONFIG_FILE when a
 * file is wrong, EXIT_USAGE when a flag is; *ret is then empty and needs no config_free().
 * -n does not change what is loaded. */
int config_load(const struct options *options, struct config *ret, FILE *errors);

/* The same for a program that only talks to etcd: options->file (NULL: none) is read without its
 * jobs, and the settings go before it. program begins the lines about flags. */
int config_load_client(
	const struct options *options, const char *program, struct config *ret, FILE *errors);

/* One job file alone, DIRECTORY/NAME.job, for a program that only reads it. What is wrong is printed
 * as above, and the exit code returned; free with config_job_free(). */
int config_load_job(const char *directory, const char *name, const char *program,
	struct config_job *ret, FILE *errors);
/* Empties it; an empty one is fine. */
void config_job_free(struct config_job *job);

/* Moves the jobs of a group out of from into *ret, an empty config but for them, in their order. -ENOMEM:
 * nothing was moved. */
int config_take_group(struct config *from, const char *group, struct config *ret);

/* Zeroes secrets and frees everything; *config is empty afterwards. An empty one is fine. */
void config_free(struct config *config);

/* What --check prints: every key with its effective value, the jobs, the worst failover per fault.
 * Secrets as "(set)". -ENOMEM: the end of it is missing. */
int config_print(const struct config *config, FILE *out);

/* One line per key of the table: "main" or "job", section, key, default, help, separated by tabs.
 */
void config_dump_keys(FILE *out);

/* The name rule: [a-z0-9][a-z0-9._-]{0,63}. */
bool config_name_valid(const char *name);

/* Whether it leads to this host, by its text alone: localhost, 127.x.x.x, [::1]. */
bool config_is_loopback(const char *url);

/* How to reach etcd, as the configuration says: its endpoints and files, user and password, all borrowed. The rest
 * is the caller's. */
struct once_client_config config_connection(const struct config *config);

/* Exchanges the files of certificates, the user and the password of two configurations. */
void config_swap_credentials(struct config *a, struct config *b);

#endif
