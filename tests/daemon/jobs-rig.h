/* A node's set of jobs, against a guardian that is the test: it reads the packets of the link and says what
 * becomes of them. Time is virtual. */
#ifndef TESTS_JOBS_RIG_H
#define TESTS_JOBS_RIG_H

#include "tests/unit/unit.h"

#include "daemon/jobs.h"
#include "daemon/link-io.h"
#include "tests/fake/loop.h"

enum { MS = 1000000, STATUS_EXIT_1 = 1 << 8, STATUS_KILLED = 9 };

struct rig {
	struct fake_loop loop;
	int fds[2];
	struct link_page page;
	struct uplink uplink;
	struct config config;
	struct jobs jobs;
	struct jobs_owner owner;
	unsigned n_finished, n_stopped, n_all_stopped;
	int code; /* of the last finished() or stopped() */
	bool by_itself;
	int64_t may_launch_ns;
};

/* The one that take() took last. */
union heard {
	uint32_t type;
	struct link_launch launch;
	struct link_stop stop;
	char bytes[LINK_PACKET_MAX];
};
extern union heard packet;

/* Of a group of tests: the daemon says nothing. */
int quiet(void **state);

/* ---- configuration ---- */

/* A service with one argument, always started again after 1 s, and 300 ms to stop. */
struct config_job *add_job(struct config *c, const char *name, const char *program);
void add_variable(struct config_job *job, const char *text);

/* ---- life ---- */

/* Everything but the jobs. */
void setup(struct rig *r);
/* The same and one job "a" of /bin/a. */
struct config_job *setup_one(struct rig *r);
void begin(struct rig *r);
/* This node leads from now on. */
void lead(struct rig *r, int64_t token);
/* The jobs are those of fresh, which is freed. */
void reload(struct rig *r, struct config *fresh);
/* Also checks that nothing was sent which the test did not take. */
void teardown(struct rig *r);

/* ---- the guardian ---- */

/* The type of the next packet, 0: none. */
uint32_t take(struct rig *r);
/* Its run. */
uint64_t expect_launch(struct rig *r);
void expect_stop(struct rig *r, uint64_t run, int64_t grace_ns);
void expect_silence(struct rig *r);

void say(struct rig *r, const void *data, size_t size);
void say_started(struct rig *r, uint64_t run);
void say_refused(struct rig *r, uint64_t run, int error);
void say_ended(struct rig *r, uint64_t run, int status);
void say_empty(struct rig *r, uint64_t run, int error);
/* Ended, and its tree is empty. */
void say_over(struct rig *r, uint64_t run, int status);
/* Takes a launch and says that it is started: its run. */
uint64_t run_it(struct rig *r);

/* ---- the launch packet ---- */

/* String number i of the last launch packet: the directory, argv, the environment. */
const char *launch_string(unsigned i);
/* NULL: it is not in the environment. */
const char *launch_variable(const char *name);
void check_strings_end(void);

#endif
