/* oncectl alarm list and alarm disarm, as etcdctl's. */
#include "tools/oncectl/kv/kv.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char *name_of(const struct once_alarm *alarm)
{
	return alarm->kind == ONCE_ALARM_NOSPACE   ? "NOSPACE"
	       : alarm->kind == ONCE_ALARM_CORRUPT ? "CORRUPT"
						   : "NONE";
}

static void print_json(struct ctl *ctl, const struct once_response *response, bool header)
{
	struct kv_json json = {.ctl = ctl};

	kv_json_open(&json, NULL, '{');
	if (header && response->cluster_id != 0)
		kv_json_header(&json, "header", response);
	if (response->n_alarms > 0)
		kv_json_open(&json, "alarms", '[');
	for (size_t i = 0; i < response->n_alarms; i++) {
		kv_json_open(&json, NULL, '{');
		kv_json_unsigned(&json, "memberID", response->alarms[i].member);
		kv_json_number(&json, "alarm", (int64_t)response->alarms[i].kind);
		kv_json_close(&json, '}');
	}
	if (response->n_alarms > 0)
		kv_json_close(&json, ']');
	kv_json_close(&json, '}');
	putchar('\n');
}

static void print(struct ctl *ctl, const struct once_response *response, bool header)
{
	if (ctl->json) {
		print_json(ctl, response, header);
		return;
	}
	if (ctl->format == CTL_FIELDS)
		kv_fields_header(response);
	for (size_t i = 0; i < response->n_alarms; i++) {
		const struct once_alarm *alarm = &response->alarms[i];

		if (ctl->format == CTL_FIELDS)
			printf("\"MemberID\" : %" PRIu64 "\n\"AlarmType\" : %s\n\n", alarm->member,
				name_of(alarm));
		else
			printf("memberID:%" PRIu64 " alarm:%s \n", alarm->member, name_of(alarm));
	}
}

static int list(struct ctl *ctl, const struct once_response **ret)
{
	struct kv_request request = {.kind = KV_ALARMS};

	if (ctl->n_words != 0)
		return kv_error(
			CTL_BAD_ARGS, "%s command accepts no arguments", ctl->command->name);
	*ret = kv_ask(ctl, &request);
	return (*ret)->error < 0 ? kv_refused(CTL_FAILED, *ret) : CTL_OK;
}

static int run_list(struct ctl *ctl)
{
	const struct once_response *response = NULL;
	int code = list(ctl, &response);

	if (code == CTL_OK)
		print(ctl, response, true);
	return code;
}

static int run_disarm(struct ctl *ctl)
{
	const struct once_response *raised = NULL, *response;
	int code = list(ctl, &raised);
	struct once_response all;

	if (code != CTL_OK)
		return code;
	all = (struct once_response){.alarms = raised->alarms, .n_alarms = raised->n_alarms};
	for (size_t i = 0; i < raised->n_alarms; i++) {
		struct kv_request request = {.kind = KV_DISARM, .alarm = &raised->alarms[i]};

		response = kv_ask(ctl, &request);
		if (response->error < 0)
			return kv_refused(CTL_FAILED, response);
	}
	print(ctl, &all, false);
	return CTL_OK;
}

const struct ctl_command ctl_command_alarm_list = {
	.name = "alarm list",
	.words = "",
	.etcdctl = true,
	.summary = "alarms that are raised",
	.run = run_list,
};

const struct ctl_command ctl_command_alarm_disarm = {
	.name = "alarm disarm",
	.words = "",
	.etcdctl = true,
	.summary = "end all alarms",
	.details = "After NOSPACE: compact and defragment first, or it is raised again.\n",
	.run = run_disarm,
};
