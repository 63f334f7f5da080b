/* oncectl get KEY [END], as etcdctl's. */
#include "tools/oncectl/kv/kv.h"

#include <string.h>
#include <strings.h>

static int read_consistency(struct ctl *ctl, struct once_op *op)
{
	const char *text = ctl_flag(ctl, "--consistency");

	op->serializable = text && strcmp(text, "s") == 0;
	if (!text || strcmp(text, "l") == 0 || op->serializable)
		return CTL_OK;
	return kv_error(CTL_BAD_FEATURE, "unknown consistency flag \"%s\"", text);
}

static int read_order(struct ctl *ctl, struct once_op *op)
{
	static const struct {
		const char *name;
		enum once_sort_target target;
	} targets[] = {{"CREATE", ONCE_SORT_CREATE}, {"KEY", ONCE_SORT_KEY},
		{"MODIFY", ONCE_SORT_MOD}, {"VALUE", ONCE_SORT_VALUE},
		{"VERSION", ONCE_SORT_VERSION}};
	const char *order = ctl_flag(ctl, "--order"), *target = ctl_flag(ctl, "--sort-by");

	if (order && strcasecmp(order, "ASCEND") == 0)
		op->sort_order = ONCE_SORT_ASCEND;
	else if (order && strcasecmp(order, "DESCEND") == 0)
		op->sort_order = ONCE_SORT_DESCEND;
	else if (order && *order)
		return kv_error(CTL_BAD_FEATURE, "bad sort order %s", order);
	if (!target || !*target)
		return CTL_OK;
	for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
		if (strcasecmp(target, targets[i].name) != 0)
			continue;
		op->sort_target = targets[i].target;
		return CTL_OK;
	}
	return kv_error(CTL_BAD_FEATURE, "bad sort target %s", target);
}

static int read_numbers(struct ctl *ctl, struct once_op *op)
{
	const struct {
		const char *name;
		int64_t *value;
	} numbers[] = {{"--limit", &op->limit}, {"--rev", &op->revision},
		{"--min-create-rev", &op->min_create_revision},
		{"--max-create-rev", &op->max_create_revision},
		{"--min-mod-rev", &op->min_mod_revision}, {"--max-mod-rev", &op->max_mod_revision}};
	int code = CTL_OK;

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]) && code == CTL_OK; i++) {
		code = kv_flag_number(ctl, numbers[i].name, numbers[i].value);
		if (*numbers[i].value < 0)
			*numbers[i].value = 0;
	}
	return code;
}

int kv_get_op(struct ctl *ctl, struct once_op *op)
{
	int code = CTL_OK;

	*op = (struct once_op){.kind = ONCE_OP_RANGE};
	if (ctl->n_words == 0)
		return kv_error(CTL_BAD_ARGS,
			"get command needs one argument as key and an optional "
			"argument as range_end");
	op->keys_only = ctl_flag(ctl, "--keys-only");
	op->count_only = ctl_flag(ctl, "--count-only");
	code = read_numbers(ctl, op);
	if (code == CTL_OK)
		code = kv_range(ctl, op);
	if (code == CTL_OK && op->keys_only && op->count_only)
		code = kv_error(CTL_BAD_ARGS,
			"`--keys-only` and `--count-only` cannot be set at the "
			"same time, choose one");
	if (code == CTL_OK)
		code = read_consistency(ctl, op);
	return code == CTL_OK ? read_order(ctl, op) : code;
}

static int run(struct ctl *ctl)
{
	struct once_op op;
	struct kv_request request = {.kind = KV_OP, .op = &op};
	const struct once_response *response;
	int code = kv_get_op(ctl, &op);

	if (code != CTL_OK)
		return code;
	response = kv_ask(ctl, &request);
	if (response->error < 0)
		return kv_refused(CTL_FAILED, response);
	if (op.count_only && ctl->format != CTL_FIELDS)
		return kv_error(CTL_BAD_ARGS, "--count-only is only for `--write-out=fields`");
	if (ctl_flag(ctl, "--print-value-only") && ctl->format != CTL_SIMPLE)
		return kv_error(CTL_BAD_ARGS, "print-value-only is only for `--write-out=simple`");
	return kv_print_op(ctl, response);
}

static const struct ctl_flag flags[] = {
	{"--prefix", NULL, "all keys that begin with KEY"},
	{"--from-key", NULL, "all keys from KEY on"},
	{"--limit", "N", "at most so many [0: all]"},
	{"--rev", "N", "as of that revision [0: now]"},
	{"--order", "ORDER", "ASCEND or DESCEND"},
	{"--sort-by", "WHAT", "CREATE, KEY, MODIFY, VALUE or VERSION"},
	{"--consistency", "L", "l: linearizable, s: serializable [l]"},
	{"--keys-only", NULL, "no values"},
	{"--count-only", NULL, "how many; with -w fields"},
	{"--print-value-only", NULL, "no keys; with -w simple"},
	{"--min-create-rev", "N", "created at that revision or later"},
	{"--max-create-rev", "N", "created at that revision or before"},
	{"--min-mod-rev", "N", "changed at that revision or later"},
	{"--max-mod-rev", "N", "changed at that revision or before"},
	{NULL, NULL, NULL},
};

const struct ctl_command ctl_command_get = {
	.name = "get",
	.words = "KEY [END]",
	.etcdctl = true,
	.summary = "keys and values of etcd",
	.details = "With END, all keys from KEY up to END, without END itself.\n",
	.flags = flags,
	.run = run,
};
