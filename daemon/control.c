/* What operators ask of a group through etcd. See control.h. */
#include "daemon/control.h"

#include "daemon/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Of one job. */
struct control_entry {
	struct control_entry *next;
	char job[ONCE_ID_MAX + 1];
	bool has_cursor, paused;
	struct once_cursor cursor;
	struct once_pause pause;
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
	trigger->revision = kv->mod_revision;
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

void control_take(struct control *c, const struct once_key *name, struct once_bytes bytes,
	const struct once_kv *kv)
{
	struct control_entry *entry;
	char key[ONCE_KEY_SIZE];

	memcpy(key, bytes.data, bytes.size); /* it was parsed: it fits */
	key[bytes.size] = '\0';
	switch (name->kind) {
	case ONCE_KEY_PAUSE:
		take_pause(&c->paused, &c->pause, kv);
		break;
	case ONCE_KEY_JOB_PAUSE:
		entry = find_or_make(c, name->name);
		if (entry)
			take_pause(&entry->paused, &entry->pause, kv);
		break;
	case ONCE_KEY_CURSOR:
		take_cursor(c, name->name, kv);
		break;
	case ONCE_KEY_TRIGGER:
		take_trigger(c, name, key, kv);
		break;
	case ONCE_KEY_KILL:
		take_kill(c, name, key, kv);
		break;
	case ONCE_KEY_HANDOVER:
		take_handover(c, key, kv);
		break;
	default:
		break;
	}
}

void control_listed(struct control *c)
{
	forget_all(c);
	again(c, -1);
}

void control_unknown(struct control *c)
{
	control_listed(c);
}

void control_ready(struct control *c)
{
	c->ready = true;
	c->owner->changed(c->owner->userdata);
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
	char key[ONCE_KEY_SIZE];

	if (wait_ms > 0) {
		again(c, (wait_ms < 1000 ? wait_ms : 1000) * ONCE_NSEC_PER_MSEC);
		return;
	}
	c->handover_waits = false;
	if (once_key_make(key, c->scene->config->prefix, ONCE_KEY_HANDOVER,
		    c->scene->config->group, NULL, 0) < 0)
		return;
	op.key = once_str(key);
	/* Deleted first: the next leader would give leadership away as well. */
	if (write_guarded(c, NULL, &op, on_handover_taken, c) < 0)
		again(c, beat_ns(c));
}

static void on_timer(void *userdata)
{
	struct control *c = userdata;

	if (c->scene->term->token != 0 && c->handover_waits && c->ready)
		try_handover(c);
}

/* ---- what the owner asks --------------------------------------------------------------------- */

int control_init(struct control *c, const struct scene *scene, struct feed *feed,
	const struct control_owner *owner)
{
	memset(c, 0, sizeof(*c));
	c->scene = scene;
	c->feed = feed;
	c->owner = owner;
	list_init(&c->in_feed);
	c->timer = scene->loop->ops->timer_new(scene->loop, on_timer, c);
	return c->timer ? 0 : -ENOMEM;
}

void control_fini(struct control *c)
{
	if (!c->scene)
		return;
	if (c->timer) {
		control_stop(c);
		c->scene->loop->ops->timer_free(c->timer);
	}
	c->timer = NULL;
	c->scene = NULL;
}

void control_lead(struct control *c)
{
	control_stop(c);
	feed_join(c->feed, c);
}

void control_stop(struct control *c)
{
	again(c, -1);
	feed_leave(c->feed, c);
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
