/* The guard before cJSON: one pass over the bytes that lets only well-formed JSON through.
 *
 * cJSON takes more than JSON (control characters, "[01]", a NUL that cuts a string short),
 * recurses, and cannot tell a bad document from a lack of memory. After this pass its only failure
 * left is memory. What is bounded here: nesting, and the number of values, as cJSON spends about 80
 * bytes on each. */
#include "etcd/codec-json.h"

#include "base/utf8.h"
#include "etcd/codec.h"

#include <errno.h>
#include <string.h>

enum {
	VALUES_MAX = 2 * 1024 * 1024,
	NUMBER_MAX = 63, /* cJSON copies numbers into a buffer of 64 */
};

enum expect {
	EXPECT_VALUE,
	EXPECT_VALUE_OR_END, /* after '[' */
	EXPECT_NAME,
	EXPECT_NAME_OR_END, /* after '{' */
	EXPECT_COMMA_OR_END,
};

struct check {
	const unsigned char *at, *end;
	uint64_t objects; /* bit i: the container at depth i is an object */
	int depth;
	size_t values;
	enum expect expect;
};

_Static_assert(CODEC_DEPTH_MAX <= 64, "one bit per level");

static int peek(const struct check *check)
{
	return check->at < check->end ? *check->at : -1;
}

static void skip_space(struct check *check)
{
	while (check->at < check->end && memchr(" \t\r\n", *check->at, 4))
		check->at++;
}

static int hex_digit(unsigned char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
		return (c | 0x20) - 'a' + 10;
	return -1;
}

/* The four digits behind "\u"; -1: they are not. */
static int take_unit(struct check *check)
{
	int unit = 0;

	if (check->end - check->at < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		int digit = hex_digit(*check->at++);

		if (digit < 0)
			return -1;
		unit = unit << 4 | digit;
	}
	return unit;
}

static bool take_escape(struct check *check)
{
	int c = peek(check), unit;

	if (c < 0)
		return false;
	check->at++;
	if (c != 'u')
		return c != 0 && strchr("\"\\/bfnrt", c) != NULL;
	unit = take_unit(check);
	if (unit <= 0 || (unit >= 0xdc00 && unit < 0xe000))
		return false;
	if (unit < 0xd800 || unit >= 0xe000)
		return true;
	/* a high surrogate must be followed by a low one */
	if (check->end - check->at < 2 || check->at[0] != '\\' || check->at[1] != 'u')
		return false;
	check->at += 2;
	unit = take_unit(check);
	return unit >= 0xdc00 && unit < 0xe000;
}

/* Behind the opening quote. */
static bool take_string(struct check *check)
{
	while (check->at < check->end) {
		unsigned char c = *check->at;

		if (c >= 0x80) {
			size_t n = utf8_next(check->at, (size_t)(check->end - check->at), NULL);

			if (n == 0)
				return false;
			check->at += n;
			continue;
		}
		check->at++;
		if (c == '"')
			return true;
		if (c < 0x20 || (c == '\\' && !take_escape(check)))
			return false;
	}
	return false;
}

static bool take_digits(struct check *check)
{
	const unsigned char *start = check->at;

	while (check->at < check->end && *check->at >= '0' && *check->at <= '9')
		check->at++;
	return check->at > start;
}

static bool take_number(struct check *check)
{
	const unsigned char *start = check->at;

	if (peek(check) == '-')
		check->at++;
	if (peek(check) == '0')
		check->at++;
	else if (!take_digits(check))
		return false;
	if (peek(check) == '.') {
		check->at++;
		if (!take_digits(check))
			return false;
	}
	if (peek(check) == 'e' || peek(check) == 'E') {
		check->at++;
		if (peek(check) == '+' || peek(check) == '-')
			check->at++;
		if (!take_digits(check))
			return false;
	}
	return check->at - start <= NUMBER_MAX;
}

static bool take_word(struct check *check, const char *word)
{
	size_t n = strlen(word);

	if ((size_t)(check->end - check->at) < n || memcmp(check->at, word, n) != 0)
		return false;
	check->at += n;
	return true;
}

static bool open_container(struct check *check, bool object)
{
	uint64_t bit;

	if (check->depth >= CODEC_DEPTH_MAX)
		return false;
	check->at++;
	bit = UINT64_C(1) << check->depth++;
	check->objects = object ? check->objects | bit : check->objects & ~bit;
	check->expect = object ? EXPECT_NAME_OR_END : EXPECT_VALUE_OR_END;
	return true;
}

static bool in_object(const struct check *check)
{
	return check->objects >> (check->depth - 1) & 1;
}

static bool close_container(struct check *check)
{
	if (peek(check) != (in_object(check) ? '}' : ']'))
		return false;
	check->at++;
	check->depth--;
	check->expect = EXPECT_COMMA_OR_END;
	return true;
}

static bool take_value(struct check *check)
{
	if (++check->values > VALUES_MAX)
		return false;
	check->expect = EXPECT_COMMA_OR_END;
	switch (peek(check)) {
	case '{':
		return open_container(check, true);
	case '[':
		return open_container(check, false);
	case '"':
		check->at++;
		return take_string(check);
	case 't':
		return take_word(check, "true");
	case 'f':
		return take_word(check, "false");
	case 'n':
		return take_word(check, "null");
	default:
		return take_number(check);
	}
}

static bool take_name(struct check *check)
{
	if (peek(check) != '"')
		return false;
	check->at++;
	if (!take_string(check))
		return false;
	skip_space(check);
	if (peek(check) != ':')
		return false;
	check->at++;
	check->expect = EXPECT_VALUE;
	return true;
}

static bool take_next(struct check *check)
{
	switch (check->expect) {
	case EXPECT_NAME_OR_END:
		return peek(check) == '}' ? close_container(check) : take_name(check);
	case EXPECT_VALUE_OR_END:
		return peek(check) == ']' ? close_container(check) : take_value(check);
	case EXPECT_NAME:
		return take_name(check);
	case EXPECT_VALUE:
		return take_value(check);
	case EXPECT_COMMA_OR_END:
		if (peek(check) != ',')
			return close_container(check);
		check->at++;
		check->expect = in_object(check) ? EXPECT_NAME : EXPECT_VALUE;
		return true;
	}
	return false;
}

int json_check(const char *data, size_t size)
{
	struct check check = {
		.at = (const unsigned char *)data,
		.end = (const unsigned char *)data + size,
		.expect = EXPECT_VALUE,
	};

	if (size == 0 || size > CODEC_ANSWER_MAX)
		return -EBADMSG;
	do {
		skip_space(&check);
		if (!take_next(&check))
			return -EBADMSG;
	} while (check.depth > 0);
	skip_space(&check);
	return check.at == check.end ? 0 : -EBADMSG;
}
