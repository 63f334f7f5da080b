/* What a node sees of etcd: one list and one watch stream for all of its electors.
 *
 * A lone elector's list goes at once, and its stream carries its group's keys. Of a shared node, lists
 * that are asked for together are one; a core that only wants to make sure (its backstop) is answered from
 * what it knows, since the node itself lists once in a TTL for all. */
#include "elect/elector.h"

#include <errno.h>
#include <string.h>

enum { RANGES_MAX = 5, RANGE_BEATS = 3, RANGE_NAMES = 4 };

static const int64_t GAP_MIN = 100 * ONCE_NSEC_PER_MSEC;

/* The ranges that show all there is. A lone elector: leader, state, beats. A shared node: leader, leaders of
 * groups, states, beats, nodes. */
struct ranges {
	unsigned n;
	struct once_bytes key[RANGES_MAX], end[RANGES_MAX];
	char ends[RANGES_MAX][512];
};

static void add_key(struct ranges *r, const char *key)
{
	r->end[r->n] = (struct once_bytes){NULL, 0};
	r->key[r->n++] = once_str(key);
}

static void add_prefix(struct ranges *r, const char *key)
{
	r->end[r->n] = (struct once_bytes){
		r->ends[r->n], once_prefix_end(once_str(key), r->ends[r->n])};
	r->key[r->n++] = once_str(key);
}

static struct once_elector *lone(const struct once_node *n)
{
	return list_first(&n->electors, struct once_elector, in_node);
}

static void ranges_init(struct ranges *r, const struct once_node *n)
{
	r->n = 0;
	add_key(r, n->key);
	if (n->shared)
		add_prefix(r, n->leaders);
	add_prefix(r, n->shared ? n->groups : lone(n)->keys.group);
	add_prefix(r, n->beats);
	if (n->shared)
		add_prefix(r, n->names);
}

/* ---- what a key says, and to whom ---- */

static void on_orphan(void *userdata, const struct once_response *response)
{
	struct once_node *n = userdata;

	(void)response; /* the next list shows it */
	n->orphan = NULL;
}

/* A key on our lease for which nobody here campaigns: an acquire that was given up and came late. */
static void delete_orphan(struct once_node *n, const struct once_kv *kv)
{
	struct once_call_options options = {ONCE_LANE_CONTROL, n->timing.request_timeout_ns};
	struct once_compare compares[2] = {
		{.target = ONCE_COMPARE_CREATE, .key = kv->key, .number = kv->create_revision},
		{.target = ONCE_COMPARE_LEASE, .key = kv->key, .number = kv->lease},
	};
	struct once_op op = {.kind = ONCE_OP_DELETE, .key = kv->key};
	struct once_txn txn = {.compares = compares, .n_compares = 2, .success = &op, .n_success = 1};

	if (n->orphan || once_txn(n->client, &n->orphan, &options, &txn, on_orphan, n) < 0)
		n->list.due = true;
}

static bool begins(struct once_bytes key, const char *with)
{
	size_t size = strlen(with);
	return key.size >= size && memcmp(key.data, with, size) == 0;
}

/* Whose it is, if it is one elector's alone. */
static struct once_elector *owner(struct once_node *n, const struct once_kv *kv, bool exists)
{
	struct once_elector *e = node_by_key(n, kv->key);

	if (e && !e->gone && e->core.role != ELECTION_OVER)
		return e;
	if (!e && begins(kv->key, n->groups))
		return node_by_group(n, kv->key);
	if (exists && n->shared && kv->lease != 0 && kv->lease == n->lease.id &&
		begins(kv->key, n->leaders))
		delete_orphan(n, kv);
	return NULL;
}

/* ---- the list ---- */

static bool is_told(const struct once_elector *e)
{
	return !e->gone && e->listing;
}

/* Every elector's part of the answer. */
static void take_shared(struct once_node *n, const struct once_op_result *results, size_t n_results)
{
	struct list *i;

	list_foreach (i, &n->electors) {
		struct once_elector *e = list_entry(i, struct once_elector, in_node);
		if (is_told(e))
			view_begin(e, &e->listed);
	}
	for (size_t r = 0; r < n_results && r < RANGE_BEATS; r++)
		for (size_t k = 0; k < results[r].n_kvs; k++) {
			const struct once_kv *kv = &results[r].kvs[k];
			struct once_elector *e = owner(n, kv, true);
			if (e && is_told(e))
				view_add(e, &e->listed, kv);
		}
	if (n_results != RANGES_MAX)
		return;
	list_foreach (i, &n->electors) {
		struct once_elector *e = list_entry(i, struct once_elector, in_node);
		if (is_told(e))
			view_add_beat(e, &e->listed, &results[RANGE_BEATS]);
	}
	spread_listed(n, &results[RANGE_NAMES]);
}

static void tell_listed(struct once_node *n, const struct once_response *response)
{
	struct election_event event = {.kind = ELECTION_LIST_FAILED};
	bool good = response->outcome == ONCE_APPLIED;
	struct list *i;

	list_foreach (i, &n->electors) {
		struct once_elector *e = list_entry(i, struct once_elector, in_node);

		if (!is_told(e))
			continue;
		e->listing = false;
		if (!good && list_empty(&e->in_list))
			continue; /* has not asked */
		list_remove(&e->in_list);
		if (good) {
			event.kind = ELECTION_LISTED;
			event.listed.revision = response->revision;
			event.listed.view = e->listed;
		}
		elector_step(e, &event);
	}
}

static void take_lone(struct once_node *n, const struct once_response *response)
{
	struct once_elector *e = lone(n);

	view_from_results(e, &e->listed, response->op.results, response->op.n_results);
}

static void on_listed(void *userdata, const struct once_response *response)
{
	struct once_node *n = userdata;

	n->list.call = NULL;
	node_answered(n, response);
	node_enter(n);
	if (response->outcome == ONCE_APPLIED) {
		if (n->shared)
			take_shared(n, response->op.results, response->op.n_results);
		else
			take_lone(n, response);
		if (n->list.rewatch || !n->watch) {
			n->watch = once_watch_cancel(n->watch);
			n->watch_revision = response->revision;
			n->watch_due = true; /* after what the list leads to: that is more urgent */
		}
	} else if (n->shared) {
		n->list.due |= !n->watch;
	}
	tell_listed(n, response);
	if (!n->gone)
		node_turn(n);
	node_leave(n);
}

/* Whom this answer is for: who has asked, and of a shared node who has not, too. */
static void mark(struct once_node *n)
{
	struct list *i;

	list_foreach (i, &n->electors) {
		struct once_elector *e = list_entry(i, struct once_elector, in_node);
		e->listing = !e->gone && e->started && e->core.role != ELECTION_OVER;
	}
	list_splice(&n->list.flying, &n->list.askers);
}

static int list_start(struct once_node *n)
{
	struct once_call_options options = {
		n->shared ? ONCE_LANE_BULK : ONCE_LANE_CONTROL, n->timing.request_timeout_ns};
	struct once_op ops[RANGES_MAX];
	struct once_txn txn = {.success = ops};
	struct ranges ranges;
	int r;

	ranges_init(&ranges, n);
	for (unsigned i = 0; i < ranges.n; i++)
		ops[txn.n_success++] = (struct once_op){
			.kind = ONCE_OP_RANGE, .key = ranges.key[i], .range_end = ranges.end[i]};
	r = once_txn(n->client, &n->list.call, &options, &txn, on_listed, n);
	if (r < 0) {
		n->list.call = NULL;
		return r;
	}
	n->list.asked = n->loop->ops->now(n->loop);
	mark(n);
	return 0;
}

/* A core that makes sure is told what it knows: nothing that it did not know is older than revision 0. */
static void owe_known(struct once_elector *e)
{
	struct election_event event = {.kind = ELECTION_LISTED};

	event.listed.view = e->core.view;
	elector_owe(e, &event);
}

/* One whose leader is silent suspects the stream. Other nodes' beats and this one's own come by it, too. */
static bool stream_lives(const struct once_node *n)
{
	return n->watch && n->heard.boot_ns != 0 &&
		once_elapsed_max(n->heard, n->loop->ops->now(n->loop)) < 2 * n->timing.beat_interval_ns;
}

int look_list(struct once_elector *e, const struct election_action *a)
{
	struct once_node *n = e->node;
	int r;

	if (n->shared && e->core.listed && (!a->rewatch || stream_lives(n))) {
		owe_known(e);
		return 0;
	}
	if (!n->shared) {
		n->list.rewatch = a->rewatch;
		list_append(&n->list.askers, &e->in_list);
		r = list_start(n);
		if (r < 0)
			list_remove(&e->in_list);
		return r;
	}
	e->wants_stream = a->rewatch;
	e->listing = false; /* the one on its way went before */
	list_append(&n->list.askers, &e->in_list);
	node_turn(n);
	return 0;
}

/* How long from now the next list may begin; negative: none is wanted. */
static int64_t list_due_in(struct once_node *n)
{
	int64_t passed = once_elapsed_min(n->list.asked, n->loop->ops->now(n->loop));
	int64_t gap = n->timing.beat_interval_ns / 4, ttl = n->timing.lease_ttl_s * ONCE_NSEC_PER_SEC;

	if (list_empty(&n->list.askers) && !n->list.due)
		gap = ttl;
	else if (gap < GAP_MIN)
		gap = GAP_MIN;
	if (n->list.asked.boot_ns == 0 || passed >= gap)
		return 0;
	return gap - passed;
}

static void list_turn(struct once_node *n)
{
	int64_t in = list_due_in(n);
	struct list *i;

	if (n->list.call || !node_speaker(n))
		return;
	if (in > 0) {
		n->loop->ops->timer_set(n->list.timer, in);
		return;
	}
	n->list.rewatch = n->list.due;
	n->list.due = false;
	list_foreach (i, &n->list.askers)
		n->list.rewatch |= list_entry(i, struct once_elector, in_list)->wants_stream;
	if (list_start(n) < 0)
		n->loop->ops->timer_set(n->list.timer, n->timing.request_timeout_ns);
}

/* ---- the watch ---- */

static void tell_seen(struct once_elector *e, const struct once_event *seen)
{
	struct election_event event = {0};

	if (!e->gone && view_seen(e, &event, seen))
		elector_step(e, &event);
}

static void seen_shared(struct once_node *n, const struct once_event *seen)
{
	struct once_elector *e;
	struct list *i;

	if (begins(seen->kv.key, n->names)) {
		spread_seen(n, seen);
		return;
	}
	if (!begins(seen->kv.key, n->beats)) {
		e = owner(n, &seen->kv, seen->kind == ONCE_EVENT_PUT);
		if (e)
			tell_seen(e, seen);
		return;
	}
	list_foreach (i, &n->electors) {
		e = list_entry(i, struct once_elector, in_node);
		if (view_has_beat(e, seen->kv.key))
			tell_seen(e, seen);
	}
}

static void watch_ended(struct once_node *n, const struct once_watch_report *report)
{
	struct once_elector *e = node_speaker(n);
	struct election_event event = {.kind = ELECTION_UNWATCHED};

	n->watch = NULL;
	if (!e)
		return;
	elector_say(e, ONCE_LOG_INFO, "watch-ended", "the watch ended (%s); listing again",
		report->note == ONCE_WATCH_COMPACTED ? "compacted" : report->message);
	if (!n->shared) {
		elector_step(e, &event);
		return;
	}
	n->list.due = true;
	node_turn(n);
}

static void on_watch(void *userdata, const struct once_watch_report *report)
{
	struct once_node *n = userdata;

	node_enter(n);
	switch (report->note) {
	case ONCE_WATCH_EVENTS:
		n->heard = n->loop->ops->now(n->loop);
		for (size_t i = 0; i < report->n_events && n->watch; i++) {
			const struct once_event *event = &report->events[i];

			if (event->kv.mod_revision > n->watch_revision)
				n->watch_revision = event->kv.mod_revision;
			if (n->shared)
				seen_shared(n, event);
			else
				tell_seen(lone(n), event);
		}
		break;
	case ONCE_WATCH_COMPACTED:
	case ONCE_WATCH_FAILED:
		watch_ended(n, report);
		break;
	case ONCE_WATCH_STARTED:
	case ONCE_WATCH_PROGRESS:
	case ONCE_WATCH_BROKEN:
		break;
	}
	node_leave(n);
}

/* Watches from watch_revision on. Without the beats for a lone leader, who has only its own to see. */
int look_watch(struct once_node *n, bool beats)
{
	struct once_watch_range ranges[RANGES_MAX] = {0};
	struct once_watch_config config = {.ranges = ranges};
	struct ranges all;

	ranges_init(&all, n);
	for (unsigned i = 0; i < all.n; i++) {
		ranges[i].key = all.key[i];
		ranges[i].range_end = all.end[i];
	}
	config.n_ranges = beats ? all.n : all.n - 1;
	config.start_revision = n->watch_revision + 1;
	n->watch = once_watch_cancel(n->watch);
	n->watch_beats = beats;
	return once_watch_start(n->client, &n->watch, &config, on_watch, n);
}

/* ---- turns ---- */

void look_turn(struct once_node *n)
{
	if (!n->shared || n->suspended)
		return;
	if (n->watch_due) {
		n->watch_due = false;
		n->list.due |= look_watch(n, true) < 0;
	}
	list_turn(n);
}

void look_cancel(struct once_node *n)
{
	n->watch = once_watch_cancel(n->watch);
	n->watch_due = false;
	n->list.call = once_call_cancel(n->list.call);
	n->loop->ops->timer_set(n->list.timer, -1);
}
