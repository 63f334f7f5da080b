/* The core's actions as calls to etcd, and their answers as the core's events. Each operation becomes
 * one call (a release with a reservation: a grant before it), whose answer is given to the core once.
 * The txns are those that the comments of election.h describe. */
#include "elect/elector.h"

#include <errno.h>
#include <string.h>

enum { RESERVE_TTL_S = 10 };

static struct once_call_options options_of(const struct once_elector *e)
{
	struct once_call_options options = {ONCE_LANE_CONTROL, e->timing.request_timeout_ns};
	return options;
}

/* ---- ops and compares ---- */

static struct once_op op_range(const char *key)
{
	return (struct once_op){.kind = ONCE_OP_RANGE, .key = once_str(key)};
}

static struct once_op op_prefix(const char *key, char *end)
{
	struct once_op op = op_range(key);

	op.range_end.data = end;
	op.range_end.size = once_prefix_end(op.key, end);
	return op;
}

static struct once_op op_put(const char *key, const char *value, int64_t lease)
{
	return (struct once_op){
		.kind = ONCE_OP_PUT, .key = once_str(key), .value = once_str(value), .lease = lease};
}

static struct once_op op_delete(const char *key)
{
	return (struct once_op){.kind = ONCE_OP_DELETE, .key = once_str(key)};
}

static struct once_compare compare(enum once_compare_target target, const char *key, int64_t number)
{
	return (struct once_compare){.target = target, .key = once_str(key), .number = number};
}

static struct once_compare compare_value(const char *key, const char *value)
{
	return (struct once_compare){
		.target = ONCE_COMPARE_VALUE, .key = once_str(key), .value = once_str(value)};
}

/* The ranges that show all of the group: leader, state, beats. In this order (view.c). */
struct all_ranges {
	struct once_op ops[3];
	char group_end[512], beats_end[512];
};

static void all_ranges(struct once_elector *e, struct all_ranges *all)
{
	all->ops[0] = op_range(e->keys.leader);
	all->ops[1] = op_prefix(e->keys.group, all->group_end);
	all->ops[2] = op_prefix(e->keys.beats, all->beats_end);
}

/* ---- answers ---- */

static struct flight *flight_new(struct once_elector *e, const struct election_action *action)
{
	for (int i = 0; i < ELECTOR_FLIGHTS_MAX; i++) {
		struct flight *f = &e->flights[i];
		if (f->call)
			continue;
		f->elector = e;
		f->action = *action;
		f->counted = false;
		return f;
	}
	return NULL;
}

void elector_cancel_flights(struct once_elector *e)
{
	for (int i = 0; i < ELECTOR_FLIGHTS_MAX; i++) {
		struct flight *f = &e->flights[i];
		if (f->call && f->counted)
			node_call_ended(e->node);
		f->call = once_call_cancel(f->call);
	}
	e->abandon = once_call_cancel(e->abandon);
}

static enum election_refusal refusal_of(int error)
{
	if (error == -ENOSPC)
		return ELECTION_REFUSED_NOSPACE;
	return error == -ENOENT ? ELECTION_REFUSED_NO_LEASE : ELECTION_REFUSED_OTHER;
}

void elector_reply(struct election_event *event, uint32_t op, const struct once_response *response)
{
	memset(event, 0, sizeof(*event));
	event->kind = ELECTION_REPLY;
	event->reply.op = op;
	event->reply.outcome = response->outcome == ONCE_APPLIED ? ELECTION_APPLIED
		: response->outcome == ONCE_NOT_APPLIED		 ? ELECTION_REFUSED
								 : ELECTION_UNKNOWN;
	event->reply.refusal = refusal_of(response->error);
	if (event->reply.refusal == ELECTION_REFUSED_NOSPACE)
		event->reply.outcome = ELECTION_REFUSED; /* and perhaps written; the core knows */
	event->reply.sent = response->sent;
	event->reply.succeeded = response->op.succeeded;
	event->reply.revision = response->revision;
	event->reply.lease = response->lease;
	event->reply.ttl = response->ttl_s > 0 ? response->ttl_s * ONCE_NSEC_PER_SEC : 0;
}

static void landed(struct flight *f)
{
	f->call = NULL;
	if (f->counted)
		node_call_ended(f->elector->node);
	f->counted = false;
}

static void on_answer(void *userdata, const struct once_response *response)
{
	struct flight *f = userdata;
	struct once_elector *e = f->elector;
	struct election_event event;

	if (f->counted)
		node_call_answered(e->node, response->outcome != ONCE_UNKNOWN);
	landed(f);
	node_answered(e->node, response);
	elector_reply(&event, f->action.op, response);
	if (f->action.kind == ELECTION_ACQUIRE && response->outcome == ONCE_APPLIED) {
		if (response->op.succeeded)
			view_acquired(e, &event.reply.view, response->op.results, response->op.n_results);
		else
			view_from_results(
				e, &event.reply.view, response->op.results, response->op.n_results);
	}
	if (f->action.kind == ELECTION_ACQUIRE && response->outcome == ONCE_NOT_APPLIED &&
		response->error == -ENOENT)
		lease_refused(e->node, f->action.lease);
	elector_step(e, &event);
}

/* ---- operations ---- */

static int start_txn(struct once_elector *e, struct flight *f, const struct once_txn *txn)
{
	struct once_call_options options = options_of(e);
	return once_txn(e->node->client, &f->call, &options, txn, on_answer, f);
}

static int perform_acquire(struct once_elector *e, struct flight *f)
{
	char epoch[KEYS_VALUE_MAX], beat[64];
	struct once_compare compares[4];
	struct once_op success[7];
	struct all_ranges all;
	struct once_txn txn = {.compares = compares, .success = success, .failure = all.ops, .n_failure = 3};
	int r;

	r = shard_join(e);
	if (r < 0)
		return r;
	r = keys_epoch_write(epoch, sizeof(epoch), e->core.config.incarnation, e->node->name,
		e->node->address,
		e->keys.beat);
	if (r < 0)
		return r;
	(void)keys_beat_write(beat, sizeof(beat), e->core.config.incarnation, ++e->node->beat_number);
	compares[txn.n_compares++] = compare(ONCE_COMPARE_CREATE, e->keys.leader, 0);
	if (f->action.fresh) {
		compares[txn.n_compares++] = compare(ONCE_COMPARE_CREATE, e->keys.config, 0);
		compares[txn.n_compares++] = compare(ONCE_COMPARE_CREATE, e->keys.epoch, 0);
	} else {
		compares[txn.n_compares++] = compare_value(e->keys.config, e->keys.config_value);
	}
	compares[txn.n_compares++] = e->core.view.reserve == ELECTION_RESERVE_US
		? compare_value(e->keys.reserve, e->node->name)
		: compare(ONCE_COMPARE_CREATE, e->keys.reserve, 0);

	success[txn.n_success++] = op_range(e->keys.clean);
	memcpy(e->asked_beat, e->epoch.beat, sizeof(e->asked_beat));
	if (e->asked_beat[0])
		success[txn.n_success++] = op_range(e->asked_beat);
	success[txn.n_success++] = op_put(e->keys.leader, e->value, f->action.lease);
	success[txn.n_success] = op_put(e->keys.epoch, epoch, 0);
	success[txn.n_success++].prev_kv = true;
	success[txn.n_success++] = op_put(e->keys.beat, beat, 0);
	if (f->action.fresh)
		success[txn.n_success++] = op_put(e->keys.config, e->keys.config_value, 0);
	/* Followed: it must not keep others from the key when this node gives it away again. */
	if (e->core.view.reserve == ELECTION_RESERVE_US)
		success[txn.n_success++] = op_delete(e->keys.reserve);
	all_ranges(e, &all);
	return start_txn(e, f, &txn);
}

static int perform_beat(struct once_elector *e, struct flight *f)
{
	char beat[64];
	struct once_compare compares[2] = {
		compare(ONCE_COMPARE_CREATE, e->keys.leader, f->action.token),
		compare(ONCE_COMPARE_LEASE, e->keys.leader, f->action.lease),
	};
	struct once_op op = op_delete(e->keys.beat);
	struct once_txn txn = {.compares = compares, .n_compares = 2, .success = &op, .n_success = 1};

	(void)keys_beat_write(beat, sizeof(beat), e->core.config.incarnation, ++e->node->beat_number);
	if (!f->action.as_delete)
		op = op_put(e->keys.beat, beat, 0);
	return start_txn(e, f, &txn);
}

static int perform_seize(struct once_elector *e, struct flight *f)
{
	char clean[32], ended[KEYS_ENDED_MAX];
	struct once_compare compares[2] = {
		compare(ONCE_COMPARE_CREATE, e->keys.leader, f->action.token),
		compare(ONCE_COMPARE_MOD, e->epoch.beat, f->action.beat_mod),
	};
	struct once_op success[3];
	struct once_txn txn = {
		.compares = compares, .n_compares = 2, .success = success, .n_success = 3};

	(void)keys_clean_write(clean, sizeof(clean), f->action.token);
	success[0] = op_delete(e->keys.leader);
	success[1] = op_put(e->keys.clean, clean, 0);
	(void)keys_ended_write(ended, sizeof(ended), f->action.token, e->node->name, "silent");
	success[2] = op_put(e->keys.ended, ended, 0);
	return start_txn(e, f, &txn);
}

/* Why the term that is being released ends, for people. */
static const char *end_reason(const struct once_elector *e)
{
	if (e->core.role == ELECTION_RECOVER)
		return "crash";
	switch (e->core.reason) {
	case ELECTION_REASON_SWITCHOVER:
		return "switchover";
	case ELECTION_REASON_DEADLINE:
		return "deadline";
	default:
		return "shutdown";
	}
}

/* reserve_lease: 0 without a reservation. What asked for this very end goes with it, so that it is not
 * asked of the next leader, too. */
static int release_txn(struct once_elector *e, struct flight *f, int64_t reserve_lease)
{
	char clean[32] = "", ended[KEYS_ENDED_MAX];
	struct once_compare holds = compare(ONCE_COMPARE_CREATE, e->keys.leader, f->action.token);
	struct once_compare older = compare(ONCE_COMPARE_MOD, e->keys.clean, f->action.clean_before);
	struct once_op success[5] = {op_delete(e->keys.leader), op_delete(e->keys.handover)};
	struct once_op put_clean, failure;
	struct once_txn nested = {.compares = &older, .n_compares = 1, .success = &put_clean, .n_success = 1};
	struct once_txn txn = {.compares = &holds, .n_compares = 1, .success = success, .n_success = 2};

	older.result = ONCE_LESS; /* what is there is of an earlier term */
	if (f->action.clean) {
		(void)keys_clean_write(clean, sizeof(clean), f->action.token);
		put_clean = op_put(e->keys.clean, clean, 0);
		success[txn.n_success++] = put_clean;
		(void)keys_ended_write(
			ended, sizeof(ended), f->action.token, e->node->name, end_reason(e));
		success[txn.n_success++] = op_put(e->keys.ended, ended, 0);
		failure = (struct once_op){.kind = ONCE_OP_TXN, .txn = &nested};
		txn.failure = &failure;
		txn.n_failure = 1;
	}
	if (reserve_lease != 0)
		success[txn.n_success++] = op_put(e->keys.reserve, e->reserve_to, reserve_lease);
	return start_txn(e, f, &txn);
}

static void on_reserve_lease(void *userdata, const struct once_response *response)
{
	struct flight *f = userdata;
	struct election_event event;

	f->call = NULL;
	/* Without a lease the release goes without the reservation: it matters more. */
	if (release_txn(f->elector, f, response->outcome == ONCE_APPLIED ? response->lease : 0) == 0)
		return;
	landed(f);
	elector_reply(&event, f->action.op, response);
	event.reply.outcome = ELECTION_REFUSED;
	elector_step(f->elector, &event);
}

static int perform_release(struct once_elector *e, struct flight *f)
{
	struct once_call_options options = options_of(e);

	if (!f->action.reserve || e->reserve_to[0] == '\0')
		return release_txn(e, f, 0);
	return once_lease_grant(
		e->node->client, &f->call, &options, RESERVE_TTL_S, 0, on_reserve_lease, f);
}

static int start(struct once_elector *e, const struct election_action *action, bool counted)
{
	struct once_call_options options = options_of(e);
	struct flight *f = flight_new(e, action);
	int r;

	if (!f)
		return -EBUSY;
	switch (action->kind) {
	case ELECTION_KEEPALIVE:
		r = once_lease_keepalive(e->node->client, &f->call, &options, action->lease, on_answer, f);
		break;
	case ELECTION_REVOKE:
		r = once_lease_revoke(e->node->client, &f->call, &options, action->lease, on_answer, f);
		break;
	case ELECTION_ACQUIRE:
		r = perform_acquire(e, f);
		break;
	case ELECTION_BEAT:
		r = perform_beat(e, f);
		break;
	case ELECTION_SEIZE:
		r = perform_seize(e, f);
		break;
	case ELECTION_RELEASE:
		r = perform_release(e, f);
		break;
	default:
		r = -EINVAL;
		break;
	}
	if (r < 0)
		f->call = NULL;
	else
		f->counted = counted;
	return r;
}

/* A request whose turn has come. */
static int start_counted(struct once_elector *e, const struct election_action *action)
{
	int r = start(e, action, e->node->shared);

	if (r < 0)
		node_call_ended(e->node);
	return r;
}

static struct election_event refusal(const struct election_action *a)
{
	struct election_event event = {.kind = ELECTION_LIST_FAILED};

	if (a->kind != ELECTION_LIST) {
		event.kind = ELECTION_REPLY;
		event.reply.op = a->op;
		event.reply.outcome = ELECTION_REFUSED;
	}
	return event;
}

/* Starts the call of an operation, or has the node do it. Negative: it could not be started, nothing was sent. */
int elector_perform(struct once_elector *e, const struct election_action *action)
{
	int r;

	switch (action->kind) {
	case ELECTION_LIST:
		return look_list(e, action);
	case ELECTION_GRANT:
	case ELECTION_KEEPALIVE:
	case ELECTION_REVOKE:
		r = lease_perform(e, action);
		return r <= 0 ? r : start(e, action, false);
	case ELECTION_BEAT:
		return e->named ? shard_beat(e, action) : start(e, action, false);
	default:
		return node_call_waits(e, action) ? 0 : start_counted(e, action);
	}
}

/* An operation that could not be started has no effect and never will have. */
static void refuse(struct once_elector *e, const struct election_action *action)
{
	struct election_event event = refusal(action);

	elector_owe(e, &event);
}

/* Performs an operation; the answer comes later in any case. */
void elector_do(struct once_elector *e, const struct election_action *action)
{
	if (elector_perform(e, action) < 0)
		refuse(e, action);
}

/* ---- a term whose work does not die ---- */

static void on_abandoned(void *userdata, const struct once_response *response)
{
	struct once_elector *e = userdata;

	e->abandon = NULL;
	node_answered(e->node, response);
}

/* The lease lives on with the node's other groups, so it does not end such a term as it would a lone one's:
 * the node does, as the lease would, without `clean`. */
void elector_abandon(struct once_elector *e)
{
	struct once_call_options options = options_of(e);
	struct once_compare holds = compare(ONCE_COMPARE_CREATE, e->keys.leader, e->core.token);
	struct once_op op = op_delete(e->keys.leader);
	struct once_txn txn = {.compares = &holds, .n_compares = 1, .success = &op, .n_success = 1};

	e->abandoned = e->loop->ops->now(e->loop);
	if (!e->abandon)
		(void)once_txn(e->node->client, &e->abandon, &options, &txn, on_abandoned, e);
}
