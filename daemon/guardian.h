/* The guardian: the daemon's main process, parent of the agent and of every job, holder of
 * deadlines.
 *
 * It does no network and no JSON, allocates nothing after start and sleeps without a wakeup while
 * nothing lives. What it and the agent say to each other is in link.h. */
#ifndef ONCED_GUARDIAN_H
#define ONCED_GUARDIAN_H

#include "link.h"

/* Becomes the guardian and returns the daemon's exit code when all is over. agent_main runs in a
 * forked child (the image is shared, so a new agent costs no exec) with the agent's end of the
 * link, blocking and close-on-exec, and the shared page, read-only; its return value is its exit
 * code. In it SIGTERM, SIGINT, SIGHUP and SIGUSR1 are ignored: they come as LINK_SIGNAL.
 * NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID are gone from the environment: LINK_NOTIFY and
 * link_welcome's watchdog_ns stand for them. To be called from the only thread, before anything
 * else has children.
 *
 * page->extends_seen counts every well-formed EXTEND that was handled, ignored stale ones too: it
 * tells that the guardian runs. */
int guardian_run(
	int (*agent_main)(int link_fd, const struct link_page *page, void *arg), void *arg);

/* For tests: how trees are held, instead of the best way that works. Before guardian_run(). */
void guardian_force_contain(enum link_contain contain);

#endif
