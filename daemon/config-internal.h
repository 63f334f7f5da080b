/* What the parts of the configuration share: the typed table of keys, and the draft that files and
 * flags are collected in until config-check.c has found it good.
 *
 *   config-table.c  every key: type, default, limits, help; --dump-keys
 *   config-types.c  the types: text to value and back; with config-words.c, config-lists.c
 *   config-draft.c  error lines, one assignment
 *   config-file.c   INI files to assignments
 *   config-flags.c  settings of onced run to assignments
 *   config-client.c what a program that only talks to etcd needs of all this
 *   config-check.c  defaults, and the rules between keys
 *   config-job.c    the same for one job
 *   config-groups.c the groups that jobs name
 *   config-work.c   the same for what the types of jobs have of their own
 *   config-print.c  --check */
#ifndef ONCED_CONFIG_INTERNAL_H
#define ONCED_CONFIG_INTERNAL_H

#include "daemon/config.h"

enum {
	CONFIG_KEYS_MAX = 48,	/* in one kind of file */
	CONFIG_WHY_MAX = 512,	/* a problem in words */
	CONFIG_QUOTE_MAX = 160, /* a value quoted in them */
	CONFIG_ENDPOINTS_MAX = 64,
	/* A LAUNCH packet of the link must hold a job's strings and what the agent adds. */
	CONFIG_STRINGS_MAX = 96 * 1024,
};

/* Where a value was said. */
struct config_origin {
	const char *file; /* borrowed; NULL: by a flag */
	int line;	  /* 0: nowhere in the file */
	const char *flag; /* borrowed: "--ttl" */
	bool said;	  /* the key is there */
	bool set;	  /* with a value, good or bad */
	bool bad;	  /* badly: rules that need the value are not checked */
};

struct config_key;

struct config_type {
	/* Replaces *field, which is the fallback or zero before. -EINVAL: why says what is wrong
	 * and what was expected. -ENOMEM. */
	int (*parse)(const struct config_key *key, void *field, const char *text, char *why);
	/* As parse() would read it; NULL: --check does not show it. */
	void (*print)(FILE *out, const void *field);
	bool is_path; /* relative values are completed before parse() */
};

struct config_key {
	const char *section, *name;
	const char *fallback; /* parsed when nothing is said; NULL: nothing is, or computed */
	const char *computed; /* the default in words where it is no constant */
	const struct config_type *type;
	size_t offset; /* in struct config or struct config_job_draft */
	int64_t min, max;
	bool list; /* may be said again; adds. An empty value empties it */
	const char *help;
	unsigned types; /* of jobs that have it: bits 1 << enum config_job_type; 0: all */
};

struct config_draft {
	struct config config; /* first: the table's offsets count from here */
	struct config_origin origins[CONFIG_KEYS_MAX];
	FILE *errors;
	const char *program; /* begins the line of a wrong flag; NULL: onced */
	size_t n_errors;
	bool for_fuzzing; /* read no file but the text given */
	bool for_reading; /* by another program than the daemon: no user is looked up */
};

struct config_job_draft {
	struct config_job job; /* first, as above */
	char *exec, *probe, *runner; /* as written; owned, like these: */
	char *user;
	char **steps, **undo; /* "name: command" */
	const char *file; /* borrowed */
	struct config_origin origins[CONFIG_KEYS_MAX];
};

/* config-table.c */
struct config_table {
	const struct config_key *keys;
	size_t n_keys;
};
extern const struct config_table config_main_table, config_job_table;
/* NULL: no such key. */
const struct config_key *config_find(
	const struct config_table *table, const char *section, const char *name);
bool config_has_section(const struct config_table *table, const char *section);
/* The origin of the key at this place of the struct, for rules between keys. */
#define config_main_origin(draft, member)                                                          \
	(&(draft)->origins[config_index(&config_main_table, offsetof(struct config, member))])
size_t config_index(const struct config_table *table, size_t offset);

/* config-types.c */
extern const struct config_type config_type_text, config_type_name, config_type_path,
	config_type_etcd_key, config_type_user, config_type_bool, config_type_duration,
	config_type_seconds, config_type_percent, config_type_raw, config_type_count, config_type_id,
	config_type_bytes, config_type_listen, config_type_unit;
/* config-words.c */
extern const struct config_type config_type_profile, config_type_level, config_type_restart,
	config_type_job_type, config_type_overlap, config_type_missed, config_type_interrupt,
	config_type_on_failure;
const char *config_job_type_name(enum config_job_type type);
/* config-lists.c */
extern const struct config_type config_type_endpoints, config_type_environment, config_type_steps,
	config_type_retry_on;
/* Adds the text, which it takes, even when it fails, to a list that ends with NULL. -ENOMEM. */
int config_append(char ***list, char *text);
/* The value in quotes, escaped and cut. */
const char *config_quote(char out[CONFIG_QUOTE_MAX], const char *text);
/* Writes why and returns -EINVAL. */
int config_refuse(char *why, const char *format, ...) __attribute__((format(printf, 2, 3)));
int config_set_string(char **field, const char *text);

/* config-draft.c */
void config_report(struct config_draft *draft, const struct config_origin *origin, const char *key,
	const char *format, ...) __attribute__((format(printf, 4, 5)));
/* Checks, parses and stores one value; what is wrong is reported. base: the struct that the
 * table's offsets count from; origins: its. */
void config_assign(struct config_draft *draft, const struct config_table *table, void *base,
	struct config_origin *origins, const struct config_key *key,
	const struct config_origin *from, const char *value);
/* Parses the fallback of every key that nothing was said about. -ENOMEM. */
int config_apply_fallbacks(
	const struct config_table *table, void *base, const struct config_origin *origins);

/* config-file.c */
struct config_reader {
	struct config_draft *draft;
	const struct config_table *table;
	void *base;
	struct config_origin *origins;
	const char *file; /* borrowed, outlives the draft's origins */
};
/* Reads one file or, for tests, a text. Everything wrong is reported; false: nothing could be read.
 */
bool config_read_file(const struct config_reader *reader);
bool config_read_text(const struct config_reader *reader, const char *text, size_t size);

/* config-flags.c */
void config_apply_settings(struct config_draft *draft, const struct options *options);
/* The defaults that a run has in place of the table's. -ENOMEM. */
int config_run_defaults(struct config_draft *draft, const struct options *options);
/* The command as the only job, once the rest is complete. -ENOMEM. */
int config_add_command(struct config_draft *draft, const struct options *options);

/* config-check.c */
/* Completes what nothing was said about, then checks the rules between keys. options: those of a
 * run; else NULL. -ENOMEM. */
int config_finish(struct config_draft *draft, const struct options *options, const char *file);

/* config-job.c */
/* Every jobs.d/NAME.job beside the file. -ENOMEM. */
int config_load_jobs(struct config_draft *draft, const char *file);
/* Completes and checks a job, and moves it into the config. Frees the draft's rest. -ENOMEM. */
int config_add_job(struct config_draft *draft, struct config_job_draft *job);
struct config_origin *config_job_origin(struct config_job_draft *job, size_t offset);
/* A command as written to words; what is wrong with it is reported for the key. -ENOMEM. */
int config_command(struct config_draft *draft, const struct config_origin *origin, const char *key,
	const char *text, bool shell, char ***ret, size_t *ret_n);

/* config-groups.c */
void config_check_group(struct config_draft *draft, struct config_job_draft *job);
/* When all jobs are there. */
void config_count_groups(struct config_draft *draft, const char *directory);

/* config-work.c */
/* What a job's type asks for and forbids. Takes the draft's texts over. -ENOMEM. */
int config_complete_work(struct config_draft *draft, struct config_job_draft *job);
void config_work_free(struct config_job_draft *job);

#endif
