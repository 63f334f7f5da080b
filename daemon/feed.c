/* What etcd holds for the groups that lead. See feed.h. */
#include "daemon/feed.h"

#include "daemon/control.h"
#include "daemon/log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { RANGES = 6, RANGE_ALARMS = 5 };
/* A stream from a member that stopped says nothing and breaks nothing: so all is read again now and
 * then. */
static const int64_t LIST_AGAIN = 30 * ONCE_NSEC_PER_SEC;
/* Terms begin by the hundred: those that do so together share a list. */
static const int64_t LIST_GAP = 100 * ONCE_NSEC_PER_MSEC;
static const int64_t SAY_AGAIN = 60 * ONCE_NSEC_PER_SEC;

struct ranges {
	char keys[RANGES][ONCE_KEY_SIZE], ends[RANGES][ONCE_KEY_SIZE];
	size_t end_sizes[RANGES];
};

static struct control *member(struct list *in)
{
	return list_entry(in, struct control, in_feed);
}

static int64_t beat_ns(const struct feed *f)
{
	return f->config->timing.beat_interval_ns;
}

/* Cursors and pauses of jobs, triggers, kills, the cluster's pause, handovers, alarms. */
static int make_ranges(const struct feed *f, struct ranges *r)
{
	const char *prefix = f->config->prefix;
	const enum once_key_kind kinds[] = {ONCE_KEY_CURSOR, ONCE_KEY_TRIGGER, ONCE_KEY_KILL};
	int n;

	for (size_t i = 0; i < 3; i++) {
		if (once_key_prefix(r->keys[i], prefix, kinds[i], NULL) < 0)
			return -EINVAL;
		r->end_sizes[i] = once_prefix_end(once_str(r->keys[i]), r->ends[i]);
	}
	r->end_sizes[3] = r->end_sizes[4] = 0;
	n = snprintf(r->keys[RANGE_ALARMS], sizeof(r->keys[RANGE_ALARMS]), "%s/history/", prefix);
	r->end_sizes[RANGE_ALARMS] = once_prefix_end(once_str(r->keys[RANGE_ALARMS]), r->ends[RANGE_ALARMS]);
	if (n >= (int)sizeof(r->keys[RANGE_ALARMS]))
		return -EINVAL;
	if (once_key_make(r->keys[3], prefix, ONCE_KEY_PAUSE, NULL, NULL, 0) < 0)
		return -EINVAL;
	if (!f->many)
		return once_key_make(
			r->keys[4], prefix, ONCE_KEY_HANDOVER, f->config->group, NULL, 0);
	n = snprintf(r->keys[4], sizeof(r->keys[4]), "%s/g/", prefix);
	r->end_sizes[4] = once_prefix_end(once_str(r->keys[4]), r->ends[4]);
	return n < (int)sizeof(r->keys[4]) ? 0 : -EINVAL;
}

/* ---- to whom --------------------------------------------------------------------------------- */

static struct control *of_group(struct feed *f, const char *group)
{
	struct list *i;

	list_foreach (i, &f->members)
		if (strcmp(member(i)->scene->config->group, group) == 0)
			return member(i);
	return NULL;
}

static void give(struct control *c, const struct once_key *name, struct once_bytes key,
	const struct once_kv *kv, bool listing)
{
	if (!c || list_empty(&c->in_feed) || (listing ? !c->listing : !c->ready))
		return;
	control_take(c, name, key, kv);
	c->touched = true;
}

static bool is_alarm(const struct feed *f, struct once_bytes key)
{
	size_t n = strlen(f->config->prefix);
	static const char below[] = "/history/";

	return key.size > n + sizeof(below) - 1 && memcmp(key.data, f->config->prefix, n) == 0 &&
		memcmp((const char *)key.data + n, below, sizeof(below) - 1) == 0;
}

/* kv NULL: the key was deleted. */
static void deliver(struct feed *f, struct once_bytes key, const struct once_kv *kv, bool listing)
{
	struct once_key name;
	struct list *i;

	if (key.size >= ONCE_KEY_SIZE || once_key_parse(&name, f->config->prefix, key) < 0)
		return;
	if (name.kind == ONCE_KEY_PAUSE) {
		list_foreach (i, &f->members)
			give(member(i), &name, key, kv, listing);
	} else if (name.kind == ONCE_KEY_HANDOVER) {
		give(of_group(f, name.name), &name, key, kv, listing);
	} else {
		give(f->control_of(f->userdata, name.name), &name, key, kv, listing);
	}
}

/* ---- the stream ------------------------------------------------------------------------------ */

static bool is_cursor(const struct once_event *event)
{
	return event->kv.key.size > 5 &&
	       memcmp((const char *)event->kv.key.data + event->kv.key.size - 5, "/next", 5) == 0;
}

static void tell_touched(struct feed *f)
{
	struct list *i, *next;

	list_foreach_safe (i, next, &f->members) {
		struct control *c = member(i);
		bool touched = c->touched && c->ready;

		c->touched = false;
		if (touched)
			c->owner->changed(c->owner->userdata);
	}
}

static void take_events(struct feed *f, const struct once_watch_report *report)
{
	for (size_t i = 0; i < report->n_events; i++) {
		const struct once_event *event = &report->events[i];

		if (event->kv.mod_revision > f->streamed)
			f->streamed = event->kv.mod_revision;
		if (is_cursor(event) || event->kv.mod_revision <= f->revision) /* our own; known */
			continue;
		if (is_alarm(f, event->kv.key)) {
			if (event->kind == ONCE_EVENT_PUT)
				f->alarm(f->userdata, event->kv.key);
			continue;
		}
		deliver(f, event->kv.key, event->kind == ONCE_EVENT_PUT ? &event->kv : NULL, false);
	}
	tell_touched(f);
}

static void on_watch(void *userdata, const struct once_watch_report *report)
{
	struct feed *f = userdata;
	struct list *i;

	switch (report->note) {
	case ONCE_WATCH_EVENTS:
		take_events(f, report);
		break;
	case ONCE_WATCH_COMPACTED:
	case ONCE_WATCH_FAILED:
		f->watch = NULL;
		list_foreach (i, &f->members)
			control_unknown(member(i));
		if (!f->call)
			f->loop->ops->timer_set(f->timer, beat_ns(f));
		break;
	default:
		break;
	}
}

/* From the list on; the present one may do. */
static int watch(struct feed *f, const struct ranges *r, int64_t revision)
{
	struct once_watch_range ranges[RANGES];
	struct once_watch_config config = {.ranges = ranges,
		.n_ranges = RANGES,
		.start_revision = revision + 1,
		.progress_notify = true};

	if (f->watch && !f->renew && f->streamed <= revision)
		return 0;
	for (size_t i = 0; i < RANGES; i++)
		ranges[i] = (struct once_watch_range){
			.key = once_str(r->keys[i]), .range_end = {r->ends[i], r->end_sizes[i]}};
	f->watch = once_watch_cancel(f->watch);
	f->streamed = revision;
	return once_watch_start(f->client, &f->watch, &config, on_watch, f);
}

/* ---- the list -------------------------------------------------------------------------------- */

/* Who joined meanwhile is not in the answer. */
static void schedule(struct feed *f)
{
	int64_t passed = once_elapsed_min(f->listed, f->loop->ops->now(f->loop));
	int64_t gap = LIST_AGAIN;
	struct list *i;

	list_foreach (i, &f->members)
		if (!member(i)->ready)
			gap = f->listed.boot_ns ? LIST_GAP : 0;
	f->renew = gap == LIST_AGAIN;
	f->loop->ops->timer_set(f->timer, passed < gap ? gap - passed : 0);
}

static void take_list(struct feed *f, const struct once_response *response)
{
	struct list *i, *next;

	f->revision = response->revision;
	if (response->op.n_results > RANGE_ALARMS && response->op.results[RANGE_ALARMS].n_kvs > 0) {
		f->alarm(f->userdata, response->op.results[RANGE_ALARMS].kvs[0].key);
		return; /* nothing begins */
	}
	list_foreach (i, &f->members)
		if (member(i)->listing)
			control_listed(member(i));
	for (size_t r = 0; r < response->op.n_results; r++)
		for (size_t k = 0; k < response->op.results[r].n_kvs; k++)
			deliver(f, response->op.results[r].kvs[k].key,
				&response->op.results[r].kvs[k], true);
	list_foreach_safe (i, next, &f->members) {
		struct control *c = member(i);

		c->touched = false;
		if (c->listing)
			control_ready(c);
		c->listing = false;
	}
}

/* Once, and each minute while it lasts: what is tried at each beat is not said at each. */
static void say_unread(struct feed *f, const char *why)
{
	struct once_instant now = f->loop->ops->now(f->loop);

	if (f->unread && once_elapsed_max(f->said, now) < SAY_AGAIN)
		return;
	f->unread = true;
	f->said = now;
	log_warning("control", "what operators ask cannot be read yet: %s", why);
}

static void on_list(void *userdata, const struct once_response *response)
{
	struct feed *f = userdata;
	struct ranges r;

	f->call = NULL;
	if (response->error < 0 || make_ranges(f, &r) < 0 || watch(f, &r, response->revision) < 0) {
		f->watch = once_watch_cancel(f->watch);
		if (response->error < 0)
			say_unread(f, response->message);
		f->loop->ops->timer_set(f->timer, beat_ns(f));
		return;
	}
	f->unread = false;
	take_list(f, response);
	schedule(f);
}

static void list_now(struct feed *f)
{
	struct once_call_options options = {f->many ? ONCE_LANE_BULK : ONCE_LANE_CONTROL, 0};
	struct once_op ops[RANGES];
	struct once_txn txn = {.success = ops, .n_success = RANGES};
	struct ranges r;
	struct list *i;

	if (f->call || make_ranges(f, &r) < 0)
		return;
	for (size_t k = 0; k < RANGES; k++)
		ops[k] = (struct once_op){.kind = ONCE_OP_RANGE,
			.key = once_str(r.keys[k]),
			.range_end = {r.ends[k], r.end_sizes[k]}};
	f->listed = f->loop->ops->now(f->loop);
	if (once_txn(f->client, &f->call, &options, &txn, on_list, f) < 0) {
		f->loop->ops->timer_set(f->timer, beat_ns(f));
		return;
	}
	list_foreach (i, &f->members)
		member(i)->listing = true;
}

static void on_timer(void *userdata)
{
	struct feed *f = userdata;

	if (!list_empty(&f->members))
		list_now(f);
}

/* ---- life ------------------------------------------------------------------------------------ */

int feed_init(struct feed *f, const struct config *config, struct once_client *client,
	struct once_loop *loop, struct control *(*control_of)(void *userdata, const char *job),
	void (*alarm)(void *userdata, struct once_bytes key), void *userdata)
{
	*f = (struct feed){.config = config,
		.client = client,
		.loop = loop,
		.control_of = control_of,
		.alarm = alarm,
		.userdata = userdata};
	list_init(&f->members);
	f->timer = loop->ops->timer_new(loop, on_timer, f);
	return f->timer ? 0 : -ENOMEM;
}

static void stop(struct feed *f)
{
	f->loop->ops->timer_set(f->timer, -1);
	f->call = once_call_cancel(f->call);
	f->watch = once_watch_cancel(f->watch);
	f->listed = (struct once_instant){0};
}

void feed_fini(struct feed *f)
{
	if (!f->timer)
		return;
	stop(f);
	f->loop->ops->timer_free(f->timer);
	f->timer = NULL;
}

void feed_join(struct feed *f, struct control *c)
{
	list_remove(&c->in_feed);
	list_append(&f->members, &c->in_feed);
	c->listing = c->touched = false;
	if (f->listed.boot_ns == 0)
		list_now(f);
	else if (!f->call)
		schedule(f);
}

void feed_leave(struct feed *f, struct control *c)
{
	list_remove(&c->in_feed);
	c->listing = false;
	if (list_empty(&f->members) && f->timer)
		stop(f);
}
