/* Names, moments and keys: what onced calls things in etcd. Since 0.1.
 *
 * Everything lies under one prefix (default "/onced"):
 *
 *	P/run/<job>/<moment>       a run of a job, for one scheduled or triggered moment: ledger.h
 *	P/once/<id>                something done one time ever: ledger.h
 *	P/step/<flow>/<step>       a step of a flow: ledger.h
 *	P/undo/<flow>/<step>       what takes back what that step did: ledger.h
 *	P/live/once/<id> ...       who runs that without being a leader lives: claim.h
 *	P/flow/<flow>              which list of steps the flow has: flow.h
 *	P/ids/<name>               numbers given out: ids.h
 *	P/job/<job>/next           up to where the schedule is decided: control.h
 *	P/job/<job>/pause, P/pause an operator's pause: control.h
 *	P/trigger/<job>/<id>       an operator wants a run: control.h
 *	P/kill/<job>/<moment>      an operator wants a run to end: control.h
 *	P/g/<group>/handover       an operator wants another leader: control.h
 *	P/g/<group>/away/<node>    ... and that node to stay away meanwhile: control.h
 *
 * No function here keeps state or asks anybody. */
#ifndef ONCE_NAMES_H
#define ONCE_NAMES_H

#include <once/client.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
	ONCE_NAME_MAX = 64,    /* characters of a name */
	ONCE_ID_MAX = 128,     /* of an id */
	ONCE_PREFIX_MAX = 160, /* of a prefix */
	ONCE_KEY_SIZE = 512,   /* bytes of any key below a prefix, its NUL included */
	ONCE_UTC_SIZE = 32,    /* bytes of a moment as text, its NUL included */
	ONCE_HASH_SIZE = 65,   /* bytes of a hash as text, its NUL included */
	ONCE_RUN_ID_SIZE = 33, /* bytes of a run's id, its NUL included */
};

/* What a refusal says was expected. */
#define ONCE_NAME_RULE "[a-z0-9][a-z0-9._-]{0,63}"
#define ONCE_ID_RULE "[A-Za-z0-9][A-Za-z0-9._:@+=,-]{0,127}"
#define ONCE_PREFIX_RULE "a path like /onced of at most 160 characters, without a slash at its end"

/* Of jobs, groups, nodes: ONCE_NAME_RULE. NULL is none. */
bool once_name_valid(const char *name);
/* Of things done once, flows, steps, number ranges, triggers: ONCE_ID_RULE. NULL is none. */
bool once_id_valid(const char *id);
/* ONCE_PREFIX_RULE: only printable ASCII without space, '"' and '\', no empty part. NULL is none.
 */
bool once_prefix_valid(const char *prefix);

/* ---- moments --------------------------------------------------------------------------------- */

/* Moments are milliseconds since 1970 UTC, always positive and before the year 10000; 0 is "none".
 * As text "2026-11-22T18:30:00Z", with ".123" before the Z unless the milliseconds are 0. The run
 * of a schedule is at a whole second; a trigger's is not, so that they never meet. */

/* Writes the text; "" for a moment that is none. Returns out. */
char *once_utc_format(char out[ONCE_UTC_SIZE], int64_t ms);
/* Strictly that text, one spelling per moment. -EINVAL: another. */
int once_utc_parse(int64_t *ret_ms, const char *text, size_t size);
/* The present moment by the time of day: for records and schedules, never to measure with. */
int64_t once_utc_now(void);
/* The moment that a trigger received at now_ms gets: never a whole second. */
int64_t once_utc_unscheduled(int64_t now_ms);

/* ---- keys ------------------------------------------------------------------------------------ */

enum once_key_kind {
	ONCE_KEY_RUN,	    /* name: job, at_ms */
	ONCE_KEY_ONCE,	    /* name: id */
	ONCE_KEY_STEP,	    /* name: flow, sub: step */
	ONCE_KEY_FLOW,	    /* name: flow */
	ONCE_KEY_IDS,	    /* name */
	ONCE_KEY_CURSOR,    /* name: job */
	ONCE_KEY_JOB_PAUSE, /* name: job */
	ONCE_KEY_PAUSE,
	ONCE_KEY_TRIGGER,  /* name: job, sub: id */
	ONCE_KEY_KILL,	   /* name: job, at_ms */
	ONCE_KEY_HANDOVER, /* name: group */
	ONCE_KEY_UNDO,	   /* name: flow, sub: step */
	ONCE_KEY_AWAY,	   /* name: group, sub: node */
};

struct once_key {
	enum once_key_kind kind;
	char name[ONCE_ID_MAX + 1];
	char sub[ONCE_ID_MAX + 1];
	int64_t at_ms;
};

/* Writes the key. 0; -EINVAL: the prefix, a name or the moment is none. */
int once_key_format(char out[ONCE_KEY_SIZE], const char *prefix, const struct once_key *key);

/* The same for those who have the parts: name and sub may be NULL where the kind has none. */
int once_key_make(char out[ONCE_KEY_SIZE], const char *prefix, enum once_key_kind kind,
	const char *name, const char *sub, int64_t at_ms);

/* What key is, exactly as once_key_format() writes it. -EINVAL: nothing of these under that prefix.
 */
int once_key_parse(struct once_key *ret, const char *prefix, struct once_bytes key);

/* What all keys of a kind begin with ("/onced/run/"), or with a name those of one job or flow
 * ("/onced/run/backup/"). For ranges and watches. ONCE_KEY_CURSOR and ONCE_KEY_JOB_PAUSE share
 * "/onced/job/". 0; -EINVAL: the prefix or the name is none, or the kind has no such keys. */
int once_key_prefix(
	char out[ONCE_KEY_SIZE], const char *prefix, enum once_key_kind kind, const char *name);

/* ---- ids and hashes -------------------------------------------------------------------------- */

/* 128 bits of the kernel's randomness in hex. -EIO: it has none to give. */
int once_run_id_new(char out[ONCE_RUN_ID_SIZE]);

/* SHA-256 in hex of parts, each with its length before it, so that {"a b"} and {"a", "b"} differ.
 * 0; -ENOMEM: the digest cannot be had. */
int once_hash(char out[ONCE_HASH_SIZE], const struct once_bytes *parts, size_t n);

/* SHA-256 in hex of the data alone, as sha256sum prints it. 0; -ENOMEM: the digest cannot be had. */
int once_sha256(char out[ONCE_HASH_SIZE], struct once_bytes data);

#ifdef __cplusplus
}
#endif

#endif
