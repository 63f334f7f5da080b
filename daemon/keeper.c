/* The keeper. See keeper.h.
 *
 * Happy path: sleep until the guardian is gone, kill the leaf, and the slices of units that the lock file
 * names, see all of it empty, end; or be killed by the guardian, when that ends in order. It holds none of the guardian's descriptors: the locks
 * must fall when the guardian does. Failures: what does not die within 5 s is left to the next
 * guardian, which claims nothing before the leaf is empty. */
#include "keeper.h"
#include "slice.h"
#include "spawn.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* What the lock file says, in a file description of our own: a lock lives as long as any copy of its. */
static int open_lock_file(int lock_fd)
{
	char path[32];

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", lock_fd);
	return lock_fd < 0 ? -1 : open(path, O_RDONLY | O_CLOEXEC);
}

static void __attribute__((noreturn)) keeper_main(const struct keeper_of *of, pid_t guardian)
{
	int leaf_fd, said_fd, r;
	sigset_t all;

	sigfillset(&all);
	(void)sigprocmask(SIG_SETMASK, &all, NULL);
	(void)prctl(PR_SET_NAME, "run-keeper");
	if (prctl(PR_SET_PDEATHSIG, SIGCONT) < 0)
		_exit(1);
	/* Where these were, also when there is no other descriptor left. */
	(void)close(STDIN_FILENO);
	leaf_fd = open(of->tree->leaf, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	(void)close(STDOUT_FILENO);
	said_fd = open_lock_file(of->lock_fd);
	if (leaf_fd != STDIN_FILENO || said_fd > STDOUT_FILENO ||
		close_range(said_fd >= 0 ? STDERR_FILENO : STDOUT_FILENO, ~0u, 0) < 0)
		_exit(1);
	while (getppid() == guardian)
		(void)sigwaitinfo(&all, NULL);
	tree_cgroup_kill(STDIN_FILENO);
	r = said_fd >= 0 ? slices_finish(STDOUT_FILENO, of->slices->root, of->incarnation) : 0;
	_exit(tree_cgroup_empty(STDIN_FILENO) == 0 && r == 0 ? 0 : 1);
}

pid_t keeper_fork(const struct keeper_of *of)
{
	pid_t guardian = getpid(), pid = spawn_clone(0, -1);

	if (pid == 0)
		keeper_main(of, guardian);
	return pid;
}

void keeper_end(pid_t pid)
{
	if (pid <= 0)
		return;
	(void)kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}
