/* See handover.h. The request names the term it means, and is written only while that term holds
 * the key: so it can neither come too late nor be obeyed twice. */
#include "tools/oncectl/handover.h"

#include <stdio.h>
#include <string.h>

#include "tools/oncectl/ask.h"
#include "tools/oncectl/ledger.h"

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

/* ---- asking ---------------------------------------------------------------------------------- */

int ctl_handover_other(
	struct ctl *ctl, const struct ctl_cluster *cluster, const struct ctl_group *group)
{
	size_t away = 0;

	for (size_t i = 0; i < cluster->n_nodes; i++) {
		const char *node = cluster->nodes[i].name;

		if (strcmp(node, group->node) == 0)
			continue;
		if (!ctl_cluster_away(cluster, group->name, node))
			return CTL_OK;
		away++;
	}
	return ctl_error(CTL_FAILED, "there is no other node than %s%s", group->node,
		away > 0 ? " that does not stay away: oncectl resign --cancel ends that" : "");
}

/* What goes into one txn, guarded by the term that is meant. */
struct request {
	struct once_op ops[3];
	size_t n;
	char handover[ONCE_CONTROL_SIZE], away[ONCE_CONTROL_SIZE];
	const char *from_away, *to_away; /* keys */
};

static int add_away(struct ctl *ctl, struct request *r, const struct once_handover *h)
{
	struct once_pause wish = {
		.since_ms = h->at_ms, .until_ms = h->at_ms + h->stay_away_s * 1000};
	const struct once_response *grant;

	memcpy(wish.by, h->by, sizeof(wish.by));
	memcpy(wish.reason, h->reason, sizeof(wish.reason));
	if (!r->from_away || once_pause_encode(r->away, &wish) < 0)
		return ctl_error(CTL_FAILED, "the request cannot be written");
	grant = ctl_try_grant(ctl, h->stay_away_s);
	if (!grant || grant->error != 0)
		return grant ? ctl_error(CTL_UNREACHABLE, "etcd at %s: no lease was granted: %s",
				       grant->endpoint, grant->message)
			     : CTL_FAILED;
	r->ops[r->n++] = (struct once_op){.kind = ONCE_OP_PUT,
		.key = once_str(r->from_away),
		.value = once_str(r->away),
		.lease = grant->lease};
	return CTL_OK;
}

static int make_request(
	struct ctl *ctl, struct request *r, const char *group, const struct once_handover *h)
{
	const char *key = ctl_record_key(ctl, ONCE_KEY_HANDOVER, group, NULL, 0);

	if (!key || once_handover_encode(r->handover, h) < 0)
		return ctl_error(CTL_FAILED, "the request cannot be written");
	r->ops[r->n++] = (struct once_op){
		.kind = ONCE_OP_PUT, .key = once_str(key), .value = once_str(r->handover)};
	if (h->to[0]) {
		r->to_away = ctl_record_key(ctl, ONCE_KEY_AWAY, group, h->to, 0);
		if (!r->to_away)
			return CTL_FAILED;
		r->ops[r->n++] =
			(struct once_op){.kind = ONCE_OP_DELETE, .key = once_str(r->to_away)};
	}
	r->from_away = ctl_record_key(ctl, ONCE_KEY_AWAY, group, h->from, 0);
	return h->stay_away_s > 0 ? add_away(ctl, r, h) : CTL_OK;
}

static int send_request(
	struct ctl *ctl, const struct ctl_group *group, struct request *r, int64_t *ret_revision)
{
	struct once_compare holds = {.target = ONCE_COMPARE_CREATE,
		.key = once_str(group->leader_key),
		.number = group->token};
	struct once_txn txn = {
		.compares = &holds, .n_compares = 1, .success = r->ops, .n_success = r->n};
	const struct once_response *response = ctl_txn(ctl, &txn);

	if (!response)
		return CTL_UNREACHABLE;
	*ret_revision = response->revision;
	if (response->op.succeeded)
		return CTL_OK;
	return ctl_error(
		CTL_FAILED, "%s has just stopped leading: look at oncectl status", group->node);
}

static void tell_asked(
	struct ctl *ctl, const struct ctl_group *group, const struct once_handover *h)
{
	const char *at = h->not_before_ms > h->at_ms ? ctl_moment(ctl, h->not_before_ms) : NULL;
	struct ctl_json json = {0};

	if (!ctl->json) {
		printf("%s (token %lld) is asked to hand over to %s%s%s\n", group->node,
			(long long)group->token, h->to[0] ? h->to : "any other node",
			at ? " at " : "", at ? at : "");
		return;
	}
	ctl_json_object(&json, NULL);
	ctl_json_text(&json, "from", group->node);
	ctl_json_number(&json, "from_token", group->token);
	ctl_json_text(&json, "to", h->to[0] ? h->to : NULL);
	ctl_json_text(&json, "at", at);
	ctl_json_end_object(&json);
}

int ctl_handover_ask(struct ctl *ctl, const struct ctl_group *group, struct once_handover *handover)
{
	struct request request = {0};
	int64_t revision = 0, delay_ns = 0;
	int code;

	ctl_by(handover->by);
	handover->at_ms = once_utc_now();
	handover->token = group->token;
	(void)snprintf(handover->from, sizeof(handover->from), "%s", group->node);
	if (handover->not_before_ms > handover->at_ms)
		delay_ns = (handover->not_before_ms - handover->at_ms) * ONCE_NSEC_PER_MSEC;
	code = make_request(ctl, &request, group->name, handover);
	if (code == CTL_OK)
		code = send_request(ctl, group, &request, &revision);
	if (code != CTL_OK)
		return code;
	if (ctl_flag(ctl, "--wait"))
		return await(ctl, group, handover->to, revision, longest(group, delay_ns));
	tell_asked(ctl, group, handover);
	return CTL_OK;
}
