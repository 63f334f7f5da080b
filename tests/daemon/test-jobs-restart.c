/* What follows when a service ends by itself, or cannot be started: Restart=. */
#include "tests/daemon/jobs-rig.h"

/* ---- ends by itself ---- */

static void restart_says_what_follows_an_end(void **state)
{
	static const struct {
		const char *name;
		enum config_restart restart;
		int status, code;
		bool again;
	} cases[] = {
		{"always, 0", CONFIG_RESTART_ALWAYS, 0, 0, true},
		{"always, 1", CONFIG_RESTART_ALWAYS, STATUS_EXIT_1, 1, true},
		{"always, killed", CONFIG_RESTART_ALWAYS, STATUS_KILLED, 137, true},
		{"on-failure, 0", CONFIG_RESTART_ON_FAILURE, 0, 0, false},
		{"on-failure, 1", CONFIG_RESTART_ON_FAILURE, STATUS_EXIT_1, 1, true},
		{"on-failure, killed", CONFIG_RESTART_ON_FAILURE, STATUS_KILLED, 137, true},
		{"no, 0", CONFIG_RESTART_NO, 0, 0, false},
		{"no, 1", CONFIG_RESTART_NO, STATUS_EXIT_1, 1, false},
		{"no, killed", CONFIG_RESTART_NO, STATUS_KILLED, 137, false},
	};

	for (size_t i = 0; i < LENGTH(cases); i++) {
		struct rig r;

		setup_one(&r)->restart = cases[i].restart;
		begin(&r);
		lead(&r, 7);
		say_over(&r, run_it(&r), cases[i].status);
		check_case(cases[i].name, r.n_finished == !cases[i].again);
		check_case(cases[i].name, cases[i].again || r.code == cases[i].code);
		fake_loop_run(&r.loop, 999 * MS); /* RestartDelay= is 1 s */
		check_case(cases[i].name, take(&r) == 0);
		fake_loop_run(&r.loop, 1 * MS);
		check_case(cases[i].name, (take(&r) == LINK_LAUNCH) == cases[i].again);
		if (cases[i].again) {
			check_case(cases[i].name, packet.launch.run == 2);
			assert_string_equal(launch_variable("ONCED_ATTEMPT"), "2");
		}
		teardown(&r);
	}
}

static void its_tree_must_be_empty_first(void **state)
{
	struct rig r;
	uint64_t run;

	setup_one(&r)->restart_delay_ns = 0;
	begin(&r);
	lead(&r, 7);
	run = run_it(&r);
	say_ended(&r, run, 0);
	fake_loop_run(&r.loop, 60000 * (int64_t)MS);
	expect_silence(&r);
	say_empty(&r, run, -ETIMEDOUT);
	fake_loop_run(&r.loop, 60000 * (int64_t)MS);
	expect_silence(&r);
	say_empty(&r, run, 0);
	fake_loop_run(&r.loop, 0);
	assert_int_equal(expect_launch(&r), 2);
	teardown(&r);
}

static void packets_about_other_runs_mean_nothing(void **state)
{
	struct rig r;
	uint64_t run;

	setup_one(&r)->restart_delay_ns = 0;
	begin(&r);
	lead(&r, 7);
	run = run_it(&r);
	say_over(&r, run + 1, 0);
	say_over(&r, 0, 0);
	fake_loop_run(&r.loop, 10 * MS);
	expect_silence(&r);
	say_over(&r, run, 0);
	fake_loop_run(&r.loop, 0);
	assert_int_equal(run_it(&r), run + 1);
	say_over(&r, run, 0); /* once more, late */
	fake_loop_run(&r.loop, 10 * MS);
	expect_silence(&r);
	teardown(&r);
}

/* ---- cannot be started ---- */

static void refused_for_good(void **state)
{
	static const struct {
		const char *name;
		int error, code;
	} cases[] = {{"no such command", -ENOENT, 127}, {"not allowed", -EACCES, 126},
		{"no more processes", -EAGAIN, 126}};

	for (size_t i = 0; i < LENGTH(cases); i++) {
		struct rig r;

		setup_one(&r)->restart = CONFIG_RESTART_NO;
		begin(&r);
		lead(&r, 7);
		say_refused(&r, expect_launch(&r), cases[i].error);
		check_case(cases[i].name, r.n_finished == 1 && r.code == cases[i].code);
		fake_loop_run(&r.loop, 60000 * (int64_t)MS);
		teardown(&r);
	}
}

static void refused_and_tried_again(void **state)
{
	struct rig r;

	setup_one(&r)->restart = CONFIG_RESTART_ON_FAILURE;
	begin(&r);
	lead(&r, 7);
	say_refused(&r, expect_launch(&r), -ENOENT);
	assert_int_equal(r.n_finished, 0);
	fake_loop_run(&r.loop, 1000 * MS);
	assert_int_equal(expect_launch(&r), 2);
	teardown(&r);
}

/* The guardian's word at the deadline is no end of the job's own, whatever Restart= says. */
static void stopped_by_the_guardian_is_not_over(void **state)
{
	struct link_ended ended = {.type = LINK_ENDED, .status = STATUS_KILLED, .told = 1};
	struct rig r;

	setup_one(&r)->restart = CONFIG_RESTART_NO;
	begin(&r);
	lead(&r, 7);
	ended.run = run_it(&r);
	say(&r, &ended, sizeof(ended));
	say_empty(&r, ended.run, 0);
	assert_int_equal(r.n_finished, 0);
	expect_silence(&r);
	fake_loop_run(&r.loop, r.config.timing.beat_interval_ns); /* a later proof: it goes on */
	assert_int_equal(expect_launch(&r), 2);
	teardown(&r);
}

/* Whatever Restart= says: nothing was started. */
static void no_time_left_means_the_next_beat(void **state)
{
	struct rig r;

	setup_one(&r)->restart = CONFIG_RESTART_NO;
	begin(&r);
	lead(&r, 7);
	say_refused(&r, expect_launch(&r), -ESTALE);
	assert_int_equal(r.n_finished, 0);
	expect_silence(&r);
	r.may_launch_ns = 0; /* the agent itself knows now */
	fake_loop_run(&r.loop, 600 * MS);
	expect_silence(&r);
	r.may_launch_ns = 1;
	fake_loop_run(&r.loop, r.config.timing.beat_interval_ns);
	assert_int_equal(expect_launch(&r), 2);
	teardown(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(restart_says_what_follows_an_end),
		cmocka_unit_test(its_tree_must_be_empty_first),
		cmocka_unit_test(packets_about_other_runs_mean_nothing),
		cmocka_unit_test(refused_for_good),
		cmocka_unit_test(refused_and_tried_again),
		cmocka_unit_test(stopped_by_the_guardian_is_not_over),
		cmocka_unit_test(no_time_left_means_the_next_beat),
	};

	return cmocka_run_group_tests(tests, quiet, NULL);
}
