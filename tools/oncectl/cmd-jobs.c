/* oncectl jobs: every job that etcd knows of, its latest run and its next moment. */
#include "tools/oncectl/ledger.h"

#include <stdio.h>

static int round_of(struct ctl *ctl)
{
	struct ctl_job *jobs = NULL;
	struct ctl_json json = {0};
	size_t n = 0;
	int code = ctl_jobs_read(ctl, &jobs, &n);

	if (code != CTL_OK)
		return code;
	if (ctl->json)
		ctl_jobs_json(ctl, &json, NULL, jobs, n);
	else if (n > 0)
		ctl_jobs_print(ctl, jobs, n);
	else
		printf("no job has run yet, as far as etcd knows under %s\n", ctl->config.prefix);
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
