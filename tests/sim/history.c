/* An etcd that is restored from a backup, and what a node's client and daemon do about it: answers of
 * another history are no answers, the core is suspended, and resumed V(1 + delta) after the node has learned
 * that an operator accepts the new history, which goes on above every revision of the old one. */
#include "sim.h"

#include <string.h>

/* Whether the node takes an answer of that history for one. */
static bool believes(const struct node *n, uint32_t line)
{
	return n->line == line;
}

/* Until all work of the history before is dead. */
static int64_t wait_of(const struct node *n)
{
	return n->sim->profile.fence_after * 11 / 10;
}

static void look(struct node *n)
{
	const struct etcd *e = &n->sim->etcd;

	if (!n->suspended || e->accepted != e->line)
		return;
	n->looked = node_now(n);
	n->looked_line = e->line;
	sim_at(n->sim, node_after(n, &n->boot, wait_of(n)), EVENT_HISTORY, n->index, n->gen, 0, 0);
}

static void suspend(struct node *n)
{
	struct election_event ev = {.kind = ELECTION_SUSPEND};

	if (n->suspended)
		return;
	trace(n->sim, n, "etcd is not what it was");
	n->suspended = true;
	n->watch.open = false;
	n->watch.gen++;
	memset(n->ops, 0, sizeof(n->ops));
	look(n);
	node_step(n, &ev);
}

bool history_refuses(struct node *n, uint32_t line)
{
	if (n->suspended)
		return true;
	if (believes(n, line))
		return false;
	suspend(n);
	return true;
}

/* The node's wait may be over. */
void history_check(struct node *n)
{
	struct election_event ev = {.kind = ELECTION_RESUME};
	const struct etcd *e = &n->sim->etcd;

	if (!n->suspended || n->looked_line != e->line || e->accepted != e->line)
		return;
	if (once_elapsed_min(n->looked, node_now(n)) < wait_of(n)) {
		sim_at(n->sim, n->sim->now + n->sim->profile.beat, EVENT_HISTORY, n->index, n->gen,
			0, 0);
		return;
	}
	trace(n->sim, n, "accepts what etcd is now");
	n->suspended = false;
	n->line = e->line;
	node_step(n, &ev);
}

/* etcd goes on from one of its last states, and so do its leases. */
void history_restore(struct sim *s)
{
	struct etcd *e = &s->etcd;
	unsigned kept = e->n_states < ETCD_STATES ? e->n_states : ETCD_STATES;

	if (kept == 0 || e->accepted != e->line)
		return;
	if (e->state.revision > e->highest)
		e->highest = e->state.revision;
	e->state = e->states[(e->n_states - (unsigned)sim_range(s, s->script ? kept : 1, kept)) %
			     ETCD_STATES];
	e->line++;
	e->n_states = 0;
	e->n_changes = 0;
	etcd_restored(s);
	for (unsigned i = 0; i < s->n_nodes; i++) {
		struct node *n = &s->nodes[i];

		n->watch.gen++;
		n->watch.cursor = n->watch.held = 0;
		n->watch.silent = true;
		if (n->watch.open && sim_chance(s, 500000))
			sim_at(s, s->now + sim_range(s, 0, s->profile.timeout), EVENT_UNWATCHED, i,
				n->gen, n->watch.gen, 0);
	}
}

/* oncectl new-generation */
void history_accept(struct sim *s)
{
	struct etcd *e = &s->etcd;

	if (e->accepted == e->line)
		return;
	if (e->state.revision <= e->highest)
		e->state.revision = e->highest + 1;
	e->accepted = e->line;
	for (unsigned i = 0; i < s->n_nodes; i++)
		look(&s->nodes[i]);
}
