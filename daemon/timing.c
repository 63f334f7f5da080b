/* Every bound adds the requests a takeover makes, each of which may take R: the release, or the
 * seizure, and the acquire. In a healthy network that part is a few milliseconds. */
#include "daemon/timing.h"

void timing_faults(const struct once_timing *t, struct timing_fault ret[TIMING_FAULTS])
{
	int64_t v = t->fence_after_ns, r = t->request_timeout_ns;
	int64_t wait = v + v / 1000000 * t->clock_drift_ppm;
	int64_t ttl = t->lease_ttl_s * ONCE_NSEC_PER_SEC;
	const struct timing_fault faults[TIMING_FAULTS] = {
		{"SIGTERM, switchover", t->stop_grace_ns + t->kill_budget_ns + 2 * r,
			"G + K + 2R; a job that stops at once: milliseconds"},
		{"the agent process dies", t->kill_budget_ns + 3 * r,
			"K + 3R; usually tens of milliseconds"},
		{"the host dies, stands still or is cut off", wait + 3 * r,
			"V(1 + ClockDrift) + 3R; the job itself is dead after V"},
		{"the same, and no follower had seen the leader", ttl + wait + 2 * r,
			"LeaseTTL + V(1 + ClockDrift) + 2R"},
	};

	for (int i = 0; i < TIMING_FAULTS; i++)
		ret[i] = faults[i];
}
