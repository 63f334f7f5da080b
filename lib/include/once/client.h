/* An asynchronous etcd v3 client over the JSON gateway (etcd 3.4, 3.5, 3.6). Since 0.1.
 *
 * Rules of every call here:
 *  - A start function returns 0 or a negative errno. After an error the callback never comes.
 *  - After 0 it comes exactly once (a watch: until it ends), never from inside the start function,
 *    never after the call was cancelled.
 *  - The callback is the library's last touch of the call. It may start or cancel other calls and
 *    may free the client.
 *  - Whatever a callback is given is borrowed until it returns. Requests are borrowed by the start
 *    function only.
 *  - Every call has a deadline. A watch has a silence deadline instead.
 *
 * One error domain, negative errno, mapped in one table (lib/etcd/errors.c):
 *   -ENOENT        lease not found                 -EACCES        not authenticated
 *   -EPERM         permission denied               -EEXIST        lease already exists
 *   -ENOSPC        NOSPACE alarm                   -E2BIG         request too large, too many ops
 *   -ESTALE        revision compacted              -ERANGE        future revision
 *   -EINVAL        the server refused the request  -EAGAIN        too many requests
 *   -EHOSTUNREACH  no leader, not connected        -ETIMEDOUT     no answer in time
 *   -EBADMSG       the answer is not etcd's        -ECONNRESET    the connection broke
 *   -EPROTO        any other error of the server   -EKEYREJECTED  TLS verification failed
 *   -EREMCHG       the answer is of another etcd cluster than before, or of an older history of it
 * -ENOSPC is ONCE_UNKNOWN: the write that passes etcd's quota is made, and answered so.
 * A false compare, an absent key, a lease that is gone at keep-alive are not errors: they are fields
 * of the response. */
#ifndef ONCE_CLIENT_H
#define ONCE_CLIENT_H

#include <once/loop.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct once_client;
struct once_call;
struct once_watch;

/* ---- client ---------------------------------------------------------------------------------- */

/* All strings are copied. Zero means the default. */
struct once_client_config {
	const char *const *endpoints; /* "https://host:port", "http://host:port" or "host:port" */
	size_t n_endpoints;
	const char *cacert;	   /* PEM file of the CAs to trust; NULL: the system's */
	const char *cert;	   /* PEM client certificate, with key_file; NULL: none */
	const char *key_file;
	const char *user;	   /* etcd user; NULL: no authentication */
	const char *password;	   /* zeroed in the client's memory when it is freed */
	bool allow_plaintext;	   /* http:// to other than loopback; else such an endpoint is -EPERM */
	bool prefer_leader;	   /* keep the control lane on the member that is etcd's leader */
	int64_t connect_timeout_ns; /* TCP and TLS together, default 2 s */
	int64_t request_timeout_ns; /* of calls that give none, default 5 s */
};

/* What etcd was at least, by what it has answered: its cluster, and a revision that was reached. */
struct once_lineage {
	uint64_t cluster_id; /* 0: nothing is known */
	int64_t revision;
};

/* What a client tells its owner unasked; all optional. */
struct once_client_listener {
	/* The control lane now talks (or no longer talks) to this endpoint: its URL, the HTTP version
	 * negotiated (11 or 20) and why (one line, no newline). http_version 0: the endpoint was left. */
	void (*endpoint)(void *userdata, const char *url, int http_version, const char *why);
	/* An answer was not believed, its call failed with -EREMCHG: it is of another cluster, or older than
	 * what was known when it was asked for. Comes once for all such answers of a turn of the loop. Of one
	 * endpoint alone it may be that endpoint's fault. */
	void (*disowned)(void *userdata, const struct once_lineage *answered);
};

/* -EINVAL: a URL that is none, no endpoint, a certificate without key; -EPERM: plaintext not allowed;
 * -ENOENT, -EACCES: a file cannot be read; -EKEYREJECTED: it is no certificate or key. The error text
 * names what and where, in *ret_message (static or owned by the thread; may be NULL to be ignored). */
int once_client_new(struct once_client **ret, struct once_loop *loop,
	const struct once_client_config *config, const struct once_client_listener *listener,
	void *userdata, const char **ret_message);

/* Cancels every call and watch (they do not call back), closes all connections without waiting,
 * zeroes secrets. Legal from every callback. Returns NULL; NULL is fine. */
struct once_client *once_client_free(struct once_client *client);

/* Throws away every connection and starts on the next endpoint: the caller knows better (for
 * instance, its beats are not answered). Calls in flight end as unknown with -ECONNRESET. */
void once_client_rotate(struct once_client *client, const char *why);

/* Reads the files of config again and takes its user and password: certificates that were renewed, a
 * password that was changed. Without this the client stays with what it read first: it never looks at the files again.
 * A certificate that is not valid now, or not for clients, is -EKEYREJECTED here, though not at the start. Of config cacert, cert, key_file, user and password count. Calls in flight end
 * by themselves on the old connections, new ones go to the same endpoint over new ones; watches move and
 * miss nothing. Errors and *ret_message as those of once_client_new(): then nothing has changed. Since 0.1. */
int once_client_reload(
	struct once_client *client, const struct once_client_config *config, const char **ret_message);

/* From now on only answers that continue this history are believed: those of the same cluster and, of range (not
 * serializable), put, delete and txn, of no lower revision than was known when they were sent; the history grows
 * with them. All others fail with -EREMCHG, their outcome unknown. Zeros: whatever answers first. A client that was
 * never told this only keeps to the first cluster that answers. Since 0.1. */
void once_client_trust(struct once_client *client, const struct once_lineage *history);
/* What is known now. Since 0.1. */
struct once_lineage once_client_lineage(const struct once_client *client);

/* The endpoint the control lane uses or will use next. Never NULL. */
const char *once_client_endpoint(const struct once_client *client);

/* ---- requests -------------------------------------------------------------------------------- */

struct once_bytes {
	const void *data;
	size_t size;
};

/* The bytes of a C string without its NUL. */
static inline struct once_bytes once_str(const char *s)
{
	struct once_bytes b = {s, s ? __builtin_strlen(s) : 0};
	return b;
}

enum once_lane {
	ONCE_LANE_CONTROL, /* leases, election, small and urgent; its own connection */
	ONCE_LANE_BULK,	   /* pages and batches; its own connection */
};

/* How a call travels; NULL where a function takes it: control lane, the client's timeout. */
struct once_call_options {
	enum once_lane lane;
	int64_t timeout_ns;
};

enum once_compare_target {
	ONCE_COMPARE_VERSION,
	ONCE_COMPARE_CREATE,
	ONCE_COMPARE_MOD,
	ONCE_COMPARE_VALUE,
	ONCE_COMPARE_LEASE,
};

enum once_compare_result {
	ONCE_EQUAL,
	ONCE_GREATER,
	ONCE_LESS,
	ONCE_NOT_EQUAL,
};

struct once_compare {
	enum once_compare_target target;
	enum once_compare_result result;
	struct once_bytes key, range_end;
	int64_t number;		 /* version, create, mod, lease */
	struct once_bytes value; /* ONCE_COMPARE_VALUE */
};

enum once_op_kind { ONCE_OP_RANGE, ONCE_OP_PUT, ONCE_OP_DELETE, ONCE_OP_TXN };
enum once_sort_order { ONCE_SORT_NONE, ONCE_SORT_ASCEND, ONCE_SORT_DESCEND };
enum once_sort_target {
	ONCE_SORT_KEY,
	ONCE_SORT_VERSION,
	ONCE_SORT_CREATE,
	ONCE_SORT_MOD,
	ONCE_SORT_VALUE,
};

struct once_txn;

/* One operation, alone or in a txn. Fields not of its kind are ignored. range_end as in etcd:
 * empty: one key; see once_prefix_end() for a prefix; "\0" (one NUL byte): from key on. */
struct once_op {
	enum once_op_kind kind;
	struct once_bytes key, range_end;
	/* range */
	int64_t limit, revision;
	enum once_sort_order sort_order;
	enum once_sort_target sort_target;
	bool serializable, keys_only, count_only;
	int64_t min_mod_revision, max_mod_revision, min_create_revision, max_create_revision;
	/* put */
	struct once_bytes value;
	int64_t lease;
	bool ignore_value, ignore_lease;
	/* put, delete */
	bool prev_kv;
	/* nested txn */
	const struct once_txn *txn;
};

struct once_txn {
	const struct once_compare *compares;
	size_t n_compares;
	const struct once_op *success;
	size_t n_success;
	const struct once_op *failure;
	size_t n_failure;
};

/* ---- responses ------------------------------------------------------------------------------- */

/* What is known of a mutation's effect. A read's outcome is APPLIED when it was answered. */
enum once_outcome {
	ONCE_APPLIED,	  /* a whole, valid answer arrived: the server did it (a txn: took a branch) */
	ONCE_NOT_APPLIED, /* it has not and never will: refused, or never sent */
	ONCE_UNKNOWN,	  /* it may have, or still may: settle it by the same guarded txn, not by a read */
};

struct once_kv {
	struct once_bytes key, value;
	int64_t create_revision, mod_revision, version, lease;
};

struct once_op_result {
	enum once_op_kind kind;
	const struct once_kv *kvs; /* range: the keys; put, delete: the previous ones if asked for */
	size_t n_kvs;
	int64_t count;	 /* range: all in the range; delete: how many were deleted */
	bool more;	 /* range: cut by limit */
	bool succeeded;	 /* txn: which branch */
	const struct once_op_result *results; /* txn */
	size_t n_results;
	int64_t revision; /* inside a txn: the store's, as this op saw or left it; else 0 */
};

struct once_member {
	uint64_t id;
	const char *name; /* empty: not started yet */
	const char *const *peer_urls;
	size_t n_peer_urls;
	const char *const *client_urls;
	size_t n_client_urls;
	bool is_learner;
};

enum once_alarm_kind { ONCE_ALARM_NONE, ONCE_ALARM_NOSPACE, ONCE_ALARM_CORRUPT };

struct once_alarm {
	uint64_t member;
	enum once_alarm_kind kind;
};

struct once_response {
	int error;		   /* 0 or a negative errno of the table above */
	enum once_outcome outcome;
	int http_status, grpc_code; /* 0: none */
	char message[256];	   /* for people: escaped, one line; empty without an error */
	const char *endpoint;	   /* URL that was asked */
	struct once_instant sent;  /* taken before the first byte was sent: proofs count from here */
	struct once_instant received;
	/* header; 0 when absent */
	uint64_t cluster_id, member_id;
	int64_t revision;
	uint64_t raft_term;
	/* kv calls; a single range, put or delete is op itself, a txn has op.kind ONCE_OP_TXN */
	struct once_op_result op;
	/* lease calls */
	int64_t lease;	   /* its id */
	int64_t ttl_s;	   /* granted or left; keep-alive: 0 = the lease is gone; -1 = gone (time to live) */
	int64_t granted_ttl_s;
	const int64_t *leases;
	size_t n_leases;
	const struct once_bytes *keys;
	size_t n_keys;
	/* member list */
	const struct once_member *members;
	size_t n_members;
	/* status, version */
	const char *version; /* NULL when absent */
	uint64_t leader;     /* member id; 0: no leader */
	int64_t db_size, db_size_in_use;
	uint64_t raft_index, raft_applied_index;
	bool is_learner;
	const char *const *errors; /* alarms and "no leader", as etcd words them */
	size_t n_errors;
	/* hash of the keys and their history */
	uint32_t hash;
	int64_t compact_revision; /* from which on it counts; -1: nothing was compacted */
	/* alarms that are raised */
	const struct once_alarm *alarms;
	size_t n_alarms;
};

typedef void once_done_fn(void *userdata, const struct once_response *response);

/* ---- calls ----------------------------------------------------------------------------------- */

/* One range, put or delete. *ret_call (may be NULL) is valid until the callback or the cancel. */
int once_kv(struct once_client *client, struct once_call **ret_call,
	const struct once_call_options *options, const struct once_op *op, once_done_fn *done,
	void *userdata);
int once_txn(struct once_client *client, struct once_call **ret_call,
	const struct once_call_options *options, const struct once_txn *txn, once_done_fn *done,
	void *userdata);
int once_compact(struct once_client *client, struct once_call **ret_call,
	const struct once_call_options *options, int64_t revision, bool physical, once_done_fn *done,
	void *userdata);

/* ttl_s as asked; the response's ttl_s is the one in force. lease 0: the server chooses the id. A
 * replayed grant of a chosen id answers -EEXIST: the lease exists, by the first copy. */
int once_lease_grant(struct once_client *client, struct once_call **ret_call,
	const struct once_call_options *options, int64_t ttl_s, int64_t lease, once_done_fn *done,
	void *userdata);
/* Renews once. response->ttl_s == 0: the lease is gone. Never a proof of leadership. */
int once_lease_keepalive(struct once_client *client, struct once_call **ret_call,
	const struct once_call_options *options, int64_t lease, once_done_fn *done, void *userdata);
/* A lease that is already gone is -ENOENT with outcome ONCE_APPLIED: it is revoked. */
int once_lease_revoke(struct once_client *client, struct once_call **ret_call,
	const struct once_call_options *options, int64_t lease, once_done_fn *done, void *userdata);
int once_lease_time_to_live(struct once_client *client, struct once_call **ret_call,
	const struct once_call_options *options, int64_t lease, bool keys, once_done_fn *done,
	void *userdata);
int once_lease_list(struct once_client *client, struct once_call **ret_call,
	const struct once_call_options *options, once_done_fn *done, void *userdata);

int once_status(struct once_client *client, struct once_call **ret_call,
	const struct once_call_options *options, once_done_fn *done, void *userdata);
int once_member_list(struct once_client *client, struct once_call **ret_call,
	const struct once_call_options *options, bool linearizable, once_done_fn *done, void *userdata);

/* The hash over keys, values and history up to revision (0: the latest) of the member that answers:
 * members that agree have the same. etcd 3.4 has it not on its gateway: -EBADMSG. Source: etcd's
 * HashKV. Since 0.1. */
int once_hash_kv(struct once_client *client, struct once_call **ret_call,
	const struct once_call_options *options, int64_t revision, once_done_fn *done, void *userdata);
/* response->alarms: all that are raised. Since 0.1. */
int once_alarm_list(struct once_client *client, struct once_call **ret_call,
	const struct once_call_options *options, once_done_fn *done, void *userdata);
/* Ends one alarm of one member; one that is not raised is no error. -EINVAL: no such kind. Since
 * 0.1. */
int once_alarm_disarm(struct once_client *client, struct once_call **ret_call,
	const struct once_call_options *options, const struct once_alarm *alarm, once_done_fn *done,
	void *userdata);

/* A txn whose guard is false must come back without success, and a true one with it; anything else
 * means that this client and this server do not understand each other, and no guard protects:
 * -EBADMSG. key is never written. */
int once_self_test(struct once_client *client, struct once_call **ret_call,
	const struct once_call_options *options, struct once_bytes key, once_done_fn *done,
	void *userdata);

/* Forgets the call; the callback will not come. What was sent may still be applied. NULL is fine;
 * returns NULL. */
struct once_call *once_call_cancel(struct once_call *call);

/* Every key of a range at one revision, in key order: rows() is called with as many as have come, and
 * at the end of each page of so many keys once more, perhaps without keys, but with op.count, which is
 * what the range still held when the page began, and op.more; then done() once, with an empty op.
 * Memory holds a part of a page, whatever its size. A compaction in between is -ESTALE. rows()
 * returning non-zero ends it with that code. page 0: 1000 keys; etcd counts the rest of the range for
 * each page, so a large range wants large ones. Source: etcd's RangeRequest.limit. Since 0.1. */
typedef int once_rows_fn(void *userdata, const struct once_response *page);
int once_range_pages(struct once_client *client, struct once_call **ret_call,
	const struct once_call_options *options, const struct once_op *op, int64_t page,
	once_rows_fn *rows, once_done_fn *done, void *userdata);

/* ---- watch ----------------------------------------------------------------------------------- */

struct once_watch_range {
	struct once_bytes key, range_end;
	bool prev_kv, no_put, no_delete;
};

struct once_watch_config {
	const struct once_watch_range *ranges; /* carried by one stream; copied */
	size_t n_ranges;
	int64_t start_revision; /* first revision wanted; 0: from now */
	bool progress_notify;
	int64_t silence_ns; /* nothing heard for this long: the stream is moved to another endpoint;
			       0: never (then a stopped member is not noticed) */
};

enum once_event_kind { ONCE_EVENT_PUT, ONCE_EVENT_DELETE };

struct once_event {
	enum once_event_kind kind;
	struct once_kv kv;
	bool has_prev;
	struct once_kv prev;
};

enum once_watch_note {
	ONCE_WATCH_STARTED,   /* the server confirmed every range; also after each resume */
	ONCE_WATCH_EVENTS,    /* events of one or more whole revisions, in order, none twice */
	ONCE_WATCH_PROGRESS,  /* nothing happened up to revision */
	ONCE_WATCH_BROKEN,    /* the stream broke; it resumes by itself after the last event */
	ONCE_WATCH_COMPACTED, /* end: the revision to resume from is gone; list and watch anew */
	ONCE_WATCH_FAILED,    /* end: refused for good; error and message say why */
};

struct once_watch_report {
	enum once_watch_note note;
	const struct once_event *events;
	size_t n_events;
	int64_t revision;	  /* of the answer's header; COMPACTED: the compact revision */
	uint64_t cluster_id, member_id; /* of the header; 0: not told */
	uint64_t raft_term;
	struct once_instant received;
	int error;
	const char *message;
};

typedef void once_watch_fn(void *userdata, const struct once_watch_report *report);

/* Sent with the header that makes a member without a leader end the stream. After COMPACTED or
 * FAILED the watch is over and freed; before, once_watch_cancel() ends it. */
int once_watch_start(struct once_client *client, struct once_watch **ret_watch,
	const struct once_watch_config *config, once_watch_fn *fn, void *userdata);
struct once_watch *once_watch_cancel(struct once_watch *watch);

/* ---- helpers --------------------------------------------------------------------------------- */

/* Writes the range_end of the prefix key into out (at least key.size bytes, at least 1) and returns
 * its size. An empty key or all 0xff: the single NUL byte, "to the end". */
size_t once_prefix_end(struct once_bytes key, void *out);

/* "not authenticated", for any negative errno of the table. Never NULL. */
const char *once_strerror(int error);

#ifdef __cplusplus
}
#endif

#endif
