/* A node makes itself known under its name, on its lease, so that operators see who is there and no two
 * living nodes share a name. It campaigns meanwhile: safety does not rest on names.
 *
 * Happy path: a lease -> create-only put. The name is taken: by this node's crashed predecessor, whose
 * lease ends by itself, or by a twin. One that is still there after more than a whole TTL is kept alive
 * by somebody: then this node ends. */
#include "elect/elector.h"

#include <errno.h>
#include <string.h>

static int64_t ttl_of(const struct once_node *n)
{
	return n->timing.lease_ttl_s * ONCE_NSEC_PER_SEC;
}

static void again_later(struct once_node *n)
{
	n->loop->ops->timer_set(n->register_timer, ttl_of(n) / 3);
}

/* The name is another incarnation's. */
static void taken(struct once_node *n, uint64_t incarnation)
{
	struct once_instant now = n->loop->ops->now(n->loop);
	struct once_elector *e = node_speaker(n);
	struct list *i;

	if (n->twin != incarnation) {
		n->twin = incarnation;
		n->twin_seen = now;
	}
	if (!e || once_elapsed_min(n->twin_seen, now) < ttl_of(n) + ttl_of(n) / 2) {
		again_later(n);
		return;
	}
	elector_say(e, ONCE_LOG_ERR, "node-twice",
		"another living node is named %s (%s): give each its own name", n->name,
		n->registration);
	list_foreach (i, &n->electors) {
		e = list_entry(i, struct once_elector, in_node);
		if (e->gone)
			continue;
		e->error = -EEXIST;
		once_elector_stop(e);
	}
}

static void on_answer(void *userdata, const struct once_response *response)
{
	struct once_node *n = userdata;
	const struct once_op_result *result = response->op.results;
	uint64_t incarnation;

	n->register_call = NULL;
	if (response->outcome != ONCE_APPLIED) {
		again_later(n);
		return;
	}
	if (response->op.succeeded) {
		n->twin = 0;
		n->registered = n->asked_lease;
		if (n->registered != n->lease.id)
			again_later(n);
		return;
	}
	if (response->op.n_results == 0 || result->n_kvs == 0 ||
		!keys_registration_read(&incarnation, result->kvs[0].value)) {
		again_later(n);
	} else if (incarnation == n->incarnation && result->kvs[0].lease == n->lease.id) {
		n->registered = n->lease.id; /* an earlier copy whose answer was lost */
	} else if (incarnation == n->incarnation) {
		again_later(n); /* on the lease before, which ends */
	} else {
		taken(n, incarnation);
	}
}

static void register_now(struct once_node *n)
{
	char value[KEYS_VALUE_MAX];
	struct once_call_options options = {ONCE_LANE_CONTROL, n->timing.request_timeout_ns};
	struct once_compare absent = {
		.target = ONCE_COMPARE_CREATE, .key = once_str(n->registration)};
	struct once_op put = {
		.kind = ONCE_OP_PUT, .key = once_str(n->registration), .lease = n->lease.id};
	struct once_op range = {.kind = ONCE_OP_RANGE, .key = once_str(n->registration)};
	struct once_txn txn = {&absent, 1, &put, 1, &range, 1};

	if (keys_registration_write(value, sizeof(value), n->incarnation, n->address) < 0)
		return;
	put.value = once_str(value);
	n->asked_lease = put.lease;
	if (once_txn(n->client, &n->register_call, &options, &txn, on_answer, n) < 0)
		again_later(n);
}

static bool is_ending(const struct once_node *n)
{
	struct list *i;

	list_foreach (i, &n->electors)
		if (!list_entry(i, struct once_elector, in_node)->core.stop)
			return false;
	return true;
}

static void on_timer(void *userdata)
{
	struct once_node *n = userdata;

	if (!n->register_call && n->lease.id != 0 && n->lease.id != n->registered && !is_ending(n))
		register_now(n);
}

/* After each step: a lease that carries no registration yet gets one, once the more urgent is done. Of a
 * shared node nothing is more urgent: others wait to see who is there. */
void register_check(struct once_elector *e)
{
	struct once_node *n = e->node;
	bool campaigning = e->core.role == ELECTION_FOLLOW || e->core.role == ELECTION_LEADING;

	if (!campaigning || n->lease.id == 0 || n->registering == n->lease.id)
		return;
	n->registering = n->lease.id;
	n->loop->ops->timer_set(n->register_timer, n->shared ? 0 : n->timing.beat_interval_ns / 2);
}

int register_init(struct once_node *n)
{
	n->register_timer = n->loop->ops->timer_new(n->loop, on_timer, n);
	return n->register_timer ? 0 : -ENOMEM;
}

void register_fini(struct once_node *n)
{
	n->register_call = once_call_cancel(n->register_call);
	if (n->register_timer)
		n->loop->ops->timer_free(n->register_timer);
	n->register_timer = NULL;
}
