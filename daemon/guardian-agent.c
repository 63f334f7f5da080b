/* The agent's life and the signals of the guardian. See guardian-internal.h.
 *
 * Happy path: fork, HELLO, ..., QUIT, its end. One that ends before it was ever welcome ends the
 * daemon with its code: its configuration is bad or another daemon runs. One that dies later takes
 * all runs with it, and when these are proven gone the next is forked: at once, or after a pause
 * that doubles from 100 ms to 5 s while agents die within 10 s. Where none can be forked, it is tried again every
 * 100 ms, and said once for each reason. */
#include "guardian-internal.h"
#include "link-io.h"
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define QUICK_DEATH_NS (10 * ONCE_NSEC_PER_SEC)
#define RETRY_MIN_NS (100 * ONCE_NSEC_PER_MSEC)
#define RETRY_MAX_NS (5 * ONCE_NSEC_PER_SEC)
#define LEAVE_NS (2 * ONCE_NSEC_PER_SEC)

const int guardian_signals[SIGNALS] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1};

static void __attribute__((noreturn)) agent_child(struct guardian *g, int fd, pid_t guardian_pid)
{
	struct sigaction ignore = {.sa_handler = SIG_IGN};
	sigset_t none;

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != guardian_pid)
		_exit(1);
	(void)prctl(PR_SET_NAME, "onced-agent");
	for (int i = 0; i < SIGNALS; i++)
		(void)sigaction(guardian_signals[i], &ignore, NULL);
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	/* The lock above all: it must fall when the guardian does. */
	for (const int *own = (int[]){g->signal_fd, g->timer_fd, g->lock_fd, g->link_fd,
		     g->tree.leaf_fd, g->tree.children_fd, g->notify.fd, -2};
		*own != -2; own++)
		if (*own >= 0)
			(void)close(*own);
	(void)mprotect(g->page, sizeof(*g->page), PROT_READ);
	(void)setrlimit(RLIMIT_NOFILE, &g->runs.nofile);
	_exit(g->agent_main(fd, g->page, g->arg));
}

int agent_fork(struct guardian *g)
{
	pid_t pid, self = getpid();
	int fds[2], r = link_open(fds);

	if (r < 0)
		return r;
	atomic_store(&g->page->extends_seen, 0);
	/* What a former agent was owed is nobody's business now. */
	(void)runs_flush(&g->runs, -1);
	g->deadlines.high = 0;
	g->link_fd = fds[0];
	pid = fork();
	if (pid == 0)
		agent_child(g, fds[1], self);
	(void)close(fds[1]);
	if (pid < 0) {
		r = -errno;
		(void)close(fds[0]);
		g->link_fd = -1;
		return r;
	}
	g->agent = pid;
	g->agent_welcomed = false;
	g->agent_started_ns = once_instant_now().boot_ns;
	g->owe_welcome = g->owe_refused = g->link_full = false;
	memcpy(g->signal_told, g->signal_count, sizeof(g->signal_told));
	return 0;
}

static int64_t retry_pause(struct guardian *g, int64_t now_ns)
{
	int64_t pause;

	if (now_ns - g->agent_started_ns >= QUICK_DEATH_NS)
		g->quick_deaths = 0;
	if (++g->quick_deaths == 1)
		return 0;
	pause = g->quick_deaths < 10 ? RETRY_MIN_NS << (g->quick_deaths - 2) : RETRY_MAX_NS;
	return pause < RETRY_MAX_NS ? pause : RETRY_MAX_NS;
}

static bool stop_was_asked(const struct guardian *g)
{
	return g->signal_count[0] || g->signal_count[1];
}

static void on_agent_dead(struct guardian *g, int status)
{
	struct once_instant now = once_instant_now();
	int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);

	runs_kill_all(&g->runs, now);
	g->agent = 0;
	link_drain_dead(g);
	if (g->link_fd >= 0)
		(void)close(g->link_fd);
	g->link_fd = -1;
	if (g->quitting)
		return;
	if (!g->ever_welcomed) {
		guardian_quit(g, code);
		return;
	}
	log_err("agent-died", "the agent ended with %s %d: its %u runs are killed",
		WIFEXITED(status) ? "code" : "signal",
		WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status), g->runs.live);
	if (stop_was_asked(g)) {
		guardian_quit(g, 1);
		return;
	}
	g->restarts++;
	g->agent_retry_ns = now.boot_ns + retry_pause(g, now.boot_ns);
}

/* One that was killed is replaced; one that cannot do its work would not do it the next time. */
static void on_keeper_dead(struct guardian *g, int status)
{
	g->keeper = WIFEXITED(status) ? -1 : 0;
	log_warning("keeper", "the keeper ended with %s %d",
		WIFEXITED(status) ? "code" : "signal",
		WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
}

static void reap(struct guardian *g)
{
	struct rusage usage;
	pid_t pid;
	int status;

	while ((pid = wait4(-1, &status, WNOHANG, &usage)) > 0) {
		if (pid == g->agent)
			on_agent_dead(g, status);
		else if (pid == g->keeper)
			on_keeper_dead(g, status);
		else
			(void)runs_on_reaped(&g->runs, pid, status, &usage);
	}
}

/* The second request to stop means: now. */
static void on_signal(struct guardian *g, int i)
{
	g->signal_count[i]++;
	if (guardian_signals[i] != SIGTERM && guardian_signals[i] != SIGINT)
		return;
	if (!g->agent)
		guardian_quit(g, 0);
	if (g->signal_count[0] + g->signal_count[1] >= 2 && !g->runs.hurry) {
		g->runs.hurry = true;
		runs_kill_all(&g->runs, once_instant_now());
	}
}

void agent_on_signals(struct guardian *g)
{
	struct signalfd_siginfo info;

	while (read(g->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		for (int i = 0; i < SIGNALS; i++)
			if ((int)info.ssi_signo == guardian_signals[i])
				on_signal(g, i);
	reap(g);
}

static void advance_quit(struct guardian *g, struct once_instant now)
{
	if (g->runs.live && now.boot_ns < g->prove_until_ns)
		return;
	if (!g->agent) {
		if (g->runs.live) {
			log_err("quit", "%u runs did not die", g->runs.live);
			g->code = g->code ? g->code : 1;
		}
		g->done = true;
		return;
	}
	if (!g->leave_until_ns)
		g->leave_until_ns = now.boot_ns + LEAVE_NS;
	else if (now.boot_ns >= g->leave_until_ns)
		(void)kill(g->agent, SIGKILL);
}

void agent_advance(struct guardian *g, struct once_instant now)
{
	int r;

	if (g->quitting) {
		advance_quit(g, now);
		return;
	}
	if (g->agent || g->runs.live || now.boot_ns < g->agent_retry_ns)
		return;
	r = agent_fork(g);
	if (r < 0 && r != g->fork_error)
		log_err("agent-fork", "no agent can be started, trying on until one can: %s%s",
			strerror(-r), guardian_limit_text(r));
	if (r < 0)
		g->agent_retry_ns = now.boot_ns + RETRY_MIN_NS;
	g->fork_error = r;
}

int64_t agent_next_wake(const struct guardian *g, struct once_instant now)
{
	int64_t at_ns = 0;

	if (g->quitting)
		at_ns = g->runs.live && now.boot_ns < g->prove_until_ns ? g->prove_until_ns
									: g->leave_until_ns;
	else if (!g->agent && !g->runs.live)
		at_ns = g->agent_retry_ns;
	if (!at_ns)
		return DEADLINE_NEVER;
	/* Killed already: its end will wake us. */
	if (g->quitting && at_ns == g->leave_until_ns && now.boot_ns >= at_ns)
		return DEADLINE_NEVER;
	return at_ns > now.boot_ns ? at_ns - now.boot_ns : 1;
}
