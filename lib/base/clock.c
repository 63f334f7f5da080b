/* The clocks of once/time.h. */
#include <once/time.h>
#include <time.h>

static int64_t read_clock(clockid_t id)
{
	struct timespec ts = {0};
	(void)clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * ONCE_NSEC_PER_SEC + ts.tv_nsec;
}

struct once_instant once_instant_now(void)
{
	struct once_instant now = {read_clock(CLOCK_BOOTTIME), read_clock(CLOCK_MONOTONIC_RAW)};
	return now;
}
