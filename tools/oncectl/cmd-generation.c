/* oncectl new-generation: an etcd that came back older, or is another one, counts from now on.
 *
 * Happy path: nodes that know a later etcd have said so under P/history/ -> what is there and what they know is
 * shown -> confirmed -> etcd's revision is raised above all that they know, by writes that say nothing, so that
 * tokens go on growing -> P/generation, which the nodes wait for.
 *
 * Failures: interrupted while it raises, nothing has changed but the revision; it goes on from there when it is
 * called again. Written by somebody else meanwhile: nothing is written. */
#include "tools/oncectl/ask.h"
#include "tools/oncectl/cluster.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "elect/keys.h"

enum { FLYING = 64, RAISE_MAX = 1000000, FAILURES_MAX = 100 };
static const int64_t WRITE_TIMEOUT = 5 * ONCE_NSEC_PER_SEC;

/* ---- the revision is raised ------------------------------------------------------------------ */

struct raise {
	struct ctl *ctl;
	const char *key;
	int64_t above, reached;
	unsigned flying, failures;
	bool done;
	int error;
	char message[256];
};

static void go_on(struct raise *r);

static void on_written(void *userdata, const struct once_response *response)
{
	struct raise *r = userdata;

	r->flying--;
	if (response->revision > r->reached)
		r->reached = response->revision;
	if (response->error != 0 && ++r->failures >= FAILURES_MAX) {
		r->error = response->error;
		(void)snprintf(r->message, sizeof(r->message), "%s", response->message);
	}
	go_on(r);
}

static void go_on(struct raise *r)
{
	struct once_call_options options = {ONCE_LANE_BULK, WRITE_TIMEOUT};
	struct once_op put = {.kind = ONCE_OP_PUT, .key = once_str(r->key)};

	while (r->error == 0 && r->flying < FLYING && r->reached + r->flying <= r->above) {
		r->error = once_kv(r->ctl->client, NULL, &options, &put, on_written, r);
		r->flying += r->error == 0;
	}
	r->done = r->flying == 0;
}

static int raise_revision(struct ctl *ctl, int64_t above, int64_t *revision)
{
	struct raise r = {
		.ctl = ctl, .key = ctl_key(ctl, "raise"), .above = above, .reached = *revision};
	int64_t bound = (above - *revision) * ONCE_NSEC_PER_SEC / 50 + 60 * ONCE_NSEC_PER_SEC;

	go_on(&r);
	if (!ctl_wait(ctl, &r.done, bound))
		return ctl_error(CTL_UNREACHABLE,
			"etcd: revision %" PRId64 " was not reached in time, only %" PRId64,
			above + 1, r.reached);
	if (r.error != 0)
		return ctl_error(CTL_UNREACHABLE, "etcd: %s",
			r.message[0] ? r.message : once_strerror(r.error));
	*revision = r.reached;
	ctl_round_time(ctl);
	return CTL_OK;
}

/* ---- what is asked, and shown ---------------------------------------------------------------- */

struct generation {
	struct ctl_cluster cluster;
	struct keys_generation present;
	int64_t mod, above;
	uint64_t id; /* of the cluster that answers */
};

static int read_all(struct ctl *ctl, struct generation *g)
{
	const struct once_response *response;
	int64_t said = 0;
	int code = ctl_cluster_read(ctl, true, &g->cluster);

	if (code == CTL_OK && ctl_flag(ctl, "--above"))
		code = ctl_parse_number(
			"--above", ctl_flag(ctl, "--above"), 1, INT64_MAX / 2, &said);
	if (code != CTL_OK)
		return code;
	response = ctl_get(ctl, ctl_key(ctl, "generation"));
	if (!response)
		return CTL_UNREACHABLE;
	g->id = response->cluster_id;
	if (response->op.n_kvs == 1) {
		g->mod = response->op.kvs[0].mod_revision;
		(void)keys_generation_read(&g->present, &response->op.kvs[0]);
	}
	g->above = said;
	for (size_t i = 0; i < g->cluster.n_alarms; i++)
		if (g->cluster.alarms[i].revision > g->above)
			g->above = g->cluster.alarms[i].revision;
	if (g->above == 0)
		return ctl_error(CTL_FAILED, "no node says that it knows a later etcd: there is "
					     "nothing to accept, or --above REVISION says "
					     "it for them");
	if (g->above - g->cluster.revision > RAISE_MAX)
		return ctl_error(CTL_FAILED,
			"etcd is at revision %" PRId64 ", %" PRId64
			" was known: expected at most %d between them. Restore it "
			"with etcdutl snapshot restore --bump-revision",
			g->cluster.revision, g->above, RAISE_MAX);
	return CTL_OK;
}

static int64_t writes(const struct generation *g)
{
	return g->above < g->cluster.revision ? 0 : g->above + 1 - g->cluster.revision;
}

static void show(const struct generation *g)
{
	printf("etcd is now       cluster %016" PRIx64 ", revision %" PRId64 "\n", g->id,
		g->cluster.revision);
	for (size_t i = 0; i < g->cluster.n_alarms; i++)
		printf("%-17s cluster %s, revision %" PRId64 ", until %s\n",
			i == 0 ? "nodes have seen" : "", g->cluster.alarms[i].cluster,
			g->cluster.alarms[i].revision, g->cluster.alarms[i].since);
	printf("to be accepted    for all who have seen revision %" PRId64 " or less; %" PRId64
	       " writes raise etcd's above it\n",
		g->above, writes(g));
	printf("What was done after the backup is not in this etcd: what was run, claimed or "
	       "numbered then may be\n"
	       "again. All nodes but these must be stopped, and the etcd before must be gone for "
	       "good.\n");
}

/* One line of standard input, "yes". */
static int confirm(struct ctl *ctl)
{
	char line[16] = "";

	if (ctl_flag(ctl, "--yes"))
		return CTL_OK;
	if (!isatty(STDIN_FILENO))
		return ctl_error(CTL_USAGE, "standard input is no terminal, expected --yes");
	printf("Type yes to accept it: ");
	(void)fflush(stdout);
	if (!fgets(line, sizeof(line), stdin) || strcmp(line, "yes\n") != 0)
		return ctl_error(CTL_FAILED, "nothing was changed");
	ctl_round_time(ctl);
	return CTL_OK;
}

/* ---- the word -------------------------------------------------------------------------------- */

static int write_record(struct ctl *ctl, const struct generation *g, int64_t *revision)
{
	char value[KEYS_VALUE_MAX], end[CTL_KEY_MAX], by[ONCE_BY_MAX + 1],
		reason[ONCE_REASON_MAX + 1];
	const char *key = ctl_key(ctl, "generation"), *alarms = ctl_key(ctl, "history/");
	struct once_compare same = {
		.target = ONCE_COMPARE_MOD, .key = once_str(key), .number = g->mod};
	struct once_op ops[3] = {{.kind = ONCE_OP_PUT, .key = once_str(key)},
		{.kind = ONCE_OP_DELETE,
			.key = once_str(alarms),
			.range_end = {end, once_prefix_end(once_str(alarms), end)}},
		{.kind = ONCE_OP_DELETE, .key = once_str(ctl_key(ctl, "raise"))}};
	struct once_txn txn = {.compares = &same, .n_compares = 1, .success = ops, .n_success = 3};
	const struct once_response *response;
	int code = ctl_reason(ctl, reason);

	ctl_by(by);
	if (code == CTL_OK && keys_generation_write(value, sizeof(value), g->above, by, reason) < 0)
		code = ctl_error(CTL_USAGE, "--reason: too long");
	if (code != CTL_OK)
		return code;
	ops[0].value = once_str(value);
	response = ctl_txn_once(ctl, &txn);
	if (!response)
		return CTL_UNREACHABLE;
	if (!response->op.succeeded)
		return ctl_error(CTL_FAILED, "%s was written meanwhile: look again", key);
	*revision = response->revision;
	return CTL_OK;
}

static void tell(struct ctl *ctl, const struct generation *g, int64_t revision)
{
	struct ctl_json json = {0};

	if (!ctl->json) {
		printf("accepted at revision %" PRId64
		       "; nodes begin when all earlier work is dead\n",
			revision);
		return;
	}
	ctl_json_object(&json, NULL);
	ctl_json_text(&json, "cluster", ctl_printf(ctl, "%016" PRIx64, g->id));
	ctl_json_number(&json, "above", g->above);
	ctl_json_number(&json, "revision", revision);
	ctl_json_end_object(&json);
}

static int run(struct ctl *ctl)
{
	struct generation g = {0};
	int64_t revision;
	char reason[ONCE_REASON_MAX + 1];
	int code = ctl_reason(ctl, reason);

	if (code == CTL_OK)
		code = read_all(ctl, &g);
	if (code != CTL_OK)
		return code;
	if (!ctl->json)
		show(&g);
	code = confirm(ctl);
	revision = g.cluster.revision;
	if (code == CTL_OK)
		code = raise_revision(ctl, g.above, &revision);
	if (code == CTL_OK)
		code = write_record(ctl, &g, &revision);
	if (code == CTL_OK)
		tell(ctl, &g, revision);
	return code;
}

static const struct ctl_flag flags[] = {
	{"--above", "REVISION",
		"nodes have seen as high a revision, also those that cannot say so"},
	{"--reason", "TEXT", "for people"},
	{"--yes", NULL, "do not ask"},
	{NULL, NULL, NULL},
};

const struct ctl_command ctl_command_new_generation = {
	.name = "new-generation",
	.words = "",
	.bulk = true,
	.summary = "accept an etcd that came back older, or is another one",
	.details = "Nodes that have seen a later etcd than the one they find run nothing until "
		   "then; status and\n"
		   "doctor show them. etcd's revision is raised above all they have seen, so that "
		   "tokens go\n"
		   "on growing.\n",
	.flags = flags,
	.run = run,
};
