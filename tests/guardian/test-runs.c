/* The guardian over real processes: how runs start and how they end. See world.h. */
#include "world.h"

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
		"readlink /proc/self/fd/0; echo e >&2",
		NULL};
	/* Not below a shell, which would tidy up. */
	const char *grep[] = {"grep", "-e", "SigBlk", "-e", "SigIgn", "/proc/self/status", NULL};
	/* 32 and 33 are the C library's own: its posix_spawn(), make's for one, leaves them ignored. */
	const unsigned long long own = 3ull << 31;
	unsigned long long blocked = 1, ignored = 1;
	char expected[1024], out[1024], err[64];
	int o[2], e[2], s[2];

	w->untidy = true;
	begin(w);
	CHECK(pipe(o) == 0 && pipe(e) == 0 && pipe(s) == 0);
	extend(w, 0, 5, 10000, 100, 100);
	launch_argv(w, 0, 5, 1, 0, w->dir, argv, (int[]){o[1], e[1]}, 2);
	(void)close(o[1]);
	(void)close(e[1]);
	read_all(o[0], out, sizeof(out));
	read_all(e[0], err, sizeof(err));
	(void)snprintf(expected, sizeof(expected),
		"ONCED_TEST=yes\nPATH=/etc:/usr/bin:/bin\nPWD=%s\n%s\n4\n/dev/null\n", w->dir,
		w->dir);
	if (strcmp(out, expected))
		(void)fprintf(stderr, "got:\n%s", out);
	CHECK(!strcmp(out, expected));
	CHECK(!strcmp(err, "e\n"));
	launch_argv(w, 0, 5, 2, 0, "/", grep, &s[1], 1);
	(void)close(s[1]);
	read_all(s[0], out, sizeof(out));
	CHECK(sscanf(out, "SigBlk: %llx SigIgn: %llx", &blocked, &ignored) == 2);
	CHECK(blocked == 0 && (ignored & ~own) == 0);
}

static void test_a_result_is_written_to_the_third_descriptor(struct world *w)
{
	const char *argv[] = {"sh", "-c", "echo r >&4; ls /proc/self/fd | wc -l", NULL};
	static const uint32_t flags[] = {
		LINK_LAUNCH_RESULT, LINK_LAUNCH_RESULT | LINK_LAUNCH_ISOLATE};
	char out[64], result[64];
	int o[2], r[2];

	begin(w);
	extend(w, 0, 5, 10000, 100, 100);
	for (uint64_t i = 0; i < (geteuid() == 0 ? 2 : 1); i++) {
		CHECK(pipe(o) == 0 && pipe(r) == 0);
		launch_argv(w, 0, 5, i + 1, flags[i], "/", argv, (int[]){o[1], o[1], r[1]}, 3);
		(void)close(o[1]);
		(void)close(r[1]);
		read_all(o[0], out, sizeof(out));
		read_all(r[0], result, sizeof(result));
		CHECK(!strcmp(out, "5\n"));
		CHECK(!strcmp(result, "r\n"));
		(void)close(o[0]);
		(void)close(r[0]);
	}
}

static void test_what_cannot_be_started_is_refused_with_the_reason(struct world *w)
{
	const char *none[] = {"no-such-command", NULL}, *denied[] = {"/etc/passwd", NULL};
	const char *searched[] = {"group", NULL}; /* in PATH, where it is no program */
	const char *ok[] = {"true", NULL};
	struct link_ended ended;

	begin(w);
	extend(w, 0, 5, 10000, 100, 100);
	launch_argv(w, 0, 5, 1, 0, "/", none, NULL, 0);
	CHECK(hear_refused(w, 1, "exec") == -ENOENT);
	launch_argv(w, 0, 5, 2, 0, "/", denied, NULL, 0);
	CHECK(hear_refused(w, 2, "exec") == -EACCES);
	launch_argv(w, 0, 5, 8, 0, "/", searched, NULL, 0);
	CHECK(hear_refused(w, 8, "exec") == -EACCES);
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
	struct link_stop shortened = {.type = LINK_STOP}, lengthened = {.type = LINK_ALIVE};

	begin(w);
	say(w, &bad, sizeof(bad));
	CHECK(hear_refused(w, 0, "deadline") == -ESTALE);
	extend(w, 0, 0, 10000, 100, 100);
	say(w, &bad, sizeof(bad));
	CHECK(hear_refused(w, 0, "packet") == -EINVAL);
	say(w, &shortened, sizeof(shortened) - 1);
	wait_born(w);
	CHECK(hello(w).restarts == 1);
	say(w, &lengthened, sizeof(lengthened));
	wait_born(w);
	CHECK(hello(w).restarts == 2);
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

static void test_guardian_that_comes_late_gives_no_grace(struct world *w)
{
	int64_t began = now_ms();
	struct link_fenced fenced;

	begin(w);
	extend(w, 0, 5, 4000, 2000, 1600);
	launched(w, 0, 5, 1, 0, IGNORE_TERM);
	(void)kill(w->guardian, SIGSTOP);
	while (now_ms() - began < 2700)
		sleep_ms(5);
	(void)kill(w->guardian, SIGCONT); /* past D - K, before the fuse */
	CHECK(hear_ended(w, 1) == SIGKILL);
	hear_empty(w, 1);
	hear(w, LINK_FENCED, &fenced, sizeof(fenced));
	CHECK(fenced.margin_ns > 0);
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

static void test_empty_waits_for_one_that_dies_slowly(struct world *w)
{
	pid_t big;

	begin(w);
	extend(w, 0, 5, 20000, 100, 200);
	launched(w, 0, 5, 1, 0,
		"(head -c 250000000 /dev/zero; touch full; exec sleep 600) |"
		"setsid tail -c 250000000 > /dev/null & echo $! > pids; sleep 600");
	read_pids(w, "pids", &big, 1);
	CHECK(file_appears(w, "full", 15000));
	stop(w, 0, 1, 0);
	CHECK(hear_ended(w, 1) == SIGKILL);
	hear_empty(w, 1);
	CHECK(is_dead(big));
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

#define CASE(name, backends)                                                                       \
	{                                                                                          \
#name, test_##name, backends                                                       \
	}

static const struct test_case cases[] = {
	CASE(job_runs_and_its_exit_code_comes_back, BOTH),
	CASE(job_gets_what_it_was_given_and_nothing_else, BOTH),
	CASE(a_result_is_written_to_the_third_descriptor, BOTH),
	CASE(what_cannot_be_started_is_refused_with_the_reason, BOTH),
	CASE(agent_that_talks_nonsense_is_replaced, BOTH),
	CASE(job_that_ignores_term_is_dead_at_its_deadline, BOTH),
	CASE(job_that_obeys_term_has_its_grace_before_the_deadline, BOTH),
	CASE(guardian_that_comes_late_gives_no_grace, BOTH),
	CASE(extensions_keep_a_job_alive, BOTH),
	CASE(higher_token_ends_the_former_terms_runs, BOTH),
	CASE(empty_waits_for_one_that_dies_slowly, BOTH),
	CASE(nobody_of_the_tree_is_alive_at_empty, BOTH),
	CASE(rest_of_the_tree_dies_with_the_first_process, BOTH),
	CASE(run_beside_it_keeps_its_own_orphans, BOTH),
	CASE(stop_reaches_a_stopped_job_and_all_its_processes, BOTH),
	CASE(shorter_grace_replaces_a_longer_one, BOTH),
	CASE(fork_storm_is_over_at_empty, BOTH),
};

int main(int argc, char **argv)
{
	return world_main(cases, sizeof(cases) / sizeof(cases[0]), argc, argv);
}
