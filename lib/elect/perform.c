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
		return f;
	}
	return NULL;
}

void elector_cancel_flights(struct once_elector *e)
{
	for (int i = 0; i < ELECTOR_FLIGHTS_MAX; i++)
		e->flights[i].call = once_call_cancel(e->flights[i].call);
}

static enum election_refusal refusal_of(int error)
{
	if (error == -ENOSPC)
		return ELECTION_REFUSED_NOSPACE;
	return error == -ENOENT ? ELECTION_REFUSED_NO_LEASE : ELECTION_REFUSED_OTHER;
}

static void reply_fill(struct election_event *event, uint32_t op,
	const struct once_response *response)
{
	memset(event, 0, sizeof(*event));
	event->kind = ELECTION_REPLY;
	event->reply.op = op;
	event->reply.outcome = response->outcome == ONCE_APPLIED ? ELECTION_APPLIED
		: response->outcome == ONCE_NOT_APPLIED		 ? ELECTION_REFUSED
								 : ELECTION_UNKNOWN;
	event->reply.refusal = refusal_of(response->error);
	event->reply.sent = response->sent;
	event->reply.succeeded = response->op.succeeded;
	event->reply.revision = response->revision;
	event->reply.lease = response->lease;
	event->reply.ttl = response->ttl_s > 0 ? response->ttl_s * ONCE_NSEC_PER_SEC : 0;
}

static void on_answer(void *userdata, const struct once_response *response)
{
	struct flight *f = userdata;
	struct once_elector *e = f->elector;
	struct election_event event;

	f->call = NULL;
	elector_answered(e, response);
	reply_fill(&event, f->action.op, response);
	if (f->action.kind == ELECTION_ACQUIRE && response->outcome == ONCE_APPLIED) {
		if (response->op.succeeded)
			view_acquired(e, &event.reply.view, response->op.results, response->op.n_results);
		else
			view_from_results(
				e, &event.reply.view, response->op.results, response->op.n_results);
	}
	elector_step(e, &event);
}

static void on_listed(void *userdata, const struct once_response *response)
{
	struct flight *f = userdata;
	struct once_elector *e = f->elector;
	struct election_event event = {.kind = ELECTION_LIST_FAILED};
	bool rewatch = f->action.rewatch;

	f->call = NULL;
	elector_answered(e, response);
	if (response->outcome == ONCE_APPLIED) {
		event.kind = ELECTION_LISTED;
		event.listed.revision = response->revision;
		view_from_results(
			e, &event.listed.view, response->op.results, response->op.n_results);
		if (rewatch || !e->watch) {
			e->watch = once_watch_cancel(e->watch);
			e->watch_revision = response->revision;
			e->watch_due = true; /* after what the list leads to: that is more urgent */
		}
	}
	elector_step(e, &event);
}

/* ---- operations ---- */

static int start_txn(struct once_elector *e, struct flight *f, const struct once_txn *txn,
	once_done_fn *done)
{
	struct once_call_options options = options_of(e);
	return once_txn(e->client, &f->call, &options, txn, done, f);
}

static int perform_list(struct once_elector *e, struct flight *f)
{
	struct all_ranges all;
	struct once_txn txn = {.success = all.ops, .n_success = 3};

	all_ranges(e, &all);
	return start_txn(e, f, &txn, on_listed);
}

static int perform_acquire(struct once_elector *e, struct flight *f)
{
	char epoch[KEYS_VALUE_MAX], beat[64];
	struct once_compare compares[4];
	struct once_op success[7];
	struct all_ranges all;
	struct once_txn txn = {.compares = compares, .success = success, .failure = all.ops, .n_failure = 3};
	int r;

	r = keys_epoch_write(epoch, sizeof(epoch), e->core.config.incarnation, e->node, e->address,
		e->keys.beat);
	if (r < 0)
		return r;
	(void)keys_beat_write(beat, sizeof(beat), e->core.config.incarnation, ++e->beats);
	compares[txn.n_compares++] = compare(ONCE_COMPARE_CREATE, e->keys.leader, 0);
	if (f->action.fresh) {
		compares[txn.n_compares++] = compare(ONCE_COMPARE_CREATE, e->keys.config, 0);
		compares[txn.n_compares++] = compare(ONCE_COMPARE_CREATE, e->keys.epoch, 0);
	} else {
		compares[txn.n_compares++] = compare_value(e->keys.config, e->keys.config_value);
	}
	compares[txn.n_compares++] = e->core.view.reserve == ELECTION_RESERVE_US
		? compare_value(e->keys.reserve, e->node)
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
	return start_txn(e, f, &txn, on_answer);
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

	(void)keys_beat_write(beat, sizeof(beat), e->core.config.incarnation, ++e->beats);
	if (!f->action.as_delete)
		op = op_put(e->keys.beat, beat, 0);
	return start_txn(e, f, &txn, on_answer);
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
	(void)keys_ended_write(ended, sizeof(ended), f->action.token, e->node, "silent");
	success[2] = op_put(e->keys.ended, ended, 0);
	return start_txn(e, f, &txn, on_answer);
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
			ended, sizeof(ended), f->action.token, e->node, end_reason(e));
		success[txn.n_success++] = op_put(e->keys.ended, ended, 0);
		failure = (struct once_op){.kind = ONCE_OP_TXN, .txn = &nested};
		txn.failure = &failure;
		txn.n_failure = 1;
	}
	if (reserve_lease != 0)
		success[txn.n_success++] = op_put(e->keys.reserve, e->reserve_to, reserve_lease);
	return start_txn(e, f, &txn, on_answer);
}

static void on_reserve_lease(void *userdata, const struct once_response *response)
{
	struct flight *f = userdata;
	struct election_event event;

	f->call = NULL;
	/* Without a lease the release goes without the reservation: it matters more. */
	if (release_txn(f->elector, f, response->outcome == ONCE_APPLIED ? response->lease : 0) == 0)
		return;
	f->call = NULL;
	reply_fill(&event, f->action.op, response);
	event.reply.outcome = ELECTION_REFUSED;
	elector_step(f->elector, &event);
}

static int perform_release(struct once_elector *e, struct flight *f)
{
	struct once_call_options options = options_of(e);

	if (!f->action.reserve || e->reserve_to[0] == '\0')
		return release_txn(e, f, 0);
	return once_lease_grant(
		e->client, &f->call, &options, RESERVE_TTL_S, 0, on_reserve_lease, f);
}

/* Starts the call of an operation. Negative: it could not be started, nothing was sent. */
int elector_perform(struct once_elector *e, const struct election_action *action)
{
	struct once_call_options options = options_of(e);
	struct flight *f = flight_new(e, action);
	int r;

	if (!f)
		return -EBUSY;
	switch (action->kind) {
	case ELECTION_LIST:
		r = perform_list(e, f);
		break;
	case ELECTION_GRANT:
		r = once_lease_grant(
			e->client, &f->call, &options, e->timing.lease_ttl_s, 0, on_answer, f);
		break;
	case ELECTION_KEEPALIVE:
		r = once_lease_keepalive(e->client, &f->call, &options, action->lease, on_answer, f);
		break;
	case ELECTION_REVOKE:
		r = once_lease_revoke(e->client, &f->call, &options, action->lease, on_answer, f);
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
	return r;
}

/* ---- watch ---- */

static void on_watch(void *userdata, const struct once_watch_report *report)
{
	struct once_elector *e = userdata;
	struct election_event event = {0};
	bool freed = false;

	switch (report->note) {
	case ONCE_WATCH_EVENTS:
		for (size_t i = 0; i < report->n_events && !freed; i++) {
			if (report->events[i].kv.mod_revision > e->watch_revision)
				e->watch_revision = report->events[i].kv.mod_revision;
			if (!view_seen(e, &event, &report->events[i]))
				continue;
			e->freed = &freed;
			elector_step(e, &event);
			if (!freed)
				e->freed = NULL;
		}
		break;
	case ONCE_WATCH_COMPACTED:
	case ONCE_WATCH_FAILED:
		e->watch = NULL;
		elector_say(e, ONCE_LOG_INFO, "watch-ended", "the watch ended (%s); listing again",
			report->note == ONCE_WATCH_COMPACTED ? "compacted" : report->message);
		event.kind = ELECTION_UNWATCHED;
		elector_step(e, &event);
		break;
	case ONCE_WATCH_STARTED:
	case ONCE_WATCH_PROGRESS:
	case ONCE_WATCH_BROKEN:
		break;
	}
}

/* Watches from watch_revision on. Without the beats for a leader, who has only its own to see. */
int elector_watch(struct once_elector *e, bool beats)
{
	char group_end[512], beats_end[512];
	struct once_watch_range ranges[3] = {{.key = once_str(e->keys.leader)},
		{.key = once_str(e->keys.group)}, {.key = once_str(e->keys.beats)}};
	struct once_watch_config config = {.ranges = ranges, .n_ranges = beats ? 3 : 2};

	ranges[1].range_end =
		(struct once_bytes){group_end, once_prefix_end(ranges[1].key, group_end)};
	ranges[2].range_end =
		(struct once_bytes){beats_end, once_prefix_end(ranges[2].key, beats_end)};
	config.start_revision = e->watch_revision + 1;
	e->watch = once_watch_cancel(e->watch);
	e->watch_beats = beats;
	return once_watch_start(e->client, &e->watch, &config, on_watch, e);
}
