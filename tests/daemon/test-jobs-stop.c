/* Services that are told to stop, in whatever state they are: the group is given up after the last. */
#include "tests/daemon/jobs-rig.h"

#include <sys/socket.h>

static void stop_while_idle(void **state)
{
	struct rig r;

	setup_one(&r)->restart = CONFIG_RESTART_NO;
	begin(&r);
	jobs_stop(&r.jobs, 300 * MS); /* never led */
	assert_int_equal(r.n_all_stopped, 1);
	lead(&r, 7);
	say_over(&r, run_it(&r), 0);
	jobs_stop(&r.jobs, 300 * MS); /* ended for good */
	assert_int_equal(r.n_all_stopped, 2);
	assert_int_equal(r.n_stopped, 0);
	teardown(&r);
}

static void stop_while_starting(void **state)
{
	struct rig r;
	uint64_t run;

	(void)setup_one(&r);
	begin(&r);
	lead(&r, 7);
	run = expect_launch(&r);
	jobs_stop(&r.jobs, 300 * MS);
	expect_stop(&r, run, 300 * MS);
	say_started(&r, run);
	assert_int_equal(r.n_all_stopped, 0);
	say_over(&r, run, STATUS_KILLED);
	assert_int_equal(r.n_all_stopped, 1);
	assert_false(r.by_itself);

	lead(&r, 8);
	run = expect_launch(&r);
	jobs_stop(&r.jobs, 300 * MS);
	expect_stop(&r, run, 300 * MS);
	say_refused(&r, run, -ESTALE); /* the stop was first */
	assert_int_equal(r.n_all_stopped, 2);
	fake_loop_run(&r.loop, 60000 * (int64_t)MS);
	teardown(&r);
}

static void stop_while_running(void **state)
{
	struct rig r;
	uint64_t run;

	setup_one(&r)->stop_grace_ns = 100 * MS;
	begin(&r);
	lead(&r, 7);
	run = run_it(&r);
	jobs_stop(&r.jobs, 300 * MS);
	expect_stop(&r, run, 100 * MS); /* the job's own is shorter */
	jobs_stop(&r.jobs, 0);
	expect_stop(&r, run, 0);
	say_ended(&r, run, STATUS_EXIT_1);
	assert_int_equal(r.n_all_stopped, 0);
	say_empty(&r, run, 0);
	assert_int_equal(r.n_all_stopped, 1);
	assert_int_equal(r.n_stopped, 1);
	assert_int_equal(r.code, 1);
	assert_false(r.by_itself);
	say_empty(&r, run, 0); /* once more, late */
	assert_int_equal(r.n_all_stopped, 1);
	assert_int_equal(r.n_stopped, 1);
	fake_loop_run(&r.loop, 60000 * (int64_t)MS);
	teardown(&r);
}

static void fill_link(struct rig *r)
{
	while (uplink_notify(&r->uplink, "STATUS=x") == 0)
		;
}

static void drain_link(struct rig *r)
{
	while (recv(r->fds[0], &packet, sizeof(packet), MSG_DONTWAIT) > 0)
		;
	while (fake_loop_poll(&r->loop))
		;
}

static void stop_while_the_link_is_full(void **state)
{
	struct rig r;
	struct config none = {0};
	uint64_t run;

	(void)setup_one(&r);
	begin(&r);
	lead(&r, 7);
	run = run_it(&r);
	fill_link(&r);
	jobs_stop(&r.jobs, 300 * MS);
	fake_loop_run(&r.loop, 10 * MS);
	drain_link(&r);
	expect_stop(&r, run, 290 * MS);
	expect_silence(&r);
	say_over(&r, run, 0);
	assert_int_equal(r.n_all_stopped, 1);
	lead(&r, 8);
	run = run_it(&r);
	fill_link(&r);
	jobs_stop(&r.jobs, 300 * MS);
	say_over(&r, run, 0); /* it ends by itself before it hears of it */
	reload(&r, &none);    /* and goes while the order is owed */
	drain_link(&r);
	teardown(&r);
}

static void stop_while_its_tree_dies(void **state)
{
	struct rig r;
	uint64_t run;

	(void)setup_one(&r);
	begin(&r);
	lead(&r, 7);
	run = run_it(&r);
	say_ended(&r, run, STATUS_EXIT_1);
	jobs_stop(&r.jobs, 300 * MS);
	expect_stop(&r, run, 300 * MS);
	assert_int_equal(r.n_all_stopped, 0);
	say_empty(&r, run, 0);
	assert_int_equal(r.n_all_stopped, 1);
	assert_true(r.by_itself);
	fake_loop_run(&r.loop, 60000 * (int64_t)MS);
	teardown(&r);
}

static void stop_while_pausing(void **state)
{
	struct rig r;

	(void)setup_one(&r);
	begin(&r);
	lead(&r, 7);
	say_over(&r, run_it(&r), 0);
	jobs_stop(&r.jobs, 300 * MS);
	assert_int_equal(r.n_all_stopped, 1);
	fake_loop_run(&r.loop, 60000 * (int64_t)MS);
	expect_silence(&r);
	lead(&r, 8);
	assert_int_equal(expect_launch(&r), 2); /* numbers of runs go on, attempts begin anew */
	assert_string_equal(launch_variable("ONCED_ATTEMPT"), "1");
	assert_string_equal(launch_variable("ONCED_TOKEN"), "8");
	teardown(&r);
}

static void what_does_not_die_holds_back_the_release(void **state)
{
	struct rig r;
	uint64_t a, b;

	(void)setup_one(&r);
	(void)add_job(&r.config, "b", "/bin/b");
	begin(&r);
	lead(&r, 7);
	a = run_it(&r);
	b = run_it(&r);
	jobs_stop(&r.jobs, 300 * MS);
	expect_stop(&r, a, 300 * MS);
	expect_stop(&r, b, 300 * MS);
	say_over(&r, b, 0);
	say_ended(&r, a, STATUS_KILLED);
	say_empty(&r, a, -ETIMEDOUT);
	say_empty(&r, a, -ETIMEDOUT);
	fake_loop_run(&r.loop, 60000 * (int64_t)MS);
	assert_int_equal(r.n_all_stopped, 0);
	say_empty(&r, a, 0);
	assert_int_equal(r.n_all_stopped, 1);
	teardown(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stop_while_idle),
		cmocka_unit_test(stop_while_starting),
		cmocka_unit_test(stop_while_running),
		cmocka_unit_test(stop_while_the_link_is_full),
		cmocka_unit_test(stop_while_its_tree_dies),
		cmocka_unit_test(stop_while_pausing),
		cmocka_unit_test(what_does_not_die_holds_back_the_release),
	};

	return cmocka_run_group_tests(tests, quiet, NULL);
}
