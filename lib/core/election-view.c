/* What etcd is seen to hold, from lists, from the watch and from answers, and when to look again.
 * An older view never replaces a newer one. */
#include "core/election-inner.h"

#include <string.h>

enum { MISSED_BEATS = 3 }; /* heard nothing of the leader for as many beats: look elsewhere */

/* ---- what etcd is seen to hold ---- */

/* The key hangs on this node's lease, or the epoch says so. Either will do: an operator may have
 * deleted the epoch, or have put the key without its lease, and nobody else ends such a term. */
bool election_view_names_us(const struct election *e)
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
				election_note(e,
					seen->leader.create ? ELECTION_NOTE_FOLLOWING
							    : ELECTION_NOTE_VACANT,
					seen->leader.create, 0);
		}
		if (seen->leader.create == 0 &&
			(view->leader.create != 0 || !is_set(e->vacant_since)))
			e->vacant_since = e->now;
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

void election_view_apply_all(struct election *e, int64_t revision, const struct election_view *seen)
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
		election_lost(e);
	else
		e->beat_now = true; /* somebody overwrote it: the beat's compares will tell */
}

void election_on_seen(struct election *e, const struct election_event *event)
{
	view_apply(e, event->seen.key, event->seen.revision, &event->seen.view);
	if (event->seen.key == ELECTION_KEY_LEADER)
		view_check_own(e, event->seen.revision);
}

void election_on_listed(struct election *e, const struct election_event *event)
{
	e->list.op = 0;
	e->list.failures = 0;
	e->list.rewatch = false;
	e->listed = true;
	election_view_apply_all(e, event->listed.revision, &event->listed.view);
	view_check_own(e, event->listed.revision);
}

/* ---- list ---- */

static bool leader_is_silent(const struct election *e)
{
	return e->view.leader.create != 0 && e->view.beat.mod != 0 &&
	       since(e, e->heard) >= MISSED_BEATS * e->config.beat_interval;
}

int64_t election_list_due_in(struct election *e)
{
	int64_t backstop = e->config.lease_ttl / 3,
		silence = MISSED_BEATS * e->config.beat_interval;

	if (e->list.op != 0)
		return ELECTION_NEVER;
	if (e->list.failures != 0)
		return left(e, e->list.asked, election_pace(e, e->list.failures));
	if (!e->listed || e->list.rewatch)
		return left(e, e->list.asked, e->config.beat_interval / 4);
	if (holds_key(e))
		return ELECTION_NEVER; /* beats prove more than a read would */
	if (e->view.leader.create != 0 && e->view.beat.mod != 0)
		backstop = min64(backstop,
			max64(left(e, e->heard, silence), left(e, e->list.asked, silence)));
	return min64(left(e, e->list.asked, e->config.lease_ttl / 3), backstop);
}

void election_list_advance(struct election *e)
{
	struct election_action *a;

	if (election_list_due_in(e) > 0)
		return;
	election_shuffle(e);
	if (!e->listed || leader_is_silent(e))
		e->list.rewatch = true;
	e->list.op = election_new_op(e);
	e->list.asked = e->now;
	a = election_act(e, ELECTION_LIST);
	a->op = e->list.op;
	a->rewatch = e->list.rewatch;
}
