/* oncectl compaction REVISION, as etcdctl's. */
#include "tools/oncectl/kv/kv.h"

#include <stdio.h>

static int run(struct ctl *ctl)
{
	struct kv_request request = {.kind = KV_COMPACT, .flag = ctl_flag(ctl, "--physical")};
	const struct once_response *response;
	const char *why;

	if (ctl->n_words != 1)
		return kv_error(CTL_BAD_ARGS, "compaction command needs 1 argument");
	why = kv_number(ctl, ctl->words[0], 10, &request.number);
	if (why)
		return kv_error(CTL_FAILED, "%s", why);
	response = kv_ask(ctl, &request);
	if (response->error < 0)
		return kv_refused(CTL_FAILED, response);
	printf("compacted revision %lld\n", (long long)request.number);
	return CTL_OK;
}

static const struct ctl_flag flags[] = {
	{"--physical", NULL, "wait until it is done on the disk"},
	{NULL, NULL, NULL},
};

const struct ctl_command ctl_command_compaction = {
	.name = "compaction",
	.words = "REVISION",
	.etcdctl = true,
	.summary = "forget what keys were before a revision",
	.flags = flags,
	.run = run,
};
