/* What etcd answers and streams, as the core's view. The elector remembers beside it what the core has
 * no use for: the leader's name and where the epoch's beats are. */
#include "elect/elector.h"

#include "base/escape.h"

#include <string.h>

static bool is_key(struct once_bytes key, const char *name)
{
	return key.size == strlen(name) && memcmp(key.data, name, key.size) == 0;
}

static bool same_bytes(struct once_bytes value, const char *text)
{
	return is_key(value, text);
}

static void leader_name(struct once_elector *e, const struct once_kv *kv)
{
	if (kv)
		(void)escape_line(e->leader, sizeof(e->leader), kv->value.data, kv->value.size);
	else
		e->leader[0] = '\0';
}

/* An epoch of this process, but not of this elector: of one for the same group that has ended. Its beats are
 * not where this one's go. */
static bool is_stray(const struct once_elector *e)
{
	return e->epoch.incarnation == e->node->incarnation &&
		(!e->keys.beat || strcmp(e->epoch.beat, e->keys.beat) != 0);
}

/* One key that exists. Which, or ELECTION_KEYS: none of ours. */
static enum election_key view_one(struct once_elector *e, struct election_view *view,
	const struct once_kv *kv)
{
	uint64_t incarnation;
	int64_t token;

	if (is_key(kv->key, e->keys.leader)) {
		view->leader.create = kv->create_revision;
		view->leader.lease = kv->lease;
		leader_name(e, kv);
		return ELECTION_KEY_LEADER;
	}
	if (is_key(kv->key, e->keys.epoch)) {
		view->epoch.mod = kv->mod_revision;
		memset(&e->epoch, 0, sizeof(e->epoch));
		if (keys_epoch_read(&e->epoch, kv->value) && !is_stray(e))
			view->epoch.incarnation = e->epoch.incarnation;
		e->node->plan_due = true;
		return ELECTION_KEY_EPOCH;
	}
	if (is_key(kv->key, e->keys.clean)) {
		if (keys_clean_read(&token, kv->value))
			view->clean = token;
		return ELECTION_KEY_CLEAN;
	}
	if (is_key(kv->key, e->keys.config)) {
		view->config = same_bytes(kv->value, e->keys.config_value) ? ELECTION_CONFIG_OURS
									   : ELECTION_CONFIG_OTHER;
		return ELECTION_KEY_CONFIG;
	}
	if (is_key(kv->key, e->keys.reserve)) {
		view->reserve =
			same_bytes(kv->value, e->node->name) ? ELECTION_RESERVE_US : ELECTION_RESERVE_OTHER;
		return ELECTION_KEY_RESERVE;
	}
	if (is_key(kv->key, e->epoch.beat) && keys_beat_read(&incarnation, kv->value)) {
		view->beat.mod = kv->mod_revision;
		view->beat.incarnation = incarnation;
		return ELECTION_KEY_BEAT;
	}
	return ELECTION_KEYS;
}

/* Everything of a group, key by key: the beats after the epoch. */
void view_begin(struct once_elector *e, struct election_view *ret)
{
	memset(ret, 0, sizeof(*ret));
	memset(&e->epoch, 0, sizeof(e->epoch));
	leader_name(e, NULL);
}

void view_add(struct once_elector *e, struct election_view *view, const struct once_kv *kv)
{
	(void)view_one(e, view, kv);
}

bool view_has_beat(const struct once_elector *e, struct once_bytes key)
{
	return is_key(key, e->epoch.beat);
}

void view_add_beat(struct once_elector *e, struct election_view *view,
	const struct once_op_result *beats)
{
	for (size_t k = 0; k < beats->n_kvs; k++)
		if (view_has_beat(e, beats->kvs[k].key))
			(void)view_one(e, view, &beats->kvs[k]);
}

/* Everything, from the ranges of a list. The epoch says where to look for the beat, so it is read
 * before the beats, which the ranges come in the order of. */
void view_from_results(struct once_elector *e, struct election_view *ret,
	const struct once_op_result *results, size_t n)
{
	view_begin(e, ret);
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < results[i].n_kvs; k++)
			(void)view_one(e, ret, &results[i].kvs[k]);
}

/* The success branch of an acquire: range clean, range the epoch's beat, put leader, put epoch with
 * its previous value, ... The elector's own epoch may be newer by now:
 * the watch may have shown this very acquire. */
void view_acquired(struct once_elector *e, struct election_view *ret,
	const struct once_op_result *results, size_t n)
{
	int64_t token;

	memset(ret, 0, sizeof(*ret));
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < results[i].n_kvs; k++) {
			const struct once_kv *kv = &results[i].kvs[k];

			if (is_key(kv->key, e->keys.clean) && keys_clean_read(&token, kv->value))
				ret->clean = token;
			else if (is_key(kv->key, e->keys.epoch))
				ret->epoch.mod = kv->mod_revision;
			else if (is_key(kv->key, e->asked_beat) && results[i].kind == ONCE_OP_RANGE)
				ret->beat.mod = kv->mod_revision;
		}
	}
}

static enum election_key deleted_key(struct once_elector *e, struct once_bytes key)
{
	if (is_key(key, e->keys.leader)) {
		leader_name(e, NULL);
		return ELECTION_KEY_LEADER;
	}
	if (is_key(key, e->keys.epoch))
		return ELECTION_KEY_EPOCH;
	if (is_key(key, e->keys.clean))
		return ELECTION_KEY_CLEAN;
	if (is_key(key, e->keys.config))
		return ELECTION_KEY_CONFIG;
	if (is_key(key, e->keys.reserve))
		return ELECTION_KEY_RESERVE;
	return is_key(key, e->epoch.beat) ? ELECTION_KEY_BEAT : ELECTION_KEYS;
}

/* One event of the watch. False: none of the core's business. */
bool view_seen(struct once_elector *e, struct election_event *ret, const struct once_event *event)
{
	ret->kind = ELECTION_SEEN;
	memset(&ret->seen, 0, sizeof(ret->seen));
	ret->seen.revision = event->kv.mod_revision;
	if (event->kind == ONCE_EVENT_PUT)
		ret->seen.key = view_one(e, &ret->seen.view, &event->kv);
	else
		ret->seen.key = deleted_key(e, event->kv.key);
	return ret->seen.key != ELECTION_KEYS;
}
