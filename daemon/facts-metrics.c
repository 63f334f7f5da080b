/* /metrics: what the agent knows as OpenMetrics 1.0, or as the format that Prometheus had before.
 *
 * One family after the other, all samples of one together, as both ask for. Per group there are single
 * values only, so that a thousand groups stay a matter of milliseconds; round trips are the node's, because
 * one beat proves many groups. Label values are names that the configuration found valid, words of the
 * ledger and this node's own settings: nothing that a client or another node made up. */
#include "daemon/facts.h"

#include <string.h>

#ifndef ONCED_VERSION
#define ONCED_VERSION "unknown"
#endif

struct writer {
	struct facts *facts;
	struct buf *out;
	bool classic;
	struct once_instant now;
	const char *name; /* of the family */
	const char *type;
};

/* ---- the format ------------------------------------------------------------------------------ */

/* \, " and the end of a line are escaped, in both formats. */
static void put_escaped(struct buf *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '\n')
			(void)buf_puts(out, "\\n");
		else if (*text == '"' || *text == '\\')
			(void)buf_append(out, (const char[]){'\\', *text}, 2);
		else
			(void)buf_putc(out, *text);
	}
}

static bool is(const struct writer *w, const char *type)
{
	return strcmp(w->type, type) == 0;
}

/* The classic format knows neither info nor stateset, and wants a counter's own name. */
static void family(
	struct writer *w, const char *name, const char *type, const char *unit, const char *help)
{
	const char *shown, *suffix = "";

	w->name = name;
	w->type = type;
	shown = type;
	if (w->classic && (is(w, "info") || is(w, "stateset")))
		shown = "gauge";
	if (w->classic && is(w, "info"))
		suffix = "_info";
	if (w->classic && is(w, "counter"))
		suffix = "_total";
	(void)buf_printf(w->out, "# HELP %s%s ", name, suffix);
	put_escaped(w->out, help);
	(void)buf_printf(w->out, "\n# TYPE %s%s %s\n", name, suffix, shown);
	if (!w->classic && unit)
		(void)buf_printf(w->out, "# UNIT %s %s\n", name, unit);
}

struct label {
	const char *name, *value; /* name NULL: none */
};

static void head(struct writer *w, const char *suffix, const struct label *labels, size_t n)
{
	char between = '{';

	(void)buf_puts(w->out, w->name);
	(void)buf_puts(w->out, suffix);
	for (size_t i = 0; i < n; i++) {
		if (!labels[i].name)
			continue;
		(void)buf_putc(w->out, between);
		(void)buf_puts(w->out, labels[i].name);
		(void)buf_puts(w->out, "=\"");
		put_escaped(w->out, labels[i].value);
		(void)buf_putc(w->out, '"');
		between = ',';
	}
	if (between == ',')
		(void)buf_putc(w->out, '}');
	(void)buf_putc(w->out, ' ');
}

static const char *suffix_of(const struct writer *w)
{
	return is(w, "counter") ? "_total" : is(w, "info") ? "_info" : "";
}

static void number(struct writer *w, const struct label *labels, size_t n, int64_t value)
{
	head(w, suffix_of(w), labels, n);
	(void)buf_put_i64(w->out, value);
	(void)buf_putc(w->out, '\n');
}

/* Seconds with nine decimals, without going through a double. */
static void put_seconds(struct buf *out, int64_t ns)
{
	uint64_t size = ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns, rest = size % 1000000000;
	char text[12] = ".";
	size_t digits = 9;

	if (ns < 0)
		(void)buf_putc(out, '-');
	(void)buf_put_u64(out, size / 1000000000);
	for (size_t i = digits; i > 0; i--, rest /= 10)
		text[i] = (char)('0' + rest % 10);
	while (digits > 1 && text[digits] == '0')
		digits--;
	(void)buf_append(out, text, digits + 1);
}

static void seconds(struct writer *w, const struct label *labels, size_t n, int64_t ns)
{
	head(w, suffix_of(w), labels, n);
	put_seconds(w->out, ns);
	(void)buf_putc(w->out, '\n');
}

static void bucket(struct writer *w, const struct label *label, const char *le, uint64_t count)
{
	const struct label labels[] = {label ? *label : (struct label){0}, {"le", le}};

	head(w, "_bucket", labels, 2);
	(void)buf_put_u64(w->out, count);
	(void)buf_putc(w->out, '\n');
}

static void histogram(struct writer *w, const struct label *label, const struct facts_histogram *h,
	const int64_t *bounds, size_t n)
{
	uint64_t below = 0;
	char le[32];

	for (size_t i = 0; i < n; i++) {
		below += h->buckets[i];
		(void)snprintf(le, sizeof(le), "%g%s", (double)bounds[i] / 1e9,
			bounds[i] % ONCE_NSEC_PER_SEC == 0 ? ".0" : "");
		bucket(w, label, le, below);
	}
	bucket(w, label, "+Inf", h->count);
	head(w, "_sum", label, label != NULL);
	put_seconds(w->out, h->sum_ns);
	(void)buf_puts(w->out, "\n");
	head(w, "_count", label, label != NULL);
	(void)buf_put_u64(w->out, h->count);
	(void)buf_putc(w->out, '\n');
}

/* ---- groups ---------------------------------------------------------------------------------- */

/* NOLINTBEGIN(bugprone-macro-parentheses): the name is declared */
#define EACH_GROUP(w, g)                                                                           \
	for (struct facts_group **at = (w)->facts->groups, *g;                                     \
		at < (w)->facts->groups + (w)->facts->n_groups && (g = *at); at++)
/* NOLINTEND(bugprone-macro-parentheses) */

static void group_now(struct writer *w)
{
	family(w, "onced_leader", "gauge", NULL,
		"1 while this node leads the group and its deadline lies ahead.");
	EACH_GROUP(w, g)
	number(w, &(struct label){"group", g->name}, 1, facts_leads(w->facts, g, w->now));
	family(w, "onced_state", "stateset", NULL, "What this node is doing in the group.");
	EACH_GROUP(w, g)
	for (int state = ONCE_ELECTOR_FOLLOWING; state <= ONCE_ELECTOR_STOPPING; state++)
		number(w,
			(struct label[]){{"group", g->name},
				{"onced_state", facts_state_name((enum once_elector_state)state)}},
			2, (int)g->state == state);
	family(w, "onced_token", "gauge", NULL, "Token of this node's term; 0 without one.");
	EACH_GROUP(w, g)
	number(w, &(struct label){"group", g->name}, 1, g->token);
	family(w, "onced_leader_token", "gauge", NULL,
		"Token of the term that this node last saw, of whichever node; 0 when nobody "
		"leads.");
	EACH_GROUP(w, g)
	number(w, &(struct label){"group", g->name}, 1, facts_term_token(w->facts, g));
	family(w, "onced_deadline_seconds", "gauge", "seconds",
		"Until this node's jobs of the group are killed unless another proof comes; 0 "
		"without a term.");
	EACH_GROUP(w, g)
	{
		int64_t left = facts_deadline_ns(w->facts, g, w->now);

		seconds(w, &(struct label){"group", g->name}, 1, left > 0 ? left : 0);
	}
}

static void group_counters(struct writer *w)
{
	static const char *const reasons[] = {"", "shutdown", "switchover", "deadline", "lost"};

	family(w, "onced_leader_changes", "counter", NULL,
		"Changes of the leader that this node has seen.");
	EACH_GROUP(w, g)
	number(w, &(struct label){"group", g->name}, 1, (int64_t)g->changes);
	family(w, "onced_terms", "counter", NULL, "Terms in which this node ran the group's jobs.");
	EACH_GROUP(w, g)
	number(w, &(struct label){"group", g->name}, 1, (int64_t)g->led);
	family(w, "onced_terms_ended", "counter", NULL, "Ends of those terms, by reason.");
	EACH_GROUP(w, g)
	for (size_t i = ONCE_STOP_SHUTDOWN; i <= ONCE_STOP_LOST; i++)
		number(w, (struct label[]){{"group", g->name}, {"reason", reasons[i]}}, 2,
			(int64_t)g->stopped[i]);
	family(w, "onced_fence_kills", "counter", NULL,
		"Times the guardian stopped the group's jobs at their deadline by itself.");
	EACH_GROUP(w, g)
	number(w, &(struct label){"group", g->name}, 1, (int64_t)g->fence_kills);
}

/* ---- jobs ------------------------------------------------------------------------------------ */

/* NOLINTBEGIN(bugprone-macro-parentheses): the name is declared */
#define EACH_JOB(w, j)                                                                             \
	for (struct facts_job *j = (w)->facts->jobs; j < (w)->facts->jobs + (w)->facts->n_jobs; j++)
/* NOLINTEND(bugprone-macro-parentheses) */

static const char *type_name(enum config_job_type type)
{
	static const char *const names[] = {"service", "cron", "once", "steps", "migrate"};

	return (unsigned)type < sizeof(names) / sizeof(names[0]) ? names[type] : "?";
}

static void jobs_now(struct writer *w)
{
	int64_t now_ms = once_utc_now();

	family(w, "onced_job", "info", NULL, "The jobs that this node is configured to run.");
	EACH_JOB(w, j)
	number(w,
		(struct label[]){
			{"job_name", j->name}, {"type", type_name(j->type)}, {"group", j->group}},
		3, 1);
	family(w, "onced_job_running", "gauge", NULL,
		"1 while a run of the job lives on this node.");
	EACH_JOB(w, j)
	number(w, &(struct label){"job_name", j->name}, 1, j->running);
	family(w, "onced_job_last_success_timestamp_seconds", "gauge", "seconds",
		"When the job last ended well, as far as this node knows.");
	EACH_JOB(w, j)
	if (j->last_success_ms > 0)
		seconds(w, &(struct label){"job_name", j->name}, 1,
			j->last_success_ms * ONCE_NSEC_PER_MSEC);
	family(w, "onced_job_next_timestamp_seconds", "gauge", "seconds",
		"The next moment of the job's schedule.");
	EACH_JOB(w, j)
	{
		int64_t next_ms = facts_next_ms(j, now_ms);

		if (next_ms > 0)
			seconds(w, &(struct label){"job_name", j->name}, 1,
				next_ms * ONCE_NSEC_PER_MSEC);
	}
}

static void jobs_counters(struct writer *w)
{
	static const enum once_run_state ends[] = {
		ONCE_RUN_OK, ONCE_RUN_FAILED, ONCE_RUN_TIMEOUT, ONCE_RUN_INTERRUPTED};

	family(w, "onced_job_runs", "counter", NULL,
		"Runs that ended on this node, by how they ended.");
	EACH_JOB(w, j)
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		number(w,
			(struct label[]){
				{"job_name", j->name}, {"state", once_run_state_name(ends[i])}},
			2, (int64_t)j->ended[ends[i]]);
	family(w, "onced_job_skipped", "counter", NULL,
		"Instants of the schedule that were not run, by reason.");
	EACH_JOB(w, j)
	for (size_t i = 0; i < j->n_skipped; i++)
		number(w, (struct label[]){{"job_name", j->name}, {"reason", j->skipped[i].reason}},
			2, (int64_t)j->skipped[i].count);
	family(w, "onced_job_duration_seconds", "histogram", "seconds",
		"How long runs took that ended on this node.");
	EACH_JOB(w, j)
	if (j->duration.count > 0)
		histogram(w, &(struct label){"job_name", j->name}, &j->duration, facts_bounds_job,
			FACTS_BOUNDS_JOB);
}

/* ---- the node -------------------------------------------------------------------------------- */

static void node(struct writer *w)
{
	struct facts *f = w->facts;

	family(w, "onced_build", "info", NULL, "The program.");
	number(w, &(struct label){"version", ONCED_VERSION}, 1, 1);
	family(w, "onced_node", "info", NULL, "This node and what it campaigns for.");
	number(w,
		(struct label[]){{"node", f->node}, {"key", f->key}, {"prefix", f->prefix},
			{"profile", f->profile}},
		4, 1);
	family(w, "onced_nodes", "gauge", NULL,
		"Nodes that are registered, when anybody last looked.");
	number(w, NULL, 0, (int64_t)f->n_nodes);
	family(w, "onced_uptime_seconds", "gauge", "seconds", "Since the agent began.");
	seconds(w, NULL, 0, once_elapsed_max(f->began, w->now));
	family(w, "onced_fence_after_seconds", "gauge", "seconds",
		"FenceAfter=: what a proof is worth.");
	seconds(w, NULL, 0, f->timing.fence_after_ns);
	family(w, "onced_etcd_answers", "gauge", NULL,
		"0 since etcd stopped answering the election.");
	number(w, NULL, 0, f->etcd_heard && !f->etcd_silent);
	family(w, "onced_history_alarm", "gauge", NULL,
		"1 while nothing runs here because etcd is another one, or older than it was.");
	number(w, NULL, 0, f->alarmed);
	family(w, "onced_beat_round_trip_seconds", "histogram", "seconds",
		"From sending a proof of leadership to its answer.");
	histogram(w, NULL, &f->beats, facts_bounds_short, FACTS_BOUNDS_SHORT);
	family(w, "onced_unanswered_requests", "counter", NULL,
		"Requests of the election whose answer was lost and that were sent again.");
	number(w, NULL, 0, (int64_t)f->unanswered);
	family(w, "onced_loop_lag_seconds", "histogram", "seconds",
		"How late the agent's event loop was.");
	histogram(w, NULL, &f->lag, facts_bounds_short, FACTS_BOUNDS_SHORT);
	family(w, "onced_agent_restarts", "counter", NULL, "Agents that died under this daemon.");
	number(w, NULL, 0, f->agent_restarts);
	family(w, "onced_http_requests", "counter", NULL,
		"Requests to the status page and these metrics.");
	number(w, NULL, 0, (int64_t)f->requests);
	family(w, "onced_http_refused", "counter", NULL, "Those of them that were refused.");
	number(w, NULL, 0, (int64_t)f->refused);
}

void facts_metrics(struct facts *f, struct buf *out, bool classic, struct once_instant now)
{
	struct writer w = {.facts = f, .out = out, .classic = classic, .now = now};

	node(&w);
	group_now(&w);
	group_counters(&w);
	if (f->n_jobs > 0) {
		jobs_now(&w);
		jobs_counters(&w);
	}
	if (!classic)
		(void)buf_puts(out, "# EOF\n");
}
