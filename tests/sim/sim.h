/* The simulator: any number of nodes running the real election core against a model of etcd, under
 * virtual time. One heap of events ordered by (time, sequence), one PRNG; nothing polls, nothing
 * reads a clock of the host, so the same seed gives the same run, bit for bit.
 *
 *   nemesis.c  breaks things          golden.c  plays fixed scripts
 *        |                                |
 *   node.c (agent: core + shell) -- net.c -- etcd-model.c
 *        |
 *   guardian.c (deadline, job, fuse) -- check.c (invariants)
 *
 *   replay.c   records agents as the daemon does, and plays what was recorded again */
#ifndef SIM_SIM_H
#define SIM_SIM_H

#include "etcd-model.h"
#include "node.h"
#include "prng.h"
#include <core/election.h>

#define MSEC ONCE_NSEC_PER_MSEC
#define SEC ONCE_NSEC_PER_SEC

enum sim_event_kind {
	EVENT_START = 1, /* an agent starts */
	EVENT_TICK,
	EVENT_TIMEOUT,	 /* .x: op */
	EVENT_ARRIVE,	 /* .x: message; a request reaches etcd */
	EVENT_REPLY,	 /* .x: message; its answer reaches the node */
	EVENT_WATCH,	 /* .arg: deliver changes below this number */
	EVENT_UNWATCHED, /* .x: the watch that ended */
	EVENT_LEASE,	 /* .x: slot; etcd looks whether it expired */
	EVENT_RESERVE,	 /* the reservation's lease may be over */
	EVENT_GUARDIAN,
	EVENT_LAUNCH,
	EVENT_JOB_DEAD,	 /* .x: generation of the job */
	EVENT_JOB_EXIT,	 /* .x: likewise; by itself */
	EVENT_WORK_DEAD, /* .arg: token */
	EVENT_FUSE,
	EVENT_SNATCH,
	EVENT_NEMESIS,
	EVENT_HISTORY, /* the node may have waited for long enough */
	EVENT_FAULT_END, /* .x: fault */
	EVENT_SCRIPT,	 /* .x: step */
	EVENT_PHASE,	 /* of the schedule: heal, look, end */
};

struct sim_event {
	int64_t at;
	uint64_t seq;
	uint32_t kind, node;
	uint32_t gen; /* of the agent or guardian it is meant for */
	uint32_t x;
	int64_t arg;
};

struct sim_profile {
	const char *name;
	int64_t ttl, fence_after, beat, timeout, grace, kill;
	int64_t net_min, net_max; /* one way */
};
extern const struct sim_profile sim_profiles[3];

enum fault {
	FAULT_PARTITION, /* nothing passes */
	FAULT_ONE_WAY,	 /* requests pass, answers do not */
	FAULT_PAUSE,	 /* of the agent */
	FAULT_PAUSE_GUARDIAN,
	FAULT_FREEZE, /* of everything on the node */
	FAULT_AGENT_CRASH,
	FAULT_NODE_CRASH, /* processes die, the state file stays */
	FAULT_REBOOT,	  /* it does not */
	FAULT_STORM,	  /* several agent crashes in a row */
	FAULT_EARLY_REVOKE,
	FAULT_STALE_KEEPALIVE,
	FAULT_NOSPACE,
	FAULT_ETCD_LEADER,
	FAULT_QUORUM,
	FAULT_DELETE_LEADER,
	FAULT_OVERWRITE,
	FAULT_DELETE_CONFIG,
	FAULT_DELETE_EPOCH,
	FAULT_DELETE_CLEAN,
	FAULT_RESIGN,
	FAULT_SWITCHOVER,
	FAULT_STOP,
	FAULT_UNWATCH,
	FAULT_SILENT_WATCH,
	FAULT_SLEW,
	FAULT_STALE_LIST,
	FAULT_SNATCH, /* whoever leads next is cut off and revoked while acquires are on their way
		       */
	FAULT_PROVE,	  /* another group of its shard beats */
	FAULT_STAND_BACK, /* others may bid first */
	FAULT_RESTORE,	  /* etcd from a backup; it ends with the operator's word */
	FAULTS,
};
extern const char *const fault_names[FAULTS];

/* What a run is like; drawn per seed so that what is rare in one is common in another. */
struct sim_knobs {
	int64_t net_min, net_max, tail_ppm, tail_max; /* one way */
	int64_t loss_ppm, twice_ppm, garble_ppm, refuse_ppm;
	int64_t late_reply_ppm, late_reply_max;
	uint32_t slow_kind; /* enum election_action_kind; 0: none */
	char slow_node;	    /* 0: all */
	int64_t slow_ppm, slow_min, slow_max;
	unsigned drop_acquires; /* answers of so many are lost */
	int64_t watch_min, watch_max, watch_tail_ppm, watch_tail_max;
	int64_t rate_max;  /* ppm */
	bool rate_extreme; /* every clock at one of the ends */
	bool boot_slewed;  /* more than the drift allows for, on the one clock that can be slewed */
	int64_t expiry_lag; /* of lease checks, at most */
	int64_t launch_min, launch_max, obey_ppm, obey_min, obey_max;
	int64_t kill_min, kill_max; /* in thousandths of K */
	int64_t proof_min, proof_max, respawn_min, respawn_max, restart_min, restart_max;
	int64_t exit_ppm, exit_max; /* of a job, by itself */
	int64_t crash_midway_ppm;   /* between two actions of one step */
	int64_t gap_min, gap_max;   /* between faults */
	int64_t fault_min, fault_max;
	int64_t to_leader_ppm;
	bool snatch;
	int64_t stale_list_ppm;
	uint32_t faults; /* a bit for each */
};

struct sim_stats {
	uint64_t schedules, events, steps, faults[FAULTS], elections, launches, seized, cleaned;
	uint64_t late_applied, duplicates, unknown, phantoms, fuses, guardian_kills;
	int64_t job_time, virtual_time;
};

struct sim_options {
	const struct sim_profile *profile; /* NULL: by seed */
	int64_t seconds;
	int64_t start; /* all nodes start within so long */
	unsigned nodes;
	uint32_t faults;
	bool swarm; /* draw the knobs to extremes */
};

enum { SIM_HEAP = 8192 + 64 * SIM_CROWD, SIM_TERMS = 128 };

struct sim {
	int64_t now;
	uint64_t seq, seed;
	struct prng prng;
	struct sim_profile profile;
	struct sim_knobs knobs;
	unsigned n_nodes;
	struct node nodes[SIM_NODES_MAX];
	struct etcd etcd;
	struct sim_stats *stats;

	unsigned n_heap;
	struct sim_event heap[SIM_HEAP];

	enum { PHASE_CHAOS, PHASE_HEALED, PHASE_ENDING, PHASE_DONE } phase;
	int64_t phase_by; /* a phase that must end, must have by then */
	int64_t alive_since;
	const struct script *script;

	/* check.c */
	int64_t last_token, cleaned;
	unsigned last_node;
	int64_t ready[SIM_TERMS]; /* tokens of terms that finished their wait */
	unsigned n_ready;
	bool violated;
	char violation[256];
	uint64_t hash;

	/* trace.c */
	void (*line)(void *userdata, const char *text);
	void *userdata;
	bool verbose;
};

/* sim.c */
void sim_init(struct sim *s, uint64_t seed, const struct sim_profile *profile, unsigned nodes,
	struct sim_stats *stats);
void sim_schedule(struct sim *s, const struct sim_options *options);
void sim_run(struct sim *s);
void sim_next(struct sim *s);
int64_t sim_job_time(const struct sim *s);
void sim_at(struct sim *s, int64_t at, enum sim_event_kind kind, unsigned node, uint32_t gen,
	uint32_t x, int64_t arg);

static inline int64_t sim_range(struct sim *s, int64_t low, int64_t high)
{
	return prng_range(&s->prng, low, high);
}

static inline bool sim_chance(struct sim *s, int64_t ppm)
{
	return prng_chance(&s->prng, ppm);
}

/* net.c */
void net_send(struct node *n, const struct election_action *action);
void net_arrive(struct sim *s, uint32_t message);
void net_reply(struct sim *s, const struct sim_event *event);
void net_timeout(struct node *n, uint32_t op);
void net_quorum_back(struct sim *s);
void net_changed(struct sim *s);
void net_watch(struct node *n, const struct sim_event *event);
void net_watch_from(struct node *n, int64_t revision);
void net_unwatched(struct node *n, uint32_t watch);
void net_connected(struct node *n);
void net_calm(struct sim *s);

/* nemesis.c */
void knobs_fixed(struct sim *s);
void knobs_draw(struct sim *s, const struct sim_options *options);
void fault_begin(struct sim *s, enum fault fault, struct node *n, int64_t duration);
void fault_end(struct sim *s, enum fault fault, struct node *n);
void nemesis_step(struct sim *s);
void nemesis_heal(struct sim *s);

/* replay.c: an agent that starts gets a ring, when there are any; one that is over is replayed */
void replay_attach(struct node *n);
void replay_detach(struct node *n);

/* history.c */
bool history_refuses(struct node *n, uint32_t line);
void history_check(struct node *n);
void history_restore(struct sim *s);
void history_accept(struct sim *s);

/* golden.c */
void script_step(struct sim *s, uint32_t step);

/* check.c */
void check_violation(struct sim *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
void check_actions(
	struct node *n, enum election_role before, const struct election_actions *actions);
void check_launch(struct node *n);
void check_clean(struct sim *s, int64_t token, bool by_seizure);
void check_ready(struct sim *s, int64_t token);
void check_hash(struct sim *s, uint64_t value);

/* trace.c */
void trace(struct sim *s, const struct node *n, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void trace_action(struct node *n, const struct election_action *action);

#endif
