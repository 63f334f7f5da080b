/* The guardian's state, shared by its four files: guardian.c (life: start, loop, timers, end),
 * guardian-agent.c (the agent's life and the signals), guardian-link.c (packets), guardian-lock.c
 * (the instance). */
#ifndef ONCED_GUARDIAN_INTERNAL_H
#define ONCED_GUARDIAN_INTERNAL_H

#include "deadline.h"
#include "link.h"
#include "log.h"
#include "notify.h"
#include "runs.h"
#include "tree.h"
#include <time.h>

enum { SIGNALS = 4 };

struct guardian {
	int (*agent_main)(int link_fd, const struct link_page *page, void *arg);
	void *arg;
	struct link_page *page; /* owned, shared with the agent */

	int signal_fd, timer_fd, lock_fd, link_fd; /* link_fd -1: no agent */
	timer_t fuse;
	bool fuse_lit, timer_set;

	pid_t agent;	     /* 0: none */
	pid_t keeper;	     /* 0: none yet; -1: there can be none */
	bool ever_welcomed;  /* an agent got past HELLO without error */
	bool agent_welcomed; /* the present one did */
	bool memory_held;
	uint32_t restarts;
	unsigned quick_deaths; /* in a row */
	int keeper_error;      /* as fork_error, of the keeper */
	int fork_error;	       /* why there is no agent, as it was said; 0: nothing was */
	int64_t agent_started_ns, agent_retry_ns;

	char instance[LINK_NAME_MAX];
	uint64_t incarnation, proven; /* as in WELCOME */
	bool led; /* an agent of this guardian had a term of its own */

	bool quitting, done;
	int code;
	int64_t prove_until_ns, leave_until_ns; /* while quitting */

	uint32_t signal_count[SIGNALS], signal_told[SIGNALS];
	bool owe_welcome, owe_refused, link_full;
	struct link_welcome welcome;
	struct link_refused refused;

	struct notify notify;
	struct tree tree;
	struct runs runs;
	struct deadlines deadlines;
};

/* guardian.c */
void guardian_arm(struct guardian *g);
void guardian_quit(struct guardian *g, int code);
/* Behind the text of a negative errno: which limits are meant, if any. */
const char *guardian_limit_text(int error);

/* guardian-agent.c */
extern const int guardian_signals[SIGNALS];
int agent_fork(struct guardian *g);
void agent_on_signals(struct guardian *g);
void agent_advance(struct guardian *g, struct once_instant now);
int64_t agent_next_wake(const struct guardian *g, struct once_instant now);

/* guardian-lock.c */
int lock_open_instance(struct guardian *g, const struct link_hello *hello);
void lock_before_work(struct guardian *g);
/* Before the slice's gate is opened: whoever comes after this guardian must know of it. *ret is the name, for
 * as long as the guardian lives. Negative errno: there is no knowing. */
int lock_before_slice(struct guardian *g, const char *name, const char **ret);
void lock_last_word(struct guardian *g);

/* guardian-link.c */
void link_serve(struct guardian *g);
void link_drain_dead(struct guardian *g);
void link_flush(struct guardian *g);

#endif
