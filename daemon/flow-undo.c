/* Flows that are undone.
 *
 * A step has failed for good under OnFailure=undo, or an operator wants it -> written to the flow's
 * key, for good -> the items are now the Undo= commands of the steps that are done, the last first,
 * with records of their own -> flow_advance() does them as it does steps.
 *
 * Whoever leads next finds the flow's key, and goes on there. A step that failed, and one of which
 * nobody knows how far it came, is not done, and not undone either. */
#include "daemon/flow-internal.h"

#include "daemon/log.h"

#include <once/flow.h>

/* ---- an operator's word ---------------------------------------------------------------------- */

/* Forgotten when it is followed, so that it outlives a leader who was about to. */
void flow_take_undo(struct flow *f, const struct control_trigger *trigger)
{
	if (f->job->type != CONFIG_JOB_STEPS) {
		log_warning(
			"undo", "%s: cannot be undone, expected a job of Type=steps", f->job->name);
		control_forget(f->control, trigger, true);
		return;
	}
	if (!f->undo_wanted)
		flow_reset(f);
	f->undo_wanted = true;
}

/* The request to undo was followed, or cannot be. */
void flow_drop_request(struct flow *f)
{
	const struct control_trigger *trigger =
		f->undo_wanted ? control_trigger(f->control, f->job->name) : NULL;

	f->undo_wanted = false;
	if (trigger && trigger->trigger.undo)
		control_forget(f->control, trigger, true);
}

/* ---- the decision, and after it -------------------------------------------------------------- */

static void on_undone(void *userdata, int result, const char *hash, const char *message)
{
	struct flow *f = userdata;

	(void)hash;
	f->task = NULL;
	if (result < 0) {
		log_warning("record", "%s: not recorded yet that it is undone: %s", f->job->name,
			message);
		flow_again(f);
	} else if (result == ONCE_LEDGER_CHANGED) {
		flow_reset(f); /* somebody has forgotten it */
		flow_advance(f);
	} else if (result == ONCE_LEDGER_DONE) {
		f->undone = true;
		flow_drop_request(f);
		flow_advance(f);
	}
}

/* Decided once, for whoever leads from now on. */
static void decide_undo(struct flow *f, const char *by, const char *reason)
{
	struct once_undo undo = {.at_ms = once_utc_now()};
	struct once_term term = flow_term(f);

	(void)snprintf(undo.by, sizeof(undo.by), "%s", by);
	(void)snprintf(undo.reason, sizeof(undo.reason), "%s", reason);
	log_warning("undo", "%s: to be undone, by %s%s%s", f->job->name, by, reason[0] ? ": " : "",
		reason);
	if (once_flow_undo(f->scene->records, &f->task, f->job->id, f->items.list_hash, &undo,
		    &term, on_undone, f) < 0)
		flow_again(f);
}

void flow_undo_failed(struct flow *f, const struct flow_item *item)
{
	char reason[ONCE_REASON_MAX + 1];

	(void)snprintf(reason, sizeof(reason), "%.128s ended as %s with exit code %d", item->name,
		once_run_state_name(item->run->state), item->run->exit_code);
	decide_undo(f, f->scene->config->node, reason);
}

void flow_undo_wanted(struct flow *f)
{
	const struct control_trigger *trigger = control_trigger(f->control, f->job->name);

	if (!trigger || !trigger->trigger.undo)
		f->undo_wanted = false; /* taken back meanwhile */
	else
		decide_undo(f, trigger->trigger.by, trigger->trigger.reason);
}

/* From the steps to what takes them back. */
void flow_turn(struct flow *f)
{
	struct flow_items undo = {0};

	if (f->undo_wanted) { /* it was undone before: what failed of that is done again */
		const struct control_trigger *trigger = control_trigger(f->control, f->job->name);

		f->go_on = trigger && trigger->trigger.undo ? trigger->revision : 0;
		flow_drop_request(f);
	}
	if (flow_items_load_undo(&undo, &f->items, f->scene->config, f->job) < 0) {
		flow_items_free(&undo);
		flow_again(f);
		return;
	}
	f->at = NULL;
	flow_items_free(&f->items);
	f->items = undo;
	f->undoing = true;
	flow_list(f);
}

bool flow_fails_for_good(const struct flow *f, const struct flow_item *item)
{
	return f->job->on_failure == CONFIG_FAILURE_UNDO && !f->undoing &&
	       (item->run->state == ONCE_RUN_FAILED || item->run->state == ONCE_RUN_TIMEOUT);
}
