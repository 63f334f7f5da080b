/* What etcdctl's commands share. They read the words etcdctl reads, print what it prints, byte for
 * byte, and exit with its codes, so what was written for it works.
 *
 *	get.c put.c ... one file per command or family: flags -> request
 *	ask.c           request -> answer
 *	print.c         answer -> simple.c, fields.c, json.c or table.c
 *
 * Where etcdctl 3.4 and 3.5 differ the server's version decides. On a terminal, unlike etcdctl's,
 * keys and values are escaped: what somebody wrote to etcd does not drive the terminal. */
#ifndef ONCECTL_KV_KV_H
#define ONCECTL_KV_KV_H

#include <stdio.h>

#include "tools/oncectl/ctl.h"

/* "Error: ..." on standard error, as etcdctl words it. Returns code. */
int kv_error(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* For the error of an answer; CTL_FENCED and such stay ctl_error()'s. */
int kv_refused(int code, const struct once_response *response);

/* ---- ask.c ----------------------------------------------------------------------------------- */

enum kv_kind {
	KV_OP,
	KV_TXN,
	KV_COMPACT,
	KV_LEASE_GRANT,
	KV_LEASE_REVOKE,
	KV_LEASE_KEEPALIVE,
	KV_LEASE_TIME_TO_LIVE,
	KV_LEASE_LIST,
	KV_MEMBERS,
	KV_STATUS,
	KV_HASH,
	KV_ALARMS,
	KV_DISARM,
};

struct kv_request {
	enum kv_kind kind;
	const struct once_op *op;
	const struct once_txn *txn;
	int64_t number; /* revision, TTL in seconds */
	int64_t lease;
	const struct once_alarm *alarm;
	bool flag;		    /* physical, keys, linearizable */
	bool repeatable;	    /* a write that may be done twice */
	struct once_client *client; /* NULL: the command's */
};

/* Asks and waits. Again, until --command-timeout has passed, what had no effect or may be done
 * twice; so a put that was perhaps applied is told as failed. Never NULL; lives until the command's
 * end. Look at ->error. */
const struct once_response *kv_ask(struct ctl *ctl, const struct kv_request *request);
/* Whether the server is etcd 3.4, whose etcdctl prints some things differently. */
bool kv_is_34(struct ctl *ctl);

/* txn.c: the three parts, from there; an exit code after a line. Everything read lives in the arena. */
int kv_read_txn(struct ctl *ctl, FILE *from, struct once_txn *txn);

/* ---- words.c --------------------------------------------------------------------------------- */

/* A number as Go reads it: sign, digits of the base, nothing else. NULL, or why it is none, as Go
 * says it, in the arena. */
const char *kv_number(struct ctl *ctl, const char *text, int base, int64_t *ret);
/* The flag's number; 0 when it is not given. 0, or CTL_FAILED after its line. */
int kv_flag_number(struct ctl *ctl, const char *name, int64_t *ret);
/* Key and range of get, del: words[0] and words[1], --prefix, --from-key. 0 or the exit code. */
int kv_range(struct ctl *ctl, struct once_op *op);
/* range_end of --prefix, in the arena; false: out of memory. */
bool kv_prefix_end(struct ctl *ctl, struct once_op *op);

/* The words of a line of input, as etcdctl takes them apart: "Go's quotes", 'plain quotes', words.
 * In the arena, ends with NULL. -EINVAL: a quoted string that is none; -ENOMEM. */
int kv_split(struct ctl *ctl, const char *line, char ***ret_words, int *ret_n);
/* Go's quoted string at text, unquoted into the arena (sizes may hold NUL bytes). Returns how many
 * characters it took; 0: it is none. */
size_t kv_unquote(struct ctl *ctl, const char *text, struct once_bytes *ret);
/* Sorts words into flags and words of a command, as the command line's are. What stands behind -- of
 * one that takes a command is that. NULL, or why not, as etcdctl says it; nothing is printed. */
const char *kv_take_line(struct ctl *ctl, const struct ctl_command *command, char **words, int n);

/* exit.c: "exit status 1", "signal: killed"; why a command could not be executed. Never NULL. */
const char *kv_exit_text(struct ctl *ctl, int exit_code, int signo);
const char *kv_exec_text(struct ctl *ctl, const char *name, const char *error);

/* ---- the commands' requests, for txn --------------------------------------------------------- */

extern const struct ctl_command ctl_command_get, ctl_command_put, ctl_command_del,
	ctl_command_watch;
extern const char kv_put_words[]; /* what put says when it lacks some */
/* 0, or the exit code after its line. */
int kv_get_op(struct ctl *ctl, struct once_op *op);
int kv_put_op(struct ctl *ctl, struct once_op *op);
int kv_del_op(struct ctl *ctl, struct once_op *op);

/* ---- print.c --------------------------------------------------------------------------------- */

/* A key or value: raw, or escaped when standard output is a terminal. */
void kv_put_raw(struct once_bytes bytes);
/* \x61\x62 */
void kv_put_hex(struct once_bytes bytes);
/* Go's %q. */
void kv_put_quoted(struct once_bytes bytes);
void kv_write_quoted(FILE *out, struct once_bytes bytes);

/* The answer of a get, put or del, or of a txn. Returns CTL_OK. */
int kv_print_op(struct ctl *ctl, const struct once_response *response);

/* simple.c */
void kv_simple_kv(struct ctl *ctl, const struct once_kv *kv);
void kv_simple_op(struct ctl *ctl, const struct once_op_result *op);

/* fields.c */
void kv_fields_kv(const char *prefix, const struct once_kv *kv);
void kv_fields_header(const struct once_response *response);
void kv_fields_op(const struct once_op_result *op);

/* json.c: objects written as they come; what is zero is left out, as etcdctl does. */
struct kv_json {
	struct ctl *ctl;
	bool comma; /* something stands in the present object or array */
};
void kv_json_open(struct kv_json *json, const char *name, char bracket);
void kv_json_close(struct kv_json *json, char bracket);
void kv_json_name(struct kv_json *json, const char *name);
void kv_json_number(struct kv_json *json, const char *name, int64_t value);
void kv_json_unsigned(struct kv_json *json, const char *name, uint64_t value);
void kv_json_true(struct kv_json *json, const char *name, bool value);
void kv_json_text(struct kv_json *json, const char *name, const char *text);
void kv_json_bytes(struct kv_json *json, const char *name, struct once_bytes bytes);
void kv_json_header(struct kv_json *json, const char *name, const struct once_response *response);
/* The header's fields without an object around them. */
void kv_json_header_fields(struct kv_json *json, const struct once_response *response);
void kv_json_kv(struct kv_json *json, const char *name, const struct once_kv *kv);
void kv_json_op(struct kv_json *json, const struct once_op_result *op);

/* table.c: columns as many as heads, which end with NULL; cells row by row. */
struct kv_table {
	const char *const *heads;
	const char **cells;
	size_t n_cells;
};
/* -w table, or, when not, -w simple: cells with ", " between. */
void kv_table_print(struct ctl *ctl, const struct kv_table *table);

#endif
