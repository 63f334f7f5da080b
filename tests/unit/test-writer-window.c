/* record/writer-window.h over a server that works on so many requests at once and takes so long for
 * each: what is more waits there. */
#include "record/writer-window.h"
#include "unit.h"

enum { BYTES = 1000 };

struct server {
	int64_t service_ns, round_trip_ns;
	size_t workers;
};

static int64_t answer_ns(const struct server *s, size_t inflight)
{
	int64_t rounds = inflight > s->workers ? (int64_t)(inflight * 100 / s->workers) : 100;

	return s->round_trip_ns + s->service_ns * rounds / 100;
}

/* The largest window of the last hundred of n answers. */
static size_t run(struct window *w, const struct server *s, size_t n)
{
	size_t largest = 0;

	for (size_t i = 0; i < n; i++) {
		window_answered(w, answer_ns(s, w->size), BYTES);
		assert_in_range(w->size, 1, w->max);
		if (i + 100 >= n && w->size > largest)
			largest = w->size;
	}
	return largest;
}

static void test_no_more_wait_than_are_worked_on(void **state)
{
	const struct server s = {.service_ns = 1000000, .workers = 2};
	struct window w;

	window_init(&w, 64, false);
	assert_int_equal(w.size, 1);
	assert_in_range(run(&w, &s, 2000), 3, 8);
}

static void test_a_long_way_is_filled_at_once(void **state)
{
	const struct server s = {.service_ns = 10000, .round_trip_ns = 100000000, .workers = 2};
	struct window w;

	window_init(&w, 64, false);
	(void)run(&w, &s, 63);
	assert_int_equal(w.size, 64);
	assert_int_equal(run(&w, &s, 2000), 64);
}

static void test_a_server_that_becomes_slower_is_measured_again(void **state)
{
	struct server s = {.service_ns = 1000000, .workers = 4};
	struct window w;
	size_t before;

	window_init(&w, 64, false);
	before = run(&w, &s, 2000);
	s.service_ns *= 20;
	assert_in_range(run(&w, &s, 3000), before / 2, before * 2);
	/* What it takes alone is not known until one is: with some in flight it is overrated. */
	s.service_ns /= 20;
	assert_in_range(run(&w, &s, 3000), before / 2, before * 4);
}

static void test_one_slow_answer_of_many_changes_little(void **state)
{
	const struct server s = {.service_ns = 1000000, .round_trip_ns = 20000000, .workers = 8};
	struct window w;

	window_init(&w, 16, false);
	for (int i = 0; i < 50; i++) {
		(void)run(&w, &s, 19);
		window_answered(&w, 5000000000, BYTES);
	}
	assert_in_range(w.size, 12, 16);
}

static void test_small_requests_say_nothing_of_large_ones(void **state)
{
	const struct server s = {.service_ns = 10000000, .workers = 8};
	struct window w;
	size_t before;

	window_init(&w, 8, false);
	window_answered(&w, 10000, 10);
	before = run(&w, &s, 500);
	for (int i = 0; i < 1000; i++)
		window_answered(&w, 10000, 10);
	assert_int_equal(run(&w, &s, 100), before);
	assert_int_equal(before, 8);
}

static void test_small_requests_count_when_they_are_all_there_is(void **state)
{
	const struct server s = {.service_ns = 10000000, .workers = 8};
	struct window w;

	window_init(&w, 8, false);
	window_answered(&w, 100000000, 100 * BYTES);
	assert_int_equal(run(&w, &s, 1000), 8);
}

static void test_no_answer_halves_it(void **state)
{
	const struct server s = {.round_trip_ns = 100000000, .workers = 1};
	struct window w;

	window_init(&w, 64, false);
	assert_int_equal(run(&w, &s, 500), 64);
	window_lost(&w);
	assert_int_equal(w.size, 32);
	for (int i = 0; i < 10; i++)
		window_lost(&w);
	assert_int_equal(w.size, 1);
	assert_in_range(run(&w, &s, 5000), 60, 64);
}

static void test_a_fixed_one_stays(void **state)
{
	const struct server s = {.service_ns = 1000000, .workers = 1};
	struct window w;

	window_init(&w, 64, true);
	assert_int_equal(run(&w, &s, 500), 64);
	window_lost(&w);
	assert_int_equal(w.size, 64);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_more_wait_than_are_worked_on),
		cmocka_unit_test(test_a_long_way_is_filled_at_once),
		cmocka_unit_test(test_a_server_that_becomes_slower_is_measured_again),
		cmocka_unit_test(test_one_slow_answer_of_many_changes_little),
		cmocka_unit_test(test_small_requests_say_nothing_of_large_ones),
		cmocka_unit_test(test_small_requests_count_when_they_are_all_there_is),
		cmocka_unit_test(test_no_answer_halves_it),
		cmocka_unit_test(test_a_fixed_one_stays),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
