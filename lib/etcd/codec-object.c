/* Flat objects over codec-json; see codec-object.h. */
#include "etcd/codec-object.h"

#include "base/base64.h"
#include "base/utf8.h"
#include "etcd/codec-json.h"
#include "etcd/codec-write.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_MAX64 = 32 };

struct object {
	struct arena arena;
	struct json json;
	cJSON *root;
};

void object_begin(struct buf *out)
{
	buf_putc(out, '{');
}

int object_end(struct buf *out)
{
	return buf_putc(out, '}');
}

void object_put_i64(struct buf *out, const char *name, int64_t value)
{
	const int64_t limit = INT64_C(1) << 53;

	if (value == 0)
		return;
	if (value >= limit || value <= -limit) {
		write_i64(out, name, value);
		return;
	}
	write_name(out, name);
	buf_put_i64(out, value);
}

void object_put_text(struct buf *out, const char *name, const char *text)
{
	int r = 0;

	if (text && *text)
		r = write_string(out, name, text);
	if (r < 0 && out->error == 0)
		out->error = r;
}

/* The size as a JSON string; SIZE_MAX: cannot be one. */
static size_t text_size(const unsigned char *data, size_t size)
{
	size_t n = 0;

	if (!utf8_valid(data, size))
		return SIZE_MAX;
	for (size_t i = 0; i < size; i++) {
		if (data[i] == 0)
			return SIZE_MAX;
		if (data[i] == '\n' || data[i] == '\t' || data[i] == '"' || data[i] == '\\')
			n += 2;
		else
			n += data[i] < 0x20 ? 6 : 1;
	}
	return n;
}

static void put_text_bytes(struct buf *out, const char *name, const char *data, size_t size)
{
	static const char hex[] = "0123456789abcdef";

	write_name(out, name);
	buf_putc(out, '"');
	for (size_t i = 0; i < size; i++) {
		unsigned char c = (unsigned char)data[i];

		if (c == '\n' || c == '\t' || c == '"' || c == '\\') {
			buf_putc(out, '\\');
			buf_putc(out, c == '\n' ? 'n' : c == '\t' ? 't' : (char)c);
		} else if (c < 0x20) {
			const char escaped[] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};

			buf_append(out, escaped, sizeof(escaped));
		} else {
			buf_putc(out, (char)c);
		}
	}
	buf_putc(out, '"');
}

static void name64(char out[NAME_MAX64 + 3], const char *name)
{
	size_t n = strnlen(name, NAME_MAX64);

	memcpy(out, name, n);
	memcpy(out + n, "64", 3);
}

void object_put_bytes(struct buf *out, const char *name, const void *data, size_t size)
{
	char other[NAME_MAX64 + 3];

	if (size == 0)
		return;
	if (size < SIZE_MAX / 2 && text_size(data, size) <= base64_encoded_size(size)) {
		put_text_bytes(out, name, data, size);
		return;
	}
	name64(other, name);
	write_bytes(out, other, (struct once_bytes){data, size});
}

void object_put_true(struct buf *out, const char *name, bool value)
{
	write_true(out, name, value);
}

int object_read(struct object **ret, const void *data, size_t size)
{
	struct object *object = calloc(1, sizeof(*object));
	int r;

	if (!object)
		return -ENOMEM;
	arena_init(&object->arena);
	object->json.arena = &object->arena;
	object->root = json_parse(&object->json, data, size);
	if (!object->root) {
		r = object->json.error;
		(void)object_free(object);
		return r;
	}
	*ret = object;
	return 0;
}

struct object *object_free(struct object *object)
{
	if (!object)
		return NULL;
	json_free(object->root, false);
	arena_fini(&object->arena);
	free(object);
	return NULL;
}

int object_error(const struct object *object)
{
	return object->json.error;
}

void object_fail(struct object *object)
{
	json_fail(&object->json, -EBADMSG);
}

bool object_has(const struct object *object, const char *name)
{
	return cJSON_GetObjectItemCaseSensitive(object->root, name) != NULL;
}

int64_t object_i64(struct object *object, const char *name, int64_t min, int64_t max)
{
	int64_t value = json_i64(&object->json, object->root, name);

	if (value == 0 && !object_has(object, name))
		return 0;
	if (value < min || value > max) {
		object_fail(object);
		return 0;
	}
	return value;
}

bool object_bool(struct object *object, const char *name)
{
	return json_bool(&object->json, object->root, name);
}

void object_text(struct object *object, const char *name, char *out, size_t size)
{
	const char *text = json_text(&object->json, object->root, name);
	size_t n = text ? strlen(text) : 0;

	if (n >= size) {
		object_fail(object);
		n = 0;
	}
	if (n)
		memcpy(out, text, n);
	out[n] = '\0';
}

const void *object_bytes(struct object *object, const char *name, size_t max, size_t *ret_size)
{
	char other[NAME_MAX64 + 3];
	const char *text = json_text(&object->json, object->root, name);
	struct once_bytes bytes;

	name64(other, name);
	if (text && object_has(object, other))
		object_fail(object);
	if (text)
		bytes = (struct once_bytes){text, strlen(text)};
	else
		bytes = json_bytes(&object->json, object->root, other);
	if (bytes.size > max) {
		object_fail(object);
		bytes.size = 0;
	}
	*ret_size = bytes.size;
	return bytes.data;
}
