/* See cluster.h. One txn reads everything; keys that belong to no group of ours are left out. */
#include "tools/oncectl/cluster.h"

#include <stdlib.h>
#include <string.h>

#include "base/duration.h"
#include "base/number.h"
#include "elect/keys.h"
#include <once/names.h>

const char *ctl_field(struct ctl *ctl, struct once_bytes value, const char *name)
{
	const char *text = ctl_text(ctl, value);
	size_t n = strlen(name);

	while (*text) {
		size_t word = strcspn(text, " ");

		if (word > n && strncmp(text, name, n) == 0 && text[n] == '=')
			return word > n + 1 ? arena_copy(&ctl->arena, text + n + 1, word - n - 1)
					    : NULL;
		text += word;
		text += strspn(text, " ");
	}
	return NULL;
}

static int64_t duration_of(const char *text)
{
	int64_t ns = 0;

	return text && duration_parse(text, strlen(text), &ns, NULL) == 0 ? ns : 0;
}

/* ---- the keys of one group ------------------------------------------------------------------- */

static bool begins(struct once_bytes key, const char *prefix)
{
	return key.size >= strlen(prefix) && memcmp(key.data, prefix, strlen(prefix)) == 0;
}

/* The group with this name, made when there is none yet. NULL: no name, or out of memory. */
static struct ctl_group *group_of(
	struct ctl *ctl, struct ctl_cluster *cluster, const char *name, size_t size)
{
	struct ctl_group *groups;
	char *copy;

	for (size_t i = cluster->n_groups; i-- > 0;)
		if (strlen(cluster->groups[i].name) == size &&
			memcmp(cluster->groups[i].name, name, size) == 0)
			return &cluster->groups[i];
	copy = arena_copy(&ctl->arena, name, size);
	if (!copy || !once_name_valid(copy))
		return NULL;
	/* Doubled at powers of two. */
	if ((cluster->n_groups & (cluster->n_groups - 1)) == 0) {
		size_t cap = cluster->n_groups ? cluster->n_groups * 2 : 1;

		groups = arena_array(&ctl->arena, cap, sizeof(*groups));
		if (!groups)
			return NULL;
		if (cluster->n_groups > 0)
			memcpy(groups, cluster->groups, cluster->n_groups * sizeof(*groups));
		cluster->groups = groups;
	}
	groups = &cluster->groups[cluster->n_groups++];
	*groups = (struct ctl_group){.name = copy};
	return groups;
}

static void take_epoch(struct ctl *ctl, struct ctl_group *group, const struct once_kv *kv)
{
	struct keys_epoch epoch;
	const char *since = ctl_field(ctl, kv->value, "since");
	int64_t ns;

	group->last_token = kv->mod_revision;
	if (group->token != 0 && group->token != kv->mod_revision)
		return; /* somebody else's key: nothing of ours fits it */
	group->node = ctl_field(ctl, kv->value, "node");
	group->address = ctl_field(ctl, kv->value, "address");
	if (since && ctl_time_read(since, 0, &ns) == 0)
		group->since_ms = ns / ONCE_NSEC_PER_MSEC;
	if (keys_epoch_read(&epoch, kv->value))
		group->beat_key = ctl_printf(ctl, "%s", epoch.beat);
}

static void take_config(struct ctl *ctl, struct ctl_group *group, struct once_bytes value)
{
	group->config = ctl_text(ctl, value);
	group->lease_ttl_ns = duration_of(ctl_field(ctl, value, "lease-ttl"));
	group->fence_ns = duration_of(ctl_field(ctl, value, "fence-after"));
	group->beat_ns = duration_of(ctl_field(ctl, value, "beat-interval"));
}

/* P/g/GROUP/away/NODE; one whose time has passed is as good as gone. */
static void take_away(struct ctl *ctl, struct ctl_cluster *cluster, const struct once_kv *kv)
{
	struct ctl_away *aways;
	struct once_pause wish;
	struct once_key key;

	if (once_key_parse(&key, ctl->config.prefix, kv->key) < 0 || key.kind != ONCE_KEY_AWAY ||
		once_pause_decode(&wish, kv->value) < 0 || !once_pause_holds(&wish, once_utc_now()))
		return;
	aways = arena_array(&ctl->arena, cluster->n_aways + 1, sizeof(*aways));
	if (!aways)
		return;
	if (cluster->n_aways > 0)
		memcpy(aways, cluster->aways, cluster->n_aways * sizeof(*aways));
	aways[cluster->n_aways++] =
		(struct ctl_away){arena_copy(&ctl->arena, key.name, strlen(key.name)),
			arena_copy(&ctl->arena, key.sub, strlen(key.sub)), wish};
	cluster->aways = aways;
}

/* P/g/GROUP/WORD */
static void take_state(
	struct ctl *ctl, struct ctl_cluster *cluster, const struct once_kv *kv, const char *prefix)
{
	const char *name = (const char *)kv->key.data + strlen(prefix), *slash;
	size_t left = kv->key.size - strlen(prefix);
	struct once_bytes word;
	struct ctl_group *group;

	slash = memchr(name, '/', left);
	group = slash ? group_of(ctl, cluster, name, (size_t)(slash - name)) : NULL;
	if (!group)
		return;
	word = (struct once_bytes){slash + 1, left - (size_t)(slash + 1 - name)};
#define IS(text) (word.size == strlen(text) && memcmp(word.data, text, word.size) == 0)
	if (IS("epoch"))
		take_epoch(ctl, group, kv);
	else if (IS("config"))
		take_config(ctl, group, kv->value);
	else if (IS("clean"))
		(void)keys_clean_read(&group->clean, kv->value);
	else if (IS("reserve"))
		group->reserve = ctl_text(ctl, kv->value);
	else if (IS("handover"))
		group->handover = kv->value;
	else
		take_away(ctl, cluster, kv);
#undef IS
}

static void take_leader(struct ctl *ctl, struct ctl_group *group, const struct once_kv *kv)
{
	group->token = kv->create_revision;
	group->lease = kv->lease;
	group->leader = ctl_text(ctl, kv->value);
}

/* ---- all of it ------------------------------------------------------------------------------- */

struct ranges {
	struct once_op ops[5];
	char ends[5][CTL_KEY_MAX];
};

static void range(struct ranges *ranges, size_t i, const char *key, bool prefix)
{
	struct once_op *op = &ranges->ops[i];

	*op = (struct once_op){.kind = ONCE_OP_RANGE, .key = once_str(key)};
	if (prefix)
		op->range_end = (struct once_bytes){
			ranges->ends[i], once_prefix_end(op->key, ranges->ends[i])};
}

static int by_name(const void *a, const void *b)
{
	const struct ctl_group *x = a, *y = b;
	bool x_default = strcmp(x->name, "default") == 0,
	     y_default = strcmp(y->name, "default") == 0;

	if (x_default != y_default)
		return x_default ? -1 : 1;
	return strcmp(x->name, y->name);
}

static void take_nodes(struct ctl *ctl, struct ctl_cluster *cluster,
	const struct once_op_result *result, const char *prefix)
{
	struct ctl_node *nodes = arena_array(&ctl->arena, result->n_kvs, sizeof(*nodes));

	cluster->nodes = nodes;
	for (size_t i = 0; nodes && i < result->n_kvs; i++) {
		struct once_bytes key = result->kvs[i].key;
		size_t skip = strlen(prefix);
		struct once_bytes name = {(const char *)key.data + skip, key.size - skip};

		if (!begins(key, prefix))
			continue;
		nodes[cluster->n_nodes].name = ctl_text(ctl, name);
		nodes[cluster->n_nodes++].address = ctl_field(ctl, result->kvs[i].value, "address");
	}
}

static void take_alarms(struct ctl *ctl, struct ctl_cluster *cluster,
	const struct once_op_result *result, const char *prefix)
{
	struct ctl_alarm *alarms = arena_array(&ctl->arena, result->n_kvs, sizeof(*alarms));

	cluster->alarms = alarms;
	for (size_t i = 0; alarms && i < result->n_kvs; i++) {
		const struct once_kv *kv = &result->kvs[i];
		const char *revision = ctl_field(ctl, kv->value, "revision");
		const char *id = ctl_field(ctl, kv->value, "cluster"),
			   *since = ctl_field(ctl, kv->value, "since");
		size_t skip = strlen(prefix);
		struct ctl_alarm *a = &alarms[cluster->n_alarms];

		if (!revision || !begins(kv->key, prefix) ||
			number_parse_i64(revision, strlen(revision), &a->revision) < 0)
			continue;
		a->node = ctl_text(ctl, (struct once_bytes){(const char *)kv->key.data + skip,
						kv->key.size - skip});
		a->cluster = id ? id : "?";
		a->since = since ? since : "?";
		cluster->n_alarms++;
	}
}

const char *ctl_alarm_text(struct ctl *ctl, const struct ctl_alarm *alarm)
{
	return ctl_printf(ctl,
		"%s has seen cluster %s at revision %lld and finds an older etcd, or another one, "
		"since %s: it runs nothing "
		"until \"oncectl new-generation\"",
		alarm->node, alarm->cluster, (long long)alarm->revision, alarm->since);
}

/* The leader keys first: an epoch is only told of the term it belongs to. */
static void take_all(struct ctl *ctl, struct ctl_cluster *cluster,
	const struct once_op_result *results, const char *leaders, const char *state,
	const char *nodes)
{
	struct ctl_group *group;

	for (size_t i = 0; i < results[0].n_kvs; i++) {
		group = group_of(ctl, cluster, "default", strlen("default"));
		if (group)
			take_leader(ctl, group, &results[0].kvs[i]);
	}
	for (size_t i = 0; i < results[1].n_kvs; i++) {
		const struct once_kv *kv = &results[1].kvs[i];
		size_t skip = strlen(leaders);

		group = begins(kv->key, leaders)
				? group_of(ctl, cluster, (const char *)kv->key.data + skip,
					  kv->key.size - skip)
				: NULL;
		if (group)
			take_leader(ctl, group, kv);
	}
	for (size_t i = 0; i < results[2].n_kvs; i++)
		if (begins(results[2].kvs[i].key, state))
			take_state(ctl, cluster, &results[2].kvs[i], state);
	take_nodes(ctl, cluster, &results[3], nodes);
	if (cluster->n_groups > 0)
		qsort(cluster->groups, cluster->n_groups, sizeof(*cluster->groups), by_name);
	for (size_t i = 0; i < cluster->n_groups; i++) {
		group = &cluster->groups[i];
		group->leader_key = strcmp(group->name, "default") == 0
					    ? ctl->config.key
					    : ctl_printf(ctl, "%s%s", leaders, group->name);
	}
}

struct ctl_group *ctl_cluster_group(struct ctl *ctl, const struct ctl_cluster *cluster)
{
	for (size_t i = 0; i < cluster->n_groups; i++)
		if (strcmp(cluster->groups[i].name, ctl->group) == 0)
			return &cluster->groups[i];
	return NULL;
}

const struct ctl_node *ctl_cluster_node(const struct ctl_cluster *cluster, const char *name)
{
	for (size_t i = 0; i < cluster->n_nodes; i++)
		if (strcmp(cluster->nodes[i].name, name) == 0)
			return &cluster->nodes[i];
	return NULL;
}

const struct ctl_away *ctl_cluster_away(
	const struct ctl_cluster *cluster, const char *group, const char *node)
{
	for (size_t i = 0; i < cluster->n_aways; i++)
		if ((!group || strcmp(cluster->aways[i].group, group) == 0) &&
			strcmp(cluster->aways[i].node, node) == 0)
			return &cluster->aways[i];
	return NULL;
}

int ctl_cluster_read(struct ctl *ctl, bool all_groups, struct ctl_cluster *ret)
{
	const char *leaders = ctl_printf(ctl, "%s/", ctl->config.key);
	const char *state = all_groups ? ctl_key(ctl, "g/") : ctl_key(ctl, "g/%s/", ctl->group);
	const char *nodes = ctl_key(ctl, "nodes/"), *alarms = ctl_key(ctl, "history/");
	const struct once_response *response;
	struct ranges ranges;
	struct once_txn txn = {.success = ranges.ops, .n_success = 5};

	*ret = (struct ctl_cluster){0};
	if (!leaders)
		return ctl_out_of_memory();
	range(&ranges, 0, ctl->config.key, false);
	range(&ranges, 1, leaders, true);
	range(&ranges, 2, state, true);
	range(&ranges, 3, nodes, true);
	range(&ranges, 4, alarms, true);
	response = ctl_txn(ctl, &txn);
	if (!response)
		return CTL_UNREACHABLE;
	ret->revision = response->revision;
	if (response->op.n_results != 5)
		return ctl_error(CTL_UNREACHABLE, "etcd at %s: an answer without its parts",
			response->endpoint);
	take_all(ctl, ret, response->op.results, leaders, ctl_key(ctl, "g/"), nodes);
	take_alarms(ctl, ret, &response->op.results[4], alarms);
	return CTL_OK;
}
