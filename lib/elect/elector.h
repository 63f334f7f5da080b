/* Inside the elector: one struct, shared by elector.c (life, stepping, words), perform.c (the core's
 * actions as etcd calls), view.c (etcd's answers as the core's view) and recorder.c (its events, kept). */
#ifndef ELECT_ELECTOR_H
#define ELECT_ELECTOR_H

#include "core/election.h"
#include "core/ring.h"
#include "elect/keys.h"

#include <once/elect.h>

enum { ELECTOR_FLIGHTS_MAX = 8 };

/* One call to etcd on its way for one operation of the core. */
struct flight {
	struct once_elector *elector;
	struct once_call *call; /* NULL: the slot is free */
	struct election_action action;
};

struct once_elector {
	struct once_client *client; /* borrowed */
	struct once_loop *loop;	    /* borrowed */
	struct once_elector_callbacks callbacks;
	void *userdata;
	char *value, *node, *address; /* owned */
	struct once_timing timing;
	struct keys keys;
	struct election core;
	struct event_ring *ring; /* owned; NULL: nothing is recorded */
	size_t ring_size;
	struct election_recovered recovered;

	struct once_timer *timer; /* owned: the core's next tick, or what was asked from outside */
	struct flight flights[ELECTOR_FLIGHTS_MAX];
	struct once_timer *test_timer;
	struct once_call *self_test; /* before the first write; NULL: passed or not yet asked */
	bool started, tested;
	struct election_action held; /* the first write, until the guard is tested; kind 0: none */

	struct once_call *register_call;
	struct once_timer *register_timer;
	int64_t registering;	  /* the lease that is to carry the registration */
	int64_t asked_lease;	  /* the lease that the request on its way would put it on */
	int64_t registered;	  /* the lease that does */
	uint64_t twin;		  /* incarnation that is registered under our name; 0: none */
	struct once_instant twin_seen;
	int error; /* why it ends, if not because it was told to */

	struct once_watch *watch;
	int64_t watch_revision; /* up to which everything is known */
	bool watch_beats;	/* whether the stream carries the beats of others */
	bool watch_due;		/* a list asked for a new stream, from watch_revision on */

	uint64_t beats; /* number of the last beat of this incarnation */
	struct keys_epoch epoch;
	char asked_beat[sizeof(((struct keys_epoch *)0)->beat)]; /* key the acquire on its way ranges */
	char leader[128];	 /* escaped value of the leader key */
	char reserve_to[65];	 /* whom a resignation names; empty: nobody */
	bool ask_start, ask_stop, ask_resign, ask_dead; /* asked from outside, for the next turn of the loop */
	bool ask_relist; /* the stream is to carry the beats again: from a list on */
	bool relisting;	 /* that list was asked for */
	struct election_action refused[ELECTOR_FLIGHTS_MAX]; /* could not be started: to be answered */
	unsigned n_refused;
	enum once_elector_state state;
	char told_leader[128];
	struct once_instant unreachable_at; /* last time it was said that etcd does not answer */
	bool unreachable;
	bool *freed; /* set by free during a step */
};

/* perform.c */
int elector_perform(struct once_elector *e, const struct election_action *action);
void elector_cancel_flights(struct once_elector *e);
int elector_watch(struct once_elector *e, bool beats);

/* register.c */
int register_init(struct once_elector *e);
void register_fini(struct once_elector *e);
void register_check(struct once_elector *e);

/* view.c */
void view_from_results(struct once_elector *e, struct election_view *ret,
	const struct once_op_result *results, size_t n);
void view_acquired(struct once_elector *e, struct election_view *ret,
	const struct once_op_result *results, size_t n);
bool view_seen(struct once_elector *e, struct election_event *ret, const struct once_event *event);

/* recorder.c: what goes wrong there is nobody's problem but a later reader's */
void recorder_init(struct once_elector *e);
void recorder_fini(struct once_elector *e);

/* elector.c */
void elector_step(struct once_elector *e, struct election_event *event);
void elector_say(struct once_elector *e, enum once_log_level level, const char *event,
	const char *format, ...) __attribute__((format(printf, 4, 5)));
void elector_answered(struct once_elector *e, const struct once_response *response);

#endif
