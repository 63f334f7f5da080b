/* One node: an agent (the real core and a shell like the daemon's) and a guardian, which holds the
 * deadline and the job and outlives the agent. Two clocks of its own, which run fast or slow, but
 * never step. */
#ifndef SIM_NODE_H
#define SIM_NODE_H

#include "etcd-model.h"
#include <core/election.h>
#include <core/ring.h>

struct sim;
struct sim_event;

enum { NODE_OPS = 16, NODE_HELD = 128 };

/* Reads value at global time at, and gains ppm since. */
struct local_clock {
	int64_t at, value, ppm;
};

enum job_state { JOB_NONE, JOB_RUNNING, JOB_TERMINATED, JOB_KILLED };

/* What the agent told the guardian last. */
struct guardian_order {
	int64_t token;
	struct once_instant proved, stop_at;
	bool lead, stop;
	int64_t grace;
};

struct guardian {
	struct guardian_order inbox, order; /* the inbox becomes the order unless it is stopped */
	bool paused, launching, told_dead;
	enum job_state job;
	int64_t job_token, job_since, dies_at, timer_at;
	uint32_t job_gen;
};

struct node_op {
	uint32_t op;
	enum election_action_kind kind; /* 0: free */
	struct once_instant sent;
	bool rewatch;
};

struct node {
	struct sim *sim;
	unsigned index;
	uint32_t gen; /* of the agent */
	bool up;      /* the machine and its guardian */
	bool agent;   /* runs */
	bool wanted;  /* it should: not shut down */
	bool respawning;
	bool paused;
	bool cut_out, cut_in; /* requests, answers are lost */
	uint32_t cut_gen, pause_gen, storm;
	struct local_clock boot, raw;
	struct election_config config;
	struct election core;
	struct event_ring *ring; /* of the agent that runs; NULL: not recorded */
	struct node_op ops[NODE_OPS];
	int64_t tick_at;
	uint32_t tick_gen;
	unsigned spins;
	struct {
		bool open, silent;
		uint32_t gen;
		uint64_t cursor, held;
		int64_t last_at;
	} watch;
	unsigned beat_node, reserve_for;
	uint32_t line, looked_line; /* histories of etcd: known; about to be accepted */
	bool suspended;
	struct once_instant looked;
	struct election_saved saved;
	int64_t leading,
		stopped_of; /* tokens of the LEAD that is open, of the STOP_WORK answered */
	int64_t stop_since;
	struct guardian guardian;
	unsigned n_held;
	struct {
		uint32_t kind, gen, x;
		int64_t arg;
	} held[NODE_HELD];
};

void node_init(struct sim *s, unsigned index);
char node_name(const struct node *n);
struct once_instant node_now(const struct node *n);
/* Global time at which a local clock will have gained this much. */
int64_t node_after(const struct node *n, const struct local_clock *clock, int64_t duration);
void node_set_rates(struct node *n, int64_t boot_ppm, int64_t raw_ppm);

void node_start(struct node *n);
void node_step(struct node *n, struct election_event *event);
void node_tick(struct node *n, uint32_t tick_gen);
/* False: the event is for an agent that is gone, or was kept until the agent runs again. */
bool node_takes(struct node *n, const struct sim_event *event);
void node_pause(struct node *n);
void node_resume(struct node *n);
void node_crash_agent(struct node *n);
void node_crash(struct node *n, bool reboot, int64_t down);
void node_stop(struct node *n);
void node_wake(struct node *n);
void node_event(struct node *n, struct election_event ev);
void node_resign(struct node *n, bool to_other, unsigned target, int64_t stay_away);
void node_work_dead(struct node *n, int64_t token);

/* guardian.c */
void guardian_step(struct node *n);
void guardian_launch(struct node *n);
void guardian_dead(struct node *n);
void guardian_exit(struct node *n);
void guardian_agent_gone(struct node *n);
void guardian_pause(struct node *n);
void guardian_resume(struct node *n);
void guardian_fuse(struct node *n, int64_t token);
void guardian_power_off(struct node *n);

#endif
