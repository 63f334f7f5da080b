/* The seam between libonce and an event loop: descriptors, timers, the clock. Any loop can
 * implement it; <once/ev.h> does for libev. Since 0.1.
 *
 * A loop object embeds struct once_loop as its first member. Watchers belong to whoever made them.
 * Setting or freeing a watcher is legal in every callback, its own included; a freed or stopped
 * watcher never calls back. No callback comes from inside a call into the loop. */
#ifndef ONCE_LOOP_H
#define ONCE_LOOP_H

#include <once/time.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { ONCE_IO_READ = 1, ONCE_IO_WRITE = 2, ONCE_IO_ERROR = 4 };

struct once_io;    /* opaque, defined by the loop */
struct once_timer; /* opaque, defined by the loop */
struct once_loop;

typedef void once_io_fn(void *userdata, int fd, int events);
typedef void once_timer_fn(void *userdata);

struct once_loop_ops {
	/* A new, idle watcher of fd. NULL: out of memory. */
	struct once_io *(*io_new)(struct once_loop *loop, int fd, once_io_fn *fn, void *userdata);
	/* Watch for events (ONCE_IO_READ | ONCE_IO_WRITE), 0: stop. Setting the same again is cheap. */
	void (*io_set)(struct once_io *io, int events);
	/* Stops and frees; must happen before the descriptor is closed. NULL is fine. */
	void (*io_free)(struct once_io *io);

	/* A new, idle one-shot timer. NULL: out of memory. */
	struct once_timer *(*timer_new)(struct once_loop *loop, once_timer_fn *fn, void *userdata);
	/* Fire once in in_ns nanoseconds from now (the real now, not the loop's cached one), replacing
	 * an earlier setting; 0: on the next turn of the loop; negative: stop. */
	void (*timer_set)(struct once_timer *timer, int64_t in_ns);
	void (*timer_free)(struct once_timer *timer);

	/* The present moment. */
	struct once_instant (*now)(struct once_loop *loop);
};

struct once_loop {
	const struct once_loop_ops *ops;
};

#ifdef __cplusplus
}
#endif

#endif
