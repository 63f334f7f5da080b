/* Words to the service manager (sd_notify(3)) and its watchdog, without allocation.
 *
 * The watchdog is fed when the agent says it is alive, never by a timer: a feed can then not be
 * older than the life it vouches for, and an idle daemon is not woken for it. */
#ifndef ONCED_NOTIFY_H
#define ONCED_NOTIFY_H

#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

struct notify {
	int fd; /* -1: no service manager listens */
	socklen_t address_size;
	struct sockaddr_un address;
	int64_t watchdog_ns; /* 0: none wanted of this process */
};

/* Reads and removes NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID, so that no child inherits them.
 */
void notify_init(struct notify *n);
void notify_fini(struct notify *n);

/* Sends lines as they are; never blocks; 0 also when nobody listens. */
int notify_send(const struct notify *n, const char *text);

#endif
