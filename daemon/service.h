/* One job of Type=service: runs as long as this node leads, is started again as Restart= says. Also the
 * command of onced run, whose end is the end of the daemon. */
#ifndef ONCED_SERVICE_H
#define ONCED_SERVICE_H

#include "daemon/launch.h"

#include <once/loop.h>

enum service_state {
	SERVICE_IDLE,	  /* does not run: no leadership, or Restart= says so */
	SERVICE_STARTING, /* the guardian was asked */
	SERVICE_RUNNING,
	SERVICE_STOPPING, /* told to stop */
	SERVICE_ENDED,	  /* its first process has ended, others may live */
	SERVICE_PAUSE,	  /* waits for RestartDelay=, or for time to start anything */
};

struct service;

struct service_owner {
	void *userdata;
	/* The command ended by itself, or could not be started, and is not started again. code as a
	 * shell gives it. */
	void (*finished)(void *userdata, struct service *service, int code);
	/* No process of it lives any more, and it was told to stop. */
	void (*stopped)(void *userdata, struct service *service);
	/* A number for a run, never used before by this agent. */
	uint64_t (*next_run)(void *userdata);
	/* How long work started now may run; <= 0: start none. */
	int64_t (*may_launch_ns)(void *userdata);
};

struct service {
	const struct config *config; /* borrowed */
	const struct config_job *job; /* borrowed */
	const struct service_owner *owner; /* borrowed */
	struct uplink *uplink; /* borrowed */
	struct once_loop *loop; /* borrowed */
	struct once_timer *timer;
	enum service_state state;
	struct launch_term term; /* token 0: may not run */
	uint64_t run;
	struct uplink_stop stop;
	unsigned attempt;
	int code;	/* of the last end, as a shell gives it */
	bool told;	/* it ended because the guardian stopped or killed it */
	bool by_itself; /* it ended before it was told to */
};

int service_init(struct service *s, const struct config *config, const struct config_job *job,
	const struct service_owner *owner, struct uplink *uplink, struct once_loop *loop);
void service_fini(struct service *s);

/* The term begins: run. */
void service_lead(struct service *s, const struct launch_term *term);
/* The term was proven again: what is started from now on is told the later deadline. */
void service_extend(struct service *s, struct once_instant proved);
/* The term ends: stop within grace (0: now). True: it lives yet, stopped() will follow. */
bool service_stop(struct service *s, int64_t grace_ns);

/* Packets about run s->run. */
void service_started(struct service *s, int32_t pid);
void service_refused(struct service *s, const struct link_refused *refused);
void service_exited(struct service *s, const struct link_ended *ended);
void service_empty(struct service *s, const struct link_empty *empty);

#endif
