/* What the agent knows. See facts.h.
 *
 * Happy path: facts_init() from the configuration -> told by the agent, the jobs and the log -> read by
 * the page.
 *
 * Failures: none can be had but memory at init and reload. Times here are for people; what a deadline is
 * follows from the instants of the proofs. */
#include "daemon/facts.h"

#include "base/escape.h"
#include "core/schedule.h"
#include "daemon/calendar.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define US INT64_C(1000)
#define MS ONCE_NSEC_PER_MSEC
#define SEC ONCE_NSEC_PER_SEC

const int64_t facts_bounds_short[FACTS_BOUNDS_SHORT] = {500 * US, 1 * MS, 2 * MS, 5 * MS, 10 * MS,
	20 * MS, 50 * MS, 100 * MS, 200 * MS, 500 * MS, 1 * SEC, 2 * SEC, 5 * SEC, 10 * SEC};
const int64_t facts_bounds_job[FACTS_BOUNDS_JOB] = {100 * MS, 1 * SEC, 5 * SEC, 15 * SEC, 60 * SEC,
	300 * SEC, 900 * SEC, 3600 * SEC, 14400 * SEC};

void facts_observe(struct facts_histogram *h, const int64_t *bounds, size_t n, int64_t ns)
{
	size_t i = 0;

	if (ns < 0)
		ns = 0;
	while (i < n && ns > bounds[i])
		i++;
	if (i < n)
		h->buckets[i]++;
	h->count++;
	h->sum_ns += ns;
}

static void take_text(char *out, size_t size, const char *text)
{
	(void)escape_line(out, size, text, strlen(text));
}

/* ---- jobs ---- */

static void job_fini(struct facts_job *job)
{
	free(job->description);
	free(job->schedule);
	job->calendar = calendar_free(job->calendar);
}

static int job_init(struct facts *f, struct facts_job *job, const struct config_job *from)
{
	const char *zone = from->time_zone ? from->time_zone : "UTC";

	(void)snprintf(job->name, sizeof(job->name), "%s", from->name);
	(void)snprintf(job->group, sizeof(job->group), "%s",
		from->group ? from->group : f->groups[0]->name);
	job->type = from->type;
	job->output_tail = from->output_tail;
	job->description = strdup(from->description);
	if (!job->description)
		return -ENOMEM;
	if (from->type != CONFIG_JOB_CRON || !from->schedule)
		return 0;
	if (asprintf(&job->schedule, "%s%s%s", from->schedule, strcmp(zone, "UTC") ? " " : "",
		    strcmp(zone, "UTC") ? zone : "") < 0) {
		job->schedule = NULL;
		return -ENOMEM;
	}
	job->calendar = calendar_new(from->schedule, zone);
	job->jitter_ns = schedule_jitter_ns(from->name, strlen(from->name), from->jitter_ns);
	return job->calendar ? 0 : -ENOMEM;
}

/* What an earlier definition of the same name has counted. */
static void job_inherit(struct facts_job *job, const struct facts_job *old)
{
	memcpy(job->runs, old->runs, sizeof(job->runs));
	memcpy(job->ended, old->ended, sizeof(job->ended));
	memcpy(job->skipped, old->skipped, sizeof(job->skipped));
	job->n_runs = old->n_runs;
	job->n_skipped = old->n_skipped;
	job->last_success_ms = old->last_success_ms;
	job->duration = old->duration;
	job->running = old->running;
}

int facts_reload(struct facts *f, const struct config *config)
{
	struct facts_job *jobs = calloc(config->n_jobs + 1, sizeof(*jobs));
	const struct facts_job *old;
	size_t n = 0;
	int r = jobs ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < config->n_jobs; i++) {
		r = job_init(f, &jobs[n++], &config->jobs[i]);
		old = facts_job(f, config->jobs[i].name);
		if (old)
			job_inherit(&jobs[n - 1], old);
	}
	if (r < 0) {
		for (size_t i = 0; i < n; i++)
			job_fini(&jobs[i]);
		free(jobs);
		return r;
	}
	for (size_t i = 0; i < f->n_jobs; i++)
		job_fini(&f->jobs[i]);
	free(f->jobs);
	f->jobs = jobs;
	f->n_jobs = n;
	f->reloads++;
	f->version++;
	return 0;
}

/* ---- life ---- */

int facts_init(struct facts *f, const struct config *config)
{
	memset(f, 0, sizeof(*f));
	(void)snprintf(f->node, sizeof(f->node), "%s", config->node);
	take_text(f->value, sizeof(f->value), config->value ? config->value : config->node);
	(void)snprintf(f->key, sizeof(f->key), "%s", config->key);
	(void)snprintf(f->prefix, sizeof(f->prefix), "%s", config->prefix);
	(void)snprintf(f->profile, sizeof(f->profile), "%s", config->profile);
	f->timing = config->timing;
	f->began = f->turned = once_instant_now();
	f->version = 1;
	f->lines = calloc(FACTS_LINES_MAX, sizeof(*f->lines));
	f->nodes = calloc(FACTS_NODES_MAX, sizeof(*f->nodes));
	if (!f->lines || !f->nodes || !facts_group_add(f, config->group) ||
		facts_reload(f, config) < 0) {
		facts_fini(f);
		return -ENOMEM;
	}
	return 0;
}

void facts_fini(struct facts *f)
{
	for (size_t i = 0; i < f->n_jobs; i++)
		job_fini(&f->jobs[i]);
	free(f->jobs);
	facts_groups_fini(f);
	free(f->nodes);
	free(f->lines);
	memset(f, 0, sizeof(*f));
}

struct facts_job *facts_job(struct facts *f, const char *name)
{
	for (size_t i = 0; i < f->n_jobs; i++)
		if (strcmp(f->jobs[i].name, name) == 0)
			return &f->jobs[i];
	return NULL;
}

/* ---- what happens ---- */

void facts_event(struct facts *f, const char *event)
{
	if (strcmp(event, "unknown-outcome") == 0) {
		f->unanswered++;
	} else if (strcmp(event, "etcd-silent") == 0) {
		f->etcd_silent = true;
		f->version++;
	} else if (strcmp(event, "etcd-answers") == 0) {
		f->etcd_silent = false;
		f->version++;
	}
}

void facts_alarm(struct facts *f, const struct once_lineage *knew)
{
	f->alarmed = knew != NULL;
	f->knew = knew ? *knew : (struct once_lineage){0};
	f->alarm_ms = knew ? once_utc_now() : 0;
	f->version++;
}

static void fill_run(
	struct facts_run *out, const struct once_run *run, const char *item, int64_t at_ms)
{
	*out = (struct facts_run){.state = run->state,
		.at_ms = at_ms,
		.start_ms = run->start_ms,
		.end_ms = run->end_ms,
		.token = run->token,
		.attempt = run->attempt,
		.exited = run->exited,
		.exit_code = run->exit_code,
		.exit_signal = run->exit_signal};
	(void)snprintf(out->node, sizeof(out->node), "%.64s", run->node);
	(void)snprintf(out->cause, sizeof(out->cause), "%s", run->cause);
	(void)snprintf(out->reason, sizeof(out->reason), "%s", run->reason);
	(void)snprintf(out->item, sizeof(out->item), "%s", item ? item : "");
	take_text(out->detail, sizeof(out->detail), run->detail);
}

static void count_skip(struct facts_job *job, const struct once_run *run)
{
	uint64_t count = run->count > 0 ? (uint64_t)run->count : 1;
	size_t i = 0;

	while (i < job->n_skipped && strcmp(job->skipped[i].reason, run->reason) != 0)
		i++;
	if (i == FACTS_REASONS_MAX)
		return; /* there are fewer words than that */
	if (i == job->n_skipped)
		(void)snprintf(job->skipped[job->n_skipped++].reason, ONCE_WORD_MAX + 1, "%s",
			run->reason);
	job->skipped[i].count += count;
}

/* The run that has begun and that this is the end of, or another attempt; NULL: a new one. */
static struct facts_run *begun(struct facts_job *job, const char *item, int64_t at_ms)
{
	for (size_t i = 0; i < job->n_runs; i++)
		if (job->runs[i].state == ONCE_RUN_BEGUN && strcmp(job->runs[i].item, item) == 0 &&
			(at_ms == 0 || job->runs[i].at_ms == at_ms))
			return &job->runs[i];
	return NULL;
}

static struct facts_run *push_run(struct facts_job *job)
{
	memmove(job->runs + 1, job->runs, sizeof(job->runs) - sizeof(job->runs[0]));
	job->n_runs += job->n_runs < FACTS_RUNS_MAX;
	return &job->runs[0];
}

static void count_run(struct facts_job *job, const struct facts_run *run)
{
	job->ended[run->state]++;
	if (run->start_ms > 0 && run->end_ms > 0)
		facts_observe(&job->duration, facts_bounds_job, FACTS_BOUNDS_JOB,
			(run->end_ms - run->start_ms) * MS);
	if (run->state == ONCE_RUN_OK && run->end_ms > job->last_success_ms)
		job->last_success_ms = run->end_ms;
}

void facts_run(struct facts *f, const char *name, const char *item, const struct once_run *run)
{
	int64_t at_ms = run->scheduled_ms ? run->scheduled_ms : run->start_ms, start_ms = run->start_ms;
	struct facts_job *job = facts_job(f, name);
	struct facts_run *at;

	if (!job || (unsigned)run->state > ONCE_RUN_LOST)
		return;
	item = item ? item : "";
	at = run->state == ONCE_RUN_SKIPPED ? NULL : begun(job, item, at_ms);
	if (at && start_ms == 0) { /* the end of a service */
		start_ms = at->start_ms;
		at_ms = at->at_ms;
	}
	if (!at)
		at = push_run(job);
	fill_run(at, run, item, at_ms);
	at->start_ms = start_ms;
	if (run->state == ONCE_RUN_SKIPPED)
		count_skip(job, run);
	else
		job->running = run->state == ONCE_RUN_BEGUN;
	if (run->state != ONCE_RUN_SKIPPED && run->state != ONCE_RUN_BEGUN)
		count_run(job, at);
	f->version++;
}

void facts_known_run(
	struct facts *f, struct facts_job *job, size_t i, const struct once_run *run, int64_t at_ms)
{
	if (i >= FACTS_RUNS_MAX)
		return;
	fill_run(&job->runs[i], run, NULL, at_ms);
	job->n_runs = i + 1;
	if (run->state == ONCE_RUN_OK && run->end_ms > job->last_success_ms)
		job->last_success_ms = run->end_ms;
}

void facts_line(struct facts *f, enum once_log_level level, const char *event, const char *text)
{
	struct facts_line *line = &f->lines[f->n_lines % FACTS_LINES_MAX];

	line->number = ++f->n_lines;
	line->at_ms = once_utc_now();
	line->level = level;
	(void)snprintf(line->event, sizeof(line->event), "%s", event);
	take_text(line->text, sizeof(line->text), text);
}

const struct facts_line *facts_line_at(const struct facts *f, size_t i)
{
	uint64_t kept = f->n_lines < FACTS_LINES_MAX ? f->n_lines : FACTS_LINES_MAX;

	return i < kept ? &f->lines[(f->n_lines - kept + i) % FACTS_LINES_MAX] : NULL;
}

void facts_lag(struct facts *f, int64_t late_ns, struct once_instant now)
{
	f->turned = now;
	facts_observe(&f->lag, facts_bounds_short, FACTS_BOUNDS_SHORT, late_ns);
}

/* ---- what follows ---- */

int64_t facts_next_ms(const struct facts_job *job, int64_t now_ms)
{
	struct policy_schedule schedule;
	int64_t at_s;

	if (!job->calendar)
		return 0;
	schedule = calendar_policy(job->calendar);
	at_s = schedule.next(schedule.data, (now_ms - job->jitter_ns / MS) / 1000);
	return at_s == INT64_MAX ? 0 : at_s * 1000 + job->jitter_ns / MS;
}
