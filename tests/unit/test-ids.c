/* Numbers: never one twice, whatever is lost on the way; and what an allocator refuses. */
#include "tests/unit/unit.h"
#include "tests/fake/crowd.h"

#include <once/ids.h>

#define KEY "/onced/ids/n"

static struct crowd crowd;

struct got {
	int n, error;
	int64_t first, count;
};

static void on_ids(void *userdata, int error, int64_t first, int64_t count, const char *message)
{
	struct got *got = userdata;

	got->n++;
	got->error = error;
	got->first = first;
	got->count = count;
	assert_non_null(message);
	assert_true(error == 0 || message[0] != '\0');
}

static struct got alloc(int64_t count)
{
	struct got got = {0};

	assert_int_equal(
		once_ids_alloc(crowd.member[0].records, NULL, "n", count, 0, on_ids, &got), 0);
	assert_int_equal(got.n, 0);
	while (got.n == 0)
		crowd_step(&crowd);
	return got;
}

static void numbers_begin_at_one_and_go_on(void **state)
{
	struct got got;

	crowd_init(&crowd, 1, 1, 0);
	got = alloc(5);
	assert_int_equal(got.first, 1);
	assert_int_equal(got.count, 5);
	assert_int_equal(alloc(1).first, 6);
	assert_int_equal(alloc(1000000000).first, 7);
	crowd_fini(&crowd);
}

static void what_is_no_counter_is_left_alone(void **state)
{
	static const char *const values[] = {"", "5", "{}", "{\"v\":1}", "{\"v\":1,\"next\":0}",
		"{\"v\":1,\"next\":-4}", "{\"v\":1,\"next\":\"x\"}",
		"{\"v\":1,\"next\":\"9223372036854775808\"}"};

	crowd_init(&crowd, 1, 1, 0);
	for (size_t i = 0; i < LENGTH(values); i++) {
		char *after;

		fake_etcd_put(crowd.etcd, KEY, values[i], 0);
		check_case(values[i], alloc(1).error == -EBADMSG);
		after = fake_etcd_value(crowd.etcd, KEY);
		assert_string_equal(after, values[i]);
		free(after);
	}
	crowd_fini(&crowd);
}

static void the_last_numbers(void **state)
{
	struct got got;

	crowd_init(&crowd, 1, 1, 0);
	fake_etcd_put(crowd.etcd, KEY, "{\"v\":1,\"next\":\"9223372036854775800\"}", 0);
	assert_int_equal(alloc(8).error, -EOVERFLOW);
	got = alloc(7);
	assert_int_equal(got.error, 0);
	assert_true(got.first == INT64_MAX - 7);
	assert_int_equal(alloc(1).error, -EOVERFLOW);
	crowd_fini(&crowd);
}

static void bad_requests_are_refused_at_once(void **state)
{
	struct once_ids *ids;
	struct once_records *records;

	crowd_init(&crowd, 1, 1, 0);
	records = crowd.member[0].records;
	assert_int_equal(once_ids_alloc(records, NULL, "a/b", 1, 0, on_ids, NULL), -EINVAL);
	assert_int_equal(once_ids_alloc(records, NULL, "n", 0, 0, on_ids, NULL), -EINVAL);
	assert_int_equal(once_ids_alloc(records, NULL, "n", -1, 0, on_ids, NULL), -EINVAL);
	assert_int_equal(
		once_ids_alloc(records, NULL, "n", ONCE_IDS_MAX + 1L, 0, on_ids, NULL), -EINVAL);
	assert_int_equal(once_ids_new(&ids, records, "", 10), -EINVAL);
	assert_int_equal(once_ids_new(&ids, records, "n", 0), -EINVAL);
	assert_int_equal(once_ids_new(&ids, records, "n", 10), 0);
	assert_int_equal(once_ids_take(ids, NULL, 0, on_ids, NULL), -EINVAL);
	ids = once_ids_free(ids);
	crowd_fini(&crowd);
}

static void a_lost_answer_loses_at_most_its_block(void **state)
{
	struct got a = {0}, b = {0};

	/* A's answer is lost, then B takes: A cannot know, and gives its block up */
	crowd_init(&crowd, 2, 1, 0);
	assert_int_equal(once_ids_alloc(crowd.member[0].records, NULL, "n", 10, 0, on_ids, &a), 0);
	fake_loop_run(&crowd.loop, 0);
	assert_true(fake_etcd_serve(crowd.etcd, crowd.member[0].transport, FATE_ANSWERED));
	fake_loop_run(&crowd.loop, 0);
	assert_true(fake_etcd_serve(crowd.etcd, crowd.member[0].transport, FATE_ANSWER_LOST));
	crowd.member[0].cut = true;
	assert_int_equal(once_ids_alloc(crowd.member[1].records, NULL, "n", 10, 0, on_ids, &b), 0);
	while (b.n == 0)
		crowd_step(&crowd);
	assert_int_equal(b.first, 11);
	crowd.member[0].cut = false;
	while (a.n == 0)
		crowd_step(&crowd);
	assert_int_equal(a.first, 21);
	/* without B between, the second copy finds the first */
	a.n = 0;
	assert_int_equal(once_ids_alloc(crowd.member[0].records, NULL, "n", 10, 0, on_ids, &a), 0);
	fake_loop_run(&crowd.loop, 0);
	assert_true(fake_etcd_serve(crowd.etcd, crowd.member[0].transport, FATE_ANSWERED));
	fake_loop_run(&crowd.loop, 0);
	assert_true(fake_etcd_serve(crowd.etcd, crowd.member[0].transport, FATE_ANSWER_LOST));
	while (a.n == 0)
		crowd_step(&crowd);
	assert_int_equal(a.first, 31);
	assert_int_equal(fake_etcd_get(crowd.etcd, KEY)->version, 4);
	crowd_fini(&crowd);
}

static void a_pool_asks_when_half_is_used(void **state)
{
	struct once_ids *ids;
	struct got got = {0};

	crowd_init(&crowd, 1, 1, 0);
	assert_int_equal(once_ids_new(&ids, crowd.member[0].records, "n", 10), 0);
	for (int i = 1; i <= 40; i++) {
		int64_t version = i < 2 ? 0 : fake_etcd_get(crowd.etcd, KEY)->version;

		assert_int_equal(once_ids_take(ids, NULL, 1, on_ids, &got), 0);
		while (got.n < i)
			crowd_step(&crowd);
		assert_int_equal(got.first, i);
		for (int j = 0; j < 50; j++)
			crowd_step(&crowd);
		/* at 1 the first block, at 6 of each the next */
		check_case("blocks", fake_etcd_get(crowd.etcd, KEY)->version - version ==
					     (i == 1 || i % 10 == 6));
	}
	ids = once_ids_free(ids);
	crowd_fini(&crowd);
}

static void those_who_wait_share_a_block(void **state)
{
	struct got got[100] = {0};
	struct once_ids *ids;
	struct once_task *task;

	crowd_init(&crowd, 1, 1, 0);
	assert_int_equal(once_ids_new(&ids, crowd.member[0].records, "n", 10), 0);
	for (size_t i = 0; i < LENGTH(got); i++)
		assert_int_equal(once_ids_take(ids, &task, 7, on_ids, &got[i]), 0);
	task = once_task_cancel(task); /* the last */
	while (got[98].n == 0)
		crowd_step(&crowd);
	for (size_t i = 0; i < 99; i++)
		assert_int_equal(got[i].first, 1 + 7 * i);
	assert_int_equal(got[99].n, 0);
	assert_true(fake_etcd_get(crowd.etcd, KEY)->version <= 2);
	ids = once_ids_free(ids);
	crowd_fini(&crowd);
}

static void a_counter_that_goes_back_is_noticed(void **state)
{
	struct once_ids *ids;
	struct got got = {0};

	crowd_init(&crowd, 1, 1, 0);
	assert_int_equal(once_ids_new(&ids, crowd.member[0].records, "n", 10), 0);
	assert_int_equal(once_ids_take(ids, NULL, 10, on_ids, &got), 0);
	while (got.n < 1)
		crowd_step(&crowd);
	for (int j = 0; j < 50; j++)
		crowd_step(&crowd); /* the spare */
	fake_etcd_delete(crowd.etcd, KEY);
	assert_int_equal(once_ids_take(ids, NULL, 10, on_ids, &got), 0);
	assert_int_equal(once_ids_take(ids, NULL, 10, on_ids, &got), 0);
	while (got.n < 3)
		crowd_step(&crowd);
	assert_int_equal(got.error, -ESTALE);
	assert_null(fake_etcd_get(crowd.etcd, KEY));
	ids = once_ids_free(ids);
	crowd_fini(&crowd);
}

/* ---- many, under faults ---------------------------------------------------------------------- */

enum { TAKERS = 8, NUMBERS = 20000 };

static uint8_t taken[NUMBERS * 100];
static int64_t n_taken, highest;

static void on_taken(void *userdata, int error, int64_t first, int64_t count, const char *message)
{
	int *waits = userdata;

	*waits = 0;
	if (error)
		return;
	for (int64_t i = first; i < first + count; i++) {
		assert_true(i > 0 && i < (int64_t)sizeof(taken));
		if (taken[i]++)
			fail_msg("%lld was given out twice", (long long)i);
	}
	n_taken += count;
	if (first + count - 1 > highest)
		highest = first + count - 1;
}

/* Takers come and go: half take from pools, half straight; each is killed now and then. */
static void many_takers(uint64_t seed)
{
	struct once_ids *pools[TAKERS] = {0};
	struct once_task *tasks[TAKERS] = {0};
	int waits[TAKERS] = {0};

	crowd_init(&crowd, TAKERS, seed, 20);
	memset(taken, 0, sizeof(taken));
	n_taken = highest = 0;
	while (n_taken < NUMBERS) {
		for (size_t i = 0; i < TAKERS; i++) {
			struct once_records *records = crowd.member[i].records;
			int64_t count = (int64_t)(1 + crowd_random(&crowd, 100));

			if (crowd_random(&crowd, 200) == 0) {
				pools[i] = once_ids_free(pools[i]);
				if (waits[i] && i % 2)
					tasks[i] = once_task_cancel(tasks[i]);
				waits[i] = 0;
			}
			if (waits[i])
				continue;
			if (i % 2 == 0 && !pools[i])
				assert_int_equal(once_ids_new(&pools[i], records, "n", 50), 0);
			assert_int_equal(
				i % 2 ? once_ids_alloc(records, &tasks[i], "n", count, 0, on_taken,
						&waits[i])
				      : once_ids_take(pools[i], NULL, count, on_taken, &waits[i]),
				0);
			waits[i] = 1;
		}
		crowd_step(&crowd);
	}
	print_message("seed %lld: %lld numbers, highest %lld\n", (long long)seed,
		(long long)n_taken, (long long)highest);
	for (size_t i = 0; i < TAKERS; i++)
		pools[i] = once_ids_free(pools[i]);
	crowd_fini(&crowd);
}

static void no_number_comes_twice(void **state)
{
	for (uint64_t seed = 1; seed <= 3; seed++)
		many_takers(seed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_begin_at_one_and_go_on),
		cmocka_unit_test(what_is_no_counter_is_left_alone),
		cmocka_unit_test(the_last_numbers),
		cmocka_unit_test(bad_requests_are_refused_at_once),
		cmocka_unit_test(a_lost_answer_loses_at_most_its_block),
		cmocka_unit_test(a_pool_asks_when_half_is_used),
		cmocka_unit_test(those_who_wait_share_a_block),
		cmocka_unit_test(a_counter_that_goes_back_is_noticed),
		cmocka_unit_test(no_number_comes_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
