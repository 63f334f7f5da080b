/* The link between the guardian and the agent: what each may ask of the other.
 *
 * A SOCK_SEQPACKET socketpair, one struct a packet, in native layout: both ends are the same process
 * image, forked. Beside it one shared page, where the guardian counts the extensions it has acted on,
 * so that the agent sees a stopped guardian without either being woken for it.
 *
 * The agent's life: HELLO (its configuration is good) -> WELCOME (nothing of an earlier incarnation
 * lives) -> per term: EXTEND, LAUNCH, EXTEND ... -> QUIT. An agent that exits before HELLO ends the
 * daemon with the agent's exit code; one that dies later is replaced after its jobs are proven dead. */
#ifndef ONCED_LINK_H
#define ONCED_LINK_H

#include <once/time.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>

enum {
	LINK_PACKET_MAX = 128 * 1024, /* a LAUNCH with its strings is the largest */
	LINK_RUNS_MAX = 1024,	      /* runs alive at once */
	LINK_GROUPS_MAX = 1024,	      /* groups with a deadline at once */
	LINK_NAME_MAX = 64,
	LINK_SUPPLEMENTARY_MAX = 64, /* groups of a user */
	LINK_PATH_MAX = 256,
	LINK_SLICE_MAX = 128,
	LINK_FDS_MAX = 3,   /* beside one packet */
	LINK_RESULT_FD = 4, /* of a command; one digit, as shells want it */
};

enum link_type {
	/* agent to guardian */
	LINK_HELLO = 1,
	LINK_EXTEND,
	LINK_LAUNCH,
	LINK_STOP,
	LINK_NOTIFY,
	LINK_ALIVE,
	LINK_QUIT,
	/* guardian to agent */
	LINK_WELCOME = 64,
	LINK_STARTED,
	LINK_REFUSED,
	LINK_ENDED,
	LINK_EMPTY,
	LINK_FENCED,
	LINK_SIGNAL,
};

/* The shared page; the guardian writes, the agent reads. */
struct link_page {
	_Atomic uint64_t extends_seen; /* EXTEND packets acted on since the agent's WELCOME */
};

/* ---- agent to guardian ---- */

/* The configuration is loaded. The guardian locks the instance, kills whatever an earlier
 * incarnation of it left and answers WELCOME; a lock held by a living daemon is told in it. */
struct link_hello {
	uint32_t type;
	char instance[LINK_NAME_MAX];	/* names the lock and the cgroup leaf: [A-Za-z0-9._~-]+ */
	char runtime_dir[LINK_PATH_MAX]; /* exists; empty: no lock can be taken */
};

/* Leadership of a group was proven by a write sent at `proved`: its jobs may live until
 * proved + valid_ns (D) on either clock. The guardian sends SIGTERM at D - kill_ns - grace_ns, kills
 * at D - kill_ns, and its fuse kills the guardian itself at D - kill_ns / 4. Within one token D only
 * grows; a lower token than the group's last is ignored; a higher one replaces it (its predecessor's
 * jobs must be gone). */
struct link_extend {
	uint32_t type;
	uint32_t group;
	int64_t token;
	struct once_instant proved;
	int64_t valid_ns, grace_ns, kill_ns;
};

enum link_launch_flags {
	LINK_LAUNCH_ISOLATE = 1, /* own PID namespace with a fresh /proc, under a small init */
	LINK_LAUNCH_STDIN = 2,	 /* keep standard input; else /dev/null */
	LINK_LAUNCH_USER = 4,	 /* become uid, gid and groups, for good */
	LINK_LAUNCH_RESULT = 8,	 /* the third descriptor becomes LINK_RESULT_FD */
};

/* Start a command under a group's term. Refused (with the errno) without a live deadline of that
 * token: -ESTALE when less than grace + kill is left. `strings` holds, each ended by NUL: the working
 * directory (empty: /), argv (argc of them; argv[0] is searched in PATH of the given environment),
 * the environment (envc of them).
 * Up to three descriptors may come with the packet (SCM_RIGHTS): the command's standard output and
 * error, which are the daemon's without, and where it writes its result.
 * With `slice`, the command has a unit of systemd started: the run is what lives in that slice, too. */
struct link_launch {
	uint32_t type;
	uint32_t group;
	uint64_t run; /* the agent's number for it, never used twice by one agent */
	int64_t token;
	uint32_t flags;
	uint32_t argc, envc;
	uint32_t uid, gid, n_groups;
	uint32_t groups[LINK_SUPPLEMENTARY_MAX];
	uint32_t reserved;
	uint32_t strings_size;
	char slice[LINK_SLICE_MAX]; /* see slice.h; empty: none */
	char strings[];
};
_Static_assert(sizeof(struct link_launch) == offsetof(struct link_launch, strings), "padding");

/* Stop a run, or every run of a group: SIGTERM and SIGCONT to its tree, after grace_ns (0: at once)
 * SIGKILL to it. Idempotent; a shorter grace replaces a longer one. EMPTY follows. */
struct link_stop {
	uint32_t type;
	uint32_t group;
	uint64_t run; /* 0: all of the group */
	int64_t grace_ns;
};

/* Passed on to the service manager as it is (sd_notify lines: READY=1, STATUS=..., RELOADING=1,
 * STOPPING=1); dropped without one. */
struct link_notify {
	uint32_t type;
	char text[512];
};

/* The agent makes progress; for followers and leaders alike. The guardian feeds the service manager's
 * watchdog when one of these comes and at no other time, so send four in an interval of it, and none
 * without (link_welcome.watchdog_ns is 0). The interval may be set anew by LINK_NOTIFY. */
struct link_alive {
	uint32_t type;
};

/* End the daemon: the guardian proves every tree empty, waits for the agent and exits with code. */
struct link_quit {
	uint32_t type;
	int32_t code;
};

/* ---- guardian to agent ---- */

enum link_contain { LINK_CONTAIN_CGROUP = 1, LINK_CONTAIN_SUBREAPER = 2 };

struct link_welcome {
	uint32_t type;
	int32_t error;	   /* 0, or -EBUSY: another daemon of this instance runs; else -errno */
	uint32_t contain;  /* enum link_contain: how trees are held now */
	uint32_t restarts; /* agents that died before this one in this guardian's life */
	uint64_t incarnation; /* of this guardian, never used twice. An agent after the first is forked when
				 nothing of this incarnation lives. */
	uint64_t proven; /* the incarnation before, if nothing of that is alive, for certain: it saw its
			    trees empty in its end, or never had any (the lock file says so), or held
			    them in the cgroup leaf that is empty now, or not there any more. 0: not
			    certain, or there was none */
	int64_t watchdog_ns; /* the service manager's, as it was at the start. 0: none */
	char cgroup[LINK_PATH_MAX]; /* the leaf under which runs live; empty without one */
};

struct link_started {
	uint32_t type;
	int32_t pid;
	uint64_t run;
};

struct link_refused {
	uint32_t type;
	int32_t error; /* negative errno: of the checks, of clone, of exec (-ENOENT: no such command) */
	uint64_t run;
	char what[64]; /* "exec", "chdir", ... */
};

/* The first process of the run ended; others of its tree may live and are killed now. */
struct link_ended {
	uint32_t type;
	int32_t status; /* as of waitpid(2) */
	uint64_t run;
	uint32_t told; /* 1: it had been told to stop, or was killed, before it ended */
	uint32_t reserved;
	struct rusage usage;
};

/* No process of the run's tree is alive. Comes once per started run, after ENDED. */
struct link_empty {
	uint32_t type;
	int32_t error; /* 0: proven. -ETIMEDOUT: something did not die (uninterruptible sleep) within
			  5 s; it comes again with 0 if it dies later */
	uint64_t run;
};

/* The guardian stopped a group's runs at its deadline by itself, by SIGTERM or by the kill. */
struct link_fenced {
	uint32_t type;
	uint32_t group;
	int64_t token;
	int64_t margin_ns; /* from the moment the trees were empty to D; negative would be a failure */
};

/* SIGTERM, SIGINT, SIGHUP, SIGUSR1 that the guardian received. count: how many of it so far. */
struct link_signal {
	uint32_t type;
	int32_t signo;
	uint32_t count;
};

#endif
