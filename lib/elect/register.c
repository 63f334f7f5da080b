/* A node makes itself known under its name, on its lease, so that operators see who is there and no two
 * living nodes share a name. It campaigns meanwhile: safety does not rest on names.
 *
 * Happy path: a lease -> create-only put. The name is taken: by this node's crashed predecessor, whose
 * lease ends by itself, or by a twin. One that is still there after more than a whole TTL is kept alive
 * by somebody: then this node ends. */
#include "elect/elector.h"

#include <errno.h>
#include <string.h>

static int64_t ttl_of(const struct once_elector *e)
{
	return e->timing.lease_ttl_s * ONCE_NSEC_PER_SEC;
}

static void again_later(struct once_elector *e)
{
	e->loop->ops->timer_set(e->register_timer, ttl_of(e) / 3);
}

/* The name is another incarnation's. */
static void taken(struct once_elector *e, uint64_t incarnation)
{
	struct once_instant now = e->loop->ops->now(e->loop);

	if (e->twin != incarnation) {
		e->twin = incarnation;
		e->twin_seen = now;
	}
	if (once_elapsed_min(e->twin_seen, now) < ttl_of(e) + ttl_of(e) / 2) {
		again_later(e);
		return;
	}
	elector_say(e, ONCE_LOG_ERR, "node-twice",
		"another living node is named %s (%s): give each its own name", e->node,
		e->keys.registration);
	e->error = -EEXIST;
	once_elector_stop(e);
}

static void on_answer(void *userdata, const struct once_response *response)
{
	struct once_elector *e = userdata;
	const struct once_op_result *result = response->op.results;
	uint64_t incarnation;

	e->register_call = NULL;
	if (response->outcome != ONCE_APPLIED) {
		again_later(e);
		return;
	}
	if (response->op.succeeded) {
		e->twin = 0;
		e->registered = e->asked_lease;
		if (e->registered != e->core.lease.id)
			again_later(e);
		return;
	}
	if (response->op.n_results == 0 || result->n_kvs == 0 ||
		!keys_registration_read(&incarnation, result->kvs[0].value)) {
		again_later(e);
	} else if (incarnation == e->core.config.incarnation &&
		result->kvs[0].lease == e->core.lease.id) {
		e->registered = e->core.lease.id; /* an earlier copy whose answer was lost */
	} else if (incarnation == e->core.config.incarnation) {
		again_later(e); /* on the lease before, which ends */
	} else {
		taken(e, incarnation);
	}
}

static void register_now(struct once_elector *e)
{
	char value[KEYS_VALUE_MAX];
	struct once_call_options options = {ONCE_LANE_CONTROL, e->timing.request_timeout_ns};
	struct once_compare absent = {
		.target = ONCE_COMPARE_CREATE, .key = once_str(e->keys.registration)};
	struct once_op put = {.kind = ONCE_OP_PUT,
		.key = once_str(e->keys.registration),
		.lease = e->core.lease.id};
	struct once_op range = {.kind = ONCE_OP_RANGE, .key = once_str(e->keys.registration)};
	struct once_txn txn = {&absent, 1, &put, 1, &range, 1};

	if (keys_registration_write(value, sizeof(value), e->core.config.incarnation, e->address) < 0)
		return;
	put.value = once_str(value);
	e->asked_lease = put.lease;
	if (once_txn(e->client, &e->register_call, &options, &txn, on_answer, e) < 0)
		again_later(e);
}

static void on_timer(void *userdata)
{
	struct once_elector *e = userdata;

	if (!e->register_call && e->core.lease.id != 0 && e->core.lease.id != e->registered &&
		!e->core.stop)
		register_now(e);
}

/* After each step: a lease that carries no registration yet gets one, once the more urgent is done. */
void register_check(struct once_elector *e)
{
	bool campaigning = e->core.role == ELECTION_FOLLOW || e->core.role == ELECTION_LEADING;

	if (!campaigning || e->core.lease.id == 0 || e->registering == e->core.lease.id)
		return;
	e->registering = e->core.lease.id;
	e->loop->ops->timer_set(e->register_timer, e->timing.beat_interval_ns / 2);
}

int register_init(struct once_elector *e)
{
	e->register_timer = e->loop->ops->timer_new(e->loop, on_timer, e);
	return e->register_timer ? 0 : -ENOMEM;
}

void register_fini(struct once_elector *e)
{
	e->register_call = once_call_cancel(e->register_call);
	if (e->register_timer)
		e->loop->ops->timer_free(e->register_timer);
	e->register_timer = NULL;
}
