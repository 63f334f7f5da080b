/* The keeper: a process that outlives the guardian by the moment it takes to kill what that left.
 *
 * PDEATHSIG reaches a run's first process only. What that forked dies with the guardian too,
 * because somebody waits for the guardian's end: over a subreaper's run its init (spawn-init.c),
 * over a cgroup this one process. Both are woken by SIGCONT, which the kernel sends them when the
 * guardian dies, however it died: it continues them even when they were stopped along with
 * everything else.
 *
 * What ends the keeper and the guardian in one instant leaves forked processes of runs that are not
 * isolated alive, until the instance starts again. The keeper's name does not begin with "onced",
 * for `pkill onced` to spare it. */
#ifndef ONCED_KEEPER_H
#define ONCED_KEEPER_H

#include "slice.h"
#include "tree.h"
#include <sys/types.h>

/* What it is over, all borrowed. */
struct keeper_of {
	const struct tree *tree;
	const struct slices *slices;
	int lock_fd; /* names the slices that are in use; -1: none are */
	uint64_t incarnation;
};

/* Forks it. Its pid, to be reaped by the caller, or negative errno. */
pid_t keeper_fork(const struct keeper_of *of);

/* Ends it when there is nothing for it to do, and reaps it. pid 0: no effect. */
void keeper_end(pid_t pid);

#endif
