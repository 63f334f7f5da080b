/* See child.h.
 *
 * Happy path: child_start() forks, the child execs; its output comes through a pipe and goes on as
 * far as standard output takes it without blocking, for a loop that stands still proves nothing;
 * the pidfd tells the end; what is still in the pipe is read, and ended() called. An error of exec
 * comes through a second pipe that exec closes. */
#include "tools/oncectl/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PIECE = 4096 /* PIPE_BUF: a writable pipe takes it whole */, KEEP = 2 * ONCE_TAIL_MAX };

/* ---- output ---------------------------------------------------------------------------------- */

static void keep(struct child *c, const char *data, size_t size)
{
	c->run.output_size += (int64_t)size;
	if (c->tail_size + size > KEEP) {
		size_t drop = c->tail_size - ONCE_TAIL_MAX;

		memmove(c->tail, c->tail + drop, ONCE_TAIL_MAX);
		c->tail_size = ONCE_TAIL_MAX;
	}
	memcpy(c->tail + c->tail_size, data, size);
	c->tail_size += size;
}

static bool takes_more(void)
{
	struct pollfd out = {.fd = STDOUT_FILENO, .events = POLLOUT};

	return poll(&out, 1, 0) != 0;
}

/* One piece. False: none is there now. */
static bool pass_on(struct child *c)
{
	char piece[PIECE];
	ssize_t n = read(c->out_fd, piece, sizeof(piece));

	if (n <= 0)
		return false;
	keep(c, piece, (size_t)n);
	for (ssize_t at = 0, w; at < n; at += w) {
		w = write(STDOUT_FILENO, piece + at, (size_t)(n - at));
		if (w < 0 && errno == EINTR)
			w = 0;
		if (w < 0)
			break; /* nobody reads it; it is recorded all the same */
	}
	return true;
}

static void on_output(void *userdata, int fd, int events)
{
	struct child *c = userdata;

	(void)fd;
	(void)events;
	if (!takes_more()) {
		c->loop->ops->io_set(c->out_io, 0);
		c->loop->ops->timer_set(c->later, 20 * ONCE_NSEC_PER_MSEC);
	} else if (!pass_on(c)) {
		c->loop->ops->io_set(c->out_io, 0); /* closed by all who had it */
	}
}

static void on_later(void *userdata)
{
	struct child *c = userdata;

	c->loop->ops->io_set(c->out_io, c->pid ? ONCE_IO_READ : 0);
}

/* ---- its end --------------------------------------------------------------------------------- */

static void close_all(struct child *c)
{
	c->loop->ops->io_free(c->exit_io);
	c->loop->ops->io_free(c->out_io);
	c->exit_io = c->out_io = NULL;
	if (c->pid_fd >= 0)
		close(c->pid_fd);
	if (c->out_fd >= 0)
		close(c->out_fd);
	if (c->error_fd >= 0)
		close(c->error_fd);
	c->pid_fd = c->out_fd = c->error_fd = -1;
}

static void set_usage(struct once_run *run, const struct rusage *usage)
{
	run->user_us = usage->ru_utime.tv_sec * INT64_C(1000000) + usage->ru_utime.tv_usec;
	run->system_us = usage->ru_stime.tv_sec * INT64_C(1000000) + usage->ru_stime.tv_usec;
	run->max_rss_kib = usage->ru_maxrss;
}

static void set_status(struct child *c, int status)
{
	struct once_run *run = &c->run;
	int error = 0;

	run->exited = WIFEXITED(status);
	run->exit_code = run->exited ? WEXITSTATUS(status) : 0;
	run->exit_signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
	run->state = run->exited && run->exit_code == 0 ? ONCE_RUN_OK : ONCE_RUN_FAILED;
	if (read(c->error_fd, &error, sizeof(error)) == (ssize_t)sizeof(error)) {
		memcpy(run->reason, "exec", sizeof("exec"));
		(void)snprintf(run->detail, sizeof(run->detail), "%s", strerror(error));
	}
	if (c->stopped) {
		run->state = ONCE_RUN_INTERRUPTED;
		memcpy(run->reason, "term", sizeof("term"));
	}
}

static void on_exit_of_it(void *userdata, int fd, int events)
{
	struct child *c = userdata;
	struct rusage usage = {0};
	int status = 0;

	(void)fd;
	(void)events;
	if (wait4(c->pid, &status, WNOHANG, &usage) != c->pid)
		return;
	(void)killpg(c->pid, SIGKILL); /* what it left in its group ends with it */
	c->pid = 0;
	while (takes_more() && pass_on(c))
		;
	set_status(c, status);
	set_usage(&c->run, &usage);
	c->run.end_ms = once_utc_now();
	c->run.tail = (struct once_bytes){c->tail, c->tail_size};
	close_all(c);
	c->ended(c->userdata);
}

/* ---- its start ------------------------------------------------------------------------------- */

/* plain: nothing to read, and output where oncectl's goes. */
static bool connect_to(int out_fd, bool plain)
{
	int in_fd;

	if (!plain)
		return dup2(out_fd, STDOUT_FILENO) >= 0;
	in_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	return in_fd >= 0 && dup2(in_fd, STDIN_FILENO) >= 0;
}

static void become(const struct child *c, char **argv, char *const *environment, int out_fd,
	int error_fd, pid_t parent)
{
	sigset_t none;
	int error;

	(void)setpgid(0, 0);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(127);
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)signal(SIGPIPE, SIG_DFL);
	for (; *environment; environment++)
		(void)putenv(*environment);
	if (connect_to(out_fd, c->plain))
		(void)execvp(argv[0], argv);
	error = errno;
	(void)!write(error_fd, &error, sizeof(error));
	_exit(error == ENOENT || error == ENOTDIR ? 127 : 126);
}

static int watch(struct child *c)
{
	c->pid_fd = (int)syscall(SYS_pidfd_open, c->pid, 0);
	if (c->pid_fd < 0)
		return -errno;
	c->exit_io = c->loop->ops->io_new(c->loop, c->pid_fd, on_exit_of_it, c);
	c->out_io = c->loop->ops->io_new(c->loop, c->out_fd, on_output, c);
	if (!c->exit_io || !c->out_io)
		return -ENOMEM;
	c->loop->ops->io_set(c->exit_io, ONCE_IO_READ);
	c->loop->ops->io_set(c->out_io, ONCE_IO_READ);
	return 0;
}

int child_start(struct child *c, char **argv, char *const *environment)
{
	int out[2] = {-1, -1}, error[2] = {-1, -1}, r;
	pid_t parent = getpid();

	c->run = (struct once_run){.start_ms = once_utc_now()};
	c->tail_size = 0;
	c->stopped = false;
	(void)fflush(stdout);
	if (pipe2(out, O_CLOEXEC) < 0)
		return -errno;
	if (pipe2(error, O_CLOEXEC | O_NONBLOCK) < 0) {
		r = -errno;
		close(out[0]);
		close(out[1]);
		return r;
	}
	c->out_fd = out[0];
	c->error_fd = error[0];
	(void)fcntl(out[0], F_SETFL, O_NONBLOCK);
	c->pid = fork();
	if (c->pid == 0)
		become(c, argv, environment, out[1], error[1], parent);
	r = c->pid < 0 ? -errno : 0;
	close(out[1]);
	close(error[1]);
	if (r < 0)
		c->pid = 0;
	else
		(void)setpgid(c->pid, c->pid); /* whoever comes first */
	r = r < 0 ? r : watch(c);
	if (r < 0)
		close_all(c);
	return r;
}

/* ---- stopping it ----------------------------------------------------------------------------- */

void child_kill(struct child *c)
{
	c->stopped = true;
	if (c->pid)
		(void)killpg(c->pid, SIGKILL);
}

void child_fuse(struct child *c, struct once_instant proved, int64_t live_ns)
{
	int64_t at_ns = proved.boot_ns + live_ns;
	struct itimerspec at = {
		.it_value = {at_ns / ONCE_NSEC_PER_SEC, (long)(at_ns % ONCE_NSEC_PER_SEC)}};

	if (c->has_fuse)
		(void)timer_settime(c->fuse, live_ns ? TIMER_ABSTIME : 0,
			live_ns ? &at : &(struct itimerspec){0}, NULL);
}

static void on_signal(void *userdata, int signo)
{
	struct child *c = userdata;

	if (c->pid)
		(void)killpg(c->pid, signo);
	else if (c->interrupted)
		c->interrupted(c->userdata, signo);
	else
		signals_default(signo);
}

int child_init(struct child *c, struct ctl *ctl, void (*ended)(void *userdata), void *userdata)
{
	struct sigevent kill_me = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGKILL};
	int code;

	*c = (struct child){.loop = ctl->loop,
		.ended = ended,
		.userdata = userdata,
		.pid_fd = -1,
		.out_fd = -1,
		.error_fd = -1};
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGCHLD, SIG_DFL); /* an inherited "ignore" would have the kernel reap it before us */
	code = signals_init(&c->signals, ctl, on_signal, c);
	if (code != CTL_OK)
		return code;
	c->has_fuse = timer_create(CLOCK_BOOTTIME, &kill_me, &c->fuse) == 0;
	if (!c->has_fuse)
		return ctl_error(CTL_FAILED, "timer: %s", strerror(errno));
	c->tail = malloc(KEEP + PIECE);
	c->later = c->loop->ops->timer_new(c->loop, on_later, c);
	return c->tail && c->later ? CTL_OK : ctl_out_of_memory();
}

void child_fini(struct child *c)
{
	if (c->has_fuse)
		(void)timer_delete(c->fuse);
	close_all(c);
	signals_fini(&c->signals);
	if (c->later)
		c->loop->ops->timer_free(c->later);
	free(c->tail);
	c->tail = NULL;
}
