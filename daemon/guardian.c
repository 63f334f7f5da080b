/* The guardian: start, loop, timers, end. See guardian.h.
 *
 * Happy path: block signals, become subreaper, lock memory, fork the agent; then one poll over
 * signals, the timer, the link and dying trees. After whatever woke it, every pass does the same in
 * the same order: kill what is past its deadline, see who is empty, look after the agent, tell it
 * what is owed, set timer and fuse anew. Failures, and who ends the jobs then:
 * - agent dead: the guardian, at once. Agent stopped or cut off: the guardian, at the deadline.
 * - guardian killed: the kernel, by PDEATHSIG of agent and first processes; the keepers, the rest.
 * - guardian stopped: the fuse, a kernel timer that kills the guardian at D - K/4; then as before.
 *   The fuse covers runs that nobody has killed; once SIGKILL is sent it has nothing to add.
 * - something does not die: nothing here pretends it did.
 *
 * Not dumpable: a job of the same user must not attach to its guardian and still the fuse, and no
 * core holds what the agent knows. Neither PDEATHSIG nor the right to signal children depends on
 * it; exec makes jobs dumpable again.
 *
 * The fuse cannot kill process 1 of a PID namespace (the kernel shields it), so as process 1 of a
 * container the guardian puts a small init above itself. */
#include "guardian.h"
#include "guardian-internal.h"
#include "keeper.h"
#include "memory.h"
#include "spawn.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROVE_NS (5 * ONCE_NSEC_PER_SEC)

enum { NOFILE_WANTED = 3 * LINK_RUNS_MAX + 64, STACK_WANTED = 128 * 1024 };

static struct guardian guardian;
static struct pollfd pfds[3 + 2 * LINK_RUNS_MAX];
static enum link_contain forced_contain;

void guardian_force_contain(enum link_contain contain)
{
	forced_contain = contain;
}

/* The stack it will need, while a fault can still be served. */
static void __attribute__((noinline)) touch_stack(void)
{
	volatile char stack[STACK_WANTED];

	for (size_t i = 0; i < sizeof(stack); i += 512)
		stack[i] = 0;
}

static void harden(struct guardian *g)
{
	struct rlimit limit;

	if (prctl(PR_SET_DUMPABLE, 0) < 0)
		log_warning("harden", "stays dumpable: %s", strerror(errno));
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	g->runs.nofile = limit;
	if (limit.rlim_cur < NOFILE_WANTED) {
		limit.rlim_cur = limit.rlim_max < NOFILE_WANTED ? limit.rlim_max : NOFILE_WANTED;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
}

/* Once the agent has its answer and waits for etcd. */
static void hold_memory(struct guardian *g)
{
	if (g->memory_held || !g->agent_welcomed)
		return;
	g->memory_held = true;
	touch_stack();
	memory_shed(true);
	/* Under RLIMIT_MEMLOCK this may be refused; then the pages may be evicted, no more. */
	(void)mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT);
}

/* Descriptors 0 to 2 must be somebody's, or a pipe of ours lands there. */
static int fill_stdio(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	while (fd >= 0 && fd <= 2 && fcntl(fd, F_SETFD, 0) == 0);
	if (fd < 0)
		return -errno;
	(void)close(fd);
	return 0;
}

static int open_signals(struct guardian *g)
{
	struct sigaction dfl = {.sa_handler = SIG_DFL};
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	for (int i = 0; i < SIGNALS; i++)
		sigaddset(&set, guardian_signals[i]);
	/* An inherited "ignore" would have the kernel reap in our stead. */
	(void)sigaction(SIGCHLD, &dfl, NULL);
	if (sigprocmask(SIG_SETMASK, &set, NULL) < 0)
		return -errno;
	g->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return g->signal_fd < 0 ? -errno : 0;
}

static int open_timers(struct guardian *g)
{
	struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGKILL};

	g->timer_fd = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	if (g->timer_fd < 0 || timer_create(CLOCK_BOOTTIME, &event, &g->fuse) < 0)
		return -errno;
	return 0;
}

static bool is_known(pid_t pid, void *arg)
{
	const struct guardian *g = arg;

	return pid == g->agent || pid == g->keeper || runs_is_known(&g->runs, pid);
}

static int guardian_init(struct guardian *g)
{
	int r;

	memset(g, 0, sizeof(*g));
	g->signal_fd = g->timer_fd = g->lock_fd = g->link_fd = -1;
	g->tree.leaf_fd = g->tree.children_fd = -1;
	g->tree.force = forced_contain;
	g->tree.is_known = is_known;
	g->tree.arg = g;
	g->runs.tree = &g->tree;
	r = fill_stdio();
	if (r == 0)
		r = open_signals(g);
	if (r == 0)
		r = open_timers(g);
	if (r < 0)
		return r;
	notify_init(&g->notify);
	if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		return -errno;
	g->page = mmap(
		NULL, sizeof(*g->page), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (g->page == MAP_FAILED)
		return -errno;
	harden(g);
	return 0;
}

static void guardian_fini(struct guardian *g)
{
	(void)timer_delete(g->fuse);
	lock_last_word(g);
	if (!g->runs.live)
		keeper_end(g->keeper);
	tree_close(&g->tree);
	notify_fini(&g->notify);
	(void)munmap(g->page, sizeof(*g->page));
	for (const int *fd = (int[]){g->signal_fd, g->timer_fd, g->link_fd, g->lock_fd, -2};
		*fd != -2; fd++)
		if (*fd >= 0)
			(void)close(*fd);
}

static struct itimerspec at(int64_t ns)
{
	return (struct itimerspec){
		.it_value = {.tv_sec = ns / ONCE_NSEC_PER_SEC, .tv_nsec = ns % ONCE_NSEC_PER_SEC}};
}

/* Timer and fuse, anew from what lives now. Both are absolute, so it does not matter when. */
void guardian_arm(struct guardian *g)
{
	struct once_instant now = once_instant_now();
	int64_t wake = deadlines_next_wake(&g->deadlines, now);
	int64_t runs = runs_next_wake(&g->runs, now), agent = agent_next_wake(g, now);
	int64_t fuse = deadlines_fuse(&g->deadlines, now);
	struct itimerspec spec = {0};

	wake = runs < wake ? runs : wake;
	wake = agent < wake ? agent : wake;
	if (wake != DEADLINE_NEVER)
		spec = at(now.boot_ns + (wake > 1 ? wake : 1));
	if (wake != DEADLINE_NEVER || g->timer_set)
		(void)timerfd_settime(g->timer_fd, TFD_TIMER_ABSTIME, &spec, NULL);
	g->timer_set = wake != DEADLINE_NEVER;
	spec = fuse != DEADLINE_NEVER ? at(now.boot_ns + fuse) : (struct itimerspec){0};
	if (fuse != DEADLINE_NEVER || g->fuse_lit)
		(void)timer_settime(g->fuse, TIMER_ABSTIME, &spec, NULL);
	g->fuse_lit = fuse != DEADLINE_NEVER;
}

const char *guardian_limit_text(int error)
{
	return error == -EMFILE	  ? " (LimitNOFILE=, ulimit -n)"
	       : error == -EAGAIN ? " (LimitNPROC=, TasksMax=, ulimit -u)"
				  : "";
}

void guardian_quit(struct guardian *g, int code)
{
	struct once_instant now = once_instant_now();

	if (g->quitting)
		return;
	g->quitting = true;
	g->code = code;
	g->prove_until_ns = now.boot_ns + PROVE_NS;
	runs_kill_all(&g->runs, now);
}

static void begin_fencing(struct deadline *d, struct once_instant now, int64_t left)
{
	if (d->fencing)
		return;
	d->fencing = true;
	d->fenced_at = now;
	d->fenced_left_ns = left;
	d->fenced_token = d->token;
}

static void enforce_deadlines(struct guardian *g, struct once_instant now)
{
	for (unsigned i = 0; i < g->deadlines.high; i++) {
		struct deadline *d = &g->deadlines.slot[i];
		int64_t left;

		if (!d->unkilled)
			continue;
		left = deadline_left(d, now);
		if (left <= d->kill_ns) {
			begin_fencing(d, now, left);
			runs_kill_group(&g->runs, d, -1, now);
			log_warning("deadline", "group %u: killed at its deadline, %lld us left",
				d->group, (long long)(left / 1000));
		} else if (left <= d->kill_ns + d->grace_ns && !d->soft_done) {
			begin_fencing(d, now, left);
			d->soft_done = true;
			runs_stop(&g->runs, d->group, 0, d->grace_ns, now);
			log_warning(
				"deadline", "group %u: no proof of leadership, stopping", d->group);
		}
	}
}

static void finish_fencing(struct guardian *g)
{
	for (unsigned i = 0; i < g->deadlines.high; i++) {
		struct deadline *d = &g->deadlines.slot[i];

		if (!d->fencing || d->live)
			continue;
		d->fencing = false;
		d->owe_fenced = true;
		d->margin_ns =
			d->fenced_left_ns - once_elapsed_max(d->fenced_at, once_instant_now());
	}
}

static void guardian_wait(struct guardian *g)
{
	short link = (short)((g->owe_refused ? 0 : POLLIN) | (g->link_full ? POLLOUT : 0));
	uint64_t expired;
	unsigned n;

	pfds[0] = (struct pollfd){.fd = g->signal_fd, .events = POLLIN};
	pfds[1] = (struct pollfd){.fd = g->timer_fd, .events = POLLIN};
	pfds[2] = (struct pollfd){.fd = g->link_fd, .events = link};
	n = 3 + runs_poll(&g->runs, pfds + 3);
	if (poll(pfds, n, -1) < 0)
		return;
	if (pfds[1].revents)
		(void)!read(g->timer_fd, &expired, sizeof(expired));
}

/* One over every leaf, whatever killed the former. */
static void look_after_keeper(struct guardian *g)
{
	if (g->keeper || g->quitting || !g->tree.ops || g->tree.contain != LINK_CONTAIN_CGROUP)
		return;
	g->keeper = keeper_fork(
		&(struct keeper_of){&g->tree, &g->runs.slices, g->lock_fd, g->incarnation});
	if (g->keeper > 0) {
		g->keeper_error = 0;
		return;
	}
	if (g->keeper != g->keeper_error)
		log_err("keeper", "no keeper can be started, trying on until one can: %s%s",
			strerror(-g->keeper), guardian_limit_text(g->keeper));
	g->keeper_error = g->keeper;
	g->keeper = 0;
}

static void guardian_loop(struct guardian *g)
{
	while (!g->done) {
		struct once_instant now;

		guardian_wait(g);
		agent_on_signals(g);
		/* Extensions before deadlines: theirs are absolute, so one that was read late is as
		 * good as ever, and a starved machine does not kill what is proven to lead. */
		if (g->link_fd >= 0)
			link_serve(g);
		now = once_instant_now();
		enforce_deadlines(g, now);
		runs_advance(&g->runs, now);
		finish_fencing(g);
		agent_advance(g, now);
		/* The fuse is out before anybody hears that nothing lives. */
		guardian_arm(g);
		link_flush(g);
		look_after_keeper(g);
		hold_memory(g);
	}
}

/* As process 1: a child becomes the guardian, this stays its init. -1 in the child. */
static int stay_init(void)
{
	struct rusage usage;
	sigset_t all, former;
	pid_t pid;
	int status;

	sigfillset(&all);
	(void)sigprocmask(SIG_SETMASK, &all, &former);
	pid = spawn_clone(0, -1);
	if (pid <= 0) {
		(void)sigprocmask(SIG_SETMASK, &former, NULL);
		return -1;
	}
	status = spawn_init_loop(pid, 0, &usage);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int guardian_run(int (*agent_main)(int link_fd, const struct link_page *page, void *arg), void *arg)
{
	struct guardian *g = &guardian;
	int r;

	if (getpid() == 1) {
		r = stay_init();
		if (r >= 0)
			return r;
	}
	r = guardian_init(g);
	g->agent_main = agent_main;
	g->arg = arg;
	if (r == 0)
		r = agent_fork(g);
	if (r < 0) {
		log_err("start", "cannot start: %s%s", strerror(-r), guardian_limit_text(r));
		return 1;
	}
	guardian_loop(g);
	guardian_fini(g);
	return g->code;
}
