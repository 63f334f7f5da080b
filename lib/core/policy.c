/* The run policy. See policy.h. */
#include "core/policy.h"

#include <stddef.h>
#include <string.h>

#define SEC_NS INT64_C(1000000000)
#define DELAY_MAX_NS (300 * SEC_NS)

/* ---- instants -------------------------------------------------------------------------------- */

static int64_t due_ns(const struct policy_due *due, int64_t instant_s)
{
	if (instant_s >= (INT64_MAX - due->jitter_ns) / SEC_NS)
		return INT64_MAX;
	return instant_s * SEC_NS + due->jitter_ns;
}

static bool is_due(const struct policy_due *due, int64_t instant_s)
{
	return instant_s != INT64_MAX && due_ns(due, instant_s) <= due->now_ns;
}

static int64_t next_s(const struct policy_due *due, int64_t after_s)
{
	return due->schedule.next(due->schedule.data, after_s);
}

static uint64_t count(const struct policy_due *due, int64_t after_s, int64_t until_s)
{
	return due->schedule.count(due->schedule.data, after_s, until_s);
}

/* What is due, but for the last POLICY_SKIPS_MAX, is skipped together. The moment between is found
 * by halving: an outage of a year costs little more than one of an hour. */
static bool collapse(const struct policy_due *due, int64_t first_s, struct policy_decision *ret)
{
	int64_t last_s = (due->now_ns - due->jitter_ns) / SEC_NS;
	int64_t low_s = due->cursor_s, high_s = last_s;

	if (count(due, due->cursor_s, last_s) <= POLICY_SKIPS_MAX)
		return false;
	while (high_s - low_s > 1) { /* more after low than may be, no more after high */
		int64_t middle_s = low_s + (high_s - low_s) / 2;

		if (count(due, middle_s, last_s) > POLICY_SKIPS_MAX)
			low_s = middle_s;
		else
			high_s = middle_s;
	}
	*ret = (struct policy_decision){.action = POLICY_COLLAPSE,
		.instant_s = first_s,
		.until_s = high_s,
		.count = count(due, due->cursor_s, high_s),
		.reason = due->paused ? due->paused : "missed"};
	return true;
}

static struct policy_decision skip(int64_t instant_s, const char *reason)
{
	return (struct policy_decision){
		.action = POLICY_SKIP, .instant_s = instant_s, .reason = reason};
}

static struct policy_decision wait_until(int64_t wake_ns)
{
	return (struct policy_decision){.action = POLICY_WAIT, .wake_ns = wake_ns};
}

/* The instant is due, and the running one lives. */
static struct policy_decision decide_overlap(
	const struct policy_due *due, int64_t instant_s, bool missed)
{
	if (due->overlap == POLICY_OVERLAP_REPLACE)
		return (struct policy_decision){.action = POLICY_REPLACE, .instant_s = instant_s};
	if (due->overlap == POLICY_OVERLAP_QUEUE || (missed && due->missed == POLICY_MISSED_ALL))
		return wait_until(INT64_MAX);
	return skip(instant_s, "overlap");
}

static struct policy_decision decide(const struct policy_due *due, int64_t instant_s)
{
	int64_t at_ns = due_ns(due, instant_s);
	bool missed = at_ns < due->since_ns;
	bool latest = !is_due(due, next_s(due, instant_s));

	if (due->paused)
		return skip(instant_s, due->paused);
	if (due->deadline_ns > 0 && due->now_ns - at_ns > due->deadline_ns)
		return skip(instant_s, "deadline");
	if (missed && due->missed == POLICY_MISSED_SKIP)
		return skip(instant_s, "missed");
	if (!latest && due->missed == POLICY_MISSED_LATEST)
		return skip(instant_s, missed ? "missed" : due->running ? "overlap" : "late");
	if (due->running)
		return decide_overlap(due, instant_s, missed);
	return (struct policy_decision){.action = POLICY_RUN, .instant_s = instant_s};
}

struct policy_decision policy_due(const struct policy_due *due)
{
	int64_t first_s = next_s(due, due->cursor_s);
	struct policy_decision together;

	if (!is_due(due, first_s))
		return wait_until(first_s == INT64_MAX ? INT64_MAX : due_ns(due, first_s));
	if (collapse(due, first_s, &together))
		return together;
	return decide(due, first_s);
}

/* ---- ends ------------------------------------------------------------------------------------ */

void policy_retry_default(struct policy_retry *retry)
{
	memset(retry->on, 0xff, sizeof(retry->on));
	retry->on[0] &= ~UINT64_C(1);
	retry->on[75 / 64] &= ~(UINT64_C(1) << 75 % 64);
	retry->on_timeout = true;
}

bool policy_retry_has(const struct policy_retry *retry, int code)
{
	return code >= 0 && code <= POLICY_CODE_MAX && retry->on[code / 64] >> code % 64 & 1;
}

void policy_retry_add(struct policy_retry *retry, int code)
{
	if (code >= 0 && code <= POLICY_CODE_MAX)
		retry->on[code / 64] |= UINT64_C(1) << code % 64;
}

int64_t policy_retry_ns(const struct policy_retry *retry, int64_t attempt, int code, bool timed_out)
{
	int64_t delay_ns = retry->delay_ns;

	if (attempt > retry->retries ||
		(timed_out ? !retry->on_timeout : !policy_retry_has(retry, code)))
		return -1;
	for (int64_t i = 1; i < attempt && delay_ns < DELAY_MAX_NS; i++)
		delay_ns *= 2;
	if (delay_ns > DELAY_MAX_NS) /* by doubling; a longer first one is as wanted */
		delay_ns = retry->delay_ns > DELAY_MAX_NS ? retry->delay_ns : DELAY_MAX_NS;
	return delay_ns;
}

enum policy_verdict policy_interrupted(enum policy_interrupt policy, int probe)
{
	switch (policy) {
	case POLICY_INTERRUPT_SKIP:
		return POLICY_VERDICT_OVER;
	case POLICY_INTERRUPT_RERUN:
		return POLICY_VERDICT_RERUN;
	case POLICY_INTERRUPT_HOLD:
		return POLICY_VERDICT_HOLD;
	case POLICY_INTERRUPT_PROBE:
		break;
	}
	if (probe < 0)
		return POLICY_VERDICT_PROBE;
	return probe == 0   ? POLICY_VERDICT_DONE
	       : probe == 1 ? POLICY_VERDICT_RERUN
			    : POLICY_VERDICT_HOLD;
}
