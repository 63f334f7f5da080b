/* The groups that this node campaigns in: the default one, and each that a job names.
 *
 * One alone has an elector of its own; several share a node (once/elect.h): a lease, a stream, beats. What
 * operators ask is read once for all of them (feed.h). The guardian knows them by number and holds a deadline
 * for each. */
#ifndef ONCED_GROUPS_H
#define ONCED_GROUPS_H

#include "daemon/feed.h"
#include "daemon/group.h"
#include "daemon/window.h"

struct groups_owner {
	void *userdata;
	/* As in struct jobs_owner; all_stopped() of the default group only. */
	void (*finished)(void *userdata, int code);
	void (*stopped)(void *userdata, int code, bool by_itself);
	void (*all_stopped)(void *userdata);
	/* The guardian does not act: nothing holds the jobs' deadlines. */
	void (*guardian_silent)(void *userdata);
	/* Some group's role has changed. */
	void (*state)(void *userdata);
	/* A term of this node begins, before its jobs do. */
	void (*led)(void *userdata);
	/* etcd holds the alarm of a node. */
	void (*alarm)(void *userdata, struct once_bytes key);
	/* No group has an elector any more: after groups_stop(), or because another living node has this
	 * one's name (-EEXIST). */
	void (*ended)(void *userdata, int error);
};

struct groups {
	const struct config *config; /* borrowed, as these; its jobs are taken out */
	const struct groups_owner *owner;
	struct uplink *uplink;
	struct once_loop *loop;
	struct once_client *client; /* from groups_connect() on */
	struct window *window; /* of the default group, and of all jobs */
	const char *runtime_dir, *instance;
	struct state_owner state_owner; /* from groups_start() on */
	struct once_node *node;	   /* owned; NULL: only the default group */
	struct feed feed;
	struct group *first; /* owned: the default one, then the others */
	uint32_t last_number;
	struct group_job *jobs; /* owned: which group has which job, in the order of names */
	size_t n_jobs;
	struct once_timer *timer; /* what is owed to the guardian and to people */
	bool owes_extends, owes_status;
	bool started, stopping, suspended;
	int error;
	uint64_t runs; /* numbers given so far */
};

/* Takes the jobs out of config. Negative errno. */
int groups_init(struct groups *groups, struct config *config, const struct groups_owner *owner,
	struct uplink *uplink, struct once_loop *loop, struct window *window,
	const char *runtime_dir, const char *instance);
int groups_connect(struct groups *groups, struct once_client *client);
void groups_fini(struct groups *groups);

/* Campaign. Negative errno: it was logged. */
int groups_start(struct groups *groups, const struct state_owner *state_owner);
/* End them in order; ended() follows. False: there is nothing to end. */
bool groups_stop(struct groups *groups);
/* etcd is of another history: jobs end, nobody campaigns, and people are told; until it is said to be false. */
void groups_suspend(struct groups *groups, bool suspended);
/* LINK_STARTED, LINK_REFUSED, LINK_ENDED, LINK_EMPTY. */
void groups_packet(struct groups *groups, const void *packet, uint32_t type);
/* Takes the jobs out of fresh: see jobs_reload(). A group that has its first job is campaigned in from now on,
 * one that lost its last job is left. Negative errno. */
int groups_reload(struct groups *groups, struct config *fresh);
/* All jobs of all groups, in the order of their names: ret->jobs, to be freed; what they hold stays the groups'.
 * -ENOMEM. */
int groups_jobs(const struct groups *groups, struct config *ret);
/* NULL: there is none of that number. */
const struct group *groups_of(const struct groups *groups, uint32_t number);
/* From now on each is shown in the window; and what their elections know without telling. */
void groups_show(struct groups *groups);
void groups_refresh(const struct groups *groups);

/* For group.c. */
void groups_owe(struct groups *groups);
void groups_state(struct groups *groups, const struct group *group, const char *leader);
void groups_ended(struct groups *groups, struct group *group, int error);
/* Of the default group's elector. */
void groups_dump_events(const char *why);

#endif
