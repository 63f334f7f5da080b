/* etcd's JSON, both ways: requests of once/client.h to bodies, bodies to struct once_response and
 * watch lines. Knows etcd 3.4, 3.5 and 3.6 by the shapes of their answers, not by their version.
 *
 *	codec_request_init(&request, 0);
 *	codec_encode_txn(&request, txn);	-> request.path, request.body
 *	... POST ...
 *	codec_reply_init(&reply);
 *	codec_decode(&reply, &request, http_status, body, size);
 *	... reply.response ...
 *	codec_reply_fini(&reply);
 *	codec_request_fini(&request);
 *
 * No I/O, no clock. An answer is believed only if it is whole: valid JSON, no key twice, and of the
 * kind the request asked for. Anything else is -EBADMSG, and what the request did is unknown. */
#ifndef ETCD_CODEC_H
#define ETCD_CODEC_H

#include "base/arena.h"
#include "base/buf.h"
#include <once/client.h>

enum {
	CODEC_REQUEST_MAX = 8 * 1024 * 1024, /* etcd's own limit is 1.5 MiB of protobuf */
	CODEC_ANSWER_MAX = 64 * 1024 * 1024, /* bytes of a unary answer or a watch line */
	CODEC_DEPTH_MAX = 32,		     /* nesting of any JSON that is looked at */
	CODEC_TXN_DEPTH_MAX = 8, /* txn in txn; deeper answers would pass CODEC_DEPTH_MAX */
};

enum codec_kind {
	CODEC_NONE,
	CODEC_RANGE,
	CODEC_PUT,
	CODEC_DELETE_RANGE,
	CODEC_TXN,
	CODEC_COMPACTION,
	CODEC_LEASE_GRANT,
	CODEC_LEASE_KEEPALIVE,
	CODEC_LEASE_REVOKE,
	CODEC_LEASE_TIME_TO_LIVE,
	CODEC_LEASE_LIST,
	CODEC_WATCH,
	CODEC_AUTHENTICATE,
	CODEC_STATUS,
	CODEC_MEMBER_LIST,
	CODEC_HASH_KV,
	CODEC_ALARM,
};

/* ---- requests -------------------------------------------------------------------------------- */

struct codec_request {
	enum codec_kind kind;
	const char *path; /* static: "/v3/kv/txn" */
	bool mutation;	  /* sent twice it may act twice, unless a compare guards it */
	struct buf body;  /* owned */
	/* What decoding needs to know of it. */
	struct buf shape; /* owned: the ops of a txn, "(pp|r)", see codec-kv.c */
	int64_t lease;	  /* id asked for, 0: none or the server's choice */
};

/* max: of the body; 0: CODEC_REQUEST_MAX. */
void codec_request_init(struct codec_request *request, size_t max);
/* Overwrites the body first if it held a password. Also legal on a zeroed struct. */
void codec_request_fini(struct codec_request *request);

/* Each replaces what the request held. -EINVAL: an enum out of range, a missing nested txn, text
 * that is not UTF-8; -E2BIG: above the maximum, or txns nested too deep; -ENOMEM. */
int codec_encode_op(struct codec_request *request, const struct once_op *op);
int codec_encode_txn(struct codec_request *request, const struct once_txn *txn);
int codec_encode_compaction(struct codec_request *request, int64_t revision, bool physical);
int codec_encode_lease_grant(struct codec_request *request, int64_t ttl_s, int64_t lease);
int codec_encode_lease_keepalive(struct codec_request *request, int64_t lease);
int codec_encode_lease_revoke(struct codec_request *request, int64_t lease);
int codec_encode_lease_time_to_live(struct codec_request *request, int64_t lease, bool keys);
int codec_encode_lease_list(struct codec_request *request);
int codec_encode_authenticate(
	struct codec_request *request, const char *user, const char *password);
int codec_encode_status(struct codec_request *request);
int codec_encode_hash_kv(struct codec_request *request, int64_t revision);
/* NULL: list them. */
int codec_encode_alarm(struct codec_request *request, const struct once_alarm *disarm);
int codec_encode_member_list(struct codec_request *request, bool linearizable);

/* One create request per range; range i gets the watch id i + 1 (0 would mean "you choose").
 * start_revisions: one per range, or NULL: all from now. Fragmenting is always asked for. */
int codec_encode_watch(struct codec_request *request, const struct once_watch_range *ranges,
	const int64_t *start_revisions, size_t n_ranges, bool progress_notify);

/* ---- unary answers --------------------------------------------------------------------------- */

struct codec_reply {
	struct once_response response; /* points into the arena */
	const char *token;  /* authenticate's, or NULL; in the arena, overwritten by fini */
	struct arena arena; /* owned */
};

void codec_reply_init(struct codec_reply *reply);
void codec_reply_fini(struct codec_reply *reply);

/* Decodes a complete answer (the transfer itself succeeded) and fills all of reply.response but
 * endpoint, sent and received. The reply must be fresh. Returns response.error:
 *   0         outcome ONCE_APPLIED
 *   -EBADMSG  not etcd's answer to this request; ONCE_UNKNOWN
 *   -ENOMEM   could not be looked at; ONCE_UNKNOWN
 *   else      etcd's own error by the table of errors.c, with its outcome.
 * Revoking a lease that is gone is -ENOENT with ONCE_APPLIED. */
int codec_decode(struct codec_reply *reply, const struct codec_request *request, int http_status,
	const void *body, size_t size);

/* Fills reply.response as for a request that got no answer: error, outcome, escaped message. */
void codec_reply_fail(
	struct codec_reply *reply, int error, enum once_outcome outcome, const char *message);

/* ---- the keys of a range, as they come ------------------------------------------------------- */

enum codec_rows_state {
	CODEC_ROWS_BEFORE,
	CODEC_ROWS_FIRST, /* an element or the end is next */
	CODEC_ROWS_NEXT,  /* an element is */
	CODEC_ROWS_INSIDE,
	CODEC_ROWS_BETWEEN, /* a comma or the end is */
	CODEC_ROWS_BEHIND,
};

struct codec_rows {
	struct buf around;   /* the answer without the elements, for codec_decode() */
	struct once_kv *kvs; /* owned: what became whole with the last piece */
	size_t n_kvs, cap;
	/* of the header, which etcd writes first; revision 0: there was none before the keys */
	uint64_t cluster_id, member_id, raft_term;
	int64_t revision;
	enum codec_rows_state state;
	struct buf row; /* the beginning of an element */
	int depth;
	bool in_string, escaped;
	int error;
};

void codec_rows_init(struct codec_rows *rows);
void codec_rows_fini(struct codec_rows *rows);
/* Takes the next piece of an answer of status 200. kvs point into the arena and are good until the
 * next push. 0, -EBADMSG or -ENOMEM, which stick. */
int codec_rows_push(struct codec_rows *rows, const void *data, size_t size, struct arena *arena);

/* ---- watch ----------------------------------------------------------------------------------- */

enum codec_watch_what {
	CODEC_WATCH_CREATED,
	CODEC_WATCH_CANCELED, /* error, message; compact_revision when that is why */
	CODEC_WATCH_EVENTS,
	CODEC_WATCH_PROGRESS,
	CODEC_WATCH_ERROR, /* the whole stream: error, grpc_code, message. It ends after this */
};

struct codec_watch_line {
	enum codec_watch_what what;
	int64_t watch_id; /* as given by codec_encode_watch(); -1: none in particular */
	/* header; 0 when absent */
	uint64_t cluster_id, member_id;
	int64_t revision;
	uint64_t raft_term;
	const struct once_event *events; /* in the arena */
	size_t n_events;
	bool fragment; /* more of the same revisions follow in the next line */
	int64_t compact_revision;
	int error; /* 0 or a negative errno of once/client.h */
	int grpc_code;
	char message[256];  /* escaped, one line */
	struct arena arena; /* owned */
};

/* Decodes one line of split_next(). 0, -EBADMSG or -ENOMEM; then the stream is of no more use.
 * After 0 codec_watch_line_fini() frees it (legal after an error, too). */
int codec_watch_line(struct codec_watch_line *line, const void *data, size_t size);
void codec_watch_line_fini(struct codec_watch_line *line);

/* The error of a watch request that was answered by a status other than 200 (a body that is one
 * document, no stream). Always gives CODEC_WATCH_ERROR. */
int codec_watch_refusal(
	struct codec_watch_line *line, int http_status, const void *body, size_t size);

#endif
