/* See pace.h. A rate is at most 10^9, so that a part of a second fits. */
#include "tools/common/pace.h"

int64_t pace_wait_ns(const struct pace *pace, uint64_t n, struct once_instant now)
{
	uint64_t rate = (uint64_t)pace->rate, nsec = ONCE_NSEC_PER_SEC;
	int64_t wait;

	if (pace->rate <= 0)
		return 0;
	wait = (int64_t)(n / rate * nsec + n % rate * nsec / rate) -
	       once_elapsed_max(pace->since, now);
	if (wait <= 0)
		return 0;
	return wait > ONCE_NSEC_PER_MSEC ? wait : ONCE_NSEC_PER_MSEC;
}
