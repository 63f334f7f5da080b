/* oncectl doctor: what would make onced slow, refuse to work, or less safe than it looks; seen from
 * here, with this user and these certificates.
 *
 * Each check adds findings. The exit code is 1 when one of them says that onced cannot work so. */
#include "tools/oncectl/doctor.h"
#include "tools/oncectl/versions.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/duration.h"

enum {
	ROUND_TRIPS = 20,
	OLD_REVISIONS = 1000000,
};

static const int64_t DB_LARGE = INT64_C(1600) * 1000 * 1000; /* etcd's quota is 2 GB by default */

void doctor_find(struct doctor *d, enum level level, const char *what, const char *text)
{
	if (d->n < FINDINGS_MAX && text) {
		d->findings[d->n].level = level;
		d->findings[d->n].what = what;
		d->findings[d->n++].text = text;
	}
}

int64_t doctor_patience(const struct ctl *ctl)
{
	return ctl->timeout_ns / 5;
}

bool doctor_reached(const struct ctl_member *m)
{
	return m->status || (m->why && strstr(m->why, "permission denied"));
}

/* ---- etcd ------------------------------------------------------------------------------------ */

static bool same_version(const struct ctl_member *a, const struct ctl_member *b)
{
	return a->status && b->status && a->status->version && b->status->version &&
	       strcmp(a->status->version, b->status->version) == 0;
}

/* Once for all members that have it. */
static void check_version(struct doctor *d, size_t member)
{
	const struct ctl_member *all = d->members.members, *m = &all[member];
	const char *version =
		ctl_text(d->ctl, once_str(m->status->version ? m->status->version : ""));
	struct version_risk risks[VERSION_RISKS_MAX];
	size_t n = version_risks(version, d->members.n, risks);
	const char *names = m->name;

	for (size_t i = 0; i < member; i++)
		if (same_version(&all[i], m))
			return;
	for (size_t i = member + 1; i < d->members.n; i++)
		if (same_version(&all[i], m))
			names = ctl_printf(d->ctl, "%s %s", names, all[i].name);
	for (size_t i = 0; i < n; i++)
		doctor_find(d, risks[i].refuse ? BAD : WARN, "version",
			ctl_printf(d->ctl, "%s: etcd %s: %s", names, version, risks[i].text));
	if (n == 0)
		doctor_find(d, GOOD, "version", ctl_printf(d->ctl, "%s: etcd %s", names, version));
}

static void check_member(struct doctor *d, size_t member)
{
	const struct ctl_member *m = &d->members.members[member];
	struct ctl *ctl = d->ctl;

	if (!m->status && doctor_reached(m)) {
		doctor_find(d, WARN, "member",
			ctl_printf(ctl,
				"%s tells nothing of itself: %s; defects of its version were not "
				"looked for: ask as etcd's root user",
				m->name ? m->name : "?",
				ctl_text(ctl, once_str(m->why ? m->why : ""))));
		return;
	}
	if (!m->status) {
		doctor_find(d, WARN, "member",
			ctl_printf(ctl, "%s at %s was not reached: %s", m->name ? m->name : "?",
				m->url ? ctl_text(ctl, once_str(m->url)) : "?",
				ctl_text(ctl, once_str(m->why ? m->why : ""))));
		return;
	}
	check_version(d, member);
	for (size_t i = 0; i < m->status->n_errors; i++)
		doctor_find(d, BAD, "alarm",
			ctl_printf(ctl, "%s: %s", m->name,
				ctl_text(ctl, once_str(m->status->errors[i]))));
	if (m->http_version != 20)
		doctor_find(d, WARN, "HTTP",
			ctl_printf(ctl,
				"%s speaks HTTP/1.1, one connection for each request at a time: "
				"HTTP/2 needs TLS",
				m->name));
	else
		doctor_find(d, GOOD, "HTTP", ctl_printf(ctl, "%s speaks HTTP/2", m->name));
	if (m->status->db_size > DB_LARGE)
		doctor_find(d, WARN, "size",
			ctl_printf(ctl,
				"%s: the database has %.1f GB; at etcd's quota (2 GB unless set) "
				"nothing "
				"can be written",
				m->name, (double)m->status->db_size / 1e9));
}

static void check_members(struct doctor *d)
{
	size_t reached = 0;

	for (size_t i = 0; i < d->members.n; i++) {
		check_member(d, i);
		reached += doctor_reached(&d->members.members[i]);
	}
	if (d->members.n < 3)
		doctor_find(d, WARN, "members",
			ctl_printf(d->ctl, "%zu: the loss of one stops everything; expected 3 or 5",
				d->members.n));
	else
		doctor_find(d, reached == d->members.n ? GOOD : WARN, "members",
			ctl_printf(d->ctl, "%zu of %zu were reached", reached, d->members.n));
	if (d->members.n % 2 == 0)
		doctor_find(d, WARN, "members",
			"an even number survives no more than one member less would");
}

/* ---- what onced needs --------------------------------------------------------------------------
 */

static bool may_read(struct doctor *d, const char *key, bool prefix)
{
	char end[CTL_KEY_MAX];
	struct once_op op = {.kind = ONCE_OP_RANGE, .key = once_str(key), .count_only = true};
	const struct once_response *r;

	if (prefix)
		op.range_end = (struct once_bytes){end, once_prefix_end(op.key, end)};
	r = ctl_try_op(d->ctl, &op);
	if (r && r->error != 0 && strstr(r->message, "user name is empty"))
		d->no_user = true;
	if (r && r->error != 0)
		doctor_find(d, BAD, "access",
			ctl_printf(d->ctl, "%s%s cannot be read: %s", key, prefix ? "..." : "",
				r->message));
	return r && r->error == 0;
}

/* What a node reads: the leader key, those of other groups below it, and everything of the prefix. */
static bool check_access(struct doctor *d)
{
	struct ctl *ctl = d->ctl;
	bool leader = may_read(d, ctl->config.key, false);
	bool groups = may_read(d, ctl_printf(ctl, "%s/", ctl->config.key), true);
	bool rest = may_read(d, ctl_key(ctl, "%s", ""), true);

	return leader && groups && rest;
}

static void check_guard(struct doctor *d)
{
	const struct once_response *r = ctl_try_self_test(d->ctl, d->ctl->leader_key);

	if (!r)
		return;
	if (r->error == 0)
		doctor_find(d, GOOD, "guard", "guarded writes are refused when they must be");
	else
		doctor_find(d, BAD, "guard",
			ctl_printf(
				d->ctl, "the self-test of guarded writes failed: %s", r->message));
}

/* A lease of the configured TTL, and a guarded key on it would be as on any. */
static void check_lease(struct doctor *d)
{
	struct ctl *ctl = d->ctl;
	const struct once_timing *t = &ctl->config.timing;
	const struct once_response *r = ctl_try_grant(ctl, t->lease_ttl_s);
	int64_t granted;

	if (!r)
		return;
	if (r->error != 0) {
		doctor_find(
			d, BAD, "lease", ctl_printf(ctl, "no lease was granted: %s", r->message));
		return;
	}
	granted = r->ttl_s;
	(void)ctl_try_revoke(ctl, r->lease);
	if (granted * ONCE_NSEC_PER_SEC < t->fence_after_ns)
		doctor_find(d, BAD, "lease",
			ctl_printf(ctl,
				"granted %llds, less than FenceAfter=: no node would campaign",
				(long long)granted));
	else if (granted != t->lease_ttl_s)
		doctor_find(d, WARN, "lease",
			ctl_printf(ctl,
				"asked for %llds, granted %llds: etcd's election timeout sets its "
				"least TTL",
				(long long)t->lease_ttl_s, (long long)granted));
	else
		doctor_find(d, GOOD, "lease",
			ctl_printf(ctl, "%llds granted as asked", (long long)granted));
}

static int by_size(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

/* What a proof costs: a write through the quorum. Deleting what does not exist leaves no revision.
 */
static void check_round_trip(struct doctor *d)
{
	struct ctl *ctl = d->ctl;
	struct once_op op = {.kind = ONCE_OP_DELETE, .key = once_str(ctl_key(ctl, "doctor"))};
	int64_t times[ROUND_TRIPS], median, slowest, limit = ctl->config.timing.request_timeout_ns;
	char r[DURATION_TEXT_MAX];
	enum level level;

	for (size_t i = 0; i < ROUND_TRIPS; i++) {
		const struct once_response *response = ctl_try_op(ctl, &op);

		if (!response)
			return;
		if (response->error != 0) {
			doctor_find(d, BAD, "write",
				ctl_printf(ctl, "a write below %s failed: %s", ctl->config.prefix,
					response->message));
			return;
		}
		times[i] = once_elapsed_max(response->sent, response->received);
	}
	qsort(times, ROUND_TRIPS, sizeof(times[0]), by_size);
	median = times[ROUND_TRIPS / 2];
	slowest = times[ROUND_TRIPS - 1];
	level = slowest * 2 > limit ? BAD : slowest * 5 > limit ? WARN : GOOD;
	doctor_find(d, level, "round trip",
		ctl_printf(ctl,
			"a write takes %.1f ms, the slowest of %d %.1f ms; RequestTimeout= "
			"(profile %s) is "
			"%s%s",
			(double)median / 1e6, ROUND_TRIPS, (double)slowest / 1e6,
			ctl->config.profile, duration_format(r, limit),
			level == GOOD ? "" : ": a slower profile would suit this etcd"));
}

/* Each beat is a revision; who never compacts fills the database with them. */
static void check_compaction(struct doctor *d)
{
	struct ctl *ctl = d->ctl;
	int64_t old = d->cluster.revision - OLD_REVISIONS;
	struct once_op op = {.kind = ONCE_OP_RANGE,
		.key = once_str(ctl->leader_key),
		.revision = old,
		.count_only = true};
	const struct once_response *r = old > 0 ? ctl_try_op(ctl, &op) : NULL;

	if (!r)
		return;
	if (r->error == -ESTALE)
		doctor_find(d, GOOD, "compaction", "old revisions are gone: somebody compacts");
	else if (r->error == 0)
		doctor_find(d, WARN, "compaction",
			"the last million revisions are all kept, and each proof adds one: set "
			"etcd's "
			"--auto-compaction-retention, for instance to 1h");
}

/* ---- the groups ------------------------------------------------------------------------------ */

static void check_group(struct doctor *d, const struct ctl_group *g)
{
	struct ctl *ctl = d->ctl;
	const struct once_timing *t = &ctl->config.timing;

	if (g->token != 0 && !g->node)
		doctor_find(d, BAD, "leader",
			ctl_printf(ctl, "group %s: %s was not put by onced, and %s", g->name,
				g->leader_key,
				g->lease ? "is on a lease of somebody else"
					 : "is on no lease, so it never ends"));
	else if (g->token != 0 && !g->proof_seen)
		doctor_find(d, BAD, "leader",
			ctl_printf(ctl,
				"group %s: no proof of %s was seen within one and a half beat "
				"intervals",
				g->name, g->node));
	else if (g->token != 0)
		doctor_find(d, GOOD, "leader",
			ctl_printf(ctl, "group %s: %s proves itself", g->name, g->node));
	else
		doctor_find(d, WARN, "leader", ctl_printf(ctl, "group %s: nobody leads", g->name));
	if (g->config && (g->fence_ns != t->fence_after_ns || g->beat_ns != t->beat_interval_ns ||
				 g->lease_ttl_ns != t->lease_ttl_s * ONCE_NSEC_PER_SEC))
		doctor_find(d, WARN, "timing",
			ctl_printf(ctl,
				"group %s works with another timing than the one checked here: %s",
				g->name, g->config));
}

static int examine(struct doctor *d)
{
	struct ctl *ctl = d->ctl;
	int code = ctl_members_probe(ctl, doctor_patience(ctl), &d->members);

	if (code == CTL_OK && check_access(d))
		code = ctl_cluster_read(ctl, true, &d->cluster);
	if (code != CTL_OK)
		return code;
	check_members(d);
	doctor_check_login(d);
	doctor_check_holes(d);
	check_guard(d);
	check_lease(d);
	check_round_trip(d);
	check_compaction(d);
	(void)ctl_cluster_proofs(ctl, &d->cluster);
	for (size_t i = 0; i < d->cluster.n_alarms; i++)
		doctor_find(d, BAD, "history", ctl_alarm_text(ctl, &d->cluster.alarms[i]));
	for (size_t i = 0; i < d->cluster.n_groups; i++)
		check_group(d, &d->cluster.groups[i]);
	return CTL_OK;
}

static const char *const levels[] = {"ok", "warning", "BAD"};

static void print(struct doctor *d)
{
	static const char *const heads[] = {"HOW", "ABOUT", "FINDING", NULL};
	struct ctl_table table;

	ctl_table_init(&table, d->ctl, heads);
	for (size_t i = 0; i < d->n; i++) {
		ctl_table_add(&table, levels[d->findings[i].level]);
		ctl_table_add(&table, d->findings[i].what);
		ctl_table_add(&table, d->findings[i].text);
	}
	ctl_table_print(&table);
}

static void print_json(struct doctor *d)
{
	struct ctl_json json = {0};

	ctl_json_object(&json, NULL);
	ctl_json_array(&json, "findings");
	for (size_t i = 0; i < d->n; i++) {
		ctl_json_object(&json, NULL);
		ctl_json_text(&json, "level", levels[d->findings[i].level]);
		ctl_json_text(&json, "about", d->findings[i].what);
		ctl_json_text(&json, "finding", d->findings[i].text);
		ctl_json_end_object(&json);
	}
	ctl_json_end_array(&json);
	ctl_members_json(&json, &d->members);
	ctl_json_end_object(&json);
}

static int run(struct ctl *ctl)
{
	struct doctor *d = arena_alloc(&ctl->arena, sizeof(*d));
	int code;

	if (!d)
		return ctl_out_of_memory();
	d->ctl = ctl;
	code = examine(d);
	if (code != CTL_OK)
		return code;
	if (ctl->json)
		print_json(d);
	else
		print(d);
	for (size_t i = 0; i < d->n; i++)
		if (d->findings[i].level == BAD)
			code = CTL_FAILED;
	return code;
}

static const struct ctl_flag flags[] = {
	{"--profile", "NAME", "check for that timing: normal, fast or wan [normal, or the file's]"},
	{NULL, NULL, NULL},
};

const struct ctl_command ctl_command_doctor = {
	.name = "doctor",
	.words = "",
	.summary = "what is wrong with this etcd for onced, or may become so",
	.details = "Seen from here, with this user and these certificates: run it on a node as "
		   "onced's\n"
		   "user. Exit code 1: something is BAD. It writes nothing that stays.\n",
	.flags = flags,
	.run = run,
};
