/* Getting the key: the node's lease, claiming what is vacant, seizing what is silent. */
#include "core/election-inner.h"

#include <string.h>

/* ---- the node's lease ---- */

int64_t election_lease_due_in(struct election *e)
{
	if (e->lease.op != 0)
		return ELECTION_NEVER;
	if (e->lease.failures != 0)
		return left(e, e->lease.asked,
			max64(election_pace(e, e->lease.failures), e->config.beat_interval / 4));
	if (e->lease.id == 0)
		return 0;
	return left(e, e->lease.renewed, e->lease.ttl / 3);
}

void election_lease_advance(struct election *e)
{
	struct election_action *a;

	if (election_lease_due_in(e) > 0)
		return;
	if (e->lease.id != 0 && since(e, e->lease.renewed) >= e->lease.ttl && !holds_key(e))
		e->lease.id = 0; /* gone, or as good as; what is left of it ends by itself */
	e->lease.granting = e->lease.id == 0;
	e->lease.op = election_new_op(e);
	e->lease.asked = e->now;
	a = election_act(e, e->lease.granting ? ELECTION_GRANT : ELECTION_KEEPALIVE);
	a->op = e->lease.op;
	a->lease = e->lease.id;
}

void election_lease_reply(struct election *e, const struct election_event *event)
{
	e->lease.op = 0;
	if (event->reply.outcome != ELECTION_APPLIED) {
		e->lease.failures++;
		return;
	}
	e->lease.failures = 0;
	if (e->lease.granting) {
		e->lease.id = event->reply.lease;
		e->lease.ttl = event->reply.ttl;
		e->lease.renewed = event->reply.sent;
		if (e->lease.ttl < e->config.fence_after)
			election_note(e, ELECTION_NOTE_TTL_SHORT, 0, e->lease.ttl);
	} else if (event->reply.ttl > 0) {
		e->lease.renewed = event->reply.sent;
	} else if (holds_key(e)) {
		e->beat_now = true; /* no proof either way; the beat's compares will tell */
	} else {
		e->lease.id = 0;
	}
}

/* ---- follow: claim what is vacant, seize what is silent ---- */

/* A node that gave leadership away leaves it to others for a while, unless it is asked for by name. */
static int64_t hold_due_in(struct election *e)
{
	if (!e->hold || e->view.reserve == ELECTION_RESERVE_US)
		return 0;
	return left(e, e->hold_since, e->hold_for);
}

/* Whether this node may campaign at all, noting why not. */
static bool may_campaign(struct election *e)
{
	if (e->stop || e->lease.id == 0 || e->lease.ttl < e->config.fence_after || !e->listed)
		return false;
	if (hold_due_in(e) > 0)
		return false;
	e->hold = false;
	if (e->view.reserve == ELECTION_RESERVE_OTHER) {
		election_complain(e, ELECTION_NOTE_RESERVED);
		return false;
	}
	if (e->view.config == ELECTION_CONFIG_OTHER) {
		election_complain(e, ELECTION_NOTE_CONFIG_OTHER);
		return false;
	}
	if (e->view.config == ELECTION_CONFIG_ABSENT && e->ever_term) {
		/* else it comes with the term that was just seen */
		if (e->revisions[ELECTION_KEY_CONFIG] >= e->view.epoch.mod)
			election_complain(e, ELECTION_NOTE_CONFIG_ABSENT);
		return false;
	}
	return true;
}

static bool may_seize(const struct election *e)
{
	return e->config.seize && e->view.leader.create != 0 &&
	       e->view.config == ELECTION_CONFIG_OURS &&
	       e->view.epoch.mod == e->view.leader.create && e->view.beat.mod != 0 &&
	       e->view.beat.incarnation == e->view.epoch.incarnation;
}

/* Until a vacant key may be claimed: others may come first, unless only this node may. */
static int64_t claim_due_in(struct election *e)
{
	int64_t back = e->view.reserve == ELECTION_RESERVE_US ? 0 : e->config.stand_back;

	return max64(left(e, e->vacant_since, back),
		left(e, e->request.asked, election_pace(e, e->request.failures)));
}

/* Until the last beat of the present term was seen V(1 + delta) ago. */
static int64_t seize_due_in(struct election *e)
{
	int64_t silent = once_elapsed_min(e->beat_seen, e->now);

	if (!may_seize(e))
		return ELECTION_NEVER;
	return max64(election_v_with_drift(e) + e->config.stand_back - silent,
		left(e, e->request.asked, election_pace(e, e->request.failures)));
}

/* What an acquire's answer is compared with. The watch may show the acquire before its answer does,
 * and then the view holds this node's own term already. */
static void remember_last(struct election *e)
{
	bool its_beat = e->view.beat.incarnation == e->view.epoch.incarnation;

	e->last.epoch = e->view.epoch.mod;
	e->last.beat = its_beat ? e->view.beat.mod : 0;
	e->last.beat_seen = e->beat_seen;
}

void election_follow_advance(struct election *e)
{
	struct election_action a = {0};

	if (e->stop && e->suspended) {
		election_enter_over(e); /* its lease ends by itself */
		return;
	}
	if (e->stop) {
		election_enter_revoking(e);
		return;
	}
	if (e->suspended)
		return;
	election_lease_advance(e);
	election_list_advance(e);
	if (election_view_names_us(e) && e->listed) {
		election_note(e, ELECTION_NOTE_PHANTOM, e->view.leader.create, 0);
		e->ready = false;
		election_enter_releasing(e, e->view.leader.create);
	} else if (e->view.leader.create == 0) {
		if (!may_campaign(e) || claim_due_in(e) > 0)
			return;
		remember_last(e);
		a.kind = ELECTION_ACQUIRE;
		a.lease = e->lease.id;
		a.fresh = e->view.config == ELECTION_CONFIG_ABSENT;
		e->role = ELECTION_CLAIM;
		election_request_new(e, a);
	} else if (e->view.leader.lease == 0 && e->view.epoch.mod != e->view.leader.create && e->listed) {
		election_complain(e, ELECTION_NOTE_FOREIGN);
	} else if (seize_due_in(e) <= 0 && may_campaign(e)) {
		a.kind = ELECTION_SEIZE;
		a.token = e->view.leader.create;
		a.beat_mod = e->view.beat.mod;
		election_note(
			e, ELECTION_NOTE_SEIZING, a.token, once_elapsed_min(e->beat_seen, e->now));
		e->role = ELECTION_CONTEST;
		election_request_new(e, a);
	}
}

/* As may_campaign(): what forbids it now goes by an event, or it is not due. */
static int64_t campaign_due_in(struct election *e)
{
	if (e->stop || e->lease.id == 0 || e->lease.ttl < e->config.fence_after || !e->listed ||
		e->view.reserve == ELECTION_RESERVE_OTHER ||
		e->view.config == ELECTION_CONFIG_OTHER ||
		(e->view.config == ELECTION_CONFIG_ABSENT && e->ever_term))
		return ELECTION_NEVER;
	return hold_due_in(e);
}

int64_t election_follow_due_in(struct election *e)
{
	int64_t campaign = campaign_due_in(e), target;

	if (e->suspended)
		return ELECTION_NEVER;
	if (e->view.leader.create == 0)
		target = claim_due_in(e);
	else
		target = seize_due_in(e);
	return min64(
		min64(election_lease_due_in(e), election_list_due_in(e)), max64(campaign, target));
}

/* ---- claim and contest ---- */

static void won(
	struct election *e, const struct election_event *event, int64_t token, bool replayed)
{
	const struct election_view *seen = &event->reply.view;
	bool fresh = e->request.action.fresh && !replayed;
	bool same_beat = !replayed && seen->epoch.mod != 0 && seen->epoch.mod == e->last.epoch &&
			 seen->beat.mod != 0 && seen->beat.mod == e->last.beat;

	election_enter(e, ELECTION_WAIT);
	e->token = token;
	e->proved = event->reply.sent;
	e->request.asked = event->reply.sent; /* the acquire was the first beat */
	e->before = replayed ? 0 : seen->epoch.mod;
	e->wait_since = same_beat ? e->last.beat_seen : e->now;
	e->ready = fresh || (e->before != 0 && seen->clean == e->before);
	e->beat_now = false;
	e->ever_term = true;
	e->view.leader.create = token;
	e->view.leader.lease = e->request.action.lease;
	e->view.epoch.mod = token;
	e->view.epoch.incarnation = e->config.incarnation;
	e->view.config = ELECTION_CONFIG_OURS;
	if (!replayed && e->revisions[ELECTION_KEY_CLEAN] <= token)
		e->view.clean = seen->clean;
	memset(&e->view.beat, 0, sizeof(e->view.beat));
	for (int key = 0; key < ELECTION_KEYS; key++)
		e->revisions[key] = max64(e->revisions[key], token);
	election_note(e, ELECTION_NOTE_ACQUIRED, token, 0);
	if (!e->ready)
		election_note(e, ELECTION_NOTE_WAITING, e->before,
			max64(0, election_v_with_drift(e) -
					 once_elapsed_min(e->wait_since, e->now)));
	election_save(e);
}

void election_extend(struct election *e)
{
	struct election_action *a = election_act(e, ELECTION_EXTEND);
	a->token = e->token;
	a->proved = e->proved;
}

void election_claim_reply(struct election *e, const struct election_event *event)
{
	int64_t token = event->reply.revision;

	if (event->reply.outcome == ELECTION_APPLIED && event->reply.succeeded) {
		won(e, event, token, false);
		election_extend(e);
		return;
	}
	if (event->reply.outcome == ELECTION_APPLIED) {
		election_view_apply_all(e, token, &event->reply.view);
		if (e->view.leader.create != 0 && e->view.epoch.mod == e->view.leader.create &&
			e->view.epoch.incarnation == e->config.incarnation &&
			e->view.leader.lease == e->request.action.lease) {
			/* an earlier copy of this request did it; its answer was lost */
			won(e, event, e->view.leader.create, true);
			election_extend(e);
			return;
		}
		e->role = ELECTION_FOLLOW;
		e->request.failures++;
		return;
	}
	if (event->reply.outcome == ELECTION_REFUSED &&
		event->reply.refusal == ELECTION_REFUSED_NO_LEASE) {
		e->lease.id = 0;
		e->role = ELECTION_FOLLOW;
		e->request.failures++;
		return;
	}
	election_request_failed(e, event->reply.outcome);
}

void election_claim_advance(struct election *e)
{
	if (e->stop) {
		election_enter_revoking(e); /* a late copy finds no lease and fails */
		return;
	}
	election_lease_advance(e);
	if (e->request.op == 0 && (e->lease.id != e->request.action.lease ||
					  since(e, e->lease.renewed) >= e->lease.ttl)) {
		/* cannot be settled any more; should it have been applied, the list will tell */
		e->listed = false;
		election_enter_follow(e);
		return;
	}
	if (election_request_due_in(e) <= 0)
		election_request_send(e);
}

void election_contest_reply(struct election *e, const struct election_event *event)
{
	int64_t token = e->request.action.token;

	e->role = ELECTION_FOLLOW;
	e->request.again = false;
	if (event->reply.outcome != ELECTION_APPLIED || !event->reply.succeeded) {
		e->request.failures += 2;
		e->listed = false;
		return;
	}
	election_note(e, ELECTION_NOTE_SEIZED, token, 0);
	if (e->view.leader.create == token) {
		e->view.leader.create = 0;
		/* who seized has waited already */
		e->vacant_since.boot_ns = e->now.boot_ns - e->config.stand_back;
		e->vacant_since.raw_ns = e->now.raw_ns - e->config.stand_back;
		e->revisions[ELECTION_KEY_LEADER] = event->reply.revision;
	}
	e->request.failures = 0;
}
