/* One group on this node: its election, its term, the jobs that run in it, and what a restart needs of it.
 *
 * Happy path: elector started -> EXTEND per proof -> on_lead: the jobs run -> on_stop: they stop -> all dead ->
 * once_elector_stopped -> ... -> told to stop: the same, then ended(). */
#ifndef ONCED_GROUP_H
#define ONCED_GROUP_H

#include "daemon/away.h"
#include "daemon/config.h"
#include "daemon/jobs.h"
#include "daemon/state.h"

struct groups;

struct group {
	struct group *next;
	struct groups *groups; /* of this node; borrowed */
	uint32_t number;       /* on the link: never used twice by one agent */
	bool is_default;
	char *name, *key; /* owned */
	/* The daemon's, with this group's name, key and jobs. Only the jobs are owned. */
	struct config config;
	struct once_elector *elector;
	struct jobs jobs;
	struct jobs_owner jobs_owner;
	struct state state;
	enum once_elector_state elected;
	struct away away;
	int64_t away_ns; /* the elector is to stay away when it starts */
	bool leaving;	 /* a reload took its last job */
	const char *why; /* how this node came to lead, for ONCED_REASON */
	int64_t dumped;	 /* token of the latest term whose loss was dumped */
	struct facts_group *shown; /* borrowed from the window; NULL: nobody can look */
	struct link_extend extend;
	bool owes_extend; /* the link was full */
};

/* Takes the group's jobs out of config. NULL: out of memory. */
struct group *group_new(struct groups *groups, const char *name, uint32_t number, struct config *config);
struct group *group_free(struct group *group);

/* What operators ask is heard from now on. Negative errno. */
int group_connect(struct group *group);
/* Its elector, on the groups' node if they have one. fresh: this agent has not run its jobs before, so that
 * a term of an earlier one may be given away. Negative errno: it was logged. */
int group_start(struct group *group, bool fresh);
/* LINK_STARTED, LINK_REFUSED, LINK_ENDED, LINK_EMPTY. False: not about its jobs. */
bool group_packet(struct group *group, const void *packet, uint32_t type);
/* The latest proof, to the guardian. */
void group_extend(struct group *group);

#endif
