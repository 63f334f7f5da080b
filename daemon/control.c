/* What operators ask through etcd. See control.h. */
#include "daemon/control.h"

#include "daemon/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { RANGES = 5 };
/* A stream from a member that stopped says nothing and breaks nothing: so all is read again now and
 * then. */
static const int64_t LIST_AGAIN = 30 * ONCE_NSEC_PER_SEC;

/* Of one job. */
struct control_entry {
	struct control_entry *next;
	char job[ONCE_ID_MAX + 1];
	bool has_cursor, paused;
	struct once_cursor cursor;
	struct once_pause pause;
};

struct ranges {
	char keys[RANGES][ONCE_KEY_SIZE], ends[RANGES][ONCE_KEY_SIZE];
	size_t end_sizes[RANGES];
};

static void again(struct control *c, int64_t ns)
{
	c->scene->loop->ops->timer_set(c->timer, ns);
}

static int64_t beat_ns(const struct control *c)
{
	return c->scene->config->timing.beat_interval_ns;
}

/* ---- what is known --------------------------------------------------------------------------- */

static struct control_entry *find(const struct control *c, const char *job)
{
	struct control_entry *entry = c->entries;

	while (entry && strcmp(entry->job, job) != 0)
		entry = entry->next;
	return entry;
}

static struct control_entry *find_or_make(struct control *c, const char *job)
{
	struct control_entry *entry = find(c, job);

	if (entry)
		return entry;
	entry = calloc(1, sizeof(*entry));
	if (!entry)
		return NULL;
	(void)snprintf(entry->job, sizeof(entry->job), "%s", job);
	entry->next = c->entries;
	c->entries = entry;
	return entry;
}

static void remove_trigger(struct control *c, const char *key)
{
	for (struct control_trigger **at = &c->triggers, *t; (t = *at); at = &t->next) {
		if (strcmp(t->key, key) == 0) {
			*at = t->next;
			free(t);
			return;
		}
	}
}

static void forget_all(struct control *c)
{
	while (c->entries) {
		struct control_entry *entry = c->entries;
		c->entries = entry->next;
		free(entry);
	}
	while (c->triggers)
		remove_trigger(c, c->triggers->key);
	c->ready = c->paused = c->handover_waits = false;
}

/* ---- guarded writes -------------------------------------------------------------------------- */

static int write_guarded(struct control *c, struct once_task **ret_task, const struct once_op *op,
	once_done_fn *done, void *userdata)
{
	struct once_compare guard = {.target = ONCE_COMPARE_CREATE,
		.result = ONCE_EQUAL,
		.key = once_str(c->scene->config->key),
		.number = c->scene->term->token};
	struct once_txn txn = {.compares = &guard, .n_compares = 1, .success = op, .n_success = 1};

	return once_settle(c->scene->records, ret_task, &txn, 0, done, userdata);
}

static void on_deleted(void *userdata, const struct once_response *response)
{
	if (response->error < 0)
		log_warning("control", "a request of an operator is not deleted: %s",
			response->message);
}

static void delete_key(struct control *c, const char *key)
{
	struct once_op op = {.kind = ONCE_OP_DELETE, .key = once_str(key)};

	if (write_guarded(c, NULL, &op, on_deleted, c) < 0)
		log_warning("control", "%s cannot be deleted", key);
}

int control_pause(struct control *c, struct once_task **ret_task, const char *job,
	const char *reason, once_done_fn *done, void *userdata)
{
	struct control_entry *entry = find_or_make(c, job);
	struct once_pause pause = {.since_ms = once_utc_now()};
	char key[ONCE_KEY_SIZE], value[ONCE_CONTROL_SIZE];
	struct once_op op = {.kind = ONCE_OP_PUT};
	int n;

	(void)snprintf(pause.by, sizeof(pause.by), "onced@%s", c->scene->config->node);
	(void)snprintf(pause.reason, sizeof(pause.reason), "%s", reason);
	n = once_pause_encode(value, &pause);
	if (n < 0 || !entry ||
		once_key_make(key, c->scene->config->prefix, ONCE_KEY_JOB_PAUSE, job, NULL, 0) < 0)
		return entry ? -EINVAL : -ENOMEM;
	entry->paused = true;
	entry->pause = pause;
	op.key = once_str(key);
	op.value = (struct once_bytes){value, (size_t)n};
	return write_guarded(c, ret_task, &op, done, userdata);
}

/* ---- what etcd says -------------------------------------------------------------------------- */

static void take_pause(bool *paused, struct once_pause *pause, const struct once_kv *kv)
{
	*paused = kv;
	if (!kv)
		return;
	if (once_pause_decode(pause, kv->value) < 0) {
		*pause = (struct once_pause){0};
		(void)snprintf(pause->reason, sizeof(pause->reason), "a pause that cannot be read");
	}
}

static void take_cursor(struct control *c, const char *job, const struct once_kv *kv)
{
	struct control_entry *entry = c->ready || !kv ? NULL : find_or_make(c, job);

	if (!entry) /* later ones are our own */
		return;
	entry->has_cursor = once_cursor_decode(&entry->cursor, kv->value) == 0;
	if (!entry->has_cursor)
		log_warning("control", "%s: its cursor cannot be read: beginning now", job);
}

static void take_trigger(
	struct control *c, const struct once_key *name, const char *key, const struct once_kv *kv)
{
	struct control_trigger *trigger, **end = &c->triggers;

	remove_trigger(c, key);
	trigger = kv ? calloc(1, sizeof(*trigger)) : NULL;
	if (!trigger)
		return;
	if (once_trigger_decode(&trigger->trigger, kv->value) < 0) {
		log_warning("control", "%s: a trigger that cannot be read: deleted", name->name);
		free(trigger);
		delete_key(c, key);
		return;
	}
	(void)snprintf(trigger->job, sizeof(trigger->job), "%s", name->name);
	(void)snprintf(trigger->key, sizeof(trigger->key), "%s", key);
	while (*end)
		end = &(*end)->next;
	*end = trigger;
}

static void take_kill(
	struct control *c, const struct once_key *name, const char *key, const struct once_kv *kv)
{
	struct once_kill kill;

	if (!kv)
		return;
	if (once_kill_decode(&kill, kv->value) < 0)
		log_warning("control", "%s: a kill that cannot be read: deleted", name->name);
	else
		c->owner->killed(c->owner->userdata, name->name, name->at_ms, &kill);
	delete_key(c, key);
}

static void take_handover(struct control *c, const char *key, const struct once_kv *kv)
{
	const char *node = c->scene->config->node;
	struct once_handover *h = &c->handover;

	c->handover_waits = false;
	if (!kv)
		return;
	if (once_handover_decode(h, kv->value) < 0) {
		log_warning("control", "a handover that cannot be read: deleted");
		delete_key(c, key);
		return;
	}
	if ((h->token != 0 && h->token != c->scene->term->token) ||
		(h->from[0] && strcmp(h->from, node) != 0) || strcmp(h->to, node) == 0) {
		log_info("handover", "asked for by %s, and done already", h->by);
		delete_key(c, key);
		return;
	}
	c->handover_waits = true;
	again(c, 0);
}

/* kv NULL: the key was deleted. */
static void take(struct control *c, struct once_bytes bytes, const struct once_kv *kv)
{
	struct once_key name;
	char key[ONCE_KEY_SIZE];
	struct control_entry *entry;

	if (bytes.size >= sizeof(key) || once_key_parse(&name, c->scene->config->prefix, bytes) < 0)
		return;
	memcpy(key, bytes.data, bytes.size);
	key[bytes.size] = '\0';
	switch (name.kind) {
	case ONCE_KEY_PAUSE:
		take_pause(&c->paused, &c->pause, kv);
		break;
	case ONCE_KEY_JOB_PAUSE:
		entry = find_or_make(c, name.name);
		if (entry)
			take_pause(&entry->paused, &entry->pause, kv);
		break;
	case ONCE_KEY_CURSOR:
		take_cursor(c, name.name, kv);
		break;
	case ONCE_KEY_TRIGGER:
		take_trigger(c, &name, key, kv);
		break;
	case ONCE_KEY_KILL:
		take_kill(c, &name, key, kv);
		break;
	case ONCE_KEY_HANDOVER:
		take_handover(c, key, kv);
		break;
	default:
		break;
	}
}

/* ---- list and watch -------------------------------------------------------------------------- */

static int make_ranges(const struct control *c, struct ranges *r)
{
	const char *prefix = c->scene->config->prefix;
	const enum once_key_kind kinds[] = {ONCE_KEY_CURSOR, ONCE_KEY_TRIGGER, ONCE_KEY_KILL};

	for (size_t i = 0; i < 3; i++) {
		if (once_key_prefix(r->keys[i], prefix, kinds[i], NULL) < 0)
			return -EINVAL;
		r->end_sizes[i] = once_prefix_end(once_str(r->keys[i]), r->ends[i]);
	}
	r->end_sizes[3] = r->end_sizes[4] = 0;
	if (once_key_make(r->keys[3], prefix, ONCE_KEY_PAUSE, NULL, NULL, 0) < 0)
		return -EINVAL;
	return once_key_make(
		r->keys[4], prefix, ONCE_KEY_HANDOVER, c->scene->config->group, NULL, 0);
}

static bool is_cursor(const struct once_event *event)
{
	return event->kv.key.size > 5 &&
	       memcmp((const char *)event->kv.key.data + event->kv.key.size - 5, "/next", 5) == 0;
}

static void on_watch(void *userdata, const struct once_watch_report *report)
{
	struct control *c = userdata;
	bool changed = false;

	switch (report->note) {
	case ONCE_WATCH_EVENTS:
		for (size_t i = 0; i < report->n_events; i++) {
			const struct once_event *event = &report->events[i];

			if (is_cursor(event)) /* our own */
				continue;
			take(c, event->kv.key, event->kind == ONCE_EVENT_PUT ? &event->kv : NULL);
			changed = true;
		}
		if (changed && c->ready)
			c->owner->changed(c->owner->userdata);
		break;
	case ONCE_WATCH_COMPACTED:
	case ONCE_WATCH_FAILED:
		c->watch = NULL;
		forget_all(c);
		again(c, beat_ns(c));
		break;
	default:
		break;
	}
}

static int watch(struct control *c, const struct ranges *r, int64_t revision)
{
	struct once_watch_range ranges[RANGES];
	struct once_watch_config config = {.ranges = ranges,
		.n_ranges = RANGES,
		.start_revision = revision,
		.progress_notify = true};

	for (size_t i = 0; i < RANGES; i++)
		ranges[i] = (struct once_watch_range){
			.key = once_str(r->keys[i]), .range_end = {r->ends[i], r->end_sizes[i]}};
	return once_watch_start(c->client, &c->watch, &config, on_watch, c);
}

static void on_list(void *userdata, const struct once_response *response)
{
	struct control *c = userdata;
	struct ranges r;

	c->call = NULL;
	c->watch = once_watch_cancel(c->watch);
	if (response->error < 0 || make_ranges(c, &r) < 0 ||
		watch(c, &r, response->revision + 1) < 0) {
		if (response->error < 0)
			log_warning("control", "what operators ask cannot be read yet: %s",
				response->message);
		again(c, beat_ns(c));
		return;
	}
	forget_all(c);
	again(c, LIST_AGAIN);
	for (size_t i = 0; i < response->op.n_results; i++)
		for (size_t k = 0; k < response->op.results[i].n_kvs; k++)
			take(c, response->op.results[i].kvs[k].key,
				&response->op.results[i].kvs[k]);
	c->ready = true;
	c->owner->changed(c->owner->userdata);
}

static void list(struct control *c)
{
	struct once_op ops[RANGES];
	struct once_txn txn = {.success = ops, .n_success = RANGES};
	struct ranges r;

	if (c->call || make_ranges(c, &r) < 0)
		return;
	for (size_t i = 0; i < RANGES; i++)
		ops[i] = (struct once_op){.kind = ONCE_OP_RANGE,
			.key = once_str(r.keys[i]),
			.range_end = {r.ends[i], r.end_sizes[i]}};
	if (once_txn(c->client, &c->call, NULL, &txn, on_list, c) < 0)
		again(c, beat_ns(c));
}

/* ---- handover -------------------------------------------------------------------------------- */

static void on_handover_taken(void *userdata, const struct once_response *response)
{
	struct control *c = userdata;

	if (response->error < 0 || !response->op.succeeded || c->scene->term->token == 0)
		return;
	log_info("handover", "asked for by %s%s%s", c->handover.by,
		c->handover.reason[0] ? ": " : "", c->handover.reason);
	c->owner->handover(
		c->owner->userdata, c->handover.to[0] ? c->handover.to : NULL, &c->handover);
}

static void try_handover(struct control *c)
{
	int64_t wait_ms = c->handover.not_before_ms - once_utc_now();
	struct once_op op = {.kind = ONCE_OP_DELETE};
	struct ranges r;

	if (wait_ms > 0) {
		again(c, (wait_ms < 1000 ? wait_ms : 1000) * ONCE_NSEC_PER_MSEC);
		return;
	}
	c->handover_waits = false;
	if (make_ranges(c, &r) < 0)
		return;
	op.key = once_str(r.keys[4]);
	/* Deleted first: the next leader would give leadership away as well. */
	if (write_guarded(c, NULL, &op, on_handover_taken, c) < 0)
		again(c, beat_ns(c));
}

static void on_timer(void *userdata)
{
	struct control *c = userdata;

	if (c->scene->term->token == 0)
		return;
	if (c->handover_waits && c->ready)
		try_handover(c);
	else
		list(c);
}

/* ---- what the owner asks --------------------------------------------------------------------- */

int control_init(struct control *c, const struct scene *scene, struct once_client *client,
	const struct control_owner *owner)
{
	memset(c, 0, sizeof(*c));
	c->scene = scene;
	c->client = client;
	c->owner = owner;
	c->timer = scene->loop->ops->timer_new(scene->loop, on_timer, c);
	return c->timer ? 0 : -ENOMEM;
}

void control_fini(struct control *c)
{
	if (!c->scene)
		return;
	control_stop(c);
	c->scene->loop->ops->timer_free(c->timer);
	c->timer = NULL;
	c->scene = NULL;
}

void control_lead(struct control *c)
{
	control_stop(c);
	list(c);
}

void control_stop(struct control *c)
{
	again(c, -1);
	c->call = once_call_cancel(c->call);
	c->watch = once_watch_cancel(c->watch);
	forget_all(c);
}

const char *control_paused(const struct control *c, const char *job, int64_t *ret_until_ms)
{
	const struct control_entry *entry = find(c, job);
	const struct once_pause *pause = NULL;
	int64_t now_ms = once_utc_now();

	*ret_until_ms = 0;
	if (c->paused && once_pause_holds(&c->pause, now_ms))
		pause = &c->pause;
	else if (entry && entry->paused && once_pause_holds(&entry->pause, now_ms))
		pause = &entry->pause;
	if (!pause)
		return NULL;
	*ret_until_ms = pause->until_ms;
	return pause->reason;
}

const struct once_cursor *control_cursor(const struct control *c, const char *job)
{
	const struct control_entry *entry = find(c, job);

	return entry && entry->has_cursor ? &entry->cursor : NULL;
}

const struct control_trigger *control_trigger(const struct control *c, const char *job)
{
	const struct control_trigger *trigger = c->triggers;

	while (trigger && strcmp(trigger->job, job) != 0)
		trigger = trigger->next;
	return trigger;
}

void control_forget(struct control *c, const struct control_trigger *trigger, bool delete)
{
	char key[ONCE_KEY_SIZE];

	(void)snprintf(key, sizeof(key), "%s", trigger->key);
	if (delete)
		delete_key(c, key);
	remove_trigger(c, key);
}
