/* What a former term began and never ended: decided as OnInterrupt= says. */
#include "daemon/flow-internal.h"

#include "daemon/log.h"

#include <stdio.h>

static void describe_left(
	const struct flow *f, const struct flow_item *item, char *out, size_t size)
{
	(void)snprintf(out, size,
		"%.128s, number %zu of %zu, was begun on %.64s under token %lld and never ended",
		item->name, (size_t)(item - f->items.items) + 1, f->items.n, item->run->node,
		(long long)item->run->token);
}

static void decide(
	struct flow *f, struct flow_item *item, enum once_run_state state, const char *reason)
{
	struct once_term term = flow_term(f);
	struct once_run run = *item->run;
	char left[400], progress[512];

	describe_left(f, item, left, sizeof(left));
	run.state = state;
	run.end_ms = once_utc_now();
	(void)snprintf(run.reason, sizeof(run.reason), "%s", reason);
	(void)snprintf(run.detail, sizeof(run.detail), "%.300s; %.190s", left,
		flow_items_progress(&f->items, progress, sizeof(progress)));
	(void)snprintf(run.closed_by, sizeof(run.closed_by), "%s", f->scene->config->node);
	if (once_ledger_decide(f->scene->records, &f->task, item->key, item->mod_revision, &run,
		    &term, 0, flow_on_written, f) < 0)
		flow_again(f);
}

/* Before a flow is undone: what was begun and never ended is nobody's from now on, so that its end cannot come
 * when what was before it is undone already. False: there is no such thing. */
bool flow_lose_begun(struct flow *f)
{
	for (size_t i = 0; i < f->items.n; i++) {
		struct flow_item *item = &f->items.items[i];

		if (item->run && item->run->state == ONCE_RUN_BEGUN) {
			decide(f, item, ONCE_RUN_LOST, "hold");
			return true;
		}
	}
	return false;
}

static void start_probe(struct flow *f, struct flow_item *item)
{
	struct launch launch = {.config = f->scene->config,
		.job = f->job,
		.argv = f->job->probe,
		.argc = f->job->n_probe,
		.attempt = item->run->attempt,
		.reason = "probe",
		.name = f->probe_name,
		.out_fd = -1};

	flow_item_name(f, item, f->probe_name);
	flow_set_variables(f, item, launch.variables, &launch.n_variables);
	f->at = item;
	process_start(&f->probe, &launch, 0);
}

void flow_settle_left(struct flow *f, struct flow_item *item, int probe)
{
	char left[400];

	switch (flow_is_meant(f, item) ? POLICY_VERDICT_RERUN : policy_interrupted(f->job->on_interrupt, probe)) {
	case POLICY_VERDICT_OVER:
		decide(f, item, ONCE_RUN_INTERRUPTED, "no-end");
		break;
	case POLICY_VERDICT_RERUN:
		describe_left(f, item, left, sizeof(left));
		log_warning("takeover", "%s: %s: running it again", f->job->name, left);
		flow_start_item(f, item);
		break;
	case POLICY_VERDICT_PROBE:
		start_probe(f, item);
		break;
	case POLICY_VERDICT_DONE:
		decide(f, item, ONCE_RUN_OK, "probe");
		break;
	case POLICY_VERDICT_HOLD:
		decide(f, item, ONCE_RUN_LOST, "hold");
		break;
	}
}

void flow_on_probe(void *userdata, struct process *process)
{
	struct flow *f = userdata;

	if (!f->leading)
		f->scene->changed(f->scene->userdata);
	else if (!process->result.told && f->at && f->at->run)
		flow_settle_left(f, f->at, process->result.code);
	else
		flow_advance(f);
}
