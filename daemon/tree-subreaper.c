/* Trees held by inits and by the guardian being a subreaper. See tree.h.
 *
 * Signals walk the tree through /proc/<pid>/task/<tid>/children. That list may miss processes that
 * fork meanwhile; they miss a SIGTERM then, never the end: the kill does not rest on the walk but
 * on orphans falling to the guardian, generation after generation. A number read from /proc may be
 * another process's by now: it is signalled through a pidfd, and only if its parent, read after
 * that was opened, is still one of ours.
 *
 * Failures: where nothing can be opened, the init is told, which tells its command, but nobody else of the tree.
 * What the end and its proof rest on is open from the start. */
#include "tree.h"
#include "pids.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { WALK_MAX = 4096 };

struct walk {
	pid_t root, guardian;
	int signo;
	bool blind; /* something could not be opened for want of descriptors */
	unsigned n;
	pid_t todo[WALK_MAX];
};

static pid_t parent_of(pid_t pid)
{
	char name[64], text[512], *at;
	ssize_t n;
	int fd;

	(void)snprintf(name, sizeof(name), "/proc/%d/stat", pid);
	fd = open(name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	n = read(fd, text, sizeof(text) - 1);
	(void)close(fd);
	if (n <= 0)
		return -1;
	text[n] = '\0';
	at = strrchr(text, ')'); /* the name may hold anything; "pid (name) state ppid" */
	return at && strlen(at) > 4 ? (pid_t)strtol(at + 4, NULL, 10) : -1;
}

/* After an open that failed: whether the process is gone, or nothing can be opened. */
static void note(struct walk *walk)
{
	walk->blind |= errno == EMFILE || errno == ENFILE || errno == ENOMEM;
}

static void signal_child(struct walk *walk, pid_t pid, pid_t parent)
{
	long fd = syscall(SYS_pidfd_open, pid, 0);
	pid_t now;

	if (fd < 0) {
		note(walk);
		return;
	}
	now = parent_of(pid);
	if (now < 0)
		note(walk);
	if (now > 0 && (now == parent || now == walk->root || now == walk->guardian))
		(void)syscall(SYS_pidfd_send_signal, (int)fd, walk->signo, NULL, 0);
	(void)close((int)fd);
}

struct walk_children {
	struct walk *walk;
	pid_t parent;
};

static void on_child(pid_t pid, void *arg)
{
	struct walk_children *of = arg;

	if (of->walk->n < WALK_MAX)
		of->walk->todo[of->walk->n++] = pid;
	signal_child(of->walk, pid, of->parent);
}

/* A child is listed under the thread that forked it. */
static void walk_process(struct walk *walk, pid_t pid)
{
	struct walk_children of = {.walk = walk, .parent = pid};
	char name[64], buf[2048];
	long n;
	int tasks;

	(void)snprintf(name, sizeof(name), "/proc/%d/task", pid);
	tasks = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (tasks < 0) {
		note(walk);
		return;
	}
	while ((n = syscall(SYS_getdents64, tasks, buf, sizeof(buf))) > 0)
		for (long at = 0; at < n;) {
			struct dirent64 *entry = (struct dirent64 *)(void *)(buf + at);
			int fd;

			at += entry->d_reclen;
			if (entry->d_name[0] == '.')
				continue;
			(void)snprintf(name, sizeof(name), "%.20s/children", entry->d_name);
			fd = openat(tasks, name, O_RDONLY | O_CLOEXEC);
			if (fd < 0) {
				note(walk);
				continue;
			}
			(void)pids_each(fd, on_child, &of);
			(void)close(fd);
		}
	(void)close(tasks);
}

static void signal_tree(struct tree_run *run, int signo)
{
	static struct walk walk;

	if (run->reaped)
		return;
	walk.root = run->first;
	walk.guardian = getpid();
	walk.signo = signo;
	walk.blind = false;
	walk.todo[0] = run->first;
	walk.n = 1;
	for (unsigned i = 0; i < walk.n; i++)
		walk_process(&walk, walk.todo[i]);
	if (walk.blind && signo != SIGKILL)
		(void)kill(run->first, signo); /* not reaped: the number is still its own */
}

static int subreaper_prepare(struct tree *tree, struct tree_run *run)
{
	(void)tree;
	run->init = true;
	return 0;
}

static void subreaper_release(struct tree *tree, struct tree_run *run)
{
	(void)tree;
	(void)run;
}

static void subreaper_signal(struct tree *tree, struct tree_run *run, int signo)
{
	(void)tree;
	if (signo == SIGCONT && !run->reaped)
		(void)kill(run->first, SIGCONT);
	signal_tree(run, signo);
}

/* The init last (by the caller): while it lives it keeps its tree together for the walk. */
static void subreaper_kill(struct tree *tree, struct tree_run *run)
{
	(void)tree;
	signal_tree(run, SIGKILL);
}

static bool subreaper_is_empty(struct tree *tree, struct tree_run *run)
{
	(void)run;
	return tree->strays == 0;
}

static void on_own_child(pid_t pid, void *arg)
{
	struct tree *tree = arg;

	if (tree->is_known(pid, tree->arg))
		return;
	tree->strays++;
	(void)kill(pid, SIGKILL); /* our child until we reap it: the number is still its own */
}

static void subreaper_sweep(struct tree *tree)
{
	/* What cannot be counted is not proven gone. */
	tree->strays = 0;
	if (lseek(tree->children_fd, 0, SEEK_SET) < 0 ||
		pids_each(tree->children_fd, on_own_child, tree) < 0)
		tree->strays = 1;
}

static const struct tree_ops subreaper_ops = {
	.prepare = subreaper_prepare,
	.release = subreaper_release,
	.signal = subreaper_signal,
	.kill = subreaper_kill,
	.is_empty = subreaper_is_empty,
	.sweep = subreaper_sweep,
};

int tree_subreaper_open(struct tree *tree)
{
	int fd = pids_open_children();

	if (fd < 0)
		return fd;
	tree->children_fd = fd;
	tree->ops = &subreaper_ops;
	tree->contain = LINK_CONTAIN_SUBREAPER;
	tree->leaf[0] = '\0';
	return 0;
}
