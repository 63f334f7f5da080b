/* What a job's records say when a term begins, and what becomes of those that were begun and never ended. See
 * cron.h.
 *
 * Happy path: list -> the policy's verdict for each: over, run again, ask the probe, hold. A hold writes the pause
 * first, so that a leader lost in between decides the same again. */
#include "daemon/cron-internal.h"

#include "daemon/log.h"

#include <stdlib.h>
#include <string.h>

/* ---- history --------------------------------------------------------------------------------- */

static void on_trimmed(void *userdata, int error, int64_t deleted, const char *message)
{
	struct cron *c = userdata;

	c->trim = NULL;
	if (error < 0)
		log_warning(
			"history", "%s: old records are not deleted: %s", c->job->name, message);
}

void cron_recorded(struct cron *c)
{
	struct once_history keep = {(uint32_t)c->job->history_ok, (uint32_t)c->job->history_failed};
	struct once_term term = cron_term(c);

	if (++c->untrimmed < CRON_TRIM_EVERY || c->trim || term.token == 0)
		return;
	c->untrimmed = 0;
	(void)once_ledger_trim(
		c->scene->records, &c->trim, c->job->name, &keep, &term, on_trimmed, c);
}

/* ---- what an earlier term left --------------------------------------------------------------- */

void cron_push_left(
	struct cron *c, const char *key, int64_t mod_revision, const struct once_run *run)
{
	struct cron_left *left = calloc(1, sizeof(*left)), **end = &c->left;

	if (!left) {
		log_err("takeover", "%s: out of memory: the run of %s is not decided in this term",
			c->job->name, key);
		return;
	}
	(void)snprintf(left->key, sizeof(left->key), "%s", key);
	left->mod_revision = mod_revision;
	left->run = *run;
	left->run.tail = left->run.result = (struct once_bytes){0};
	while (*end)
		end = &(*end)->next;
	*end = left;
}

void cron_pop_left(struct cron *c)
{
	struct cron_left *left = c->left;

	c->left = left->next;
	free(left);
}

static int on_row(void *userdata, const struct once_row *row)
{
	struct cron *c = userdata;
	char key[ONCE_KEY_SIZE];

	if (!row->run || cron_make_key(c, key, ONCE_KEY_RUN, row->key.at_ms) < 0) {
		log_warning("record", "%s: a record cannot be read: %s", c->job->name,
			strerror(-row->error));
		return 0;
	}
	switch (row->run->state) {
	case ONCE_RUN_BEGUN:
		cron_push_left(c, key, row->mod_revision, row->run);
		break;
	case ONCE_RUN_OK:
		c->failures = 0;
		break;
	case ONCE_RUN_FAILED:
	case ONCE_RUN_TIMEOUT:
		c->failures++;
		break;
	default:
		break;
	}
	return 0;
}

static void on_listed(void *userdata, int error, int64_t revision, const char *message)
{
	struct cron *c = userdata;

	c->list = NULL;
	if (error < 0) {
		log_warning("record", "%s: the records cannot be read: %s", c->job->name, message);
		cron_set_timer(c, cron_beat_ns(c));
		return;
	}
	c->listed = true;
	cron_advance(c);
}

void cron_list(struct cron *c)
{
	struct once_list wanted = {.kind = ONCE_KEY_RUN, .name = c->job->name};

	if (c->list)
		return;
	while (c->left)
		cron_pop_left(c);
	c->failures = 0;
	if (once_ledger_list(c->scene->records, &c->list, &wanted, on_row, on_listed, c) < 0)
		cron_set_timer(c, cron_beat_ns(c));
}

static void on_decided(void *userdata, const struct once_ledger_answer *answer)
{
	struct cron *c = userdata;

	c->task = NULL;
	if (answer->result < 0) {
		log_warning("record", "%s: a run is not decided yet: %s", c->job->name,
			answer->message);
		cron_set_timer(c, cron_beat_ns(c));
		return;
	}
	cron_pop_left(c);
	cron_recorded(c);
	cron_advance(c);
}

static void decide(struct cron *c, enum once_run_state state, const char *reason)
{
	struct once_term term = cron_term(c);
	struct once_run run = c->left->run;

	run.state = state;
	run.end_ms = once_utc_now();
	(void)snprintf(run.reason, sizeof(run.reason), "%s", reason);
	(void)snprintf(run.closed_by, sizeof(run.closed_by), "%s", c->scene->config->node);
	log_warning("takeover", "%s: begun on %s under token %lld and never ended: %s (%s)",
		c->left->key, run.node, (long long)run.token, once_run_state_name(state), reason);
	if (once_ledger_decide(c->scene->records, &c->task, c->left->key, c->left->mod_revision,
		    &run, &term, 0, on_decided, c) < 0)
		cron_set_timer(c, cron_beat_ns(c));
}

static void on_paused(void *userdata, const struct once_response *response)
{
	struct cron *c = userdata;

	c->task = NULL;
	if (response->error < 0)
		log_warning("pause", "%s: the pause is not recorded yet: %s", c->job->name,
			response->message);
	if (c->left && response->error == 0)
		decide(c, ONCE_RUN_LOST, "hold");
	else
		cron_set_timer(c, response->error < 0 ? cron_beat_ns(c) : 0);
}

void cron_pause_job(struct cron *c, const char *reason)
{
	log_warning("paused", "%s: paused until \"oncectl resume\": %s", c->job->name, reason);
	if (control_pause(c->control, &c->task, c->job->name, reason, on_paused, c) < 0)
		cron_set_timer(c, cron_beat_ns(c));
}

static void rerun(struct cron *c)
{
	struct cron_left *left = c->left;
	struct work_order order = {.key = left->key,
		.cause = "retry",
		.former = &left->run,
		.mod_revision = left->mod_revision};

	log_info("takeover", "%s: begun on %s under token %lld and never ended: running it again",
		left->key, left->run.node, (long long)left->run.token);
	c->triggered = false;
	c->next_cursor_s = c->cursor_s;
	cron_start_work(c, &order, left->run.scheduled_ms);
	if (work_busy(&c->work))
		cron_pop_left(c);
}

static void start_probe(struct cron *c)
{
	struct launch launch = {.config = c->scene->config,
		.job = c->job,
		.argv = c->job->probe,
		.argc = c->job->n_probe,
		.attempt = c->left->run.attempt,
		.reason = "probe",
		.name = c->probe_name,
		.out_fd = -1};

	cron_run_name(c, c->left->run.scheduled_ms, c->probe_name);
	process_start(&c->probe, &launch, 0);
}

/* probe: its exit code, -1: not asked yet. */
void cron_settle_left(struct cron *c, int probe)
{
	enum policy_verdict verdict = c->left->run.exited
					      ? POLICY_VERDICT_RERUN
					      : policy_interrupted(c->job->on_interrupt, probe);
	char reason[ONCE_REASON_MAX + 1], name[ONCE_KEY_SIZE];

	switch (verdict) {
	case POLICY_VERDICT_OVER:
		decide(c, ONCE_RUN_INTERRUPTED, "no-end");
		break;
	case POLICY_VERDICT_RERUN:
		rerun(c);
		break;
	case POLICY_VERDICT_PROBE:
		start_probe(c);
		break;
	case POLICY_VERDICT_DONE:
		decide(c, ONCE_RUN_OK, "probe");
		break;
	case POLICY_VERDICT_HOLD:
		cron_run_name(c, c->left->run.scheduled_ms, name);
		(void)snprintf(reason, sizeof(reason), "%.180s was begun and never ended", name);
		cron_pause_job(c, reason);
		break;
	}
}

void cron_on_probe(void *userdata, struct process *process)
{
	struct cron *c = userdata;

	if (!c->leading) {
		c->scene->changed(c->scene->userdata);
		return;
	}
	if (c->left && !process->result.told)
		cron_settle_left(c, process->result.code);
	else
		cron_advance(c);
}
