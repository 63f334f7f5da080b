/* oncectl resign: the leader is to stop leading, whoever comes next; and, with --for, to stay away from
 * leadership for a while, which its restart does not end. */
#include "tools/oncectl/handover.h"

#include <stdio.h>

#include "tools/oncectl/ask.h"

/* Every node of the group may campaign again. */
static int cancel(struct ctl *ctl)
{
	char first[ONCE_KEY_SIZE], end[ONCE_KEY_SIZE];
	struct once_op op = {.kind = ONCE_OP_DELETE};
	const struct once_response *response;
	struct ctl_json json = {0};

	if (once_key_prefix(first, ctl->config.prefix, ONCE_KEY_AWAY, ctl->group) < 0)
		return ctl_error(CTL_USAGE, "no such key can be: prefix %s, expected %s",
			ctl->config.prefix, ONCE_PREFIX_RULE);
	op.key = once_str(first);
	op.range_end = (struct once_bytes){end, once_prefix_end(op.key, end)};
	response = ctl_op(ctl, &op);
	if (!response)
		return CTL_UNREACHABLE;
	if (response->op.count == 0)
		return ctl_error(CTL_ABSENT, "no node stays away from group %s", ctl->group);
	if (ctl->json) {
		ctl_json_object(&json, NULL);
		ctl_json_text(&json, "group", ctl->group);
		ctl_json_number(&json, "nodes", response->op.count);
		ctl_json_end_object(&json);
	} else {
		printf("%lld node%s may lead again\n", (long long)response->op.count,
			response->op.count == 1 ? "" : "s");
	}
	return CTL_OK;
}

static int read_flags(struct ctl *ctl, struct once_handover *ret)
{
	const char *span = ctl_flag(ctl, "--for");
	int64_t ns = 0;
	int code = ctl_reason(ctl, ret->reason);

	if (code == CTL_OK && span)
		code = ctl_parse_duration(
			"--for", span, ONCE_NSEC_PER_SEC, 30 * 86400 * ONCE_NSEC_PER_SEC, &ns);
	ret->stay_away_s = (ns + ONCE_NSEC_PER_SEC - 1) / ONCE_NSEC_PER_SEC;
	return code;
}

static int run(struct ctl *ctl)
{
	struct once_handover handover = {0};
	struct ctl_cluster cluster;
	struct ctl_group *group = NULL;
	int code = read_flags(ctl, &handover);

	if (code != CTL_OK)
		return code;
	if (ctl_flag(ctl, "--cancel"))
		return cancel(ctl);
	code = ctl_handover_begin(ctl, &cluster, &group);
	if (code == CTL_OK && handover.stay_away_s > 0 && !ctl_flag(ctl, "--force"))
		code = ctl_handover_other(ctl, &cluster, group);
	return code == CTL_OK ? ctl_handover_ask(ctl, group, &handover) : code;
}

static const struct ctl_flag flags[] = {
	{"--for", "TIME", "it does not lead again for so long, restarted or not [10s]"},
	{"--force", NULL, "with --for, although no other node could lead meanwhile"},
	{"--cancel", NULL, "nodes that stay away may lead again"},
	{"--reason", "TEXT", "for people"},
	{"--wait", NULL, "until another leads"},
	{NULL, NULL, NULL},
};

const struct ctl_command ctl_command_resign = {
	.name = "resign",
	.words = "",
	.summary = "let the leader give leadership away",
	.details =
		"For ten seconds, or as long as --for says, it does not campaign itself, unless\n"
		"oncectl switchover names it; with no other node it leads again then.\n",
	.flags = flags,
	.run = run,
};
