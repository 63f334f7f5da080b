/* Trees held by cgroup v2. See tree.h.
 *
 * Happy path: find our own cgroup, make the leaf below it (or empty the one a predecessor left),
 * try whether a process may be put there; per run a directory with cgroup.kill and cgroup.events
 * open, so that killing it needs neither memory nor a free descriptor. Failures: any step that does
 * not work makes open fail, and the other backend is used. A kernel without cgroup.kill
 * (before 5.14) is served by freezing and SIGKILL to each; one without CLONE_INTO_CGROUP is not
 * served. */
#include "tree.h"
#include "cgroup.h"
#include "pids.h"
#include "spawn.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LEFTOVER_TIMEOUT_MS = 5000, REMOVE_DEPTH_MAX = 4 };

/* Our cgroup v2 path, as the mount's root sees it: the line that begins with "0::". */
static int own_path(char *ret, size_t size)
{
	static char text[8192];
	char *line = text;

	if (cgroup_read(AT_FDCWD, "/proc/self/cgroup", text, sizeof(text)) < 0)
		return -ENOENT;
	if (strncmp(text, "0::", 3)) {
		line = strstr(text, "\n0::");
		if (!line)
			return -ENOENT;
		line++;
	}
	line += 3;
	line[strcspn(line, "\n")] = '\0';
	if ((size_t)snprintf(ret, size, "%s", strcmp(line, "/") ? line : "") >= size)
		return -ENAMETOOLONG;
	return 0;
}

/* Where cgroup2 is mounted and which of its directories is the mount's root: in
 * "36 35 0:30 ROOT MOUNTPOINT opts [tags] - cgroup2 source superopts". */
static int mount_point(char *ret_point, char *ret_root, size_t size)
{
	static char text[65536];
	char *save, *line;

	if (cgroup_read(AT_FDCWD, "/proc/self/mountinfo", text, sizeof(text)) < 0)
		return -ENOENT;
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char root[LINK_PATH_MAX], point[LINK_PATH_MAX];

		if (!strstr(line, " - cgroup2 "))
			continue;
		if (sscanf(line, "%*s %*s %*s %255s %255s", root, point) != 2)
			continue;
		if (strlen(root) >= size || strlen(point) >= size)
			return -ENAMETOOLONG;
		(void)snprintf(ret_root, size, "%s", strcmp(root, "/") ? root : "");
		(void)snprintf(ret_point, size, "%s", point);
		return 0;
	}
	return -ENOENT;
}

static int find_parent(struct tree *tree)
{
	char own[LINK_PATH_MAX], point[LINK_PATH_MAX], root[LINK_PATH_MAX];
	struct stat namespace;
	size_t cut;
	int r = own_path(own, sizeof(own));

	if (r == 0)
		r = mount_point(point, root, sizeof(point));
	if (r < 0)
		return r;
	/* A container may see a part of the hierarchy as root of its mount. */
	cut = strlen(root);
	if (strstr(own, "/.."))
		return -ENOENT; /* outside our cgroup namespace */
	if (strncmp(own, root, cut) || (own[cut] && own[cut] != '/'))
		return -ENOENT;
	if ((size_t)snprintf(tree->parent, sizeof(tree->parent), "%s%s", point, own + cut) >=
		sizeof(tree->parent))
		return -ENAMETOOLONG;
	if (stat("/proc/self/ns/cgroup", &namespace) == 0)
		(void)snprintf(tree->place, sizeof(tree->place), "%llu %s/%s",
			(unsigned long long)namespace.st_ino, own, tree->leaf_name);
	return 0;
}

static bool populated(int events_fd)
{
	char text[256];
	ssize_t n = pread(events_fd, text, sizeof(text) - 1, 0);

	if (n < 0)
		return errno != ENODEV; /* ENODEV: the cgroup was removed, so it was empty */
	text[n] = '\0';
	return !strstr(text, "populated 0");
}

/* Calls fn for every process of the cgroup (not of cgroups below). Numbers that name no process of
 * our PID namespace read as 0 and are left out. False: it could not be opened. */
static bool each_process(int dir_fd, void (*fn)(pid_t pid, void *arg), void *arg)
{
	int fd = openat(dir_fd, "cgroup.procs", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return false;
	(void)pids_each(fd, fn, arg);
	(void)close(fd);
	return true;
}

static void kill_one(pid_t pid, void *arg)
{
	(void)arg;
	(void)kill(pid, SIGKILL);
}

static void kill_all(int dir_fd, int kill_fd)
{
	if (kill_fd >= 0 && pwrite(kill_fd, "1", 1, 0) == 1)
		return;
	if (cgroup_write(dir_fd, "cgroup.kill", "1") == 0)
		return;
	(void)cgroup_write(dir_fd, "cgroup.freeze", "1");
	(void)each_process(dir_fd, kill_one, NULL);
	(void)cgroup_write(dir_fd, "cgroup.freeze", "0");
}

/* Removes the cgroup and those the job may have made in it. readdir(3) would allocate. */
static int remove_cgroup(int parent_fd, const char *name, int depth)
{
	char buf[2048];
	long n;
	int fd;

	if (unlinkat(parent_fd, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return 0;
	fd = depth > 0 ? openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	if (fd < 0)
		return -errno;
	while ((n = syscall(SYS_getdents64, fd, buf, sizeof(buf))) > 0)
		for (long at = 0; at < n;) {
			struct dirent64 *entry = (struct dirent64 *)(void *)(buf + at);

			at += entry->d_reclen;
			if (entry->d_type == DT_DIR && strcmp(entry->d_name, ".") &&
				strcmp(entry->d_name, ".."))
				(void)remove_cgroup(fd, entry->d_name, depth - 1);
		}
	(void)close(fd);
	return unlinkat(parent_fd, name, AT_REMOVEDIR) == 0 ? 0 : -errno;
}

/* The leaf is its guardian's: whoever holds it locked lives. Beside the lock in the runtime directory,
 * which a second daemon may have elsewhere, or not at all. */
static int lock_leaf(int fd)
{
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	return errno == EWOULDBLOCK ? -EBUSY : -errno;
}

void tree_cgroup_kill(int dir_fd)
{
	kill_all(dir_fd, -1);
}

int tree_cgroup_empty(int dir_fd)
{
	struct pollfd pfd = {
		.fd = openat(dir_fd, "cgroup.events", O_RDONLY | O_CLOEXEC), .events = POLLPRI};
	int r = 0;

	if (pfd.fd < 0)
		return -errno;
	for (int waited_ms = 0; populated(pfd.fd); waited_ms += 100) {
		if (waited_ms >= LEFTOVER_TIMEOUT_MS) {
			r = -ETIMEDOUT;
			break;
		}
		kill_all(dir_fd, -1);
		if (populated(pfd.fd))
			(void)poll(&pfd, 1, 100);
	}
	(void)close(pfd.fd);
	return r;
}

/* What a dead predecessor left: kill it, wait, remove it. The lock says the predecessor is dead. */
static int empty_leftover(int parent_fd, const char *name)
{
	int fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC), r;

	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	r = lock_leaf(fd);
	if (r == 0)
		r = tree_cgroup_empty(fd);
	(void)close(fd);
	if (r == 0)
		r = remove_cgroup(parent_fd, name, REMOVE_DEPTH_MAX);
	if (r == -EBUSY)
		r = 0; /* empty cgroups too deep to remove; -EBUSY means the lock */
	return r;
}

static int cgroup_prepare(struct tree *tree, struct tree_run *run)
{
	char name[32];

	(void)snprintf(name, sizeof(name), "run-%llu", (unsigned long long)run->serial);
	if (mkdirat(tree->leaf_fd, name, 0755) < 0)
		return -errno;
	run->at_home = true;
	run->dir_fd = openat(tree->leaf_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (run->dir_fd < 0)
		return -errno;
	run->kill_fd = openat(run->dir_fd, "cgroup.kill", O_WRONLY | O_CLOEXEC);
	run->events_fd = openat(run->dir_fd, "cgroup.events", O_RDONLY | O_CLOEXEC);
	return run->events_fd < 0 ? -errno : 0;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
	*fd = -1;
}

static void cgroup_release(struct tree *tree, struct tree_run *run)
{
	char name[32];

	close_fd(&run->kill_fd);
	close_fd(&run->events_fd);
	close_fd(&run->dir_fd);
	(void)snprintf(name, sizeof(name), "run-%llu", (unsigned long long)run->serial);
	if (run->at_home)
		(void)remove_cgroup(tree->leaf_fd, name, REMOVE_DEPTH_MAX);
	run->at_home = false;
}

struct signal_one {
	pid_t except;
	int signo;
};

static void signal_one(pid_t pid, void *arg)
{
	const struct signal_one *what = arg;

	if (pid != what->except)
		(void)kill(pid, what->signo);
}

static void cgroup_signal(struct tree *tree, struct tree_run *run, int signo)
{
	struct signal_one what = {.signo = signo};

	(void)tree;
	if (run->init && signo != SIGCONT)
		what.except = run->first;
	/* Without a descriptor the first is told alone; an init tells its command. */
	if (!each_process(run->dir_fd, signal_one, &what) && !run->reaped)
		(void)kill(run->first, signo);
}

static void cgroup_kill(struct tree *tree, struct tree_run *run)
{
	(void)tree;
	kill_all(run->dir_fd, run->kill_fd);
}

static bool cgroup_is_empty(struct tree *tree, struct tree_run *run)
{
	(void)tree;
	return !populated(run->events_fd);
}

static void cgroup_sweep(struct tree *tree)
{
	(void)tree;
}

static const struct tree_ops cgroup_ops = {
	.prepare = cgroup_prepare,
	.release = cgroup_release,
	.signal = cgroup_signal,
	.kill = cgroup_kill,
	.is_empty = cgroup_is_empty,
	.sweep = cgroup_sweep,
};

/* Whether a process may be born there: rights and seccomp filters differ too much to be reckoned.
 */
static int try_birth(struct tree *tree)
{
	struct tree_run run;
	pid_t pid = 0;
	int r = tree_run_prepare(tree, &run);

	if (r == 0) {
		pid = spawn_clone(0, run.dir_fd);
		if (pid == 0)
			_exit(0);
	}
	if (pid < 0)
		r = pid;
	else if (pid > 0)
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			;
	tree_run_release(tree, &run);
	return r;
}

int tree_cgroup_open(struct tree *tree, const char *instance)
{
	int parent_fd, r;

	(void)snprintf(tree->leaf_name, sizeof(tree->leaf_name), "onced-%s", instance);
	r = find_parent(tree);
	if (r < 0)
		return r;
	if ((size_t)snprintf(tree->leaf, sizeof(tree->leaf), "%s/%s", tree->parent,
		    tree->leaf_name) >= sizeof(tree->leaf))
		return -ENAMETOOLONG;
	parent_fd = open(tree->parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (parent_fd < 0)
		return -errno;
	r = empty_leftover(parent_fd, tree->leaf_name);
	if (r == 0 && mkdirat(parent_fd, tree->leaf_name, 0755) < 0 && errno != EEXIST)
		r = -errno;
	(void)close(parent_fd);
	if (r < 0)
		return r;
	tree->leaf_fd = open(tree->leaf, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (tree->leaf_fd < 0)
		return -errno;
	r = lock_leaf(tree->leaf_fd);
	if (r < 0) {
		(void)close(tree->leaf_fd);
		tree->leaf_fd = -1;
		return r;
	}
	tree->ops = &cgroup_ops;
	tree->contain = LINK_CONTAIN_CGROUP;
	r = try_birth(tree);
	if (r < 0)
		tree_cgroup_close(tree);
	return r;
}

void tree_cgroup_close(struct tree *tree)
{
	(void)close(tree->leaf_fd);
	(void)rmdir(tree->leaf);
	tree->leaf_fd = -1;
	tree->leaf[0] = '\0';
	tree->ops = NULL;
}
