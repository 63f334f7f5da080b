/* One job of Type=once, steps or migrate. See flow.h.
 *
 * Happy path: the term begins -> the items are read, the ledger's records of them listed and
 * compared
 * -> advance(): the first item that is not done is recorded as begun, run, recorded as done -> the
 * next.
 *
 * It halts, with one line that says where it stands, when what was done has changed, when an item
 * has failed for good, and when one was begun and never ended under OnInterrupt=hold. A trigger
 * lets it go on with that item; whatever changed stays refused. */
#include "daemon/flow.h"

#include "daemon/log.h"

#include <errno.h>
#include <once/flow.h>
#include <stdlib.h>
#include <string.h>

static void advance(struct flow *f);

static void again(struct flow *f)
{
	f->scene->loop->ops->timer_set(f->timer, f->scene->config->timing.beat_interval_ns);
}

static struct once_term term_of(const struct flow *f)
{
	return (struct once_term){f->scene->config->key, f->scene->term->token};
}

static void halt(struct flow *f, const char *why)
{
	char progress[512];

	f->halted = true;
	log_err("halted", "%s: %s; %s", f->job->name, why,
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
		again(f);
		return;
	}
	f->listed = true;
	if (flow_items_refused(&f->items, f->job, why, sizeof(why)))
		halt(f, why);
	else
		advance(f);
}

static void list(struct flow *f)
{
	struct once_list wanted = {
		.kind = f->job->type == CONFIG_JOB_ONCE ? ONCE_KEY_ONCE : ONCE_KEY_STEP,
		.name = f->job->id};

	flow_items_forget(&f->items);
	if (once_ledger_list(f->scene->records, &f->task, &wanted, on_row, on_listed, f) < 0)
		again(f);
}

static void on_opened(void *userdata, int result, const char *hash, const char *message)
{
	struct flow *f = userdata;

	f->task = NULL;
	if (result < 0) {
		log_warning(
			"record", "%s: the flow cannot be opened yet: %s", f->job->name, message);
		again(f);
	} else if (result == ONCE_LEDGER_CHANGED) {
		halt(f, "its list of steps is not the one that it was begun with, expected the "
			"same, or "
			"another Id=");
	} else if (result == ONCE_LEDGER_DONE) {
		f->opened = true;
		advance(f);
	}
}

static void open_flow(struct flow *f)
{
	struct once_term term = term_of(f);

	if (f->job->type != CONFIG_JOB_STEPS) {
		f->opened = true;
		list(f);
	} else if (once_flow_open(f->scene->records, &f->task, f->job->id, f->items.list_hash,
			   &term, on_opened, f) < 0) {
		again(f);
	}
}

static void load(struct flow *f)
{
	char why[512];

	f->at = NULL;
	if (flow_items_load(&f->items, f->scene->config, f->job, why, sizeof(why)) < 0) {
		halt(f, why);
		return;
	}
	f->loaded = true;
	open_flow(f);
}

/* ---- one item -------------------------------------------------------------------------------- */

static void item_name(const struct flow *f, const struct flow_item *item, char out[ONCE_KEY_SIZE])
{
	(void)snprintf(out, ONCE_KEY_SIZE, "%s%s%s", f->job->id,
		f->job->type == CONFIG_JOB_ONCE ? "" : "/",
		f->job->type == CONFIG_JOB_ONCE ? "" : item->name);
}

static void set_variables(const struct flow *f, const struct flow_item *item,
	const char *variables[LAUNCH_VARIABLES_MAX][2], size_t *n)
{
	const char *const all[][2] = {
		{"ONCED_STEP", f->job->type == CONFIG_JOB_ONCE ? NULL : item->name},
		{"ONCED_FILE", item->path}, {"ONCED_SHA256", item->path ? item->hash : NULL}};

	*n = 0;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		if (!all[i][1])
			continue;
		variables[*n][0] = all[i][0];
		variables[(*n)++][1] = all[i][1];
	}
}

/* A record that is there is taken up again. */
static void start(struct flow *f, struct flow_item *item)
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

	item_name(f, item, name);
	set_variables(f, item, order.variables, &order.n_variables);
	f->at = item;
	f->go_on = false;
	log_info("step", "%s: %s begins", f->job->name, item->name);
	if (work_start(&f->work, &order) < 0)
		again(f);
}

static int set_run(struct flow_item *item, const struct once_run *run, int64_t mod_revision)
{
	if (!item->run)
		item->run = calloc(1, sizeof(*item->run));
	if (!item->run)
		return -ENOMEM;
	*item->run = *run;
	item->run->tail = (struct once_bytes){0};
	item->mod_revision = mod_revision;
	return 0;
}

static void on_written(void *userdata, const struct once_ledger_answer *answer)
{
	struct flow *f = userdata;

	f->task = NULL;
	if (answer->result < 0)
		log_warning("record", "%s: not recorded yet: %s", f->job->name, answer->message);
	f->listed = false; /* look at what there is now */
	if (answer->result < 0)
		again(f);
	else if (answer->result != ONCE_LEDGER_FENCED)
		advance(f);
}

/* Files before Baseline= count as done. */
static void record_baseline(struct flow *f, const struct flow_item *item)
{
	struct once_term term = term_of(f);
	struct once_run run = {
		.state = ONCE_RUN_SKIPPED, .token = term.token, .end_ms = once_utc_now()};
	struct once_begin begin = {.key = item->key, .run = &run, .term = &term};

	(void)snprintf(run.node, sizeof(run.node), "%s", f->scene->config->node);
	(void)snprintf(run.reason, sizeof(run.reason), "baseline");
	(void)snprintf(run.hash, sizeof(run.hash), "%s", item->hash);
	log_info("baseline", "%s: %s was applied before", f->job->name, item->name);
	if (once_ledger_begin(f->scene->records, &f->task, &begin, 0, on_written, f) < 0)
		again(f);
}

static bool before_baseline(const struct flow *f, const struct flow_item *item)
{
	return f->job->baseline && strcmp(item->name, f->job->baseline) <= 0;
}

/* ---- what was begun and never ended ---------------------------------------------------------- */

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
	struct once_term term = term_of(f);
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
		    &term, 0, on_written, f) < 0)
		again(f);
}

static void start_probe(struct flow *f, struct flow_item *item)
{
	static char name[ONCE_KEY_SIZE];
	struct launch launch = {.config = f->scene->config,
		.job = f->job,
		.argv = f->job->probe,
		.argc = f->job->n_probe,
		.attempt = item->run->attempt,
		.reason = "probe",
		.name = name,
		.out_fd = -1};

	item_name(f, item, name);
	set_variables(f, item, launch.variables, &launch.n_variables);
	f->at = item;
	process_start(&f->probe, &launch, 0);
}

static void settle_left(struct flow *f, struct flow_item *item, int probe)
{
	char left[400];

	switch (f->go_on ? POLICY_VERDICT_RERUN : policy_interrupted(f->job->on_interrupt, probe)) {
	case POLICY_VERDICT_OVER:
		decide(f, item, ONCE_RUN_INTERRUPTED, "no-end");
		break;
	case POLICY_VERDICT_RERUN:
		describe_left(f, item, left, sizeof(left));
		log_warning("takeover", "%s: %s: running it again", f->job->name, left);
		start(f, item);
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

static void on_probe(void *userdata, struct process *process)
{
	struct flow *f = userdata;

	if (!f->leading)
		f->scene->changed(f->scene->userdata);
	else if (!process->result.told && f->at && f->at->run)
		settle_left(f, f->at, process->result.code);
	else
		advance(f);
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
	halt(f, why);
}

/* With the first item that is not done. */
static void go(struct flow *f)
{
	struct flow_item *item = flow_items_next(&f->items);

	if (!item) {
		if (!f->complete)
			log_info("complete", "%s: all %zu done", f->job->name, f->items.n);
		f->complete = true;
		f->go_on = false;
	} else if (!item->run && before_baseline(f, item)) {
		record_baseline(f, item);
	} else if (!item->run) {
		start(f, item);
	} else if (flow_item_waits(item) || (f->go_on && item->run->state != ONCE_RUN_BEGUN)) {
		start(f, item);
	} else if (item->run->state == ONCE_RUN_BEGUN) {
		settle_left(f, item, -1);
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
	log_info("triggered", "%s: triggered by %s", f->job->name, trigger->trigger.by);
	control_forget(f->control, trigger, true);
	f->go_on = true;
	f->halted = f->loaded = f->opened = f->listed = f->complete = false;
}

static void advance(struct flow *f)
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
		list(f);
	else
		go(f);
}

static void on_timer(void *userdata)
{
	advance(userdata);
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
	advance(f);
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
		process_init(&f->probe, scene, on_probe, f) < 0) {
		flow_fini(f);
		return -ENOMEM;
	}
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
	f->loaded = f->opened = f->listed = f->halted = f->go_on = f->complete = false;
	advance(f);
}

void flow_changed(struct flow *f)
{
	advance(f);
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
