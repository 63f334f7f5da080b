/* oncectl resign: the leader is to stop leading, whoever comes next. */
#include "tools/oncectl/handover.h"

#include "tools/oncectl/ask.h"

static int run(struct ctl *ctl)
{
	struct once_handover handover = {0};
	struct ctl_cluster cluster;
	struct ctl_group *group = NULL;
	int code = ctl_reason(ctl, handover.reason);

	if (code == CTL_OK)
		code = ctl_handover_begin(ctl, &cluster, &group);
	return code == CTL_OK ? ctl_handover_ask(ctl, group, &handover) : code;
}

static const struct ctl_flag flags[] = {
	{"--reason", "TEXT", "for people"},
	{"--wait", NULL, "until another leads"},
	{NULL, NULL, NULL},
};

const struct ctl_command ctl_command_resign = {
	.name = "resign",
	.words = "",
	.summary = "let the leader give leadership away",
	.details = "For ten seconds it does not campaign itself; with no other node it leads again "
		   "then.\n",
	.flags = flags,
	.run = run,
};
