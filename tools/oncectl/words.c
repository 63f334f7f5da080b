/* Runs, pauses and jobs in words. */
#include "tools/oncectl/ledger.h"

#include <string.h>

const char *ctl_moment(struct ctl *ctl, int64_t ms)
{
	char text[ONCE_UTC_SIZE];

	if (ms == 0)
		return NULL;
	return ctl_printf(ctl, "%s", once_utc_format(text, ms));
}

const char *ctl_run_name(struct ctl *ctl, const struct ctl_run *r)
{
	const char *more = r->key.at_ms ? ctl_moment(ctl, r->key.at_ms) : r->key.sub;

	return ctl_printf(ctl, "%s%s%s", r->key.name, *more ? " " : "", more);
}

const char *ctl_run_state_text(struct ctl *ctl, const struct ctl_run *r)
{
	const struct once_run *run = &r->run;
	const char *name;

	if (run->state == 0)
		return "not readable";
	name = run->state == ONCE_RUN_BEGUN ? "running" : once_run_state_name(run->state);
	if (run->exit_signal != 0)
		return ctl_printf(ctl, "%s (signal %d)", name, (int)run->exit_signal);
	if (run->exited && run->exit_code != 0)
		return ctl_printf(ctl, "%s (exit %d)", name, (int)run->exit_code);
	if (run->state == ONCE_RUN_SKIPPED && run->count > 1)
		return ctl_printf(ctl, "%s (%lld moments)", name, (long long)run->count);
	return name;
}

const char *ctl_run_reason_text(const struct once_run *run)
{
	static const char *const words[][2] = {
		{"overlap", "the run before was still going on (Overlap=)"},
		{"missed", "no node led at that moment, and a later one stood for it (Missed=)"},
		{"late", "a later one was due by the time it could start (Missed=)"},
		{"deadline", "it could only have started too late (StartingDeadline=)"},
		{"paused", "it was paused"},
		{"replaced", "a later run took its place (Overlap=replace)"},
		{"baseline", "it was done before onced was asked to (Baseline=)"},
		{"dst-gap", "the local clock skipped that moment"},
		{"no-end", "it was begun, and its node never told the end"},
		{"probe", "Probe= decided it"},
		{"forced", "an operator said so (oncectl migrate force)"},
		{"removed", "its file is gone for good, an operator said"},
		{"hold", "it waits for an operator (OnInterrupt=hold)"},
		{"killed", "an operator ended it"},
		{"term", "its node's leadership ended"},
		{"result", "what it handed back is more than fits"},
		{"exec", "its command could not be started"},
		{"time", "its Timeout= was up"},
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(words[i][0], run->reason) == 0)
			return words[i][1];
	return run->reason;
}

const char *ctl_result_text(struct ctl *ctl, const struct once_run *run)
{
	enum { SHOWN = 40 };
	struct once_bytes line = run->result;
	const char *newline = line.size ? memchr(line.data, '\n', line.size) : NULL;

	if (newline)
		line.size = (size_t)(newline - (const char *)line.data);
	if (run->result.size <= SHOWN && line.size + 1 >= run->result.size)
		return ctl_text(ctl, line); /* one line, which fits */
	line.size = line.size < SHOWN ? line.size : SHOWN;
	return ctl_printf(ctl, "%s...", ctl_text(ctl, line));
}

const char *ctl_pause_text(struct ctl *ctl, const struct ctl_job *job)
{
	const char *what = job->all_paused ? "everything is paused" : "paused";
	const struct once_pause *p = &job->pause;

	if (!job->paused)
		return NULL;
	if (job->pause_unreadable)
		return ctl_printf(ctl, "%s, by a record that cannot be read", what);
	return ctl_printf(ctl, "%s%s%s%s%s%s%s", what, p->by[0] ? " by " : "",
		ctl_text(ctl, once_str(p->by)), p->until_ms ? " until " : "",
		p->until_ms ? ctl_moment(ctl, p->until_ms) : "", p->reason[0] ? ": " : "",
		ctl_text(ctl, once_str(p->reason)));
}

/* ---- json ------------------------------------------------------------------------------------ */

static void text_if(struct ctl_json *json, const char *key, const char *text)
{
	if (*text)
		ctl_json_text(json, key, text);
}

static void moment_if(struct ctl *ctl, struct ctl_json *json, const char *key, int64_t ms)
{
	if (ms)
		ctl_json_text(json, key, ctl_moment(ctl, ms));
}

void ctl_run_json(struct ctl *ctl, struct ctl_json *json, const struct ctl_run *r, bool output)
{
	const struct once_run *run = &r->run;

	ctl_json_object(json, NULL);
	text_if(json, "job", r->key.name);
	if (r->key.sub[0])
		ctl_json_text(json, "step", r->key.sub);
	else
		ctl_json_text(json, "moment", ctl_moment(ctl, r->key.at_ms));
	ctl_json_text(json, "state", run->state ? once_run_state_name(run->state) : "unreadable");
	text_if(json, "reason", run->reason);
	text_if(json, "cause", run->cause);
	text_if(json, "detail", run->detail);
	text_if(json, "node", run->node);
	text_if(json, "closed_by", run->closed_by);
	text_if(json, "id", run->id);
	ctl_json_number(json, "token", run->token);
	ctl_json_number(json, "attempt", run->attempt);
	moment_if(ctl, json, "start", run->start_ms);
	moment_if(ctl, json, "end", run->end_ms);
	if (run->exited)
		ctl_json_number(json, "exit_code", run->exit_code);
	if (run->exit_signal)
		ctl_json_number(json, "exit_signal", run->exit_signal);
	if (run->count > 0) {
		ctl_json_number(json, "moments", run->count);
		moment_if(ctl, json, "until", run->until_ms);
	}
	ctl_json_number(json, "user_us", run->user_us);
	ctl_json_number(json, "system_us", run->system_us);
	ctl_json_number(json, "max_rss_kib", run->max_rss_kib);
	if (run->result.size > 0)
		ctl_json_bytes(json, "result", run->result);
	ctl_json_number(json, "output_size", run->output_size);
	if (output)
		ctl_json_bytes(json, "output_tail", run->tail);
	ctl_json_end_object(json);
}

/* ---- jobs ------------------------------------------------------------------------------------ */

static const char *remark(struct ctl *ctl, const struct ctl_job *job)
{
	const char *pause = ctl_pause_text(ctl, job);

	if (pause)
		return pause;
	if (job->triggers > 0)
		return ctl_printf(ctl, "triggered, not yet taken up");
	return NULL;
}

void ctl_jobs_print(struct ctl *ctl, const struct ctl_job *jobs, size_t n)
{
	static const char *const heads[] = {
		"JOB", "LAST", "STATE", "NODE", "NEXT", "SCHEDULE", "REMARK", NULL};
	struct ctl_table table;

	ctl_table_init(&table, ctl, heads);
	for (size_t i = 0; i < n; i++) {
		const struct ctl_job *job = &jobs[i];

		ctl_table_add(&table, job->name);
		ctl_table_add(&table, job->last ? ctl_moment(ctl, job->last->key.at_ms) : NULL);
		ctl_table_add(&table, job->last ? ctl_run_state_text(ctl, job->last) : NULL);
		ctl_table_add(
			&table, job->last ? ctl_text(ctl, once_str(job->last->run.node)) : NULL);
		ctl_table_add(&table, ctl_moment(ctl, job->cursor.next_ms));
		ctl_table_add(&table, ctl_text(ctl, once_str(job->cursor.schedule)));
		ctl_table_add(&table, remark(ctl, job));
	}
	ctl_table_print(&table);
}

void ctl_jobs_json(struct ctl *ctl, struct ctl_json *json, const char *key,
	const struct ctl_job *jobs, size_t n)
{
	ctl_json_array(json, key);
	for (size_t i = 0; i < n; i++) {
		const struct ctl_job *job = &jobs[i];

		ctl_json_object(json, NULL);
		ctl_json_text(json, "job", job->name);
		ctl_json_text(json, "next", ctl_moment(ctl, job->cursor.next_ms));
		ctl_json_text(json, "schedule", job->has_cursor ? job->cursor.schedule : NULL);
		ctl_json_bool(json, "paused", job->paused);
		ctl_json_text(json, "pause", ctl_pause_text(ctl, job));
		ctl_json_number(json, "triggers", (int64_t)job->triggers);
		ctl_json_array(json, "last");
		if (job->last)
			ctl_run_json(ctl, json, job->last, false);
		ctl_json_end_array(json);
		ctl_json_end_object(json);
	}
	ctl_json_end_array(json);
}
