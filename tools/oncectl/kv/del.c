/* oncectl del KEY [END], as etcdctl's. */
#include "tools/oncectl/kv/kv.h"

int kv_del_op(struct ctl *ctl, struct once_op *op)
{
	*op = (struct once_op){.kind = ONCE_OP_DELETE, .prev_kv = ctl_flag(ctl, "--prev-kv")};
	if (ctl->n_words == 0 || ctl->n_words > 2)
		return kv_error(CTL_BAD_ARGS,
			"del command needs one argument as key and an optional "
			"argument as range_end");
	return kv_range(ctl, op);
}

static int run(struct ctl *ctl)
{
	struct once_op op;
	struct kv_request request = {.kind = KV_OP, .op = &op};
	const struct once_response *response;
	int code = kv_del_op(ctl, &op);

	if (code != CTL_OK)
		return code;
	response = kv_ask(ctl, &request);
	if (response->error < 0)
		return kv_refused(CTL_FAILED, response);
	return kv_print_op(ctl, response);
}

static const struct ctl_flag flags[] = {
	{"--prefix", NULL, "all keys that begin with KEY"},
	{"--from-key", NULL, "all keys from KEY on"},
	{"--prev-kv", NULL, "print what was deleted"},
	{"--range", NULL, "accepted, as by etcdctl 3.5: a range is meant"},
	{NULL, NULL, NULL},
};

const struct ctl_command ctl_command_del = {
	.name = "del",
	.words = "KEY [END]",
	.etcdctl = true,
	.summary = "delete keys of etcd",
	.details = "With END, all keys from KEY up to END, without END itself.\n",
	.flags = flags,
	.run = run,
};
