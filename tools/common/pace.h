/* So many a second at most, evenly: the n-th is due n/rate seconds after the first. */
#ifndef TOOLS_PACE_H
#define TOOLS_PACE_H

#include <once/time.h>
#include <stdint.h>

struct pace {
	int64_t rate; /* a second, at most 10^9; 0: no limit */
	struct once_instant since;
};

/* How long until item n (from 0) is due; 0: now. Never so short that a loop would spin. */
int64_t pace_wait_ns(const struct pace *pace, uint64_t n, struct once_instant now);

#endif
