/* Start the first process of a run: clone, set-up, exec.
 *
 * Two shapes. Direct: the command is the guardian's child. Under an init: the child is a small init
 * (spawn-init.c) and the command is its child; the init is process 1 of an own PID namespace when
 * the run is isolated, else merely the subreaper of everything the command leaves behind.
 *
 * What happens until exec is told through a pipe, the report: end of file after a direct exec, else
 * struct spawn_report. */
#ifndef ONCED_SPAWN_H
#define ONCED_SPAWN_H

#include "link.h"
#include <sys/types.h>

enum { SPAWN_STRINGS_MAX = 8192 }; /* arguments and variables of one command */

enum spawn_kind {
	SPAWN_REFUSED = 1, /* value: negative errno, what: the step */
	SPAWN_STARTED,	   /* the init's command has been exec'd */
	SPAWN_ENDED,	   /* the init's command ended; value: status as of waitpid(2), usage */
};

struct spawn_report {
	int32_t kind;
	int32_t value;
	char what[16];
	struct rusage usage;
};

struct spawn_request {
	const char *directory; /* borrowed, like all strings: of the packet */
	char *const *argv;
	char *const *envp;
	bool isolate;
	bool init; /* run under an init; isolate implies it */
	bool keep_stdin;
	const struct link_launch *user; /* its uid, gid and groups; NULL: stay who we are */
	int cgroup_fd;	    /* directory of the cgroup to be born in, or -1 */
	int out_fd, err_fd; /* standard output and error, or -1: the guardian's */
	int result_fd;	    /* becomes LINK_RESULT_FD, or -1: none does */
	struct once_instant proved;
	int64_t start_within_ns; /* counted from proved: not exec'd later than that */
	struct rlimit nofile;	 /* the limit the guardian was started with */
};

/* Splits a LAUNCH into *ret (directory, argv, envp only), with static arrays that hold until the
 * next call. -EINVAL when the packet is not what it says, -E2BIG with too many strings. */
int spawn_parse(const struct link_launch *packet, size_t packet_size, struct spawn_request *ret);

/* Negative errno of pipe or clone; *ret_what then names the step. The caller owns *ret_report_fd
 * (not blocking) and reaps *ret_pid. */
int spawn_start(const struct spawn_request *request, pid_t *ret_pid, int *ret_report_fd,
	const char **ret_what);

/* clone(2) without sharing, into cgroup_fd (-1: none): 0 in the child, else its pid. */
pid_t spawn_clone(uint64_t flags, int cgroup_fd);

/* ---- within the child: neither returns ---- */
void spawn_exec(const struct spawn_request *request, int report_fd) __attribute__((noreturn));
void spawn_init_main(const struct spawn_request *request, pid_t guardian, int report_fd)
	__attribute__((noreturn));
void spawn_refuse(int report_fd, int error, const char *what) __attribute__((noreturn));
void spawn_report_send(int report_fd, const struct spawn_report *report);

/* Process 1's work: pass signals on to the child and reap, until it ends; how, as of waitpid(2). Once
 * the parent is not `guardian` any more (0: whoever it is), everything below is killed instead. */
int spawn_init_loop(pid_t child, pid_t guardian, struct rusage *ret_usage);

#endif
