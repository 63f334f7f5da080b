/* What of the agent can be seen from outside: facts, the server that shows them, and what it reads for that.
 * The agent tells it what happens; without Listen= every call here does nothing. */
#ifndef ONCED_WINDOW_H
#define ONCED_WINDOW_H

#include "daemon/facts.h"
#include "daemon/look.h"
#include "daemon/web.h"

struct window_owner {
	void *userdata;
	/* Somebody is about to read: window_seen() for every group. */
	void (*refresh)(void *userdata);
};

struct window {
	bool open;
	struct facts facts;
	struct web *web;
	struct look *look;
	struct window_owner owner;
	bool logs; /* hears the log */
};

/* All borrowed until window_fini(). -ENOMEM. */
int window_init(struct window *w, const struct config *config, struct once_client *client,
	struct once_loop *loop, const struct window_owner *owner);
void window_fini(struct window *w);

/* The default group, or another one that is shown from now on until window_group_gone(), for the calls below.
 * NULL: nobody can look, or no memory is left for it; they take that, and do nothing. */
struct facts_group *window_group(struct window *w, const char *name);
void window_group_gone(struct window *w, struct facts_group *g);

/* leader_token: of the term last seen, 0: none. beat_seen: when a beat of it was, zero: never. */
void window_state(struct window *w, struct facts_group *g, enum once_elector_state state,
	const char *leader, int64_t token, int64_t leader_token);
void window_seen(struct window *w, struct facts_group *g, int64_t leader_token,
	struct once_instant beat_seen);
void window_proof(
	struct window *w, struct facts_group *g, int64_t token, struct once_instant proved);
void window_lead(struct window *w, struct facts_group *g);
void window_stop(struct window *w, struct facts_group *g, enum once_stop_reason reason);
void window_fenced(struct window *w, struct facts_group *g);
void window_event(struct window *w, const char *event);
/* As facts_alarm(). */
void window_alarm(struct window *w, const struct once_lineage *knew);
void window_ran(struct window *w, const char *job, const char *item, const struct once_run *run);
void window_reload(struct window *w, const struct config *config);
void window_restarts(struct window *w, uint32_t restarts);
/* The daemon is about to end. */
void window_ending(struct window *w);

#endif
