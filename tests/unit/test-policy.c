/* The run policy: what is decided about instants, retries and runs without end. */
#include "tests/unit/unit.h"

#include "core/policy.h"

#define SEC INT64_C(1000000000)
#define BEGIN 1000000 /* seconds; a multiple of 10 */

/* Every ten seconds. */
static int64_t tens_next(const void *data, int64_t after_s)
{
	return (after_s / 10 + 1) * 10;
}

static uint64_t tens_count(const void *data, int64_t after_s, int64_t until_s)
{
	return until_s <= after_s ? 0 : (uint64_t)(until_s / 10 - after_s / 10);
}

static int64_t never_next(const void *data, int64_t after_s)
{
	return INT64_MAX;
}

static uint64_t never_count(const void *data, int64_t after_s, int64_t until_s)
{
	return 0;
}

/* The instant BEGIN is decided, it is BEGIN + at. */
static struct policy_due due_at(double at)
{
	return (struct policy_due){.schedule = {tens_next, tens_count, NULL},
		.cursor_s = BEGIN,
		.now_ns = BEGIN * SEC + (int64_t)(at * 1e9)};
}

enum { NONE = 0 };

static const struct due_case {
	const char *name;
	double at;    /* seconds after BEGIN */
	double since; /* the leader leads since */
	enum policy_missed missed;
	enum policy_overlap overlap;
	bool running;
	const char *paused;
	double jitter, deadline;
	enum policy_action action;
	int instant; /* after BEGIN; of WAIT: the time to wake */
	const char *reason;
} due_cases[] = {
	{"nothing due", 5, 0, POLICY_MISSED_LATEST, POLICY_OVERLAP_SKIP, false, NULL, 0, 0,
		POLICY_WAIT, 10, NULL},
	{"a moment before", 9.999, 0, POLICY_MISSED_LATEST, POLICY_OVERLAP_SKIP, false, NULL, 0, 0,
		POLICY_WAIT, 10, NULL},
	{"due", 10, 0, POLICY_MISSED_LATEST, POLICY_OVERLAP_SKIP, false, NULL, 0, 0, POLICY_RUN, 10,
		NULL},
	{"late, but the latest", 19, 0, POLICY_MISSED_LATEST, POLICY_OVERLAP_SKIP, false, NULL, 0,
		0, POLICY_RUN, 10, NULL},
	{"late, and not the latest", 20, 0, POLICY_MISSED_LATEST, POLICY_OVERLAP_SKIP, false, NULL,
		0, 0, POLICY_SKIP, 10, "late"},
	{"late, all run", 20, 0, POLICY_MISSED_ALL, POLICY_OVERLAP_SKIP, false, NULL, 0, 0,
		POLICY_RUN, 10, NULL},
	{"missed, latest", 15, 12, POLICY_MISSED_LATEST, POLICY_OVERLAP_SKIP, false, NULL, 0, 0,
		POLICY_RUN, 10, NULL},
	{"missed, not the latest", 25, 22, POLICY_MISSED_LATEST, POLICY_OVERLAP_SKIP, false, NULL,
		0, 0, POLICY_SKIP, 10, "missed"},
	{"missed, none runs", 15, 12, POLICY_MISSED_SKIP, POLICY_OVERLAP_SKIP, false, NULL, 0, 0,
		POLICY_SKIP, 10, "missed"},
	{"late but not missed, none missed runs", 15, 9, POLICY_MISSED_SKIP, POLICY_OVERLAP_SKIP,
		false, NULL, 0, 0, POLICY_RUN, 10, NULL},
	{"missed, all run, one lives", 15, 12, POLICY_MISSED_ALL, POLICY_OVERLAP_SKIP, true, NULL,
		0, 0, POLICY_WAIT, NONE, NULL},
	{"overlap, skip", 10, 0, POLICY_MISSED_LATEST, POLICY_OVERLAP_SKIP, true, NULL, 0, 0,
		POLICY_SKIP, 10, "overlap"},
	{"overlap, queue", 10, 0, POLICY_MISSED_LATEST, POLICY_OVERLAP_QUEUE, true, NULL, 0, 0,
		POLICY_WAIT, NONE, NULL},
	{"overlap, queue, a later one is due", 20, 0, POLICY_MISSED_LATEST, POLICY_OVERLAP_QUEUE,
		true, NULL, 0, 0, POLICY_SKIP, 10, "overlap"},
	{"overlap, replace", 10, 0, POLICY_MISSED_LATEST, POLICY_OVERLAP_REPLACE, true, NULL, 0, 0,
		POLICY_REPLACE, 10, NULL},
	{"paused", 10, 0, POLICY_MISSED_LATEST, POLICY_OVERLAP_SKIP, false, "paused", 0, 0,
		POLICY_SKIP, 10, "paused"},
	{"paused, nothing due", 5, 0, POLICY_MISSED_LATEST, POLICY_OVERLAP_SKIP, false, "paused", 0,
		0, POLICY_WAIT, 10, NULL},
	{"in time for its deadline", 13, 0, POLICY_MISSED_LATEST, POLICY_OVERLAP_SKIP, false, NULL,
		0, 3, POLICY_RUN, 10, NULL},
	{"too late", 13.1, 0, POLICY_MISSED_LATEST, POLICY_OVERLAP_SKIP, false, NULL, 0, 3,
		POLICY_SKIP, 10, "deadline"},
	{"jitter: not yet", 13, 0, POLICY_MISSED_LATEST, POLICY_OVERLAP_SKIP, false, NULL, 4, 0,
		POLICY_WAIT, 14, NULL},
	{"jitter: now", 14, 0, POLICY_MISSED_LATEST, POLICY_OVERLAP_SKIP, false, NULL, 4, 3,
		POLICY_RUN, 10, NULL},
};

static void test_due(void **state)
{
	for (size_t i = 0; i < LENGTH(due_cases); i++) {
		const struct due_case *c = &due_cases[i];
		struct policy_due due = due_at(c->at);
		struct policy_decision d;

		due.since_ns = BEGIN * SEC + (int64_t)(c->since * 1e9);
		due.missed = c->missed;
		due.overlap = c->overlap;
		due.running = c->running;
		due.paused = c->paused;
		due.jitter_ns = (int64_t)(c->jitter * 1e9);
		due.deadline_ns = (int64_t)(c->deadline * 1e9);
		d = policy_due(&due);
		check_case(c->name, d.action == c->action);
		if (c->action == POLICY_WAIT)
			check_case(c->name,
				d.wake_ns == (c->instant == NONE ? INT64_MAX
								 : (BEGIN + c->instant) * SEC));
		else
			check_case(c->name, d.instant_s == BEGIN + c->instant);
		if (c->reason)
			check_case(c->name, strcmp(d.reason, c->reason) == 0);
	}
}

static void test_no_more_instants(void **state)
{
	struct policy_due due = due_at(100);
	struct policy_decision d;

	due.schedule = (struct policy_schedule){never_next, never_count, NULL};
	d = policy_due(&due);
	assert_int_equal(d.action, POLICY_WAIT);
	assert_true(d.wake_ns == INT64_MAX);
}

/* A cursor that is ahead of the clock: nothing runs twice, nothing runs early. */
static void test_clock_went_back(void **state)
{
	struct policy_due due = due_at(-3600);
	struct policy_decision d = policy_due(&due);

	assert_int_equal(d.action, POLICY_WAIT);
	assert_true(d.wake_ns == (BEGIN + 10) * SEC);
}

/* After an outage each instant is decided exactly once, the last hundred one by one. */
static void test_outage(void **state)
{
	struct policy_due due = due_at(3600 * 24 * 365 + 5);
	int64_t last_s = due.now_ns / SEC / 10 * 10, expected_s = BEGIN + 10;
	unsigned skipped = 0;
	struct policy_decision d;

	due.since_ns = due.now_ns;
	d = policy_due(&due);
	assert_int_equal(d.action, POLICY_COLLAPSE);
	assert_int_equal(d.instant_s, BEGIN + 10);
	assert_string_equal(d.reason, "missed");
	assert_true(d.count == tens_count(NULL, BEGIN, last_s) - POLICY_SKIPS_MAX);
	due.cursor_s = d.until_s;
	expected_s += (int64_t)d.count * 10;
	for (;; due.cursor_s = d.instant_s, skipped++) {
		d = policy_due(&due);
		assert_int_equal(d.instant_s, expected_s);
		expected_s += 10;
		if (d.action == POLICY_RUN)
			break;
		assert_int_equal(d.action, POLICY_SKIP);
	}
	assert_int_equal(skipped, POLICY_SKIPS_MAX - 1);
	assert_int_equal(d.instant_s, last_s);
}

static void test_outage_of_just_enough(void **state)
{
	struct policy_due due = due_at(10.0 * POLICY_SKIPS_MAX);

	due.missed = POLICY_MISSED_ALL;
	assert_int_equal(policy_due(&due).action, POLICY_RUN);
	due.now_ns += 10 * SEC;
	assert_int_equal(policy_due(&due).action, POLICY_COLLAPSE);
	assert_int_equal(policy_due(&due).count, 1);
	assert_int_equal(policy_due(&due).instant_s, BEGIN + 10);
	assert_true(
		policy_due(&due).until_s >= BEGIN + 10 && policy_due(&due).until_s < BEGIN + 20);
}

static void test_retry(void **state)
{
	struct policy_retry r = {.retries = 3, .delay_ns = SEC};

	policy_retry_default(&r);
	assert_int_equal(policy_retry_ns(&r, 1, 1, false), SEC);
	assert_int_equal(policy_retry_ns(&r, 2, 143, false), 2 * SEC);
	assert_int_equal(policy_retry_ns(&r, 3, 1, false), 4 * SEC);
	assert_int_equal(policy_retry_ns(&r, 4, 1, false), -1);
	assert_int_equal(policy_retry_ns(&r, 1, 0, false), -1);
	assert_int_equal(policy_retry_ns(&r, 1, 75, false), -1);
	assert_int_equal(policy_retry_ns(&r, 1, 0, true), SEC);
	r.retries = 1000;
	assert_int_equal(policy_retry_ns(&r, 900, 1, false), 300 * SEC);
	r.delay_ns = 3600 * SEC;
	assert_int_equal(policy_retry_ns(&r, 900, 1, false), 3600 * SEC);
	memset(&r.on, 0, sizeof(r.on));
	r.on_timeout = false;
	policy_retry_add(&r, 4);
	policy_retry_add(&r, 255);
	policy_retry_add(&r, 256);
	assert_int_equal(policy_retry_ns(&r, 1, 4, false), 3600 * SEC);
	assert_int_equal(policy_retry_ns(&r, 1, 255, false), 3600 * SEC);
	assert_int_equal(policy_retry_ns(&r, 1, 5, false), -1);
	assert_int_equal(policy_retry_ns(&r, 1, 4, true), -1);
	assert_false(policy_retry_has(&r, -1));
	assert_false(policy_retry_has(&r, 256));
}

static void test_interrupted(void **state)
{
	static const struct {
		enum policy_interrupt policy;
		int probe;
		enum policy_verdict verdict;
	} cases[] = {
		{POLICY_INTERRUPT_SKIP, -1, POLICY_VERDICT_OVER},
		{POLICY_INTERRUPT_RERUN, -1, POLICY_VERDICT_RERUN},
		{POLICY_INTERRUPT_HOLD, -1, POLICY_VERDICT_HOLD},
		{POLICY_INTERRUPT_PROBE, -1, POLICY_VERDICT_PROBE},
		{POLICY_INTERRUPT_PROBE, 0, POLICY_VERDICT_DONE},
		{POLICY_INTERRUPT_PROBE, 1, POLICY_VERDICT_RERUN},
		{POLICY_INTERRUPT_PROBE, 2, POLICY_VERDICT_HOLD},
		{POLICY_INTERRUPT_PROBE, 127, POLICY_VERDICT_HOLD},
	};

	for (size_t i = 0; i < LENGTH(cases); i++)
		assert_int_equal(
			policy_interrupted(cases[i].policy, cases[i].probe), cases[i].verdict);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_due),
		cmocka_unit_test(test_no_more_instants),
		cmocka_unit_test(test_clock_went_back),
		cmocka_unit_test(test_outage),
		cmocka_unit_test(test_outage_of_just_enough),
		cmocka_unit_test(test_retry),
		cmocka_unit_test(test_interrupted),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
