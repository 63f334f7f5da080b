/* Words, numbers and quoted strings as etcdctl, that is Go, reads them. */
#include "tools/oncectl/kv/kv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- numbers --------------------------------------------------------------------------------- */

const char *kv_number(struct ctl *ctl, const char *text, int base, int64_t *ret)
{
	const char *digits = text + (*text == '-' || *text == '+'), *why = NULL;
	char *end;
	long long value;

	errno = 0;
	value = strtoll(text, &end, base);
	/* strtoll takes blanks, "0x" and nothing at all, too */
	if (!*digits || *end || strspn(digits, "0123456789abcdefABCDEF") != strlen(digits))
		why = "invalid syntax";
	else if (errno == ERANGE)
		why = "value out of range";
	*ret = value;
	if (!why)
		return NULL;
	why = ctl_printf(ctl, "strconv.ParseInt: parsing \"%s\": %s", text, why);
	return why ? why : "out of memory";
}

int kv_flag_number(struct ctl *ctl, const char *name, int64_t *ret)
{
	const char *text = ctl_flag(ctl, name), *why;

	*ret = 0;
	why = text ? kv_number(ctl, text, 10, ret) : NULL;
	if (why)
		return kv_error(
			CTL_FAILED, "invalid argument \"%s\" for \"%s\" flag: %s", text, name, why);
	return CTL_OK;
}

/* ---- ranges ---------------------------------------------------------------------------------- */

bool kv_prefix_end(struct ctl *ctl, struct once_op *op)
{
	char *end = arena_alloc(&ctl->arena, op->key.size + 1);

	if (end)
		op->range_end = (struct once_bytes){end, once_prefix_end(op->key, end)};
	return end != NULL;
}

int kv_range(struct ctl *ctl, struct once_op *op)
{
	static const struct once_bytes zero = {"", 1};
	bool prefix = ctl_flag(ctl, "--prefix"), from_key = ctl_flag(ctl, "--from-key");

	if (prefix && from_key)
		return kv_error(CTL_BAD_ARGS,
			"`--prefix` and `--from-key` cannot be set at the same time, choose one");
	op->key = once_str(ctl->words[0]);
	if (ctl->n_words > 1) {
		if (prefix || from_key)
			return kv_error(CTL_BAD_ARGS,
				"too many arguments, only accept one argument when "
				"`--prefix` or `--from-key` is set");
		op->range_end = once_str(ctl->words[1]);
	}
	if (from_key || (prefix && op->key.size == 0))
		op->range_end = zero;
	else if (prefix && !kv_prefix_end(ctl, op))
		return ctl_out_of_memory();
	if ((prefix || from_key) && op->key.size == 0)
		op->key = zero;
	return CTL_OK;
}

/* ---- lines of input -------------------------------------------------------------------------- */

static int digit_of(char c, int base)
{
	int value = c >= '0' && c <= '9'   ? c - '0'
		    : c >= 'a' && c <= 'f' ? c - 'a' + 10
		    : c >= 'A' && c <= 'F' ? c - 'A' + 10
					   : 99;

	return value < base ? value : -1;
}

/* n digits; -1: not so. */
static long take_digits(const char **at, int n, int base)
{
	long value = 0;

	for (int i = 0; i < n; i++) {
		int digit = digit_of((*at)[i], base);

		if (digit < 0)
			return -1;
		value = value * base + digit;
	}
	*at += n;
	return value;
}

static size_t put_utf8(char *out, unsigned long c)
{
	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (char)(0xc0 | c >> 6);
		out[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (char)(0xe0 | c >> 12);
		out[1] = (char)(0x80 | (c >> 6 & 0x3f));
		out[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | c >> 18);
	out[1] = (char)(0x80 | (c >> 12 & 0x3f));
	out[2] = (char)(0x80 | (c >> 6 & 0x3f));
	out[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}

/* What stands behind a backslash, up to 4 bytes; 0: nothing Go knows. */
static size_t take_escape(const char **at, char *out)
{
	static const char names[] = "abfnrtv\\\"", values[] = "\a\b\f\n\r\t\v\\\"";
	const char *known = **at ? strchr(names, **at) : NULL;
	char kind = **at;
	long value;

	if (known) {
		*out = values[known - names];
		(*at)++;
		return 1;
	}
	if (kind >= '0' && kind <= '7') {
		value = take_digits(at, 3, 8);
		*out = (char)value;
		return value >= 0 && value < 256;
	}
	if (kind != 'x' && kind != 'u' && kind != 'U')
		return 0;
	(*at)++;
	value = take_digits(at, kind == 'x' ? 2 : kind == 'u' ? 4 : 8, 16);
	if (value < 0 || value > 0x10ffff || (kind != 'x' && value >= 0xd800 && value < 0xe000))
		return 0;
	if (kind == 'x') {
		*out = (char)value;
		return 1;
	}
	return put_utf8(out, (unsigned long)value);
}

size_t kv_unquote(struct ctl *ctl, const char *text, struct once_bytes *ret)
{
	/* no escape is longer than what it stands for */
	char *out = arena_alloc(&ctl->arena, strlen(text) + 4);
	const char *at = text + 1;
	size_t n = 0, step;

	if (!out || (*text != '"' && *text != '`'))
		return 0;
	while (*at && *at != *text) {
		if (*at == '\\' && *text == '"') {
			at++;
			step = take_escape(&at, out + n);
			if (step == 0)
				return 0;
			n += step;
		} else {
			out[n++] = *at++;
		}
	}
	if (!*at)
		return 0;
	*ret = (struct once_bytes){out, n};
	return (size_t)(at + 1 - text);
}

static bool is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r' && c != '\v');
}

/* The size of the next word at text; *ret_skip: what lies before it. 0: there is none. Quotes that
 * do not close are skipped, and a word may end in a quote but not begin with one. */
static size_t next_word(const char *text, size_t *ret_skip)
{
	const char *at = text, *end;

	for (;; at++) {
		*ret_skip = (size_t)(at - text);
		if (!*at)
			return 0;
		if (is_blank(*at))
			continue;
		if (*at == '\'') {
			end = strchr(at + 1, '\'');
			if (end)
				return (size_t)(end + 1 - at);
			continue;
		}
		if (*at == '"') {
			for (end = at + 1; *end && *end != '"'; end++)
				if (*end == '\\' && end[1])
					end++;
			if (*end)
				return (size_t)(end + 1 - at);
			continue;
		}
		for (end = at; *end && !is_blank(*end);)
			end++;
		return (size_t)(end - at);
	}
}

static char *take_word(struct ctl *ctl, const char *at, size_t size)
{
	struct once_bytes bytes;

	if (*at == '\'')
		return arena_copy(&ctl->arena, at + 1, size - 2);
	if (*at != '"')
		return arena_copy(&ctl->arena, at, size);
	if (kv_unquote(ctl, at, &bytes) == 0 || memchr(bytes.data, '\0', bytes.size))
		return NULL;
	return arena_copy(&ctl->arena, bytes.data, bytes.size);
}

int kv_split(struct ctl *ctl, const char *line, char ***ret_words, int *ret_n)
{
	char **words = arena_array(&ctl->arena, strlen(line) / 2 + 2, sizeof(*words));
	size_t skip, size;
	int n = 0;

	if (!words)
		return -ENOMEM;
	while ((size = next_word(line, &skip)) > 0) {
		words[n] = take_word(ctl, line + skip, size);
		if (!words[n++])
			return -EINVAL;
		line += skip + size;
	}
	*ret_words = words;
	*ret_n = n;
	return 0;
}

/* NULL: no flag of it. *ret_value: what stands behind "=", or NULL. */
static const struct ctl_flag *find_flag(
	const struct ctl_command *command, const char *word, const char **ret_value)
{
	size_t n = strcspn(word, "=");

	*ret_value = word[n] ? word + n + 1 : NULL;
	for (const struct ctl_flag *flag = command->flags; flag && flag->name; flag++)
		if (strlen(flag->name) == n && strncmp(flag->name, word, n) == 0)
			return flag;
	return NULL;
}

/* As Go's flag library says it. */
static const char *refuse(struct ctl *ctl, const char *word, bool known)
{
	const char *why;

	if (known)
		why = ctl_printf(ctl, "flag needs an argument: %s", word);
	else if (word[1] == '-')
		why = ctl_printf(ctl, "unknown flag: %.*s", (int)strcspn(word, "="), word);
	else
		why = ctl_printf(ctl, "unknown shorthand flag: '%c' in %s", word[1], word);
	return why ? why : "out of memory";
}

/* *at: the index of a flag, then of its last word. NULL, or why not. */
static const char *take_flag(struct ctl *ctl, char **words, int n, int *at)
{
	const char *word = words[*at], *value;
	const struct ctl_flag *flag = find_flag(ctl->command, word, &value);
	size_t i = 0;

	if (!flag || ctl->n_given == CTL_FLAGS_MAX)
		return refuse(ctl, word, false);
	if (flag->argument && !value) {
		if (++*at == n)
			return refuse(ctl, word, true);
		value = words[*at];
	}
	if (!flag->argument)
		value = value && strcmp(value, "false") == 0 ? NULL : "yes";
	while (i < ctl->n_given && ctl->given[i].flag != flag)
		i++;
	ctl->n_given += i == ctl->n_given;
	ctl->given[i].flag = flag;
	ctl->given[i].value = value;
	return NULL;
}

const char *kv_take_line(struct ctl *ctl, const struct ctl_command *command, char **words, int n)
{
	const char *why = NULL;
	int i = 0;

	ctl->command = command;
	ctl->words = words;
	ctl->n_words = 0;
	ctl->n_given = 0;
	ctl->command_argv = NULL;
	for (; i < n && !why && strcmp(words[i], "--") != 0; i++) {
		if (words[i][0] == '-' && words[i][1])
			why = take_flag(ctl, words, n, &i);
		else
			words[ctl->n_words++] = words[i];
	}
	if (why || i >= n)
		return why;
	if (command->takes_command)
		ctl->command_argv = words + i + 1;
	else
		for (i++; i < n; i++)
			words[ctl->n_words++] = words[i];
	return NULL;
}
