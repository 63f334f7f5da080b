/* See words.h. One pass: a word is collected into a buffer of the text's own size, which is always
 * enough because every escape is longer than what it stands for. */
#include "daemon/words.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

static const char blanks[] = " \t\r\n";

struct words_parser {
	const char *at;
	char *word; /* owned; as long as the text */
	size_t n;
	const char *why;
};

static int digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return 99;
}

static bool take_number(struct words_parser *s, int base, int digits, uint32_t *ret)
{
	uint32_t value = 0;

	for (int i = 0; i < digits; i++) {
		int digit = digit_value(*s->at);
		if (digit >= base)
			return false;
		value = value * (uint32_t)base + (uint32_t)digit;
		s->at++;
	}
	*ret = value;
	return true;
}

static bool put_code_point(struct words_parser *s, uint32_t c)
{
	unsigned char b[4];
	size_t n = 0;

	if (c < 0x80) {
		b[n++] = (unsigned char)c;
	} else if (c < 0x800) {
		b[n++] = (unsigned char)(0xc0 | c >> 6);
	} else if (c < 0x10000) {
		b[n++] = (unsigned char)(0xe0 | c >> 12);
		b[n++] = (unsigned char)(0x80 | (c >> 6 & 0x3f));
	} else {
		b[n++] = (unsigned char)(0xf0 | (c >> 18 & 0x07));
		b[n++] = (unsigned char)(0x80 | (c >> 12 & 0x3f));
		b[n++] = (unsigned char)(0x80 | (c >> 6 & 0x3f));
	}
	if (c >= 0x80)
		b[n++] = (unsigned char)(0x80 | (c & 0x3f));
	if (c > 0x10ffff || !utf8_valid(b, n))
		return false;
	memcpy(s->word + s->n, b, n);
	s->n += n;
	return true;
}

/* What follows a backslash and a digit, x, u or U. */
static int take_numeric_escape(struct words_parser *s)
{
	char kind = *s->at;
	uint32_t value;
	bool ok;

	if (kind == 'x' || kind == 'u' || kind == 'U')
		s->at++;
	if (kind == 'x')
		ok = take_number(s, 16, 2, &value);
	else if (kind == 'u' || kind == 'U')
		ok = take_number(s, 16, kind == 'u' ? 4 : 8, &value);
	else
		ok = take_number(s, 8, 3, &value) && value <= 0xff;
	if (!ok || value == 0) {
		s->why = ok ? "an escape stands for NUL" : "an escape lacks digits";
		return -EINVAL;
	}
	if (kind != 'u' && kind != 'U') {
		s->word[s->n++] = (char)value;
		return 0;
	}
	if (put_code_point(s, value))
		return 0;
	s->why = "an escape names no character";
	return -EINVAL;
}

static int take_escape(struct words_parser *s)
{
	static const char from[] = "abfnrtvs\\\"'", to[] = "\a\b\f\n\r\t\v \\\"'";
	const char *hit;

	s->at++; /* the backslash */
	if (*s->at == '\0') {
		s->why = "it ends with a backslash";
		return -EINVAL;
	}
	hit = strchr(from, *s->at);
	if (hit) {
		s->word[s->n++] = to[hit - from];
		s->at++;
		return 0;
	}
	if (*s->at == 'x' || *s->at == 'u' || *s->at == 'U' || digit_value(*s->at) < 8)
		return take_numeric_escape(s);
	s->why = "unknown escape after a backslash (a backslash itself is \\\\)";
	return -EINVAL;
}

static int take_word(struct words_parser *s)
{
	char quote = '\0';
	int r;

	s->n = 0;
	while (*s->at != '\0' && (quote || !strchr(blanks, *s->at))) {
		if (*s->at == '\\') {
			r = take_escape(s);
			if (r < 0)
				return r;
		} else if (quote ? *s->at == quote : *s->at == '"' || *s->at == '\'') {
			quote = quote ? '\0' : *s->at;
			s->at++;
		} else {
			s->word[s->n++] = *s->at++;
		}
	}
	if (quote) {
		s->why = "a quote is not closed";
		return -EINVAL;
	}
	return 0;
}

static int split_all(struct words_parser *s, char **words, size_t *ret_n)
{
	size_t n = 0;
	int r;

	for (s->at += strspn(s->at, blanks); *s->at != '\0'; s->at += strspn(s->at, blanks)) {
		if (n == WORDS_MAX) {
			s->why = "too many words";
			return -E2BIG;
		}
		r = take_word(s);
		if (r < 0)
			return r;
		s->word[s->n] = '\0'; /* the text's own NUL had room, too */
		words[n] = strdup(s->word);
		if (!words[n])
			return -ENOMEM;
		n++;
	}
	*ret_n = n;
	return 0;
}

int words_split(const char *text, char ***ret, size_t *ret_n, const char **ret_why)
{
	struct words_parser s = {.at = text, .why = "out of memory"};
	char **words = calloc(WORDS_MAX + 1, sizeof(*words));
	int r = -ENOMEM;

	s.word = malloc(strlen(text) + 1);
	if (words && s.word)
		r = split_all(&s, words, ret_n);
	free(s.word);
	if (r < 0) {
		*ret_why = s.why;
		words_free(words);
		return r;
	}
	*ret = words;
	return 0;
}

char **words_free(char **words)
{
	for (char **word = words; word && *word; word++)
		free(*word);
	free(words);
	return NULL;
}

static void print_word(FILE *out, const char *word)
{
	bool plain = *word != '\0';

	for (const char *c = word; *c; c++)
		if ((unsigned char)*c <= ' ' || *c == 0x7f || strchr("\"'\\", *c))
			plain = false;
	if (plain && utf8_valid(word, strlen(word))) {
		fputs(word, out);
		return;
	}
	fputc('"', out);
	for (const char *c = word; *c; c++) {
		unsigned char u = (unsigned char)*c;
		if (*c == '"' || *c == '\\')
			fprintf(out, "\\%c", *c);
		else if (u < ' ' || u >= 0x7f)
			fprintf(out, "\\x%02x", u);
		else
			fputc(*c, out);
	}
	fputc('"', out);
}

void words_print(FILE *out, char *const *words)
{
	for (size_t i = 0; words[i]; i++) {
		if (i > 0)
			fputc(' ', out);
		print_word(out, words[i]);
	}
}
