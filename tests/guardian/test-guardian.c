/* The guardian over real processes. See world.h. */
#include "world.h"
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>

enum { CGROUP = LINK_CONTAIN_CGROUP, SUBREAPER = LINK_CONTAIN_SUBREAPER, BOTH = 3 };

#define IGNORE_TERM "trap '' TERM; touch up; while :; do sleep 60; done"
/* Grandchildren that left parent, session and group; $1: file for the pids, sleep of their own. */
#define ESCAPEES                                                                                   \
	"for i in 1 2 3; do "                                                                      \
	"setsid sh -c 'trap \"\" TERM HUP; setsid sh -c \"echo \\$\\$ >> pids; exec sleep 600\" "  \
	"& "                                                                                       \
	"sleep 0' & done; "

static void begin(struct world *w)
{
	world_start(w);
	CHECK(hello(w).error == 0);
}

/* ---- launching ---- */

static void test_job_runs_and_its_exit_code_comes_back(struct world *w)
{
	begin(w);
	extend(w, 0, 5, 10000, 100, 100);
	CHECK(launched(w, 0, 5, 1, 0, "exit 7") > 0);
	CHECK(hear_ended(w, 1) == 7 << 8);
	hear_empty(w, 1);
	quit(w, 3);
	CHECK(guardian_end(w) == 3);
}

static void read_all(int fd, char *buf, size_t size)
{
	size_t n = 0;
	ssize_t r;

	while (n < size - 1 && (r = read(fd, buf + n, size - 1 - n)) > 0)
		n += (size_t)r;
	buf[n] = '\0';
}

static void test_job_gets_what_it_was_given_and_nothing_else(struct world *w)
{
	const char *argv[] = {"sh", "-c",
		"env | grep -v -e ^_= -e ^SHLVL= | sort; pwd; ls /proc/self/fd | wc -l;"
		"grep -e SigBlk -e SigIgn /proc/self/status; readlink /proc/self/fd/0; echo e >&2",
		NULL};
	char expected[1024], out[1024], err[64];
	int o[2], e[2];

	begin(w);
	CHECK(pipe(o) == 0 && pipe(e) == 0);
	extend(w, 0, 5, 10000, 100, 100);
	launch_argv(w, 0, 5, 1, 0, w->dir, argv, (int[]){o[1], e[1]}, 2);
	(void)close(o[1]);
	(void)close(e[1]);
	read_all(o[0], out, sizeof(out));
	read_all(e[0], err, sizeof(err));
	(void)snprintf(expected, sizeof(expected),
		"ONCED_TEST=yes\nPATH=/usr/bin:/bin\nPWD=%s\n%s\n4\n"
		"SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n/dev/null\n",
		w->dir, w->dir);
	if (strcmp(out, expected))
		(void)fprintf(stderr, "got:\n%s", out);
	CHECK(!strcmp(out, expected));
	CHECK(!strcmp(err, "e\n"));
}

static void test_what_cannot_be_started_is_refused_with_the_reason(struct world *w)
{
	const char *none[] = {"no-such-command", NULL}, *denied[] = {"/etc/passwd", NULL};
	const char *ok[] = {"true", NULL};
	struct link_ended ended;

	begin(w);
	extend(w, 0, 5, 10000, 100, 100);
	launch_argv(w, 0, 5, 1, 0, "/", none, NULL, 0);
	CHECK(hear_refused(w, 1, "exec") == -ENOENT);
	launch_argv(w, 0, 5, 2, 0, "/", denied, NULL, 0);
	CHECK(hear_refused(w, 2, "exec") == -EACCES);
	launch_argv(w, 0, 5, 3, 0, "/no/such/dir", ok, NULL, 0);
	CHECK(hear_refused(w, 3, "chdir") == -ENOENT);
	launch_argv(w, 0, 4, 4, 0, "/", ok, NULL, 0);
	CHECK(hear_refused(w, 4, "deadline") == -ESTALE); /* of another token */
	launch_argv(w, 1, 5, 5, 0, "/", ok, NULL, 0);
	CHECK(hear_refused(w, 5, "deadline") == -ESTALE); /* of no group */
	extend(w, 2, 5, 1000, 700, 400);
	launch_argv(w, 2, 5, 6, 0, "/", ok, NULL, 0);
	CHECK(hear_refused(w, 6, "deadline") == -ESTALE); /* less than grace + kill is left */
	launch_argv(w, 0, 5, 7, 0, "", ok, NULL, 0);
	hear_until(w, LINK_ENDED, &ended, sizeof(ended));
	CHECK(ended.run == 7 && ended.status == 0);
}

static void test_agent_that_talks_nonsense_is_replaced(struct world *w)
{
	struct link_launch bad = {.type = LINK_LAUNCH, .argc = 1, .strings_size = 77};
	struct link_stop shortened = {.type = LINK_STOP};

	begin(w);
	say(w, &bad, sizeof(bad));
	CHECK(hear_refused(w, 0, "deadline") == -ESTALE);
	extend(w, 0, 0, 10000, 100, 100);
	say(w, &bad, sizeof(bad));
	CHECK(hear_refused(w, 0, "packet") == -EINVAL);
	say(w, &shortened, sizeof(shortened) - 1);
	wait_born(w);
	CHECK(hello(w).restarts == 1);
}

/* ---- ending ---- */

static void test_job_that_ignores_term_is_dead_at_its_deadline(struct world *w)
{
	int64_t began = now_ms();
	struct link_fenced fenced;
	pid_t pid;

	begin(w);
	extend(w, 3, 5, 1500, 300, 400);
	pid = launched(w, 3, 5, 1, 0, IGNORE_TERM);
	CHECK(hear_ended(w, 1) == SIGKILL);
	CHECK(now_ms() - began >= 1000);
	hear_empty(w, 1);
	CHECK(is_dead(pid));
	hear(w, LINK_FENCED, &fenced, sizeof(fenced));
	CHECK(now_ms() - began < 1500);
	CHECK(fenced.group == 3 && fenced.token == 5);
	CHECK(fenced.margin_ns > 0 && fenced.margin_ns <= 400 * MSEC);
}

static void test_job_that_obeys_term_has_its_grace_before_the_deadline(struct world *w)
{
	struct link_fenced fenced;

	begin(w);
	extend(w, 3, 5, 1500, 700, 300);
	launched(w, 3, 5, 1, 0, "trap 'exit 9' TERM; while :; do sleep 0.02; done");
	CHECK(hear_ended(w, 1) == 9 << 8);
	hear_empty(w, 1);
	hear(w, LINK_FENCED, &fenced, sizeof(fenced));
	CHECK(fenced.margin_ns > 300 * MSEC);
}

static void test_extensions_keep_a_job_alive(struct world *w)
{
	struct puppet_packet page = {.type = PUPPET_PAGE};
	pid_t pid;

	begin(w);
	extend(w, 0, 5, 800, 100, 200);
	pid = launched(w, 0, 5, 1, 0, "exec sleep 60");
	for (int i = 0; i < 8; i++) {
		sleep_ms(150);
		extend(w, 0, 5, 800, 100, 200);
	}
	CHECK(!is_dead(pid));
	extend(w, 0, 4, 9000, 100, 200); /* a former term's proof is none */
	extend(w, 0, 5, 300, 100, 200);	 /* and nothing shortens one */
	sleep_ms(50);
	say(w, &page, sizeof(page));
	hear(w, PUPPET_PAGE, &page, sizeof(page));
	CHECK(page.seen == 11);
	CHECK(hear_ended(w, 1) == SIGTERM);
}

static void test_higher_token_ends_the_former_terms_runs(struct world *w)
{
	begin(w);
	extend(w, 0, 5, 9000, 100, 200);
	launched(w, 0, 5, 1, 0, IGNORE_TERM);
	extend(w, 0, 6, 9000, 100, 200);
	CHECK(hear_ended(w, 1) == SIGKILL);
	hear_empty(w, 1);
	launched(w, 0, 6, 2, 0, "exit 0");
}

static void test_nobody_of_the_tree_is_alive_at_empty(struct world *w)
{
	pid_t pids[3];

	begin(w);
	extend(w, 0, 5, 20000, 100, 200);
	launched(w, 0, 5, 1, 0, ESCAPEES "sleep 600");
	read_pids(w, "pids", pids, 3);
	stop(w, 0, 1, 0);
	CHECK(hear_ended(w, 1) == SIGKILL);
	hear_empty(w, 1);
	for (int i = 0; i < 3; i++)
		CHECK(is_dead(pids[i]));
}

static void test_rest_of_the_tree_dies_with_the_first_process(struct world *w)
{
	pid_t pids[3];

	begin(w);
	extend(w, 0, 5, 20000, 100, 200);
	launched(w, 0, 5, 1, 0,
		ESCAPEES "while [ $(wc -l < pids || echo 0) -lt 3 ]; do sleep 0.02; done; exit 4");
	CHECK(hear_ended(w, 1) == 4 << 8);
	hear_empty(w, 1);
	read_pids(w, "pids", pids, 3);
	for (int i = 0; i < 3; i++)
		CHECK(is_dead(pids[i]));
}

static void test_run_beside_it_keeps_its_own_orphans(struct world *w)
{
	pid_t pids[3];

	begin(w);
	extend(w, 0, 5, 20000, 100, 200);
	launched(w, 0, 5, 1, 0, ESCAPEES "sleep 600");
	read_pids(w, "pids", pids, 3);
	launched(w, 0, 5, 2, 0, "sh -c 'sleep 600 & sleep 600 &'; exit 0");
	CHECK(hear_ended(w, 2) == 0);
	hear_empty(w, 2);
	for (int i = 0; i < 3; i++)
		CHECK(!is_dead(pids[i]));
}

static void test_stop_reaches_a_stopped_job_and_all_its_processes(struct world *w)
{
	pid_t pid;

	begin(w);
	extend(w, 0, 5, 20000, 100, 200);
	launched(w, 0, 5, 1, 0,
		"sh -c 'trap \"echo 1 > child-term; exit\" TERM; echo $$ > pids;"
		"while :; do sleep 0.02; done' & trap 'wait; exit 5' TERM; kill -STOP $$; sleep "
		"60");
	read_pids(w, "pids", &pid, 1);
	stop(w, 0, 1, 8000);
	CHECK(hear_ended(w, 1) != SIGKILL);
	hear_empty(w, 1);
	CHECK(file_appears(w, "child-term", 0));
}

static void test_shorter_grace_replaces_a_longer_one(struct world *w)
{
	int64_t began;

	begin(w);
	extend(w, 0, 5, 30000, 100, 200);
	launched(w, 0, 5, 1, 0,
		"trap 'echo >> terms' TERM; echo $$ > pids; while :; do sleep 0.01; done");
	read_pids(w, "pids", &(pid_t){0}, 1);
	began = now_ms();
	stop(w, 0, 1, 20000);
	stop(w, 0, 0, 300);
	stop(w, 0, 1, 20000);
	CHECK(hear_ended(w, 1) == SIGKILL);
	CHECK(now_ms() - began >= 290 && now_ms() - began < 10000);
	hear_empty(w, 1);
}

static void test_fork_storm_is_over_at_empty(struct world *w)
{
	begin(w);
	extend(w, 0, 5, 30000, 100, 200);
	launched(w, 0, 5, 1, 0,
		"f() { while [ ! -e calm ]; do (sleep 0.01 & ) ; sh -c 'setsid sleep 5 &'; done; };"
		"f & f & f & f & touch storm; f");
	CHECK(file_appears(w, "storm", 5000));
	sleep_ms(300);
	stop(w, 0, 1, 0);
	CHECK(hear_ended(w, 1) == SIGKILL);
	hear_empty(w, 1);
}

/* ---- the deaths ---- */

static void test_dead_agent_takes_its_jobs_and_is_replaced(struct world *w)
{
	struct link_welcome welcome;
	pid_t job, pids[3];

	begin(w);
	extend(w, 0, 5, 30000, 5000, 200);
	job = launched(w, 0, 5, 1, 0, ESCAPEES IGNORE_TERM);
	read_pids(w, "pids", pids, 3);
	(void)kill(w->agent, SIGKILL);
	wait_born(w);
	CHECK(is_dead(job));
	for (int i = 0; i < 3; i++)
		CHECK(is_dead(pids[i]));
	welcome = hello(w);
	CHECK(welcome.error == 0 && welcome.restarts == 1 && welcome.proven_empty);
	CHECK(hears_nothing(w, 100)); /* of the former agent's runs */
	launch(w, 0, 5, 2, 0, "exit 0");
	CHECK(hear_refused(w, 2, "deadline") == -ESTALE);
}

static void test_agents_that_die_early_come_back_slower(struct world *w)
{
	int64_t began;

	begin(w);
	(void)kill(w->agent, SIGKILL);
	wait_born(w);
	began = now_ms();
	for (int i = 0; i < 3; i++) {
		(void)kill(w->agent, SIGKILL);
		wait_born(w);
	}
	CHECK(now_ms() - began >= 700);
	CHECK(hello(w).restarts == 4);
}

static void test_stopped_agent_loses_its_job_in_time(struct world *w)
{
	int64_t began = now_ms();
	struct link_fenced fenced;
	pid_t job;

	begin(w);
	extend(w, 0, 5, 1500, 200, 400);
	job = launched(w, 0, 5, 1, 0, IGNORE_TERM);
	(void)kill(w->agent, SIGSTOP);
	CHECK(dies_within(job, 5000));
	CHECK(now_ms() - began < 1500);
	(void)kill(w->agent, SIGCONT);
	CHECK(hear_ended(w, 1) == SIGKILL);
	hear_empty(w, 1);
	hear(w, LINK_FENCED, &fenced, sizeof(fenced));
	CHECK(fenced.margin_ns >= 0);
}

static void test_killed_guardian_takes_agent_and_job_along(struct world *w)
{
	pid_t job;

	begin(w);
	extend(w, 0, 5, 30000, 200, 400);
	(void)launched(w, 0, 5, 1, 0, "echo $$ > pids; " IGNORE_TERM);
	read_pids(w, "pids", &job, 1);
	(void)kill(w->guardian, SIGKILL);
	CHECK(dies_within(job, 3000));
	CHECK(dies_within(w->agent, 3000));
}

static void test_fuse_ends_a_stopped_guardian_and_its_job(struct world *w)
{
	int64_t began = now_ms();
	pid_t job;

	begin(w);
	extend(w, 0, 5, 1500, 200, 400);
	(void)launched(w, 0, 5, 1, 0, "echo $$ > pids; " IGNORE_TERM);
	read_pids(w, "pids", &job, 1);
	(void)kill(w->guardian, SIGSTOP);
	CHECK(guardian_end(w) == 128 + SIGKILL);
	CHECK(now_ms() - began >= 1300);
	CHECK(dies_within(job, 3000));
	CHECK(now_ms() - began < 1500);
	CHECK(dies_within(w->agent, 3000));
}

static void test_fuse_ends_all_when_everything_is_stopped(struct world *w)
{
	int64_t began = now_ms();
	pid_t job, first;

	begin(w);
	extend(w, 0, 5, 1500, 200, 400);
	first = launched(w, 0, 5, 1, 0, "echo $$ > pids; " IGNORE_TERM);
	read_pids(w, "pids", &job, 1);
	(void)kill(w->guardian, SIGSTOP);
	(void)kill(w->agent, SIGSTOP);
	(void)kill(first, SIGSTOP);
	(void)kill(job, SIGSTOP);
	CHECK(guardian_end(w) == 128 + SIGKILL);
	CHECK(dies_within(job, 3000));
	CHECK(now_ms() - began < 1500);
	CHECK(dies_within(w->agent, 3000));
}

static void test_fuse_burns_in_a_container_too(struct world *w)
{
	int64_t began = now_ms();
	pid_t guardian;

	w->as_process_one = true;
	begin(w);
	extend(w, 0, 5, 1500, 200, 400);
	(void)launched(w, 0, 5, 1, 0, IGNORE_TERM);
	CHECK(children_of(w->guardian, &guardian, 1) == 1);
	(void)kill(guardian, SIGSTOP);
	CHECK(guardian_end(w) == 128 + SIGKILL);
	CHECK(now_ms() - began < 1500);
}

static void test_fuse_is_out_when_nothing_lives(struct world *w)
{
	begin(w);
	extend(w, 0, 5, 600, 50, 100);
	launched(w, 0, 5, 1, 0, "exit 0");
	CHECK(hear_ended(w, 1) == 0);
	hear_empty(w, 1);
	(void)kill(w->guardian, SIGSTOP);
	sleep_ms(900);
	(void)kill(w->guardian, SIGCONT);
	quit(w, 0);
	CHECK(guardian_end(w) == 0);
}

static void test_isolated_tree_dies_with_its_guardian(struct world *w)
{
	pid_t inner;

	begin(w);
	extend(w, 0, 5, 30000, 200, 400);
	(void)launched(w, 0, 5, 1, LINK_LAUNCH_ISOLATE,
		"setsid sh -c 'sh -c \"echo \\$\\$ > escaped; exec sleep 601\" & sleep 0.05' &"
		"ls /proc | grep -c '^[0-9]' > count;" IGNORE_TERM);
	inner = read_ns_pid(w, "escaped");
	CHECK(!is_dead(inner));
	(void)kill(w->guardian, SIGKILL);
	CHECK(dies_within(inner, 3000));
}

static void test_isolated_job_has_its_own_processes_only(struct world *w)
{
	int count;

	begin(w);
	extend(w, 0, 5, 30000, 200, 400);
	launched(w, 0, 5, 1, LINK_LAUNCH_ISOLATE,
		"ls -d /proc/[0-9]* | wc -l > count; [ $PPID = 1 ] || exit 3; kill -9 $$");
	CHECK(hear_ended(w, 1) == SIGKILL); /* of the command, not of the init */
	hear_empty(w, 1);
	read_pids(w, "count", &count, 1);
	CHECK(count <= 5);
	launched(w, 0, 5, 2, LINK_LAUNCH_ISOLATE,
		"trap 'exit 6' TERM; touch up; while :; do sleep 0.02; done");
	CHECK(file_appears(w, "up", 5000));
	stop(w, 0, 2, 8000);
	CHECK(hear_ended(w, 2) == 6 << 8);
	hear_empty(w, 2);
	launch_argv(
		w, 0, 5, 3, LINK_LAUNCH_ISOLATE, "/", (const char *[]){"no-such", NULL}, NULL, 0);
	CHECK(hear_refused(w, 3, "exec") == -ENOENT);
}

/* ---- the instance ---- */

static void test_second_daemon_of_an_instance_is_told_so(struct world *w)
{
	struct puppet_packet leave = {.type = PUPPET_EXIT, .value = 77};
	struct world other;

	begin(w);
	world_start_other(w, &other);
	CHECK(hello(&other).error == -EBUSY);
	say(&other, &leave, sizeof(leave));
	CHECK(guardian_end(&other) == 77);
	(void)kill(w->guardian, SIGKILL);
	CHECK(guardian_end(w) == 128 + SIGKILL);
	CHECK(dies_within(w->agent, 3000));
	world_start_other(w, &other);
	CHECK(hello(&other).error == 0);
}

static void test_leftovers_of_a_killed_guardian_are_emptied(struct world *w)
{
	struct link_welcome welcome;
	pid_t pids[3];

	begin(w);
	extend(w, 0, 5, 30000, 200, 400);
	(void)launched(w, 0, 5, 1, 0, ESCAPEES IGNORE_TERM);
	read_pids(w, "pids", pids, 3);
	(void)kill(w->guardian, SIGKILL);
	CHECK(guardian_end(w) == 128 + SIGKILL);
	CHECK(!is_dead(pids[0]));
	world_start(w);
	welcome = hello(w);
	CHECK(welcome.error == 0 && welcome.restarts == 0);
	CHECK(welcome.proven_empty == (w->contain == LINK_CONTAIN_CGROUP));
	if (w->contain == LINK_CONTAIN_CGROUP)
		for (int i = 0; i < 3; i++)
			CHECK(is_dead(pids[i]));
}

static void test_clean_end_is_proof_for_the_next(struct world *w)
{
	begin(w);
	extend(w, 0, 5, 30000, 200, 400);
	(void)launched(w, 0, 5, 1, 0, "sleep 600");
	quit(w, 0);
	CHECK(guardian_end(w) == 0);
	world_start(w);
	CHECK(hello(w).proven_empty);
	quit(w, 0);
	CHECK(guardian_end(w) == 0);
	world_start(w);
	CHECK(hello(w).proven_empty);
	(void)kill(w->guardian, SIGKILL); /* not proof: that one said nothing in the end */
	CHECK(guardian_end(w) == 128 + SIGKILL);
	w->contain = LINK_CONTAIN_SUBREAPER;
	world_start(w);
	CHECK(!hello(w).proven_empty);
}

static void test_first_start_claims_no_proof(struct world *w)
{
	struct link_welcome welcome;

	world_start(w);
	welcome = hello(w);
	CHECK(welcome.error == 0 && !welcome.proven_empty && welcome.restarts == 0);
	CHECK(welcome.contain == w->contain);
	CHECK((welcome.cgroup[0] != 0) == (w->contain == LINK_CONTAIN_CGROUP));
}

static void test_agent_that_ends_before_hello_ends_the_daemon(struct world *w)
{
	struct puppet_packet leave = {.type = PUPPET_EXIT, .value = 78};

	world_start(w);
	say(w, &leave, sizeof(leave));
	CHECK(guardian_end(w) == 78);
}

/* ---- signals, quit ---- */

static void test_signals_are_told_and_the_second_term_kills(struct world *w)
{
	static const int signals[] = {SIGHUP, SIGUSR1, SIGTERM, SIGTERM};
	struct link_signal told;
	struct link_refused refused;
	pid_t job;

	begin(w);
	extend(w, 0, 5, 30000, 5000, 400);
	job = launched(w, 0, 5, 1, 0, IGNORE_TERM);
	for (int i = 0; i < 3; i++) {
		(void)kill(w->guardian, signals[i]);
		hear(w, LINK_SIGNAL, &told, sizeof(told));
		CHECK(told.signo == signals[i] && told.count == 1);
	}
	CHECK(file_appears(w, "up", 5000));
	stop(w, 0, 0, 20000);
	CHECK(!dies_within(job, 100));
	(void)kill(w->guardian, SIGTERM);
	CHECK(dies_within(job, 5000));
	hear_until(w, LINK_SIGNAL, &told, sizeof(told));
	CHECK(told.signo == SIGTERM && told.count == 2);
	launch(w, 0, 5, 2, 0, "exit 0");
	hear_until(w, LINK_REFUSED, &refused, sizeof(refused));
	CHECK(refused.error == -ESHUTDOWN);
}

static void test_quit_leaves_nothing_behind(struct world *w)
{
	pid_t pids[3], job;

	w->agent_stays = true;
	begin(w);
	extend(w, 0, 5, 30000, 5000, 400);
	job = launched(w, 0, 5, 1, 0, ESCAPEES IGNORE_TERM);
	read_pids(w, "pids", pids, 3);
	quit(w, 21);
	CHECK(guardian_end(w) == 21);
	CHECK(is_dead(w->agent) && is_dead(job));
	for (int i = 0; i < 3; i++)
		CHECK(is_dead(pids[i]));
}

static void test_term_without_an_agent_ends_the_daemon(struct world *w)
{
	begin(w);
	for (int i = 0; i < 3; i++) {
		(void)kill(w->agent, SIGKILL);
		wait_born(w);
	}
	(void)kill(w->agent, SIGKILL);
	CHECK(dies_within(w->agent, 3000));
	sleep_ms(20);
	(void)kill(w->guardian, SIGTERM);
	CHECK(guardian_end(w) == 0);
}

static void test_agent_that_reads_late_misses_nothing(struct world *w)
{
	enum { N = 400, REFUSED = 5 };
	struct puppet_packet mute = {.type = PUPPET_MUTE, .value = 1};
	int heard[LINK_SIGNAL + 1] = {0};

	begin(w);
	extend(w, 0, 5, 60000, 100, 400);
	say(w, &mute, sizeof(mute));
	for (int i = 1; i <= N; i++)
		launch_argv(w, 0, 5, (uint64_t)i, 0, "/", (const char *[]){"true", NULL}, NULL, 0);
	for (int i = 1; i <= REFUSED; i++)
		launch(w, 0, 6, (uint64_t)(N + i), 0, "exit 0");
	sleep_ms(1500);
	mute.value = 0;
	say(w, &mute, sizeof(mute));
	while (heard[LINK_EMPTY] < N || heard[LINK_REFUSED] < REFUSED) {
		struct link_ended packet;
		uint32_t type = hear_any(w, &packet, sizeof(packet));

		CHECK(type <= LINK_SIGNAL);
		heard[type]++;
	}
	CHECK(heard[LINK_STARTED] == N && heard[LINK_ENDED] == N);
	CHECK(hears_nothing(w, 50));
}

/* ---- service manager, idleness ---- */

static void expect_notify(int fd, const char *text)
{
	struct timeval limit = {.tv_sec = 5};
	char buf[600];
	ssize_t n;

	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	n = recv(fd, buf, sizeof(buf) - 1, 0);
	CHECK(n >= 0);
	buf[n] = '\0';
	CHECK(!strcmp(buf, text));
}

static void test_service_manager_hears_the_agent_through_the_guardian(struct world *w)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct link_notify ready = {LINK_NOTIFY, "READY=1\nSTATUS=follower"};
	struct link_alive alive = {LINK_ALIVE};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	char env[200];

	(void)snprintf(env, sizeof(env), "@onced-test-%d", getpid());
	memcpy(address.sun_path + 1, env + 1, strlen(env + 1));
	CHECK(bind(fd, (struct sockaddr *)&address,
		      (socklen_t)(sizeof(sa_family_t) + strlen(env))) == 0);
	(void)setenv("NOTIFY_SOCKET", env, 1);
	(void)setenv("WATCHDOG_USEC", "400000", 1);
	world_start(w);
	CHECK(hello(w).watchdog_ns == 400 * MSEC);
	say(w, &ready, sizeof(ready));
	expect_notify(fd, "READY=1\nSTATUS=follower");
	sleep_ms(500);
	CHECK(recv(fd, env, 1, MSG_DONTWAIT) < 0); /* nobody alive, nothing fed */
	say(w, &alive, sizeof(alive));
	expect_notify(fd, "WATCHDOG=1");
}

static long wakeups(pid_t pid)
{
	char name[64], line[256];
	long n = -1;
	FILE *f;

	(void)snprintf(name, sizeof(name), "/proc/%d/status", pid);
	f = fopen(name, "re");
	while (f && fgets(line, sizeof(line), f))
		(void)sscanf(line, "voluntary_ctxt_switches: %ld", &n);
	if (f)
		(void)fclose(f);
	CHECK(n >= 0);
	return n;
}

static void test_idle_guardian_is_never_woken(struct world *w)
{
	long before;

	begin(w);
	extend(w, 0, 5, 300, 50, 100); /* proofs without runs are no reason */
	sleep_ms(100);
	before = wakeups(w->guardian);
	sleep_ms(700);
	CHECK(wakeups(w->guardian) == before);
}

#define CASE(name, backends)                                                                       \
	{                                                                                          \
#name, test_##name, backends                                                       \
	}

static const struct test_case cases[] = {
	CASE(job_runs_and_its_exit_code_comes_back, BOTH),
	CASE(job_gets_what_it_was_given_and_nothing_else, BOTH),
	CASE(what_cannot_be_started_is_refused_with_the_reason, BOTH),
	CASE(agent_that_talks_nonsense_is_replaced, BOTH),
	CASE(job_that_ignores_term_is_dead_at_its_deadline, BOTH),
	CASE(job_that_obeys_term_has_its_grace_before_the_deadline, BOTH),
	CASE(extensions_keep_a_job_alive, BOTH),
	CASE(higher_token_ends_the_former_terms_runs, BOTH),
	CASE(nobody_of_the_tree_is_alive_at_empty, BOTH),
	CASE(rest_of_the_tree_dies_with_the_first_process, BOTH),
	CASE(run_beside_it_keeps_its_own_orphans, BOTH),
	CASE(stop_reaches_a_stopped_job_and_all_its_processes, BOTH),
	CASE(shorter_grace_replaces_a_longer_one, BOTH),
	CASE(fork_storm_is_over_at_empty, BOTH),
	CASE(dead_agent_takes_its_jobs_and_is_replaced, BOTH),
	CASE(agents_that_die_early_come_back_slower, CGROUP),
	CASE(stopped_agent_loses_its_job_in_time, BOTH),
	CASE(killed_guardian_takes_agent_and_job_along, BOTH),
	CASE(fuse_ends_a_stopped_guardian_and_its_job, BOTH),
	CASE(fuse_ends_all_when_everything_is_stopped, BOTH),
	CASE(fuse_is_out_when_nothing_lives, CGROUP),
	CASE(fuse_burns_in_a_container_too, CGROUP),
	CASE(isolated_tree_dies_with_its_guardian, BOTH),
	CASE(isolated_job_has_its_own_processes_only, BOTH),
	CASE(second_daemon_of_an_instance_is_told_so, BOTH),
	CASE(leftovers_of_a_killed_guardian_are_emptied, BOTH),
	CASE(first_start_claims_no_proof, BOTH),
	CASE(clean_end_is_proof_for_the_next, BOTH),
	CASE(agent_that_ends_before_hello_ends_the_daemon, CGROUP),
	CASE(signals_are_told_and_the_second_term_kills, BOTH),
	CASE(quit_leaves_nothing_behind, BOTH),
	CASE(term_without_an_agent_ends_the_daemon, CGROUP),
	CASE(agent_that_reads_late_misses_nothing, BOTH),
	CASE(service_manager_hears_the_agent_through_the_guardian, CGROUP),
	CASE(idle_guardian_is_never_woken, CGROUP),
};

int main(int argc, char **argv)
{
	return world_main(cases, sizeof(cases) / sizeof(cases[0]), argc, argv);
}
