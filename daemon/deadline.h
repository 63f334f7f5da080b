/* The table of deadlines, one per group: how long the runs of a group may still live.
 *
 * Pure: no clock, no system call; `now` is an argument. Time left is counted from the moment the
 * proof was sent, on whichever clock has run further, so neither a slewed CLOCK_BOOTTIME nor a
 * CLOCK_MONOTONIC_RAW that stood still can lengthen a life. */
#ifndef ONCED_DEADLINE_H
#define ONCED_DEADLINE_H

#include "link.h"

struct deadline {
	uint32_t group;
	bool used;
	bool soft_done;	 /* SIGTERM went out for the present deadline */
	bool fencing;	 /* this deadline stopped runs that are not all gone yet */
	bool owe_fenced; /* FENCED is to be told */
	int64_t token;
	struct once_instant proved;
	int64_t valid_ns, grace_ns, kill_ns;
	unsigned live;	   /* runs whose tree is not proven empty */
	unsigned unkilled; /* those of them that were not sent SIGKILL */
	/* The last fencing: when it began, how far off D was then, and the outcome. */
	struct once_instant fenced_at;
	int64_t fenced_left_ns, fenced_token, margin_ns;
};

struct deadlines {
	unsigned high; /* slots at and above were never used */
	struct deadline slot[LINK_GROUPS_MAX];
};

enum {
	DEADLINE_STALE = 1,    /* a lower token than the group's: ignored */
	DEADLINE_REPLACED = 2, /* a higher one took over: runs of the former must go */
};

#define DEADLINE_NEVER INT64_MAX

/* 0 (kept or grown), a condition above, -EINVAL (no sensible packet) or -ENOSPC (table full). */
int deadlines_extend(
	struct deadlines *table, const struct link_extend *packet, struct once_instant now);

/* NULL when the group has none. */
struct deadline *deadlines_find(struct deadlines *table, uint32_t group);

/* Nanoseconds until D, negative past it. */
static inline int64_t deadline_left(const struct deadline *d, struct once_instant now)
{
	return d->valid_ns - once_elapsed_max(d->proved, now);
}

/* In how many nanoseconds of CLOCK_BOOTTIME to look at the table again; DEADLINE_NEVER without live
 * runs. Earlier than the deadline itself by a tenth, so that a clock slewed by up to 10 % is met by
 * looking again and not by being late. */
int64_t deadlines_next_wake(const struct deadlines *table, struct once_instant now);

/* In how many nanoseconds the fuse must blow: the smallest D - K/4 of groups with runs that nobody
 * has killed yet; DEADLINE_NEVER without. At least 1. */
int64_t deadlines_fuse(const struct deadlines *table, struct once_instant now);

#endif
