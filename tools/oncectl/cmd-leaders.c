/* oncectl leaders: the terms of a group and why each ended.
 *
 * Happy path: every acquire puts the epoch, whose mod_revision is the term's token; so the epoch's
 * value one revision before a token is the term before. Each step back is one txn at that revision,
 * which also shows how the earlier term ended: the key `ended` is put by whoever ended it in order.
 * What etcd has compacted is gone, and said so. */
#include "tools/oncectl/cluster.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "elect/keys.h"

enum { TERMS_DEFAULT = 10, TERMS_MAX = 1000 };

struct term {
	int64_t token;
	const char *node, *since;
	bool now; /* leads */
	/* how it ended; NULL: it has not, or nobody said */
	const char *end, *end_by, *end_at;
};

struct past {
	struct ctl *ctl;
	const char *leader, *epoch, *clean, *ended;
	struct term *terms;
	size_t n, max;
	bool compacted; /* what was before is gone from etcd */
	bool first;	/* the last one in terms was the first there was */
};

static bool number_is(const char *text, int64_t value)
{
	char wanted[32];

	(void)snprintf(wanted, sizeof(wanted), "%lld", (long long)value);
	return text && strcmp(text, wanted) == 0;
}

static const char *in_words(const char *reason)
{
	static const char *const words[][2] = {
		{"shutdown", "its node was stopped"},
		{"switchover", "handed over on request"},
		{"deadline", "could not prove itself in time"},
		{"crash", "its process died"},
		{"silent", "gave no proof for too long"},
	};

	for (size_t i = 0; reason && i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(words[i][0], reason) == 0)
			return words[i][1];
	return reason;
}

static const struct once_kv *only(const struct once_op_result *result)
{
	return result->n_kvs > 0 ? &result->kvs[0] : NULL;
}

/* results: leader, epoch, clean, ended at one revision, which lies after the term. */
static void take_end(struct past *p, struct term *term, const struct once_op_result *results)
{
	const struct once_kv *leader = only(&results[0]), *clean = only(&results[2]),
			     *ended = only(&results[3]);
	int64_t clean_token = 0;

	if (leader && leader->create_revision == term->token) {
		term->now = true;
		return;
	}
	if (ended && number_is(ctl_field(p->ctl, ended->value, "token"), term->token)) {
		term->end = in_words(ctl_field(p->ctl, ended->value, "reason"));
		term->end_by = ctl_field(p->ctl, ended->value, "by");
		term->end_at = ctl_field(p->ctl, ended->value, "at");
	} else if (clean && keys_clean_read(&clean_token, clean->value) &&
		   clean_token == term->token) {
		term->end = "ended in order, by whom is not known";
	} else {
		term->end = "not known: its lease ended, or the key was deleted";
	}
}

static struct term *take_term(struct past *p, const struct once_kv *epoch)
{
	struct term *term = &p->terms[p->n++];

	term->token = epoch->mod_revision;
	term->node = ctl_field(p->ctl, epoch->value, "node");
	term->since = ctl_field(p->ctl, epoch->value, "since");
	p->first = epoch->version == 1;
	return term;
}

/* One step: how things stood at that revision. 0: go on; 1: this was the end; or the exit code + 1.
 */
static int step(struct past *p, int64_t revision)
{
	struct once_op ops[4] = {
		{.kind = ONCE_OP_RANGE, .key = once_str(p->leader), .revision = revision},
		{.kind = ONCE_OP_RANGE, .key = once_str(p->epoch), .revision = revision},
		{.kind = ONCE_OP_RANGE, .key = once_str(p->clean), .revision = revision},
		{.kind = ONCE_OP_RANGE, .key = once_str(p->ended), .revision = revision},
	};
	struct once_txn txn = {.success = ops, .n_success = 4};
	const struct once_response *r = ctl_txn_or(p->ctl, &txn, -ESTALE);
	const struct once_kv *epoch;

	if (!r)
		return 1 + CTL_UNREACHABLE;
	if (r->error == -ESTALE) {
		p->compacted = true;
		return 1;
	}
	if (r->op.n_results != 4)
		return 1 + ctl_error(CTL_UNREACHABLE, "etcd at %s: an answer without its parts",
				   r->endpoint);
	epoch = only(&r->op.results[1]);
	if (!epoch)
		return 1;
	take_end(p, take_term(p, epoch), r->op.results);
	return p->first ? 1 : 0;
}

static int collect(struct past *p)
{
	int r = 0;

	/* The present is revision 0. */
	for (int64_t revision = 0; r == 0 && p->n < p->max;) {
		r = step(p, revision);
		if (r == 0)
			revision = p->terms[p->n - 1].token - 1;
	}
	return r > 1 ? r - 1 : CTL_OK;
}

static const char *end_of(struct ctl *ctl, const struct term *term)
{
	if (term->now)
		return "leads";
	if (term->end_by && (!term->node || strcmp(term->end_by, term->node) != 0))
		return ctl_printf(ctl, "%s, ended by %s", term->end, term->end_by);
	return term->end;
}

static void print(struct ctl *ctl, const struct past *p)
{
	static const char *const heads[] = {
		"TOKEN", "NODE", "SINCE", "UNTIL", "WHY IT ENDED", NULL};
	struct ctl_table table;

	if (p->n == 0) {
		printf("no term of group %s is known\n", ctl->group);
		return;
	}
	ctl_table_init(&table, ctl, heads);
	for (size_t i = 0; i < p->n; i++) {
		const struct term *term = &p->terms[i];

		ctl_table_add(&table, ctl_printf(ctl, "%lld", (long long)term->token));
		ctl_table_add(&table, term->node);
		ctl_table_add(&table, term->since);
		ctl_table_add(&table, term->end_at);
		ctl_table_add(&table, end_of(ctl, term));
	}
	ctl_table_print(&table);
	if (p->compacted)
		printf("What was before is not known: etcd has compacted it.\n");
}

static void print_json(struct ctl *ctl, const struct past *p)
{
	struct ctl_json json = {0};

	ctl_json_object(&json, NULL);
	ctl_json_text(&json, "group", ctl->group);
	ctl_json_array(&json, "terms");
	for (size_t i = 0; i < p->n; i++) {
		const struct term *term = &p->terms[i];

		ctl_json_object(&json, NULL);
		ctl_json_number(&json, "token", term->token);
		ctl_json_text(&json, "node", term->node);
		ctl_json_text(&json, "since", term->since);
		ctl_json_bool(&json, "leads", term->now);
		ctl_json_text(&json, "until", term->end_at);
		ctl_json_text(&json, "end", term->end);
		ctl_json_text(&json, "ended_by", term->end_by);
		ctl_json_end_object(&json);
	}
	ctl_json_end_array(&json);
	ctl_json_bool(&json, "compacted", p->compacted);
	ctl_json_end_object(&json);
}

static int run(struct ctl *ctl)
{
	const char *limit = ctl_flag(ctl, "--limit");
	struct past p = {.ctl = ctl, .leader = ctl->leader_key};
	int64_t max = TERMS_DEFAULT;
	int code = CTL_OK;

	if (limit)
		code = ctl_parse_number("--limit", limit, 1, TERMS_MAX, &max);
	if (code != CTL_OK)
		return code;
	p.epoch = ctl_key(ctl, "g/%s/epoch", ctl->group);
	p.clean = ctl_key(ctl, "g/%s/clean", ctl->group);
	p.ended = ctl_key(ctl, "g/%s/ended", ctl->group);
	p.max = (size_t)max;
	p.terms = arena_array(&ctl->arena, p.max, sizeof(*p.terms));
	if (!p.terms)
		return ctl_out_of_memory();
	code = collect(&p);
	if (code != CTL_OK)
		return code;
	if (ctl->json)
		print_json(ctl, &p);
	else
		print(ctl, &p);
	return CTL_OK;
}

static const struct ctl_flag flags[] = {
	{"--limit", "N", "at most so many terms, the latest first [10]"},
	{NULL, NULL, NULL},
};

const struct ctl_command ctl_command_leaders = {
	.name = "leaders",
	.words = "",
	.summary = "the latest terms, and why each ended",
	.details = "Told by what etcd still remembers: terms from before its last compaction are "
		   "gone.\n",
	.flags = flags,
	.run = run,
};
