/* Flags in the manner of Go's programs: -n=5, -n 5, --n 5, -json, -json=false.
 *
 * A program has one table of its own flags; those of the connection are here, the same for all, and
 * so is their way into the configuration: flags and ETCDCTL_* variables as oncectl has them. */
#ifndef TOOLS_GOFLAGS_H
#define TOOLS_GOFLAGS_H

#include <stdbool.h>
#include <stdint.h>

#include "tools/oncectl/ctl.h"

enum goflag_kind {
	GOFLAG_TEXT,	 /* const char * */
	GOFLAG_NUMBER,	 /* int64_t, min to max */
	GOFLAG_DURATION, /* int64_t nanoseconds, min to max */
	GOFLAG_BOOL,	 /* int64_t 0 or 1; takes a value only behind = */
};

struct goflag {
	const char *name; /* "n", without the dash; NULL: the end */
	enum goflag_kind kind;
	void *to; /* holds the default */
	int64_t min, max;
	const char *argument, *help;
};

struct goprogram {
	const char *name, *summary;
	const struct goflag *flags;
};

/* Fills what the flags point to and ctl's config and timeout; ctl is empty but for its arena. 0, or
 * the exit code after one line on standard error. *ret_done: help or the version was printed. */
int goflags_parse(
	const struct goprogram *program, struct ctl *ctl, int argc, char **argv, bool *ret_done);

#endif
