/* Choice of the backend. See tree.h. */
#include "tree.h"
#include <errno.h>
#include <signal.h>
#include <unistd.h>

int tree_open(struct tree *tree, const char *instance)
{
	int r = -EOPNOTSUPP;

	if (tree->force != LINK_CONTAIN_SUBREAPER)
		r = tree_cgroup_open(tree, instance);
	/* A predecessor or something of it lives in the leaf: another backend would not change that. */
	if (r == 0 || r == -ETIMEDOUT || r == -EBUSY || tree->force == LINK_CONTAIN_CGROUP)
		return r;
	return tree_subreaper_open(tree);
}

void tree_close(struct tree *tree)
{
	if (tree->ops && tree->contain == LINK_CONTAIN_CGROUP)
		tree_cgroup_close(tree);
	if (tree->children_fd >= 0)
		(void)close(tree->children_fd);
	tree->children_fd = -1;
	tree->ops = NULL;
}

int tree_run_prepare(struct tree *tree, struct tree_run *run)
{
	*run = (struct tree_run){.dir_fd = -1, .kill_fd = -1, .events_fd = -1};
	run->serial = ++tree->serial;
	return tree->ops->prepare(tree, run);
}

void tree_run_release(struct tree *tree, struct tree_run *run)
{
	tree->ops->release(tree, run);
}

void tree_run_signal(struct tree *tree, struct tree_run *run, int signo)
{
	tree->ops->signal(tree, run, signo);
}

void tree_run_kill(struct tree *tree, struct tree_run *run)
{
	tree->ops->kill(tree, run);
	if (run->first > 0 && !run->reaped)
		(void)kill(run->first, SIGKILL);
}

bool tree_run_is_empty(struct tree *tree, struct tree_run *run)
{
	return run->reaped && tree->ops->is_empty(tree, run);
}

void tree_sweep(struct tree *tree)
{
	tree->ops->sweep(tree);
}
