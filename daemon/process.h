/* One command of a job, launched once: LAUNCH -> STARTED -> ENDED -> EMPTY, with its output. What
 * becomes of its end is its owner's business. */
#ifndef ONCED_PROCESS_H
#define ONCED_PROCESS_H

#include "daemon/launch.h"
#include "daemon/output.h"

#include <once/ledger.h>

#include <sys/resource.h>

/* What all jobs of a daemon share. */
struct scene {
	const struct config *config; /* borrowed, as all of these */
	struct uplink *uplink;
	struct once_loop *loop;
	struct once_records *records;
	const struct launch_term *term; /* the present one */
	void *userdata;
	/* A number for a run, never used before by this agent. */
	uint64_t (*next_run)(void *userdata);
	/* How long work started now may run; <= 0: start none. */
	int64_t (*may_launch_ns)(void *userdata);
	/* Something has come to its end: whoever waits for that may look again. */
	void (*changed)(void *userdata);
	/* What became of a run: begun, ended, skipped; name is its "job/moment" or "job/item". Optional. */
	void (*ran)(void *userdata, const struct config_job *job, const char *name,
		const struct once_run *run);
};

enum process_state {
	PROCESS_IDLE,
	PROCESS_WAITING, /* for time to launch in, or for the guardian */
	PROCESS_STARTING,
	PROCESS_RUNNING,
	PROCESS_ENDED, /* its first process; others may live */
};

struct process;

/* No process of it lives any more, or it was never started. Comes once per launch, never from
 * inside one; process->result tells. */
typedef void process_over_fn(void *userdata, struct process *process);

struct process_result {
	bool started; /* else: error and what, or withdrawn before there was time */
	int error;
	char what[64];
	int code;   /* as a shell gives it */
	int signal; /* 0: none */
	bool told;  /* it ended after it was told to, by us or at its deadline by the guardian */
	struct rusage usage;
};

struct process {
	const struct scene *scene; /* borrowed */
	struct once_timer *timer;
	process_over_fn *over;
	void *userdata;
	enum process_state state;
	struct launch launch; /* of the present one; run is its number */
	struct output output;
	struct uplink_stop stop;
	size_t tail_max;
	int64_t limit_ns; /* killed when it runs for longer, which is no order to stop; 0: none. The owner's to set */
	bool late;	  /* that was so */
	int result_fd; /* what it hands back, until the next start; -1: none */
	struct process_result result;
};

int process_init(
	struct process *p, const struct scene *scene, process_over_fn *over, void *userdata);
void process_fini(struct process *p);

/* Launches as soon as there is time for it under the term; what `launch` points to must stay until
 * over(). p->output holds the tail, p->result_fd the result until the next start. */
void process_start(struct process *p, const struct launch *launch, size_t tail_max);
/* Stop it within grace (0: at once). False: there is nothing to stop, over() will not come. */
bool process_stop(struct process *p, int64_t grace_ns);

static inline bool process_alive(const struct process *p)
{
	return p->state != PROCESS_IDLE;
}

/* LINK_STARTED, LINK_REFUSED, LINK_ENDED, LINK_EMPTY about p->launch.run. */
void process_packet(struct process *p, const void *packet, uint32_t type);

#endif
