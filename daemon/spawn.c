/* The first process of a run. See spawn.h.
 *
 * Happy path: parse the packet, pipe, clone3 into the run's cgroup; in the child: die with the
 * parent, own session, descriptors, (init), directory, signals, the clock once more, exec.
 * Failures: before the clone as return value; after it as a report, and the child ends with 127.
 *
 * The child is a copy of a process that allocates nothing and has one thread, so any libc function
 * that takes no memory may be called in it. The signal mask stays full until just before exec: a
 * SIGTERM sent early is then taken by the default action, not lost. */
#include "spawn.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

_Static_assert(LINK_RESULT_FD == 4, "stands behind the report");
enum { REPORT_FD = 3, LOST_FDS_MAX = 8192 };

static char *strings[SPAWN_STRINGS_MAX + 2];

int spawn_parse(const struct link_launch *packet, size_t packet_size, struct spawn_request *ret)
{
	const size_t head = sizeof(*packet);
	const char *at = packet->strings, *end;
	size_t count, n = 0;

	if (packet_size < head || packet->strings_size != packet_size - head || packet->argc < 1)
		return -EINVAL;
	if (packet->n_groups > LINK_SUPPLEMENTARY_MAX)
		return -EINVAL;
	if (packet->argc > SPAWN_STRINGS_MAX || packet->envc > SPAWN_STRINGS_MAX - packet->argc)
		return -E2BIG;
	end = at + packet->strings_size;
	count = (size_t)packet->argc + packet->envc + 1;
	if (at == end || end[-1] != '\0')
		return -EINVAL;
	ret->directory = at;
	at += strlen(at) + 1;
	for (size_t i = 1; i < count; i++, at += strlen(at) + 1) {
		if (at >= end)
			return -EINVAL;
		strings[n++] = (char *)(uintptr_t)at;
		if (i == packet->argc)
			strings[n++] = NULL;
	}
	if (at != end)
		return -EINVAL;
	strings[n] = NULL;
	ret->argv = strings;
	ret->envp = strings + packet->argc + 1;
	/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): argc is 1 at least */
	return strings[0][0] ? 0 : -EINVAL;
}

pid_t spawn_clone(uint64_t flags, int cgroup_fd)
{
	struct clone_args args = {.flags = flags, .exit_signal = SIGCHLD};
	long pid;

	if (cgroup_fd < 0) /* the older call passes more seccomp filters */
		pid = syscall(SYS_clone, flags | SIGCHLD, NULL, NULL, NULL, NULL);
	else {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (uint64_t)cgroup_fd;
		pid = syscall(SYS_clone3, &args, sizeof(args));
	}
	return pid < 0 ? (pid_t)-errno : (pid_t)pid;
}

void spawn_report_send(int report_fd, const struct spawn_report *report)
{
	ssize_t n;

	do
		n = write(report_fd, report, sizeof(*report));
	while (n < 0 && errno == EINTR);
}

void spawn_refuse(int report_fd, int error, const char *what)
{
	struct spawn_report report = {.kind = SPAWN_REFUSED, .value = error};

	strncpy(report.what, what, sizeof(report.what) - 1);
	spawn_report_send(report_fd, &report);
	_exit(127);
}

/* The parent may be gone before PDEATHSIG was set. In a new PID namespace getppid() says 0 always;
 * there the pipe tells, whose only reader is the guardian. */
static void die_with_parent(pid_t parent, int signo, int report_fd)
{
	struct pollfd reader = {.fd = report_fd, .events = POLLOUT};

	if (prctl(PR_SET_PDEATHSIG, signo) < 0)
		spawn_refuse(report_fd, -errno, "pdeathsig");
	if (parent && getppid() != parent)
		_exit(127);
	if (poll(&reader, 1, 0) == 1 && reader.revents & POLLERR)
		_exit(127);
}

/* Out of the way of the numbers that are given out now. */
static int set_aside(int fd, int report_fd)
{
	int aside = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, LINK_RESULT_FD + 1);

	if (fd >= 0 && aside < 0)
		spawn_refuse(report_fd, -errno, "result");
	return aside;
}

static void set_descriptors(const struct spawn_request *request, int report_fd)
{
	int null, first, result_fd = set_aside(request->result_fd, report_fd);

	if ((request->out_fd >= 0 && dup2(request->out_fd, STDOUT_FILENO) < 0) ||
		(request->err_fd >= 0 && dup2(request->err_fd, STDERR_FILENO) < 0))
		spawn_refuse(report_fd, -errno, "output");
	if (!request->keep_stdin) {
		null = open("/dev/null", O_RDONLY | O_CLOEXEC);
		if (null < 0 || dup2(null, STDIN_FILENO) < 0)
			spawn_refuse(report_fd, -errno, "/dev/null");
	}
	if (report_fd != REPORT_FD && dup3(report_fd, REPORT_FD, O_CLOEXEC) < 0)
		spawn_refuse(report_fd, -errno, "descriptors");
	if (result_fd >= 0 && dup2(result_fd, LINK_RESULT_FD) < 0)
		spawn_refuse(REPORT_FD, -errno, "result");
	first = result_fd >= 0 ? LINK_RESULT_FD + 1 : REPORT_FD + 1;
	if (close_range((unsigned)first, ~0u, 0) < 0)
		for (int fd = first; fd < LOST_FDS_MAX; fd++)
			(void)close(fd);
	(void)setrlimit(RLIMIT_NOFILE, &request->nofile);
}

/* What shields the daemon when memory is short must not shield the job that took it. */
static void drop_oom_shield(void)
{
	int fd = open("/proc/self/oom_score_adj", O_RDWR | O_CLOEXEC);
	char sign = '0';

	if (fd >= 0 && read(fd, &sign, 1) == 1 && sign == '-')
		(void)!pwrite(fd, "0", 1, 0);
	if (fd >= 0)
		(void)close(fd);
}

static void child_main(const struct spawn_request *request, pid_t parent, int report_fd)
{
	bool outlives = request->init && !request->isolate; /* to kill its tree first */

	die_with_parent(request->isolate ? 0 : parent, outlives ? SIGCONT : SIGKILL, report_fd);
	(void)setsid();
	drop_oom_shield();
	set_descriptors(request, report_fd);
	if (request->isolate || request->init)
		spawn_init_main(request, parent, REPORT_FD);
	spawn_exec(request, REPORT_FD);
}

int spawn_start(const struct spawn_request *request, pid_t *ret_pid, int *ret_report_fd,
	const char **ret_what)
{
	uint64_t flags = request->isolate ? CLONE_NEWPID | CLONE_NEWNS : 0;
	pid_t pid, parent = getpid();
	int report[2];

	*ret_what = "pipe";
	if (pipe2(report, O_CLOEXEC) < 0)
		return -errno;
	(void)fcntl(report[0], F_SETFL, O_NONBLOCK);
	pid = spawn_clone(flags, request->cgroup_fd);
	if (pid == 0) {
		(void)close(report[0]);
		child_main(request, parent, report[1]);
	}
	(void)close(report[1]);
	if (pid < 0) {
		(void)close(report[0]);
		*ret_what = pid == -EPERM && request->isolate ? "isolate" : "clone";
		return pid;
	}
	*ret_pid = pid;
	*ret_report_fd = report[0];
	return 0;
}

static void reset_signals(void)
{
	struct sigaction action = {.sa_handler = SIG_DFL};
	sigset_t none;

	for (int signo = 1; signo < NSIG; signo++)
		(void)sigaction(signo, &action, NULL);
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static const char *search_path(char *const *envp)
{
	for (; *envp; envp++)
		if (!strncmp(*envp, "PATH=", 5))
			return *envp + 5;
	return "/usr/local/bin:/usr/bin:/bin";
}

/* As execvpe(3), with the PATH of the command's own environment and without its shell for files
 * that are no programs. Returns only in failure. */
static int exec_search(const char *file, char *const *argv, char *const *envp)
{
	static char path[4096];
	const char *dir, *next;
	int error = -ENOENT;

	if (strchr(file, '/')) {
		(void)execve(file, argv, envp);
		return -errno;
	}
	for (dir = search_path(envp); dir; dir = next) {
		size_t dir_size = strcspn(dir, ":"), file_size = strlen(file);

		next = dir[dir_size] ? dir + dir_size + 1 : NULL;
		if (dir_size + file_size + 2 > sizeof(path))
			continue;
		memcpy(path, dir, dir_size);
		if (dir_size)
			path[dir_size++] = '/';
		memcpy(path + dir_size, file, file_size + 1);
		(void)execve(path, argv, envp);
		if (errno == EACCES)
			error = -EACCES;
		else if (errno != ENOENT && errno != ENOTDIR && errno != ENODEV)
			return -errno;
	}
	return error;
}

/* For good: real, effective and saved ids, and no group that is not the user's. The system calls, since
 * the C library's functions tell other threads, of which there are none here. A change of ids clears
 * PDEATHSIG; a parent that died just then is seen by who the parent is now. */
static void become(const struct link_launch *user, int report_fd)
{
	pid_t parent = getppid();

	if (syscall(SYS_setgroups, (size_t)user->n_groups, user->groups) < 0)
		spawn_refuse(report_fd, -errno, "groups");
	if (syscall(SYS_setresgid, user->gid, user->gid, user->gid) < 0)
		spawn_refuse(report_fd, -errno, "group");
	if (syscall(SYS_setresuid, user->uid, user->uid, user->uid) < 0)
		spawn_refuse(report_fd, -errno, "user");
	if (user->uid != 0 && (setuid(0) == 0 || geteuid() != user->uid || getegid() != user->gid))
		spawn_refuse(report_fd, -EPERM, "user");
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		spawn_refuse(report_fd, -errno, "pdeathsig");
	if (getppid() != parent)
		_exit(127);
}

void spawn_exec(const struct spawn_request *request, int report_fd)
{
	const char *directory = request->directory[0] ? request->directory : "/";
	int error;

	if (request->user)
		become(request->user, report_fd);
	if (chdir(directory) < 0)
		spawn_refuse(report_fd, -errno, "chdir");
	/* What gains root by a setuid program can be neither signalled nor held by PDEATHSIG. */
	if (geteuid() != 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		spawn_refuse(report_fd, -errno, "privileges");
	reset_signals();
	/* The guardian may have been stopped, or this process, since the launch was allowed. */
	if (once_elapsed_max(request->proved, once_instant_now()) >= request->start_within_ns)
		spawn_refuse(report_fd, -ESTALE, "deadline");
	error = exec_search(request->argv[0], request->argv, request->envp);
	spawn_refuse(report_fd, error, "exec");
}
