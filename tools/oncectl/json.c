/* JSON on standard output. Everything oncectl prints is small, so it goes out as it comes. */
#include "tools/oncectl/ctl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/escape.h"
#include "base/utf8.h"

static void print_string(const char *text, size_t size)
{
	putchar('"');
	for (size_t i = 0; i < size; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c == '"' || c == '\\')
			printf("\\%c", c);
		else if (c < ' ' || c == 0x7f)
			printf("\\u%04x", c);
		else
			putchar(c);
	}
	putchar('"');
}

static void begin(struct ctl_json *json, const char *key)
{
	if (json->comma[json->depth])
		putchar(',');
	json->comma[json->depth] = true;
	if (key) {
		print_string(key, strlen(key));
		putchar(':');
	}
}

static void open_level(struct ctl_json *json, const char *key, char bracket)
{
	begin(json, key);
	putchar(bracket);
	json->depth++;
	json->comma[json->depth] = false;
}

static void close_level(struct ctl_json *json, char bracket)
{
	putchar(bracket);
	if (--json->depth == 0) {
		putchar('\n');
		json->comma[0] = false;
	}
}

void ctl_json_object(struct ctl_json *json, const char *key)
{
	open_level(json, key, '{');
}

void ctl_json_array(struct ctl_json *json, const char *key)
{
	open_level(json, key, '[');
}

void ctl_json_end_object(struct ctl_json *json)
{
	close_level(json, '}');
}

void ctl_json_end_array(struct ctl_json *json)
{
	close_level(json, ']');
}

void ctl_json_bytes(struct ctl_json *json, const char *key, struct once_bytes bytes)
{
	size_t cap = bytes.size * 4 + 4, n;
	char *text;

	begin(json, key);
	if (utf8_valid(bytes.data, bytes.size)) {
		print_string(bytes.data, bytes.size);
		return;
	}
	text = malloc(cap);
	if (!text)
		ctl_end_without_memory();
	n = escape_line(text, cap, bytes.data, bytes.size);
	print_string(text, n);
	free(text);
}

void ctl_json_text(struct ctl_json *json, const char *key, const char *text)
{
	if (text)
		ctl_json_bytes(json, key, once_str(text));
	else
		ctl_json_null(json, key);
}

void ctl_json_number(struct ctl_json *json, const char *key, int64_t value)
{
	begin(json, key);
	printf("%lld", (long long)value);
}

void ctl_json_seconds(struct ctl_json *json, const char *key, int64_t ns)
{
	begin(json, key);
	printf("%.3f", (double)ns / 1e9);
}

void ctl_json_bool(struct ctl_json *json, const char *key, bool value)
{
	begin(json, key);
	fputs(value ? "true" : "false", stdout);
}

void ctl_json_null(struct ctl_json *json, const char *key)
{
	begin(json, key);
	fputs("null", stdout);
}
