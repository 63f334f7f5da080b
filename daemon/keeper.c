/* The keeper. See keeper.h.
 *
 * Happy path: sleep until the guardian is gone, kill the leaf, see it empty, end; or be killed by
 * the guardian, when that ends in order. It holds none of the guardian's descriptors: the locks
 * must fall when the guardian does. Failures: what does not die within 5 s is left to the next
 * guardian, which claims nothing before the leaf is empty. */
#include "keeper.h"
#include "spawn.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static void __attribute__((noreturn)) keeper_main(const struct tree *tree, pid_t guardian)
{
	sigset_t all;
	int leaf_fd;

	sigfillset(&all);
	(void)sigprocmask(SIG_SETMASK, &all, NULL);
	(void)prctl(PR_SET_NAME, "run-keeper");
	if (prctl(PR_SET_PDEATHSIG, SIGCONT) < 0)
		_exit(1);
	/* Not the guardian's descriptor: a lock lives as long as any copy of it. */
	leaf_fd = open(tree->leaf, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (leaf_fd < 0 || dup2(leaf_fd, STDIN_FILENO) < 0 || close_range(1, ~0u, 0) < 0)
		_exit(1);
	while (getppid() == guardian)
		(void)sigwaitinfo(&all, NULL);
	_exit(tree_cgroup_empty(STDIN_FILENO) == 0 ? 0 : 1);
}

pid_t keeper_fork(const struct tree *tree)
{
	pid_t guardian = getpid(), pid = spawn_clone(0, -1);

	if (pid == 0)
		keeper_main(tree, guardian);
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
