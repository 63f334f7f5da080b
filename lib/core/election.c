/* The election's step machine. See election.h for what goes in and out, docs/protocol.md for why.
 *
 * Shape: every wait is a function *_due_in() that says how long from now until something is due;
 * advance() does what is due in the present role, election_wake_in() takes the smallest. An event
 * only records what it says; what follows from it is decided in advance(), so that an event that
 * arrives late or twice decides nothing that the state does not.
 *
 * Happy path: START -> (RECOVER) -> FOLLOW: list, watch, lease -> nobody leads -> CLAIM -> WAIT ->
 * LEADING: a beat every H -> STOP_WORK -> STOPPING -> WORK_DEAD -> RELEASING -> FOLLOW, or REVOKING
 * -> OVER.
 *
 * Time: one who must stop in time takes the larger elapsed time of two clocks, one who must wait
 * long enough the smaller. A proof counts from the moment its request was sent, a wait from the
 * moment its answer was received. */
#include "core/election-inner.h"

#include <string.h>

static void on_reply(struct election *e, const struct election_event *event)
{
	if (event->reply.op == 0)
		return;
	if (event->reply.op == e->lease.op) {
		election_lease_reply(e, event);
		return;
	}
	if (event->reply.op != e->request.op)
		return; /* of a request that was given up */
	e->request.op = 0;
	switch (e->request.action.kind) {
	case ELECTION_ACQUIRE:
		election_claim_reply(e, event);
		break;
	case ELECTION_SEIZE:
		election_contest_reply(e, event);
		break;
	case ELECTION_BEAT:
		election_beat_reply(e, event);
		break;
	case ELECTION_RELEASE:
		election_release_reply(e, event);
		break;
	case ELECTION_REVOKE:
		election_revoke_reply(e, event);
		break;
	default:
		break;
	}
}

static void on_resign(struct election *e, const struct election_event *event)
{
	e->hold = event->resign.stay_away > 0 || (e->hold && event->resign.stay_away == 0);
	if (event->resign.stay_away > 0) {
		e->hold_since = e->now;
		e->hold_for = event->resign.stay_away;
	}
	if (event->resign.stay_away < 0)
		return;
	if (e->role != ELECTION_LEADING && e->role != ELECTION_WAIT)
		return;
	e->reserve = event->resign.to_other;
	if (e->role == ELECTION_LEADING) {
		election_stop_work(e, ELECTION_REASON_SWITCHOVER, e->config.stop_grace);
		return;
	}
	e->reason = ELECTION_REASON_SWITCHOVER;
	election_enter_releasing(e, e->token);
}

/* From here on no answer is awaited, and what was etcd's word is none. Whether work may live is the
 * guardian's deadline to say, but there is no sense in waiting for that. */
static void on_suspend(struct election *e)
{
	if (e->suspended)
		return;
	e->suspended = true;
	e->lease.op = e->list.op = e->request.op = 0;
	switch (e->role) {
	case ELECTION_LEADING:
	case ELECTION_STOPPING:
		if (e->role == ELECTION_LEADING || e->reason != ELECTION_REASON_LOST)
			election_stop_work(e, ELECTION_REASON_LOST, 0);
		break;
	case ELECTION_RECOVER:
	case ELECTION_CLAIM:
	case ELECTION_CONTEST:
	case ELECTION_WAIT:
	case ELECTION_RELEASING:
		election_disown(e);
		break;
	case ELECTION_REVOKING:
		election_enter_over(e);
		break;
	case ELECTION_IDLE:
	case ELECTION_FOLLOW:
	case ELECTION_OVER:
		break;
	}
}

static void on_resume(struct election *e)
{
	if (!e->suspended)
		return;
	e->suspended = e->listed = e->ever_term = false;
	memset(&e->view, 0, sizeof(e->view));
	memset(e->revisions, 0, sizeof(e->revisions));
	memset(&e->last, 0, sizeof(e->last));
	memset(&e->lease, 0, sizeof(e->lease));
	memset(&e->list, 0, sizeof(e->list));
	e->list.rewatch = true;
	e->beat_seen = e->heard = e->vacant_since = e->complained = (struct once_instant){0};
}

static bool is_of_etcd(enum election_event_kind kind)
{
	return kind == ELECTION_LISTED || kind == ELECTION_LIST_FAILED || kind == ELECTION_SEEN ||
	       kind == ELECTION_UNWATCHED || kind == ELECTION_REPLY;
}

static void take(struct election *e, const struct election_event *event)
{
	if (e->suspended && is_of_etcd(event->kind))
		return;
	switch (event->kind) {
	case ELECTION_START:
		election_start(e, event);
		break;
	case ELECTION_TICK:
		break;
	case ELECTION_LISTED:
		election_on_listed(e, event);
		break;
	case ELECTION_LIST_FAILED:
		e->list.op = 0;
		e->list.failures++;
		break;
	case ELECTION_SEEN:
		election_on_seen(e, event);
		break;
	case ELECTION_UNWATCHED:
		e->list.rewatch = true;
		break;
	case ELECTION_REPLY:
		on_reply(e, event);
		break;
	case ELECTION_WORK_DEAD:
		if (e->role == ELECTION_STOPPING && e->suspended)
			election_disown(e);
		else if (e->role == ELECTION_STOPPING)
			election_enter_releasing(e, e->token);
		break;
	case ELECTION_STOP:
		if (!e->stop)
			e->ending_since = e->now;
		e->stop = true;
		if (e->role == ELECTION_IDLE)
			election_enter_over(e);
		break;
	case ELECTION_RESIGN:
		on_resign(e, event);
		break;
	case ELECTION_PROVE:
		if (holds_key(e) && e->request.op == 0)
			e->beat_now = true;
		break;
	case ELECTION_STAND_BACK:
		e->config.stand_back =
			min64(max64(event->stand_back.duration, 0), e->config.lease_ttl);
		break;
	case ELECTION_SUSPEND:
		on_suspend(e);
		break;
	case ELECTION_RESUME:
		on_resume(e);
		break;
	}
}

static void advance_role(struct election *e)
{
	switch (e->role) {
	case ELECTION_IDLE:
	case ELECTION_OVER:
		break;
	case ELECTION_RECOVER:
	case ELECTION_RELEASING:
		election_release_advance(e);
		break;
	case ELECTION_FOLLOW:
		election_follow_advance(e);
		break;
	case ELECTION_CLAIM:
		election_claim_advance(e);
		break;
	case ELECTION_CONTEST:
		if (e->stop || e->request.op == 0)
			election_enter_follow(e);
		break;
	case ELECTION_WAIT:
		election_wait_advance(e);
		break;
	case ELECTION_LEADING:
		election_leading_advance(e);
		break;
	case ELECTION_STOPPING:
		election_beat_advance(e);
		break;
	case ELECTION_REVOKING:
		election_revoke_advance(e);
		break;
	}
}

void election_init(struct election *e, const struct election_config *config)
{
	memset(e, 0, sizeof(*e));
	e->config = *config;
	e->random = config->seed ? config->seed : 1;
	e->list.rewatch = true;
}

void election_step(struct election *e, const struct election_event *event,
	struct election_actions *ret_actions)
{
	enum election_role before;

	ret_actions->n = 0;
	e->out = ret_actions;
	e->now = event->now;
	if (e->role != ELECTION_OVER) {
		election_deadline_check(e);
		take(e, event);
		do {
			before = e->role;
			advance_role(e);
		} while (e->role != before);
		if (holds_key(e) && e->list.rewatch && !e->suspended)
			election_list_advance(e);
	}
	e->out = NULL;
}

int64_t election_wake_in(const struct election *given, struct once_instant now)
{
	struct election at = *given, *e = &at;
	int64_t due = ELECTION_NEVER, end = 2 * e->config.request_timeout;

	e->now = now;
	switch (e->role) {
	case ELECTION_IDLE:
	case ELECTION_OVER:
		break;
	case ELECTION_FOLLOW:
		due = election_follow_due_in(e);
		break;
	case ELECTION_CLAIM:
		due = min64(election_lease_due_in(e), election_request_due_in(e));
		break;
	case ELECTION_CONTEST:
		break;
	case ELECTION_WAIT:
		due = min64(election_beat_due_in(e),
			e->ready ? ELECTION_NEVER : election_wait_due_in(e));
		break;
	case ELECTION_LEADING:
		due = min64(election_beat_due_in(e), election_soft_due_in(e));
		break;
	case ELECTION_STOPPING:
		due = election_beat_due_in(e);
		break;
	case ELECTION_RECOVER:
	case ELECTION_RELEASING:
		due = min64(election_request_due_in(e),
			e->stop ? left(e, e->ending_since, end) : ELECTION_NEVER);
		break;
	case ELECTION_REVOKING:
		due = min64(election_request_due_in(e), left(e, e->ending_since, end));
		break;
	}
	if (holds_key(e) && e->list.rewatch && !e->suspended)
		due = min64(due, election_list_due_in(e));
	return due == ELECTION_NEVER ? -1 : max64(due, 0);
}

int64_t election_may_launch(const struct election *e, struct once_instant now)
{
	if (e->role != ELECTION_LEADING)
		return 0;
	return e->config.fence_after - e->config.kill_budget - e->config.stop_grace -
	       once_elapsed_max(e->proved, now);
}
