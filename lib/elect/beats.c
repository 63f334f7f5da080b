/* Beats of many groups in one txn: a shard. docs/groups.md has the argument.
 *
 * A core's beat waits for the next turn of the loop; there the other electors of the shard that hold their keys
 * are asked to prove themselves, too, and all that then waits goes as one. Committed: each is proven from
 * the moment it was sent. Refused: the failure branch shows whose key is not as compared; those are lost, the others
 * go again at once, proven by nothing yet. Anything else: each core is told what happened. */
#include "elect/elector.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct shard {
	struct list in_node;
	struct once_node *node;
	char *key; /* owned */
	unsigned n_electors;
	struct list waiting; /* electors with a beat to send */
	struct list flying;  /* struct beat */
};

/* One txn on its way. */
struct beat {
	struct list in_shard;
	struct shard *shard;
	struct once_call *call;
	bool as_delete;
	unsigned n;
	struct member {
		struct once_elector *e; /* NULL: freed meanwhile */
		struct election_action action;
	} of[SHARD_GROUPS];
};

/* ---- who belongs where ---- */

static struct shard *shard_new(struct once_node *n)
{
	struct shard *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	if (asprintf(&s->key, "%s%s/s%u", n->beats, n->name, n->n_shards + 1) < 0) {
		free(s);
		return NULL;
	}
	s->node = n;
	list_init(&s->waiting);
	list_init(&s->flying);
	list_append(&n->shards, &s->in_node);
	n->n_shards++;
	return s;
}

/* Before its first bid, and for the elector's whole life: its epochs name the shard's beat key. So those that a
 * node has bid for are together in few shards, however many others it follows. */
int shard_join(struct once_elector *e)
{
	struct shard *joined = NULL;
	struct list *i;

	if (!e->named || e->keys.beat)
		return 0;

	list_foreach (i, &e->node->shards) {
		struct shard *s = list_entry(i, struct shard, in_node);
		if (s->n_electors < SHARD_GROUPS && !joined)
			joined = s;
	}
	if (!joined)
		joined = shard_new(e->node);
	if (!joined)
		return -ENOMEM;
	e->keys.beat = strdup(joined->key);
	if (!e->keys.beat)
		return -ENOMEM;
	joined->n_electors++;
	e->shard = joined;
	return 0;
}

static void drop(struct beat *b)
{
	b->call = once_call_cancel(b->call);
	list_remove(&b->in_shard);
	free(b);
}

static void forget(struct beat *b, const struct once_elector *e)
{
	for (unsigned k = 0; k < b->n; k++)
		if (b->of[k].e == e)
			b->of[k].e = NULL;
}

void shard_leave(struct once_elector *e)
{
	struct list *i;

	list_remove(&e->in_shard);
	if (!e->shard)
		return;
	list_foreach (i, &e->shard->flying)
		forget(list_entry(i, struct beat, in_shard), e);
	list_foreach (i, &e->node->telling)
		forget(list_entry(i, struct beat, in_shard), e);
	e->shard->n_electors--;
	e->shard = NULL;
}

void shards_cancel(struct once_node *n)
{
	struct list *i;

	list_foreach (i, &n->shards) {
		struct shard *s = list_entry(i, struct shard, in_node);
		while (!list_empty(&s->flying))
			drop(list_first(&s->flying, struct beat, in_shard));
	}
}

void shards_free(struct once_node *n)
{
	shards_cancel(n);
	while (!list_empty(&n->shards)) {
		struct shard *s = list_first(&n->shards, struct shard, in_node);
		list_remove(&s->in_node);
		free(s->key);
		free(s);
	}
}

/* ---- answers ---- */

static void send(struct beat *b);

/* Tells a member, and forgets it. */
static void tell(struct beat *b, unsigned k, const struct election_event *reply)
{
	struct once_elector *e = b->of[k].e;
	struct election_event event = *reply;

	b->of[k].e = NULL;
	if (!e || e->gone)
		return;
	event.reply.op = b->of[k].action.op;
	elector_step(e, &event);
}

static void tell_all(struct beat *b, const struct election_event *reply)
{
	for (unsigned k = 0; k < b->n; k++)
		tell(b, k, reply);
}

/* Whether the range of a failure branch shows the key as the txn compared it. */
static bool is_held(const struct once_op_result *result, const struct election_action *a)
{
	return result->n_kvs == 1 && result->kvs[0].create_revision == a->token &&
		result->kvs[0].lease == a->lease;
}

/* Which of them are lost. False: it shows nothing of that kind. */
static bool find_lost(const struct beat *b, const struct once_response *response, bool lost[])
{
	bool any = false;

	if (response->op.n_results != b->n)
		return false;
	for (unsigned k = 0; k < b->n; k++) {
		if (response->op.results[k].kind != ONCE_OP_RANGE)
			return false;
		lost[k] = !is_held(&response->op.results[k], &b->of[k].action);
		any |= lost[k];
	}
	return any;
}

/* Those that are not lost go again, before anybody is told. */
static void refused(struct beat *b, const struct once_response *response,
	struct election_event *reply)
{
	bool lost[SHARD_GROUPS];
	struct beat *rest;

	if (b->n == 1) {
		tell(b, 0, reply);
		return;
	}
	rest = find_lost(b, response, lost) ? calloc(1, sizeof(*rest)) : NULL;
	if (!rest) {
		reply->reply.outcome = ELECTION_UNKNOWN; /* no answer */
		tell_all(b, reply);
		return;
	}
	rest->shard = b->shard;
	rest->as_delete = b->as_delete;
	list_append(&b->shard->flying, &rest->in_shard);
	for (unsigned k = 0; k < b->n; k++) {
		if (lost[k] || !b->of[k].e)
			continue;
		rest->of[rest->n++] = b->of[k];
		b->of[k].e = NULL;
	}
	send(rest);
	tell_all(b, reply);
}

static void on_beat(void *userdata, const struct once_response *response)
{
	struct beat *b = userdata;
	struct once_node *n = b->shard->node;
	struct election_event reply;

	b->call = NULL;
	node_answered(n, response);
	elector_reply(&reply, 0, response);
	node_enter(n);
	list_remove(&b->in_shard); /* who is told may free the node, and with it the shard */
	list_append(&n->telling, &b->in_shard);
	if (response->outcome == ONCE_APPLIED && !response->op.succeeded)
		refused(b, response, &reply);
	else
		tell_all(b, &reply);
	list_remove(&b->in_shard);
	free(b);
	node_leave(n);
}

/* ---- sending ---- */

static int start(struct beat *b)
{
	struct once_node *n = b->shard->node;
	struct once_call_options options = {ONCE_LANE_CONTROL, n->timing.request_timeout_ns};
	struct once_compare compares[2 * SHARD_GROUPS];
	struct once_op success = {.kind = ONCE_OP_PUT, .key = once_str(b->shard->key)};
	struct once_op failure[SHARD_GROUPS];
	struct once_txn txn = {.compares = compares, .success = &success, .n_success = 1,
		.failure = failure};
	char value[64];

	for (unsigned k = 0; k < b->n; k++) {
		const struct election_action *a = &b->of[k].action;
		struct once_bytes key = once_str(b->of[k].e->keys.leader);

		compares[txn.n_compares++] = (struct once_compare){
			.target = ONCE_COMPARE_CREATE, .key = key, .number = a->token};
		compares[txn.n_compares++] = (struct once_compare){
			.target = ONCE_COMPARE_LEASE, .key = key, .number = a->lease};
		failure[txn.n_failure++] =
			(struct once_op){.kind = ONCE_OP_RANGE, .key = key, .keys_only = true};
	}
	(void)keys_beat_write(value, sizeof(value), n->incarnation, ++n->beat_number);
	success.value = once_str(value);
	if (b->as_delete)
		success.kind = ONCE_OP_DELETE;
	return once_txn(n->client, &b->call, &options, &txn, on_beat, b);
}

/* What cannot be started has no effect and never will have. */
static void send(struct beat *b)
{
	struct election_event refused = {.kind = ELECTION_REPLY};

	if (b->n != 0 && start(b) == 0)
		return;
	b->call = NULL;
	refused.reply.outcome = ELECTION_REFUSED;
	for (unsigned k = 0; k < b->n; k++) {
		refused.reply.op = b->of[k].action.op;
		elector_owe(b->of[k].e, &refused);
	}
	list_remove(&b->in_shard);
	free(b);
}

int shard_beat(struct once_elector *e, const struct election_action *a)
{
	e->beat = *a;
	list_remove(&e->in_shard);
	list_append(&e->shard->waiting, &e->in_shard);
	node_turn(e->node);
	return 0;
}

/* Everybody of the shard falls into step. */
static void ask_others(struct shard *s)
{
	struct list *i;

	list_foreach (i, &s->node->electors) {
		struct once_elector *e = list_entry(i, struct once_elector, in_node);
		struct election_event event = {.kind = ELECTION_PROVE};

		if (e->gone || e->shard != s || !list_empty(&e->in_shard) || e->core.token == 0 ||
			e->core.request.op != 0)
			continue;
		elector_step(e, &event);
		if (s->node->gone)
			return; /* by a callback; what is here is freed later */
	}
}

/* All that waits and is of one kind. */
static void send_kind(struct shard *s, bool as_delete)
{
	struct beat *b = calloc(1, sizeof(*b));
	struct list *i, *next;

	if (!b)
		return; /* they go on waiting: the next turn tries again */
	b->shard = s;
	b->as_delete = as_delete;
	list_init(&b->in_shard);
	list_foreach_safe (i, next, &s->waiting) {
		struct once_elector *e = list_entry(i, struct once_elector, in_shard);

		if (e->beat.as_delete != as_delete || b->n == SHARD_GROUPS)
			continue;
		list_remove(&e->in_shard);
		if (e->core.request.op != e->beat.op)
			continue; /* given up */
		b->of[b->n].e = e;
		b->of[b->n++].action = e->beat;
	}
	list_append(&s->flying, &b->in_shard);
	send(b);
}

void shards_turn(struct once_node *n)
{
	struct list *i;

	list_foreach (i, &n->shards) {
		struct shard *s = list_entry(i, struct shard, in_node);

		if (list_empty(&s->waiting))
			continue;
		ask_others(s);
		if (n->gone)
			return;
		send_kind(s, false);
		if (!list_empty(&s->waiting))
			send_kind(s, true);
	}
}
