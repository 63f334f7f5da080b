/* The table of deadlines: what counts as an extension, and when it is time. */
#include "daemon/deadline.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#define MS ONCE_NSEC_PER_MSEC

static struct deadlines table;

static struct once_instant t(int64_t ms)
{
	return (struct once_instant){(1000 + ms) * MS, (7000 + ms) * MS};
}

/* V 6 s, G 2 s, K 500 ms. */
static struct link_extend proof(uint32_t group, int64_t token, int64_t at_ms)
{
	return (struct link_extend){
		LINK_EXTEND, group, token, t(at_ms), 6000 * MS, 2000 * MS, 500 * MS};
}

static int extend(uint32_t group, int64_t token, int64_t at_ms, int64_t now_ms)
{
	struct link_extend packet = proof(group, token, at_ms);

	return deadlines_extend(&table, &packet, t(now_ms));
}

static int setup(void **state)
{
	(void)state;
	memset(&table, 0, sizeof(table));
	return 0;
}

static int64_t left(uint32_t group, struct once_instant now)
{
	return deadline_left(deadlines_find(&table, group), now);
}

static void test_time_counts_from_the_proof_not_from_its_arrival(void **state)
{
	(void)state;
	assert_int_equal(extend(0, 5, 0, 900), 0);
	assert_int_equal(left(0, t(900)), 5100 * MS);
}

static void test_whichever_clock_says_expired_is_right(void **state)
{
	struct once_instant now = t(0);

	(void)state;
	assert_int_equal(extend(0, 5, 0, 0), 0);
	now.boot_ns += 6001 * MS; /* suspended: RAW stood still */
	assert_int_equal(left(0, now), -MS);
	now = t(0);
	now.raw_ns += 6002 * MS; /* slewed: BOOTTIME is behind */
	assert_int_equal(left(0, now), -2 * MS);
}

static void test_deadline_only_grows_within_a_token(void **state)
{
	struct link_extend shorter = proof(0, 5, 1000);

	(void)state;
	shorter.valid_ns = 1000 * MS;
	assert_int_equal(extend(0, 5, 1000, 1000), 0);
	assert_int_equal(extend(0, 5, 400, 1100), 0);
	assert_int_equal(deadlines_extend(&table, &shorter, t(1100)), 0);
	assert_int_equal(left(0, t(1000)), 6000 * MS);
	assert_int_equal(extend(0, 5, 2000, 2100), 0);
	assert_int_equal(left(0, t(2000)), 6000 * MS);
}

static void test_tokens_never_go_back(void **state)
{
	(void)state;
	assert_int_equal(extend(0, 5, 0, 0), 0);
	assert_int_equal(extend(0, 4, 3000, 3000), DEADLINE_STALE);
	assert_int_equal(left(0, t(0)), 6000 * MS);
	assert_int_equal(extend(0, 6, 100, 100), DEADLINE_REPLACED);
	assert_int_equal(deadlines_find(&table, 0)->token, 6);
	assert_int_equal(extend(0, 5, 9000, 9000), DEADLINE_STALE);
}

static void test_proof_from_the_future_counts_from_now(void **state)
{
	(void)state;
	assert_int_equal(extend(0, 5, 4000, 1000), 0);
	assert_int_equal(left(0, t(1000)), 6000 * MS);
}

static void test_nonsense_is_refused(void **state)
{
	struct link_extend packet = proof(0, 5, 0);

	(void)state;
	packet.valid_ns = -1;
	assert_int_equal(deadlines_extend(&table, &packet, t(0)), -EINVAL);
	packet.valid_ns = INT64_MAX;
	assert_int_equal(deadlines_extend(&table, &packet, t(0)), -EINVAL);
	packet = proof(0, 5, 0);
	packet.kill_ns = -1;
	assert_int_equal(deadlines_extend(&table, &packet, t(0)), -EINVAL);
	packet = proof(0, 5, 0);
	packet.proved.raw_ns = INT64_MIN;
	assert_int_equal(deadlines_extend(&table, &packet, t(0)), -EINVAL);
	assert_null(deadlines_find(&table, 0));
}

static void test_wakes_for_live_runs_only_and_ahead_of_a_slewed_clock(void **state)
{
	struct deadline *d;

	(void)state;
	assert_int_equal(extend(0, 5, 0, 0), 0);
	assert_true(deadlines_next_wake(&table, t(0)) == DEADLINE_NEVER);
	assert_true(deadlines_fuse(&table, t(0)) == DEADLINE_NEVER);
	d = deadlines_find(&table, 0);
	d->live = d->unkilled = 1;
	assert_int_equal(deadlines_next_wake(&table, t(0)), 3150 * MS); /* 0.9 (D - K - G) */
	assert_int_equal(deadlines_fuse(&table, t(0)), 5875 * MS);	/* D - K/4 */
	d->soft_done = true;
	assert_int_equal(deadlines_next_wake(&table, t(0)), 4950 * MS); /* 0.9 (D - K) */
	assert_true(deadlines_next_wake(&table, t(9000)) < 0);
	assert_int_equal(deadlines_fuse(&table, t(9000)), 1);
	d->unkilled = 0;
	assert_true(deadlines_next_wake(&table, t(0)) == DEADLINE_NEVER);
	assert_true(deadlines_fuse(&table, t(0)) == DEADLINE_NEVER);
}

static void test_fuse_is_the_earliest_groups(void **state)
{
	(void)state;
	assert_int_equal(extend(0, 5, 500, 1000), 0);
	assert_int_equal(extend(1, 5, 0, 1000), 0);
	assert_int_equal(extend(2, 5, 800, 1000), 0);
	for (uint32_t g = 0; g < 3; g++)
		deadlines_find(&table, g)->unkilled = 1;
	assert_int_equal(deadlines_fuse(&table, t(1000)), 4875 * MS);
}

static void test_full_table_gives_away_only_what_is_over(void **state)
{
	(void)state;
	for (uint32_t g = 0; g < LINK_GROUPS_MAX; g++)
		assert_int_equal(extend(g, 5, 0, 0), 0);
	assert_int_equal(extend(5000, 5, 10, 10), -ENOSPC);
	deadlines_find(&table, 0)->live = 1;
	assert_int_equal(extend(5000, 5, 7000, 7000), 0);
	assert_non_null(deadlines_find(&table, 0));
	assert_null(deadlines_find(&table, 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_time_counts_from_the_proof_not_from_its_arrival, setup),
		cmocka_unit_test_setup(test_whichever_clock_says_expired_is_right, setup),
		cmocka_unit_test_setup(test_deadline_only_grows_within_a_token, setup),
		cmocka_unit_test_setup(test_tokens_never_go_back, setup),
		cmocka_unit_test_setup(test_proof_from_the_future_counts_from_now, setup),
		cmocka_unit_test_setup(test_nonsense_is_refused, setup),
		cmocka_unit_test_setup(
			test_wakes_for_live_runs_only_and_ahead_of_a_slewed_clock, setup),
		cmocka_unit_test_setup(test_fuse_is_the_earliest_groups, setup),
		cmocka_unit_test_setup(test_full_table_gives_away_only_what_is_over, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
