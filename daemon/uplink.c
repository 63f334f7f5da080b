/* The agent's end of the link. A full socket is -EAGAIN, for the caller to try again: the guardian is
 * slower than a burst of launches, or stopped, which the page tells. Orders to stop come by the
 * hundreds, when a term ends, and are owed here. */
#include "daemon/uplink.h"

#include "daemon/link-io.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

static size_t size_of(uint32_t type)
{
	switch (type) {
	case LINK_WELCOME:
		return sizeof(struct link_welcome);
	case LINK_STARTED:
		return sizeof(struct link_started);
	case LINK_REFUSED:
		return sizeof(struct link_refused);
	case LINK_ENDED:
		return sizeof(struct link_ended);
	case LINK_EMPTY:
		return sizeof(struct link_empty);
	case LINK_FENCED:
		return sizeof(struct link_fenced);
	case LINK_SIGNAL:
		return sizeof(struct link_signal);
	default:
		return 0;
	}
}

/* ---- orders to stop ---- */

static int64_t grace_left(const struct uplink *u, const struct uplink_stop *stop)
{
	int64_t left = stop->packet.grace_ns - once_elapsed_max(stop->given, u->loop->ops->now(u->loop));

	return left > 0 ? left : 0;
}

static void give_owed(struct uplink *u)
{
	while (!list_empty(&u->owed)) {
		struct uplink_stop *stop = list_first(&u->owed, struct uplink_stop, node);
		struct link_stop packet = stop->packet;

		packet.grace_ns = grace_left(u, stop);
		if (uplink_send(u, &packet, sizeof(packet)) == -EAGAIN)
			return;
		list_remove(&stop->node);
	}
	u->loop->ops->io_set(u->io, u->gone ? 0 : ONCE_IO_READ);
}

void uplink_stop_init(struct uplink_stop *stop)
{
	list_init(&stop->node);
}

void uplink_stop(struct uplink *u, struct uplink_stop *stop, uint32_t group, uint64_t run, int64_t grace_ns)
{
	bool owed = !list_empty(&stop->node);

	if (owed && stop->packet.run == run && grace_left(u, stop) <= grace_ns)
		return;
	stop->packet = (struct link_stop){LINK_STOP, group, run, grace_ns};
	stop->given = u->loop->ops->now(u->loop);
	if (owed || uplink_send(u, &stop->packet, sizeof(stop->packet)) != -EAGAIN)
		return;
	list_append(&u->owed, &stop->node);
	u->loop->ops->io_set(u->io, ONCE_IO_READ | ONCE_IO_WRITE);
}

void uplink_stop_forget(struct uplink_stop *stop)
{
	list_remove(&stop->node);
}

/* ---- what comes ---- */

/* One packet a turn: what it leads to may end the link. The loop comes back while there are more. */
static void on_readable(void *userdata, int fd, int events)
{
	struct uplink *u = userdata;
	union {
		uint32_t type;
		uint64_t align; /* of every packet */
		char bytes[1024];
	} packet;
	ssize_t n;

	if (events & ONCE_IO_WRITE)
		give_owed(u);
	n = recv(fd, &packet, sizeof(packet), MSG_DONTWAIT | MSG_TRUNC);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		u->gone = true;
		u->loop->ops->io_set(u->io, 0);
		u->fn(u->userdata, NULL);
		return;
	}
	if ((size_t)n >= sizeof(packet.type) && (size_t)n == size_of(packet.type))
		u->fn(u->userdata, &packet);
}

int uplink_init(struct uplink *u, int fd, const struct link_page *page, struct once_loop *loop,
	uplink_fn *fn, void *userdata)
{
	memset(u, 0, sizeof(*u));
	list_init(&u->owed);
	u->fd = fd;
	u->page = page;
	u->loop = loop;
	u->fn = fn;
	u->userdata = userdata;
	u->io = loop->ops->io_new(loop, fd, on_readable, u);
	if (!u->io)
		return -ENOMEM;
	loop->ops->io_set(u->io, ONCE_IO_READ);
	return 0;
}

void uplink_fini(struct uplink *u)
{
	if (u->io)
		u->loop->ops->io_free(u->io);
	u->io = NULL;
}

int uplink_send_fds(
	struct uplink *u, const void *packet, size_t size, const int *fds, unsigned n_fds)
{
	int r = u->gone ? -EPIPE : link_send_fds(u->fd, packet, size, fds, n_fds);

	if (r < 0 && r != -EAGAIN)
		u->gone = true;
	return r;
}

int uplink_send(struct uplink *u, const void *packet, size_t size)
{
	return uplink_send_fds(u, packet, size, NULL, 0);
}

int uplink_hello(struct uplink *u, const char *instance, const char *runtime_dir)
{
	struct link_hello hello = {.type = LINK_HELLO};

	(void)snprintf(hello.instance, sizeof(hello.instance), "%s", instance);
	(void)snprintf(hello.runtime_dir, sizeof(hello.runtime_dir), "%s", runtime_dir);
	return uplink_send(u, &hello, sizeof(hello));
}

int uplink_extend(struct uplink *u, const struct link_extend *extend)
{
	int r = uplink_send(u, extend, sizeof(*extend));

	if (r < 0)
		return r;
	u->extends++;
	if (u->unseen == 0) {
		u->unseen = u->extends;
		u->unseen_since = u->loop->ops->now(u->loop);
	}
	return 0;
}

int64_t uplink_guardian_silent_ns(struct uplink *u)
{
	uint64_t seen = atomic_load_explicit(&u->page->extends_seen, memory_order_acquire);

	if (u->unseen == 0 || seen >= u->unseen) {
		u->unseen = 0;
		return 0;
	}
	return once_elapsed_min(u->unseen_since, u->loop->ops->now(u->loop));
}

int uplink_notify(struct uplink *u, const char *format, ...)
{
	struct link_notify notify = {.type = LINK_NOTIFY};
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(notify.text, sizeof(notify.text), format, ap);
	va_end(ap);
	return uplink_send(u, &notify, sizeof(notify));
}

int uplink_quit(struct uplink *u, int code)
{
	struct link_quit quit = {.type = LINK_QUIT, .code = code};
	return uplink_send(u, &quit, sizeof(quit));
}
