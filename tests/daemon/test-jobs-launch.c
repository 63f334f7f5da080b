/* What a job is launched with: its command, its environment, its deadline. */
#include "tests/daemon/jobs-rig.h"

#include <unistd.h>

static void launch_holds_what_the_job_says(void **state)
{
	struct rig r;
	struct config_job *job = setup_one(&r);

	job->directory = strdup("/srv/a b");
	add_variable(job, "GREETING=hello there");
	add_variable(job, "EMPTY=");
	assert_int_equal(setenv("SECRET_OF_THE_DAEMON", "x", 1), 0);
	begin(&r);
	expect_silence(&r);
	lead(&r, 7);
	assert_int_equal(expect_launch(&r), 1);
	assert_int_equal(packet.launch.token, 7);
	assert_int_equal(packet.launch.group, 0);
	assert_int_equal(packet.launch.flags, 0);
	assert_int_equal(packet.launch.argc, 2);
	assert_string_equal(launch_string(0), "/srv/a b");
	assert_string_equal(launch_string(1), "/bin/a");
	assert_string_equal(launch_string(2), "an argument");
	check_strings_end();
	assert_string_equal(launch_variable("GREETING"), "hello there");
	assert_string_equal(launch_variable("EMPTY"), "");
	assert_null(launch_variable("SECRET_OF_THE_DAEMON"));
	assert_non_null(strstr(launch_variable("PATH"), "/usr/bin"));
	assert_string_equal(launch_variable("ONCED_JOB"), "a");
	assert_string_equal(launch_variable("ONCED_NODE"), "node1");
	assert_string_equal(launch_variable("ONCED_KEY"), "/leader");
	assert_string_equal(launch_variable("ONCED_REASON"), "elected");
	assert_string_equal(launch_variable("ONCED_TOKEN"), "7");
	assert_string_equal(launch_variable("ONCED_RUN"), "1");
	assert_string_equal(launch_variable("ONCED_ATTEMPT"), "1");
	assert_string_equal(launch_variable("ETCD_LOCK_KEY"), "/leader");
	assert_string_equal(launch_variable("ETCD_LOCK_REV"), "7");
	/* virtual time begins at 1 s; the profile fast has V = 1.5 s */
	assert_string_equal(launch_variable("ONCED_DEADLINE"), "2500000000");
	assert_string_equal(packet.launch.slice, "");
	assert_null(launch_variable("ONCED_UNIT_DIRECTORY"));
	teardown(&r);
}

static void a_unit_is_launched_with_its_slice(void **state)
{
	struct rig r;
	struct config_job *job = setup_one(&r);

	job->unit = strdup("my-work@1.service");
	r.config.runtime_dir = strdup("/run/here");
	begin(&r);
	lead(&r, 7);
	(void)expect_launch(&r);
	assert_string_equal(packet.launch.slice, "onced-my_work_1.slice");
	assert_string_equal(launch_variable("ONCED_UNIT_DIRECTORY"), "/run/here");
	assert_string_equal(launch_variable("ONCED_UNIT_GRACE_USEC"), "300000");
	assert_string_equal(launch_variable("ONCED_TOKEN"), "7");
	teardown(&r);
}

static void a_job_may_have_its_own_path(void **state)
{
	struct rig r;

	add_variable(setup_one(&r), "PATH=/opt/bin");
	begin(&r);
	lead(&r, 7);
	(void)expect_launch(&r);
	assert_string_equal(launch_variable("PATH"), "/opt/bin");
	teardown(&r);
}

static void run_hands_on_the_environment(void **state)
{
	struct rig r;
	struct config_job *job;
	char here[4096];

	job = setup_one(&r);
	job->isolate = true;
	add_variable(job, "REPLACED=new");
	assert_int_equal(setenv("REPLACED", "old", 1), 0);
	r.config.run = r.config.inherit_environment = true;
	assert_int_equal(setenv("OF_THE_CALLER", "1", 1), 0);
	assert_int_equal(setenv("ONCED_TOKEN", "666", 1), 0);
	assert_int_equal(setenv("ONCED_OTHER", "666", 1), 0);
	assert_int_equal(setenv("ETCD_LOCK_REV", "666", 1), 0);
	assert_int_equal(setenv("ETCDCTL_PASSWORD", "secret", 1), 0);
	assert_int_equal(setenv("ETCDCTL_USER", "user:secret", 1), 0);
	assert_int_equal(setenv("ETCDCTL_ENDPOINTS", "e", 1), 0);
	begin(&r);
	lead(&r, 7);
	(void)expect_launch(&r);
	assert_int_equal(packet.launch.flags, LINK_LAUNCH_STDIN | LINK_LAUNCH_ISOLATE);
	assert_non_null(getcwd(here, sizeof(here)));
	assert_string_equal(launch_string(0), here);
	assert_string_equal(launch_variable("OF_THE_CALLER"), "1");
	assert_string_equal(launch_variable("REPLACED"), "new");
	assert_string_equal(launch_variable("ONCED_TOKEN"), "7");
	assert_string_equal(launch_variable("ETCD_LOCK_REV"), "7");
	assert_string_equal(launch_variable("ETCDCTL_ENDPOINTS"), "e");
	assert_null(launch_variable("ETCDCTL_PASSWORD"));
	assert_null(launch_variable("ETCDCTL_USER"));
	assert_null(launch_variable("ONCED_OTHER"));
	check_strings_end();
	teardown(&r);
	assert_int_equal(unsetenv("ONCED_TOKEN"), 0);
	assert_int_equal(unsetenv("ONCED_OTHER"), 0);
	assert_int_equal(unsetenv("ETCD_LOCK_REV"), 0);
}

static void too_long_is_not_sent(void **state)
{
	struct rig r;
	struct config_job *job = setup_one(&r);

	free(job->argv[1]);
	job->argv[1] = malloc(LINK_PACKET_MAX);
	assert_non_null(job->argv[1]);
	memset(job->argv[1], 'x', LINK_PACKET_MAX - 1);
	job->argv[1][LINK_PACKET_MAX - 1] = '\0';
	begin(&r);
	lead(&r, 7);
	expect_silence(&r);
	assert_int_equal(r.n_finished, 1);
	assert_int_equal(r.code, 126);
	teardown(&r);
}

static void a_later_start_is_told_the_later_deadline(void **state)
{
	struct rig r;
	struct config fresh = {0};
	uint64_t run;

	(void)setup_one(&r);
	begin(&r);
	lead(&r, 7);
	run = run_it(&r);
	say_over(&r, run, 0);
	jobs_extend(&r.jobs, (struct once_instant){5000 * (int64_t)MS, 5000 * (int64_t)MS});
	fake_loop_run(&r.loop, 1000 * MS);
	(void)expect_launch(&r);
	assert_string_equal(launch_variable("ONCED_DEADLINE"), "6500000000");
	(void)add_job(&fresh, "a", "/bin/a");
	(void)add_job(&fresh, "b", "/bin/b");
	assert_int_equal(jobs_reload(&r.jobs, &fresh), 0);
	config_free(&fresh);
	(void)expect_launch(&r);
	assert_string_equal(launch_variable("ONCED_JOB"), "b");
	assert_string_equal(launch_variable("ONCED_DEADLINE"), "6500000000");
	teardown(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(launch_holds_what_the_job_says),
		cmocka_unit_test(a_unit_is_launched_with_its_slice),
		cmocka_unit_test(a_job_may_have_its_own_path),
		cmocka_unit_test(run_hands_on_the_environment),
		cmocka_unit_test(too_long_is_not_sent),
		cmocka_unit_test(a_later_start_is_told_the_later_deadline),
	};

	return cmocka_run_group_tests(tests, quiet, NULL);
}
