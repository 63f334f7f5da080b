/* What carries requests, answers and watches between the nodes and etcd: late, twice, one way, or
 * not at all. A node gives a request up after R; what was sent stays on its way. */
#include "sim.h"

#include <string.h>

enum { MESSAGES = 2048 + 16 * SIM_CROWD, QUEUED = 512 + 8 * SIM_CROWD };

struct message {
	struct etcd_request request;
	struct election_event answer;
	bool local;    /* the node's own kernel said so */
	uint32_t line; /* the history that the answer is of */
};

/* One simulation at a time: kept out of struct sim, which is set up anew for every seed. */
static struct message messages[MESSAGES];
static uint32_t free_list[MESSAGES], n_free;
static uint32_t queued[QUEUED], n_queued; /* while etcd has no quorum */

void net_calm(struct sim *s)
{
	(void)s;
	n_queued = 0;
	n_free = MESSAGES;
	for (uint32_t i = 0; i < MESSAGES; i++)
		free_list[i] = MESSAGES - 1 - i;
}

static struct message *message_new(struct sim *s)
{
	struct message *m;

	if (n_free == 0) {
		check_violation(s, "simulator: no message free");
		n_free = 1;
	}
	m = &messages[free_list[--n_free]];
	m->local = false;
	return m;
}

static void message_free(uint32_t i)
{
	free_list[n_free++] = i;
}

static uint32_t message_index(const struct message *m)
{
	return (uint32_t)(m - messages);
}

static int64_t one_way(struct sim *s, const struct node *n, uint32_t kind)
{
	const struct sim_knobs *k = &s->knobs;

	if (k->slow_kind == kind && (k->slow_node == 0 || k->slow_node == node_name(n)) &&
		sim_chance(s, k->slow_ppm))
		return sim_range(s, k->slow_min, k->slow_max);
	if (sim_chance(s, k->tail_ppm))
		return sim_range(s, k->net_min, k->tail_max);
	return sim_range(s, k->net_min, k->net_max);
}

/* ---- requests ---- */

static struct node_op *op_find(struct node *n, uint32_t op)
{
	for (unsigned i = 0; i < NODE_OPS; i++)
		if (n->ops[i].kind != 0 && n->ops[i].op == op)
			return &n->ops[i];
	return NULL;
}

static void op_new(struct node *n, const struct election_action *a)
{
	struct node_op *op = NULL;

	for (unsigned i = 0; i < NODE_OPS && !op; i++)
		if (n->ops[i].kind == 0)
			op = &n->ops[i];
	if (!op) {
		check_violation(n->sim, "%c has more than %d requests on their way", node_name(n),
			NODE_OPS);
		return;
	}
	op->op = a->op;
	op->kind = a->kind;
	op->sent = node_now(n);
	op->rewatch = a->rewatch;
}

static void transmit(struct node *n, const struct election_action *a)
{
	struct sim *s = n->sim;
	struct message *m = message_new(s);

	m->request.node = n->index;
	m->request.gen = n->gen;
	m->request.incarnation = n->config.incarnation;
	m->request.beat_node = n->beat_node;
	m->request.reserve_for = n->reserve_for;
	m->request.action = *a;
	sim_at(s, s->now + one_way(s, n, a->kind), EVENT_ARRIVE, n->index, 0, message_index(m), 0);
}

/* An answer that no message stands behind: nothing was sent, or nobody can tell. */
static void answer_without(
	struct node *n, const struct election_action *a, enum election_outcome outcome)
{
	struct sim *s = n->sim;
	struct message *m = message_new(s);

	memset(&m->answer, 0, sizeof(m->answer));
	m->local = outcome == ELECTION_REFUSED;
	m->request.node = n->index;
	m->request.action = *a;
	m->answer.kind = a->kind == ELECTION_LIST ? ELECTION_LIST_FAILED : ELECTION_REPLY;
	m->answer.reply.outcome = outcome;
	m->line = n->line;
	sim_at(s, s->now + s->knobs.net_min, EVENT_REPLY, n->index, n->gen, message_index(m), 0);
}

void net_send(struct node *n, const struct election_action *a)
{
	struct sim *s = n->sim;

	op_new(n, a);
	sim_at(s, node_after(n, &n->boot, s->profile.timeout), EVENT_TIMEOUT, n->index, n->gen,
		a->op, 0);
	if (n->cut_out) {
		if (sim_chance(s, s->knobs.refuse_ppm))
			answer_without(n, a, ELECTION_REFUSED);
		return;
	}
	if (sim_chance(s, s->knobs.loss_ppm))
		return;
	transmit(n, a);
	if (sim_chance(s, s->knobs.twice_ppm)) {
		s->stats->duplicates++;
		transmit(n, a);
	}
}

static void apply(struct sim *s, uint32_t index)
{
	struct message *m = &messages[index];
	struct node *n = &s->nodes[m->request.node];
	int64_t delay = one_way(s, n, m->request.action.kind);

	if (m->request.gen != n->gen || !op_find(n, m->request.action.op))
		s->stats->late_applied++;
	etcd_apply(s, &m->request, &m->answer);
	m->line = s->etcd.line;
	if (s->knobs.drop_acquires > 0 && m->request.action.kind == ELECTION_ACQUIRE) {
		s->knobs.drop_acquires--;
		message_free(index);
		return;
	}
	if (sim_chance(s, s->knobs.late_reply_ppm))
		delay += sim_range(s, 0, s->knobs.late_reply_max);
	if (sim_chance(s, s->knobs.garble_ppm)) { /* a 5xx, a torn body: done or not, who knows */
		memset(&m->answer, 0, sizeof(m->answer));
		m->answer.kind = m->request.action.kind == ELECTION_LIST ? ELECTION_LIST_FAILED
									 : ELECTION_REPLY;
		m->answer.reply.outcome = ELECTION_UNKNOWN;
	}
	sim_at(s, s->now + delay, EVENT_REPLY, n->index, m->request.gen, index, 0);
}

void net_arrive(struct sim *s, uint32_t index)
{
	struct message *m = &messages[index];
	struct etcd *e = &s->etcd;

	if (s->nodes[m->request.node].cut_out && sim_chance(s, 900000)) {
		message_free(index);
	} else if (!e->no_quorum ||
		   (e->stale_keepalive && m->request.action.kind == ELECTION_KEEPALIVE)) {
		apply(s, index);
	} else if (n_queued < QUEUED && !sim_chance(s, 200000)) {
		queued[n_queued++] = index;
	} else {
		message_free(index);
	}
}

void net_quorum_back(struct sim *s)
{
	for (uint32_t i = 0; i < n_queued; i++)
		sim_at(s, s->now + sim_range(s, 0, s->knobs.net_max * 4), EVENT_ARRIVE, 0, 0,
			queued[i], 0);
	n_queued = 0;
}

void net_timeout(struct node *n, uint32_t id)
{
	struct node_op *op = op_find(n, id);
	struct election_event ev = {0};

	if (!op)
		return;
	ev.kind = op->kind == ELECTION_LIST ? ELECTION_LIST_FAILED : ELECTION_REPLY;
	ev.reply.op = id;
	ev.reply.outcome = ELECTION_UNKNOWN;
	ev.reply.sent = op->sent;
	op->kind = 0;
	n->sim->stats->unknown++;
	node_step(n, &ev);
}

/* The shell learns from lists, watches and answers whose beat to ask for. */
static void learn_beat_node(struct node *n, uint64_t incarnation)
{
	n->beat_node = etcd_node_of(incarnation);
}

static void answered(struct node *n, struct node_op *op, struct message *m)
{
	struct election_event ev = m->answer;
	bool listed = ev.kind == ELECTION_LISTED, rewatch = op->rewatch;

	if (ev.kind == ELECTION_REPLY) {
		ev.reply.op = op->op;
		ev.reply.sent = op->sent;
		if (m->request.action.kind == ELECTION_ACQUIRE &&
			ev.reply.outcome == ELECTION_APPLIED)
			learn_beat_node(n, ev.reply.succeeded ? m->request.incarnation
							      : ev.reply.view.epoch.incarnation);
		if (ev.reply.outcome == ELECTION_UNKNOWN)
			n->sim->stats->unknown++;
	}
	op->kind = 0;
	if (listed) {
		learn_beat_node(n, ev.listed.view.epoch.incarnation);
		if (rewatch)
			net_watch_from(n, ev.listed.revision + 1);
	}
	node_step(n, &ev);
}

void net_reply(struct sim *s, const struct sim_event *event)
{
	struct message *m = &messages[event->x];
	struct node *n = &s->nodes[event->node];
	struct node_op *op;

	if (event->gen != n->gen || !n->agent || (n->cut_in && !m->local)) {
		message_free(event->x);
		return;
	}
	if (!node_takes(n, event))
		return; /* it comes again */
	op = op_find(n, m->request.action.op);
	if (op && !history_refuses(n, m->line))
		answered(n, op, m);
	message_free(event->x);
}

/* ---- watches ---- */

void net_watch_from(struct node *n, int64_t revision)
{
	struct etcd *e = &n->sim->etcd;
	uint64_t at = e->n_changes;

	while (at > 0 && e->n_changes - at < ETCD_CHANGES &&
		e->changes[(at - 1) % ETCD_CHANGES].revision >= revision)
		at--;
	n->watch.gen++;
	n->watch.open = true;
	n->watch.silent = false;
	n->watch.cursor = at;
	n->watch.held = e->n_changes;
	n->watch.last_at = n->sim->now;
	if (at < e->n_changes)
		net_connected(n);
}

static void watch_schedule(struct node *n)
{
	struct sim *s = n->sim;
	const struct sim_knobs *k = &s->knobs;
	int64_t at = s->now;

	at += sim_chance(s, k->watch_tail_ppm) ? sim_range(s, k->watch_min, k->watch_tail_max)
					       : sim_range(s, k->watch_min, k->watch_max);
	if (at < n->watch.last_at)
		at = n->watch.last_at;
	n->watch.last_at = at;
	sim_at(s, at, EVENT_WATCH, n->index, n->gen, n->watch.gen, (int64_t)s->etcd.n_changes);
}

/* etcd wrote something. */
void net_changed(struct sim *s)
{
	for (unsigned i = 0; i < s->n_nodes; i++) {
		struct node *n = &s->nodes[i];

		if (n->agent && n->watch.open && !n->watch.silent &&
			n->watch.held < s->etcd.n_changes) {
			n->watch.held = s->etcd.n_changes;
			watch_schedule(n);
		}
	}
}

/* The network is back: what the stream holds comes now. */
void net_connected(struct node *n)
{
	if (n->agent && n->watch.open && !n->watch.silent &&
		n->watch.cursor < n->sim->etcd.n_changes)
		watch_schedule(n);
}

static void seen(struct node *n, const struct etcd_change *c)
{
	struct election_event ev = {.kind = ELECTION_SEEN};
	struct election_view *v = &ev.seen.view;

	ev.seen.key = (enum election_key)c->key;
	ev.seen.revision = c->revision;
	switch (ev.seen.key) {
	case ELECTION_KEY_LEADER:
		v->leader.create = c->a;
		v->leader.lease = (int64_t)c->b;
		break;
	case ELECTION_KEY_EPOCH:
		v->epoch.mod = c->a;
		v->epoch.incarnation = c->b;
		learn_beat_node(n, c->b);
		break;
	case ELECTION_KEY_BEAT:
		if (c->a == 0 && c->node != n->beat_node)
			return; /* a deleted beat of somebody else's */
		v->beat.mod = c->a;
		v->beat.incarnation = c->b;
		break;
	case ELECTION_KEY_CLEAN:
		v->clean = c->a;
		break;
	case ELECTION_KEY_CONFIG:
		v->config = c->a ? ELECTION_CONFIG_OURS : ELECTION_CONFIG_ABSENT;
		break;
	case ELECTION_KEY_RESERVE:
		v->reserve = c->node == ETCD_NOBODY ? ELECTION_RESERVE_NONE
			     : c->node == n->index  ? ELECTION_RESERVE_US
						    : ELECTION_RESERVE_OTHER;
		break;
	case ELECTION_KEYS:
		return;
	}
	node_step(n, &ev);
}

void net_watch(struct node *n, const struct sim_event *event)
{
	struct etcd *e = &n->sim->etcd;
	uint32_t gen = n->gen, watch = n->watch.gen;

	if (event->x != n->watch.gen || !n->watch.open || n->watch.silent || n->cut_in)
		return;
	while (n->watch.cursor < (uint64_t)event->arg && n->agent && n->gen == gen &&
		n->watch.open && n->watch.gen == watch) {
		if (e->n_changes - n->watch.cursor > ETCD_CHANGES) {
			net_unwatched(n, watch); /* compacted */
			return;
		}
		seen(n, &e->changes[n->watch.cursor++ % ETCD_CHANGES]);
	}
}

void net_unwatched(struct node *n, uint32_t watch)
{
	struct election_event ev = {.kind = ELECTION_UNWATCHED};

	if (!n->agent || !n->watch.open || n->watch.gen != watch)
		return;
	n->watch.open = false;
	node_step(n, &ev);
}
