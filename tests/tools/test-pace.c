/* A pace lets nothing through too early, and never waits long for what is due. */
#include "tests/unit/unit.h"

#include "tools/common/pace.h"

static const struct once_instant start = {1000, 1000};

static struct once_instant after(int64_t ns)
{
	return (struct once_instant){start.boot_ns + ns, start.raw_ns + ns};
}

static void no_limit_is_no_wait(void **state)
{
	struct pace pace = {.since = start};

	assert_int_equal(pace_wait_ns(&pace, 1000000, start), 0);
}

static void items_are_due_evenly(void **state)
{
	struct pace pace = {100, start};

	assert_int_equal(pace_wait_ns(&pace, 0, start), 0);
	for (uint64_t n = 1; n < 1000; n++) {
		int64_t due_ns = (int64_t)n * 10 * ONCE_NSEC_PER_MSEC;

		assert_int_equal(pace_wait_ns(&pace, n, after(due_ns)), 0);
		assert_int_equal(pace_wait_ns(&pace, n, after(due_ns - 5 * ONCE_NSEC_PER_MSEC)),
			5 * ONCE_NSEC_PER_MSEC);
		assert_int_equal(pace_wait_ns(&pace, n, after(due_ns - 10)), ONCE_NSEC_PER_MSEC);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_limit_is_no_wait),
		cmocka_unit_test(items_are_due_evenly),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
