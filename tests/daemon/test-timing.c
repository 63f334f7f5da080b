/* The named timings, and the rule. */
#include "tests/daemon/scratch.h"

#include <once/elect.h>

#define MS(n) ((n)*ONCE_NSEC_PER_MSEC)

static void test_profiles_keep_the_rule(void **state)
{
	static const char *const names[] = {"normal", "fast", "wan"};
	struct once_timing timing;
	char message[256] = "untouched";

	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(once_timing_profile(&timing, names[i]), 0);
		assert_int_equal(once_timing_check(&timing, message, sizeof(message)), 0);
		assert_int_equal(timing.clock_drift_ppm, 100000);
	}
	assert_string_equal(message, "untouched");
	assert_int_equal(once_timing_profile(&timing, "quick"), -ENOENT);
	assert_int_equal(once_timing_profile(&timing, ""), -ENOENT);
}

static void test_profiles_are_the_documented_ones(void **state)
{
	struct once_timing t;

	assert_int_equal(once_timing_profile(&t, "fast"), 0);
	assert_int_equal(t.lease_ttl_s, 3);
	assert_int_equal(t.fence_after_ns, MS(1500));
	assert_int_equal(t.beat_interval_ns, MS(150));
	assert_int_equal(t.request_timeout_ns, MS(300));
	assert_int_equal(t.stop_grace_ns, MS(300));
	assert_int_equal(t.kill_budget_ns, MS(200));
}

static const struct row {
	struct once_timing timing;
	const char *message; /* NULL: good */
} rows[] = {
	/* exactly at the limit: 1000 + 1800 + 600 = 3400 = 6000 - 2100 - 500 */
	{{10, MS(6000), MS(1000), MS(900), MS(2100), MS(500), 100000}, NULL},
	{{10, MS(6000), MS(1000), MS(900), MS(2100) + 1, MS(500), 100000}, "is more than"},
	{{10, MS(6000), MS(1100) + 1, MS(900), MS(2000), MS(500), 100000},
		"BeatInterval + 2 Request"},
	{{6, MS(6000), MS(1000), MS(900), MS(2000), MS(500), 100000}, NULL},
	{{5, MS(6000), MS(1000), MS(900), MS(2000), MS(500), 100000}, "5s < 6s"},
	{{0, MS(6000), MS(1000), MS(900), MS(2000), MS(500), 100000}, "LeaseTTL is not"},
	{{10, 0, MS(1000), MS(900), MS(2000), MS(500), 100000}, "FenceAfter is not"},
	{{10, MS(6000), 0, MS(900), MS(2000), MS(500), 100000}, "BeatInterval is not"},
	{{10, MS(6000), MS(1000), -1, MS(2000), MS(500), 100000}, "RequestTimeout is not"},
	{{10, MS(6000), MS(1000), MS(900), 0, MS(500), 100000}, "StopGrace is not"},
	{{10, MS(6000), MS(1000), MS(900), MS(2000), 0, 100000}, "KillBudget is not"},
	{{10, MS(6000), MS(1000), MS(900), MS(2000), MS(500), 0}, "ClockDrift is not"},
	{{10, MS(6000), MS(1000), MS(900), MS(2000), MS(500), 1000001}, "ClockDrift is not"},
	{{INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX, INT32_MAX},
		"LeaseTTL is"},
	{{10, INT64_MAX, MS(1000), MS(900), MS(2000), MS(500), 100000}, "FenceAfter is not"},
};

static void test_the_rule_is_told_with_its_numbers(void **state)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char message[512] = "";
		int r = once_timing_check(&rows[i].timing, message, sizeof(message));

		if (r != (rows[i].message ? -EINVAL : 0) ||
			!strstr(message, rows[i].message ? rows[i].message : "") ||
			strchr(message, '\n'))
			fail_msg("row %zu: %d %s", i, r, message);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_profiles_keep_the_rule),
		cmocka_unit_test(test_profiles_are_the_documented_ones),
		cmocka_unit_test(test_the_rule_is_told_with_its_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
