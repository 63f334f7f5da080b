/* A line on standard error that says how far a program is; only on a terminal. */
#ifndef TOOLS_PROGRESS_H
#define TOOLS_PROGRESS_H

#include <once/time.h>
#include <stdbool.h>
#include <stdint.h>

struct progress {
	const char *what; /* "keys" */
	uint64_t total;	  /* 0: not known */
	struct once_instant since;
	int64_t shown_ns; /* since `since` */
	bool on, drawn;
};

void progress_init(struct progress *progress, const char *what, uint64_t total);
/* Whether progress_show() would draw now. */
bool progress_due(const struct progress *progress);
/* Draws at most five times a second. more: said behind it, or NULL. */
void progress_show(struct progress *progress, uint64_t done, const char *more);
/* Takes the line away. */
void progress_end(struct progress *progress);

#endif
