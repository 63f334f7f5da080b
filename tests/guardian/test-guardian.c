/* The guardian over real processes: deaths, stops and starts of its own and of its agent. See
 * world.h. */
#include "world.h"
#include <fcntl.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

/* ---- the deaths ---- */

static void test_dead_agent_takes_its_jobs_and_is_replaced(struct world *w)
{
	struct link_welcome welcome;
	uint64_t incarnation;
	pid_t job, pids[3];

	world_start(w);
	incarnation = hello(w).incarnation;
	extend(w, 0, 5, 30000, 5000, 200);
	job = launched(w, 0, 5, 1, 0, ESCAPEES IGNORE_TERM);
	read_pids(w, "pids", pids, 3);
	(void)kill(w->agent, SIGKILL);
	wait_born(w);
	CHECK(is_dead(job));
	for (int i = 0; i < 3; i++)
		CHECK(is_dead(pids[i]));
	welcome = hello(w);
	CHECK(welcome.error == 0 && welcome.restarts == 1);
	CHECK(welcome.incarnation == incarnation);
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
	extend(w, 0, 5, 3000, 200, 1200);
	job = launched(w, 0, 5, 1, 0, IGNORE_TERM);
	(void)kill(w->agent, SIGSTOP);
	CHECK(dies_within(job, 5000));
	CHECK(now_ms() - began < 3000);
	(void)kill(w->agent, SIGCONT);
	CHECK(hear_ended(w, 1) == SIGKILL);
	hear_empty(w, 1);
	hear(w, LINK_FENCED, &fenced, sizeof(fenced));
	CHECK(fenced.margin_ns >= 0);
}

/* A guardian that was held up finds the proofs of many groups at once. */
static void test_all_proofs_are_read_before_any_deadline_is_judged(struct world *w)
{
	enum { GROUPS = 150 };
	pid_t job;

	begin(w);
	extend(w, GROUPS, 5, 4000, 100, 3500); /* SIGTERM after 400 ms, the fuse after 3 s */
	job = launched(w, GROUPS, 5, 1, 0, "exec sleep 600");
	(void)kill(w->guardian, SIGSTOP);
	for (uint32_t i = 1; i < GROUPS; i++)
		extend(w, i, 5, 30000, 100, 200);
	extend(w, GROUPS, 5, 30000, 100, 200);
	sleep_ms(700);
	(void)kill(w->guardian, SIGCONT);
	CHECK(!dies_within(job, 100));
	CHECK(hears_nothing(w, 0));
}

static bool is_named(pid_t pid, const char *name)
{
	char path[64], text[64] = "";
	FILE *f;

	(void)snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	f = fopen(path, "re");
	if (f) {
		(void)!fgets(text, sizeof(text), f);
		(void)fclose(f);
	}
	text[strcspn(text, "\n")] = '\0';
	return !strcmp(text, name);
}

static pid_t keeper_of(struct world *w)
{
	pid_t pids[8], keeper = 0;
	int64_t until = now_ms() + 5000;

	while (!keeper && now_ms() < until) {
		int n = children_of(w->guardian, pids, 8);

		for (int i = 0; i < n; i++)
			if (is_named(pids[i], "run-keeper"))
				keeper = pids[i];
		sleep_ms(2);
	}
	CHECK(keeper > 0);
	return keeper;
}

static void test_killed_guardian_takes_agent_and_job_along(struct world *w)
{
	pid_t pids[3], job;

	begin(w);
	extend(w, 0, 5, 30000, 200, 400);
	(void)launched(w, 0, 5, 1, 0, "echo $$ > first; " ESCAPEES IGNORE_TERM);
	read_pids(w, "first", &job, 1);
	read_pids(w, "pids", pids, 3);
	(void)kill(w->agent, SIGSTOP); /* it cannot leave by itself */
	(void)kill(w->guardian, SIGKILL);
	CHECK(dies_within(job, 3000));
	for (int i = 0; i < 3; i++)
		CHECK(dies_within(pids[i], 3000));
	CHECK(dies_within(w->agent, 3000));
}

static void test_killed_keeper_is_replaced(struct world *w)
{
	pid_t pids[3], keeper;

	begin(w);
	extend(w, 0, 5, 30000, 200, 400);
	keeper = keeper_of(w);
	(void)kill(keeper, SIGTERM); /* takes no orders */
	CHECK(!dies_within(keeper, 50));
	(void)kill(keeper, SIGKILL);
	CHECK(dies_within(keeper, 3000));
	(void)launched(w, 0, 5, 1, 0, ESCAPEES IGNORE_TERM);
	read_pids(w, "pids", pids, 3);
	CHECK(keeper_of(w) != keeper);
	(void)kill(w->guardian, SIGKILL);
	for (int i = 0; i < 3; i++)
		CHECK(dies_within(pids[i], 3000));
}

static void test_a_keeper_needs_no_free_descriptor(struct world *w)
{
	const struct rlimit none = {.rlim_cur = 3, .rlim_max = 1024};
	pid_t pids[3], keeper;

	begin(w);
	extend(w, 0, 5, 30000, 200, 400);
	(void)launched(w, 0, 5, 1, 0, ESCAPEES IGNORE_TERM);
	read_pids(w, "pids", pids, 3);
	keeper = keeper_of(w);
	CHECK(prlimit(w->guardian, RLIMIT_NOFILE, &none, NULL) == 0);
	(void)kill(keeper, SIGKILL);
	CHECK(dies_within(keeper, 3000));
	keeper = keeper_of(w);
	CHECK(!dies_within(keeper, 100));
	(void)kill(w->guardian, SIGKILL);
	for (int i = 0; i < 3; i++)
		CHECK(dies_within(pids[i], 3000));
}

static void test_fuse_ends_a_stopped_guardian_and_its_job(struct world *w)
{
	int64_t began = now_ms();
	pid_t job;

	begin(w);
	extend(w, 0, 5, 3000, 200, 1200);
	(void)launched(w, 0, 5, 1, 0, "echo $$ > pids; " IGNORE_TERM);
	read_pids(w, "pids", &job, 1);
	(void)kill(w->guardian, SIGSTOP);
	CHECK(guardian_end(w) == 128 + SIGKILL);
	CHECK(now_ms() - began >= 2600);
	CHECK(dies_within(job, 3000));
	CHECK(now_ms() - began < 3000);
	CHECK(dies_within(w->agent, 3000));
}

static void test_fuse_ends_all_when_everything_is_stopped(struct world *w)
{
	int64_t began = now_ms();
	pid_t job, first, escaped[3], children[8];
	int n;

	begin(w);
	extend(w, 0, 5, 3000, 200, 1200);
	first = launched(w, 0, 5, 1, 0, "echo $$ > first; " ESCAPEES IGNORE_TERM);
	read_pids(w, "first", &job, 1);
	read_pids(w, "pids", escaped, 3);
	if (w->contain == LINK_CONTAIN_CGROUP)
		(void)keeper_of(w);
	n = children_of(w->guardian, children, 8);
	(void)kill(w->guardian, SIGSTOP);
	for (int i = 0; i < n; i++)
		(void)kill(children[i], SIGSTOP); /* the agent, the keeper or the init */
	(void)kill(first, SIGSTOP);
	(void)kill(job, SIGSTOP);
	CHECK(guardian_end(w) == 128 + SIGKILL);
	CHECK(dies_within(job, 3000));
	for (int i = 0; i < 3; i++)
		CHECK(dies_within(escaped[i], 3000));
	CHECK(now_ms() - began < 3000);
	CHECK(dies_within(w->agent, 3000));
}

static void test_fuse_burns_in_a_container_too(struct world *w)
{
	int64_t began = now_ms();
	pid_t guardian;

	w->as_process_one = true;
	begin(w);
	extend(w, 0, 5, 3000, 200, 1200);
	(void)launched(w, 0, 5, 1, 0, IGNORE_TERM);
	CHECK(children_of(w->guardian, &guardian, 1) == 1);
	(void)kill(guardian, SIGSTOP);
	CHECK(guardian_end(w) == 128 + SIGKILL);
	CHECK(now_ms() - began < 3000);
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

/* As the keeper of a guardian that was killed has it, until it has closed what it does not need. */
static void test_a_copy_of_the_lock_that_goes_soon_is_waited_for(struct world *w)
{
	char path[128];
	pid_t holder;
	int fd;

	(void)snprintf(path, sizeof(path), "%s/%s.lock", w->dir, w->instance);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	CHECK(fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0);
	holder = fork();
	CHECK(holder >= 0);
	if (holder == 0) {
		sleep_ms(200);
		_exit(0);
	}
	(void)close(fd);
	begin(w);
	CHECK(waitpid(holder, NULL, 0) == holder);
}

/* Starts one that must have, or have not, a proof of the incarnation before: its own. */
static uint64_t begin_after(struct world *w, uint64_t proven)
{
	struct link_welcome welcome;

	world_start(w);
	welcome = hello(w);
	CHECK(welcome.error == 0 && welcome.restarts == 0);
	CHECK(welcome.incarnation != 0 && welcome.incarnation != proven);
	CHECK(welcome.proven == proven);
	return welcome.incarnation;
}

static void lead_and_run(struct world *w)
{
	extend(w, 0, 5, 30000, 200, 400);
	(void)launched(w, 0, 5, 1, 0, "sleep 600");
}

static void kill_guardian(struct world *w)
{
	(void)kill(w->guardian, SIGKILL);
	CHECK(guardian_end(w) == 128 + SIGKILL);
}

static void test_leftovers_of_a_killed_guardian_are_emptied(struct world *w)
{
	pid_t pids[3], keeper;
	uint64_t first = begin_after(w, 0);

	extend(w, 0, 5, 30000, 200, 400);
	(void)launched(w, 0, 5, 1, 0, ESCAPEES IGNORE_TERM);
	read_pids(w, "pids", pids, 3);
	keeper = keeper_of(w);
	(void)kill(w->guardian, SIGSTOP); /* it cannot replace the keeper */
	(void)kill(keeper, SIGKILL);
	kill_guardian(w);
	CHECK(!is_dead(pids[0]));
	(void)begin_after(w, first);
	for (int i = 0; i < 3; i++)
		CHECK(is_dead(pids[i]));
}

static void test_no_proof_of_a_killed_guardian_without_cgroup(struct world *w)
{
	uint64_t idle = begin_after(w, 0);

	kill_guardian(w);
	(void)begin_after(w, idle); /* that one had never begun any work */
	lead_and_run(w);
	kill_guardian(w);
	(void)begin_after(w, 0);
}

/* As a service manager does it: what is left of a unit is killed, then its cgroups are removed. */
static void test_removed_leaf_of_a_killed_guardian_is_proof(struct world *w)
{
	uint64_t first = begin_after(w, 0);

	lead_and_run(w);
	kill_guardian(w);
	CHECK(world_remove_leaf(w, 3000));
	(void)begin_after(w, first);
}

static void test_leaf_elsewhere_is_no_proof(struct world *w)
{
	char path[128];
	uint64_t first = begin_after(w, 0);
	FILE *lock;

	lead_and_run(w);
	kill_guardian(w);
	CHECK(world_remove_leaf(w, 3000));
	(void)snprintf(path, sizeof(path), "%s/%s.lock", w->dir, w->instance);
	lock = fopen(path, "re+");
	CHECK(lock && fprintf(lock, "held %016llx 7", (unsigned long long)first) > 0 &&
		fclose(lock) == 0); /* another namespace */
	(void)begin_after(w, 0);
}

static void test_a_word_that_is_not_whole_is_no_proof(struct world *w)
{
	static const char *const words[] = {"", "empty\n", "empty 00000000000000ab", "empty \n", "held 00000000000000ab\n",
		"empty 00000000000000ab \n", "empty 00000000000000abc\n", "\nempty 00000000000000ab\n"};
	char path[128];
	FILE *lock;

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s.lock", w->dir, w->instance);
		lock = fopen(path, "we");
		CHECK(lock && fputs(words[i], lock) >= 0 && fclose(lock) == 0);
		(void)begin_after(w, 0);
		quit(w, 0);
		CHECK(guardian_end(w) == 0);
	}
	lock = fopen(path, "we");
	CHECK(lock && fputs("empty 00000000000000ab\n", lock) >= 0 && fclose(lock) == 0);
	(void)begin_after(w, 0xab);
}

static void test_clean_end_is_proof_for_the_next(struct world *w)
{
	uint64_t before = begin_after(w, 0);

	lead_and_run(w);
	quit(w, 0);
	CHECK(guardian_end(w) == 0);
	before = begin_after(w, before);
	quit(w, 0);
	CHECK(guardian_end(w) == 0);
	(void)begin_after(w, before);
	lead_and_run(w);
	kill_guardian(w); /* not proof: that one said nothing in the end */
	w->contain = LINK_CONTAIN_SUBREAPER;
	(void)begin_after(w, 0);
}

/* A group that was not there in the second incarnation has a state file of the first: of that nobody knows
 * anything, however orderly the second ended. */
static void test_a_proof_is_of_one_incarnation(struct world *w)
{
	uint64_t first = begin_after(w, 0), second;

	lead_and_run(w);
	kill_guardian(w);
	second = begin_after(w, 0);
	CHECK(second != first);
	quit(w, 0);
	CHECK(guardian_end(w) == 0);
	(void)begin_after(w, second);
}

static void test_first_start_claims_no_proof(struct world *w)
{
	struct link_welcome welcome;

	world_start(w);
	welcome = hello(w);
	CHECK(welcome.error == 0 && welcome.proven == 0 && welcome.restarts == 0);
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

static void test_last_word_of_an_agent_that_read_nothing(struct world *w)
{
	struct puppet_packet mute = {.type = PUPPET_MUTE, .value = 1};
	struct link_hello packet = {.type = LINK_HELLO};

	world_start(w);
	say(w, &mute, sizeof(mute));
	strcpy(packet.instance, w->instance);
	strcpy(packet.runtime_dir, w->dir);
	say(w, &packet, sizeof(packet));
	sleep_ms(100); /* WELCOME is in its queue, and stays there */
	(void)kill(w->guardian, SIGSTOP); /* until the agent is gone */
	quit(w, 21);
	sleep_ms(100);
	(void)kill(w->guardian, SIGCONT);
	CHECK(guardian_end(w) == 21);
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
	CASE(dead_agent_takes_its_jobs_and_is_replaced, BOTH),
	CASE(agents_that_die_early_come_back_slower, CGROUP),
	CASE(all_proofs_are_read_before_any_deadline_is_judged, CGROUP),
	CASE(stopped_agent_loses_its_job_in_time, BOTH),
	CASE(killed_guardian_takes_agent_and_job_along, BOTH),
	CASE(killed_keeper_is_replaced, CGROUP),
	CASE(a_keeper_needs_no_free_descriptor, CGROUP),
	CASE(fuse_ends_a_stopped_guardian_and_its_job, BOTH),
	CASE(fuse_ends_all_when_everything_is_stopped, BOTH),
	CASE(fuse_burns_in_a_container_too, CGROUP),
	CASE(fuse_is_out_when_nothing_lives, CGROUP),
	CASE(isolated_tree_dies_with_its_guardian, BOTH),
	CASE(isolated_job_has_its_own_processes_only, BOTH),
	CASE(second_daemon_of_an_instance_is_told_so, BOTH),
	CASE(a_copy_of_the_lock_that_goes_soon_is_waited_for, CGROUP),
	CASE(leftovers_of_a_killed_guardian_are_emptied, CGROUP),
	CASE(removed_leaf_of_a_killed_guardian_is_proof, CGROUP),
	CASE(leaf_elsewhere_is_no_proof, CGROUP),
	CASE(a_word_that_is_not_whole_is_no_proof, CGROUP),
	CASE(a_proof_is_of_one_incarnation, SUBREAPER),
	CASE(no_proof_of_a_killed_guardian_without_cgroup, SUBREAPER),
	CASE(clean_end_is_proof_for_the_next, BOTH),
	CASE(first_start_claims_no_proof, BOTH),
	CASE(agent_that_ends_before_hello_ends_the_daemon, CGROUP),
	CASE(last_word_of_an_agent_that_read_nothing, BOTH),
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
