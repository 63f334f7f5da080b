/* The election's step machine. See election.h for what goes in and out, docs/protocol.md for why.
 *
 * Shape: every wait is a function *_due_in() that says how long from now until something is due;
 * advance() does what is due in the present role, election_wake_in() takes the smallest. An event only
 * records what it says; what follows from it is decided in advance(), so that an event that arrives
 * late or twice decides nothing that the state does not.
 *
 * Happy path: START -> (RECOVER) -> FOLLOW: list, watch, lease -> nobody leads -> CLAIM -> WAIT -> LEADING:
 * a beat every H -> STOP_WORK -> STOPPING -> WORK_DEAD -> RELEASING -> FOLLOW, or REVOKING -> OVER.
 *
 * Time: one who must stop in time takes the larger elapsed time of two clocks, one who must wait long
 * enough the smaller. A proof counts from the moment its request was sent, a wait from the moment its
 * answer was received. */
#include "core/election.h"

#include <string.h>

#define NEVER INT64_MAX

enum {
	MISSED_BEATS = 3,	/* heard nothing of the leader for as many beats: look elsewhere */
	NOSPACE_PROBE = 8,	/* after as many beats as deletes one is tried as a put */
};
static const int64_t HOLD = 10 * ONCE_NSEC_PER_SEC;	 /* a resigned node stands back */
static const int64_t COMPLAIN = 60 * ONCE_NSEC_PER_SEC; /* between notes that nothing changed */

/* ---- small tools ---- */

static bool is_set(struct once_instant t)
{
	return t.boot_ns != 0 || t.raw_ns != 0;
}

/* At least this long ago, for one who must be in time. A moment never set was long ago. */
static int64_t since(const struct election *e, struct once_instant t)
{
	return is_set(t) ? once_elapsed_max(t, e->now) : NEVER;
}

static int64_t min64(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t max64(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* From now until span has passed since t; 0 when it has. */
static int64_t left(const struct election *e, struct once_instant t, int64_t span)
{
	int64_t passed = since(e, t);
	return passed >= span ? 0 : span - passed;
}

static int64_t v_with_drift(const struct election *e)
{
	return e->config.fence_after + e->config.fence_after / 1000000 * e->config.drift_ppm;
}

/* The pause before a try after so many failures: the first goes at once (elsewhere: the client has
 * moved on), then they thin out to one per R. Jittered, so that nodes do not march in step. */
static int64_t pace(struct election *e, unsigned failures)
{
	int64_t step = e->config.beat_interval / 4, pause;

	if (failures <= 1)
		return 0;
	pause = min64(step << min64(failures - 2, 4), e->config.request_timeout);
	return pause / 2 + (int64_t)(e->random % (uint64_t)(pause / 2 + 1));
}

static void shuffle(struct election *e)
{
	e->random ^= e->random << 13;
	e->random ^= e->random >> 7;
	e->random ^= e->random << 17;
}

static struct election_action *act(struct election *e, enum election_action_kind kind)
{
	struct election_action *a;

	if (e->out->n == ELECTION_ACTIONS_MAX)
		__builtin_trap(); /* a step's actions are bounded by construction */
	a = &e->out->v[e->out->n++];
	memset(a, 0, sizeof(*a));
	a->kind = kind;
	return a;
}

static uint32_t new_op(struct election *e)
{
	if (++e->last_op == 0)
		e->last_op = 1;
	return e->last_op;
}

static void note(struct election *e, enum election_note what, int64_t token, int64_t duration)
{
	struct election_action *a = act(e, ELECTION_NOTE);
	a->note = what;
	a->token = token;
	a->duration = duration;
}

/* Why this node does not campaign: once, and again each minute. */
static void complain(struct election *e, enum election_note what)
{
	if (since(e, e->complained) < COMPLAIN)
		return;
	e->complained = e->now;
	note(e, what, 0, 0);
}

static void save(struct election *e)
{
	struct election_action *a = act(e, ELECTION_SAVE);
	a->saved.token = e->token;
	a->saved.lease = e->token ? e->lease.id : 0;
	a->saved.incarnation = e->config.incarnation;
	a->saved.ready = e->ready;
}

static bool holds_key(const struct election *e)
{
	return e->role == ELECTION_WAIT || e->role == ELECTION_LEADING || e->role == ELECTION_STOPPING;
}

/* ---- requests of the role ---- */

static void request_send(struct election *e)
{
	shuffle(e);
	e->request.op = new_op(e);
	e->request.action.op = e->request.op;
	e->request.asked = e->now;
	e->request.again = false;
	*act(e, e->request.action.kind) = e->request.action;
}

static void request_new(struct election *e, struct election_action action)
{
	e->request.action = action;
	request_send(e);
}

static void request_forget(struct election *e)
{
	e->request.op = 0;
	e->request.again = false;
	e->request.failures = 0;
}

static void request_failed(struct election *e, enum election_outcome outcome)
{
	e->request.failures++;
	e->request.again = true;
	if (outcome == ELECTION_UNKNOWN && e->request.failures == 1 &&
		e->request.action.kind != ELECTION_BEAT)
		note(e, ELECTION_NOTE_UNKNOWN, e->request.action.token, 0);
}

static int64_t request_due_in(struct election *e)
{
	if (e->request.op != 0 || !e->request.again)
		return NEVER;
	return left(e, e->request.asked, pace(e, e->request.failures));
}

/* ---- transitions; entry effects live here ---- */

static void enter(struct election *e, enum election_role role)
{
	request_forget(e);
	e->role = role;
}

static void enter_follow(struct election *e)
{
	e->token = 0;
	e->ready = false;
	e->reserve = false;
	e->nospace = 0;
	enter(e, ELECTION_FOLLOW);
}

static void enter_releasing(struct election *e, int64_t token)
{
	struct election_action a = {.kind = ELECTION_RELEASE, .token = token};

	a.clean = e->ready;
	/* The term before may have written its own late, after this one began: known to be older, it
	 * may be overwritten. */
	a.clean_before = token;
	if (e->view.clean < token)
		a.clean_before = max64(token, e->revisions[ELECTION_KEY_CLEAN] + 1);
	a.reserve = e->reserve;
	enter(e, ELECTION_RELEASING);
	e->ending_since = e->now;
	request_new(e, a);
}

static void enter_over(struct election *e)
{
	enter(e, ELECTION_OVER);
	(void)act(e, ELECTION_ENDED);
}

static void enter_revoking(struct election *e)
{
	struct election_action a = {.kind = ELECTION_REVOKE, .lease = e->lease.id};

	e->token = 0;
	if (e->lease.id == 0) {
		enter_over(e);
		return;
	}
	enter(e, ELECTION_REVOKING);
	e->ending_since = e->now;
	request_new(e, a);
}

static void stop_work(struct election *e, enum election_reason reason, int64_t grace)
{
	struct election_action *a;

	enter(e, ELECTION_STOPPING);
	e->reason = reason;
	e->grace = grace;
	e->stopping_since = e->now;
	if (reason == ELECTION_REASON_DEADLINE)
		note(e, ELECTION_NOTE_DEADLINE, e->token, 0);
	a = act(e, ELECTION_STOP_WORK);
	a->token = e->token;
	a->reason = reason;
	a->grace = grace;
}

/* etcd says that the term is over: whoever leads now may start its work after its wait. */
static void lost(struct election *e)
{
	if (e->role == ELECTION_STOPPING && e->reason == ELECTION_REASON_LOST)
		return;
	note(e, ELECTION_NOTE_LOST, e->token, 0);
	if (e->role == ELECTION_WAIT) {
		e->token = 0;
		e->ready = false;
		save(e);
		e->listed = false;
		enter_follow(e);
	} else {
		stop_work(e, ELECTION_REASON_LOST, 0);
	}
}

/* ---- what etcd is seen to hold ---- */

/* The key hangs on this node's lease, or the epoch says so. Either will do: an operator may have deleted
 * the epoch, or have put the key without its lease, and nobody else ends such a term. */
static bool view_names_us(const struct election *e)
{
	if (e->view.leader.create == 0)
		return false;
	if (e->lease.id != 0 && e->view.leader.lease == e->lease.id)
		return true;
	return e->view.epoch.mod == e->view.leader.create &&
		e->view.epoch.incarnation == e->config.incarnation;
}

static void view_apply(struct election *e, enum election_key key, int64_t revision,
	const struct election_view *seen)
{
	struct election_view *view = &e->view;

	if (revision < e->revisions[key])
		return;
	switch (key) {
	case ELECTION_KEY_LEADER:
		if (view->leader.create != seen->leader.create) {
			e->heard = e->now;
			e->request.failures = holds_key(e) ? e->request.failures : 0;
			if (e->role == ELECTION_FOLLOW)
				note(e,
					seen->leader.create ? ELECTION_NOTE_FOLLOWING
							    : ELECTION_NOTE_VACANT,
					seen->leader.create, 0);
		}
		view->leader = seen->leader;
		break;
	case ELECTION_KEY_EPOCH:
		if (view->epoch.incarnation != seen->epoch.incarnation)
			memset(&view->beat, 0, sizeof(view->beat));
		view->epoch = seen->epoch;
		break;
	case ELECTION_KEY_BEAT:
		if (seen->beat.mod != 0 && seen->beat.incarnation != view->epoch.incarnation)
			return;
		if (view->beat.mod != seen->beat.mod)
			e->beat_seen = e->heard = e->now;
		view->beat = seen->beat;
		break;
	case ELECTION_KEY_CLEAN:
		view->clean = seen->clean;
		break;
	case ELECTION_KEY_CONFIG:
		view->config = seen->config;
		break;
	case ELECTION_KEY_RESERVE:
		view->reserve = seen->reserve;
		break;
	case ELECTION_KEYS:
		return;
	}
	e->revisions[key] = revision;
	if (view->leader.create != 0 || view->epoch.mod != 0)
		e->ever_term = true;
}

static void view_apply_all(struct election *e, int64_t revision, const struct election_view *seen)
{
	view_apply(e, ELECTION_KEY_EPOCH, revision, seen);
	for (int key = 0; key < ELECTION_KEYS; key++)
		if (key != ELECTION_KEY_EPOCH)
			view_apply(e, (enum election_key)key, revision, seen);
}

/* A change of the leader key while this node holds it. */
static void view_check_own(struct election *e, int64_t revision)
{
	if (!holds_key(e) || revision <= e->token)
		return;
	if (e->view.leader.create != e->token)
		lost(e);
	else
		e->beat_now = true; /* somebody overwrote it: the beat's compares will tell */
}

static void on_seen(struct election *e, const struct election_event *event)
{
	view_apply(e, event->seen.key, event->seen.revision, &event->seen.view);
	if (event->seen.key == ELECTION_KEY_LEADER)
		view_check_own(e, event->seen.revision);
}

static void on_listed(struct election *e, const struct election_event *event)
{
	e->list.op = 0;
	e->list.failures = 0;
	e->list.rewatch = false;
	e->listed = true;
	view_apply_all(e, event->listed.revision, &event->listed.view);
	view_check_own(e, event->listed.revision);
}

/* ---- list ---- */

static bool leader_is_silent(const struct election *e)
{
	return e->view.leader.create != 0 && e->view.beat.mod != 0 &&
		since(e, e->heard) >= MISSED_BEATS * e->config.beat_interval;
}

static int64_t list_due_in(struct election *e)
{
	int64_t backstop = e->config.lease_ttl / 3, silence = MISSED_BEATS * e->config.beat_interval;

	if (e->list.op != 0)
		return NEVER;
	if (e->list.failures != 0)
		return left(e, e->list.asked, pace(e, e->list.failures));
	if (!e->listed || e->list.rewatch)
		return left(e, e->list.asked, e->config.beat_interval / 4);
	if (holds_key(e))
		return NEVER; /* beats prove more than a read would */
	if (e->view.leader.create != 0 && e->view.beat.mod != 0)
		backstop = min64(backstop, max64(left(e, e->heard, silence), left(e, e->list.asked, silence)));
	return min64(left(e, e->list.asked, e->config.lease_ttl / 3), backstop);
}

static void list_advance(struct election *e)
{
	struct election_action *a;

	if (list_due_in(e) > 0)
		return;
	shuffle(e);
	if (!e->listed || leader_is_silent(e))
		e->list.rewatch = true;
	e->list.op = new_op(e);
	e->list.asked = e->now;
	a = act(e, ELECTION_LIST);
	a->op = e->list.op;
	a->rewatch = e->list.rewatch;
}

/* ---- the node's lease ---- */

static int64_t lease_due_in(struct election *e)
{
	if (e->lease.op != 0)
		return NEVER;
	if (e->lease.failures != 0)
		return left(e, e->lease.asked, max64(pace(e, e->lease.failures), e->config.beat_interval / 4));
	if (e->lease.id == 0)
		return 0;
	return left(e, e->lease.renewed, e->lease.ttl / 3);
}

static void lease_advance(struct election *e)
{
	struct election_action *a;

	if (lease_due_in(e) > 0)
		return;
	if (e->lease.id != 0 && since(e, e->lease.renewed) >= e->lease.ttl && !holds_key(e))
		e->lease.id = 0; /* gone, or as good as; what is left of it ends by itself */
	e->lease.granting = e->lease.id == 0;
	e->lease.op = new_op(e);
	e->lease.asked = e->now;
	a = act(e, e->lease.granting ? ELECTION_GRANT : ELECTION_KEEPALIVE);
	a->op = e->lease.op;
	a->lease = e->lease.id;
}

static void lease_reply(struct election *e, const struct election_event *event)
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
			note(e, ELECTION_NOTE_TTL_SHORT, 0, e->lease.ttl);
	} else if (event->reply.ttl > 0) {
		e->lease.renewed = event->reply.sent;
	} else if (holds_key(e)) {
		e->beat_now = true; /* no proof either way; the beat's compares will tell */
	} else {
		e->lease.id = 0;
	}
}

/* ---- follow: claim what is vacant, seize what is silent ---- */

/* Whether this node may campaign at all, noting why not. */
static bool may_campaign(struct election *e)
{
	if (e->stop || e->lease.id == 0 || e->lease.ttl < e->config.fence_after || !e->listed)
		return false;
	if (e->hold && since(e, e->hold_since) < HOLD)
		return false;
	e->hold = false;
	if (e->view.reserve == ELECTION_RESERVE_OTHER) {
		complain(e, ELECTION_NOTE_RESERVED);
		return false;
	}
	if (e->view.config == ELECTION_CONFIG_OTHER) {
		complain(e, ELECTION_NOTE_CONFIG_OTHER);
		return false;
	}
	if (e->view.config == ELECTION_CONFIG_ABSENT && e->ever_term) {
		complain(e, ELECTION_NOTE_CONFIG_ABSENT);
		return false;
	}
	return true;
}

static bool may_seize(const struct election *e)
{
	return e->config.seize && e->view.leader.create != 0 && e->view.config == ELECTION_CONFIG_OURS &&
		e->view.epoch.mod == e->view.leader.create && e->view.beat.mod != 0 &&
		e->view.beat.incarnation == e->view.epoch.incarnation;
}

/* Until the last beat of the present term was seen V(1 + delta) ago. */
static int64_t seize_due_in(struct election *e)
{
	int64_t silent = once_elapsed_min(e->beat_seen, e->now);

	if (!may_seize(e))
		return NEVER;
	return max64(v_with_drift(e) - silent, left(e, e->request.asked, pace(e, e->request.failures)));
}

/* What an acquire's answer is compared with. The watch may show the acquire before its answer does, and
 * then the view holds this node's own term already. */
static void remember_last(struct election *e)
{
	bool its_beat = e->view.beat.incarnation == e->view.epoch.incarnation;

	e->last.epoch = e->view.epoch.mod;
	e->last.beat = its_beat ? e->view.beat.mod : 0;
	e->last.beat_seen = e->beat_seen;
}

static void follow_advance(struct election *e)
{
	struct election_action a = {0};

	if (e->stop) {
		enter_revoking(e);
		return;
	}
	lease_advance(e);
	list_advance(e);
	if (view_names_us(e) && e->listed) {
		note(e, ELECTION_NOTE_PHANTOM, e->view.leader.create, 0);
		e->ready = false;
		enter_releasing(e, e->view.leader.create);
	} else if (e->view.leader.create == 0) {
		if (!may_campaign(e) || left(e, e->request.asked, pace(e, e->request.failures)) > 0)
			return;
		remember_last(e);
		a.kind = ELECTION_ACQUIRE;
		a.lease = e->lease.id;
		a.fresh = e->view.config == ELECTION_CONFIG_ABSENT;
		e->role = ELECTION_CLAIM;
		request_new(e, a);
	} else if (seize_due_in(e) <= 0 && may_campaign(e)) {
		a.kind = ELECTION_SEIZE;
		a.token = e->view.leader.create;
		a.beat_mod = e->view.beat.mod;
		note(e, ELECTION_NOTE_SEIZING, a.token, once_elapsed_min(e->beat_seen, e->now));
		e->role = ELECTION_CONTEST;
		request_new(e, a);
	}
}

/* As may_campaign(): what forbids it now goes by an event, or it is not due. */
static int64_t campaign_due_in(struct election *e)
{
	if (e->stop || e->lease.id == 0 || e->lease.ttl < e->config.fence_after || !e->listed ||
		e->view.reserve == ELECTION_RESERVE_OTHER || e->view.config == ELECTION_CONFIG_OTHER ||
		(e->view.config == ELECTION_CONFIG_ABSENT && e->ever_term))
		return NEVER;
	return e->hold ? left(e, e->hold_since, HOLD) : 0;
}

static int64_t follow_due_in(struct election *e)
{
	int64_t campaign = campaign_due_in(e), target;

	if (e->view.leader.create == 0)
		target = left(e, e->request.asked, pace(e, e->request.failures));
	else
		target = seize_due_in(e);
	return min64(min64(lease_due_in(e), list_due_in(e)), max64(campaign, target));
}

/* ---- claim and contest ---- */

static void won(struct election *e, const struct election_event *event, int64_t token, bool replayed)
{
	const struct election_view *seen = &event->reply.view;
	bool fresh = e->request.action.fresh && !replayed;
	bool same_beat = !replayed && seen->epoch.mod != 0 && seen->epoch.mod == e->last.epoch &&
		seen->beat.mod != 0 && seen->beat.mod == e->last.beat;

	enter(e, ELECTION_WAIT);
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
	if (!replayed)
		e->view.clean = seen->clean;
	memset(&e->view.beat, 0, sizeof(e->view.beat));
	for (int key = 0; key < ELECTION_KEYS; key++)
		e->revisions[key] = max64(e->revisions[key], token);
	note(e, ELECTION_NOTE_ACQUIRED, token, 0);
	if (!e->ready)
		note(e, ELECTION_NOTE_WAITING, e->before,
			max64(0, v_with_drift(e) - once_elapsed_min(e->wait_since, e->now)));
	save(e);
}

static void extend(struct election *e)
{
	struct election_action *a = act(e, ELECTION_EXTEND);
	a->token = e->token;
	a->proved = e->proved;
}

static void claim_reply(struct election *e, const struct election_event *event)
{
	int64_t token = event->reply.revision;

	if (event->reply.outcome == ELECTION_APPLIED && event->reply.succeeded) {
		won(e, event, token, false);
		extend(e);
		return;
	}
	if (event->reply.outcome == ELECTION_APPLIED) {
		view_apply_all(e, token, &event->reply.view);
		if (view_names_us(e) && e->view.leader.lease == e->request.action.lease) {
			/* an earlier copy of this request did it; its answer was lost */
			won(e, event, e->view.leader.create, true);
			extend(e);
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
	request_failed(e, event->reply.outcome);
}

static void claim_advance(struct election *e)
{
	if (e->stop) {
		enter_revoking(e); /* a late copy finds no lease and fails */
		return;
	}
	lease_advance(e);
	if (e->request.op == 0 && (e->lease.id != e->request.action.lease ||
					  since(e, e->lease.renewed) >= e->lease.ttl)) {
		/* cannot be settled any more; should it have been applied, the list will tell */
		e->listed = false;
		enter_follow(e);
		return;
	}
	if (request_due_in(e) <= 0)
		request_send(e);
}

static void contest_reply(struct election *e, const struct election_event *event)
{
	int64_t token = e->request.action.token;

	e->role = ELECTION_FOLLOW;
	e->request.again = false;
	if (event->reply.outcome != ELECTION_APPLIED || !event->reply.succeeded) {
		e->request.failures += 2;
		e->listed = false;
		return;
	}
	note(e, ELECTION_NOTE_SEIZED, token, 0);
	if (e->view.leader.create == token) {
		e->view.leader.create = 0;
		e->revisions[ELECTION_KEY_LEADER] = event->reply.revision;
	}
	e->request.failures = 0;
}

/* ---- the term: beats, wait, deadline ---- */

/* Until work must be told to stop: D - K - G. */
static int64_t soft_due_in(const struct election *e)
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

static int64_t beat_due_in(struct election *e)
{
	if (e->request.op != 0 || !may_beat(e))
		return NEVER;
	if (e->beat_now)
		return 0;
	if (e->request.again)
		return request_due_in(e);
	return left(e, e->request.asked, e->config.beat_interval);
}

static void beat_advance(struct election *e)
{
	struct election_action a = {.kind = ELECTION_BEAT, .token = e->token};

	if (beat_due_in(e) > 0)
		return;
	a.lease = e->lease.id; /* not what was seen: a key put without its lease is lost */
	a.as_delete = e->nospace != 0 && e->nospace % NOSPACE_PROBE != 0;
	e->beat_now = false;
	request_new(e, a);
}

static void beat_proved(struct election *e, const struct election_event *event)
{
	bool as_delete = e->request.action.as_delete;

	e->request.failures = 0;
	e->request.again = false;
	if (event->reply.sent.boot_ns > e->proved.boot_ns) {
		e->proved = event->reply.sent;
		extend(e);
	}
	if (e->nospace != 0 && !as_delete) {
		e->nospace = 0;
		note(e, ELECTION_NOTE_SPACE, e->token, 0);
	} else if (as_delete) {
		e->nospace++;
	}
	if (e->lease.id == e->view.leader.lease)
		lease_advance(e); /* kept alive after a proof only */
}

static void beat_reply(struct election *e, const struct election_event *event)
{
	if (event->reply.outcome == ELECTION_APPLIED) {
		if (event->reply.succeeded)
			beat_proved(e, event);
		else
			lost(e);
		return;
	}
	if (event->reply.outcome == ELECTION_REFUSED &&
		event->reply.refusal == ELECTION_REFUSED_NOSPACE) {
		if (e->nospace == 0)
			note(e, ELECTION_NOTE_NOSPACE, e->token, 0);
		e->nospace++;
		if (e->nospace % NOSPACE_PROBE == 0)
			e->nospace++;
		e->beat_now = true;
		return;
	}
	request_failed(e, event->reply.outcome);
}

static int64_t wait_due_in(const struct election *e)
{
	return v_with_drift(e) - once_elapsed_min(e->wait_since, e->now);
}

static void wait_advance(struct election *e)
{
	struct election_action *a;

	if (e->stop) {
		enter_releasing(e, e->token);
		return;
	}
	beat_advance(e);
	if (!e->ready && (wait_due_in(e) <= 0 || (e->before != 0 && e->view.clean == e->before))) {
		e->ready = true;
		note(e, ELECTION_NOTE_READY, e->token, 0);
		save(e);
	}
	if (!e->ready || soft_due_in(e) <= 0)
		return;
	e->role = ELECTION_LEADING; /* not enter(): a beat may be on its way */
	a = act(e, ELECTION_LEAD);
	a->token = e->token;
	a->proved = e->proved;
}

/* Before anything an event may say: work whose deadline nears is told to stop. */
static void deadline_check(struct election *e)
{
	int64_t kill_in;

	if (e->role != ELECTION_LEADING || soft_due_in(e) > 0)
		return;
	kill_in = e->config.fence_after - e->config.kill_budget - once_elapsed_max(e->proved, e->now);
	stop_work(e, ELECTION_REASON_DEADLINE, min64(max64(kill_in, 0), e->config.stop_grace));
}

static void leading_advance(struct election *e)
{
	if (e->stop) {
		stop_work(e, ELECTION_REASON_SHUTDOWN, e->config.stop_grace);
		return;
	}
	beat_advance(e);
}

/* ---- release, revoke, recover ---- */

static void released(struct election *e, const struct election_event *event)
{
	int64_t token = e->request.action.token;

	note(e, e->role == ELECTION_RECOVER ? ELECTION_NOTE_RECOVERED : ELECTION_NOTE_RELEASED, token, 0);
	if (event->reply.succeeded && e->view.leader.create == token) {
		e->view.leader.create = 0;
		e->view.leader.lease = 0;
		e->revisions[ELECTION_KEY_LEADER] = event->reply.revision;
	} else if (!event->reply.succeeded) {
		e->listed = false;
	}
	if (e->role == ELECTION_RECOVER && e->recovered.lease != 0) {
		struct election_action *a = act(e, ELECTION_REVOKE);
		a->op = new_op(e); /* nobody waits for it: the lease ends by itself too */
		a->lease = e->recovered.lease;
	}
	if (e->reason == ELECTION_REASON_SWITCHOVER && e->role == ELECTION_RELEASING) {
		e->hold = true;
		e->hold_since = e->now;
	}
	e->reason = 0;
	e->token = 0;
	e->ready = false;
	save(e);
	enter_follow(e);
}

static void release_reply(struct election *e, const struct election_event *event)
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
	request_failed(e, event->reply.outcome);
}

static void release_advance(struct election *e)
{
	if (e->stop && since(e, e->ending_since) >= 2 * e->config.request_timeout) {
		enter_revoking(e);
		return;
	}
	if (request_due_in(e) <= 0)
		request_send(e);
}

static void revoke_advance(struct election *e)
{
	if (since(e, e->ending_since) >= 2 * e->config.request_timeout)
		enter_over(e);
	else if (request_due_in(e) <= 0)
		request_send(e);
}

static void revoke_reply(struct election *e, const struct election_event *event)
{
	if (event->reply.outcome == ELECTION_APPLIED ||
		(event->reply.outcome == ELECTION_REFUSED &&
			event->reply.refusal == ELECTION_REFUSED_NO_LEASE))
		enter_over(e);
	else
		request_failed(e, event->reply.outcome);
}

static void start(struct election *e, const struct election_event *event)
{
	const struct election_recovered *r = &event->start.recovered;

	if (e->role != ELECTION_IDLE)
		return;
	e->recovered = *r;
	if (r->token == 0 || !r->dead) {
		enter(e, ELECTION_FOLLOW);
		return;
	}
	e->ready = r->ready;
	enter_releasing(e, r->token);
	e->role = ELECTION_RECOVER;
}

/* ---- the step ---- */

static void on_reply(struct election *e, const struct election_event *event)
{
	if (event->reply.op == 0)
		return;
	if (event->reply.op == e->lease.op) {
		lease_reply(e, event);
		return;
	}
	if (event->reply.op != e->request.op)
		return; /* of a request that was given up */
	e->request.op = 0;
	switch (e->request.action.kind) {
	case ELECTION_ACQUIRE:
		claim_reply(e, event);
		break;
	case ELECTION_SEIZE:
		contest_reply(e, event);
		break;
	case ELECTION_BEAT:
		beat_reply(e, event);
		break;
	case ELECTION_RELEASE:
		release_reply(e, event);
		break;
	case ELECTION_REVOKE:
		revoke_reply(e, event);
		break;
	default:
		break;
	}
}

static void on_resign(struct election *e, const struct election_event *event)
{
	if (e->role != ELECTION_LEADING && e->role != ELECTION_WAIT)
		return;
	e->reserve = event->resign.to_other;
	if (e->role == ELECTION_LEADING) {
		stop_work(e, ELECTION_REASON_SWITCHOVER, e->config.stop_grace);
		return;
	}
	e->reason = ELECTION_REASON_SWITCHOVER;
	enter_releasing(e, e->token);
}

static void take(struct election *e, const struct election_event *event)
{
	switch (event->kind) {
	case ELECTION_START:
		start(e, event);
		break;
	case ELECTION_TICK:
		break;
	case ELECTION_LISTED:
		on_listed(e, event);
		break;
	case ELECTION_LIST_FAILED:
		e->list.op = 0;
		e->list.failures++;
		break;
	case ELECTION_SEEN:
		on_seen(e, event);
		break;
	case ELECTION_UNWATCHED:
		e->list.rewatch = true;
		break;
	case ELECTION_REPLY:
		on_reply(e, event);
		break;
	case ELECTION_WORK_DEAD:
		if (e->role == ELECTION_STOPPING)
			enter_releasing(e, e->token);
		break;
	case ELECTION_STOP:
		if (!e->stop)
			e->ending_since = e->now;
		e->stop = true;
		if (e->role == ELECTION_IDLE)
			enter_over(e);
		break;
	case ELECTION_RESIGN:
		on_resign(e, event);
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
		release_advance(e);
		break;
	case ELECTION_FOLLOW:
		follow_advance(e);
		break;
	case ELECTION_CLAIM:
		claim_advance(e);
		break;
	case ELECTION_CONTEST:
		if (e->request.op == 0)
			enter_follow(e);
		break;
	case ELECTION_WAIT:
		wait_advance(e);
		break;
	case ELECTION_LEADING:
		leading_advance(e);
		break;
	case ELECTION_STOPPING:
		beat_advance(e);
		break;
	case ELECTION_REVOKING:
		revoke_advance(e);
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
		deadline_check(e);
		take(e, event);
		do {
			before = e->role;
			advance_role(e);
		} while (e->role != before);
		if (holds_key(e) && e->list.rewatch)
			list_advance(e);
	}
	e->out = NULL;
}

int64_t election_wake_in(const struct election *given, struct once_instant now)
{
	struct election at = *given, *e = &at;
	int64_t due = NEVER, end = 2 * e->config.request_timeout;

	e->now = now;
	switch (e->role) {
	case ELECTION_IDLE:
	case ELECTION_OVER:
		break;
	case ELECTION_FOLLOW:
		due = follow_due_in(e);
		break;
	case ELECTION_CLAIM:
		due = min64(lease_due_in(e), request_due_in(e));
		break;
	case ELECTION_CONTEST:
		break;
	case ELECTION_WAIT:
		due = min64(beat_due_in(e), e->ready ? NEVER : wait_due_in(e));
		break;
	case ELECTION_LEADING:
		due = min64(beat_due_in(e), soft_due_in(e));
		break;
	case ELECTION_STOPPING:
		due = beat_due_in(e);
		break;
	case ELECTION_RECOVER:
	case ELECTION_RELEASING:
		due = min64(request_due_in(e), e->stop ? left(e, e->ending_since, end) : NEVER);
		break;
	case ELECTION_REVOKING:
		due = min64(request_due_in(e), left(e, e->ending_since, end));
		break;
	}
	if (holds_key(e) && e->list.rewatch)
		due = min64(due, list_due_in(e));
	return due == NEVER ? -1 : max64(due, 0);
}

int64_t election_may_launch(const struct election *e, struct once_instant now)
{
	if (e->role != ELECTION_LEADING)
		return 0;
	return e->config.fence_after - e->config.kill_budget - e->config.stop_grace -
		once_elapsed_max(e->proved, now);
}
