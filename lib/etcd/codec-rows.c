/* The keys of a range's answer, cut out of it as it comes: neither the page nor a tree of it need fit
 * into memory.
 *
 *	BEFORE -> FIRST -> INSIDE -> BETWEEN -> NEXT -> INSIDE ... -> BEHIND
 *
 * - Until the array begins, and behind it, bytes are kept in `around`: in the end that is the answer
 *   with an empty array, and codec_decode() looks at it as at any other.
 * - An element is cut where its brackets are closed, and believed when codec-row.c has read it. One
 *   that ends in a later piece is kept in `row`.
 *
 * Failures: -EBADMSG, -ENOMEM, and they stick. An array that is never closed leaves `around` without
 * its end, which is no JSON. An array whose name is written with escapes stays in `around`. */
#include "etcd/codec-json.h"
#include "etcd/codec.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	AROUND_MAX = 1 << 20,
	LOOK = 4096, /* bytes taken at a time while the array is not found: they are copied */
};

void codec_rows_init(struct codec_rows *rows)
{
	*rows = (struct codec_rows){0};
	buf_init(&rows->around, AROUND_MAX);
	buf_init(&rows->row, CODEC_ANSWER_MAX);
}

void codec_rows_fini(struct codec_rows *rows)
{
	buf_fini(&rows->around);
	buf_fini(&rows->row);
	free(rows->kvs);
	rows->kvs = NULL;
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* ---- before the array: these give NULL when the text ends too early -------------------------- */

static const char *skip_space(const char *at, const char *end)
{
	while (at && at < end && is_space(*at))
		at++;
	return at && at < end ? at : NULL;
}

/* Behind a string that begins here. */
static const char *skip_string(const char *at, const char *end)
{
	for (at++; at < end && *at != '"'; at++)
		at += *at == '\\';
	return at < end ? at + 1 : NULL;
}

/* Behind a value that begins here. */
static const char *skip_value(const char *at, const char *end)
{
	int depth = 0;

	if (*at != '"' && *at != '{' && *at != '[') {
		while (at < end && *at != ',' && *at != ']' && *at != '}' && !is_space(*at))
			at++;
		return at < end ? at : NULL;
	}
	do {
		depth += (*at == '{' || *at == '[') - (*at == '}' || *at == ']');
		at = *at == '"' ? skip_string(at, end) : at + 1;
	} while (at && at < end && depth > 0);
	return depth > 0 ? NULL : at;
}

/* Behind the bracket that opens the array of that name at the top level; NULL: not yet, or never. */
static const char *find_array(const char *at, const char *end, const char *name)
{
	size_t n = strlen(name);

	at = skip_space(at, end);
	if (!at || *at != '{')
		return NULL;
	for (at = skip_space(at + 1, end); at && *at == '"'; at = skip_space(at + 1, end)) {
		const char *key = at + 1, *behind = skip_string(at, end);
		bool found = behind && (size_t)(behind - at) == n + 2 && memcmp(key, name, n) == 0;

		at = skip_space(behind, end);
		if (!at || *at != ':')
			return NULL;
		at = skip_space(at + 1, end);
		if (found && at && *at == '[')
			return at + 1;
		at = at ? skip_space(skip_value(at, end), end) : NULL;
		if (!at || *at != ',')
			return NULL;
	}
	return NULL;
}

/* What stands before the array, closed, must hold the header: whose keys these are. */
static void read_header(struct codec_rows *rows)
{
	struct arena arena;
	struct json json = {.arena = &arena};
	struct codec_header header;
	char *text = malloc(rows->around.size + 2);
	cJSON *root = NULL;

	arena_init(&arena);
	if (text) {
		memcpy(text, rows->around.data, rows->around.size);
		memcpy(text + rows->around.size, "]}", 2);
		root = json_parse(&json, text, rows->around.size + 2);
	}
	rows->error = text ? json.error : -ENOMEM;
	if (root && json_object(&json, root, "header") && json_header(&json, root, &header)) {
		rows->cluster_id = header.cluster_id;
		rows->member_id = header.member_id;
		rows->revision = header.revision;
		rows->raft_term = header.raft_term;
	}
	json_free(root, false);
	free(text);
	arena_fini(&arena);
}

/* How much of the piece belongs to what stands before the array. */
static size_t look_for_array(struct codec_rows *rows, const char *data, size_t size)
{
	struct buf *around = &rows->around;
	size_t before = around->size, keep;
	const char *at;

	rows->error = buf_append(around, data, size);
	if (rows->error < 0)
		return size;
	at = find_array(around->data, around->data + around->size, "kvs");
	if (!at)
		return size;
	keep = (size_t)(at - around->data);
	around->size = keep;
	around->data[keep] = '\0';
	rows->state = CODEC_ROWS_FIRST;
	read_header(rows);
	return keep - before;
}

/* ---- the array ------------------------------------------------------------------------------- */

static struct once_kv *next_kv(struct codec_rows *rows)
{
	size_t cap = rows->cap ? rows->cap * 2 : 64;
	struct once_kv *kvs;

	if (rows->n_kvs == rows->cap) {
		kvs = realloc(rows->kvs, cap * sizeof(*kvs));
		if (!kvs)
			return NULL;
		rows->kvs = kvs;
		rows->cap = cap;
	}
	return &rows->kvs[rows->n_kvs++];
}

static void take_row(struct codec_rows *rows, const char *text, size_t size, struct arena *arena)
{
	struct json json = {.arena = arena};
	struct once_kv *kv = next_kv(rows);

	if (kv)
		json_row(&json, text, size, kv);
	rows->error = kv ? json.error : -ENOMEM;
	rows->state = CODEC_ROWS_BETWEEN;
}

/* Behind the element, or the end of the piece. */
static const char *scan(struct codec_rows *rows, const char *at, const char *end)
{
	while (at < end) {
		if (rows->in_string && rows->escaped) {
			rows->escaped = false;
			at++;
		} else if (rows->in_string) {
			const char *quote = memchr(at, '"', (size_t)(end - at));
			const char *stop = quote ? quote : end;
			const char *slash = memchr(at, '\\', (size_t)(stop - at));

			rows->escaped = slash;
			rows->in_string = slash || !quote;
			at = slash ? slash + 1 : quote ? quote + 1 : end;
		} else {
			rows->in_string = *at == '"';
			rows->depth += (*at == '{' || *at == '[') - (*at == '}' || *at == ']');
			at++;
			if (rows->depth == 0)
				return at;
		}
	}
	return at;
}

static const char *inside(
	struct codec_rows *rows, const char *at, const char *end, struct arena *arena)
{
	const char *behind = scan(rows, at, end);
	bool whole = rows->depth == 0;

	if (whole && rows->row.size == 0) {
		take_row(rows, at, (size_t)(behind - at), arena);
		return behind;
	}
	rows->error = buf_append(&rows->row, at, (size_t)(behind - at));
	if (whole && rows->error == 0) {
		take_row(rows, rows->row.data, rows->row.size, arena);
		buf_reset(&rows->row);
	}
	return behind;
}

/* One step in the array; behind what it took. */
static const char *step(
	struct codec_rows *rows, const char *at, const char *end, struct arena *arena)
{
	enum codec_rows_state state = rows->state;

	if (state == CODEC_ROWS_INSIDE)
		return inside(rows, at, end, arena);
	if (is_space(*at))
		return at + 1;
	if (*at == '{' && state != CODEC_ROWS_BETWEEN) {
		rows->state = CODEC_ROWS_INSIDE;
		return at;
	}
	if (*at == ',' && state == CODEC_ROWS_BETWEEN) {
		rows->state = CODEC_ROWS_NEXT;
		return at + 1;
	}
	if (*at == ']' && state != CODEC_ROWS_NEXT)
		rows->state = CODEC_ROWS_BEHIND;
	else
		rows->error = -EBADMSG;
	return at;
}

int codec_rows_push(struct codec_rows *rows, const void *data, size_t size, struct arena *arena)
{
	const char *at = data, *end = at + size;

	rows->n_kvs = 0;
	while (rows->error == 0 && at < end && rows->state == CODEC_ROWS_BEFORE)
		at += look_for_array(rows, at, end - at < LOOK ? (size_t)(end - at) : LOOK);
	while (rows->error == 0 && at < end && rows->state != CODEC_ROWS_BEHIND)
		at = step(rows, at, end, arena);
	if (rows->error == 0 && rows->state == CODEC_ROWS_BEHIND)
		rows->error = buf_append(&rows->around, at, (size_t)(end - at));
	if (rows->error == -E2BIG)
		rows->error = -EBADMSG;
	return rows->error;
}
