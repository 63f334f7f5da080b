/* What the files of the client share. Ownership: client > {generations, calls, watches, login,
 * look for the leader, transport}; every pointer up is borrowed. */
#ifndef ETCD_INTERNAL_H
#define ETCD_INTERNAL_H

#include "base/list.h"
#include "etcd/codec.h"
#include "etcd/transport.h"
#include <once/client.h>

enum {
	ANSWER_CONTROL_MAX = 4 << 20,
	ANSWER_BULK_MAX = 64 << 20,
};

struct endpoint {
	char *url;	    /* owned: scheme://host:port */
	uint64_t member_id; /* learned from its answers; 0: not yet */
};

/* All that is open to one endpoint, with the calls that wait for an answer there. */
struct client_gen {
	struct list in_client; /* of the current or of the retired */
	struct once_client *client;
	struct transport_gen *transport; /* owned */
	size_t endpoint;
	struct list calls;
	struct once_instant since;
	unsigned int bulk_misses;
	int http_version; /* of its control lane; 0: nothing answered yet */
};

/* Waits for the token. fn() must not call out of the client. */
struct auth_waiter {
	struct list in_auth;
	void (*fn)(struct auth_waiter *waiter, int error, const char *message);
};

struct auth {
	char *user, *password; /* owned, zeroed */
	char *header;	       /* owned, zeroed: "Authorization: ..."; NULL: no token */
	uint64_t serial;       /* of the token */
	bool off;	       /* the server says that it has no authentication */
	struct once_call *login;
	struct list waiters;
};

struct leader {
	bool wanted;
	struct once_timer *timer;
	bool waiting; /* for the timer */
	struct once_call *call;
	struct once_instant looked_at;
	uint64_t id;
};

struct once_client {
	struct once_loop *loop;
	struct transport *transport;
	struct endpoint *endpoints;
	size_t n_endpoints, current;
	int64_t request_timeout_ns;
	const struct once_client_listener *listener;
	void *userdata;
	struct client_gen *gen; /* NULL: none open */
	struct list retired;	/* generations that are left and still owe answers */
	struct list calls, watches;
	struct list notes; /* for the listener */
	struct once_timer *note_timer;
	size_t refusals; /* attempts that reached nobody, since the last answer */
	int64_t backoff_ns;
	struct once_instant backoff_since;
	struct once_lineage history;
	bool guarded; /* revisions must not go back */
	struct once_lineage
		disowned; /* the latest that was not believed, not yet told; cluster_id 0: none */
	uint64_t raft_term;
	struct auth auth;
	struct leader leader;
};

/* ---- client.c -------------------------------------------------------------------------------- */

/* once_client_new() on a given transport, which is the client's from now on and freed when this fails;
 * NULL: libcurl. */
int client_new_on(struct once_client **ret, struct once_loop *loop,
	const struct once_client_config *config, const struct once_client_listener *listener,
	void *userdata, const char **ret_message, struct transport *transport);
/* The generation to use now. 0 or -ENOMEM. */
int client_gen(struct once_client *client, struct client_gen **ret);
/* How long nobody should try to connect; 0: go ahead. */
int64_t client_pause_ns(const struct once_client *client);
/* What an exchange's end says of its endpoint; gen may be freed by it. */
void client_note_failure(
	struct client_gen *gen, enum transport_lane lane, const struct transport_result *result);
void client_note_answer(struct client_gen *gen, enum transport_lane lane, int http_version);
/* Leaves gen for the endpoint, if it is the current one. Calls in flight stay and end by
 * themselves; watches move. gen may be freed by it. */
void client_retire(struct client_gen *gen, size_t endpoint, const char *why);
size_t client_next(const struct once_client *client);
/* A call is gone from gen: a retired generation ends with its last one. */
void client_gen_unused(struct client_gen *gen);
/* False: an answer of another history than the one known. since: the revision known when it was sent; 0: what this
 * call's answers say of it proves nothing. Pins the first cluster. */
bool client_believes(
	struct once_client *client, uint64_t cluster_id, int64_t revision, int64_t since);
void client_note_header(struct client_gen *gen, uint64_t member_id, uint64_t raft_term);

/* ---- endpoint.c ------------------------------------------------------------------------------ */

/* The messages are the calling thread's. */
__attribute__((format(printf, 2, 3))) void client_say(
	const char **ret_message, const char *format, ...);
int endpoint_parse(
	char **ret_url, const char *text, bool tls, bool allow_plaintext, const char **ret_message);
/* Whether both name the same place. b may be any URL. */
bool endpoint_same(const char *url, const char *b);

/* ---- call.c ---------------------------------------------------------------------------------- */

/* What every call that an owner can cancel begins with. */
struct once_call {
	struct list in_client;
	struct once_client *client;
	void (*free)(struct once_call *call);
};

void call_init(struct once_call *call, struct once_client *client,
	void (*free_fn)(struct once_call *call));
void call_fini(struct once_call *call);

enum {
	CALL_STALE = 1,	 /* may be answered without a leader */
	CALL_LOGIN = 2,	 /* needs no token */
	CALL_LINEAR = 4, /* the answer's revision is at least that of all answers before */
};

/* Takes what the request owns, also on failure. */
int call_start(struct once_client *client, struct once_call **ret,
	const struct once_call_options *options, struct codec_request *request, int flags,
	once_done_fn *done, void *userdata);
/* Keys of a part of the answer; the call's last touch of everything. */
typedef void call_part_fn(void *userdata, const struct once_response *part);
/* For a range that was just begun: its keys are told as they come, and done() is called without them.
 * 0 or -ENOMEM. */
int call_in_parts(struct once_call *call, call_part_fn *part);
/* gen is thrown away: what was sent ends as unknown, the rest goes elsewhere. */
void call_cut(struct list *in_gen, const char *why);

/* ---- auth.c ---------------------------------------------------------------------------------- */

int auth_init(struct auth *auth, const char *user, const char *password);
void auth_fini(struct auth *auth);
/* Other credentials for the logins from now on, and for whoever waits for one; the same: the token
 * stays. -ENOMEM: nothing changed. */
int auth_change(struct auth *auth, const char *user, const char *password);
bool auth_ready(const struct auth *auth);
/* Logs in unless that is under way; the waiter hears of it later. */
int auth_wait(struct once_client *client, struct auth_waiter *waiter);
/* The token of that serial was refused. */
void auth_refused(struct auth *auth, uint64_t serial);

/* ---- leader.c -------------------------------------------------------------------------------- */

int leader_init(struct once_client *client, bool wanted);
void leader_fini(struct once_client *client);
/* Something may have changed: look, soon. */
void leader_poke(struct once_client *client);

/* ---- watch.c --------------------------------------------------------------------------------- */

/* Its generation is left. */
void watch_move(struct once_watch *watch, const struct client_gen *gen, const char *why);
struct once_watch *watch_of(struct list *in_client);

#endif
