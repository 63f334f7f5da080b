/* Keys and values on standard output in etcdctl's ways of writing bytes.
 *
 * Raw bytes go out as they are unless standard output is a terminal: there, what could drive it is
 * escaped. Line feeds and tabs stay, values have lines. */
#include "tools/oncectl/kv/kv.h"

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wctype.h>

#include "base/escape.h"
#include "base/utf8.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void put_escaped(const char *data, size_t size)
{
	size_t cap = size * 4 + 1;
	char *text = malloc(cap);

	if (text)
		(void)fwrite(text, 1, escape_line(text, cap, data, size), stdout);
	free(text);
}

void kv_put_raw(struct once_bytes bytes)
{
	static int terminal = -1;
	const char *at = bytes.data, *end = at + bytes.size;

	if (terminal < 0)
		terminal = isatty(STDOUT_FILENO);
	if (!terminal) {
		(void)fwrite(at, 1, bytes.size, stdout);
		return;
	}
	while (at < end) {
		const char *stop = at;

		while (stop < end && *stop != '\n' && *stop != '\t')
			stop++;
		put_escaped(at, (size_t)(stop - at));
		if (stop < end)
			putchar(*stop++);
		at = stop;
	}
}

void kv_put_hex(struct once_bytes bytes)
{
	const unsigned char *at = bytes.data;

	for (size_t i = 0; i < bytes.size; i++)
		printf("\\x%02x", at[i]);
}

/* ---- Go's %q --------------------------------------------------------------------------------- */

/* What the C library prints and Go does not: blanks other than the common one, formats, private
 * use. */
static bool is_go_secret(uint32_t c)
{
	static const struct {
		uint32_t first, last;
	} ranges[] = {{0xa0, 0xa0}, {0xad, 0xad}, {0x600, 0x605}, {0x61c, 0x61c}, {0x6dd, 0x6dd},
		{0x70f, 0x70f}, {0x890, 0x891}, {0x8e2, 0x8e2}, {0x1680, 0x1680}, {0x180e, 0x180e},
		{0x2000, 0x200f}, {0x2028, 0x202f}, {0x205f, 0x206f}, {0x3000, 0x3000},
		{0xd800, 0xf8ff}, {0xfeff, 0xfeff}, {0xfff9, 0xfffb}, {0x110bd, 0x110bd},
		{0x110cd, 0x110cd}, {0x13430, 0x1343f}, {0x1bca0, 0x1bca3}, {0x1d173, 0x1d17a},
		{0xe0000, 0xe0fff}, {0xf0000, 0x10ffff}};

	for (size_t i = 0; i < COUNT(ranges); i++)
		if (c >= ranges[i].first && c <= ranges[i].last)
			return true;
	return false;
}

static bool is_print(uint32_t c)
{
	static locale_t locale;

	if (c < 0x80)
		return c >= ' ' && c < 0x7f;
	if (!locale)
		locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
	return locale && iswprint_l((wint_t)c, locale) && !is_go_secret(c);
}

static void put_rune(FILE *out, uint32_t c)
{
	static const char letters[] = "\a\b\f\n\r\t\v", names[] = "abfnrtv";
	const char *known = c && c < ' ' ? strchr(letters, (int)c) : NULL;

	if (known)
		fprintf(out, "\\%c", names[known - letters]);
	else if (c < ' ' || c == 0x7f)
		fprintf(out, "\\x%02x", c);
	else if (c < 0x10000)
		fprintf(out, "\\u%04x", c);
	else
		fprintf(out, "\\U%08x", c);
}

void kv_write_quoted(FILE *out, struct once_bytes bytes)
{
	const char *at = bytes.data, *end = at + bytes.size;

	putc('"', out);
	while (at < end) {
		uint32_t c;
		size_t n = utf8_next(at, (size_t)(end - at), &c);

		if (n == 0)
			fprintf(out, "\\x%02x", (unsigned char)*at);
		else if (c == '"' || c == '\\')
			fprintf(out, "\\%c", *at);
		else if (is_print(c))
			(void)fwrite(at, 1, n, out);
		else
			put_rune(out, c);
		at += n ? n : 1;
	}
	putc('"', out);
}

void kv_put_quoted(struct once_bytes bytes)
{
	kv_write_quoted(stdout, bytes);
}

/* ---- answers --------------------------------------------------------------------------------- */

int kv_print_op(struct ctl *ctl, const struct once_response *response)
{
	struct kv_json json = {.ctl = ctl};

	switch (ctl->format) {
	case CTL_JSON:
		kv_json_open(&json, NULL, '{');
		kv_json_header(&json, "header", response);
		kv_json_op(&json, &response->op);
		kv_json_close(&json, '}');
		putchar('\n');
		break;
	case CTL_FIELDS:
		kv_fields_header(response);
		kv_fields_op(&response->op);
		break;
	case CTL_SIMPLE:
	case CTL_TABLE:
		kv_simple_op(ctl, &response->op);
		break;
	}
	return CTL_OK;
}
