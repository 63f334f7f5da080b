/* The node's life, and what its electors have in common that needs no file of its own.
 *
 * Electors may be freed by any callback, and the node with them: who calls several electors in a row enters the
 * node before and leaves it after; what was freed in between stays where it is, marked, until then.
 *
 * Beside the first steps the guard is tested: a txn whose compare is false must come back refused. Until
 * etcd has shown that, no elector sends a guarded write. */
#include "elect/node.h"

#include "elect/elector.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

static const int64_t SAY_AGAIN = 60 * ONCE_NSEC_PER_SEC;
/* Nothing must have been refused for so long before it is said that etcd answers again. */
static const int64_t BELIEVE_AFTER = 10 * ONCE_NSEC_PER_SEC;

/* ---- who is there ---- */

static void node_destroy(struct once_node *n)
{
	spread_fini(n); /* what somebody up the stack may be going through */
	shards_free(n);
	free(n->name);
	free(n->address);
	free(n->prefix);
	free(n->key);
	free(n->leaders);
	free(n->groups);
	free(n->beats);
	free(n->names);
	free(n->registration);
	free(n);
}

void node_enter(struct once_node *n)
{
	n->depth++;
}

void node_leave(struct once_node *n)
{
	struct list *i, *next;

	if (--n->depth != 0)
		return;
	list_foreach_safe (i, next, &n->electors) {
		struct once_elector *e = list_entry(i, struct once_elector, in_node);
		if (e->gone)
			elector_destroy(e);
	}
	if (n->gone)
		node_destroy(n);
}

/* For what is said of the node. NULL: nobody listens. */
struct once_elector *node_speaker(struct once_node *n)
{
	struct list *i;

	list_foreach (i, &n->electors) {
		struct once_elector *e = list_entry(i, struct once_elector, in_node);
		if (!e->gone && e->core.role != ELECTION_OVER)
			return e;
	}
	return NULL;
}

struct once_elector *node_any(struct once_node *n)
{
	struct list *i;

	list_foreach (i, &n->electors) {
		struct once_elector *e = list_entry(i, struct once_elector, in_node);
		if (!e->gone)
			return e;
	}
	return NULL;
}

/* No other elector of its node is alive. */
bool node_alone(const struct once_elector *e)
{
	struct list *i;

	list_foreach (i, &e->node->electors) {
		const struct once_elector *other = list_entry(i, struct once_elector, in_node);
		if (other != e && !other->gone && other->started && other->core.role != ELECTION_OVER)
			return false;
	}
	return true;
}

struct once_elector *node_by_key(struct once_node *n, struct once_bytes key)
{
	struct once_elector *e = NULL;

	HASH_FIND(hh_key, n->by_key, key.data, key.size, e);
	return e;
}

/* Whose state this key under "P/g/" is. */
struct once_elector *node_by_group(struct once_node *n, struct once_bytes key)
{
	size_t head = strlen(n->groups);
	struct once_elector *e = NULL;
	const char *name = key.data, *end;

	if (key.size <= head || memcmp(name, n->groups, head) != 0)
		return NULL;
	name += head;
	end = memchr(name, '/', key.size - head);
	if (end)
		HASH_FIND(hh_group, n->by_group, name, (size_t)(end - name), e);
	return e;
}

/* What waiting does not mend: a certificate, a password or a right. */
static bool needs_somebody(int error)
{
	return error == -EKEYREJECTED || error == -EACCES || error == -EPERM;
}

static const char *hint(int error)
{
	return error == -EPERM	? "; expected the rights that \"oncectl rbac\" prints"
	       : error == -EACCES ? "; expected a user and a password that this etcd knows"
				  : "";
}

/* Says once when etcd stops answering, once more when the reason turns out to need somebody, each minute while it
 * does not answer, and once when it is back. */
void node_answered(struct once_node *n, const struct once_response *response)
{
	struct once_instant now = n->loop->ops->now(n->loop);
	struct once_elector *e = node_speaker(n);

	if (!e)
		return;
	if (response->outcome == ONCE_APPLIED) {
		/* What is refused is not always all: a right may be missing for one key, and etcd 3.4 asks
		 * nobody who keeps a lease alive. */
		if (n->partly && once_elapsed_max(n->failed_at, now) < BELIEVE_AFTER)
			return;
		if (n->unreachable)
			elector_say(e, ONCE_LOG_INFO, "etcd-answers", "etcd answers again: %s",
				response->endpoint ? response->endpoint : "");
		n->unreachable = n->needs_somebody = n->partly = false;
		return;
	}
	if (response->error == 0 || response->error == -ENOENT || response->error == -ENOSPC)
		return;
	n->failed_at = now;
	if (n->unreachable && once_elapsed_max(n->unreachable_at, now) < SAY_AGAIN &&
		(n->needs_somebody || !needs_somebody(response->error)))
		return;
	n->unreachable = true;
	n->needs_somebody = needs_somebody(response->error);
	n->partly = response->error == -EPERM || response->error == -EACCES;
	n->unreachable_at = now;
	elector_say(e, ONCE_LOG_WARNING, "etcd-silent", "etcd does not serve us: %s: %s%s",
		response->endpoint ? response->endpoint : "",
		response->message[0] ? response->message : once_strerror(response->error),
		hint(response->error));
}

/* ---- the guard is tested ---- */

static void on_self_test(void *userdata, const struct once_response *response)
{
	struct once_node *n = userdata;
	struct list *i;

	n->self_test = NULL;
	node_answered(n, response);
	if (response->outcome != ONCE_APPLIED) {
		n->loop->ops->timer_set(n->test_timer, n->timing.request_timeout_ns / 2);
		return;
	}
	n->tested = true;
	node_enter(n);
	list_foreach (i, &n->electors) {
		struct once_elector *e = list_entry(i, struct once_elector, in_node);
		if (!e->gone)
			elector_tested(e);
	}
	node_leave(n);
}

static void self_test(void *userdata)
{
	struct once_node *n = userdata;
	struct once_call_options options = {ONCE_LANE_CONTROL, n->timing.request_timeout_ns};

	if (once_self_test(n->client, &n->self_test, &options, once_str(n->key), on_self_test, n) < 0)
		n->loop->ops->timer_set(n->test_timer, n->timing.request_timeout_ns);
}

void node_test(struct once_node *n)
{
	if (n->testing)
		return;
	n->testing = true;
	self_test(n);
}

/* ---- requests that wait for their turn ---- */

static unsigned calls_max(const struct once_elector *e, enum election_action_kind kind)
{
	return kind == ELECTION_RELEASE && e->core.stop ? NODE_ENDING_MAX : e->node->calls_max;
}

/* True: so many are on their way that this one waits, and is performed when one of them has ended. */
bool node_call_waits(struct once_elector *e, const struct election_action *a)
{
	struct once_node *n = e->node;

	if (!n->shared)
		return false;
	if (n->n_calls < calls_max(e, a->kind)) {
		n->n_calls++;
		return false;
	}
	e->waiting = *a;
	list_remove(&e->in_waiting);
	list_append(a->kind == ELECTION_RELEASE ? &n->waiting_releases : &n->waiting,
		&e->in_waiting);
	return true;
}

static void calls_turn(struct once_node *n)
{
	for (;;) {
		struct list *from =
			list_empty(&n->waiting_releases) ? &n->waiting : &n->waiting_releases;
		struct once_elector *e;

		if (list_empty(from))
			return;
		e = list_first(from, struct once_elector, in_waiting);
		if (n->n_calls >= calls_max(e, e->waiting.kind))
			return;
		list_remove(&e->in_waiting);
		if (e->waiting.op == e->core.request.op) /* else it was given up */
			elector_do(e, &e->waiting);
	}
}

/* An etcd that is late is asked less at once: the beats need its time more. */
void node_call_answered(struct once_node *n, bool in_time)
{
	if (!in_time)
		n->calls_max = n->calls_max / 2 > 0 ? n->calls_max / 2 : 1;
	else if (n->calls_max < NODE_CALLS_MAX)
		n->calls_max++;
}

void node_call_ended(struct once_node *n)
{
	if (!n->shared)
		return;
	n->n_calls--;
	node_turn(n);
}

/* ---- life ---- */

/* What is to be done at once, but not inside of what asks for it. */
void node_turn(struct once_node *n)
{
	if (n->shared && !n->gone)
		n->loop->ops->timer_set(n->timer, 0);
}

static void on_timer(void *userdata)
{
	struct once_node *n = userdata;

	node_enter(n);
	calls_turn(n);
	if (!n->gone)
		shards_turn(n);
	if (!n->gone)
		look_turn(n);
	if (!n->gone)
		spread_turn(n);
	node_leave(n);
}

/* The last elector has ended: nothing is on its way any more. */
void node_quiet(struct once_node *n)
{
	n->self_test = once_call_cancel(n->self_test);
	n->register_call = once_call_cancel(n->register_call);
	n->orphan = once_call_cancel(n->orphan);
	lease_cancel(n);
	look_cancel(n);
	shards_cancel(n);
	n->loop->ops->timer_set(n->test_timer, -1);
	n->loop->ops->timer_set(n->register_timer, -1);
	n->loop->ops->timer_set(n->timer, -1);
}

/* Nothing is on its way, and nothing is known: neither lease nor stream is of the etcd that answers now. */
void node_suspend(struct once_node *n)
{
	if (n->suspended)
		return;
	n->suspended = true;
	n->register_call = once_call_cancel(n->register_call);
	n->orphan = once_call_cancel(n->orphan);
	lease_cancel(n);
	look_cancel(n);
	shards_cancel(n);
	n->lease.id = n->lease.dead = 0;
	n->registering = n->registered = 0;
	n->list.due = n->shared; /* with the resumption */
	n->loop->ops->timer_set(n->register_timer, -1);
}

static int names_init(struct once_node *n, const struct once_node_config *config)
{
	int r = 0;

	n->name = strdup(config->node);
	n->address = strdup(config->address ? config->address : "");
	n->prefix = strdup(config->prefix);
	n->key = strdup(config->key);
	r |= asprintf(&n->leaders, "%s/", config->key);
	r |= asprintf(&n->groups, "%s/g/", config->prefix);
	r |= asprintf(&n->beats, "%s/beat/", config->prefix);
	r |= asprintf(&n->names, "%s/nodes/", config->prefix);
	r |= asprintf(&n->registration, "%s/nodes/%s", config->prefix, config->node);
	return r < 0 || !n->name || !n->address || !n->prefix || !n->key ? -ENOMEM : 0;
}

static int node_init(struct once_node *n, const struct once_node_config *config)
{
	const struct once_loop_ops *ops = n->loop->ops;
	int r = names_init(n, config);

	n->timing = config->timing;
	n->timer = ops->timer_new(n->loop, on_timer, n);
	n->test_timer = ops->timer_new(n->loop, self_test, n);
	n->list.timer = ops->timer_new(n->loop, on_timer, n);
	if (r < 0 || !n->timer || !n->test_timer || !n->list.timer)
		return -ENOMEM;
	r = register_init(n);
	if (r == 0)
		r = spread_init(n);
	if (r < 0)
		return r;
	if (getrandom(&n->incarnation, sizeof(n->incarnation), 0) != sizeof(n->incarnation))
		return -EIO;
	n->incarnation = n->incarnation ? n->incarnation : 1;
	return 0;
}

static int node_make(struct once_node **ret, struct once_client *client, struct once_loop *loop,
	const struct once_node_config *config, bool shared)
{
	struct once_node *n = calloc(1, sizeof(*n));
	int r;

	if (!n)
		return -ENOMEM;
	n->client = client;
	n->loop = loop;
	n->shared = shared;
	n->calls_max = NODE_CALLS_MAX;
	list_init(&n->electors);
	list_init(&n->lease.grant.askers);
	list_init(&n->lease.keepalive.askers);
	list_init(&n->list.askers);
	list_init(&n->list.flying);
	list_init(&n->shards);
	list_init(&n->telling);
	list_init(&n->waiting_releases);
	list_init(&n->waiting);
	list_init(&n->peers);
	r = node_init(n, config);
	if (r < 0) {
		(void)once_node_free(n);
		return r;
	}
	*ret = n;
	return 0;
}

struct once_node *node_new_lone(struct once_client *client, struct once_loop *loop,
	const struct once_elector_config *c)
{
	struct once_node_config config = {.key = c->key,
		.prefix = c->prefix,
		.node = c->node,
		.address = c->address,
		.timing = c->timing};
	struct once_node *n;

	return node_make(&n, client, loop, &config, false) < 0 ? NULL : n;
}

int once_node_new(struct once_node **ret, struct once_client *client, struct once_loop *loop,
	const struct once_node_config *config, char *message, size_t size)
{
	struct once_elector_config whole = {.key = config->key,
		.prefix = config->prefix,
		.group = "default",
		.node = config->node,
		.address = config->address,
		.timing = config->timing};
	char ignored[1];
	int r;

	if (!message) {
		message = ignored;
		size = sizeof(ignored);
	}
	r = elector_config_check(&whole, message, size);
	if (r < 0)
		return r;
	r = node_make(ret, client, loop, config, true);
	if (r < 0)
		(void)snprintf(message, size, "%s", strerror(-r));
	return r;
}

struct once_node *once_node_free(struct once_node *n)
{
	const struct once_loop_ops *ops;

	if (!n || n->gone)
		return NULL;
	ops = n->loop->ops;
	node_enter(n);
	n->gone = true;
	while (node_any(n))
		(void)once_elector_free(node_any(n));
	if (n->timer && n->test_timer && n->list.timer && n->register_timer)
		node_quiet(n);
	register_fini(n);
	shards_cancel(n);
	spread_stop(n);
	if (n->timer)
		ops->timer_free(n->timer);
	if (n->test_timer)
		ops->timer_free(n->test_timer);
	if (n->list.timer)
		ops->timer_free(n->list.timer);
	node_leave(n);
	return NULL;
}
