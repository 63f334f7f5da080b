/* The node's one lease. A core that asks for a lease is given the one there is; who asks for a keep-alive
 * joins the one on its way, or hears of one that is young enough. An elector that asks for a grant although it was
 * given this lease before may only have been held up: as long as the node knows it to live, there is no other, since
 * the keys of the other groups hang on it.
 *
 * What a lone elector asks for is always sent. */
#include "elect/elector.h"

#include <errno.h>

static struct once_call_options options_of(const struct once_node *n)
{
	return (struct once_call_options){ONCE_LANE_CONTROL, n->timing.request_timeout_ns};
}

static bool younger(const struct once_node *n, int64_t age)
{
	return once_elapsed_max(n->lease.renewed, n->loop->ops->now(n->loop)) < age;
}

static void owe(struct once_elector *e, uint32_t op, int64_t lease, int64_t ttl)
{
	struct election_event event = {.kind = ELECTION_REPLY};

	event.reply.op = op;
	event.reply.outcome = ELECTION_APPLIED;
	event.reply.lease = lease;
	event.reply.ttl = ttl;
	event.reply.sent = e->node->lease.renewed;
	elector_owe(e, &event);
}

static void tell(struct lease_call *c, const struct once_response *response, int64_t given)
{
	struct list told;

	list_init(&told);
	list_splice(&told, &c->askers);
	while (!list_empty(&told)) {
		struct once_elector *e = list_first(&told, struct once_elector, in_lease);
		struct election_event event;

		list_remove(&e->in_lease);
		e->given = given ? given : e->given;
		elector_reply(&event, e->lease_op, response);
		elector_step(e, &event);
	}
}

static void on_grant(void *userdata, const struct once_response *response)
{
	struct once_node *n = userdata;
	bool good = response->outcome == ONCE_APPLIED;

	n->lease.grant.call = NULL;
	node_answered(n, response);
	if (good) {
		n->lease.id = response->lease;
		n->lease.ttl = response->ttl_s * ONCE_NSEC_PER_SEC;
		n->lease.renewed = response->sent;
	}
	node_enter(n);
	tell(&n->lease.grant, response, good ? response->lease : 0);
	node_leave(n);
}

/* etcd says that it is gone. */
void lease_refused(struct once_node *n, int64_t lease)
{
	if (lease != n->lease.id)
		return;
	n->lease.dead = lease;
	n->lease.id = 0;
}

static void on_keepalive(void *userdata, const struct once_response *response)
{
	struct once_node *n = userdata;

	n->lease.keepalive.call = NULL;
	node_answered(n, response);
	if (response->outcome == ONCE_APPLIED && response->ttl_s <= 0)
		lease_refused(n, n->lease.asked);
	else if (response->outcome == ONCE_APPLIED && n->lease.asked == n->lease.id)
		n->lease.renewed = response->sent;
	node_enter(n);
	tell(&n->lease.keepalive, response, 0);
	node_leave(n);
}

static int grant(struct once_elector *e, uint32_t op)
{
	struct once_node *n = e->node;
	struct once_call_options options = options_of(n);
	int r = 0;

	if (n->lease.id != 0 && (n->shared || n->lease.id != e->given) && younger(n, n->lease.ttl)) {
		e->given = n->lease.id;
		owe(e, op, n->lease.id, n->lease.ttl);
		return 0;
	}
	n->lease.id = 0;
	if (!n->lease.grant.call)
		r = once_lease_grant(n->client, &n->lease.grant.call, &options, n->timing.lease_ttl_s,
			0, on_grant, n);
	if (r < 0)
		return r;
	e->lease_op = op;
	list_append(&n->lease.grant.askers, &e->in_lease);
	return 0;
}

static int keepalive(struct once_elector *e, uint32_t op)
{
	struct once_node *n = e->node;
	struct once_call_options options = options_of(n);
	int r = 0;

	if (n->shared && younger(n, n->lease.ttl / 6)) {
		owe(e, op, n->lease.id, n->lease.ttl);
		return 0;
	}
	if (n->lease.keepalive.call && n->lease.asked != n->lease.id)
		return 1;
	n->lease.asked = n->lease.id;
	if (!n->lease.keepalive.call)
		r = once_lease_keepalive(n->client, &n->lease.keepalive.call, &options, n->lease.id,
			on_keepalive, n);
	if (r < 0)
		return r;
	e->lease_op = op;
	list_append(&n->lease.keepalive.askers, &e->in_lease);
	return 0;
}

/* Another term of the earlier process is not released yet: its key hangs on the lease, too. */
static bool others_recover(const struct once_elector *e)
{
	struct list *i;

	list_foreach (i, &e->node->electors) {
		const struct once_elector *other = list_entry(i, struct once_elector, in_node);
		bool before = other->core.role == ELECTION_IDLE && other->started;
		if (other != e && !other->gone && (before || other->core.role == ELECTION_RECOVER) &&
			other->recovered.lease == e->recovered.lease)
			return true;
	}
	return false;
}

/* The key of another group hangs on it, or is about to. */
static bool others_use(const struct once_elector *e, int64_t lease)
{
	struct list *i;

	list_foreach (i, &e->node->electors) {
		const struct once_elector *other = list_entry(i, struct once_elector, in_node);
		if (other != e && !other->gone && other->started &&
			other->core.role != ELECTION_OVER && other->core.lease.id == lease)
			return true;
	}
	return false;
}

/* 1: it is not about the node's lease. */
int lease_perform(struct once_elector *e, const struct election_action *a)
{
	struct once_node *n = e->node;

	if (a->kind == ELECTION_GRANT)
		return grant(e, a->op);
	if (a->kind == ELECTION_KEEPALIVE && a->lease == n->lease.id)
		return keepalive(e, a->op);
	if (!n->shared)
		return 1;
	if (a->kind == ELECTION_KEEPALIVE && a->lease == n->lease.dead) {
		owe(e, a->op, a->lease, 0);
		return 0;
	}
	if (a->kind == ELECTION_REVOKE && a->op == e->core.request.op &&
		((a->lease == n->lease.id && !node_alone(e)) || others_use(e, a->lease))) {
		owe(e, a->op, 0, 0); /* the last one revokes */
		return 0;
	}
	if (a->kind == ELECTION_REVOKE && a->op != e->core.request.op) {
		if (a->lease == n->lease.revoked || others_recover(e))
			return 0; /* of an earlier process: the last one does it, nobody waits for it */
		n->lease.revoked = a->lease;
	}
	return 1;
}

void lease_cancel(struct once_node *n)
{
	n->lease.grant.call = once_call_cancel(n->lease.grant.call);
	n->lease.keepalive.call = once_call_cancel(n->lease.keepalive.call);
}
