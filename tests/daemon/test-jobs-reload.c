/* Services whose definitions change while they run, or go. */
#include "tests/daemon/jobs-rig.h"

static void reload_changes_only_what_differs(void **state)
{
	struct rig r;
	struct config fresh = {0};
	struct config_job *same;
	uint64_t kept, changed, dropped, added;

	(void)setup_one(&r);
	(void)add_job(&r.config, "b", "/bin/b");
	(void)add_job(&r.config, "c", "/bin/c");
	begin(&r);
	lead(&r, 7);
	kept = run_it(&r);
	changed = run_it(&r);
	dropped = run_it(&r);

	same = add_job(&fresh, "a", "/bin/a");
	/* what lies between the members is nobody's */
	memset((char *)&same->retry + offsetof(struct policy_retry, on_timeout) + 1, 0x55,
		offsetof(struct policy_retry, on) - offsetof(struct policy_retry, on_timeout) - 1);
	add_variable(add_job(&fresh, "b", "/bin/b"), "NEW=1");
	(void)add_job(&fresh, "d", "/bin/d");
	reload(&r, &fresh);
	expect_stop(&r, dropped, 300 * MS);
	expect_stop(&r, changed, 300 * MS);
	added = run_it(&r);
	assert_string_equal(launch_string(1), "/bin/d");
	expect_silence(&r);

	say_over(&r, dropped, 0);
	say_ended(&r, changed, 0);
	fake_loop_run(&r.loop, 60000 * (int64_t)MS);
	expect_silence(&r); /* the old b has children yet */
	say_empty(&r, changed, -ETIMEDOUT);
	expect_silence(&r);
	say_empty(&r, changed, 0);
	changed = run_it(&r);
	assert_string_equal(launch_string(1), "/bin/b");
	assert_string_equal(launch_variable("NEW"), "1");
	assert_string_equal(launch_variable("ONCED_TOKEN"), "7");

	say_over(&r, kept, 0); /* goes on under its new definition */
	fake_loop_run(&r.loop, 1000 * MS);
	kept = run_it(&r);
	assert_string_equal(launch_string(1), "/bin/a");
	jobs_stop(&r.jobs, 0);
	expect_stop(&r, kept, 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(take(&r), LINK_STOP);
	say_over(&r, kept, 0);
	say_over(&r, changed, 0);
	assert_int_equal(r.n_all_stopped, 0);
	say_over(&r, added, 0);
	assert_int_equal(r.n_all_stopped, 1);
	teardown(&r);
}

static void every_key_of_a_job_counts(void **state)
{
	for (int i = 0; i < 8; i++) {
		struct rig r;
		struct config fresh = {0};
		struct config_job *job;
		uint64_t run;

		add_variable(setup_one(&r), "A=1");
		begin(&r);
		lead(&r, 7);
		run = run_it(&r);
		job = add_job(&fresh, "a", i == 1 ? "/bin/other" : "/bin/a");
		add_variable(job, i == 2 ? "A=2" : "A=1");
		if (i == 3)
			add_variable(job, "B=1");
		job->directory = i == 4 ? strdup("/tmp") : NULL;
		job->restart = i == 5 ? CONFIG_RESTART_NO : job->restart;
		job->restart_delay_ns += i == 6;
		job->isolate = i == 7;
		reload(&r, &fresh);
		if (i != 0) {
			expect_stop(&r, run, 300 * MS);
			expect_silence(&r);
			say_over(&r, run, 0);
			(void)expect_launch(&r);
		}
		teardown(&r);
	}
}

/* It would be stopped for what only says how it is stopped. */
static void another_grace_disturbs_nothing(void **state)
{
	struct rig r;
	struct config fresh = {0};
	uint64_t run;

	(void)setup_one(&r);
	begin(&r);
	lead(&r, 7);
	run = run_it(&r);
	add_job(&fresh, "a", "/bin/a")->stop_grace_ns = 50 * MS;
	reload(&r, &fresh);
	expect_silence(&r);
	jobs_stop(&r.jobs, 300 * MS);
	expect_stop(&r, run, 50 * MS);
	teardown(&r);
}

static void only_the_last_of_two_reloads_starts(void **state)
{
	struct rig r;
	struct config second = {0}, third = {0}, fourth = {0};
	uint64_t run;

	(void)setup_one(&r);
	begin(&r);
	lead(&r, 7);
	run = run_it(&r);
	(void)add_job(&second, "a", "/bin/second");
	reload(&r, &second);
	expect_stop(&r, run, 300 * MS);
	(void)add_job(&third, "a", "/bin/third");
	reload(&r, &third);
	expect_silence(&r);
	reload(&r, &fourth); /* gone */
	(void)add_job(&fourth, "a", "/bin/fourth");
	reload(&r, &fourth); /* and back */
	expect_silence(&r);
	say_over(&r, run, 0);
	(void)expect_launch(&r);
	assert_string_equal(launch_string(1), "/bin/fourth");
	teardown(&r);
}

static void a_dropped_job_holds_back_the_release(void **state)
{
	struct rig r;
	struct config fresh = {0};
	uint64_t run;

	(void)setup_one(&r);
	begin(&r);
	lead(&r, 7);
	run = run_it(&r);
	reload(&r, &fresh);
	expect_stop(&r, run, 300 * MS);
	jobs_stop(&r.jobs, 0);
	expect_stop(&r, run, 0);
	say_ended(&r, run, 0);
	say_empty(&r, run, -ETIMEDOUT);
	assert_int_equal(r.n_all_stopped, 0);
	say_empty(&r, run, 0);
	assert_int_equal(r.n_all_stopped, 1);
	teardown(&r);
}

static void a_changed_job_waits_across_terms(void **state)
{
	struct rig r;
	struct config fresh = {0};
	uint64_t run;

	(void)setup_one(&r);
	begin(&r);
	lead(&r, 7);
	run = run_it(&r);
	(void)add_job(&fresh, "a", "/bin/new");
	reload(&r, &fresh);
	expect_stop(&r, run, 300 * MS);
	jobs_stop(&r.jobs, 300 * MS);
	expect_stop(&r, run, 300 * MS);
	say_over(&r, run, 0);
	expect_silence(&r); /* this node does not lead any more */
	assert_int_equal(r.n_all_stopped, 1);
	lead(&r, 8);
	(void)expect_launch(&r);
	assert_string_equal(launch_string(1), "/bin/new");
	expect_silence(&r);
	teardown(&r);
}

static void a_follower_reloads_in_silence(void **state)
{
	struct rig r;
	struct config fresh = {0};

	(void)setup_one(&r);
	begin(&r);
	(void)add_job(&fresh, "a", "/bin/new");
	(void)add_job(&fresh, "b", "/bin/b");
	reload(&r, &fresh);
	jobs_extend(&r.jobs, (struct once_instant){1, 1});
	fake_loop_run(&r.loop, 60000 * (int64_t)MS);
	expect_silence(&r);
	lead(&r, 7);
	(void)expect_launch(&r);
	assert_string_equal(launch_string(1), "/bin/new");
	(void)expect_launch(&r);
	assert_string_equal(launch_string(1), "/bin/b");
	teardown(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reload_changes_only_what_differs),
		cmocka_unit_test(every_key_of_a_job_counts),
		cmocka_unit_test(another_grace_disturbs_nothing),
		cmocka_unit_test(only_the_last_of_two_reloads_starts),
		cmocka_unit_test(a_dropped_job_holds_back_the_release),
		cmocka_unit_test(a_changed_job_waits_across_terms),
		cmocka_unit_test(a_follower_reloads_in_silence),
	};

	return cmocka_run_group_tests(tests, quiet, NULL);
}
