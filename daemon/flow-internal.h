/* What the parts of a flow share: flow.c (one item after the other), flow-left.c (what former terms
 * left), flow-undo.c (taking back). */
#ifndef ONCED_FLOW_INTERNAL_H
#define ONCED_FLOW_INTERNAL_H

#include "daemon/flow.h"

/* flow.c */
/* Does the next thing that is to be done, if nothing is under way. */
void flow_advance(struct flow *f);
/* The same, after a beat. */
void flow_again(struct flow *f);
/* Everything is looked at anew. */
void flow_reset(struct flow *f);
/* Until a trigger, or the next term. */
void flow_halt(struct flow *f, const char *why);
/* Reads the items' records, then advances. */
void flow_list(struct flow *f);
struct once_term flow_term(const struct flow *f);
void flow_item_name(const struct flow *f, const struct flow_item *item, char out[ONCE_KEY_SIZE]);
void flow_set_variables(const struct flow *f, const struct flow_item *item,
	const char *variables[LAUNCH_VARIABLES_MAX][2], size_t *n);
/* Begins it, or its next attempt. */
void flow_start_item(struct flow *f, struct flow_item *item);
void flow_on_written(void *userdata, const struct once_ledger_answer *answer);

/* flow-left.c */
/* probe: exit code of Probe=, -1: not asked yet. */
bool flow_is_meant(const struct flow *f, const struct flow_item *item);
bool flow_lose_begun(struct flow *f);
void flow_settle_left(struct flow *f, struct flow_item *item, int probe);
void flow_on_probe(void *userdata, struct process *process);

/* flow-undo.c */
void flow_take_undo(struct flow *f, const struct control_trigger *trigger);
/* An operator's request was followed, or cannot be. */
void flow_drop_request(struct flow *f);
void flow_undo_wanted(struct flow *f);
/* Whether that is enough for the flow to be undone. */
bool flow_fails_for_good(const struct flow *f, const struct flow_item *item);
void flow_undo_failed(struct flow *f, const struct flow_item *item);
/* From the steps to what takes them back. */
void flow_turn(struct flow *f);

#endif
