/* See handover.h. The request names the term it means, and is written only while that term holds
 * the key: so it can neither come too late nor be obeyed twice. */
#include "tools/oncectl/handover.h"

#include <stdio.h>
#include <string.h>

#include "tools/oncectl/ask.h"

int ctl_handover_begin(struct ctl *ctl, struct ctl_cluster *cluster, struct ctl_group **ret_group)
{
	int code = ctl_cluster_read(ctl, false, cluster);
	struct ctl_group *group = code == CTL_OK ? ctl_cluster_group(ctl, cluster) : NULL;

	if (code != CTL_OK)
		return code;
	if (!group || group->token == 0)
		return ctl_error(CTL_ABSENT, "group %s has no leader now", ctl->group);
	if (!group->node)
		return ctl_error(CTL_FAILED,
			"%s was not put by onced: there is nobody who could be asked",
			ctl->leader_key);
	*ret_group = group;
	return CTL_OK;
}

/* ---- waiting for the next leader ------------------------------------------------------------- */

struct next {
	struct ctl *ctl;
	int64_t old_token, token;
	const char *leader;
};

static bool is_next(void *userdata, const struct once_event *event)
{
	struct next *next = userdata;

	if (event->kind != ONCE_EVENT_PUT || event->kv.create_revision == next->old_token)
		return false;
	next->token = event->kv.create_revision;
	next->leader = ctl_text(next->ctl, event->kv.value);
	return true;
}

static void tell(
	struct ctl *ctl, const struct ctl_group *group, const struct next *next, int64_t took_ns)
{
	struct ctl_json json = {0};

	if (!ctl->json) {
		printf("%s leads with token %lld, %s after it was asked for; before: %s, token "
		       "%lld\n",
			next->leader, (long long)next->token, ctl_age_text(ctl, took_ns),
			group->node, (long long)group->token);
		return;
	}
	ctl_json_object(&json, NULL);
	ctl_json_text(&json, "from", group->node);
	ctl_json_number(&json, "from_token", group->token);
	ctl_json_text(&json, "to", next->leader);
	ctl_json_number(&json, "to_token", next->token);
	ctl_json_seconds(&json, "seconds", took_ns);
	ctl_json_end_object(&json);
}

static int await(struct ctl *ctl, const struct ctl_group *group, const char *to, int64_t revision,
	int64_t timeout_ns)
{
	struct next next = {.ctl = ctl, .old_token = group->token};
	struct once_instant asked = ctl->loop->ops->now(ctl->loop);

	if (!ctl_await(ctl, group->leader_key, revision, timeout_ns, is_next, &next))
		return ctl_error(CTL_FAILED,
			"no other leader within %s; oncectl status shows whether the request "
			"stands, "
			"oncectl switchover --cancel takes it back",
			ctl_age_text(ctl, timeout_ns));
	tell(ctl, group, &next, once_elapsed_max(asked, ctl->loop->ops->now(ctl->loop)));
	if (*to && strcmp(next.leader, to) != 0)
		return ctl_error(CTL_FAILED, "%s leads now, not %s", next.leader, to);
	return CTL_OK;
}

/* Longer than any way in which the old leader may end, its job stopping as slowly as it may. */
static int64_t longest(const struct ctl_group *group, int64_t delay_ns)
{
	return delay_ns + 2 * group->fence_ns + group->lease_ttl_ns + 20 * ONCE_NSEC_PER_SEC;
}

int ctl_handover_ask(struct ctl *ctl, const struct ctl_group *group, struct once_handover *handover)
{
	const char *key = ctl_record_key(ctl, ONCE_KEY_HANDOVER, group->name, NULL, 0);
	char value[ONCE_CONTROL_SIZE];
	int64_t revision = 0, delay_ns = 0;
	int code;

	ctl_by(handover->by);
	handover->at_ms = once_utc_now();
	handover->token = group->token;
	(void)snprintf(handover->from, sizeof(handover->from), "%s", group->node);
	if (handover->not_before_ms > handover->at_ms)
		delay_ns = (handover->not_before_ms - handover->at_ms) * ONCE_NSEC_PER_MSEC;
	if (!key || once_handover_encode(value, handover) < 0)
		return ctl_error(CTL_FAILED, "the request cannot be written");
	code = ctl_put(ctl, key, value, group->leader_key, group->token, &revision);
	if (code == CTL_FENCED)
		return ctl_error(CTL_FAILED, "%s has just stopped leading: look at oncectl status",
			group->node);
	if (code != CTL_OK)
		return code;
	if (ctl_flag(ctl, "--wait"))
		return await(ctl, group, handover->to, revision, longest(group, delay_ns));
	if (!ctl->json)
		printf("%s (token %lld) is asked to hand over to %s%s%s\n", group->node,
			(long long)group->token, handover->to[0] ? handover->to : "any other node",
			delay_ns ? " at " : "",
			delay_ns ? ctl_time_text(ctl, handover->not_before_ms * ONCE_NSEC_PER_MSEC)
				 : "");
	return CTL_OK;
}
