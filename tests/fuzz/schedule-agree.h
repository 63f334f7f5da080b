/* Next, previous, count and between are four ways to say which instants a schedule has: whatever
 * the schedule and the zone, they agree. */
#ifndef FUZZ_SCHEDULE_AGREE_H
#define FUZZ_SCHEDULE_AGREE_H

#include "core/schedule.h"
#include "fuzz.h"

static inline void require_agreement(
	const struct schedule *s, const struct zone *zone, int64_t after_s)
{
	enum { N = 6 };
	int64_t at_s[N], t, last_s;
	uint64_t rest;
	size_t n = schedule_between(s, zone, after_s, INT64_MAX, at_s, N, &rest);

	if (n == 0) {
		require(!schedule_next(s, zone, after_s, &t));
		return;
	}
	last_s = at_s[n - 1];
	require(at_s[0] > after_s && at_s[0] >= 0);
	require((n < N) == !schedule_next(s, zone, last_s, &t) || n == N);
	require(schedule_count(s, zone, after_s, last_s) == n);
	require(schedule_count(s, zone, after_s, last_s - 1) == n - 1);
	for (size_t i = 0; i < n; i++) {
		struct schedule_remark remark;

		require(schedule_previous(s, zone, at_s[i], &t) && t == at_s[i]);
		require(schedule_next(s, zone, at_s[i] - 1, &t) && t == at_s[i]);
		if (i > 0)
			require(schedule_previous(s, zone, at_s[i] - 1, &t) && t == at_s[i - 1]);
		else if (schedule_previous(s, zone, at_s[i] - 1, &t))
			require(t <= after_s);
		schedule_remark(s, zone, at_s[i], &remark);
	}
}

#endif
