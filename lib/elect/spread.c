/* Who bids first for a group: of the nodes that are registered the one with the highest hash of node and group
 * (highest random weight) that does not have its share yet (bounded load), and then the others by the hash,
 * each a step later; last of all who led it last. Every node makes the same plan from what all of them
 * see, group by group in the order of their names.
 *
 * It is a courtesy: a wrong order costs a moment or evenness, nothing else. So a list of nodes that cannot be
 * read, or in which this node is not, only means that it bids as if it were there. */
#include "elect/elector.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct peer {
	struct list in_node;
	bool listed;
	unsigned led, given; /* groups: has them, would get them */
	size_t size;
	char name[];
};

static const int64_t SETTLE = ONCE_NSEC_PER_SEC, PLAN_GAP = 50 * ONCE_NSEC_PER_MSEC, STEP_MIN = 250 * ONCE_NSEC_PER_MSEC,
		     STEP_MAX = ONCE_NSEC_PER_SEC;

/* ---- the order ---- */

static uint64_t hash(uint64_t h, const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++)
		h = (h ^ (unsigned char)text[i]) * UINT64_C(1099511628211);
	return (h ^ 0xff) * UINT64_C(1099511628211);
}

/* Names that differ in one digit must not give weights that are close. */
static uint64_t mix(uint64_t h)
{
	h = (h ^ h >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	h = (h ^ h >> 27) * UINT64_C(0x94d049bb133111eb);
	return h ^ h >> 31;
}

uint64_t spread_weight(struct once_bytes node, const char *group)
{
	uint64_t h = hash(UINT64_C(14695981039346656037), node.data, node.size);
	return mix(hash(h, group, strlen(group)));
}

/* The node that the group's latest epoch names, from its beat key. */
static struct once_bytes last_leader(const struct once_elector *e)
{
	const char *beats = e->node->beats, *name = e->epoch.beat;
	size_t head = strlen(beats);

	if (strncmp(name, beats, head) != 0)
		return once_str("");
	name += head;
	return (struct once_bytes){name, strcspn(name, "/")};
}

static bool same(struct once_bytes a, struct once_bytes b)
{
	return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static struct peer *find(struct once_node *n, struct once_bytes name)
{
	struct list *i;

	list_foreach (i, &n->peers) {
		struct peer *p = list_entry(i, struct peer, in_node);
		if (same((struct once_bytes){p->name, p->size}, name))
			return p;
	}
	return NULL;
}

static uint64_t weight_of(const struct peer *p, const struct once_elector *e)
{
	return spread_weight((struct once_bytes){p->name, p->size}, e->group);
}

/* Whose turn it is: the heaviest that has less than `share`, else one that has least. NULL: there is none but
 * e->last. */
static struct peer *heir_of(const struct once_elector *e, unsigned share)
{
	struct peer *heavy = NULL, *idle = NULL;
	uint64_t heavy_weight = 0, idle_weight = 0;
	struct list *i;

	list_foreach (i, &e->node->peers) {
		struct peer *p = list_entry(i, struct peer, in_node);
		uint64_t weight = weight_of(p, e);
		unsigned load = p->led + p->given;

		if (p == e->last)
			continue;
		if (load < share && (!heavy || weight > heavy_weight)) {
			heavy = p;
			heavy_weight = weight;
		}
		if (!idle || load < idle->led + idle->given ||
			(load == idle->led + idle->given && weight > idle_weight)) {
			idle = p;
			idle_weight = weight;
		}
	}
	return heavy ? heavy : idle;
}

/* How many come before this node. */
static unsigned rank_of(const struct once_elector *e, const struct peer *heir)
{
	const struct peer *self = find(e->node, once_str(e->node->name));
	uint64_t own = spread_weight(once_str(e->node->name), e->group);
	unsigned before = heir && heir != self;
	struct list *i;

	if (!before)
		return 0;
	/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): takes a self that is not there for an element */
	list_foreach (i, &e->node->peers) {
		const struct peer *p = list_entry(i, struct peer, in_node);
		if (p != self && p != heir && p != e->last)
			before += (self && self == e->last) || weight_of(p, e) > own;
	}
	return before;
}

static int64_t step_of(const struct once_node *n)
{
	int64_t step = n->timing.beat_interval_ns;
	return step < STEP_MIN ? STEP_MIN : step > STEP_MAX ? STEP_MAX : step;
}

static void tell(struct once_elector *e, const struct peer *heir)
{
	struct once_node *n = e->node;
	struct election_event event = {.kind = ELECTION_STAND_BACK};
	unsigned rank = rank_of(e, heir);
	int64_t delay = rank * step_of(n), vacant = e->core.vacant_since.boot_ns;

	if (rank > 0)
		delay += (int64_t)(spread_weight(once_str(n->name), e->group) % (uint64_t)step_of(n)) / 4;
	/* vacant since before anybody knew who is there: it counts from then */
	if (e->core.view.leader.create == 0 && vacant != 0 && vacant < n->settled_at.boot_ns)
		delay += n->settled_at.boot_ns - vacant;
	if (delay == e->core.config.stand_back)
		return;
	event.stand_back.duration = delay;
	elector_step(e, &event);
}

/* ---- the plan ---- */

static bool takes_part(const struct once_elector *e)
{
	return e->named && e->started && !e->gone && e->core.role != ELECTION_OVER;
}

static bool is_led(const struct once_elector *e)
{
	return e->core.view.leader.create != 0;
}

static unsigned share_of(unsigned groups, size_t nodes)
{
	return nodes == 0 ? groups : (unsigned)((groups + nodes - 1) / nodes);
}

/* Who has what now, and who led each last. */
static unsigned count(struct once_node *n)
{
	unsigned groups = 0;
	struct list *i;

	list_foreach (i, &n->peers) {
		struct peer *p = list_entry(i, struct peer, in_node);
		p->led = p->given = 0;
	}
	list_foreach (i, &n->electors) {
		struct once_elector *e = list_entry(i, struct once_elector, in_node);

		if (!takes_part(e))
			continue;
		groups++;
		e->last = find(n, last_leader(e));
		if (e->last && is_led(e))
			e->last->led++;
	}
	return groups;
}

/* The groups that `leader` has go to the others; with NULL those that nobody has. */
static void deal(struct once_node *n, const struct peer *leader, unsigned share)
{
	struct list *i;

	list_foreach (i, &n->electors) {
		struct once_elector *e = list_entry(i, struct once_elector, in_node);
		struct peer *heir;

		if (!takes_part(e) || (is_led(e) ? e->last : NULL) != leader)
			continue;
		heir = heir_of(e, share);
		if (heir)
			heir->given++;
		tell(e, heir);
		if (n->gone)
			return; /* by a callback; what is here is freed later */
	}
}

/* What nobody has is given out first. Of each node then, what becomes of its groups when it dies. */
static void plan(struct once_node *n)
{
	unsigned groups = count(n);
	size_t nodes = list_length(&n->peers);
	struct list *i, *k;

	deal(n, NULL, share_of(groups, nodes));
	for (i = n->peers.next; i != &n->peers && !n->gone; i = i->next) {
		struct peer *p = list_entry(i, struct peer, in_node);
		p->led += p->given;
	}
	for (i = n->peers.next; i != &n->peers && !n->gone; i = i->next) {
		list_foreach (k, &n->peers)
			list_entry(k, struct peer, in_node)->given = 0;
		deal(n, list_entry(i, struct peer, in_node), share_of(groups, nodes - 1));
	}
}

/* ---- who is there ---- */

static struct once_bytes name_of(const struct once_node *n, const struct once_kv *kv)
{
	size_t head = strlen(n->names);
	return (struct once_bytes){(const char *)kv->key.data + head, kv->key.size - head};
}

static void changed(struct once_node *n)
{
	n->plan_due = true;
	node_turn(n);
}

static void come(struct once_node *n, struct once_bytes name)
{
	struct peer *p = find(n, name);

	if (!p) {
		p = calloc(1, sizeof(*p) + name.size);
		if (!p)
			return;
		p->size = name.size;
		memcpy(p->name, name.data, name.size);
		list_append(&n->peers, &p->in_node);
		n->peer_at = n->loop->ops->now(n->loop);
		changed(n);
	}
	p->listed = true;
}

static void leave(struct peer *p)
{
	list_remove(&p->in_node);
	free(p);
}

void spread_listed(struct once_node *n, const struct once_op_result *names)
{
	struct list *i, *next;

	if (!n->peers_known)
		n->known_at = n->peer_at = n->loop->ops->now(n->loop);
	n->peers_known = true;
	list_foreach (i, &n->peers)
		list_entry(i, struct peer, in_node)->listed = false;
	for (size_t k = 0; k < names->n_kvs; k++)
		come(n, name_of(n, &names->kvs[k]));
	list_foreach_safe (i, next, &n->peers) {
		struct peer *p = list_entry(i, struct peer, in_node);
		if (!p->listed) {
			leave(p);
			changed(n);
		}
	}
}

void spread_seen(struct once_node *n, const struct once_event *event)
{
	struct once_bytes name = name_of(n, &event->kv);
	struct peer *p;

	if (event->kind == ONCE_EVENT_PUT) {
		come(n, name);
		return;
	}
	p = find(n, name);
	if (p) {
		leave(p);
		changed(n);
	}
}

/* ---- turns ---- */

/* Everybody who starts with us should be there before anybody bids. */
static bool settle(struct once_node *n)
{
	struct once_instant now = n->loop->ops->now(n->loop);
	int64_t quiet, all;

	if (n->settled || !n->peers_known)
		return n->settled;
	quiet = SETTLE - once_elapsed_max(n->peer_at, now);
	all = SPREAD_SETTLE_MAX - once_elapsed_max(n->known_at, now);
	if (find(n, once_str(n->name)) ? quiet > 0 && all > 0 : all > 0) {
		n->loop->ops->timer_set(n->settle_timer,
			find(n, once_str(n->name)) && quiet < all ? quiet : all);
		return false;
	}
	n->settled = true;
	n->settled_at = now;
	return true;
}

void spread_turn(struct once_node *n)
{
	struct once_instant now = n->loop->ops->now(n->loop);
	int64_t passed = once_elapsed_max(n->planned, now);

	if (!n->shared || !settle(n) || !n->plan_due)
		return;
	if (n->planned.boot_ns != 0 && passed < PLAN_GAP) {
		n->loop->ops->timer_set(n->settle_timer, PLAN_GAP - passed);
		return;
	}
	n->plan_due = false;
	n->planned = now;
	plan(n);
}

static void on_settle(void *userdata)
{
	node_turn(userdata);
}

int spread_init(struct once_node *n)
{
	n->settle_timer = n->loop->ops->timer_new(n->loop, on_settle, n);
	return n->settle_timer ? 0 : -ENOMEM;
}

void spread_stop(struct once_node *n)
{
	if (n->settle_timer)
		n->loop->ops->timer_free(n->settle_timer);
	n->settle_timer = NULL;
}

void spread_fini(struct once_node *n)
{
	while (!list_empty(&n->peers))
		leave(list_first(&n->peers, struct peer, in_node));
}
