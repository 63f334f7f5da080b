/* The process trees of runs: who belongs to one, how to signal all of it, how to kill it, and when
 * it is certain that nothing of it is alive.
 *
 * Two backends, chosen once, when the instance is opened:
 * - cgroup: every run is born in a cgroup v2 of its own, <own>/onced-<instance>/run-<n>, which no
 *   double fork or setsid leaves. Kill is one write, proof is `populated 0`, and both work for what
 * a dead predecessor left. A job that moves itself to another cgroup (it needs root) escapes.
 * - subreaper: every run is under an init (spawn-init.c) which is the subreaper of its tree, so
 * nothing the command leaves behind leaves that init's tree either, and needs no mark to be told
 * from the orphans of other runs. Once the init is dead its orphans fall to the guardian, whose
 * only rightful children are the agent and inits: any other child is a stray and killed. Proof: the
 * init is reaped and the guardian, after that, has no stray. (A process is in its parent's list of
 * children until that parent reaped it, and hands its own children on before it can be reaped; so
 * with no stray in our list every living descendant of ours is below the agent or a living init.)
 * What a guardian that was killed left behind is out of reach of the next one; its keepers (keeper.h)
 * kill that, and isolated runs die with it. */
#ifndef ONCED_TREE_H
#define ONCED_TREE_H

#include "link.h"
#include <sys/types.h>

enum { TREE_PLACE_MAX = LINK_PATH_MAX + LINK_NAME_MAX + 32 };

struct tree_run {
	pid_t first;			/* the guardian's child */
	bool init;			/* that is an init; the command is below it */
	bool reaped;			/* it has been waited for, its number may be another's */
	bool at_home;			/* the cgroup exists */
	int dir_fd, kill_fd, events_fd; /* of the cgroup, or -1 */
	uint64_t serial;		/* names the cgroup */
};

struct tree {
	const struct tree_ops *ops; /* NULL: not open */
	enum link_contain force;    /* 0: the best that works */
	enum link_contain contain;
	int leaf_fd;
	int children_fd;	    /* without a cgroup: the list of the guardian's children */
	char leaf[LINK_PATH_MAX];   /* path of the leaf; empty without one */
	char parent[LINK_PATH_MAX]; /* the cgroup above it */
	char place[TREE_PLACE_MAX]; /* the leaf by its cgroup namespace and its path in that */
	char leaf_name[LINK_NAME_MAX + 8]; /* the leaf's name in it */
	uint64_t serial;
	unsigned strays; /* as of the last sweep */
	/* Whether a child of the guardian is one it knows. */
	bool (*is_known)(pid_t pid, void *arg);
	void *arg;
};

struct tree_ops {
	int (*prepare)(struct tree *tree, struct tree_run *run);
	void (*release)(struct tree *tree, struct tree_run *run);
	void (*signal)(struct tree *tree, struct tree_run *run, int signo);
	void (*kill)(struct tree *tree, struct tree_run *run);
	bool (*is_empty)(struct tree *tree, struct tree_run *run);
	void (*sweep)(struct tree *tree);
};

/* Chooses a backend and empties what a dead predecessor of the instance
 * left in its leaf, waiting up to 5 s for that. -ETIMEDOUT when it did not become empty, else the backend's -errno. */
int tree_open(struct tree *tree, const char *instance);

/* Removes the leaf when nothing is in it. */
void tree_close(struct tree *tree);

/* Before the spawn: where the run will live. After its proof: gives that up. */
int tree_run_prepare(struct tree *tree, struct tree_run *run);
void tree_run_release(struct tree *tree, struct tree_run *run);

/* To every process of the tree but its init (SIGCONT: also to that). */
void tree_run_signal(struct tree *tree, struct tree_run *run, int signo);

/* SIGKILL to all of it; may be repeated. */
void tree_run_kill(struct tree *tree, struct tree_run *run);

/* Proven: nothing of it is alive. Meaningful after its kill and after tree_sweep(). */
bool tree_run_is_empty(struct tree *tree, struct tree_run *run);

/* Kills strays. To be called after reaping, before asking who is empty. */
void tree_sweep(struct tree *tree);

/* Once, without waiting. */
void tree_cgroup_kill(int dir_fd);
/* Kills what lives in the cgroup and below until nothing does, for at most 5 s: -ETIMEDOUT. */
int tree_cgroup_empty(int dir_fd);

/* ---- the backends ---- */
int tree_cgroup_open(struct tree *tree, const char *instance);
void tree_cgroup_close(struct tree *tree);
int tree_subreaper_open(struct tree *tree);

#endif
