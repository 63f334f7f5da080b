/* Who bids first for a group: the nodes that are registered, by a hash of node and group, the highest first
 * (highest random weight), and last of all who led it last. The first bids at once, each next one a step later.
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
	size_t size;
	char name[];
};

static const int64_t SETTLE = ONCE_NSEC_PER_SEC, STEP_MIN = 250 * ONCE_NSEC_PER_MSEC,
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
	return a.size == b.size && memcmp(a.data, b.data, a.size) == 0;
}

/* How many come before this node. */
static unsigned rank_of(const struct once_elector *e)
{
	struct once_bytes last = last_leader(e), self = once_str(e->node->name);
	uint64_t own = spread_weight(self, e->group);
	bool was_us = same(last, self);
	unsigned before = 0;
	struct list *i;

	list_foreach (i, &e->node->peers) {
		const struct peer *p = list_entry(i, struct peer, in_node);
		struct once_bytes name = {p->name, p->size};

		if (!same(name, self) && !same(name, last))
			before += was_us || spread_weight(name, e->group) > own;
	}
	return before;
}

static int64_t step_of(const struct once_node *n)
{
	int64_t step = n->timing.beat_interval_ns;
	return step < STEP_MIN ? STEP_MIN : step > STEP_MAX ? STEP_MAX : step;
}

static void tell(struct once_elector *e)
{
	struct once_node *n = e->node;
	struct election_event event = {.kind = ELECTION_STAND_BACK};
	unsigned rank = rank_of(e);
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

/* ---- who is there ---- */

static struct peer *find(struct once_node *n, struct once_bytes name)
{
	struct list *i;

	list_foreach (i, &n->peers) {
		struct peer *p = list_entry(i, struct peer, in_node);
		if (p->size == name.size && memcmp(p->name, name.data, name.size) == 0)
			return p;
	}
	return NULL;
}

static struct once_bytes name_of(const struct once_node *n, const struct once_kv *kv)
{
	size_t head = strlen(n->names);
	return (struct once_bytes){(const char *)kv->key.data + head, kv->key.size - head};
}

static void changed(struct once_node *n)
{
	struct list *i;

	list_foreach (i, &n->electors)
		list_entry(i, struct once_elector, in_node)->rank_due = true;
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
	struct list *i;

	if (!n->shared || !settle(n))
		return;
	list_foreach (i, &n->electors) {
		struct once_elector *e = list_entry(i, struct once_elector, in_node);

		if (!e->rank_due || e->gone || !e->shard || !e->started)
			continue;
		e->rank_due = false;
		tell(e);
	}
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

void spread_fini(struct once_node *n)
{
	if (n->settle_timer)
		n->loop->ops->timer_free(n->settle_timer);
	n->settle_timer = NULL;
	while (!list_empty(&n->peers))
		leave(list_first(&n->peers, struct peer, in_node));
}
