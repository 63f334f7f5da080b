/* One job of Type=once, steps or migrate. See flow.h.
 *
 * Happy path: the term begins -> the items are read, the ledger's records of them listed and
 * compared
 * -> flow_advance(): the first item that is not done is recorded as begun, run, recorded as done -> the
 * next.
 *
 * It halts, with one line that says where it stands, when what was done has changed, when an item
 * has failed for good, and when one was begun and never ended under OnInterrupt=hold. A trigger
 * lets it go on with that item; whatever changed stays refused.. */
#include "daemon/flow-internal.h"

#include "daemon/log.h"

#include <errno.h>
#include <once/flow.h>
#include <stdlib.h>
#include <string.h>

void flow_again(struct flow *f)
{
	f->scene->loop->ops->timer_set(f->timer, f->scene->config->timing.beat_interval_ns);
}

struct once_term flow_term(const struct flow *f)
{
	return (struct once_term){f->scene->config->key, f->scene->term->token};
}

/* Everything is looked at anew. */
void flow_reset(struct flow *f)
{
	f->halted = f->loaded = f->opened = f->listed = f->complete = f->undone = f->undoing =
		false;
}

void flow_halt(struct flow *f, const char *why)
{
	char progress[512];

	f->halted = true;
	flow_drop_request(f);
	log_err("halted", "%s: %s%s; %s", f->job->name, f->undoing ? "undoing: " : "", why,
		flow_items_progress(&f->items, progress, sizeof(progress)));
}

/* ---- the ledger's view ----------------------------------------------------------------------- */

static int on_row(void *userdata, const struct once_row *row)
{
	struct flow *f = userdata;
	bool once = f->job->type == CONFIG_JOB_ONCE;

	if (!row->run)
		return row->error < 0 ? row->error : -EBADMSG;
	return flow_items_take(
		&f->items, once ? row->key.name : row->key.sub, row->run, row->mod_revision);
}

static void on_listed(void *userdata, int error, int64_t revision, const char *message)
{
	struct flow *f = userdata;
	char why[1024];

	f->task = NULL;
	if (error < 0) {
		log_warning("record", "%s: the records cannot be read: %s", f->job->name, message);
		flow_again(f);
		return;
	}
	f->listed = true;
	if (flow_items_refused(&f->items, f->job, why, sizeof(why)))
		flow_halt(f, why);
	else
		flow_advance(f);
}

void flow_list(struct flow *f)
{
	struct once_list wanted = {.kind = f->undoing			     ? ONCE_KEY_UNDO
					   : f->job->type == CONFIG_JOB_ONCE ? ONCE_KEY_ONCE
									     : ONCE_KEY_STEP,
		.name = f->job->id};

	flow_items_forget(&f->items);
	if (once_ledger_list(f->scene->records, &f->task, &wanted, on_row, on_listed, f) < 0)
		flow_again(f);
}

static void on_opened(void *userdata, int result, const char *hash, const char *message)
{
	struct flow *f = userdata;

	f->task = NULL;
	if (result < 0) {
		log_warning(
			"record", "%s: the flow cannot be opened yet: %s", f->job->name, message);
		flow_again(f);
	} else if (result == ONCE_LEDGER_CHANGED) {
		flow_halt(f,
			"its list of steps is not the one that it was begun with, expected the "
			"same, or "
			"another Id=");
	} else if (result == ONCE_LEDGER_DONE || result == ONCE_LEDGER_UNDONE) {
		f->opened = true;
		f->undone = result == ONCE_LEDGER_UNDONE;
		flow_advance(f);
	}
}

static void open_flow(struct flow *f)
{
	struct once_term term = flow_term(f);

	if (f->job->type != CONFIG_JOB_STEPS) {
		f->opened = true;
		flow_list(f);
	} else if (once_flow_open(f->scene->records, &f->task, f->job->id, f->items.list_hash,
			   &term, on_opened, f) < 0) {
		flow_again(f);
	}
}

static void load(struct flow *f)
{
	char why[512];

	f->at = NULL;
	if (flow_items_load(&f->items, f->scene->config, f->job, why, sizeof(why)) < 0) {
		flow_halt(f, why);
		return;
	}
	f->loaded = true;
	open_flow(f);
}

/* ---- one item -------------------------------------------------------------------------------- */

void flow_item_name(const struct flow *f, const struct flow_item *item, char out[ONCE_KEY_SIZE])
{
	if (f->job->type == CONFIG_JOB_ONCE)
		(void)snprintf(out, ONCE_KEY_SIZE, "%s", f->job->id);
	else
		(void)snprintf(out, ONCE_KEY_SIZE, "%s/%s%s", f->job->id, item->name,
			f->undoing ? "/undo" : "");
}

void flow_set_variables(const struct flow *f, const struct flow_item *item,
	const char *variables[LAUNCH_VARIABLES_MAX][2], size_t *n)
{
	const char *const all[][2] = {
		{"ONCED_STEP", f->job->type == CONFIG_JOB_ONCE ? NULL : item->name},
		{"ONCED_UNDO", f->undoing ? "yes" : NULL}, {"ONCED_FILE", item->path},
		{"ONCED_SHA256", item->path ? item->hash : NULL}};

	*n = 0;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		if (!all[i][1])
			continue;
		variables[*n][0] = all[i][0];
		variables[(*n)++][1] = all[i][1];
	}
}

/* A record that is there is taken up again. */
void flow_start_item(struct flow *f, struct flow_item *item)
{
	char name[ONCE_KEY_SIZE];
	struct work_order order = {.key = item->key,
		.name = name,
		.cause = item->run ? "retry" : "start",
		.argv = item->argv,
		.argc = item->argc,
		.hash = item->hash,
		.detail = flow_item_waits(item) ? item->run->detail : NULL, /* who put it back */
		.former = item->run,
		.mod_revision = item->mod_revision};

	flow_item_name(f, item, name);
	flow_set_variables(f, item, order.variables, &order.n_variables);
	f->at = item;
	f->go_on = 0;
	log_info("step", "%s: %s%s begins", f->job->name, f->undoing ? "undoing " : "", item->name);
	if (work_start(&f->work, &order) < 0)
		flow_again(f);
}

static int set_run(struct flow_item *item, const struct once_run *run, int64_t mod_revision)
{
	if (!item->run)
		item->run = calloc(1, sizeof(*item->run));
	if (!item->run)
		return -ENOMEM;
	*item->run = *run;
	item->run->tail = item->run->result = (struct once_bytes){0};
	item->mod_revision = mod_revision;
	return 0;
}

void flow_on_written(void *userdata, const struct once_ledger_answer *answer)
{
	struct flow *f = userdata;

	f->task = NULL;
	if (answer->result < 0)
		log_warning("record", "%s: not recorded yet: %s", f->job->name, answer->message);
	f->listed = false; /* look at what there is now */
	if (answer->result < 0)
		flow_again(f);
	else if (answer->result != ONCE_LEDGER_FENCED)
		flow_advance(f);
}

/* Files before Baseline= count as done. */
static void record_baseline(struct flow *f, const struct flow_item *item)
{
	struct once_term term = flow_term(f);
	struct once_run run = {
		.state = ONCE_RUN_SKIPPED, .token = term.token, .end_ms = once_utc_now()};
	struct once_begin begin = {.key = item->key, .run = &run, .term = &term};

	(void)snprintf(run.node, sizeof(run.node), "%s", f->scene->config->node);
	(void)snprintf(run.reason, sizeof(run.reason), "baseline");
	(void)snprintf(run.hash, sizeof(run.hash), "%s", item->hash);
	log_info("baseline", "%s: %s was applied before", f->job->name, item->name);
	if (once_ledger_begin(f->scene->records, &f->task, &begin, 0, flow_on_written, f) < 0)
		flow_again(f);
}

static bool before_baseline(const struct flow *f, const struct flow_item *item)
{
	return f->job->baseline && strcmp(item->name, f->job->baseline) <= 0;
}

/* ---- one step -------------------------------------------------------------------------------- */

static bool busy(const struct flow *f)
{
	return work_busy(&f->work) || process_alive(&f->probe);
}

static void halt_at(struct flow *f, const struct flow_item *item)
{
	const struct once_run *run = item->run;
	char why[1024];

	if (run->state == ONCE_RUN_LOST || run->state == ONCE_RUN_INTERRUPTED)
		(void)snprintf(why, sizeof(why),
			"%s: nobody knows whether it was done (%s); look, then \"oncectl trigger "
			"%s\" to run it "
			"again",
			item->name, run->detail, f->job->name);
	else
		(void)snprintf(why, sizeof(why),
			"%s, number %zu of %zu, ended as %s with exit code %d on %s; \"oncectl "
			"trigger %s\" "
			"runs it again",
			item->name, (size_t)(item - f->items.items) + 1, f->items.n,
			once_run_state_name(run->state), run->exit_code, run->node, f->job->name);
	flow_halt(f, why);
}

/* Whether the operator has seen the item as it is. A trigger may be seen again, by this leader or the next,
 * when its deletion was lost: what came of it is newer than it, and is not done once more. */
bool flow_is_meant(const struct flow *f, const struct flow_item *item)
{
	return f->go_on > item->mod_revision;
}

/* With the first item that is not done. */
static void go(struct flow *f)
{
	struct flow_item *item = flow_items_next(&f->items);

	if (!item) {
		if (!f->complete)
			log_info("complete", "%s: all %zu %s", f->job->name, f->items.n,
				f->undoing ? "undone" : "done");
		f->complete = true;
		f->go_on = 0;
	} else if (!item->run && before_baseline(f, item)) {
		record_baseline(f, item);
	} else if (!item->run) {
		flow_start_item(f, item);
	} else if (flow_item_waits(item) || (flow_is_meant(f, item) && item->run->state != ONCE_RUN_BEGUN)) {
		flow_start_item(f, item);
	} else if (item->run->state == ONCE_RUN_BEGUN) {
		flow_settle_left(f, item, -1);
	} else if (flow_fails_for_good(f, item)) {
		flow_undo_failed(f, item);
	} else {
		halt_at(f, item);
	}
}

/* An operator wants it to go on: everything is looked at anew. */
static void take_trigger(struct flow *f)
{
	const struct control_trigger *trigger = control_trigger(f->control, f->job->name);

	if (!trigger)
		return;
	if (trigger->trigger.undo) {
		flow_take_undo(f, trigger);
		return;
	}
	log_info("triggered", "%s: triggered by %s", f->job->name, trigger->trigger.by);
	f->go_on = trigger->revision;
	control_forget(f->control, trigger, true);
	flow_reset(f);
}

void flow_advance(struct flow *f)
{
	int64_t until_ms = 0, wait_ms;

	if (!f->leading || !f->control->ready || f->task || busy(f))
		return;
	if (control_paused(f->control, f->job->name, &until_ms)) {
		wait_ms = until_ms - once_utc_now();
		if (until_ms > 0)
			f->scene->loop->ops->timer_set(
				f->timer, (wait_ms > 0 ? wait_ms : 0) * ONCE_NSEC_PER_MSEC);
		return;
	}
	take_trigger(f);
	if (f->halted)
		return;
	if (!f->loaded)
		load(f);
	else if (!f->opened)
		open_flow(f);
	else if (!f->listed)
		flow_list(f);
	else if ((f->undone || f->undo_wanted) && !f->undoing && flow_lose_begun(f))
		return;
	else if (f->undone && !f->undoing)
		flow_turn(f);
	else if (f->undo_wanted && !f->undoing)
		flow_undo_wanted(f);
	else
		go(f);
}

static void on_timer(void *userdata)
{
	flow_advance(userdata);
}

static void on_work(void *userdata, struct work *work, enum work_event event)
{
	struct flow *f = userdata;

	if (!f->leading) {
		f->scene->changed(f->scene->userdata);
		return;
	}
	switch (event) {
	case WORK_BEGAN:
		return;
	case WORK_ENDED:
	case WORK_LEFT:
		if (set_run(f->at, &work->run, work->mod_revision) < 0)
			f->listed = false;
		if (event == WORK_ENDED)
			f->listed = f->listed && work->run.state == ONCE_RUN_OK;
		break;
	case WORK_EXISTS:
	case WORK_WITHDRAWN:
		f->listed = false;
		break;
	case WORK_FENCED:
		return;
	}
	flow_advance(f);
}

/* ---- what the set of jobs asks --------------------------------------------------------------- */

int flow_init(struct flow *f, const struct scene *scene, const struct config_job *job,
	struct control *control)
{
	memset(f, 0, sizeof(*f));
	f->scene = scene;
	f->job = job;
	f->control = control;
	f->timer = scene->loop->ops->timer_new(scene->loop, on_timer, f);
	if (!f->timer || work_init(&f->work, scene, job, on_work, f) < 0 ||
		process_init(&f->probe, scene, flow_on_probe, f) < 0) {
		flow_fini(f);
		return -ENOMEM;
	}
	f->probe.limit_ns = job->probe_timeout_ns;
	return 0;
}

void flow_fini(struct flow *f)
{
	f->task = once_task_cancel(f->task);
	if (f->work.scene)
		work_fini(&f->work);
	if (f->probe.scene)
		process_fini(&f->probe);
	if (f->timer)
		f->scene->loop->ops->timer_free(f->timer);
	f->timer = NULL;
	flow_items_free(&f->items);
}

void flow_lead(struct flow *f)
{
	f->leading = true;
	flow_reset(f);
	f->go_on = 0;
	f->undo_wanted = false;
	flow_advance(f);
}

void flow_changed(struct flow *f)
{
	flow_advance(f);
}

bool flow_alive(const struct flow *f)
{
	return busy(f);
}

bool flow_stop(struct flow *f, int64_t grace_ns)
{
	f->leading = false;
	f->task = once_task_cancel(f->task);
	f->scene->loop->ops->timer_set(f->timer, -1);
	(void)process_stop(&f->probe, grace_ns);
	(void)work_stop(&f->work, grace_ns);
	return busy(f);
}

void flow_kill(struct flow *f, const struct once_kill *kill)
{
	char detail[ONCE_DETAIL_MAX + 1];

	if (!work_busy(&f->work) || strcmp(kill->run, f->work.run.id) != 0)
		return;
	(void)snprintf(detail, sizeof(detail), "by %s%s%s", kill->by, kill->reason[0] ? ": " : "",
		kill->reason);
	work_force(&f->work, "killed", detail);
}

bool flow_packet(struct flow *f, uint64_t run, const void *packet, uint32_t type)
{
	if (process_alive(&f->work.process) && f->work.process.launch.run == run)
		work_packet(&f->work, packet, type);
	else if (process_alive(&f->probe) && f->probe.launch.run == run)
		process_packet(&f->probe, packet, type);
	else
		return false;
	return true;
}
