/* Services and the set of them, against a guardian that is this test: it reads the packets of the
 * link and says what becomes of them. Time is virtual. */
#include "tests/unit/unit.h"

#include "daemon/jobs.h"
#include "daemon/link-io.h"
#include "daemon/log.h"
#include "tests/fake/loop.h"

#include <sys/socket.h>
#include <unistd.h>

enum { MS = 1000000, STATUS_EXIT_1 = 1 << 8, STATUS_KILLED = 9 };

struct rig {
	struct fake_loop loop;
	int fds[2];
	struct link_page page;
	struct uplink uplink;
	struct config config;
	struct jobs jobs;
	struct jobs_owner owner;
	unsigned n_finished, n_stopped, n_all_stopped;
	int code; /* of the last finished() or stopped() */
	bool by_itself;
	int64_t may_launch_ns;
};

static union {
	uint32_t type;
	struct link_launch launch;
	struct link_stop stop;
	char bytes[LINK_PACKET_MAX];
} packet;

/* ---- the owner ---- */

static void on_finished(void *userdata, int code)
{
	struct rig *r = userdata;
	r->n_finished++;
	r->code = code;
}

static void on_stopped(void *userdata, int code, bool by_itself)
{
	struct rig *r = userdata;
	r->n_stopped++;
	r->code = code;
	r->by_itself = by_itself;
}

static void on_all_stopped(void *userdata)
{
	struct rig *r = userdata;
	r->n_all_stopped++;
}

static int64_t may_launch(void *userdata)
{
	struct rig *r = userdata;
	return r->may_launch_ns;
}

static void on_packet(void *userdata, const void *data)
{
	struct rig *r = userdata;
	uint32_t type;

	assert_non_null(data);
	memcpy(&type, data, sizeof(type));
	jobs_packet(&r->jobs, data, type);
}

/* ---- configuration ---- */

static struct config_job *add_job(struct config *c, const char *name, const char *program)
{
	struct config_job *job;

	c->jobs = realloc(c->jobs, (c->n_jobs + 1) * sizeof(*c->jobs));
	assert_non_null(c->jobs);
	job = &c->jobs[c->n_jobs++];
	*job = (struct config_job){.name = strdup(name),
		.description = strdup(""),
		.argv = calloc(3, sizeof(char *)),
		.argc = 2,
		.environment = calloc(4, sizeof(char *)),
		.restart = CONFIG_RESTART_ALWAYS,
		.restart_delay_ns = 1000 * MS,
		.stop_grace_ns = 300 * MS};
	job->argv[0] = strdup(program);
	job->argv[1] = strdup("an argument");
	return job;
}

static void add_variable(struct config_job *job, const char *text)
{
	assert_true(job->n_environment < 3);
	job->environment[job->n_environment++] = strdup(text);
}

/* ---- life ---- */

static void setup(struct rig *r)
{
	memset(r, 0, sizeof(*r));
	fake_loop_init(&r->loop);
	r->config.node = strdup("node1");
	r->config.key = strdup("/leader");
	assert_int_equal(once_timing_profile(&r->config.timing, "fast"), 0);
	r->may_launch_ns = 1;
	r->owner = (struct jobs_owner){r, on_finished, on_stopped, on_all_stopped, may_launch};
	assert_int_equal(link_open(r->fds), 0);
	assert_int_equal(
		uplink_init(&r->uplink, r->fds[1], &r->page, &r->loop.loop, on_packet, r), 0);
}

static void begin(struct rig *r)
{
	assert_int_equal(jobs_init(&r->jobs, &r->config, &r->owner, &r->uplink, &r->loop.loop), 0);
}

static void lead(struct rig *r, int64_t token)
{
	struct launch_term term = {token, r->loop.loop.ops->now(&r->loop.loop), "elected"};
	jobs_lead(&r->jobs, &term);
}

/* One job "a", launched and started as run 1 under token 7. */
static struct config_job *setup_one(struct rig *r)
{
	setup(r);
	return add_job(&r->config, "a", "/bin/a");
}

/* ---- the guardian ---- */

/* The type of the next packet, 0: none. */
static uint32_t take(struct rig *r)
{
	ssize_t n = recv(r->fds[0], &packet, sizeof(packet), MSG_DONTWAIT | MSG_TRUNC);

	if (n < 0)
		return 0;
	if (packet.type == LINK_LAUNCH)
		assert_int_equal(n, sizeof(packet.launch) + packet.launch.strings_size);
	else
		assert_int_equal(n, sizeof(packet.stop));
	return packet.type;
}

static uint64_t expect_launch(struct rig *r)
{
	assert_int_equal(take(r), LINK_LAUNCH);
	return packet.launch.run;
}

static void expect_stop(struct rig *r, uint64_t run, int64_t grace_ns)
{
	assert_int_equal(take(r), LINK_STOP);
	assert_int_equal(packet.stop.run, run);
	assert_int_equal(packet.stop.group, 0);
	assert_int_equal(packet.stop.grace_ns, grace_ns);
}

static void expect_silence(struct rig *r)
{
	assert_int_equal(take(r), 0);
}

static void say(struct rig *r, const void *data, size_t size)
{
	assert_int_equal(link_send(r->fds[0], data, size), 0);
	while (fake_loop_poll(&r->loop))
		;
}

static void say_started(struct rig *r, uint64_t run)
{
	struct link_started started = {.type = LINK_STARTED, .pid = 42, .run = run};
	say(r, &started, sizeof(started));
}

static void say_refused(struct rig *r, uint64_t run, int error)
{
	struct link_refused refused = {
		.type = LINK_REFUSED, .error = error, .run = run, .what = "exec"};
	say(r, &refused, sizeof(refused));
}

static void say_ended(struct rig *r, uint64_t run, int status)
{
	struct link_ended ended = {.type = LINK_ENDED, .status = status, .run = run};
	say(r, &ended, sizeof(ended));
}

static void say_empty(struct rig *r, uint64_t run, int error)
{
	struct link_empty empty = {.type = LINK_EMPTY, .error = error, .run = run};
	say(r, &empty, sizeof(empty));
}

static void say_over(struct rig *r, uint64_t run, int status)
{
	say_ended(r, run, status);
	say_empty(r, run, 0);
}

static uint64_t run_it(struct rig *r)
{
	uint64_t run = expect_launch(r);
	say_started(r, run);
	return run;
}

static void teardown(struct rig *r)
{
	expect_silence(r);
	jobs_fini(&r->jobs);
	uplink_fini(&r->uplink);
	assert_int_equal(r->loop.n_timers, 0);
	assert_int_equal(close(r->fds[0]), 0);
	assert_int_equal(close(r->fds[1]), 0);
	config_free(&r->config);
}

/* ---- the launch packet ---- */

/* String number i of the last launch packet: the directory, argv, the environment. */
static const char *launch_string(unsigned i)
{
	const char *at = packet.launch.strings, *end = at + packet.launch.strings_size;

	for (; i > 0 && at < end; i--)
		at += strlen(at) + 1;
	return at < end ? at : NULL;
}

static const char *launch_variable(const char *name)
{
	const char *found = NULL;

	for (unsigned i = 0; i < packet.launch.envc; i++) {
		const char *text = launch_string(1 + packet.launch.argc + i);

		assert_non_null(text);
		if (strncmp(text, name, strlen(name)) != 0 || text[strlen(name)] != '=')
			continue;
		assert_null(found); /* each once */
		found = text + strlen(name) + 1;
	}
	return found;
}

static void check_strings_end(void)
{
	assert_non_null(launch_string(packet.launch.argc + packet.launch.envc));
	assert_null(launch_string(1 + packet.launch.argc + packet.launch.envc));
}

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

/* ---- told to stop ---- */

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

/* ---- reload ---- */

static void reload(struct rig *r, struct config *fresh)
{
	assert_int_equal(jobs_reload(&r->jobs, fresh), 0);
	config_free(fresh);
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

static int quiet(void **state)
{
	log_set_level((enum once_log_level)0);
	return 0;
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
		cmocka_unit_test(restart_says_what_follows_an_end),
		cmocka_unit_test(its_tree_must_be_empty_first),
		cmocka_unit_test(packets_about_other_runs_mean_nothing),
		cmocka_unit_test(refused_for_good),
		cmocka_unit_test(refused_and_tried_again),
		cmocka_unit_test(stopped_by_the_guardian_is_not_over),
		cmocka_unit_test(no_time_left_means_the_next_beat),
		cmocka_unit_test(stop_while_idle),
		cmocka_unit_test(stop_while_starting),
		cmocka_unit_test(stop_while_running),
		cmocka_unit_test(stop_while_the_link_is_full),
		cmocka_unit_test(stop_while_its_tree_dies),
		cmocka_unit_test(stop_while_pausing),
		cmocka_unit_test(what_does_not_die_holds_back_the_release),
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
