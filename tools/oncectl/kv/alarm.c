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

/* NULL: that was told, and *ret_code is the exit code. */
static const struct once_response *list(struct ctl *ctl, int *ret_code)
{
	struct kv_request request = {.kind = KV_ALARMS};
	const struct once_response *response;

	if (ctl->n_words != 0) {
		*ret_code = kv_error(
			CTL_BAD_ARGS, "%s command accepts no arguments", ctl->command->name);
		return NULL;
	}
	response = kv_ask(ctl, &request);
	if (response->error < 0) {
		*ret_code = kv_refused(CTL_FAILED, response);
		return NULL;
	}
	*ret_code = CTL_OK;
	return response;
}

static int run_list(struct ctl *ctl)
{
	int code;
	const struct once_response *response = list(ctl, &code);

	if (response)
		print(ctl, response, true);
	return code;
}

static int run_disarm(struct ctl *ctl)
{
	int code;
	const struct once_response *raised = list(ctl, &code), *response;
	struct once_response all;

	if (!raised)
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
