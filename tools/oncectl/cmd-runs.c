/* oncectl runs: the records of a job, or one of them in full. Of a job without moments: its steps. */
#include "tools/oncectl/ledger.h"

#include <stdio.h>

enum { RUNS_DEFAULT = 20, RUNS_MAX = 1000 };

static const char *took(struct ctl *ctl, const struct once_run *run)
{
	int64_t end = run->end_ms;

	if (run->start_ms == 0)
		return NULL;
	if (end == 0 && run->state == ONCE_RUN_BEGUN)
		end = once_utc_now();
	return end ? ctl_age_text(ctl, (end - run->start_ms) * ONCE_NSEC_PER_MSEC) : NULL;
}

static void print(struct ctl *ctl, const struct ctl_runs *runs)
{
	const char *const heads[] = {runs->runs[0].key.at_ms ? "MOMENT" : "STEP", "STATE", "NODE",
		"ATTEMPT", "START", "TOOK", "RESULT", "WHY", NULL};
	struct ctl_table table;

	ctl_table_init(&table, ctl, heads);
	for (size_t i = 0; i < runs->n; i++) {
		const struct once_run *run = &runs->runs[i].run;

		ctl_table_add(&table, runs->runs[i].key.at_ms
					      ? ctl_moment(ctl, runs->runs[i].key.at_ms)
					      : runs->runs[i].key.sub);
		ctl_table_add(&table, ctl_run_state_text(ctl, &runs->runs[i]));
		ctl_table_add(&table, ctl_text(ctl, once_str(run->node)));
		ctl_table_add(&table, run->attempt ? ctl_printf(ctl, "%u", run->attempt) : NULL);
		ctl_table_add(&table, ctl_moment(ctl, run->start_ms));
		ctl_table_add(&table, took(ctl, run));
		ctl_table_add(&table, ctl_result_text(ctl, run));
		ctl_table_add(&table, ctl_text(ctl, once_str(ctl_run_reason_text(run))));
	}
	ctl_table_print(&table);
	if (runs->more)
		printf("There are older ones: --limit.\n");
}

static void line(const char *name, const char *value)
{
	if (value && *value)
		printf("%-10s %s\n", name, value);
}

/* Each made fit for a terminal. */
static void print_lines(struct ctl *ctl, struct once_bytes text)
{
	const char *at = text.data, *end = text.size ? at + text.size : at;

	while (at < end) {
		const char *stop = at;

		while (stop < end && *stop != '\n')
			stop++;
		printf("    %s\n", ctl_text(ctl, (struct once_bytes){at, (size_t)(stop - at)}));
		at = stop + 1;
	}
}

static void print_one(struct ctl *ctl, const struct ctl_run *r)
{
	const struct once_run *run = &r->run;

	line("job", r->key.name);
	line("moment", ctl_moment(ctl, r->key.at_ms));
	line("step", r->key.sub);
	line("state", ctl_run_state_text(ctl, r));
	line("why", ctl_text(ctl, once_str(ctl_run_reason_text(run))));
	line("detail", ctl_text(ctl, once_str(run->detail)));
	line("started by", ctl_text(ctl, once_str(run->cause)));
	line("node", ctl_text(ctl, once_str(run->node)));
	line("decided by", ctl_text(ctl, once_str(run->closed_by)));
	line("token", run->token ? ctl_printf(ctl, "%lld", (long long)run->token) : NULL);
	line("attempt", run->attempt ? ctl_printf(ctl, "%u", run->attempt) : NULL);
	line("start", ctl_moment(ctl, run->start_ms));
	line("end", ctl_moment(ctl, run->end_ms));
	line("took", took(ctl, run));
	if (run->max_rss_kib > 0)
		line("used", ctl_printf(ctl, "%.3fs user, %.3fs system, %lld KiB",
				     (double)run->user_us / 1e6, (double)run->system_us / 1e6,
				     (long long)run->max_rss_kib));
	if (run->result.size > 0)
		line("result", ctl_printf(ctl, "%zu bytes:", run->result.size));
	print_lines(ctl, run->result);
	if (run->output_size > 0)
		line("output", ctl_printf(ctl, "%lld bytes, of which the last %zu:",
				       (long long)run->output_size, run->tail.size));
	print_lines(ctl, run->tail);
}

static int show_one(struct ctl *ctl, int64_t at_ms)
{
	struct ctl_runs runs = {0};
	int code = ctl_runs_exact(ctl, ctl->words[0], at_ms, &runs);
	struct ctl_json json = {0};

	if (code != CTL_OK)
		return code;
	if (runs.n == 0)
		return ctl_error(CTL_ABSENT, "job %s has no record of %s; oncectl why tells more",
			ctl->words[0], ctl_moment(ctl, at_ms));
	if (ctl->json)
		ctl_run_json(ctl, &json, &runs.runs[0], true);
	else
		print_one(ctl, &runs.runs[0]);
	return CTL_OK;
}

static int round_of(struct ctl *ctl)
{
	const char *limit = ctl_flag(ctl, "--limit");
	int64_t max = RUNS_DEFAULT;
	struct ctl_runs runs = {0};
	struct ctl_json json = {0};
	int code = CTL_OK;

	if (limit)
		code = ctl_parse_number("--limit", limit, 1, RUNS_MAX, &max);
	if (code == CTL_OK)
		code = ctl_runs_latest(ctl, ctl->words[0], 0, max, &runs);
	if (code == CTL_OK && runs.n == 0)
		code = ctl_steps_read(ctl, ctl->words[0], &runs);
	if (code != CTL_OK)
		return code;
	if (ctl->json) {
		ctl_json_array(&json, NULL);
		for (size_t i = 0; i < runs.n; i++)
			ctl_run_json(ctl, &json, &runs.runs[i], true);
		ctl_json_end_array(&json);
	} else if (runs.n == 1 && !runs.runs[0].key.at_ms && !runs.runs[0].key.sub[0]) {
		print_one(ctl, &runs.runs[0]);
	} else if (runs.n > 0) {
		print(ctl, &runs);
	}
	if (runs.n == 0)
		return ctl_error(CTL_ABSENT, "job %s has no record", ctl->words[0]);
	return CTL_OK;
}

static int run(struct ctl *ctl)
{
	int64_t at_ms = 0;
	int code = ctl_run_words(ctl, &at_ms);

	if (code != CTL_OK)
		return code;
	return at_ms ? show_one(ctl, at_ms) : ctl_watch(ctl, round_of);
}

static const struct ctl_flag flags[] = {
	{"--limit", "N", "at most so many, the latest first [20]"},
	CTL_WATCH_FLAGS,
	{NULL, NULL, NULL},
};

const struct ctl_command ctl_command_runs = {
	.name = "runs",
	.words = "JOB [TIME]",
	.min_words = 1,
	.max_words = 2,
	.summary = "the runs of a job, or one in full with its output",
	.details = "A run may also be named JOB/TIME. Of a job that is no schedule's: its steps, "
		   "or its one\n"
		   "run.\n",
	.flags = flags,
	.run = run,
};
