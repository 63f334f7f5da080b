/* oncectl switchover: another node is to lead. The leader finishes in order: no time without a job
 * but the one it takes to stop. */
#include "tools/oncectl/handover.h"

#include <stdio.h>
#include <string.h>

#include "tools/oncectl/ask.h"

static int cancel(struct ctl *ctl)
{
	const char *key = ctl_record_key(ctl, ONCE_KEY_HANDOVER, ctl->group, NULL, 0);
	struct ctl_json json = {0};
	bool deleted = false;
	int code = key ? ctl_delete(ctl, key, &deleted) : CTL_USAGE;

	if (code == CTL_OK && !deleted)
		return ctl_error(CTL_ABSENT, "no switchover of group %s is asked for", ctl->group);
	if (code != CTL_OK)
		return code;
	if (ctl->json) {
		ctl_json_object(&json, NULL);
		ctl_json_text(&json, "group", ctl->group);
		ctl_json_bool(&json, "cancelled", true);
		ctl_json_end_object(&json);
	} else {
		printf("the switchover is taken back\n");
	}
	return CTL_OK;
}

/* --to and --at. */
static int read_flags(struct ctl *ctl, struct once_handover *ret)
{
	const char *to = ctl_flag(ctl, "--to"), *at = ctl_flag(ctl, "--at");
	int64_t at_ns = 0;
	int code = ctl_reason(ctl, ret->reason);

	if (code == CTL_OK && to) {
		code = ctl_check_name("--to", to);
		(void)snprintf(ret->to, sizeof(ret->to), "%s", to);
	}
	if (code == CTL_OK && at) {
		code = ctl_parse_time("--at", at, &at_ns);
		ret->not_before_ms = at_ns / ONCE_NSEC_PER_MSEC;
		if (code == CTL_OK && ret->not_before_ms < once_utc_now() - 1000)
			code = ctl_error(
				CTL_USAGE, "--at: %s has passed", ctl_time_text(ctl, at_ns));
	}
	return code;
}

static int check_target(struct ctl *ctl, const struct ctl_cluster *cluster,
	const struct ctl_group *group, const char *to)
{
	if (*to && !ctl_cluster_node(cluster, to))
		return ctl_error(CTL_ABSENT, "node %s is not there; see oncectl status", to);
	return *to ? CTL_OK : ctl_handover_other(ctl, cluster, group);
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
	if (code != CTL_OK)
		return code;
	if (strcmp(handover.to, group->node) == 0) {
		if (!ctl->json)
			printf("%s leads already\n", group->node);
		return CTL_OK;
	}
	code = check_target(ctl, &cluster, group, handover.to);
	return code == CTL_OK ? ctl_handover_ask(ctl, group, &handover) : code;
}

static const struct ctl_flag flags[] = {
	{"--to", "NODE", "who is to lead [any other]"},
	{"--at", "TIME", "not before that moment [at once]"},
	{"--reason", "TEXT", "for people"},
	{"--wait", NULL, "until another leads"},
	{"--cancel", NULL, "take the request back"},
	{NULL, NULL, NULL},
};

const struct ctl_command ctl_command_switchover = {
	.name = "switchover",
	.words = "",
	.summary = "let another node lead",
	.details =
		"The leader stops its jobs, proves them dead and gives the key away, for ten "
		"seconds\n"
		"to the named node alone, whether it was to stay away (oncectl resign) or not.\n",
	.flags = flags,
	.run = run,
};
