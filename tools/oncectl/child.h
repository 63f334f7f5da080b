/* A command that runs under a claim: in a process group of its own, its standard output passed on
 * and the end of it kept. It dies with oncectl (PDEATHSIG), and oncectl dies by the kernel's hand
 * at the deadline even if it is stopped: so the command ends in time whatever happens to oncectl.
 * Processes that leave the group, and those the command started when oncectl itself is killed, are
 * not reached. */
#ifndef ONCECTL_CHILD_H
#define ONCECTL_CHILD_H

#include "tools/oncectl/ctl.h"
#include "tools/oncectl/signals.h"

#include <once/ledger.h>
#include <sys/types.h>
#include <time.h>

struct child {
	struct once_loop *loop;
	void (*ended)(
		void *userdata); /* how: state, exit_code ... of run, with the output's tail */
	void *userdata;
	struct once_run run;
	pid_t pid; /* 0: none runs */
	int pid_fd, out_fd, error_fd;
	bool stopped; /* by child_kill() */
	/* May be set before the start: its standard output is that of oncectl and is not kept, its
	 * standard input is empty. */
	bool plain;
	/* May be set: told of a signal while no command runs, which else ends oncectl. */
	void (*interrupted)(void *userdata, int signo);
	struct signals signals;
	struct once_io *exit_io, *out_io;
	struct once_timer *later; /* when standard output takes more */
	char *tail;		  /* owned */
	size_t tail_size;
	timer_t fuse;
	bool has_fuse;
};

/* Signals are blocked from here on; they are passed on to the command, or end oncectl when none
 * runs. 0 or an exit code after its line. */
int child_init(struct child *child, struct ctl *ctl, void (*ended)(void *userdata), void *userdata);
void child_fini(struct child *child);

/* Starts it, searched in PATH. environment: "NAME=value", added; ends with NULL. A command that
 * cannot be executed ends at once with 127 or 126. Negative errno: not even that. */
int child_start(struct child *child, char **argv, char *const *environment);
/* SIGKILL to the group. */
void child_kill(struct child *child);
/* oncectl is killed at that many nanoseconds after proved, unless it is told again. */
void child_fuse(struct child *child, struct once_instant proved, int64_t live_ns);

#endif
