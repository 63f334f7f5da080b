/* All of the jobs of a group: they start with a term, stop with it, and change with a reload. Services only
 * need a guardian; the others need etcd too, see jobs_connect(). */
#ifndef ONCED_JOBS_H
#define ONCED_JOBS_H

#include "daemon/control.h"
#include "daemon/service.h"

struct jobs_owner {
	void *userdata;
	/* A command ended for good while it might have gone on; only onced run ends with it. */
	void (*finished)(void *userdata, int code);
	/* Told to stop, a command has. by_itself: its own end came first. */
	void (*stopped)(void *userdata, int code, bool by_itself);
	/* jobs_stop() was called and nothing lives any more. */
	void (*all_stopped)(void *userdata);
	int64_t (*may_launch_ns)(void *userdata);
	/* An operator wants that node (NULL: any other) to lead. Optional. */
	void (*handover)(void *userdata, const char *to, const struct once_handover *handover);
	/* A run began, ended or was skipped, a service's too; item: of a flow, else NULL. Optional. */
	void (*ran)(void *userdata, const char *job, const char *item, const struct once_run *run);
	/* A number for a run, never used before by this agent. NULL: those of no other set matter. */
	uint64_t (*next_run)(void *userdata);
};

struct job_slot;
struct retired;

struct jobs {
	struct config *config; /* borrowed; a reload changes its jobs */
	const struct jobs_owner *owner;
	struct uplink *uplink;
	struct once_loop *loop;
	struct service_owner service_owner;
	struct scene scene;
	struct control control;
	struct control_owner control_owner;
	struct once_timer *look; /* at who is dead, outside of its own callback */
	struct job_slot *slots;	 /* owned: present jobs, and those a reload dropped that live yet */
	struct retired *retired; /* owned: definitions that the latter still point to */
	struct launch_term term; /* token 0: does not lead */
	bool stopping;		  /* all_stopped() is owed */
	uint64_t runs; /* launched so far */
};

int jobs_init(struct jobs *jobs, struct config *config, const struct jobs_owner *owner,
	struct uplink *uplink, struct once_loop *loop);
/* Jobs of other types than service work from now on, and operators are heard. Before a term only. client
 * and feed are borrowed until jobs_fini(). Negative errno. */
int jobs_connect(struct jobs *jobs, struct once_client *client, struct feed *feed);
void jobs_fini(struct jobs *jobs);

void jobs_lead(struct jobs *jobs, const struct launch_term *term);
/* The term was proven again. Without a term: no effect. */
void jobs_extend(struct jobs *jobs, struct once_instant proved);
/* all_stopped() follows, from inside when nothing lives. */
void jobs_stop(struct jobs *jobs, int64_t grace_ns);
/* LINK_STARTED, LINK_REFUSED, LINK_ENDED, LINK_EMPTY. False: about none of them. */
bool jobs_packet(struct jobs *jobs, const void *packet, uint32_t type);

/* Takes the jobs out of fresh (and leaves the old ones in it, to be freed): unchanged jobs
 * go on (StopGrace= alone is no change), dropped ones stop, changed ones stop and start anew, new ones
 * start. Negative errno: nothing changed. */
int jobs_reload(struct jobs *jobs, struct config *fresh);

/* Whether a job of that name is here, or is not dead yet. */
bool jobs_know(const struct jobs *jobs, const char *name);

#endif
