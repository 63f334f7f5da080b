/* oncectl: what its commands share.
 *
 * A command is one file with one struct ctl_command in it, and one line in commands.h. Its run()
 * gets the words of its command line, reads and writes etcd through the calls below, prints, and
 * returns an exit code. It may leave everything it made behind: memory of the arena and the client
 * are freed after it.
 *
 *	oncectl [FLAG...] COMMAND [FLAG...] [WORD...] [-- COMMAND...]
 *	main.c -> options.c (flags) -> connect.c (client) -> the command -> exit code
 *
 * Every error is one line on standard error, by ctl_error() or by a call that failed. */
#ifndef ONCECTL_CTL_H
#define ONCECTL_CTL_H

#include <once/client.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "daemon/config.h"

/* Exit codes; documented in oncectl(1). */
enum {
	CTL_OK = 0,
	CTL_FAILED = 1,	     /* asked, and the answer is no; or it could not be done */
	CTL_USAGE = 2,	     /* a flag, name, path, time or expression is wrong */
	CTL_UNREACHABLE = 3, /* etcd did not answer in time, or refused */
	CTL_ABSENT = 4,	     /* what was named is not there */
	CTL_FENCED = 75,     /* the term is over: nothing was written */
	CTL_CONFIG = 78,     /* the configuration file is wrong */
};

/* Those of etcdctl's commands, which are etcdctl's. */
enum {
	CTL_BAD_CONNECTION = 2,
	CTL_BAD_INPUT = 3,
	CTL_BAD_FEATURE = 4,
	CTL_INTERRUPTED = 5,
	CTL_BAD_ARGS = 128,
};

enum { CTL_FLAGS_MAX = 16, CTL_KEY_MAX = 512 };

struct ctl;

/* What -w names. */
enum ctl_format { CTL_SIMPLE, CTL_JSON, CTL_FIELDS, CTL_TABLE };

/* A flag of one command. */
struct ctl_flag {
	const char *name;     /* "--to", "-i" */
	const char *argument; /* "NODE"; NULL: takes none */
	const char *help;
};

struct ctl_command {
	const char *name;	  /* one word, or two: "lease grant" */
	const char *words;	  /* "JOB [TIME]"; "" when none */
	int min_words, max_words; /* max_words < 0: any number */
	bool takes_command;	  /* what follows -- is a command of its own: ctl->command_argv */
	bool offline;		  /* asks etcd nothing: no configuration, no client */
	bool timing;		  /* wants the configuration's timing, and asks etcd nothing */
	bool etcdctl;		  /* reads its words and flags, prints and exits as etcdctl does: kv/ */
	bool table;		  /* of those: knows -w table */
	bool bulk;		  /* wants to be where etcd's leader is */
	const char *summary;	  /* one line */
	const char *details; /* lines for help COMMAND, each ending in a newline; may be NULL */
	const struct ctl_flag *flags; /* ends with a name of NULL; may be NULL */
	int (*run)(struct ctl *ctl);
};

struct ctl {
	const struct ctl_command *command;
	bool json; /* format == CTL_JSON */
	enum ctl_format format;
	bool hex;		 /* --hex: of etcdctl's commands */
	bool prefer_leader;	 /* for bulk work: be where etcd's leader is */
	int64_t timeout_ns;	 /* --command-timeout: for all requests of one command; of one round
				    where it watches */
	const char *config_file; /* --config, or the default one when that is used */
	const char *group;	 /* --group */
	const char *endpoints_said; /* as they were given, "a:1,b:1"; NULL: in the file */
	struct config config;	 /* connection, keys, timing. Empty for an offline command */
	const char *leader_key;	 /* of the group */

	char **words; /* between flags; ends with NULL */
	int n_words;
	char **command_argv; /* behind --; ends with NULL; NULL: there was none */

	struct {
		const struct ctl_flag *flag;
		const char *value;
	} given[CTL_FLAGS_MAX];
	size_t n_given;

	struct arena line;  /* what the command line became */
	struct arena arena; /* freed after the command, and in every round of --watch */
	struct ev_loop *ev;
	struct once_loop *loop;
	struct once_client *client;
	char endpoint[256]; /* URL in use */
	int http_version;   /* 11, 20; 0: not connected */
	struct once_instant began;
};

/* ---- options.c ------------------------------------------------------------------------------- */

/* The value of a flag of the command; of one without argument: "yes". NULL: not given. */
const char *ctl_flag(const struct ctl *ctl, const char *name);

/* ---- args.c: words and values, each refused with one line and CTL_USAGE ------------------------
 */

/* Names of nodes, groups, jobs, ids: [a-z0-9][a-z0-9._-]{0,63}. what: "job". 0 or CTL_USAGE. */
int ctl_check_name(const char *what, const char *name);
/* A whole number from min to max. */
int ctl_parse_number(const char *what, const char *text, int64_t min, int64_t max, int64_t *ret);
/* A duration such as 90s, 5min. */
int ctl_parse_duration(
	const char *what, const char *text, int64_t min_ns, int64_t max_ns, int64_t *ret_ns);
/* A moment, in nanoseconds since 1970 UTC: "2026-11-22T18:30:00Z", with a fraction or an offset,
 * "2026-11-22 18:30[:00]" in the local time zone, "18:30[:00]" (today), "now", "+90s", "-5min". */
int ctl_parse_time(const char *what, const char *text, int64_t *ret_ns);
/* The pure part of it. -EINVAL; now_ns: what "now" is. */
int ctl_time_read(const char *text, int64_t now_ns, int64_t *ret_ns);

/* ---- connect.c ------------------------------------------------------------------------------- */

/* 0, or the exit code after its line. */
int ctl_connect(struct ctl *ctl);
/* Another client, of one member alone; the caller's. 0, or the exit code after its line. */
int ctl_client_of(struct ctl *ctl, const char *endpoint, struct once_client **ret);
void ctl_disconnect(struct ctl *ctl);

/* Calls that wait for their answer, which lives until the command's end. They are repeated until
 * --command-timeout has passed, so a txn must be harmless when it is applied twice. NULL: the line
 * is printed, return CTL_UNREACHABLE. */
const struct once_response *ctl_txn(struct ctl *ctl, const struct once_txn *txn);
/* An answer with that error is one, too. */
const struct once_response *ctl_txn_or(struct ctl *ctl, const struct once_txn *txn, int error);
/* Sent again only when it was surely not applied: for what may not happen twice. When that is not
 * known, the line says so. */
const struct once_response *ctl_txn_once(struct ctl *ctl, const struct once_txn *txn);
const struct once_response *ctl_op(struct ctl *ctl, const struct once_op *op);
const struct once_response *ctl_members(struct ctl *ctl);
const struct once_response *ctl_status(struct ctl *ctl);
/* Every key with this prefix, at one revision: op.kvs. */
const struct once_response *ctl_range_prefix(struct ctl *ctl, const char *prefix);
/* The same, without values. */
const struct once_response *ctl_range_keys(struct ctl *ctl, const char *prefix);
const struct once_response *ctl_get(struct ctl *ctl, const char *key);

/* One attempt each, whose failure is an answer like any other: for doctor. NULL: out of memory,
 * told. */
const struct once_response *ctl_try_op(struct ctl *ctl, const struct once_op *op);
const struct once_response *ctl_try_grant(struct ctl *ctl, int64_t ttl_s);
const struct once_response *ctl_try_revoke(struct ctl *ctl, int64_t lease);
const struct once_response *ctl_try_self_test(struct ctl *ctl, const char *key);

/* Turns the loop until *done, or for that long. False: the time has passed. */
bool ctl_wait(struct ctl *ctl, const bool *done, int64_t timeout_ns);
/* Watches a key from behind a revision until seen() returns true, which it is asked of every
 * change; it may copy what it wants into the arena. False: not within that time, or the revision is
 * compacted. */
typedef bool ctl_seen_fn(void *userdata, const struct once_event *event);
bool ctl_await(struct ctl *ctl, const char *key, int64_t revision, int64_t timeout_ns,
	ctl_seen_fn *seen, void *userdata);

/* Another round of --watch begins: its requests get the whole --command-timeout again, and what the
 * arena held is gone. */
void ctl_round(struct ctl *ctl);
/* The time alone: after a wait that --command-timeout is not meant for. */
void ctl_round_time(struct ctl *ctl);
void ctl_sleep(struct ctl *ctl, int64_t ns);
/* Runs round(ctl) once, or with --watch again and again, every --interval; on a terminal each round
 * begins at its top. A round that failed is told and tried again. */
int ctl_watch(struct ctl *ctl, int (*round)(struct ctl *ctl));
#define CTL_WATCH_FLAGS                                                                            \
	{"--watch", NULL, "again and again, until interrupted"},                                   \
	{                                                                                          \
		"--interval", "TIME", "between two rounds [2s]"                                    \
	}
int64_t ctl_time_left(const struct ctl *ctl);

/* prefix + "/" + the rest, in the arena. */
const char *ctl_key(struct ctl *ctl, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* copy.c: the whole answer in an arena. NULL: out of memory. */
const struct once_response *ctl_copy(struct arena *arena, const struct once_response *response);

/* ---- output.c -------------------------------------------------------------------------------- */

/* What errors begin with; "oncectl" unless another program sets it. */
extern const char *ctl_program;
/* "oncectl: ..." on standard error, escaped. Returns code. */
int ctl_error(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));
int ctl_out_of_memory(void);
/* Says so and ends the program, as a crash would, which everything here is made for: before a text that
 * is half there is shown, or a key that is another is asked for. */
__attribute__((noreturn)) void ctl_end_without_memory(void);

/* What came from etcd, fit for a terminal; in the arena. Empty, and the exit code not 0: out of memory. */
const char *ctl_text(struct ctl *ctl, struct once_bytes bytes);
/* In the arena; never NULL. */
const char *ctl_printf(struct ctl *ctl, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* "2026-11-22T18:30:00Z" in UTC. */
const char *ctl_time_text(struct ctl *ctl, int64_t unix_ns);
/* "3.2s", "4min", "2d": about how long, for people. */
const char *ctl_age_text(struct ctl *ctl, int64_t ns);

/* A table: columns as wide as their widest cell, the first row is the head. */
struct ctl_table {
	struct ctl *ctl;
	size_t n_columns;
	const char **cells;
	size_t n_cells, cap;
};
void ctl_table_init(struct ctl_table *table, struct ctl *ctl, const char *const *heads);
/* The next cell, borrowed until printed; NULL: "-". */
void ctl_table_add(struct ctl_table *table, const char *text);
void ctl_table_print(const struct ctl_table *table);

/* JSON on standard output, written as it comes. Members of an object take a key, elements of an
 * array NULL. Text that is not UTF-8 is written as ctl_text() shows it. */
struct ctl_json {
	int depth;
	bool comma[16];
};
void ctl_json_object(struct ctl_json *json, const char *key);
void ctl_json_array(struct ctl_json *json, const char *key);
/* The last end writes the newline. */
void ctl_json_end_object(struct ctl_json *json);
void ctl_json_end_array(struct ctl_json *json);
void ctl_json_text(struct ctl_json *json, const char *key, const char *text); /* NULL: null */
void ctl_json_bytes(struct ctl_json *json, const char *key, struct once_bytes bytes);
void ctl_json_number(struct ctl_json *json, const char *key, int64_t value);
void ctl_json_seconds(struct ctl_json *json, const char *key, int64_t ns);
void ctl_json_bool(struct ctl_json *json, const char *key, bool value);
void ctl_json_null(struct ctl_json *json, const char *key);

#endif
