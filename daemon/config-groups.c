/* The groups that jobs name: how many there may be, and the jobs of one of them. */
#include "daemon/config-internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The elector takes no longer keys than those that can be given. */
void config_check_group(struct config_draft *draft, struct config_job_draft *job)
{
	const struct config_origin *origin =
		config_job_origin(job, offsetof(struct config_job_draft, job.group));
	size_t size = strlen(draft->config.key ? draft->config.key : "");

	if (!origin->set || origin->bad || size + 1 + strlen(job->job.group) <= CONFIG_KEY_MAX)
		return;
	config_report(draft, origin, "Group",
		"its leader key %s/%s is longer than %d bytes, expected a shorter name or a shorter Key= in "
		"onced.conf",
		draft->config.key, job->job.group, CONFIG_KEY_MAX);
}

static bool is_first(const struct config *config, size_t at)
{
	for (size_t i = 0; i < at; i++)
		if (strcmp(config->jobs[i].group, config->jobs[at].group) == 0)
			return false;
	return strcmp(config->jobs[at].group, config->group) != 0;
}

void config_count_groups(struct config_draft *draft, const char *directory)
{
	struct config_origin nowhere = {.file = directory};
	size_t n = 0;

	if (draft->n_errors > 0)
		return;
	for (size_t i = 0; i < draft->config.n_jobs; i++)
		n += is_first(&draft->config, i);
	if (n > CONFIG_GROUPS_MAX)
		config_report(draft, &nowhere, "Group", "%zu groups, expected at most %d", n,
			CONFIG_GROUPS_MAX);
}

int config_take_group(struct config *from, const char *group, struct config *ret)
{
	size_t n = 0, left = 0;

	*ret = (struct config){0};
	for (size_t i = 0; i < from->n_jobs; i++)
		n += strcmp(from->jobs[i].group, group) == 0;
	if (n == 0)
		return 0;
	ret->jobs = calloc(n, sizeof(*ret->jobs));
	if (!ret->jobs)
		return -ENOMEM;
	for (size_t i = 0; i < from->n_jobs; i++) {
		if (strcmp(from->jobs[i].group, group) == 0)
			ret->jobs[ret->n_jobs++] = from->jobs[i];
		else
			from->jobs[left++] = from->jobs[i];
	}
	from->n_jobs = left;
	return 0;
}
