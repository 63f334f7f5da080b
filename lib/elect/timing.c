/* The timing of a term: the named profiles, and the rule that makes a set of values safe to lead
 * by.
 *
 * The rule says that a leader who loses one request entirely (2R) around a beat (H), with a tenth
 * of V for everything nobody planned, still proves itself before it must begin to stop its work (V
 * - G - K). Less than that and a single slow answer ends a healthy term; nothing less safe follows
 * from it, but a job that restarts for nothing is what the rule is there to prevent. */
#include <once/elect.h>

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/duration.h"

#define MS(n) ((n)*ONCE_NSEC_PER_MSEC)

/* Sums of a few values below this cannot overflow; nobody waits a year for a leader. */
static const int64_t duration_max_ns = INT64_C(366) * 86400 * ONCE_NSEC_PER_SEC;

static const struct {
	const char *name;
	struct once_timing timing;
} profiles[] = {
	{"normal", {10, MS(6000), MS(1000), MS(900), MS(2000), MS(500), 100000}},
	{"fast", {3, MS(1500), MS(150), MS(300), MS(300), MS(200), 100000}},
	{"wan", {30, MS(20000), MS(3000), MS(3000), MS(5000), MS(1000), 100000}},
};

int once_timing_profile(struct once_timing *ret, const char *name)
{
	for (size_t i = 0; i < sizeof(profiles) / sizeof(profiles[0]); i++) {
		if (strcmp(profiles[i].name, name) == 0) {
			*ret = profiles[i].timing;
			return 0;
		}
	}
	return -ENOENT;
}

static bool in_range(int64_t ns)
{
	return ns > 0 && ns <= duration_max_ns;
}

/* The first value that is no sane one by itself, or NULL. */
static const char *bad_value(const struct once_timing *t)
{
	if (t->lease_ttl_s <= 0 || t->lease_ttl_s > duration_max_ns / ONCE_NSEC_PER_SEC)
		return "LeaseTTL";
	if (!in_range(t->fence_after_ns))
		return "FenceAfter";
	if (!in_range(t->beat_interval_ns))
		return "BeatInterval";
	if (!in_range(t->request_timeout_ns))
		return "RequestTimeout";
	if (!in_range(t->stop_grace_ns))
		return "StopGrace";
	if (!in_range(t->kill_budget_ns))
		return "KillBudget";
	if (t->clock_drift_ppm <= 0 || t->clock_drift_ppm > 1000000)
		return "ClockDrift";
	return NULL;
}

static int check_rule(const struct once_timing *t, char *message, size_t size)
{
	char h[DURATION_TEXT_MAX], r[DURATION_TEXT_MAX], v[DURATION_TEXT_MAX];
	char g[DURATION_TEXT_MAX], k[DURATION_TEXT_MAX], v10[DURATION_TEXT_MAX];
	char left[DURATION_TEXT_MAX], right[DURATION_TEXT_MAX];
	int64_t need = t->beat_interval_ns + 2 * t->request_timeout_ns + t->fence_after_ns / 10;
	int64_t have = t->fence_after_ns - t->stop_grace_ns - t->kill_budget_ns;

	if (need <= have)
		return 0;
	(void)snprintf(message, size,
		"BeatInterval + 2 RequestTimeout + FenceAfter/10 is more than "
		"FenceAfter - StopGrace - KillBudget: %s + 2 * %s + %s = %s, but %s - %s - %s = %s",
		duration_format(h, t->beat_interval_ns), duration_format(r, t->request_timeout_ns),
		duration_format(v10, t->fence_after_ns / 10), duration_format(left, need),
		duration_format(v, t->fence_after_ns), duration_format(g, t->stop_grace_ns),
		duration_format(k, t->kill_budget_ns), duration_format(right, have));
	return -EINVAL;
}

int once_timing_check(const struct once_timing *t, char *message, size_t size)
{
	char v[DURATION_TEXT_MAX];
	const char *bad = bad_value(t);

	if (bad) {
		(void)snprintf(message, size, "%s is not between 0 and %s", bad,
			strcmp(bad, "ClockDrift") == 0 ? "100 %" : "a year");
		return -EINVAL;
	}

	if (t->lease_ttl_s * ONCE_NSEC_PER_SEC < t->fence_after_ns) {
		(void)snprintf(message, size,
			"LeaseTTL is less than FenceAfter: %llds < %s; the key must not go before "
			"the work it guards has ended",
			(long long)t->lease_ttl_s, duration_format(v, t->fence_after_ns));
		return -EINVAL;
	}
	return check_rule(t, message, size);
}
