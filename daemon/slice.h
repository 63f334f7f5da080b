/* The slice that a unit of systemd runs in when a job starts it (unit.h), and the gate before it.
 *
 * systemd starts such a unit, not the guardian, and may do so long after it was asked: a start may wait in
 * its queue while the term ends. What makes the end of the unit provable is its slice, a cgroup that has
 * nothing else in it, <root>/onced.slice/onced-NAME.slice. With cgroup.max.descendants at 0 the kernel lets
 * nobody make the unit's cgroup there, not systemd either, and a start fails before any code of the unit
 * runs (systemd: "Failed to create cgroup", 219/CGROUP). So the gate is shut but for the time between a
 * launch and the end of its run; and once it is shut, everything was killed, no cgroup is left in the slice
 * and nothing lives in it, the unit is dead and remains so, whatever systemd has still in mind.
 *
 * The state is the kernel's: it outlives the guardian. All functions go by path, and make the slice's cgroup
 * when it is missing, as systemd does. */
#ifndef ONCED_SLICE_H
#define ONCED_SLICE_H

#include "link.h"

enum { SLICES_MAX = 64 };

struct slices {
	char root[LINK_PATH_MAX]; /* systemd's own cgroup; empty: unknown, there can be no slices */
	unsigned n;
	char name[SLICES_MAX][LINK_SLICE_MAX]; /* that may have had something in them */
};

/* The root, from where a unit's cgroup is, "ROOT/system.slice/onced.service"; empty if that is in no slice. */
void slices_init(struct slices *slices, const char *own_cgroup);

/* [A-Za-z0-9_.] between "onced-" and ".slice". */
bool slice_name_is_sane(const char *name);

/* Opens the gate of a slice in which nothing is. -EBUSY: something is; other errno of its files. It is shut
 * in every case but 0. */
int slice_open(const char *root, const char *name);
/* Shuts the gate and kills what is in the slice; may be repeated. */
void slice_end(const char *root, const char *name);
/* Proven: nothing is in the slice, and nothing can get in. */
bool slice_is_empty(const char *root, const char *name);

/* Of the slices that a lock file names, one "slice NAME" a line: ends all, and waits until all are empty, for
 * at most 5 s: -ETIMEDOUT. -ENOENT: slices are named, but the root is unknown. The guardian that named them is
 * dead. incarnation not 0: only while the file's first line names that; another's slices are not ours to end. */
int slices_finish(int fd, const char *root, uint64_t incarnation);

#endif
