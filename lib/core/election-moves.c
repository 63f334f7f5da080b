/* How the election acts: one request of the role at a time, sent again until it is settled, and the
 * changes of role with what each brings. */
#include "core/election-inner.h"

#include <string.h>

static const int64_t COMPLAIN = 60 * ONCE_NSEC_PER_SEC; /* between notes that nothing changed */

int64_t election_v_with_drift(const struct election *e)
{
	return e->config.fence_after + e->config.fence_after / 1000000 * e->config.drift_ppm;
}

/* The pause before a try after so many failures: the first goes at once (elsewhere: the client has
 * moved on), then they thin out to one per R. Jittered, so that nodes do not march in step. */
int64_t election_pace(struct election *e, unsigned failures)
{
	int64_t step = e->config.beat_interval / 4, pause;

	if (failures <= 1)
		return 0;
	pause = min64(step << min64(failures - 2, 4), e->config.request_timeout);
	return pause / 2 + (int64_t)(e->random % (uint64_t)(pause / 2 + 1));
}

void election_shuffle(struct election *e)
{
	e->random ^= e->random << 13;
	e->random ^= e->random >> 7;
	e->random ^= e->random << 17;
}

struct election_action *election_act(struct election *e, enum election_action_kind kind)
{
	struct election_action *a;

	if (e->out->n == ELECTION_ACTIONS_MAX)
		__builtin_trap(); /* a step's actions are bounded by construction */
	a = &e->out->v[e->out->n++];
	memset(a, 0, sizeof(*a));
	a->kind = kind;
	return a;
}

uint32_t election_new_op(struct election *e)
{
	if (++e->last_op == 0)
		e->last_op = 1;
	return e->last_op;
}

void election_note(struct election *e, enum election_note what, int64_t token, int64_t duration)
{
	struct election_action *a = election_act(e, ELECTION_NOTE);
	a->note = what;
	a->token = token;
	a->duration = duration;
}

/* Why this node does not campaign: once, and again each minute. */
void election_complain(struct election *e, enum election_note what)
{
	if (since(e, e->complained) < COMPLAIN)
		return;
	e->complained = e->now;
	election_note(e, what, 0, 0);
}

void election_save(struct election *e)
{
	struct election_action *a = election_act(e, ELECTION_SAVE);
	a->saved.token = e->token;
	a->saved.lease = e->token ? e->lease.id : 0;
	a->saved.incarnation = e->config.incarnation;
	a->saved.ready = e->ready;
}

/* ---- requests of the role ---- */

void election_request_send(struct election *e)
{
	election_shuffle(e);
	e->request.op = election_new_op(e);
	e->request.action.op = e->request.op;
	e->request.asked = e->now;
	e->request.again = false;
	*election_act(e, e->request.action.kind) = e->request.action;
}

void election_request_new(struct election *e, struct election_action action)
{
	e->request.action = action;
	election_request_send(e);
}

static void request_forget(struct election *e)
{
	e->request.op = 0;
	e->request.again = false;
	e->request.failures = 0;
}

void election_request_failed(struct election *e, enum election_outcome outcome)
{
	e->request.failures++;
	e->request.again = true;
	if (outcome == ELECTION_UNKNOWN && e->request.failures == 1 &&
		e->request.action.kind != ELECTION_BEAT)
		election_note(e, ELECTION_NOTE_UNKNOWN, e->request.action.token, 0);
}

int64_t election_request_due_in(struct election *e)
{
	if (e->request.op != 0 || !e->request.again)
		return ELECTION_NEVER;
	return left(e, e->request.asked, election_pace(e, e->request.failures));
}

/* ---- transitions; entry effects live here ---- */

void election_enter(struct election *e, enum election_role role)
{
	request_forget(e);
	e->role = role;
}

void election_enter_follow(struct election *e)
{
	e->token = 0;
	e->ready = false;
	e->reserve = false;
	e->nospace = 0;
	election_enter(e, ELECTION_FOLLOW);
}

void election_enter_releasing(struct election *e, int64_t token)
{
	struct election_action a = {.kind = ELECTION_RELEASE, .token = token};

	a.clean = e->ready;
	/* The term before may have written its own late, after this one began: known to be older,
	 * it may be overwritten. */
	a.clean_before = token;
	if (e->view.clean < token)
		a.clean_before = max64(token, e->revisions[ELECTION_KEY_CLEAN] + 1);
	a.reserve = e->reserve;
	election_enter(e, ELECTION_RELEASING);
	e->ending_since = e->now;
	election_request_new(e, a);
}

void election_enter_over(struct election *e)
{
	election_enter(e, ELECTION_OVER);
	(void)election_act(e, ELECTION_ENDED);
}

void election_enter_revoking(struct election *e)
{
	struct election_action a = {.kind = ELECTION_REVOKE, .lease = e->lease.id};

	e->token = 0;
	if (e->lease.id == 0) {
		election_enter_over(e);
		return;
	}
	election_enter(e, ELECTION_REVOKING);
	e->ending_since = e->now;
	election_request_new(e, a);
}

void election_stop_work(struct election *e, enum election_reason reason, int64_t grace)
{
	struct election_action *a;

	election_enter(e, ELECTION_STOPPING);
	e->reason = reason;
	e->grace = grace;
	e->stopping_since = e->now;
	if (reason == ELECTION_REASON_DEADLINE)
		election_note(e, ELECTION_NOTE_DEADLINE, e->token, 0);
	a = election_act(e, ELECTION_STOP_WORK);
	a->token = e->token;
	a->reason = reason;
	a->grace = grace;
}

/* etcd says that the term is over: whoever leads now may start its work after its wait. */
void election_lost(struct election *e)
{
	if (e->role == ELECTION_STOPPING && e->reason == ELECTION_REASON_LOST)
		return;
	election_note(e, ELECTION_NOTE_LOST, e->token, 0);
	if (e->role == ELECTION_WAIT) {
		e->token = 0;
		e->ready = false;
		election_save(e);
		e->listed = false;
		election_enter_follow(e);
	} else {
		election_stop_work(e, ELECTION_REASON_LOST, 0);
	}
}

/* The term is over, and there is nobody to give it back to: etcd is not the one that it was of. */
void election_disown(struct election *e)
{
	e->token = 0;
	e->reason = 0;
	e->ready = false;
	election_save(e);
	election_enter_follow(e);
}
