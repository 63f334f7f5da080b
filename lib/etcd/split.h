/* Cuts a stream that comes in arbitrary chunks into lines: etcd sends one JSON document per line,
 * except that the v1 gateway's last one (an error) has no newline. Pure: no I/O, no callbacks.
 *
 *	split_push(split, data, size) on data; split_end(split) at its end; after each
 *	while ((r = split_next(split, &line, &n)) > 0)
 *		...;
 *
 * Errors stick. Empty lines are skipped. */
#ifndef ETCD_SPLIT_H
#define ETCD_SPLIT_H

#include "base/buf.h"

enum { SPLIT_LINE_MAX = 16 * 1024 * 1024 };

struct split {
	struct buf buf;
	size_t taken;	/* bytes given out already */
	size_t scanned; /* bytes known to hold no newline, from taken on */
	size_t line_max;
	bool ended;
	int error;
};

/* line_max 0: SPLIT_LINE_MAX. */
void split_init(struct split *split, size_t line_max);
void split_fini(struct split *split);
/* As new, memory kept: for the next stream. */
void split_reset(struct split *split);

/* Copies data. -ENOMEM. Take all lines before you push again, or the buffer grows without limit. */
int split_push(struct split *split, const void *data, size_t size);
/* No more data comes: an unterminated last line counts as a line. */
void split_end(struct split *split);
/* 1: a line (without newline), borrowed until the next call here; 0: none; -EBADMSG: a line above
 * the maximum; -ENOMEM: an earlier push failed. */
int split_next(struct split *split, const char **ret_line, size_t *ret_size);

#endif
