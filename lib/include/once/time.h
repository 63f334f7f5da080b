/* Time as onced measures it: elapsed time on two clocks, never the time of day.
 *
 * CLOCK_BOOTTIME counts suspend but may be slewed by NTP; CLOCK_MONOTONIC_RAW is never slewed but
 * stands still in suspend. Whoever must stop in time takes the larger of the two, whoever must wait
 * long enough takes the smaller, so neither defect can make two nodes disagree in the unsafe
 * direction. Since 0.1. */
#ifndef ONCE_TIME_H
#define ONCE_TIME_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define ONCE_NSEC_PER_MSEC INT64_C(1000000)
#define ONCE_NSEC_PER_SEC INT64_C(1000000000)

/* A moment on this host, in nanoseconds on both clocks. Zero in both is "never". */
struct once_instant {
	int64_t boot_ns;
	int64_t raw_ns;
};

/* Reads both clocks. */
struct once_instant once_instant_now(void);

/* Time from since to now for one who must stop in time: the larger of both clocks. */
static inline int64_t once_elapsed_max(struct once_instant since, struct once_instant now)
{
	int64_t boot = now.boot_ns - since.boot_ns, raw = now.raw_ns - since.raw_ns;
	return boot > raw ? boot : raw;
}

/* Time from since to now for one who must wait long enough: the smaller of both clocks. */
static inline int64_t once_elapsed_min(struct once_instant since, struct once_instant now)
{
	int64_t boot = now.boot_ns - since.boot_ns, raw = now.raw_ns - since.raw_ns;
	return boot < raw ? boot : raw;
}

#ifdef __cplusplus
}
#endif

#endif
