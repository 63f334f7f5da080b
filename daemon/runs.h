/* The runs that are alive, and what the agent is still to be told about them.
 *
 * Nothing is queued: every run remembers which packets it owes, and they are sent as the link takes
 * them. A slot is free again when its tree is proven empty and the agent knows. */
#ifndef ONCED_RUNS_H
#define ONCED_RUNS_H

#include "deadline.h"
#include "link.h"
#include "slice.h"
#include "spawn.h"
#include "tree.h"
#include <poll.h>

enum run_owes {
	RUN_OWES_STARTED = 1,
	RUN_OWES_ENDED = 2,
	RUN_OWES_TIMEOUT = 4, /* EMPTY{-ETIMEDOUT} */
	RUN_OWES_EMPTY = 8,   /* EMPTY{0} or, never started, REFUSED */
};

struct run {
	bool used;
	bool started, ended; /* STARTED, ENDED were decided on */
	bool told;	     /* it ended after one of the next two */
	bool stopping;	     /* SIGTERM went out */
	bool killed;
	bool timed_out;
	bool empty; /* proven */
	uint8_t owes;
	int error; /* refused with */
	char what[16];
	uint64_t id;
	int64_t token;
	struct deadline *deadline;
	int report_fd;
	int status;
	int64_t kill_at_ns; /* CLOCK_BOOTTIME; 0: no kill is due */
	int64_t killed_at_ns;
	struct rusage usage;
	struct tree_run tree;
	const char *slice; /* of the unit that it has started, borrowed; NULL: none */
};

struct runs {
	struct tree *tree;
	struct slices slices;
	struct rlimit nofile;
	unsigned high; /* slots at and above are unused */
	unsigned live; /* not proven empty */
	bool hurry;    /* no grace for anybody any more */
	struct run slot[LINK_RUNS_MAX];
};

/* Checks and starts. slice: of packet->slice what outlives the run, or NULL. `arm` is called before the process exists, for the fuse to cover it. Negative
 * errno with *ret_what when refused at once; the answer of a started one comes by runs_flush(). */
int runs_launch(struct runs *runs, struct deadline *deadline, const struct link_launch *packet,
	size_t size, const char *slice, const int fds[LINK_FDS_MAX], void (*arm)(void *arg), void *arg,
	const char **ret_what);

/* run 0: all of the group. */
void runs_stop(
	struct runs *runs, uint32_t group, uint64_t run, int64_t grace_ns, struct once_instant now);

/* All of the deadline's runs with a token other than keep_token; -1 keeps none. */
void runs_kill_group(struct runs *runs, const struct deadline *deadline, int64_t keep_token,
	struct once_instant now);
void runs_kill_all(struct runs *runs, struct once_instant now);

/* A child was waited for. False: it is none of ours. */
bool runs_on_reaped(struct runs *runs, pid_t pid, int status, const struct rusage *usage);
bool runs_is_known(const struct runs *runs, pid_t pid);

/* Reads reports, kills what is due, finds out who is empty. */
void runs_advance(struct runs *runs, struct once_instant now);

/* In how many nanoseconds runs_advance() has something to do; DEADLINE_NEVER. */
int64_t runs_next_wake(const struct runs *runs, struct once_instant now);

/* Fills pfds (room for 2 * LINK_RUNS_MAX) with what to wait for; the number of them. */
unsigned runs_poll(const struct runs *runs, struct pollfd *pfds);

/* Tells the agent what is owed. fd -1: there is none, nothing is owed. -EAGAIN: more later. */
int runs_flush(struct runs *runs, int fd);

#endif
