/* Inside the elector: one struct, shared by elector.c (life, stepping), notes.c (words), perform.c (the core's
 * actions as etcd calls), view.c (etcd's answers as the core's view) and recorder.c (its events, kept). What
 * it has in common with other groups of its node is in node.h. */
#ifndef ELECT_ELECTOR_H
#define ELECT_ELECTOR_H

#include "core/election.h"
#include "core/ring.h"
#include "elect/keys.h"
#include "elect/node.h"

#include <once/elect.h>

enum { ELECTOR_FLIGHTS_MAX = 8 };

/* One call to etcd on its way for one operation of the core. */
struct flight {
	struct once_elector *elector;
	struct once_call *call; /* NULL: the slot is free */
	struct election_action action;
	bool counted; /* among the node's calls */
};

struct once_elector {
	struct once_node *node; /* its own, if not shared */
	struct list in_node;
	UT_hash_handle hh_key, hh_group;
	struct once_loop *loop; /* the node's */
	struct once_elector_callbacks callbacks;
	void *userdata;
	char *value, *group; /* owned */
	struct once_timing timing;
	struct keys keys;
	struct election core;
	struct event_ring *ring; /* owned; NULL: nothing is recorded */
	size_t ring_size;
	struct election_recovered recovered;

	struct once_timer *timer; /* owned: the core's next tick, or what was asked from outside */
	struct flight flights[ELECTOR_FLIGHTS_MAX];
	bool started, gone; /* gone: freed, but somebody goes through the node's electors */
	struct election_action held; /* the first write, until the guard is tested; kind 0: none */
	int error; /* why it ends, if not because it was told to */

	/* its part in what the node does for all */
	struct list in_lease; /* waits for a grant or a keep-alive */
	uint32_t lease_op;
	int64_t given; /* the node's lease, as this elector knows it */
	struct list in_list; /* waits for a list */
	bool wants_stream, listing; /* listing: the list on its way is for it, too */
	struct election_view listed;
	bool named;	       /* its beats are a shard's; else it beats alone, into its own key */
	struct shard *shard;   /* NULL: it has never bid yet */
	struct list in_shard;  /* its beat waits for the shard's */
	struct election_action beat;
	struct list in_waiting; /* its request waits for its turn */
	struct election_action waiting;
	struct peer *last; /* who led it last; while the plan is made */
	struct once_call *abandon;
	struct once_instant abandoned;

	struct keys_epoch epoch;
	char asked_beat[sizeof(((struct keys_epoch *)0)->beat)]; /* key the acquire on its way ranges */
	char leader[128];	 /* escaped value of the leader key */
	char reserve_to[65];	 /* whom a resignation names; empty: nobody */
	int64_t stay_away_ns;	 /* with ask_resign; 0: not asked */
	bool ask_start, ask_stop, ask_resign, ask_dead; /* asked from outside, for the next turn of the loop */
	bool ask_suspend, ask_resume;
	bool ask_relist; /* the stream is to carry the beats again: from a list on */
	bool relisting;	 /* that list was asked for */
	struct election_event owed[ELECTOR_FLIGHTS_MAX]; /* answers that nobody else gives */
	unsigned n_owed;
	enum once_elector_state state;
	char told_leader[128];
	bool *freed; /* set by free during a step */
};

/* perform.c */
int elector_perform(struct once_elector *e, const struct election_action *action);
void elector_do(struct once_elector *e, const struct election_action *action);
void elector_cancel_flights(struct once_elector *e);
void elector_reply(struct election_event *ret, uint32_t op, const struct once_response *response);
void elector_abandon(struct once_elector *e);

/* view.c */
void view_begin(struct once_elector *e, struct election_view *ret);
void view_add(struct once_elector *e, struct election_view *view, const struct once_kv *kv);
void view_add_beat(struct once_elector *e, struct election_view *view,
	const struct once_op_result *beats);
bool view_has_beat(const struct once_elector *e, struct once_bytes key);
void view_from_results(struct once_elector *e, struct election_view *ret,
	const struct once_op_result *results, size_t n);
void view_acquired(struct once_elector *e, struct election_view *ret,
	const struct once_op_result *results, size_t n);
bool view_seen(struct once_elector *e, struct election_event *ret, const struct once_event *event);

/* recorder.c: what goes wrong there is nobody's problem but a later reader's */
void recorder_init(struct once_elector *e);
void recorder_fini(struct once_elector *e);

/* notes.c */
void elector_note(struct once_elector *e, const struct election_action *a);

/* elector.c */
void elector_step(struct once_elector *e, struct election_event *event);
void elector_owe(struct once_elector *e, const struct election_event *event);
void elector_tested(struct once_elector *e);
void elector_destroy(struct once_elector *e);
int elector_config_check(const struct once_elector_config *config, char *message, size_t size);
void elector_say(struct once_elector *e, enum once_log_level level, const char *event,
	const char *format, ...) __attribute__((format(printf, 4, 5)));

#endif
