/* oncectl jobs: every job that etcd knows of, its latest run and its next moment. */
#include "tools/oncectl/ledger.h"

#include <stdio.h>

static const char *remark(struct ctl *ctl, const struct ctl_job *job)
{
	const char *pause = ctl_pause_text(ctl, job);

	if (pause)
		return pause;
	if (job->triggers > 0)
		return ctl_printf(ctl, "triggered, not yet taken up");
	return NULL;
}

static void print(struct ctl *ctl, const struct ctl_job *jobs, size_t n)
{
	static const char *const heads[] = {
		"JOB", "LAST", "STATE", "NODE", "NEXT", "SCHEDULE", "REMARK", NULL};
	struct ctl_table table;

	if (n == 0) {
		printf("no job has run yet, as far as etcd knows under %s\n", ctl->config.prefix);
		return;
	}
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

static void print_json(struct ctl *ctl, const struct ctl_job *jobs, size_t n)
{
	struct ctl_json json = {0};

	ctl_json_array(&json, NULL);
	for (size_t i = 0; i < n; i++) {
		const struct ctl_job *job = &jobs[i];

		ctl_json_object(&json, NULL);
		ctl_json_text(&json, "job", job->name);
		ctl_json_text(&json, "next", ctl_moment(ctl, job->cursor.next_ms));
		ctl_json_text(&json, "schedule", job->has_cursor ? job->cursor.schedule : NULL);
		ctl_json_bool(&json, "paused", job->paused);
		ctl_json_text(&json, "pause", ctl_pause_text(ctl, job));
		ctl_json_number(&json, "triggers", (int64_t)job->triggers);
		ctl_json_array(&json, "last");
		if (job->last)
			ctl_run_json(ctl, &json, job->last, false);
		ctl_json_end_array(&json);
		ctl_json_end_object(&json);
	}
	ctl_json_end_array(&json);
}

static int round_of(struct ctl *ctl)
{
	struct ctl_job *jobs = NULL;
	size_t n = 0;
	int code = ctl_jobs_read(ctl, &jobs, &n);

	if (code != CTL_OK)
		return code;
	if (ctl->json)
		print_json(ctl, jobs, n);
	else
		print(ctl, jobs, n);
	return CTL_OK;
}

static int run(struct ctl *ctl)
{
	return ctl_watch(ctl, round_of);
}

static const struct ctl_flag flags[] = {
	CTL_WATCH_FLAGS,
	{NULL, NULL, NULL},
};

const struct ctl_command ctl_command_jobs = {
	.name = "jobs",
	.words = "",
	.summary = "jobs, their latest run and next moment",
	.details = "What a node is configured to run only it knows; this is what has a record in "
		   "etcd.\n",
	.flags = flags,
	.run = run,
};
