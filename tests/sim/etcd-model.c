/* See etcd-model.h. The transactions follow the comments of their actions in core/election.h. */
#include "sim.h"

#include <stddef.h>
#include <string.h>

enum { CHECK_EVERY_MSEC = 500, RESERVE_SEC = 10 };

unsigned etcd_node_of(uint64_t incarnation)
{
	return incarnation ? (unsigned)(incarnation & 0xffff) - 1 : ETCD_NOBODY;
}

void etcd_init(struct sim *s)
{
	struct etcd *e = &s->etcd;

	memset(e, 0, offsetof(struct etcd, changes));
	e->state.revision = 1;
	e->state.reserve.node = ETCD_NOBODY;
	e->n_states = 0;
	e->nospace = e->stale_keepalive = e->no_quorum = false;
	e->over_quota = 0;
	e->stale_list_ppm = 0;
}

/* ---- keys ---- */

static void changed(struct sim *s, enum election_key key, unsigned node, int64_t a, uint64_t b)
{
	struct etcd *e = &s->etcd;
	struct etcd_change *c = &e->changes[e->n_changes++ % ETCD_CHANGES];

	c->revision = e->state.revision;
	c->key = key;
	c->node = node;
	c->a = a;
	c->b = b;
}

/* Every write is one revision, whatever it holds. */
static void begin(struct sim *s)
{
	struct etcd *e = &s->etcd;

	e->states[e->n_states++ % ETCD_STATES] = e->state;
	e->state.revision++;
}

static void delete_leader(struct sim *s)
{
	memset(&s->etcd.state.leader, 0, sizeof(s->etcd.state.leader));
	changed(s, ELECTION_KEY_LEADER, 0, 0, 0);
}

static void put_beat(struct sim *s, unsigned node, uint64_t incarnation)
{
	struct etcd_state *st = &s->etcd.state;

	st->beat[node].mod = st->revision;
	st->beat[node].incarnation = incarnation;
	changed(s, ELECTION_KEY_BEAT, node, st->revision, incarnation);
}

static void put_clean(struct sim *s, int64_t token, bool by_seizure)
{
	struct etcd_state *st = &s->etcd.state;

	check_clean(s, token, by_seizure);
	st->clean.mod = st->revision;
	st->clean.token = token;
	changed(s, ELECTION_KEY_CLEAN, 0, token, 0);
}

static void put_reserve(struct sim *s, unsigned node)
{
	struct etcd_state *st = &s->etcd.state;

	st->reserve.node = node;
	st->reserve.expires = s->now + RESERVE_SEC * SEC;
	changed(s, ELECTION_KEY_RESERVE, node, 0, 0);
	sim_at(s, st->reserve.expires, EVENT_RESERVE, 0, 0, 0, 0);
}

void etcd_reserve_check(struct sim *s)
{
	struct etcd_state *st = &s->etcd.state;

	if (st->reserve.node == ETCD_NOBODY || st->reserve.expires > s->now)
		return;
	if (s->etcd.no_quorum) {
		sim_at(s, s->now + SEC, EVENT_RESERVE, 0, 0, 0, 0);
		return;
	}
	begin(s);
	st->reserve.node = ETCD_NOBODY;
	changed(s, ELECTION_KEY_RESERVE, ETCD_NOBODY, 0, 0);
	net_changed(s);
}

void etcd_view(
	const struct etcd_state *st, unsigned node, unsigned beat_node, struct election_view *view)
{
	memset(view, 0, sizeof(*view));
	view->leader.create = st->leader.create;
	view->leader.lease = st->leader.lease;
	view->epoch.mod = st->epoch.mod;
	view->epoch.incarnation = st->epoch.incarnation;
	if (beat_node < SIM_NODES_MAX) {
		view->beat.mod = st->beat[beat_node].mod;
		view->beat.incarnation = st->beat[beat_node].incarnation;
	}
	view->clean = st->clean.token;
	view->config = st->config ? ELECTION_CONFIG_OURS : ELECTION_CONFIG_ABSENT;
	view->reserve = st->reserve.node == ETCD_NOBODY ? ELECTION_RESERVE_NONE
			: st->reserve.node == node	? ELECTION_RESERVE_US
							: ELECTION_RESERVE_OTHER;
}

/* ---- leases ---- */

static struct etcd_lease *lease_find(struct etcd *e, int64_t id)
{
	for (unsigned i = 0; id != 0 && i < ETCD_LEASES; i++)
		if (e->leases[i].id == id)
			return &e->leases[i];
	return NULL;
}

static void lease_look(struct sim *s, struct etcd_lease *l)
{
	int64_t grid = CHECK_EVERY_MSEC * MSEC;

	if (l->checked)
		return;
	l->checked = true;
	sim_at(s, (l->expires + grid - 1) / grid * grid + sim_range(s, 0, s->knobs.expiry_lag),
		EVENT_LEASE, 0, 0, (uint32_t)(l - s->etcd.leases), 0);
}

static void lease_end(struct sim *s, struct etcd_lease *l)
{
	int64_t id = l->id;

	l->id = 0;
	if (s->etcd.state.leader.lease != id || s->etcd.state.leader.create == 0)
		return;
	begin(s);
	delete_leader(s);
	net_changed(s);
}

void etcd_lease_check(struct sim *s, unsigned slot)
{
	struct etcd_lease *l = &s->etcd.leases[slot];

	l->checked = false;
	if (l->id == 0)
		return;
	if (l->expires > s->now) {
		lease_look(s, l);
	} else if (s->etcd.no_quorum) {
		l->expires = s->now + SEC; /* a revoke is a proposal too */
		lease_look(s, l);
	} else {
		if (s->etcd.state.leader.lease == l->id)
			trace(s, NULL, "etcd: the lease of term %lld expires",
				(long long)s->etcd.state.leader.create);
		lease_end(s, l);
	}
}

static void grant(struct sim *s, struct election_event *ev)
{
	struct etcd_lease *l = NULL;
	int64_t ttl = (s->profile.ttl + SEC - 1) / SEC * SEC;

	for (unsigned i = 0; i < ETCD_LEASES && !l; i++)
		if (s->etcd.leases[i].id == 0 && !s->etcd.leases[i].checked)
			l = &s->etcd.leases[i];
	if (!l) {
		ev->reply.outcome = ELECTION_REFUSED;
		return;
	}
	l->id = ++s->etcd.last_lease;
	l->ttl = ttl < 2 * SEC ? 2 * SEC : ttl;
	l->expires = s->now + l->ttl;
	lease_look(s, l);
	ev->reply.lease = l->id;
	ev->reply.ttl = l->ttl;
}

static void keepalive(struct sim *s, const struct etcd_request *rq, struct election_event *ev)
{
	struct etcd_lease *l = lease_find(&s->etcd, rq->action.lease);

	ev->reply.lease = rq->action.lease;
	if (l && !s->etcd.stale_keepalive) {
		l->expires = s->now + l->ttl;
		ev->reply.ttl = l->ttl;
	} else if (s->etcd.stale_keepalive) {
		ev->reply.ttl = s->profile.ttl; /* a deposed leader, etcd#15247 */
	}
}

void etcd_new_leader(struct sim *s)
{
	for (unsigned i = 0; i < ETCD_LEASES; i++) {
		struct etcd_lease *l = &s->etcd.leases[i];

		if (l->id != 0)
			l->expires = s->now + l->ttl + SEC;
	}
}

void etcd_revoke_of_leader(struct sim *s)
{
	struct etcd_lease *l = lease_find(&s->etcd, s->etcd.state.leader.lease);

	if (l)
		lease_end(s, l);
}

/* ---- transactions ---- */

static void refuse(struct election_event *ev, enum election_refusal why)
{
	ev->reply.outcome = ELECTION_REFUSED;
	ev->reply.refusal = why;
}

static void acquire(struct sim *s, const struct etcd_request *rq, struct election_event *ev)
{
	struct etcd_state *st = &s->etcd.state;
	bool fresh = rq->action.fresh;
	bool passes = st->leader.create == 0 &&
		      (fresh ? st->config == 0 && st->epoch.mod == 0 : st->config != 0) &&
		      (st->reserve.node == ETCD_NOBODY || st->reserve.node == rq->node);

	if (s->etcd.nospace) {
		refuse(ev, ELECTION_REFUSED_NOSPACE);
		return;
	}
	etcd_view(st, rq->node, passes ? rq->beat_node : etcd_node_of(st->epoch.incarnation),
		&ev->reply.view);
	if (!passes)
		return;
	if (!lease_find(&s->etcd, rq->action.lease)) {
		refuse(ev, ELECTION_REFUSED_NO_LEASE);
		return;
	}
	ev->reply.succeeded = true;
	begin(s);
	if (st->revision <= s->last_token &&
		s->etcd.accepted == s->etcd.line) /* else nobody believes it */
		check_violation(s, "tokens do not grow");
	st->leader.create = st->revision;
	st->leader.lease = rq->action.lease;
	changed(s, ELECTION_KEY_LEADER, 0, st->leader.create, (uint64_t)st->leader.lease);
	st->epoch.mod = st->revision;
	st->epoch.incarnation = rq->incarnation;
	changed(s, ELECTION_KEY_EPOCH, 0, st->epoch.mod, rq->incarnation);
	put_beat(s, rq->node, rq->incarnation);
	if (fresh) {
		st->config = st->revision;
		changed(s, ELECTION_KEY_CONFIG, 0, 1, 0);
	}
	s->stats->elections++;
}

static void beat(struct sim *s, const struct etcd_request *rq, struct election_event *ev)
{
	struct etcd_state *st = &s->etcd.state;

	if (s->etcd.nospace && !rq->action.as_delete) {
		refuse(ev, ELECTION_REFUSED_NOSPACE);
		return;
	}
	if (st->leader.create != rq->action.token || st->leader.lease != rq->action.lease)
		return;
	ev->reply.succeeded = true;
	if (!rq->action.as_delete) {
		begin(s);
		put_beat(s, rq->node, rq->incarnation);
	} else if (st->beat[rq->node].mod != 0) {
		begin(s);
		memset(&st->beat[rq->node], 0, sizeof(st->beat[rq->node]));
		changed(s, ELECTION_KEY_BEAT, rq->node, 0, 0);
	}
}

static void seize(struct sim *s, const struct etcd_request *rq, struct election_event *ev)
{
	struct etcd_state *st = &s->etcd.state;
	int64_t mod = rq->beat_node < SIM_NODES_MAX ? st->beat[rq->beat_node].mod : 0;

	if (s->etcd.nospace) {
		refuse(ev, ELECTION_REFUSED_NOSPACE);
		return;
	}
	if (st->leader.create != rq->action.token || mod != rq->action.beat_mod)
		return;
	ev->reply.succeeded = true;
	begin(s);
	delete_leader(s);
	put_clean(s, rq->action.token, true);
	s->stats->seized++;
}

static void release(struct sim *s, const struct etcd_request *rq, struct election_event *ev)
{
	struct etcd_state *st = &s->etcd.state;
	const struct election_action *a = &rq->action;

	if (s->etcd.nospace && (a->clean || a->reserve)) {
		refuse(ev, ELECTION_REFUSED_NOSPACE);
		return;
	}
	ev->reply.succeeded = st->leader.create == a->token;
	if (ev->reply.succeeded) {
		begin(s);
		delete_leader(s);
		if (a->clean)
			put_clean(s, a->token, false);
		if (a->reserve)
			put_reserve(s, rq->reserve_for);
	} else if (a->clean && st->clean.mod < a->clean_before) {
		begin(s);
		put_clean(s, a->token, false);
	} else {
		return;
	}
	s->stats->cleaned += a->clean;
}

static void revoke(struct sim *s, const struct etcd_request *rq, struct election_event *ev)
{
	struct etcd_lease *l = lease_find(&s->etcd, rq->action.lease);

	if (l)
		lease_end(s, l);
	else
		refuse(ev, ELECTION_REFUSED_NO_LEASE);
}

static void list(struct sim *s, const struct etcd_request *rq, struct election_event *ev)
{
	const struct etcd *e = &s->etcd;
	const struct etcd_state *st = &e->state;

	if (e->n_states && sim_chance(s, e->stale_list_ppm)) {
		unsigned kept = e->n_states < ETCD_STATES ? e->n_states : ETCD_STATES;
		st = &e->states[(e->n_states - (unsigned)sim_range(s, 1, kept)) % ETCD_STATES];
	}
	ev->kind = ELECTION_LISTED;
	ev->listed.revision = st->revision;
	etcd_view(st, rq->node, etcd_node_of(st->epoch.incarnation), &ev->listed.view);
}

static void perform(struct sim *s, const struct etcd_request *rq, struct election_event *ev)
{
	switch (rq->action.kind) {
	case ELECTION_GRANT:
		if (s->etcd.nospace)
			refuse(ev, ELECTION_REFUSED_NOSPACE);
		else
			grant(s, ev);
		break;
	case ELECTION_KEEPALIVE:
		keepalive(s, rq, ev);
		break;
	case ELECTION_REVOKE:
		revoke(s, rq, ev);
		break;
	case ELECTION_ACQUIRE:
		acquire(s, rq, ev);
		break;
	case ELECTION_BEAT:
		beat(s, rq, ev);
		break;
	case ELECTION_SEIZE:
		seize(s, rq, ev);
		break;
	case ELECTION_RELEASE:
		release(s, rq, ev);
		break;
	default:
		break;
	}
}

/* The write that passes the quota, and those that are under way then: made, and answered as those are
 * that are refused from now on. */
static bool over_quota(struct sim *s, const struct etcd_request *rq, struct election_event *ev)
{
	struct election_event hidden = *ev;

	if (!s->etcd.nospace || s->etcd.over_quota <= 0)
		return false;
	perform(s, rq, ev);
	if (ev->reply.refusal != ELECTION_REFUSED_NOSPACE)
		return true; /* takes no space */
	s->etcd.over_quota--;
	s->etcd.nospace = false;
	perform(s, rq, &hidden);
	s->etcd.nospace = true;
	return true;
}

void etcd_apply(struct sim *s, const struct etcd_request *rq, struct election_event *ev)
{
	memset(ev, 0, sizeof(*ev));
	ev->kind = ELECTION_REPLY;
	if (rq->action.kind == ELECTION_LIST) {
		list(s, rq, ev);
		return;
	}
	ev->reply.outcome = ELECTION_APPLIED;
	if (!over_quota(s, rq, ev))
		perform(s, rq, ev);
	ev->reply.revision = s->etcd.state.revision;
	net_changed(s);
}

/* ---- operators ---- */

void etcd_delete(struct sim *s, enum election_key key)
{
	struct etcd_state *st = &s->etcd.state;

	begin(s);
	if (key == ELECTION_KEY_LEADER && st->leader.create != 0) {
		delete_leader(s);
	} else if (key == ELECTION_KEY_CONFIG && st->config != 0) {
		st->config = 0;
		changed(s, key, 0, 0, 0);
	} else if (key == ELECTION_KEY_EPOCH && st->epoch.mod != 0) {
		memset(&st->epoch, 0, sizeof(st->epoch));
		changed(s, key, 0, 0, 0);
	} else if (key == ELECTION_KEY_CLEAN && st->clean.mod != 0) {
		memset(&st->clean, 0, sizeof(st->clean));
		changed(s, key, 0, 0, 0);
	}
	net_changed(s);
}

/* What `etcdctl put /leader me` does: the same create revision, no lease any more. */
void etcd_overwrite_leader(struct sim *s)
{
	struct etcd_state *st = &s->etcd.state;

	begin(s);
	if (st->leader.create == 0)
		st->leader.create = st->revision;
	st->leader.lease = 0;
	changed(s, ELECTION_KEY_LEADER, 0, st->leader.create, 0);
	net_changed(s);
}

void etcd_restore_config(struct sim *s)
{
	if (s->etcd.state.config != 0)
		return;
	begin(s);
	s->etcd.state.config = s->etcd.state.revision;
	changed(s, ELECTION_KEY_CONFIG, 0, 1, 0);
	net_changed(s);
}

/* The state is that of a backup: what hung on a lease that has ended since ends now, the others begin anew. */
void etcd_restored(struct sim *s)
{
	struct etcd_state *st = &s->etcd.state;
	struct etcd_lease *l = lease_find(&s->etcd, st->leader.lease);

	if (l)
		l->expires = s->now + l->ttl;
	else
		memset(&st->leader, 0, sizeof(st->leader));
	if (st->reserve.node != ETCD_NOBODY)
		sim_at(s, st->reserve.expires > s->now ? st->reserve.expires : s->now,
			EVENT_RESERVE, 0, 0, 0, 0);
}
