/* The small init over a run: process 1 of its PID namespace, or the subreaper of its tree.
 *
 * Happy path: (mounts), fork the command, learn through a second pipe that it was exec'd, report
 * so; then pass signals on and reap until the command ends, report how, end with its status.
 * - Isolated, the kernel kills whatever is left in the namespace when this process ends or is
 * killed, and lets it be reaped only when all of it is gone.
 * - Else what is left falls to the guardian, which knows that it has no business there and kills
 * it. When the guardian dies first, SIGCONT (see keeper.h) wakes this process, and it kills its tree
 * before it ends.
 * Failures go to the guardian as refusals. Nothing here runs long or allocates. */
#include "pids.h"
#include "spawn.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static void make_namespace(int report_fd)
{
	/* What the new /proc is put upon: the old one, or the whole tree where that is no mount. The root
	 * need not be one: in a chroot it is not. */
	if (mount(NULL, "/proc", NULL, MS_PRIVATE, NULL) < 0 &&
		mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		spawn_refuse(report_fd, -errno, "private mounts");
	if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
		spawn_refuse(report_fd, -errno, "mount /proc");
}

static void command_main(const struct spawn_request *request, pid_t parent, int report_fd)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		spawn_refuse(report_fd, -errno, "pdeathsig");
	if (getppid() != parent)
		_exit(127);
	(void)setsid();
	spawn_exec(request, report_fd);
}

static bool is_fault(int signo)
{
	return signo == SIGSEGV || signo == SIGBUS || signo == SIGFPE || signo == SIGILL ||
	       signo == SIGTRAP || signo == SIGSYS;
}

static void kill_child(pid_t pid, void *arg)
{
	(void)arg;
	(void)kill(pid, SIGKILL); /* not reaped: the number is still its own */
}

/* Whatever a killed child leaves becomes our child in its turn. */
static void kill_tree(void)
{
	int fd;

	do {
		fd = pids_open_children();
		if (fd >= 0)
			(void)pids_each(fd, kill_child, NULL);
		if (fd >= 0)
			(void)close(fd);
	} while (waitpid(-1, NULL, 0) > 0);
}

int spawn_init_loop(pid_t child, pid_t guardian, struct rusage *ret_usage)
{
	sigset_t all;

	sigfillset(&all);
	for (;;) {
		int signo, status;
		pid_t pid;

		if (guardian && getppid() != guardian) {
			kill_tree();
			return SIGKILL;
		}
		signo = sigwaitinfo(&all, NULL);
		if (signo < 0)
			continue;
		if (signo != SIGCHLD) {
			if (!is_fault(signo))
				(void)kill(child, signo);
			continue;
		}
		while ((pid = wait4(-1, &status, WNOHANG, ret_usage)) > 0)
			if (pid == child)
				return status;
	}
}

void spawn_init_main(const struct spawn_request *request, pid_t guardian, int report_fd)
{
	struct spawn_report report = {.kind = SPAWN_STARTED};
	pid_t child, self = getpid();
	sigset_t all;
	ssize_t n;
	int inner[2];

	sigfillset(&all);
	(void)sigprocmask(SIG_SETMASK, &all, NULL);
	(void)prctl(PR_SET_NAME, "onced-init");
	if (request->isolate)
		make_namespace(report_fd);
	else if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		spawn_refuse(report_fd, -errno, "subreaper");
	if (pipe2(inner, O_CLOEXEC) < 0)
		spawn_refuse(report_fd, -errno, "pipe");
	child = spawn_clone(0, -1);
	if (child == 0)
		command_main(request, self, inner[1]);
	if (child < 0)
		spawn_refuse(report_fd, child, "clone");
	(void)close(inner[1]);
	do
		n = read(inner[0], &report, sizeof(report));
	while (n < 0 && errno == EINTR);
	(void)close(inner[0]);
	spawn_report_send(report_fd, &report);
	if (report.kind == SPAWN_REFUSED)
		_exit(127);
	memset(&report, 0, sizeof(report));
	report.kind = SPAWN_ENDED;
	report.value = spawn_init_loop(child, request->isolate ? 0 : guardian, &report.usage);
	spawn_report_send(report_fd, &report);
	_exit(WIFEXITED(report.value) ? WEXITSTATUS(report.value) : 128 + WTERMSIG(report.value));
}
