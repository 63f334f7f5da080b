/* See etcd.h. Requests are read by cJSON as they are; whatever this server does not know fails the
 * test. */
#include "tests/fake/etcd.h"

#include "base/base64.h"
#include "base/buf.h"
#include "tests/fake/own.h"

#include <assert.h>
#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEADER                                                                                     \
	"\"header\":{\"cluster_id\":\"1\",\"member_id\":\"2\",\"revision\":\"%lld\",\"raft_"       \
	"term\":"                                                                                  \
	"\"3\"}"

struct fake_etcd *fake_etcd_new(struct fake_loop *loop)
{
	struct fake_etcd *e = own_calloc(1, sizeof(*e));

	e->loop = loop;
	e->revision = 1;
	e->events = own_calloc(FAKE_EVENTS, sizeof(*e->events));
	return e;
}

void fake_etcd_free(struct fake_etcd *e)
{
	for (size_t i = 0; i < e->n_kvs; i++)
		free(e->kvs[i].value);
	for (size_t i = 0; i < e->n_events; i++)
		free(e->events[i].kv.value);
	for (size_t i = 0; i < e->n_late; i++)
		free(e->late[i].body);
	free(e->events);
	free(e);
}

/* ---- the store ------------------------------------------------------------------------------- */

static struct fake_kv *find(const struct fake_etcd *e, const char *key)
{
	for (size_t i = 0; i < e->n_kvs; i++) {
		if (strcmp(e->kvs[i].key, key) == 0)
			return (struct fake_kv *)&e->kvs[i];
	}
	return NULL;
}

static void note(struct fake_etcd *e, const struct fake_kv *kv, bool put, int64_t revision)
{
	struct fake_event *event = &e->events[e->n_events++];

	assert(e->n_events < FAKE_EVENTS);
	*event = (struct fake_event){revision, put, *kv};
	event->kv.mod = revision;
	event->kv.value = put ? own_strdup(kv->value) : NULL;
}

static void put(
	struct fake_etcd *e, const char *key, const char *base64, int64_t lease, int64_t revision)
{
	struct fake_kv *kv = find(e, key);

	if (!kv) {
		/* kept in order */
		size_t i = e->n_kvs++;

		assert(e->n_kvs <= FAKE_KEYS && strlen(key) < sizeof(kv->key));
		for (; i > 0 && strcmp(e->kvs[i - 1].key, key) > 0; i--)
			e->kvs[i] = e->kvs[i - 1];
		kv = &e->kvs[i];
		*kv = (struct fake_kv){.create = revision};
		memcpy(kv->key, key, strlen(key) + 1);
	}
	free(kv->value);
	kv->value = own_strdup(base64);
	kv->mod = revision;
	kv->version++;
	kv->lease = lease;
	note(e, kv, true, revision);
}

static bool delete_key(struct fake_etcd *e, const char *key, int64_t revision)
{
	struct fake_kv *kv = find(e, key);
	size_t i = kv ? (size_t)(kv - e->kvs) : 0;

	if (!kv)
		return false;
	note(e, kv, false, revision);
	free(kv->value);
	memmove(kv, kv + 1, (--e->n_kvs - i) * sizeof(*kv));
	return true;
}

void fake_etcd_put(struct fake_etcd *e, const char *key, const char *value, int64_t lease)
{
	char *text = own_calloc(1, base64_encoded_size(strlen(value)) + 1);

	base64_encode(text, value, strlen(value));
	put(e, key, text, lease, ++e->revision);
	free(text);
}

void fake_etcd_delete(struct fake_etcd *e, const char *key)
{
	if (delete_key(e, key, e->revision + 1))
		e->revision++;
}

const struct fake_kv *fake_etcd_get(const struct fake_etcd *e, const char *key)
{
	return find(e, key);
}

static char *decoded(const char *base64)
{
	size_t size = 0;
	char *text = own_calloc(1, base64_decoded_max(strlen(base64)) + 1);

	assert(base64_decode(text, &size, base64, strlen(base64)) == 0);
	text[size] = '\0';
	/* the key behind another, as pages ask for it: keys here are text */
	if (size > 0 && text[size - 1] == '\0')
		text[size - 1] = '\1';
	return text;
}

char *fake_etcd_value(const struct fake_etcd *e, const char *key)
{
	const struct fake_kv *kv = find(e, key);

	return kv ? decoded(kv->value) : NULL;
}

/* ---- leases ---------------------------------------------------------------------------------- */

static struct fake_lease *lease_find(struct fake_etcd *e, int64_t id)
{
	for (size_t i = 0; id && i < e->n_leases; i++) {
		if (e->leases[i].id == id)
			return &e->leases[i];
	}
	return NULL;
}

static void lease_end(struct fake_etcd *e, struct fake_lease *lease)
{
	int64_t revision = e->revision + 1;

	for (size_t i = e->n_kvs; i-- > 0;) {
		if (e->kvs[i].lease == lease->id && delete_key(e, e->kvs[i].key, revision))
			e->revision = revision;
	}
	lease->id = 0;
}

/* ---- requests -------------------------------------------------------------------------------- */

static const char *text_of(const cJSON *object, const char *name)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);

	return cJSON_IsString(item) ? item->valuestring : "";
}

static int64_t number_of(const cJSON *object, const char *name)
{
	return strtoll(text_of(object, name), NULL, 10);
}

static char *key_of(const cJSON *object, const char *name)
{
	return decoded(text_of(object, name));
}

static bool in_range(const char *key, const char *first, const char *end)
{
	return end[0] ? strcmp(key, first) >= 0 && strcmp(key, end) < 0 : strcmp(key, first) == 0;
}

static void put_base64(struct buf *out, const char *text)
{
	char *at = buf_extend(out, base64_encoded_size(strlen(text)));

	base64_encode(at, text, strlen(text));
}

static void put_kv(struct buf *out, const struct fake_kv *kv)
{
	buf_puts(out, "{\"key\":\"");
	put_base64(out, kv->key);
	buf_printf(out, "\",\"mod_revision\":\"%lld\"", (long long)kv->mod);
	if (kv->value)
		buf_printf(out,
			",\"create_revision\":\"%lld\",\"version\":\"%lld\",\"value\":\"%s\","
			"\"lease\":\"%lld\"",
			(long long)kv->create, (long long)kv->version, kv->value,
			(long long)kv->lease);
	buf_puts(out, "}");
}

static void do_range(struct fake_etcd *e, const cJSON *op, struct buf *out)
{
	char *first = key_of(op, "key"), *end = key_of(op, "range_end");
	int64_t limit = number_of(op, "limit"), n = 0, count = 0;
	bool descend = strcmp(text_of(op, "sort_order"), "DESCEND") == 0;

	buf_printf(out, "{" HEADER ",\"kvs\":[", (long long)e->revision);
	for (size_t i = 0; i < e->n_kvs; i++) {
		const struct fake_kv *kv = &e->kvs[descend ? e->n_kvs - 1 - i : i];

		if (!in_range(kv->key, first, end))
			continue;
		count++;
		if (limit && n == limit)
			continue;
		buf_puts(out, n++ ? "," : "");
		put_kv(out, kv);
	}
	buf_printf(out, "],\"count\":\"%lld\"%s}", (long long)count,
		n < count ? ",\"more\":true" : "");
	free(first);
	free(end);
}

/* -ENOENT: no such lease. */
static int do_put(struct fake_etcd *e, const cJSON *op, struct buf *out, int64_t revision)
{
	int64_t lease = number_of(op, "lease");
	char *key = key_of(op, "key");

	buf_printf(out, "{" HEADER, (long long)revision);
	if (cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(op, "prev_kv")) && find(e, key)) {
		buf_puts(out, ",\"prev_kv\":");
		put_kv(out, find(e, key));
	}
	buf_puts(out, "}");
	put(e, key, text_of(op, "value"), lease, revision);
	free(key);
	return 0;
}

static bool do_delete(struct fake_etcd *e, const cJSON *op, struct buf *out, int64_t revision)
{
	char *first = key_of(op, "key"), *end = key_of(op, "range_end");
	int64_t n = 0;

	for (size_t i = e->n_kvs; i-- > 0;) {
		if (in_range(e->kvs[i].key, first, end))
			n += delete_key(e, e->kvs[i].key, revision);
	}
	buf_printf(out, "{" HEADER ",\"deleted\":\"%lld\"}", (long long)revision, (long long)n);
	free(first);
	free(end);
	return n > 0;
}

static int64_t target_of(const struct fake_kv *kv, const char *target)
{
	if (!kv)
		return 0;
	if (strcmp(target, "CREATE") == 0)
		return kv->create;
	if (strcmp(target, "MOD") == 0)
		return kv->mod;
	if (strcmp(target, "LEASE") == 0)
		return kv->lease;
	assert(strcmp(target, "VERSION") == 0);
	return kv->version;
}

static bool holds_for(const struct fake_kv *kv, const cJSON *compare)
{
	static const char *const fields[][2] = {{"CREATE", "create_revision"},
		{"MOD", "mod_revision"}, {"LEASE", "lease"}, {"VERSION", "version"}};
	const char *target = text_of(compare, "target"), *result = text_of(compare, "result");
	int64_t is, wanted = 0;

	if (strcmp(target, "VALUE") == 0) { /* an absent key has none, not even another */
		assert(strcmp(result, "EQUAL") == 0);
		return kv && strcmp(kv->value, text_of(compare, "value")) == 0;
	}
	is = target_of(kv, target);
	for (size_t i = 0; i < 4; i++) {
		if (strcmp(target, fields[i][0]) == 0)
			wanted = number_of(compare, fields[i][1]);
	}
	if (strcmp(result, "GREATER") == 0)
		return is > wanted;
	if (strcmp(result, "LESS") == 0)
		return is < wanted;
	if (strcmp(result, "NOT_EQUAL") == 0)
		return is != wanted;
	assert(strcmp(result, "EQUAL") == 0);
	return is == wanted;
}

/* Of every key in its range; of none: as of an absent one. */
static bool holds(const struct fake_etcd *e, const cJSON *compare)
{
	char *first = key_of(compare, "key"), *end = key_of(compare, "range_end");
	bool all = true, any = false;

	for (size_t i = 0; i < e->n_kvs; i++) {
		if (in_range(e->kvs[i].key, first, end)) {
			any = true;
			all = all && holds_for(&e->kvs[i], compare);
		}
	}
	free(first);
	free(end);
	return any ? all : holds_for(NULL, compare);
}

static bool leases_exist(struct fake_etcd *e, const cJSON *ops)
{
	const cJSON *op;

	cJSON_ArrayForEach (op, ops) {
		int64_t lease =
			number_of(cJSON_GetObjectItemCaseSensitive(op, "request_put"), "lease");

		if (lease && !lease_find(e, lease))
			return false;
	}
	return true;
}

/* The branch that the compares choose: whether they held, and the answers. */
static bool do_branch(
	struct fake_etcd *e, const cJSON *txn, struct buf *out, int64_t revision, bool *changed)
{
	const cJSON *compare, *ops, *op, *body;
	bool succeeded = true;
	int n = 0;

	cJSON_ArrayForEach (compare, cJSON_GetObjectItemCaseSensitive(txn, "compare"))
		succeeded = succeeded && holds(e, compare);
	ops = cJSON_GetObjectItemCaseSensitive(txn, succeeded ? "success" : "failure");
	buf_printf(out, "%s\"responses\":[", succeeded ? "\"succeeded\":true," : "");
	cJSON_ArrayForEach (op, ops) {
		buf_puts(out, n++ ? "," : "");
		if ((body = cJSON_GetObjectItemCaseSensitive(op, "request_put"))) {
			buf_puts(out, "{\"response_put\":");
			(void)do_put(e, body, out, revision);
			*changed = true;
		} else if ((body = cJSON_GetObjectItemCaseSensitive(op, "request_delete_range"))) {
			buf_puts(out, "{\"response_delete_range\":");
			*changed = do_delete(e, body, out, revision) || *changed;
		} else if ((body = cJSON_GetObjectItemCaseSensitive(op, "request_txn"))) {
			buf_puts(out, "{\"response_txn\":{");
			(void)do_branch(e, body, out, revision, changed);
			buf_puts(out, "}");
		} else {
			body = cJSON_GetObjectItemCaseSensitive(op, "request_range");
			assert(body);
			buf_puts(out, "{\"response_range\":");
			do_range(e, body, out);
		}
		buf_puts(out, "}");
	}
	buf_puts(out, "]");
	return succeeded;
}

static int do_txn(struct fake_etcd *e, const cJSON *txn, struct buf *out)
{
	int64_t revision = e->revision + 1;
	struct buf answers;
	bool changed = false, succeeded = true;
	const cJSON *compare;

	cJSON_ArrayForEach (compare, cJSON_GetObjectItemCaseSensitive(txn, "compare"))
		succeeded = succeeded && holds(e, compare);
	if (!leases_exist(e,
		    cJSON_GetObjectItemCaseSensitive(txn, succeeded ? "success" : "failure")))
		return -ENOENT;
	own_buf(&answers);
	(void)do_branch(e, txn, &answers, revision, &changed);
	if (changed)
		e->revision = revision;
	e->n_txns++;
	buf_printf(out, "{" HEADER ",%s}", (long long)e->revision, buf_text(&answers));
	buf_fini(&answers);
	return 0;
}

static int64_t grant(struct fake_etcd *e, int64_t ttl_s)
{
	struct fake_lease *lease = &e->leases[e->n_leases++];

	assert(e->n_leases <= FAKE_LEASES);
	*lease = (struct fake_lease){
		++e->last_lease + 1000, ttl_s, e->loop->now_ns + ttl_s * ONCE_NSEC_PER_SEC};
	return lease->id;
}

/* The answer of a request, as HTTP status and body. */
static int apply(struct fake_etcd *e, const char *path, const char *text, struct buf *out)
{
	static const char gone[] = "{\"error\":\"x\",\"message\":\"etcdserver: requested lease not "
				   "found\",\"code\":5}";
	cJSON *root = cJSON_Parse(text);
	struct fake_lease *lease = lease_find(e, number_of(root, "ID"));
	int status = 200;

	assert(root);
	if (strcmp(path, "/v3/kv/range") == 0) {
		do_range(e, root, out);
	} else if (strcmp(path, "/v3/kv/txn") == 0) {
		status = do_txn(e, root, out) < 0 ? 404 : 200;
	} else if (strcmp(path, "/v3/lease/grant") == 0) {
		int64_t ttl = number_of(root, "TTL");
		int64_t id = grant(e, ttl);

		buf_printf(out, "{" HEADER ",\"ID\":\"%lld\",\"TTL\":\"%lld\"}",
			(long long)e->revision, (long long)id, (long long)ttl);
	} else if (strcmp(path, "/v3/lease/keepalive") == 0) {
		if (lease)
			lease->expires_ns = e->loop->now_ns + lease->ttl_s * ONCE_NSEC_PER_SEC;
		buf_printf(out, "{\"result\":{" HEADER ",\"ID\":\"%s\",\"TTL\":\"%lld\"}}\n",
			(long long)e->revision, text_of(root, "ID"),
			lease ? (long long)lease->ttl_s : 0);
	} else if (strcmp(path, "/v3/lease/revoke") == 0) {
		status = lease ? 200 : 404;
		if (lease)
			lease_end(e, lease);
		buf_printf(out, "{" HEADER "}", (long long)e->revision);
	} else {
		assert(!"a path that this server does not know");
	}
	if (status == 404) {
		buf_reset(out);
		buf_puts(out, gone);
	}
	cJSON_Delete(root);
	return status;
}

static bool is_watch(const struct transport_exchange *ex)
{
	return strcmp(ex->path, "/v3/watch") == 0;
}

static struct transport_exchange *oldest(struct transport_fake *client)
{
	struct list *i;

	list_foreach (i, &client->exchanges) {
		struct transport_exchange *ex =
			list_entry(i, struct transport_exchange, in_transport);

		if (!is_watch(ex))
			return ex;
	}
	return NULL;
}

/* What counts against the quota. */
static bool takes_space(const struct transport_exchange *ex)
{
	return strcmp(ex->path, "/v3/lease/grant") == 0 ||
	       (strcmp(ex->path, "/v3/kv/txn") == 0 && strstr(ex->body, "request_put"));
}

bool fake_etcd_serve(struct fake_etcd *e, struct transport_fake *client, enum fake_fate fate)
{
	static const char no_space[] = "{\"error\":\"x\",\"message\":\"etcdserver: mvcc: database "
				       "space exceeded\",\"code\":8}";
	struct transport_exchange *ex = oldest(client);
	struct buf out;
	int status;

	if (!ex)
		return false;
	if (fate == FATE_UNREACHABLE || fate == FATE_REQUEST_LOST) {
		fake_fail(ex, fate == FATE_UNREACHABLE ? -EHOSTUNREACH : -ETIMEDOUT,
			fate != FATE_UNREACHABLE, fate != FATE_UNREACHABLE);
		return true;
	}
	if (fate == FATE_LATE && e->n_late < FAKE_LATE) {
		(void)snprintf(e->late[e->n_late].path, sizeof(ex->path), "%s", ex->path);
		e->late[e->n_late++].body = own_strdup(ex->body);
		fake_fail(ex, -ECONNRESET, true, true);
		return true;
	}
	own_buf(&out);
	status = apply(e, ex->path, ex->body, &out);
	if (fate == FATE_OVER_QUOTA && takes_space(ex))
		fake_answer(ex, 429, no_space);
	else if (fate == FATE_ANSWERED || fate == FATE_OVER_QUOTA)
		fake_answer(ex, status, buf_text(&out));
	else
		fake_fail(ex, -ECONNRESET, true, true);
	buf_fini(&out);
	return true;
}

bool fake_etcd_deliver_late(struct fake_etcd *e)
{
	struct buf out;

	if (e->n_late == 0)
		return false;
	own_buf(&out);
	(void)apply(e, e->late[0].path, e->late[0].body, &out);
	buf_fini(&out);
	free(e->late[0].body);
	memmove(&e->late[0], &e->late[1], --e->n_late * sizeof(e->late[0]));
	return true;
}

/* ---- watches --------------------------------------------------------------------------------- */

static void line(struct transport_exchange *ex, int64_t revision, int64_t id, const char *rest)
{
	struct buf out;

	own_buf(&out);
	buf_printf(&out, "{\"result\":{" HEADER ",\"watch_id\":\"%lld\"%s}}\n", (long long)revision,
		(long long)id, rest);
	fake_data(ex, buf_text(&out));
	buf_fini(&out);
}

static void tell(struct transport_exchange *ex, int64_t id, const struct fake_event *event)
{
	struct buf out;

	own_buf(&out);
	buf_printf(&out, ",\"events\":[{%s\"kv\":", event->put ? "" : "\"type\":\"DELETE\",");
	put_kv(&out, &event->kv);
	buf_puts(&out, "}]");
	line(ex, event->revision, id, buf_text(&out));
	buf_fini(&out);
}

static bool alive(struct transport_fake *client, const struct transport_exchange *ex)
{
	struct list *i;

	list_foreach (i, &client->exchanges) {
		if (list_entry(i, struct transport_exchange, in_transport) == ex)
			return true;
	}
	return false;
}

struct create {
	char *first, *end;
	int64_t id, start;
};

/* All creates of a watch's body. */
static size_t creates_of(const char *body, struct create out[8])
{
	size_t n = 0;

	while (*body) {
		const char *end = NULL;
		cJSON *root = cJSON_ParseWithOpts(body, &end, 0);
		const cJSON *create = cJSON_GetObjectItemCaseSensitive(root, "create_request");

		assert(create && n < 8);
		out[n++] = (struct create){key_of(create, "key"), key_of(create, "range_end"),
			number_of(create, "watch_id"), number_of(create, "start_revision")};
		cJSON_Delete(root);
		body = end;
	}
	return n;
}

static void feed(struct fake_etcd *e, struct transport_fake *client, struct transport_exchange *ex)
{
	struct create creates[8] = {0};
	size_t n = creates_of(ex->body, creates);
	int64_t from = ex->mark;

	if (from == 0) {
		from = creates[0].start ? creates[0].start : e->revision + 1;
		for (size_t i = 0; i < n && alive(client, ex); i++)
			line(ex, e->revision, creates[i].id, ",\"created\":true");
	}
	for (size_t i = 0; i < e->n_events; i++) {
		const struct fake_event *event = &e->events[i];

		for (size_t j = 0; j < n && event->revision >= from; j++) {
			if (alive(client, ex) &&
				in_range(event->kv.key, creates[j].first, creates[j].end))
				tell(ex, creates[j].id, event);
		}
	}
	if (alive(client, ex))
		ex->mark = e->revision + 1;
	for (size_t i = 0; i < n; i++) {
		free(creates[i].first);
		free(creates[i].end);
	}
}

void fake_etcd_tick(struct fake_etcd *e, struct transport_fake *client)
{
	struct transport_exchange *streams[64];
	struct list *i;
	size_t n = 0;

	for (size_t j = 0; j < e->n_leases; j++) {
		if (e->leases[j].id && e->leases[j].expires_ns <= e->loop->now_ns)
			lease_end(e, &e->leases[j]);
	}
	list_foreach (i, &client->exchanges) {
		struct transport_exchange *ex =
			list_entry(i, struct transport_exchange, in_transport);

		if (is_watch(ex) && ex->mark <= e->revision && n < 64)
			streams[n++] = ex;
	}
	for (size_t j = 0; j < n; j++) {
		if (alive(client, streams[j]))
			feed(e, client, streams[j]);
	}
}
