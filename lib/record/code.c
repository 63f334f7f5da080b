/* Fields of records; see code.h. */
#include "record/code.h"

#include "base/utf8.h"

#include <errno.h>
#include <string.h>

/* Controls: below space, DEL, U+0080 to U+009F, the line separators. */
bool code_text_valid(const char *text, size_t size)
{
	size_t n = strnlen(text, size), step;
	uint32_t c = 0;

	if (n == size)
		return false;
	for (size_t i = 0; i < n; i += step) {
		step = utf8_next(text + i, n - i, &c);
		if (step == 0 || c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x2028 || c == 0x2029)
			return false;
	}
	return true;
}

bool code_word_valid(const char *word, size_t size)
{
	size_t n = strnlen(word, size);

	return n < size && word[0] != '-' && strspn(word, "abcdefghijklmnopqrstuvwxyz-") == n;
}

bool code_hex_valid(const char *text, size_t size)
{
	size_t n = strnlen(text, size);

	return n < size && strspn(text, "0123456789abcdef") == n;
}

bool code_utc_valid(int64_t ms)
{
	char text[ONCE_UTC_SIZE];

	return ms == 0 || *once_utc_format(text, ms) != '\0';
}

void code_put_utc(struct buf *out, const char *name, int64_t ms)
{
	char text[ONCE_UTC_SIZE];

	object_put_text(out, name, once_utc_format(text, ms));
}

int64_t code_utc(struct object *object, const char *name)
{
	char text[ONCE_UTC_SIZE];
	int64_t ms = 0;

	object_text(object, name, text, sizeof(text));
	if (text[0] && once_utc_parse(&ms, text, strlen(text)) < 0)
		object_fail(object);
	return ms;
}

static void checked(struct object *object, const char *name, char *out, size_t size,
	bool (*valid)(const char *text, size_t size))
{
	object_text(object, name, out, size);
	if (!valid(out, size)) {
		object_fail(object);
		out[0] = '\0';
	}
}

void code_text(struct object *object, const char *name, char *out, size_t size)
{
	checked(object, name, out, size, code_text_valid);
}

void code_word(struct object *object, const char *name, char *out, size_t size)
{
	checked(object, name, out, size, code_word_valid);
}

void code_hex(struct object *object, const char *name, char *out, size_t size)
{
	checked(object, name, out, size, code_hex_valid);
}

void code_begin(struct buf *out)
{
	object_begin(out);
	object_put_i64(out, "v", CODE_VERSION);
}

int code_read(struct object **ret, struct once_bytes value, size_t max)
{
	struct object *object;
	int64_t version;
	int r;

	if (value.size == 0 || value.size > max)
		return -EBADMSG;
	r = object_read(&object, value.data, value.size);
	if (r < 0)
		return r;
	version = object_i64(object, "v", 1, INT32_MAX);
	r = object_error(object);
	if (r == 0 && version != CODE_VERSION)
		r = version > CODE_VERSION ? -EPROTONOSUPPORT : -EBADMSG;
	if (r < 0) {
		object = object_free(object);
		return r;
	}
	*ret = object;
	return 0;
}
