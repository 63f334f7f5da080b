/* One job of Type=once, steps or migrate: its items are done in order, each one time ever, by
 * whoever leads. */
#ifndef ONCED_FLOW_H
#define ONCED_FLOW_H

#include "daemon/control.h"
#include "daemon/flow-items.h"
#include "daemon/work.h"

struct flow {
	const struct scene *scene;    /* borrowed */
	const struct config_job *job; /* borrowed */
	struct control *control;      /* borrowed */
	struct flow_items items;
	struct flow_item *at; /* the one that is worked on; of items */
	struct work work;
	struct process probe;
	char probe_name[ONCE_KEY_SIZE]; /* what it asks about */
	struct once_timer *timer;
	struct once_task *task;
	bool leading;
	bool loaded, opened, listed; /* in this term */
	bool halted;		     /* until a trigger, or the next term */
	int64_t go_on; /* revision of a trigger: what failed or was on hold by then is done again; 0: none */
	bool complete;		     /* said so */
	bool undo_wanted;	     /* by a trigger that is still there */
	bool undone;		     /* or to be: the flow's key says so */
	bool undoing;		     /* the items are those of Undo= */
};

int flow_init(struct flow *flow, const struct scene *scene, const struct config_job *job,
	struct control *control);
void flow_fini(struct flow *flow);

/* As those of cron.h. */
void flow_lead(struct flow *flow);
void flow_changed(struct flow *flow);
bool flow_stop(struct flow *flow, int64_t grace_ns);
bool flow_alive(const struct flow *flow);
void flow_kill(struct flow *flow, const struct once_kill *kill);
bool flow_packet(struct flow *flow, uint64_t run, const void *packet, uint32_t type);

#endif
