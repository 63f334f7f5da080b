/* One key of a range's answer.
 *
 * A scan reads millions of them, and a tree of each costs ten allocations: so what etcd writes, an
 * object of known names and plain strings, each once, is read as it stands.
 *
 * Failures: whatever else it is, from an escape to a number without quotes, is left to the tree, which
 * also decides what is wrong with it. */
#include "etcd/codec-json.h"

#include "base/base64.h"
#include "base/number.h"

#include <errno.h>
#include <string.h>

struct row {
	const char *at, *end;
	unsigned seen; /* bit per member */
	struct json *json;
	struct once_kv *kv;
};

static bool take(struct row *row, char c)
{
	while (row->at < row->end && *row->at == ' ')
		row->at++;
	if (row->at == row->end || *row->at != c)
		return false;
	row->at++;
	return true;
}

static bool take_string(struct row *row, struct once_bytes *ret)
{
	const char *quote;

	if (!take(row, '"'))
		return false;
	quote = memchr(row->at, '"', (size_t)(row->end - row->at));
	if (!quote)
		return false;
	*ret = (struct once_bytes){row->at, (size_t)(quote - row->at)};
	row->at = quote + 1;
	return true;
}

/* Neither a number nor base64 has a backslash, so no text with an escape passes. */
static bool read_bytes(struct row *row, struct once_bytes text, struct once_bytes *ret)
{
	size_t size = 0;
	/* one more: the arena's zero makes text out of it for whoever prints it */
	void *data = arena_alloc(row->json->arena, base64_decoded_max(text.size) + 1);

	if (!data)
		json_fail(row->json, -ENOMEM);
	if (!data || base64_decode(data, &size, text.data, text.size) < 0)
		return false;
	*ret = (struct once_bytes){data, size};
	return true;
}

static bool set_member(struct row *row, struct once_bytes name, struct once_bytes text)
{
	struct once_kv *kv = row->kv;
	const struct {
		const char *name;
		struct once_bytes *bytes;
		int64_t *number;
	} members[] = {
		{"key", &kv->key, NULL},
		{"value", &kv->value, NULL},
		{"create_revision", NULL, &kv->create_revision},
		{"mod_revision", NULL, &kv->mod_revision},
		{"version", NULL, &kv->version},
		{"lease", NULL, &kv->lease},
	};

	for (unsigned i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
		if (strlen(members[i].name) != name.size ||
			memcmp(members[i].name, name.data, name.size) != 0)
			continue;
		if (row->seen & 1U << i)
			return false;
		row->seen |= 1U << i;
		return members[i].bytes
			       ? read_bytes(row, text, members[i].bytes)
			       : number_parse_i64(text.data, text.size, members[i].number) == 0;
	}
	return false;
}

static bool read_plain(struct row *row)
{
	struct once_bytes name, text;

	if (!take(row, '{'))
		return false;
	do {
		if (!take_string(row, &name) || !take(row, ':') || !take_string(row, &text) ||
			!set_member(row, name, text))
			return false;
	} while (take(row, ','));
	return take(row, '}') && row->at == row->end;
}

void json_row(struct json *json, const char *text, size_t size, struct once_kv *ret)
{
	static const struct once_kv empty = {.key = {"", 0}, .value = {"", 0}};
	struct row row = {.at = text, .end = text + size, .json = json, .kv = ret};
	cJSON *tree;

	*ret = empty;
	if (read_plain(&row) || json->error)
		return;
	*ret = empty;
	tree = json_parse(json, text, size);
	if (tree)
		json_kv(json, tree, ret);
	json_free(tree, false);
}
