/* Inside a node: what its electors share. node.c (life, who is there, the test of the guard, requests that
 * wait for their turn), lease.c, look.c (lists and the watch), beats.c (shards), register.c (its name),
 * spread.c (who bids first).
 *
 * An elector made by once_elector_new() has a node of its own, which is not `shared`: it does at once what it is
 * asked for, and sends just what that elector needs. */
#ifndef ELECT_NODE_H
#define ELECT_NODE_H

#include "base/list.h"
#include "core/election.h"

#include <once/elect.h>

#define HASH_FUNCTION HASH_SAX /* the default one falls through its cases without a word */
#define HASH_NONFATAL_OOM 1 /* then what was added has no table */
#include <uthash.h>

enum {
	NODE_CALLS_MAX = 6,  /* acquires, seizures and releases on their way at once */
	NODE_ENDING_MAX = 64, /* and releases of electors that end, which have 2 R for it */
	SHARD_GROUPS = 60,   /* two compares each in one txn of at most 128 */
};

#define SPREAD_SETTLE_MAX (3 * ONCE_NSEC_PER_SEC) /* nobody waits longer for others to appear */

struct shard;
struct peer;

/* A grant or a keep-alive, and the electors that wait for it. */
struct lease_call {
	struct once_call *call;
	struct list askers;
};

struct once_node {
	struct once_client *client; /* borrowed */
	struct once_loop *loop;	    /* borrowed */
	struct once_timing timing;
	char *name, *address, *prefix, *key; /* owned, as what follows */
	char *leaders;	    /* key + "/": below are the leader keys of the named groups */
	char *groups;	    /* prefix + "/g/" */
	char *beats;	    /* prefix + "/beat/" */
	char *names;	    /* prefix + "/nodes/" */
	char *registration; /* this node's under it */
	uint64_t incarnation;
	bool shared;
	bool suspended; /* its electors are */

	struct list electors;
	struct once_elector *by_key, *by_group;
	unsigned depth; /* of calls into electors: what is freed meanwhile is freed afterwards */
	bool gone;

	struct once_timer *timer; /* owned: the next turn of what is to be done at once */
	struct once_timer *test_timer;
	struct once_call *self_test; /* before the first write; NULL: passed or not yet asked */
	bool tested, testing;
	struct once_instant unreachable_at; /* last time it was said that etcd does not answer */
	struct once_instant failed_at;
	bool unreachable;
	bool partly;	     /* it was a refusal, which other requests may not meet */
	bool needs_somebody; /* what was said last does not mend itself */

	struct {
		int64_t id, ttl;
		int64_t dead;		     /* the one before, known to be gone */
		int64_t revoked;	     /* of an earlier process */
		int64_t asked;		     /* the one that the keep-alive on its way is for */
		struct once_instant renewed; /* when the last good grant or keep-alive was sent */
		struct lease_call grant, keepalive;
	} lease;

	struct once_call *register_call;
	struct once_timer *register_timer;
	int64_t registering; /* the lease that is to carry the registration */
	int64_t asked_lease; /* the lease that the request on its way would put it on */
	int64_t registered;  /* the lease that does */
	uint64_t twin;	     /* incarnation that is registered under our name; 0: none */
	struct once_instant twin_seen;

	struct {
		struct once_call *call;
		struct list askers, flying; /* electors: will be in the next one, are in this one */
		bool rewatch;		    /* the one on its way is to bring a new stream */
		bool due;		    /* a new one is wanted at once, whoever asks */
		struct once_timer *timer;
		struct once_instant asked;
	} list;
	struct once_watch *watch;
	int64_t watch_revision; /* up to which everything is known */
	bool watch_beats;	/* whether the stream carries the beats of others */
	struct once_instant heard; /* the stream brought something */
	bool watch_due;		/* a list asked for a new stream, from watch_revision on */
	struct once_call *orphan; /* a key of ours that has no elector is being deleted */

	uint64_t beat_number; /* of the last beat of this incarnation */
	struct list shards;
	unsigned n_shards;
	struct list telling; /* beats whose electors are being told */

	struct list waiting_releases, waiting; /* electors whose request waits for its turn */
	unsigned n_calls, calls_max; /* on their way; fewer at once while answers do not come in time */

	struct list peers; /* struct peer: who is registered */
	bool peers_known, settled;
	bool plan_due; /* who bids first may have changed */
	struct once_instant known_at, peer_at, settled_at, planned;
	struct once_timer *settle_timer;
};

/* node.c */
void node_enter(struct once_node *n);
void node_leave(struct once_node *n);
void node_turn(struct once_node *n);
void node_test(struct once_node *n);
bool node_alone(const struct once_elector *e);
void node_quiet(struct once_node *n);
void node_suspend(struct once_node *n);
void node_answered(struct once_node *n, const struct once_response *response);
struct once_elector *node_by_key(struct once_node *n, struct once_bytes key);
struct once_elector *node_by_group(struct once_node *n, struct once_bytes key);
bool node_call_waits(struct once_elector *e, const struct election_action *action);
void node_call_ended(struct once_node *n);
void node_call_answered(struct once_node *n, bool in_time);
struct once_elector *node_speaker(struct once_node *n);
struct once_elector *node_any(struct once_node *n);
struct once_node *node_new_lone(struct once_client *client, struct once_loop *loop,
	const struct once_elector_config *config);

/* lease.c */
int lease_perform(struct once_elector *e, const struct election_action *action);
void lease_refused(struct once_node *n, int64_t lease);
void lease_cancel(struct once_node *n);

/* look.c */
int look_list(struct once_elector *e, const struct election_action *action);
void look_turn(struct once_node *n);
int look_watch(struct once_node *n, bool beats);
void look_cancel(struct once_node *n);

/* beats.c */
int shard_join(struct once_elector *e);
void shard_leave(struct once_elector *e);
int shard_beat(struct once_elector *e, const struct election_action *action);
void shards_turn(struct once_node *n);
void shards_cancel(struct once_node *n);
void shards_free(struct once_node *n);

/* register.c */
int register_init(struct once_node *n);
void register_fini(struct once_node *n);
void register_check(struct once_elector *e);

/* spread.c */
int spread_init(struct once_node *n);
void spread_stop(struct once_node *n);
void spread_fini(struct once_node *n);
void spread_listed(struct once_node *n, const struct once_op_result *names);
void spread_seen(struct once_node *n, const struct once_event *event);
void spread_turn(struct once_node *n);
uint64_t spread_weight(struct once_bytes node, const char *group);

#endif
