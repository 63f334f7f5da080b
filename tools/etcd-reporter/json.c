/* See json.h. One function per rule of the grammar; each moves `at` behind what it took. */
#include "tools/etcd-reporter/json.h"

#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

enum { DEPTH_MAX = 64 };

struct scan {
	const char *at, *end;
	bool has;
	double price;
};

static void skip_space(struct scan *s)
{
	while (s->at < s->end &&
		(*s->at == ' ' || *s->at == '\t' || *s->at == '\n' || *s->at == '\r'))
		s->at++;
}

static bool take(struct scan *s, char c)
{
	if (s->at == s->end || *s->at != c)
		return false;
	s->at++;
	return true;
}

static bool is_digit(const struct scan *s)
{
	return s->at < s->end && *s->at >= '0' && *s->at <= '9';
}

static bool digits(struct scan *s)
{
	const char *begin = s->at;

	while (is_digit(s))
		s->at++;
	return s->at > begin;
}

static bool number(struct scan *s)
{
	(void)take(s, '-');
	if (!take(s, '0') && !digits(s))
		return false;
	if (take(s, '.') && !digits(s))
		return false;
	if (!take(s, 'e') && !take(s, 'E'))
		return true;
	if (!take(s, '+'))
		(void)take(s, '-');
	return digits(s);
}

static bool escape(struct scan *s)
{
	if (s->at == s->end)
		return false;
	if (*s->at != 'u')
		return *s->at != '\0' && strchr("\"\\/bfnrt", *s->at++);
	s->at++;
	for (int i = 0; i < 4; i++, s->at++)
		if (s->at == s->end || *s->at == '\0' || !strchr("0123456789abcdefABCDEF", *s->at))
			return false;
	return true;
}

static bool string(struct scan *s)
{
	if (!take(s, '"'))
		return false;
	while (s->at < s->end && *s->at != '"') {
		unsigned char c = (unsigned char)*s->at++;

		if (c < ' ' || (c == '\\' && !escape(s)))
			return false;
	}
	return take(s, '"');
}

static bool word(struct scan *s, const char *text)
{
	size_t n = strlen(text);

	if ((size_t)(s->end - s->at) < n || memcmp(s->at, text, n) != 0)
		return false;
	s->at += n;
	return true;
}

static bool value(struct scan *s, int depth);

static void note_price(struct scan *s, const char *begin)
{
	char text[64];
	size_t n = (size_t)(s->at - begin);

	if (n >= sizeof(text) || (*begin != '-' && (*begin < '0' || *begin > '9')))
		return;
	memcpy(text, begin, n);
	text[n] = '\0';
	s->price = strtod(text, NULL);
	s->has = true;
}

static bool member(struct scan *s, int depth)
{
	const char *name = s->at, *begin;
	bool is_price;

	if (!string(s))
		return false;
	is_price = depth == 0 && s->at - name == 7 && memcmp(name, "\"price\"", 7) == 0;
	skip_space(s);
	if (!take(s, ':'))
		return false;
	skip_space(s);
	begin = s->at;
	if (!value(s, depth + 1))
		return false;
	if (is_price)
		note_price(s, begin);
	return true;
}

/* What stands between the brackets of an object or an array. */
static bool list(struct scan *s, int depth, char close, bool (*element)(struct scan *s, int depth))
{
	s->at++;
	skip_space(s);
	if (take(s, close))
		return true;
	for (;;) {
		skip_space(s);
		if (!element(s, depth))
			return false;
		skip_space(s);
		if (take(s, close))
			return true;
		if (!take(s, ','))
			return false;
	}
}

static bool element(struct scan *s, int depth)
{
	return value(s, depth + 1);
}

static bool value(struct scan *s, int depth)
{
	if (s->at == s->end || depth > DEPTH_MAX)
		return false;
	switch (*s->at) {
	case '{':
		return list(s, depth, '}', member);
	case '[':
		return list(s, depth, ']', element);
	case '"':
		return string(s);
	case 't':
		return word(s, "true");
	case 'f':
		return word(s, "false");
	case 'n':
		return word(s, "null");
	default:
		return number(s);
	}
}

bool json_scan(const char *text, size_t size, bool *ret_has, double *ret_price)
{
	struct scan s = {.at = text, .end = text + size};

	*ret_has = false;
	skip_space(&s);
	if (s.at == s.end || (*s.at != '{' && *s.at != '[') || !utf8_valid(text, size) ||
		!value(&s, 0))
		return false;
	skip_space(&s);
	*ret_has = s.has && s.at == s.end;
	*ret_price = s.price;
	return s.at == s.end;
}
