/* The term: beats and their proofs, the wait before work, the deadline, and the end: release,
 * revoke, and recovery of what an earlier process left. */
#include "core/election-inner.h"

enum { NOSPACE_PROBE = 8 }; /* after as many beats as deletes one is tried as a put */
static const int64_t HOLD = 10 * ONCE_NSEC_PER_SEC; /* a resigned node stands back */

/* ---- the term: beats, wait, deadline ---- */

/* Until work must be told to stop: D - K - G. */
int64_t election_soft_due_in(const struct election *e)
{
	return e->config.fence_after - e->config.kill_budget - e->config.stop_grace -
	       once_elapsed_max(e->proved, e->now);
}

static bool may_beat(const struct election *e)
{
	if (e->role != ELECTION_STOPPING)
		return true;
	/* Work that did not die in its time: let the deadline, and a successor, come. */
	return e->reason != ELECTION_REASON_LOST &&
	       since(e, e->stopping_since) <= e->grace + e->config.kill_budget;
}

int64_t election_beat_due_in(struct election *e)
{
	if (e->request.op != 0 || !may_beat(e))
		return ELECTION_NEVER;
	if (e->beat_now)
		return 0;
	if (e->request.again)
		return election_request_due_in(e);
	return left(e, e->request.asked, e->config.beat_interval);
}

void election_beat_advance(struct election *e)
{
	struct election_action a = {.kind = ELECTION_BEAT, .token = e->token};

	if (election_beat_due_in(e) > 0)
		return;
	a.lease = e->lease.id; /* not what was seen: a key put without its lease is lost */
	a.as_delete = e->nospace != 0 && e->nospace % NOSPACE_PROBE != 0;
	e->beat_now = false;
	election_request_new(e, a);
}

static void beat_proved(struct election *e, const struct election_event *event)
{
	bool as_delete = e->request.action.as_delete;

	e->request.failures = 0;
	e->request.again = false;
	if (event->reply.sent.boot_ns > e->proved.boot_ns) {
		e->proved = event->reply.sent;
		election_extend(e);
	}
	if (e->nospace != 0 && !as_delete) {
		e->nospace = 0;
		election_note(e, ELECTION_NOTE_SPACE, e->token, 0);
	} else if (as_delete) {
		e->nospace++;
	}
	if (e->lease.id == e->view.leader.lease)
		election_lease_advance(e); /* kept alive after a proof only */
}

void election_beat_reply(struct election *e, const struct election_event *event)
{
	if (event->reply.outcome == ELECTION_APPLIED) {
		if (event->reply.succeeded)
			beat_proved(e, event);
		else
			election_lost(e);
		return;
	}
	if (event->reply.outcome == ELECTION_REFUSED &&
		event->reply.refusal == ELECTION_REFUSED_NOSPACE) {
		if (e->nospace == 0)
			election_note(e, ELECTION_NOTE_NOSPACE, e->token, 0);
		e->nospace++;
		if (e->nospace % NOSPACE_PROBE == 0)
			e->nospace++;
		if (e->request.action.as_delete) {
			/* before 3.4.20 and 3.5.7 a full etcd refuses deletes, too: no spinning */
			election_request_failed(e, event->reply.outcome);
			return;
		}
		e->beat_now = true;
		return;
	}
	election_request_failed(e, event->reply.outcome);
}

int64_t election_wait_due_in(const struct election *e)
{
	return election_v_with_drift(e) - once_elapsed_min(e->wait_since, e->now);
}

void election_wait_advance(struct election *e)
{
	struct election_action *a;

	if (e->stop) {
		election_enter_releasing(e, e->token);
		return;
	}
	election_beat_advance(e);
	if (!e->ready &&
		(election_wait_due_in(e) <= 0 || (e->before != 0 && e->view.clean == e->before))) {
		e->ready = true;
		election_note(e, ELECTION_NOTE_READY, e->token, 0);
		election_save(e);
	}
	if (!e->ready || election_soft_due_in(e) <= 0)
		return;
	e->role = ELECTION_LEADING; /* not election_enter(): a beat may be on its way */
	a = election_act(e, ELECTION_LEAD);
	a->token = e->token;
	a->proved = e->proved;
}

/* Before anything an event may say: work whose deadline nears is told to stop. */
void election_deadline_check(struct election *e)
{
	int64_t kill_in;

	if (e->role != ELECTION_LEADING || election_soft_due_in(e) > 0)
		return;
	kill_in =
		e->config.fence_after - e->config.kill_budget - once_elapsed_max(e->proved, e->now);
	election_stop_work(
		e, ELECTION_REASON_DEADLINE, min64(max64(kill_in, 0), e->config.stop_grace));
}

void election_leading_advance(struct election *e)
{
	if (e->stop) {
		election_stop_work(e, ELECTION_REASON_SHUTDOWN, e->config.stop_grace);
		return;
	}
	election_beat_advance(e);
}

/* ---- release, revoke, recover ---- */

static void released(struct election *e, const struct election_event *event)
{
	int64_t token = e->request.action.token;

	election_note(e,
		e->role == ELECTION_RECOVER ? ELECTION_NOTE_RECOVERED : ELECTION_NOTE_RELEASED,
		token, 0);
	if (event->reply.succeeded && e->view.leader.create == token) {
		e->view.leader.create = 0;
		e->view.leader.lease = 0;
		e->vacant_since = e->now;
		e->revisions[ELECTION_KEY_LEADER] = event->reply.revision;
	} else if (!event->reply.succeeded) {
		e->listed = false;
	}
	if (e->role == ELECTION_RECOVER && e->recovered.lease != 0) {
		struct election_action *a = election_act(e, ELECTION_REVOKE);
		a->op = election_new_op(e); /* nobody waits for it: the lease ends by itself too */
		a->lease = e->recovered.lease;
	}
	if (e->reason == ELECTION_REASON_SWITCHOVER && e->role == ELECTION_RELEASING) {
		if (!e->hold || left(e, e->hold_since, e->hold_for) < HOLD) {
			e->hold = true;
			e->hold_since = e->now;
			e->hold_for = HOLD;
		}
	}
	e->reason = 0;
	e->token = 0;
	e->ready = false;
	election_save(e);
	election_enter_follow(e);
}

void election_release_reply(struct election *e, const struct election_event *event)
{
	if (event->reply.outcome == ELECTION_APPLIED) {
		released(e, event);
		return;
	}
	if (event->reply.outcome == ELECTION_REFUSED &&
		event->reply.refusal == ELECTION_REFUSED_NOSPACE) {
		e->request.action.clean = false; /* deletes are still taken */
		e->request.action.reserve = false;
	}
	election_request_failed(e, event->reply.outcome);
}

void election_release_advance(struct election *e)
{
	if (e->stop && since(e, e->ending_since) >= 2 * e->config.request_timeout) {
		election_enter_revoking(e);
		return;
	}
	if (election_request_due_in(e) <= 0)
		election_request_send(e);
}

void election_revoke_advance(struct election *e)
{
	if (since(e, e->ending_since) >= 2 * e->config.request_timeout)
		election_enter_over(e);
	else if (election_request_due_in(e) <= 0)
		election_request_send(e);
}

void election_revoke_reply(struct election *e, const struct election_event *event)
{
	if (event->reply.outcome == ELECTION_APPLIED ||
		(event->reply.outcome == ELECTION_REFUSED &&
			event->reply.refusal == ELECTION_REFUSED_NO_LEASE))
		election_enter_over(e);
	else
		election_request_failed(e, event->reply.outcome);
}

void election_start(struct election *e, const struct election_event *event)
{
	const struct election_recovered *r = &event->start.recovered;

	if (e->role != ELECTION_IDLE)
		return;
	e->recovered = *r;
	if (r->token == 0 || !r->dead || e->suspended) {
		election_enter(e, ELECTION_FOLLOW);
		return;
	}
	e->ready = r->ready;
	election_enter_releasing(e, r->token);
	e->role = ELECTION_RECOVER;
}
