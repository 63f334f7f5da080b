/* JSON into a buffer. Whether a comma is due the text itself tells. */
#include "daemon/json-out.h"

#include "base/escape.h"
#include "base/utf8.h"

#include <once/names.h>
#include <string.h>

static void put_string(struct buf *out, const char *text)
{
	char safe[1024];

	if (!utf8_valid(text, strlen(text))) {
		(void)escape_line(safe, sizeof(safe), text, strlen(text));
		text = safe;
	}
	(void)buf_putc(out, '"');
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c < ' ' || c == 0x7f || c == '<' || c == '>' || c == '&')
			(void)buf_printf(out, "\\u%04x", c);
		else if (c == '"' || c == '\\')
			(void)buf_append(out, (const char[]){'\\', (char)c}, 2);
		else
			(void)buf_putc(out, (char)c);
	}
	(void)buf_putc(out, '"');
}

static void begin(struct buf *out, const char *name)
{
	char last = out->size > 0 ? out->data[out->size - 1] : '{';

	if (last != '{' && last != '[' && last != ' ')
		(void)buf_putc(out, ',');
	if (!name)
		return;
	put_string(out, name);
	(void)buf_putc(out, ':');
}

void jout_open(struct buf *out, const char *name, char bracket)
{
	begin(out, name);
	(void)buf_putc(out, bracket);
}

void jout_close(struct buf *out, char bracket)
{
	(void)buf_putc(out, bracket);
}

void jout_text(struct buf *out, const char *name, const char *text)
{
	begin(out, name);
	if (text)
		put_string(out, text);
	else
		(void)buf_puts(out, "null");
}

void jout_i64(struct buf *out, const char *name, int64_t value)
{
	begin(out, name);
	(void)buf_put_i64(out, value);
}

void jout_bool(struct buf *out, const char *name, bool value)
{
	begin(out, name);
	(void)buf_puts(out, value ? "true" : "false");
}

void jout_null(struct buf *out, const char *name)
{
	begin(out, name);
	(void)buf_puts(out, "null");
}

void jout_seconds(struct buf *out, const char *name, int64_t ns)
{
	begin(out, name);
	(void)buf_printf(out, "%.3f", (double)ns / 1e9);
}

void jout_moment(struct buf *out, const char *name, int64_t ms)
{
	char text[ONCE_UTC_SIZE];

	jout_text(out, name, ms > 0 ? once_utc_format(text, ms) : NULL);
}
