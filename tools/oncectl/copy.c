/* Answers are borrowed until their callback returns; a command that goes on needs its own copy. */
#include "tools/oncectl/ctl.h"

#include <string.h>

static struct once_bytes copy_bytes(struct arena *arena, struct once_bytes bytes, bool *ok)
{
	char *data = arena_copy(arena, bytes.data, bytes.size);

	*ok = *ok && data;
	return (struct once_bytes){data, bytes.size};
}

static const char *copy_text(struct arena *arena, const char *text, bool *ok)
{
	return text ? copy_bytes(arena, once_str(text), ok).data : NULL;
}

static const char *const *copy_texts(
	struct arena *arena, const char *const *texts, size_t n, bool *ok)
{
	const char **copy = arena_array(arena, n, sizeof(*copy));

	*ok = *ok && copy;
	for (size_t i = 0; i < n && *ok; i++)
		copy[i] = copy_text(arena, texts[i], ok);
	return copy;
}

static const struct once_kv *copy_kvs(
	struct arena *arena, const struct once_kv *kvs, size_t n, bool *ok)
{
	struct once_kv *copy = arena_array(arena, n, sizeof(*copy));

	*ok = *ok && copy;
	for (size_t i = 0; i < n && *ok; i++) {
		copy[i] = kvs[i];
		copy[i].key = copy_bytes(arena, kvs[i].key, ok);
		copy[i].value = copy_bytes(arena, kvs[i].value, ok);
	}
	return copy;
}

static const struct once_op_result *copy_results(
	struct arena *arena, const struct once_op_result *results, size_t n, bool *ok)
{
	struct once_op_result *copy = arena_array(arena, n, sizeof(*copy));

	*ok = *ok && copy;
	for (size_t i = 0; i < n && *ok; i++) {
		copy[i] = results[i];
		copy[i].kvs = copy_kvs(arena, results[i].kvs, results[i].n_kvs, ok);
		copy[i].results = copy_results(arena, results[i].results, results[i].n_results, ok);
	}
	return copy;
}

static const struct once_member *copy_members(
	struct arena *arena, const struct once_member *members, size_t n, bool *ok)
{
	struct once_member *copy = arena_array(arena, n, sizeof(*copy));

	*ok = *ok && copy;
	for (size_t i = 0; i < n && *ok; i++) {
		const struct once_member *m = &members[i];

		copy[i] = *m;
		copy[i].name = copy_text(arena, m->name, ok);
		copy[i].peer_urls = copy_texts(arena, m->peer_urls, m->n_peer_urls, ok);
		copy[i].client_urls = copy_texts(arena, m->client_urls, m->n_client_urls, ok);
	}
	return copy;
}

static const struct once_bytes *copy_keys(
	struct arena *arena, const struct once_bytes *keys, size_t n, bool *ok)
{
	struct once_bytes *copy = arena_array(arena, n, sizeof(*copy));

	*ok = *ok && copy;
	for (size_t i = 0; i < n && *ok; i++)
		copy[i] = copy_bytes(arena, keys[i], ok);
	return copy;
}

static const void *copy_array(
	struct arena *arena, const void *array, size_t n, size_t size, bool *ok)
{
	void *copy = arena_array(arena, n, size);

	*ok = *ok && copy;
	if (*ok && n > 0)
		memcpy(copy, array, n * size);
	return copy;
}

const struct once_response *ctl_copy(struct arena *arena, const struct once_response *response)
{
	struct once_response *copy = arena_alloc(arena, sizeof(*copy));
	bool ok = copy;

	if (!ok)
		return NULL;
	*copy = *response;
	copy->endpoint = copy_text(arena, response->endpoint, &ok);
	copy->op.kvs = copy_kvs(arena, response->op.kvs, response->op.n_kvs, &ok);
	copy->op.results = copy_results(arena, response->op.results, response->op.n_results, &ok);
	copy->leases = copy_array(
		arena, response->leases, response->n_leases, sizeof(*response->leases), &ok);
	copy->keys = copy_keys(arena, response->keys, response->n_keys, &ok);
	copy->alarms = copy_array(
		arena, response->alarms, response->n_alarms, sizeof(*response->alarms), &ok);
	copy->members = copy_members(arena, response->members, response->n_members, &ok);
	copy->version = copy_text(arena, response->version, &ok);
	copy->errors = copy_texts(arena, response->errors, response->n_errors, &ok);
	return ok ? copy : NULL;
}
