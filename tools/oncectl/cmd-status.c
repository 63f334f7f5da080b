/* oncectl status: who leads and how sure that is, who is there, how etcd is.
 *
 * Happy path: one txn for groups and nodes, the watch for the leaders' next proofs, the members of
 * etcd. A member that does not answer is a row like the others; only when etcd as a whole does not
 * answer is it an error. */
#include "tools/oncectl/cluster.h"
#include "tools/oncectl/ledger.h"
#include "tools/oncectl/members.h"

#include <stdio.h>
#include <string.h>

static const int64_t MEMBER_TIMEOUT = ONCE_NSEC_PER_SEC;

struct status {
	struct ctl_cluster cluster;
	struct ctl_members members;
	bool has_members;
	struct ctl_job *jobs;
	size_t n_jobs;
};

/* How long ago, or how long none was seen for; *ret_seen says which. */
static int64_t proof_age(
	struct ctl *ctl, const struct ctl_cluster *cluster, const struct ctl_group *g)
{
	struct once_instant now = ctl->loop->ops->now(ctl->loop);

	return once_elapsed_max(g->proof_seen ? g->proof : cluster->watched, now);
}

static const char *proof_text(
	struct ctl *ctl, const struct ctl_cluster *cluster, const struct ctl_group *g)
{
	const char *age;

	if (g->token == 0)
		return NULL;
	if (!g->beat_key)
		return "not of onced";
	if (ctl_flag(ctl, "--no-proof"))
		return NULL;
	age = ctl_age_text(ctl, proof_age(ctl, cluster, g));
	return ctl_printf(ctl, g->proof_seen ? "%s ago" : "NONE for %s", age);
}

static const char *leader_of(const struct ctl_group *g)
{
	return g->token == 0 ? NULL : g->node ? g->node : g->leader;
}

static const char *handover_text(struct ctl *ctl, const struct ctl_group *g)
{
	struct once_handover h;

	if (once_handover_decode(&h, g->handover) < 0)
		return "a handover is asked for, and cannot be read";
	return ctl_printf(ctl, "to be handed over to %s%s%s by %s%s%s",
		h.to[0] ? h.to : "another node", h.not_before_ms ? " at " : "",
		h.not_before_ms ? ctl_moment(ctl, h.not_before_ms) : "",
		ctl_text(ctl, once_str(h.by)), h.reason[0] ? ": " : "",
		ctl_text(ctl, once_str(h.reason)));
}

static const char *remark_of(struct ctl *ctl, const struct ctl_group *g)
{
	if (g->handover.size > 0)
		return handover_text(ctl, g);
	if (g->token == 0 && g->reserve)
		return ctl_printf(ctl, "reserved for %s", g->reserve);
	if (g->token == 0)
		return g->last_token == 0 ? "never had a leader" : "nobody leads";
	if (!g->node)
		return "the key was not put by onced";
	return NULL;
}

static void print_groups(struct ctl *ctl, const struct ctl_cluster *cluster)
{
	static const char *const heads[] = {
		"GROUP", "LEADER", "TOKEN", "SINCE", "LAST PROOF", "REMARK", NULL};
	struct ctl_table table;

	ctl_table_init(&table, ctl, heads);
	for (size_t i = 0; i < cluster->n_groups; i++) {
		const struct ctl_group *g = &cluster->groups[i];
		const char *since = g->token != 0 && g->since_ms > 0
					    ? ctl_time_text(ctl, g->since_ms * ONCE_NSEC_PER_MSEC)
					    : NULL;

		ctl_table_add(&table, g->name);
		ctl_table_add(&table, leader_of(g));
		ctl_table_add(&table,
			g->token != 0 ? ctl_printf(ctl, "%lld", (long long)g->token) : NULL);
		ctl_table_add(&table, since);
		ctl_table_add(&table, proof_text(ctl, cluster, g));
		ctl_table_add(&table, remark_of(ctl, g));
	}
	ctl_table_print(&table);
}

static size_t groups_led(const struct ctl_cluster *cluster, const char *node)
{
	size_t n = 0;

	for (size_t i = 0; i < cluster->n_groups; i++) {
		const char *leader = leader_of(&cluster->groups[i]);

		n += leader && strcmp(leader, node) == 0;
	}
	return n;
}

static const char *away_text(struct ctl *ctl, const struct ctl_cluster *cluster, const char *node)
{
	const struct ctl_away *a = ctl_cluster_away(cluster, NULL, node);

	if (!a)
		return NULL;
	return ctl_printf(ctl, "stays away from %s until %s, by %s%s%s", a->group,
		ctl_moment(ctl, a->wish.until_ms), ctl_text(ctl, once_str(a->wish.by)),
		a->wish.reason[0] ? ": " : "", ctl_text(ctl, once_str(a->wish.reason)));
}

static void print_nodes(struct ctl *ctl, const struct ctl_cluster *cluster)
{
	static const char *const heads[] = {"NODE", "LEADS", "ADDRESS", "REMARK", NULL};
	struct ctl_table table;

	ctl_table_init(&table, ctl, heads);
	for (size_t i = 0; i < cluster->n_nodes; i++) {
		const struct ctl_node *node = &cluster->nodes[i];
		size_t led = groups_led(cluster, node->name);

		ctl_table_add(&table, node->name);
		ctl_table_add(&table, led == 0 ? "no"
				      : cluster->n_groups == 1
					      ? "yes"
					      : ctl_printf(ctl, "%zu groups", led));
		ctl_table_add(&table, node->address);
		ctl_table_add(&table, away_text(ctl, cluster, node->name));
	}
	ctl_table_print(&table);
}

static void print(struct ctl *ctl, const struct status *s)
{
	for (size_t i = 0; i < s->cluster.n_alarms; i++)
		printf("ALARM: %s\n", ctl_alarm_text(ctl, &s->cluster.alarms[i]));
	if (s->cluster.n_alarms > 0)
		putchar('\n');
	if (s->cluster.n_groups == 0)
		printf("no group: there was never a leader under %s with prefix %s\n",
			ctl->leader_key, ctl->config.prefix);
	else
		print_groups(ctl, &s->cluster);
	putchar('\n');
	if (s->cluster.n_nodes == 0)
		printf("no node is registered under %s/nodes/\n", ctl->config.prefix);
	else
		print_nodes(ctl, &s->cluster);
	if (s->n_jobs > 0) {
		putchar('\n');
		ctl_jobs_print(ctl, s->jobs, s->n_jobs);
	}
	if (s->has_members) {
		putchar('\n');
		ctl_members_print(ctl, &s->members);
	}
}

static void json_group(struct ctl *ctl, struct ctl_json *json, const struct ctl_cluster *cluster,
	const struct ctl_group *g)
{
	ctl_json_object(json, NULL);
	ctl_json_text(json, "group", g->name);
	ctl_json_text(json, "leader", leader_of(g));
	ctl_json_text(json, "value", g->leader);
	ctl_json_number(json, "token", g->token);
	ctl_json_text(json, "since",
		g->token != 0 && g->since_ms > 0
			? ctl_time_text(ctl, g->since_ms * ONCE_NSEC_PER_MSEC)
			: NULL);
	if (g->token != 0 && g->proof_seen)
		ctl_json_seconds(json, "proof_age_seconds", proof_age(ctl, cluster, g));
	else
		ctl_json_null(json, "proof_age_seconds");
	ctl_json_text(json, "remark", remark_of(ctl, g));
	ctl_json_end_object(json);
}

static void json_alarms(struct ctl_json *json, const struct ctl_cluster *cluster)
{
	ctl_json_array(json, "alarms");
	for (size_t i = 0; i < cluster->n_alarms; i++) {
		ctl_json_object(json, NULL);
		ctl_json_text(json, "node", cluster->alarms[i].node);
		ctl_json_text(json, "cluster", cluster->alarms[i].cluster);
		ctl_json_number(json, "revision", cluster->alarms[i].revision);
		ctl_json_text(json, "since", cluster->alarms[i].since);
		ctl_json_end_object(json);
	}
	ctl_json_end_array(json);
}

static void print_json(struct ctl *ctl, const struct status *s)
{
	struct ctl_json json = {0};

	ctl_json_object(&json, NULL);
	ctl_json_number(&json, "revision", s->cluster.revision);
	json_alarms(&json, &s->cluster);
	ctl_json_array(&json, "groups");
	for (size_t i = 0; i < s->cluster.n_groups; i++)
		json_group(ctl, &json, &s->cluster, &s->cluster.groups[i]);
	ctl_json_end_array(&json);
	ctl_json_array(&json, "nodes");
	for (size_t i = 0; i < s->cluster.n_nodes; i++) {
		ctl_json_object(&json, NULL);
		ctl_json_text(&json, "node", s->cluster.nodes[i].name);
		ctl_json_text(&json, "address", s->cluster.nodes[i].address);
		ctl_json_number(
			&json, "leads", (int64_t)groups_led(&s->cluster, s->cluster.nodes[i].name));
		ctl_json_text(
			&json, "remark", away_text(ctl, &s->cluster, s->cluster.nodes[i].name));
		ctl_json_end_object(&json);
	}
	ctl_json_end_array(&json);
	ctl_jobs_json(ctl, &json, "jobs", s->jobs, s->n_jobs);
	if (s->has_members)
		ctl_members_json(&json, &s->members);
	ctl_json_end_object(&json);
}

static int round_of(struct ctl *ctl)
{
	struct status s = {0};
	int code = ctl_cluster_read(ctl, true, &s.cluster);

	if (code == CTL_OK && !ctl_flag(ctl, "--no-jobs"))
		code = ctl_jobs_read(ctl, &s.jobs, &s.n_jobs);
	if (code != CTL_OK)
		return code;
	if (!ctl_flag(ctl, "--no-etcd")) {
		code = ctl_members_probe(ctl, MEMBER_TIMEOUT, &s.members);
		if (code != CTL_OK)
			return code;
		s.has_members = true;
	}
	if (!ctl_flag(ctl, "--no-proof"))
		(void)ctl_cluster_proofs(ctl, &s.cluster);
	if (ctl->json)
		print_json(ctl, &s);
	else
		print(ctl, &s);
	return CTL_OK;
}

static int run(struct ctl *ctl)
{
	return ctl_watch(ctl, round_of);
}

static const struct ctl_flag flags[] = {
	{"--no-etcd", NULL, "do not ask the members of etcd"},
	{"--no-jobs", NULL, "do not list the jobs"},
	{"--no-proof", NULL, "do not wait for the leaders' next proof"},
	CTL_WATCH_FLAGS,
	{NULL, NULL, NULL},
};

const struct ctl_command ctl_command_status = {
	.name = "status",
	.words = "",
	.summary = "leaders and their last proof, nodes, jobs, members of etcd",
	.details =
		"A leader proves itself by a write every BeatInterval=. The next one is waited "
		"for,\n"
		"at most for one and a half intervals: NONE means that its jobs will be stopped.\n",
	.flags = flags,
	.run = run,
};
