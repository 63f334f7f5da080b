/* How many requests of a writer may be in flight: as many as etcd takes without making each wait.
 *
 * More in flight than a server works on only queue up there, and whatever comes from elsewhere, the beat
 * of a leader on the same host too, waits behind them. So the window follows the time of answers, as
 * delay-based congestion control does (Vegas, LEDBAT): one more while an answer takes less than a
 * quarter longer than alone, fewer when it takes more. Pure: no clock. */
#ifndef RECORD_WRITER_WINDOW_H
#define RECORD_WRITER_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct window {
	size_t size, max;
	bool fixed;	/* always max */
	bool ramping;	/* nothing has waited yet: one more per answer, which doubles it each round */
	size_t answers; /* since the last change */
	int64_t base_ns, smooth_ns;
	size_t bytes; /* of the requests that base_ns is of; smaller ones tell nothing */
};

void window_init(struct window *window, size_t max, bool fixed);
/* An answer to a request of so many bytes took so long. */
void window_answered(struct window *window, int64_t took_ns, size_t bytes);
/* A request had no answer. */
void window_lost(struct window *window);

#endif
