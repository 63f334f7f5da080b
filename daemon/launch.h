/* The LAUNCH packet of a job's command: its strings and what onced tells it in its environment. */
#ifndef ONCED_LAUNCH_H
#define ONCED_LAUNCH_H

#include "daemon/config.h"
#include "daemon/uplink.h"

/* The term under which jobs run. */
struct launch_term {
	int64_t token; /* 0: there is none */
	struct once_instant proved;
	const char *reason; /* why this node leads */
	uint32_t group;	    /* its number on the link */
};

enum { LAUNCH_VARIABLES_MAX = 8 };

/* All borrowed. */
struct launch {
	const struct config *config;
	const struct config_job *job;
	char *const *argv;
	size_t argc;
	uint64_t run; /* the agent's number for it */
	const struct launch_term *term;
	int64_t attempt;
	const char *reason;    /* why it runs: ONCED_REASON */
	const char *name;      /* of the run, the same for all its attempts; NULL: its number */
	const char *scheduled; /* the moment it runs for; NULL: none */
	/* More variables, name and value. */
	const char *variables[LAUNCH_VARIABLES_MAX][2];
	size_t n_variables;
	int out_fd; /* of its standard output and error; -1: the daemon's */
	bool takes_result; /* it may hand back one, in result_fd */
	int result_fd;
};

/* 0; -EAGAIN: the guardian is at work on those before; -E2BIG: the strings are too long; other
 * negative errno. */
int launch_send(struct uplink *uplink, const struct launch *launch);

/* Exit code as a shell gives it, of a status as of waitpid(2). */
int launch_code(int status);
/* Of a command that the guardian refused with this error, at this step. */
const char *launch_refused_text(int error, const char *what);
/* Its exit code. */
int launch_refused_code(int error);

#endif
