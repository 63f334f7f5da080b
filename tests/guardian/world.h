/* A guardian with real processes and an agent that is a puppet: it passes packets between the link
 * and the test, so that a test reads as one sequence of what is said and what then is true.
 *
 * Every case runs in a process of its own that adopts what its guardian leaves behind and ends all
 * of it by pid, however the case ends. */
#ifndef TEST_GUARDIAN_WORLD_H
#define TEST_GUARDIAN_WORLD_H

#include "daemon/guardian.h"
#include "daemon/link-io.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#define MSEC ONCE_NSEC_PER_MSEC

enum { CGROUP = LINK_CONTAIN_CGROUP, SUBREAPER = LINK_CONTAIN_SUBREAPER, BOTH = 3 };

#define IGNORE_TERM "trap '' TERM; touch up; while :; do sleep 60; done"
/* Grandchildren that left parent, session and group; $1: file for the pids, sleep of their own. */
#define ESCAPEES                                                                                   \
	"for i in 1 2 3; do "                                                                      \
	"setsid sh -c 'trap \"\" TERM HUP; setsid sh -c \"echo \\$\\$ >> pids; exec sleep 600\" "  \
	"& "                                                                                       \
	"sleep 0' & done; "

struct world {
	enum link_contain contain;
	pid_t guardian;
	int ctl; /* to the puppet */
	pid_t agent;
	bool as_process_one; /* of a PID namespace */
	bool untidy;	     /* start it with odd signals and descriptors, as some callers do */
	bool agent_stays;    /* after QUIT, instead of leaving */
	const char *slice;   /* of the launches from now on; NULL: none */
	char dir[64];	     /* of the case; removed with it */
	char instance[32];
	struct link_welcome welcome; /* what begin() was answered */
};

/* Packets between test and puppet that the guardian never sees. */
enum puppet_type { PUPPET_BORN = 1000, PUPPET_EXIT, PUPPET_PAGE, PUPPET_MUTE };

struct puppet_packet {
	uint32_t type;
	int32_t value; /* BORN: pid; EXIT: code; MUTE: read the link no more, or again */
	uint64_t seen; /* PAGE, the answer */
};

struct test_case {
	const char *name;
	void (*run)(struct world *w);
	unsigned backends; /* 1: cgroup, 2: subreaper, 3: both; as enum link_contain */
};

#define CHECK(expr)                                                                                \
	do {                                                                                       \
		if (!(expr))                                                                       \
			world_fail(__FILE__, __LINE__, #expr);                                     \
	} while (0)

void world_fail(const char *file, int line, const char *what) __attribute__((noreturn));
int world_main(const struct test_case *cases, size_t n, int argc, char **argv);

/* world_start() and a good hello(). */
void begin(struct world *w);
/* Starts a guardian and waits for its agent to be born. */
void world_start(struct world *w);
/* A second one beside it, of the same instance. */
void world_start_other(const struct world *w, struct world *ret);

void say(struct world *w, const void *packet, size_t size);
/* The next packet, whatever it is: its type. */
uint32_t hear_any(struct world *w, void *ret, size_t size);
/* The next packet must be of the type. */
void hear(struct world *w, uint32_t type, void *ret, size_t size);
/* The next packet of the type; others are passed over. */
void hear_until(struct world *w, uint32_t type, void *ret, size_t size);
bool hears_nothing(struct world *w, int for_ms);
void wait_born(struct world *w);

struct link_welcome hello(struct world *w);
void extend(
	struct world *w, uint32_t group, int64_t token, int valid_ms, int grace_ms, int kill_ms);
void launch_argv(struct world *w, uint32_t group, int64_t token, uint64_t run, uint32_t flags,
	const char *directory, const char *const *argv, const int *fds, unsigned n_fds);
/* sh -c script, in the case's directory. */
void launch(struct world *w, uint32_t group, int64_t token, uint64_t run, uint32_t flags,
	const char *script);
/* launch, and hear STARTED. */
pid_t launched(struct world *w, uint32_t group, int64_t token, uint64_t run, uint32_t flags,
	const char *script);
void stop(struct world *w, uint32_t group, uint64_t run, int grace_ms);
void quit(struct world *w, int code);
int hear_ended(struct world *w, uint64_t run);
void hear_empty(struct world *w, uint64_t run);
int hear_refused(struct world *w, uint64_t run, const char *what);

/* Removes the cgroup that the guardian held its runs in, once nothing lives there. */
bool world_remove_leaf(const struct world *w, int ms);

/* Waits for the guardian's end: its exit code, or 128 + signal. */
int guardian_end(struct world *w);

/* Waits until the file in the case's directory has n lines, each a pid; as seen by the test. */
void read_pids(struct world *w, const char *file, pid_t *ret, int n);
/* As above, for pids written within a PID namespace: translated. */
pid_t read_ns_pid(struct world *w, const char *file);
int children_of(pid_t pid, pid_t *ret, int max);
bool is_dead(pid_t pid);
bool dies_within(pid_t pid, int ms);
bool file_appears(struct world *w, const char *file, int ms);
int64_t now_ms(void);
void sleep_ms(int ms);

#endif
