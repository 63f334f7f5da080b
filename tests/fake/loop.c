/* Timers fire in the order of their times, equal times in the order they were set in. */
#include "tests/fake/loop.h"
#include <assert.h>
#include <poll.h>
#include <stdlib.h>

struct once_timer {
	struct list in_loop;
	struct fake_loop *loop;
	once_timer_fn *fn;
	void *userdata;
	bool armed;
	int64_t at_ns;
	uint64_t order;
};

struct once_io {
	struct list in_loop;
	struct fake_loop *loop;
	int fd;
	int events;
	once_io_fn *fn;
	void *userdata;
};

static struct once_io *io_new(struct once_loop *loop, int fd, once_io_fn *fn, void *userdata)
{
	struct once_io *io = calloc(1, sizeof(*io));
	if (io) {
		io->loop = (struct fake_loop *)loop;
		io->fd = fd;
		io->fn = fn;
		io->userdata = userdata;
		list_append(&io->loop->ios, &io->in_loop);
	}
	return io;
}

static void io_set(struct once_io *io, int events)
{
	io->events = events;
}

static void io_free(struct once_io *io)
{
	if (io) {
		list_remove(&io->in_loop);
		free(io);
	}
}

static struct once_timer *timer_new(struct once_loop *loop, once_timer_fn *fn, void *userdata)
{
	struct once_timer *timer = calloc(1, sizeof(*timer));
	if (timer) {
		timer->loop = (struct fake_loop *)loop;
		timer->fn = fn;
		timer->userdata = userdata;
		list_append(&timer->loop->timers, &timer->in_loop);
		timer->loop->n_timers++;
	}
	return timer;
}

static void timer_set(struct once_timer *timer, int64_t in_ns)
{
	timer->armed = in_ns >= 0;
	timer->at_ns = timer->loop->now_ns + in_ns;
	timer->order = timer->loop->order++;
}

static void timer_free(struct once_timer *timer)
{
	if (timer) {
		list_remove(&timer->in_loop);
		timer->loop->n_timers--;
		free(timer);
	}
}

static struct once_instant now(struct once_loop *loop)
{
	int64_t ns = ((struct fake_loop *)loop)->now_ns;
	return (struct once_instant){ns, ns};
}

static const struct once_loop_ops ops = {
	.io_new = io_new,
	.io_set = io_set,
	.io_free = io_free,
	.timer_new = timer_new,
	.timer_set = timer_set,
	.timer_free = timer_free,
	.now = now,
};

void fake_loop_init(struct fake_loop *loop)
{
	*loop = (struct fake_loop){.loop.ops = &ops, .now_ns = ONCE_NSEC_PER_SEC};
	list_init(&loop->timers);
	list_init(&loop->ios);
}

bool fake_loop_poll(struct fake_loop *loop)
{
	struct list *i;
	list_foreach(i, &loop->ios) {
		struct once_io *io = list_entry(i, struct once_io, in_loop);
		struct pollfd p = {.fd = io->fd,
			.events = (short)((io->events & ONCE_IO_READ ? POLLIN : 0) |
				(io->events & ONCE_IO_WRITE ? POLLOUT : 0))};
		if (io->events && poll(&p, 1, 0) > 0) {
			io->fn(io->userdata, io->fd,
				(p.revents & (POLLIN | POLLHUP) ? ONCE_IO_READ : 0) |
					(p.revents & POLLOUT ? ONCE_IO_WRITE : 0) |
					(p.revents & POLLERR ? ONCE_IO_ERROR : 0));
			return true; /* the list may have changed */
		}
	}
	return false;
}

static struct once_timer *next_due(struct fake_loop *loop, int64_t until_ns)
{
	struct once_timer *best = NULL;
	struct list *i;
	list_foreach (i, &loop->timers) {
		struct once_timer *t = list_entry(i, struct once_timer, in_loop);
		if (t->armed && t->at_ns <= until_ns &&
			(!best || t->at_ns < best->at_ns ||
				(t->at_ns == best->at_ns && t->order < best->order))) {
			best = t;
		}
	}
	return best;
}

bool fake_loop_turn(struct fake_loop *loop, int64_t in_ns)
{
	int64_t until_ns = loop->now_ns + in_ns;
	struct once_timer *timer = next_due(loop, until_ns);
	if (!timer) {
		loop->now_ns = until_ns;
		return false;
	}
	loop->now_ns = timer->at_ns > loop->now_ns ? timer->at_ns : loop->now_ns;
	timer->armed = false;
	timer->fn(timer->userdata);
	return true;
}

void fake_loop_run(struct fake_loop *loop, int64_t in_ns)
{
	int64_t until_ns = loop->now_ns + in_ns;
	for (size_t turns = 0; fake_loop_turn(loop, until_ns - loop->now_ns); turns++) {
		assert(turns < 100000); /* else somebody arms a timer of 0 for ever */
	}
}
