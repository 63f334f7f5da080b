/* One job of Type=cron. See cron.h.
 *
 * Happy path: the term begins -> the job's records are listed, and what was begun and never ended
 * is decided by OnInterrupt= -> cron_advance() asks the policy: the next instant's begin is recorded
 * together with the cursor -> work runs it -> its end is recorded -> cron_advance() ... One record of
 * the schedule is on its way at a time, so that the cursor never goes back.
 *
 * Failures: etcd does not answer: the same again after a beat, until the term is over. The begin
 * finds a record: somebody has decided the instant before, it is passed over. */
#include "daemon/cron-internal.h"

#include "core/schedule.h"
#include "daemon/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const int64_t LOOK_AGAIN = 60 * ONCE_NSEC_PER_SEC; /* the time of day may be set */

static int64_t now_ns(void)
{
	struct timespec ts = {0};

	(void)clock_gettime(CLOCK_REALTIME, &ts);
	return ts.tv_sec * ONCE_NSEC_PER_SEC + ts.tv_nsec;
}

void cron_set_timer(struct cron *c, int64_t ns)
{
	c->scene->loop->ops->timer_set(c->timer, ns);
}

int64_t cron_beat_ns(const struct cron *c)
{
	return c->scene->config->timing.beat_interval_ns;
}

struct once_term cron_term(const struct cron *c)
{
	return (struct once_term){c->scene->config->key, c->scene->term->token};
}

int cron_make_key(
	const struct cron *c, char out[ONCE_KEY_SIZE], enum once_key_kind kind, int64_t at_ms)
{
	return once_key_make(out, c->scene->config->prefix, kind, c->job->name, NULL, at_ms);
}

/* ---- the schedule ---------------------------------------------------------------------------- */

void cron_run_name(const struct cron *c, int64_t at_ms, char out[ONCE_KEY_SIZE])
{
	char moment[ONCE_UTC_SIZE];

	(void)snprintf(out, ONCE_KEY_SIZE, "%s/%s", c->job->name, once_utc_format(moment, at_ms));
}

void cron_start_work(struct cron *c, struct work_order *order, int64_t at_ms)
{
	char name[ONCE_KEY_SIZE];

	cron_run_name(c, at_ms, name);
	order->name = name;
	order->argv = c->job->argv;
	order->argc = c->job->argc;
	if (work_start(&c->work, order) < 0)
		cron_set_timer(c, cron_beat_ns(c));
}

static int cursor_text(const struct cron *c, int64_t at_s, char out[ONCE_CONTROL_SIZE])
{
	struct policy_schedule schedule = calendar_policy(c->calendar);
	int64_t next_s = schedule.next(schedule.data, at_s);
	struct once_cursor cursor = {.decided_ms = at_s * 1000,
		.next_ms = next_s == INT64_MAX ? 0
					       : next_s * 1000 + c->jitter_ns / ONCE_NSEC_PER_MSEC};

	(void)snprintf(cursor.schedule, sizeof(cursor.schedule), "%s", c->schedule);
	return once_cursor_encode(out, &cursor);
}

static void on_cursor(void *userdata, const struct once_response *response)
{
	struct cron *c = userdata;

	c->task = NULL;
	if (response->error < 0 || !response->op.succeeded) {
		c->has_cursor = false;
		cron_set_timer(c, cron_beat_ns(c));
		return;
	}
	cron_advance(c);
}

/* A job that is new, or whose schedule has changed, begins now: nothing before is due. */
static void begin_cursor(struct cron *c)
{
	char key[ONCE_KEY_SIZE], value[ONCE_CONTROL_SIZE];
	struct once_term term = cron_term(c);
	struct once_compare guard = {.target = ONCE_COMPARE_CREATE,
		.result = ONCE_EQUAL,
		.key = once_str(term.key),
		.number = term.token};
	struct once_op put = {.kind = ONCE_OP_PUT};
	struct once_txn txn = {
		.compares = &guard, .n_compares = 1, .success = &put, .n_success = 1};
	int n = cursor_text(c, c->cursor_s, value);

	if (n < 0 || cron_make_key(c, key, ONCE_KEY_CURSOR, 0) < 0)
		return;
	put.key = once_str(key);
	put.value = (struct once_bytes){value, (size_t)n};
	c->has_cursor = true;
	if (once_settle(c->scene->records, &c->task, &txn, 0, on_cursor, c) < 0) {
		c->has_cursor = false;
		cron_set_timer(c, cron_beat_ns(c));
	}
}

static void take_cursor(struct cron *c)
{
	const struct once_cursor *cursor = control_cursor(c->control, c->job->name);
	int64_t now_s = now_ns() / ONCE_NSEC_PER_SEC;

	c->cursor_s = cursor ? cursor->decided_ms / 1000 : now_s;
	if (cursor && strcmp(cursor->schedule, c->schedule) == 0) {
		c->has_cursor = true;
		return;
	}
	if (c->cursor_s < now_s)
		c->cursor_s = now_s;
	begin_cursor(c);
}

static void tell_skipped(const struct cron *c)
{
	struct once_run run = {.state = ONCE_RUN_SKIPPED,
		.scheduled_ms = c->skipping.at_ms,
		.until_ms = c->skipping.until_ms,
		.count = c->skipping.count,
		.end_ms = once_utc_now(),
		.token = c->scene->term->token};
	char name[ONCE_KEY_SIZE];

	if (!c->scene->ran)
		return;
	(void)snprintf(run.reason, sizeof(run.reason), "%s", c->skipping.reason);
	(void)snprintf(run.node, sizeof(run.node), "%s", c->scene->config->node);
	cron_run_name(c, run.scheduled_ms, name);
	c->scene->ran(c->scene->userdata, c->job, name, &run);
}

static void on_skipped(void *userdata, const struct once_ledger_answer *answer)
{
	struct cron *c = userdata;

	c->task = NULL;
	if (answer->result < 0) {
		log_warning("record", "%s: a skipped instant is not recorded yet: %s", c->job->name,
			answer->message);
		cron_set_timer(c, cron_beat_ns(c));
		return;
	}
	if (answer->result == ONCE_LEDGER_FENCED)
		return;
	tell_skipped(c);
	c->cursor_s = c->next_cursor_s;
	cron_recorded(c);
	cron_advance(c);
}

static void skip(struct cron *c, const struct policy_decision *d)
{
	struct once_run run = {.state = ONCE_RUN_SKIPPED,
		.token = c->scene->term->token,
		.scheduled_ms = d->instant_s * 1000,
		.end_ms = once_utc_now()};
	char key[ONCE_KEY_SIZE], cursor_key[ONCE_KEY_SIZE], cursor[ONCE_CONTROL_SIZE];
	struct once_term term = cron_term(c);
	struct once_begin begin = {.key = key,
		.run = &run,
		.term = &term,
		.cursor_key = cursor_key,
		.cursor_value = cursor};
	const char *why;
	int64_t until_ms;

	c->next_cursor_s = d->action == POLICY_COLLAPSE ? d->until_s : d->instant_s;
	if (d->action == POLICY_COLLAPSE) {
		run.until_ms = d->until_s * 1000;
		run.count = (int64_t)d->count;
	}
	(void)snprintf(run.node, sizeof(run.node), "%s", c->scene->config->node);
	(void)snprintf(run.reason, sizeof(run.reason), "%s", d->reason);
	why = control_paused(c->control, c->job->name, &until_ms);
	if (why)
		(void)snprintf(run.detail, sizeof(run.detail), "%s", why);
	if (cron_make_key(c, key, ONCE_KEY_RUN, run.scheduled_ms) < 0 ||
		cron_make_key(c, cursor_key, ONCE_KEY_CURSOR, 0) < 0 ||
		cursor_text(c, c->next_cursor_s, cursor) < 0)
		return;
	log_info("skipped", "%s: skipped, %s", key, d->reason);
	(void)snprintf(c->skipping.reason, sizeof(c->skipping.reason), "%s", d->reason);
	c->skipping.at_ms = run.scheduled_ms;
	c->skipping.until_ms = run.until_ms;
	c->skipping.count = run.count;
	if (once_ledger_begin(c->scene->records, &c->task, &begin, 0, on_skipped, c) < 0)
		cron_set_timer(c, cron_beat_ns(c));
}

static void run_instant(struct cron *c, int64_t instant_s)
{
	char key[ONCE_KEY_SIZE], cursor_key[ONCE_KEY_SIZE], cursor[ONCE_CONTROL_SIZE];
	bool missed = instant_s * ONCE_NSEC_PER_SEC + c->jitter_ns < c->since_ns;
	struct work_order order = {.key = key,
		.scheduled_ms = instant_s * 1000,
		.cause = missed ? "missed" : "schedule",
		.cursor_key = cursor_key,
		.cursor_value = cursor};

	if (cron_make_key(c, key, ONCE_KEY_RUN, order.scheduled_ms) < 0 ||
		cron_make_key(c, cursor_key, ONCE_KEY_CURSOR, 0) < 0 ||
		cursor_text(c, instant_s, cursor) < 0)
		return;
	c->triggered = false;
	c->next_cursor_s = instant_s;
	cron_start_work(c, &order, order.scheduled_ms);
}

static bool run_trigger(struct cron *c)
{
	const struct control_trigger *trigger = control_trigger(c->control, c->job->name);
	char key[ONCE_KEY_SIZE];
	struct work_order order = {.key = key, .cause = "trigger"};

	if (!trigger)
		return false;
	if (trigger->trigger.undo) {
		log_warning(
			"undo", "%s: cannot be undone, expected a job of Type=steps", c->job->name);
		control_forget(c->control, trigger, true);
		return false;
	}
	order.scheduled_ms = trigger->trigger.scheduled_ms ? trigger->trigger.scheduled_ms
							   : once_utc_unscheduled(once_utc_now());
	if (cron_make_key(c, key, ONCE_KEY_RUN, order.scheduled_ms) < 0) {
		control_forget(c->control, trigger, true);
		return false;
	}
	order.trigger_key = trigger->key;
	order.detail = trigger->trigger.reason;
	c->triggered = true;
	(void)snprintf(c->trigger_key, sizeof(c->trigger_key), "%s", trigger->key);
	c->next_cursor_s = c->cursor_s;
	log_info("triggered", "%s: triggered by %s", c->job->name, trigger->trigger.by);
	cron_start_work(c, &order, order.scheduled_ms);
	return true;
}

/* ---- one step -------------------------------------------------------------------------------- */

static bool busy(const struct cron *c)
{
	return work_busy(&c->work) || process_alive(&c->probe);
}

static void wait_until(struct cron *c, int64_t wake_ns, int64_t pause_until_ms)
{
	int64_t now = now_ns(), ns = LOOK_AGAIN;

	if (wake_ns - now < ns)
		ns = wake_ns - now;
	if (pause_until_ms > 0 && pause_until_ms * ONCE_NSEC_PER_MSEC - now < ns)
		ns = pause_until_ms * ONCE_NSEC_PER_MSEC - now;
	cron_set_timer(c, ns < 0 ? 0 : ns);
}

static void decide_due(struct cron *c, const char *paused, int64_t pause_until_ms)
{
	struct policy_due due = {.schedule = calendar_policy(c->calendar),
		.cursor_s = c->cursor_s,
		.now_ns = now_ns(),
		.since_ns = c->since_ns,
		.jitter_ns = c->jitter_ns,
		.deadline_ns = c->job->starting_deadline_ns,
		.overlap = c->job->overlap,
		.missed = c->job->missed,
		.paused = paused ? "paused" : NULL,
		.running = busy(c)};
	struct policy_decision d = policy_due(&due);

	switch (d.action) {
	case POLICY_WAIT:
		wait_until(c, d.wake_ns, pause_until_ms);
		break;
	case POLICY_RUN:
		run_instant(c, d.instant_s);
		break;
	case POLICY_SKIP:
	case POLICY_COLLAPSE:
		skip(c, &d);
		break;
	case POLICY_REPLACE:
		work_force(&c->work, "replaced", "the next instant came");
		break;
	}
}

void cron_advance(struct cron *c)
{
	int64_t pause_until_ms = 0;
	const char *paused;

	if (!c->leading || !c->control->ready || c->task || c->work.state == WORK_BEGINNING)
		return;
	if (!c->listed) {
		cron_list(c);
		return;
	}
	if (!c->has_cursor)
		take_cursor(c);
	if (c->task || !c->has_cursor)
		return;
	paused = control_paused(c->control, c->job->name, &pause_until_ms);
	if (!busy(c) && !paused && c->left) {
		cron_settle_left(c, -1);
		return;
	}
	if (!busy(c) && !paused && run_trigger(c))
		return;
	decide_due(c, paused, pause_until_ms);
}

static void on_timer(void *userdata)
{
	cron_advance(userdata);
}

/* ---- a run's life ---------------------------------------------------------------------------- */

static const struct control_trigger *present_trigger(const struct cron *c)
{
	const struct control_trigger *t =
		c->triggered ? control_trigger(c->control, c->job->name) : NULL;

	return t && strcmp(t->key, c->trigger_key) == 0 ? t : NULL;
}

static void count_end(struct cron *c, enum once_run_state state)
{
	char reason[64];

	if (state == ONCE_RUN_OK)
		c->failures = 0;
	if (state != ONCE_RUN_FAILED && state != ONCE_RUN_TIMEOUT)
		return;
	c->failures++;
	if (c->job->pause_on_failure == 0 || c->failures < c->job->pause_on_failure || c->task)
		return;
	(void)snprintf(reason, sizeof(reason), "%lld failures in a row", (long long)c->failures);
	c->failures = 0;
	cron_pause_job(c, reason);
}

static void on_work(void *userdata, struct work *work, enum work_event event)
{
	struct cron *c = userdata;
	const struct control_trigger *trigger = present_trigger(c);

	if (!c->leading) {
		c->scene->changed(c->scene->userdata);
		return;
	}
	if (trigger &&
		event != WORK_FENCED) /* done, withdrawn, or of a moment that has its record */
		control_forget(c->control, trigger, event == WORK_EXISTS);
	switch (event) {
	case WORK_BEGAN:
		c->cursor_s = c->next_cursor_s > c->cursor_s ? c->next_cursor_s : c->cursor_s;
		break;
	case WORK_ENDED:
		count_end(c, work->run.state);
		cron_recorded(c);
		break;
	case WORK_LEFT: /* the guardian stopped it at a deadline, and yet the term goes on */
		cron_push_left(c, work->key, work->mod_revision, &work->run);
		break;
	case WORK_EXISTS:
		c->cursor_s = c->next_cursor_s > c->cursor_s ? c->next_cursor_s : c->cursor_s;
		break;
	case WORK_WITHDRAWN:
		break;
	case WORK_FENCED:
		return;
	}
	cron_advance(c);
}

/* ---- what the set of jobs asks --------------------------------------------------------------- */

int cron_init(struct cron *c, const struct scene *scene, const struct config_job *job,
	struct control *control)
{
	bool utc = strcmp(job->time_zone, "UTC") == 0;

	memset(c, 0, sizeof(*c));
	c->scene = scene;
	c->job = job;
	c->control = control;
	(void)snprintf(c->schedule, sizeof(c->schedule), "%.180s%s%s", job->schedule,
		utc ? "" : " ", utc ? "" : job->time_zone);
	c->jitter_ns = schedule_jitter_ns(job->name, strlen(job->name), job->jitter_ns);
	c->calendar = calendar_new(job->schedule, job->time_zone);
	c->timer = scene->loop->ops->timer_new(scene->loop, on_timer, c);
	if (!c->calendar || !c->timer || work_init(&c->work, scene, job, on_work, c) < 0 ||
		process_init(&c->probe, scene, cron_on_probe, c) < 0) {
		cron_fini(c);
		return -ENOMEM;
	}
	c->probe.limit_ns = job->probe_timeout_ns;
	return 0;
}

void cron_fini(struct cron *c)
{
	c->task = once_task_cancel(c->task);
	c->list = once_task_cancel(c->list);
	c->trim = once_task_cancel(c->trim);
	while (c->left)
		cron_pop_left(c);
	if (c->work.scene)
		work_fini(&c->work);
	if (c->probe.scene)
		process_fini(&c->probe);
	if (c->timer)
		c->scene->loop->ops->timer_free(c->timer);
	c->timer = NULL;
	c->calendar = calendar_free(c->calendar);
}

void cron_lead(struct cron *c)
{
	c->leading = true;
	c->listed = c->has_cursor = false;
	c->since_ns = now_ns();
	c->untrimmed = CRON_TRIM_EVERY; /* a former term may have left some */
	cron_list(c);
}

void cron_changed(struct cron *c)
{
	cron_advance(c);
}

bool cron_alive(const struct cron *c)
{
	return busy(c);
}

bool cron_stop(struct cron *c, int64_t grace_ns)
{
	c->leading = false;
	c->task = once_task_cancel(c->task);
	c->list = once_task_cancel(c->list);
	c->trim = once_task_cancel(c->trim);
	cron_set_timer(c, -1);
	(void)process_stop(&c->probe, grace_ns);
	(void)work_stop(&c->work, grace_ns);
	return busy(c);
}

void cron_kill(struct cron *c, int64_t at_ms, const struct once_kill *kill)
{
	char detail[ONCE_DETAIL_MAX + 1];

	if (!work_busy(&c->work) || c->work.run.scheduled_ms != at_ms ||
		(kill->run[0] && strcmp(kill->run, c->work.run.id) != 0))
		return;
	(void)snprintf(detail, sizeof(detail), "by %s%s%s", kill->by, kill->reason[0] ? ": " : "",
		kill->reason);
	log_warning("killed", "%s: to be ended %s", c->work.name, detail);
	work_force(&c->work, "killed", detail);
}

bool cron_packet(struct cron *c, uint64_t run, const void *packet, uint32_t type)
{
	if (process_alive(&c->work.process) && c->work.process.launch.run == run) {
		work_packet(&c->work, packet, type);
		return true;
	}
	if (process_alive(&c->probe) && c->probe.launch.run == run) {
		process_packet(&c->probe, packet, type);
		return true;
	}
	return false;
}
