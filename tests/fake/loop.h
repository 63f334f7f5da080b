/* A loop in virtual time. Descriptors are looked at when fake_loop_poll() is called. Time stands still until fake_loop_run() moves it. */
#ifndef FAKE_LOOP_H
#define FAKE_LOOP_H

#include "base/list.h"
#include <once/loop.h>
#include <stddef.h>

struct fake_loop {
	struct once_loop loop; /* first */
	struct list timers, ios;
	int64_t now_ns;
	uint64_t order;
	size_t n_timers; /* alive */
};

void fake_loop_init(struct fake_loop *loop);
/* Fires the next timer due within in_ns and moves the time there. False: none; the time is moved to
 * the end. */
bool fake_loop_turn(struct fake_loop *loop, int64_t in_ns);
/* Tells one ready descriptor's watcher. False: none is ready. */
bool fake_loop_poll(struct fake_loop *loop);
/* Turns until in_ns are over. */
void fake_loop_run(struct fake_loop *loop, int64_t in_ns);

#endif
