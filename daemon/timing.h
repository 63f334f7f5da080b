/* How long each fault may keep the next leader's job from running, by the configured timing. Pure.
 */
#ifndef ONCED_TIMING_H
#define ONCED_TIMING_H

#include <once/elect.h>

enum { TIMING_FAULTS = 4 };

struct timing_fault {
	const char *fault;
	int64_t at_most_ns; /* with etcd answering within RequestTimeout= */
	const char *how;    /* the sum in the keys' letters */
};

void timing_faults(const struct once_timing *timing, struct timing_fault ret[TIMING_FAULTS]);

#endif
