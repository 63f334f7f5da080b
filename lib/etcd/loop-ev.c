/* once/loop.h on libev: the only file of the library that knows ev.h.
 *
 * - A watcher is one allocation that embeds the libev one; freeing stops it, and libev drops what
 *   was pending for a stopped watcher, so nothing calls back afterwards.
 * - Timers are one-shot. libev counts them from its cached time, which is old by as long as the
 *   running callback has taken: without ev_now_update() a 0.5 s timer armed after 1.2 s of work
 *   fires at once.
 * - An ev_io is touched only when its mask changes: each stop and start is an epoll_ctl().
 *
 * Failures: out of memory is NULL. libev reports a descriptor it cannot watch with EV_ERROR, which
 * becomes ONCE_IO_ERROR. */
#include <ev.h>
#include <once/ev.h>
#include <stdlib.h>

struct loop_ev {
	struct once_loop loop; /* first: the seam hands out pointers to it */
	struct ev_loop *ev;    /* borrowed */
};

struct once_io {
	struct ev_io watcher;
	struct ev_loop *ev;
	once_io_fn *fn;
	void *userdata;
	int events;
};

struct once_timer {
	struct ev_timer watcher;
	struct ev_loop *ev;
	once_timer_fn *fn;
	void *userdata;
};

static struct ev_loop *loop_of(struct once_loop *loop)
{
	return ((struct loop_ev *)loop)->ev;
}

static void on_io(struct ev_loop *ev, struct ev_io *watcher, int revents)
{
	struct once_io *io = watcher->data;
	int events = (revents & EV_READ ? ONCE_IO_READ : 0) |
		     (revents & EV_WRITE ? ONCE_IO_WRITE : 0) |
		     (revents & EV_ERROR ? ONCE_IO_ERROR : 0);
	/* libev stops a watcher it reports an error for; the mask must say so or a later io_set()
	 * of the same events would do nothing. */
	if (revents & EV_ERROR) {
		io->events = 0;
	}
	io->fn(io->userdata, watcher->fd, events);
}

static struct once_io *loop_io_new(struct once_loop *loop, int fd, once_io_fn *fn, void *userdata)
{
	struct once_io *io = calloc(1, sizeof(*io));
	if (!io) {
		return NULL;
	}
	io->ev = loop_of(loop);
	io->fn = fn;
	io->userdata = userdata;
	ev_io_init(&io->watcher, on_io, fd, 0);
	io->watcher.data = io;
	return io;
}

static void loop_io_set(struct once_io *io, int events)
{
	if (events == io->events) {
		return;
	}
	ev_io_stop(io->ev, &io->watcher);
	io->events = events;
	if (events) {
		ev_io_set(&io->watcher, io->watcher.fd,
			(events & ONCE_IO_READ ? EV_READ : 0) |
				(events & ONCE_IO_WRITE ? EV_WRITE : 0));
		ev_io_start(io->ev, &io->watcher);
	}
}

static void loop_io_free(struct once_io *io)
{
	if (io) {
		ev_io_stop(io->ev, &io->watcher);
		free(io);
	}
}

static void on_timer(struct ev_loop *ev, struct ev_timer *watcher, int revents)
{
	struct once_timer *timer = watcher->data;
	timer->fn(timer->userdata);
}

static struct once_timer *loop_timer_new(struct once_loop *loop, once_timer_fn *fn, void *userdata)
{
	struct once_timer *timer = calloc(1, sizeof(*timer));
	if (!timer) {
		return NULL;
	}
	timer->ev = loop_of(loop);
	timer->fn = fn;
	timer->userdata = userdata;
	ev_timer_init(&timer->watcher, on_timer, 0., 0.);
	timer->watcher.data = timer;
	return timer;
}

static void loop_timer_set(struct once_timer *timer, int64_t in_ns)
{
	ev_timer_stop(timer->ev, &timer->watcher);
	if (in_ns < 0) {
		return;
	}
	ev_now_update(timer->ev);
	ev_timer_set(&timer->watcher, (double)in_ns / (double)ONCE_NSEC_PER_SEC, 0.);
	ev_timer_start(timer->ev, &timer->watcher);
}

static void loop_timer_free(struct once_timer *timer)
{
	if (timer) {
		ev_timer_stop(timer->ev, &timer->watcher);
		free(timer);
	}
}

static struct once_instant loop_now(struct once_loop *loop)
{
	return once_instant_now();
}

static const struct once_loop_ops loop_ev_ops = {
	.io_new = loop_io_new,
	.io_set = loop_io_set,
	.io_free = loop_io_free,
	.timer_new = loop_timer_new,
	.timer_set = loop_timer_set,
	.timer_free = loop_timer_free,
	.now = loop_now,
};

struct once_loop *once_loop_ev_new(struct ev_loop *ev)
{
	struct loop_ev *loop = calloc(1, sizeof(*loop));
	if (!loop) {
		return NULL;
	}
	loop->loop.ops = &loop_ev_ops;
	loop->ev = ev;
	return &loop->loop;
}

struct once_loop *once_loop_ev_free(struct once_loop *loop)
{
	free(loop);
	return NULL;
}
