/* The context of all records; see once/ledger.h. */
#include "record/records.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { ATTEMPT_S = 2, SETTLE_S = 30 };

int once_records_new(struct once_records **ret, struct once_client *client, struct once_loop *loop,
	const struct once_records_config *config, const char **ret_message)
{
	const char *prefix = config->prefix ? config->prefix : "/onced";
	struct once_records *records;

	if (!once_prefix_valid(prefix)) {
		if (ret_message)
			*ret_message = "prefix: expected " ONCE_PREFIX_RULE;
		return -EINVAL;
	}
	records = calloc(1, sizeof(*records));
	if (!records) {
		if (ret_message)
			*ret_message = "out of memory";
		return -ENOMEM;
	}
	records->client = client;
	records->loop = loop;
	memcpy(records->prefix, prefix, strlen(prefix) + 1);
	records->lane = config->lane;
	records->attempt_timeout_ns = config->attempt_timeout_ns ? config->attempt_timeout_ns
								 : ATTEMPT_S * ONCE_NSEC_PER_SEC;
	records->settle_timeout_ns = config->settle_timeout_ns ? config->settle_timeout_ns
							       : SETTLE_S * ONCE_NSEC_PER_SEC;
	list_init(&records->tasks);
	*ret = records;
	return 0;
}

struct once_records *once_records_free(struct once_records *records)
{
	if (!records)
		return NULL;
	while (!list_empty(&records->tasks))
		(void)once_task_cancel(list_first(&records->tasks, struct once_task, in_records));
	free(records);
	return NULL;
}

const char *once_records_prefix(const struct once_records *records)
{
	return records->prefix;
}

struct once_call_options records_options(const struct once_records *records)
{
	return (struct once_call_options){records->lane, records->attempt_timeout_ns};
}

void task_init(struct once_task *task, struct once_records *records,
	void (*free_fn)(struct once_task *task))
{
	task->free = free_fn;
	list_append(&records->tasks, &task->in_records);
}

void task_fini(struct once_task *task)
{
	list_remove(&task->in_records);
}

struct once_task *once_task_cancel(struct once_task *task)
{
	if (task)
		task->free(task);
	return NULL;
}
