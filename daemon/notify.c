/* Datagrams to $NOTIFY_SOCKET. See notify.h.
 *
 * Failures: a socket address that cannot be used is taken as "no service manager"; a full queue
 * loses the text, because a guardian that waits for its service manager guards nothing. */
#include "notify.h"
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void take_socket(struct notify *n, const char *path)
{
	size_t size = path ? strlen(path) : 0;

	if (size < 2 || (path[0] != '/' && path[0] != '@') || size >= sizeof(n->address.sun_path))
		return;
	n->address.sun_family = AF_UNIX;
	memcpy(n->address.sun_path, path, size);
	if (path[0] == '@')
		n->address.sun_path[0] = '\0';
	/* An abstract name has no end but its length. */
	n->address_size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size +
				      (path[0] == '@' ? 0 : 1));
	n->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

static void take_watchdog(struct notify *n, const char *usec, const char *pid)
{
	char *end;
	long long value;

	if (!usec || (pid && strtoll(pid, NULL, 10) != getpid()))
		return;
	errno = 0;
	value = strtoll(usec, &end, 10);
	if (errno || end == usec || *end || value <= 0 || value > INT64_MAX / 1000)
		return;
	n->watchdog_ns = value * 1000;
}

void notify_init(struct notify *n)
{
	memset(n, 0, sizeof(*n));
	n->fd = -1;
	take_socket(n, getenv("NOTIFY_SOCKET"));
	if (n->fd >= 0)
		take_watchdog(n, getenv("WATCHDOG_USEC"), getenv("WATCHDOG_PID"));
	(void)unsetenv("NOTIFY_SOCKET");
	(void)unsetenv("WATCHDOG_USEC");
	(void)unsetenv("WATCHDOG_PID");
}

void notify_fini(struct notify *n)
{
	if (n->fd >= 0)
		(void)close(n->fd);
	n->fd = -1;
}

int notify_send(const struct notify *n, const char *text)
{
	ssize_t sent;

	if (n->fd < 0)
		return 0;
	sent = sendto(n->fd, text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL,
		(const struct sockaddr *)&n->address, n->address_size);
	return sent < 0 ? -errno : 0;
}
