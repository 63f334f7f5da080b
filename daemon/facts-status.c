/* What the agent knows as JSON: /status, the events of the stream, and the answers of the health paths.
 *
 * /status has the members of `oncectl status --json` and `oncectl leaders --json` where it tells the same
 * thing, and more beside them: what only this node can know. */
#include "daemon/facts.h"

#include "daemon/json-out.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#ifndef ONCED_VERSION
#define ONCED_VERSION "unknown"
#endif

static void text_if(struct buf *out, const char *name, const char *text)
{
	if (text[0])
		jout_text(out, name, text);
}

static void moment_if(struct buf *out, const char *name, int64_t ms)
{
	if (ms > 0)
		jout_moment(out, name, ms);
}

/* ---- groups ---------------------------------------------------------------------------------- */

static void term_times(
	struct buf *out, struct facts *f, const struct facts_group *g, struct once_instant now)
{
	int64_t left = facts_deadline_ns(f, g, now);

	if (g->token != 0 && g->proved.boot_ns != 0) {
		jout_seconds(out, "proof_age_seconds", once_elapsed_max(g->proved, now));
		jout_seconds(out, "deadline_seconds", left > 0 ? left : 0);
	} else {
		if (facts_term_token(f, g) != 0 && g->seen.boot_ns != 0)
			jout_seconds(out, "proof_age_seconds", once_elapsed_max(g->seen, now));
		else
			jout_null(out, "proof_age_seconds");
		jout_null(out, "deadline_seconds");
	}
}

static const char *remark_of(const struct facts *f, const struct facts_group *g)
{
	if (f->alarmed)
		return "etcd is of another history";
	if (f->etcd_silent)
		return "etcd does not answer";
	return g->leader_token == 0 && f->etcd_heard ? "nobody leads" : NULL;
}

static void put_terms(struct buf *out, const struct facts *f, const struct facts_group *g)
{
	jout_open(out, "terms", '[');
	for (size_t i = 0; i < g->n_terms; i++) {
		const struct facts_term *t = &g->terms[i];

		jout_open(out, NULL, '{');
		jout_i64(out, "token", t->token);
		jout_text(out, "node", t->node[0] ? t->node : NULL);
		jout_moment(out, "since", t->since_ms);
		jout_bool(out, "leads", !t->over && (!f->alarmed || t->token == g->token));
		jout_moment(out, "until", t->until_ms);
		jout_text(out, "end", t->end[0] ? t->end : NULL);
		jout_text(out, "ended_by", t->ended_by[0] ? t->ended_by : NULL);
		jout_close(out, '}');
	}
	jout_close(out, ']');
}

/* NULL: nobody leads, or it is not known who. */
static const char *value_of(const struct facts *f, const struct facts_group *g)
{
	return g->leader[0] && (!f->alarmed || g->token != 0) ? g->leader : NULL;
}

static void put_group(
	struct buf *out, struct facts *f, const struct facts_group *g, struct once_instant now)
{
	const struct facts_term *latest = g->n_terms > 0 ? &g->terms[0] : NULL;
	int64_t token = facts_term_token(f, g);
	bool known = latest && latest->token == token;
	const char *value = value_of(f, g);

	jout_open(out, NULL, '{');
	jout_text(out, "group", g->name);
	jout_text(out, "leader", known && latest->node[0] ? latest->node : value);
	jout_text(out, "value", value);
	jout_i64(out, "token", token);
	jout_moment(out, "since", known ? latest->since_ms : 0);
	jout_moment(out, "changed", g->changed_ms);
	jout_text(out, "state", facts_state_name(g->state));
	term_times(out, f, g, now);
	jout_text(out, "remark", remark_of(f, g));
	put_terms(out, f, g);
	jout_close(out, '}');
}

/* ---- nodes and jobs -------------------------------------------------------------------------- */

static int64_t groups_led(const struct facts *f, const char *node)
{
	int64_t n = 0;

	for (size_t i = 0; i < f->n_groups; i++) {
		const struct facts_group *g = f->groups[i];
		int64_t token = facts_term_token(f, g);
		bool known = g->n_terms > 0 && g->terms[0].token == token;

		n += token != 0 &&
		     strcmp(known && g->terms[0].node[0] ? g->terms[0].node : g->leader, node) == 0;
	}
	return n;
}

static void put_run(struct buf *out, const struct facts_job *job, const struct facts_run *run)
{
	jout_open(out, NULL, '{');
	jout_text(out, "job", job->name);
	jout_moment(out, "moment", run->at_ms);
	jout_text(out, "state", once_run_state_name(run->state));
	text_if(out, "item", run->item);
	text_if(out, "reason", run->reason);
	text_if(out, "cause", run->cause);
	text_if(out, "detail", run->detail);
	text_if(out, "node", run->node);
	jout_i64(out, "token", run->token);
	jout_i64(out, "attempt", run->attempt);
	moment_if(out, "start", run->start_ms);
	moment_if(out, "end", run->end_ms);
	if (run->exited)
		jout_i64(out, "exit_code", run->exit_code);
	if (run->exit_signal)
		jout_i64(out, "exit_signal", run->exit_signal);
	jout_close(out, '}');
}

static void put_job(struct buf *out, const struct facts_job *job, int64_t now_ms)
{
	static const char *const types[] = {"service", "cron", "once", "steps", "migrate"};

	jout_open(out, NULL, '{');
	jout_text(out, "job", job->name);
	jout_text(out, "type", types[job->type]);
	jout_text(out, "group", job->group);
	text_if(out, "description", job->description);
	jout_moment(out, "next", facts_next_ms(job, now_ms));
	jout_text(out, "schedule", job->schedule);
	jout_moment(out, "last_success", job->last_success_ms);
	jout_open(out, "last", '[');
	for (size_t i = 0; i < job->n_runs; i++)
		put_run(out, job, &job->runs[i]);
	jout_close(out, ']');
	jout_close(out, '}');
}

/* This node's own. */
static void put_alarms(struct buf *out, const struct facts *f)
{
	char cluster[20];

	jout_open(out, "alarms", '[');
	if (f->alarmed) {
		(void)snprintf(cluster, sizeof(cluster), "%016" PRIx64, f->knew.cluster_id);
		jout_open(out, NULL, '{');
		jout_text(out, "node", f->node);
		jout_text(out, "cluster", cluster);
		jout_i64(out, "revision", f->knew.revision);
		jout_moment(out, "since", f->alarm_ms);
		jout_close(out, '}');
	}
	jout_close(out, ']');
}

void facts_status(struct facts *f, struct buf *out, struct once_instant now)
{
	int64_t now_ms = once_utc_now();

	jout_open(out, NULL, '{');
	jout_text(out, "version", ONCED_VERSION);
	jout_text(out, "node", f->node);
	jout_text(out, "key", f->key);
	jout_text(out, "profile", f->profile);
	jout_seconds(out, "fence_after_seconds", f->timing.fence_after_ns);
	jout_seconds(out, "takeover_after_seconds",
		f->timing.fence_after_ns +
			f->timing.fence_after_ns / 1000000 * f->timing.clock_drift_ppm);
	jout_moment(out, "now", now_ms);
	jout_i64(out, "change", (int64_t)f->version);
	jout_bool(out, "etcd_answers", f->etcd_heard && !f->etcd_silent);
	put_alarms(out, f);
	jout_open(out, "groups", '[');
	for (size_t i = 0; i < f->n_groups; i++)
		put_group(out, f, f->groups[i], now);
	jout_close(out, ']');
	jout_moment(out, "looked", f->looked_ms);
	jout_open(out, "nodes", '[');
	for (size_t i = 0; i < f->n_nodes; i++) {
		jout_open(out, NULL, '{');
		jout_text(out, "node", f->nodes[i].name);
		jout_text(out, "address", f->nodes[i].address[0] ? f->nodes[i].address : NULL);
		jout_i64(out, "leads", groups_led(f, f->nodes[i].name));
		jout_close(out, '}');
	}
	jout_close(out, ']');
	jout_open(out, "jobs", '[');
	for (size_t i = 0; i < f->n_jobs; i++)
		put_job(out, &f->jobs[i], now_ms);
	jout_close(out, ']');
	jout_close(out, '}');
	(void)buf_putc(out, '\n');
}

/* ---- the stream ------------------------------------------------------------------------------ */

void facts_pulse(struct facts *f, struct buf *out, struct once_instant now)
{
	const struct facts_group *g = f->groups[0];

	jout_open(out, NULL, '{');
	jout_i64(out, "change", (int64_t)f->version);
	jout_moment(out, "now", once_utc_now());
	jout_bool(out, "etcd_answers", f->etcd_heard && !f->etcd_silent);
	jout_text(out, "group", g->name);
	jout_text(out, "state", facts_state_name(g->state));
	jout_i64(out, "token", facts_term_token(f, g));
	term_times(out, f, g, now);
	jout_close(out, '}');
}

void facts_line_json(const struct facts_line *line, struct buf *out)
{
	const char *level = line->level <= ONCE_LOG_ERR	      ? "error"
			    : line->level == ONCE_LOG_WARNING ? "warning"
							      : "info";

	jout_open(out, NULL, '{');
	jout_i64(out, "number", (int64_t)line->number);
	jout_moment(out, "at", line->at_ms);
	jout_text(out, "level", level);
	jout_text(out, "event", line->event);
	jout_text(out, "text", line->text);
	jout_close(out, '}');
}

/* ---- health ---------------------------------------------------------------------------------- */

static bool is_ready(struct facts *f, const struct facts_group *g, struct once_instant now)
{
	if (f->ending)
		return false;
	if (g->state == ONCE_ELECTOR_LEADING || g->state == ONCE_ELECTOR_WAITING)
		return facts_deadline_ns(f, g, now) > 0;
	return g->state == ONCE_ELECTOR_FOLLOWING && f->etcd_heard && !f->etcd_silent &&
	       !f->alarmed;
}

static bool is_live(const struct facts *f, struct once_instant now)
{
	return once_elapsed_max(f->turned, now) <= f->timing.lease_ttl_s * ONCE_NSEC_PER_SEC;
}

int facts_health(struct facts *f, const char *path, struct facts_group *g, struct once_instant now,
	struct buf *out)
{
	bool good;

	if (strcmp(path, "/leader") == 0)
		good = facts_leads(f, g, now);
	else if (strcmp(path, "/follower") == 0)
		good = g->state == ONCE_ELECTOR_FOLLOWING && !f->ending;
	else if (strcmp(path, "/health") == 0)
		good = !f->ending;
	else if (strcmp(path, "/readiness") == 0)
		good = is_ready(f, g, now);
	else if (strcmp(path, "/liveness") == 0)
		good = is_live(f, now);
	else
		return 0;
	jout_open(out, NULL, '{');
	jout_text(out, "node", f->node);
	jout_text(out, "group", g->name);
	jout_text(out, "state", facts_state_name(g->state));
	jout_text(out, "leader", value_of(f, g));
	jout_i64(out, "token", facts_term_token(f, g));
	term_times(out, f, g, now);
	jout_bool(out, "etcd_answers", f->etcd_heard && !f->etcd_silent);
	jout_close(out, '}');
	(void)buf_putc(out, '\n');
	return good ? 200 : 503;
}
