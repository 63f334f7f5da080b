/* The types of single values. Each parse function leaves *field alone when it refuses. */
#include "daemon/config-internal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <once/names.h>
#include "base/duration.h"
#include "base/escape.h"
#include "base/number.h"
#include "daemon/listen.h"
#include "daemon/unit.h"

const char *config_quote(char out[CONFIG_QUOTE_MAX], const char *text)
{
	size_t n = escape_line(out + 1, CONFIG_QUOTE_MAX - 2, text, strlen(text));

	out[0] = '"';
	out[n + 1] = '"';
	out[n + 2] = '\0';
	return out;
}

int config_refuse(char *why, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)vsnprintf(why, CONFIG_WHY_MAX, format, args);
	va_end(args);
	return -EINVAL;
}

int config_set_string(char **field, const char *text)
{
	char *copy = strdup(text);

	if (!copy)
		return -ENOMEM;
	free(*field);
	*field = copy;
	return 0;
}

static void print_string(FILE *out, const void *field)
{
	const char *text = *(char *const *)field;

	fputs(text ? text : "", out);
}

/* ---- texts ----------------------------------------------------------------------------------- */

static int parse_text(const struct config_key *key, void *field, const char *text, char *why)
{
	if (strlen(text) > (size_t)key->max)
		return config_refuse(why, "%zu bytes long, expected at most %lld", strlen(text),
			(long long)key->max);
	return config_set_string(field, text);
}
const struct config_type config_type_text = {parse_text, print_string, false};

static int parse_raw(const struct config_key *key, void *field, const char *text, char *why)
{
	return config_set_string(field, text);
}
const struct config_type config_type_raw = {parse_raw, print_string, false};

bool config_name_valid(const char *name)
{
	return once_name_valid(name);
}

static int parse_name(const struct config_key *key, void *field, const char *text, char *why)
{
	char quote[CONFIG_QUOTE_MAX];

	if (!config_name_valid(text))
		return config_refuse(why,
			"bad name %s, expected 1 to %d of a-z 0-9 . _ - beginning with a letter or "
			"digit",
			config_quote(quote, text), CONFIG_NAME_MAX);
	return config_set_string(field, text);
}
const struct config_type config_type_name = {parse_name, print_string, false};

/* As <once/names.h> has it. */
static int parse_id(const struct config_key *key, void *field, const char *text, char *why)
{
	static const char letters[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._:@+=,-";
	char quote[CONFIG_QUOTE_MAX];
	size_t n = strlen(text);

	if (n > CONFIG_ID_MAX || strchr("._:@+=,-", text[0]) || strspn(text, letters) != n)
		return config_refuse(why,
			"bad id %s, expected 1 to %d of A-Z a-z 0-9 . _ : @ + = , - beginning with a "
			"letter or digit",
			config_quote(quote, text), CONFIG_ID_MAX);
	return config_set_string(field, text);
}
const struct config_type config_type_id = {parse_id, print_string, false};

static int parse_unit(const struct config_key *key, void *field, const char *text, char *why)
{
	char quote[CONFIG_QUOTE_MAX];

	if (!unit_name_valid(text))
		return config_refuse(why, "bad unit %s, expected NAME.service of at most %d letters, digits, : _ . \\ - @",
			config_quote(quote, text), UNIT_NAME_LIMIT);
	return config_set_string(field, text);
}
const struct config_type config_type_unit = {parse_unit, print_string, false};

static int parse_path(const struct config_key *key, void *field, const char *text, char *why)
{
	size_t max = key->max > 0 ? (size_t)key->max : 4095;
	char quote[CONFIG_QUOTE_MAX];

	if (text[0] != '/')
		return config_refuse(why, "%s is not an absolute path", config_quote(quote, text));
	if (strlen(text) > max)
		return config_refuse(
			why, "a path of %zu bytes, expected at most %zu", strlen(text), max);
	return config_set_string(field, text);
}
const struct config_type config_type_path = {parse_path, print_string, true};

static int parse_etcd_key(const struct config_key *key, void *field, const char *text, char *why)
{
	char quote[CONFIG_QUOTE_MAX];
	size_t n = strlen(text);

	if (text[0] != '/' || n < 2 || text[n - 1] == '/' || strstr(text, "//") ||
		strpbrk(text, " \t"))
		return config_refuse(why,
			"bad etcd key %s, expected one that begins with / and has no blank, no // "
			"and "
			"no / at the end",
			config_quote(quote, text));
	if (n > CONFIG_KEY_MAX)
		return config_refuse(
			why, "a key of %zu bytes, expected at most %d", n, CONFIG_KEY_MAX);
	return config_set_string(field, text);
}
const struct config_type config_type_etcd_key = {parse_etcd_key, print_string, false};

/* Never quotes the value: people write NAME:PASSWORD here. */
static int parse_user(const struct config_key *key, void *field, const char *text, char *why)
{
	if (strchr(text, ':'))
		return config_refuse(why,
			"a password does not belong here (the value is not shown), "
			"expected the user's name only, and the password in "
			"PasswordFile= or --password-file");
	if (strlen(text) > 255)
		return config_refuse(why, "a user's name of more than 255 bytes");
	return config_set_string(field, text);
}
const struct config_type config_type_user = {parse_user, print_string, false};

static int parse_listen(const struct config_key *key, void *field, const char *text, char *why)
{
	char quote[CONFIG_QUOTE_MAX], problem[256];
	struct listen_address address;

	if (listen_parse(&address, text, problem, sizeof(problem)) < 0)
		return config_refuse(why, "bad address %s: %s", config_quote(quote, text), problem);
	return config_set_string(field, text);
}
const struct config_type config_type_listen = {parse_listen, print_string, false};

/* ---- numbers --------------------------------------------------------------------------------- */

static int parse_bool(const struct config_key *key, void *field, const char *text, char *why)
{
	static const char *const words[][2] = {
		{"no", "yes"}, {"false", "true"}, {"off", "on"}, {"0", "1"}};
	char quote[CONFIG_QUOTE_MAX];

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		for (int value = 0; value < 2; value++) {
			if (strcasecmp(text, words[i][value]) == 0) {
				*(bool *)field = value;
				return 0;
			}
		}
	}
	return config_refuse(why, "%s is neither yes nor no", config_quote(quote, text));
}

static void print_bool(FILE *out, const void *field)
{
	fputs(*(const bool *)field ? "yes" : "no", out);
}
const struct config_type config_type_bool = {parse_bool, print_bool, false};

static int parse_duration(const struct config_key *key, void *field, const char *text, char *why)
{
	char quote[CONFIG_QUOTE_MAX], min[DURATION_TEXT_MAX], max[DURATION_TEXT_MAX];
	const char *reason = "";
	int64_t ns;

	if (duration_parse(text, strlen(text), &ns, &reason) < 0)
		return config_refuse(why, "bad duration %s: %s, expected for instance 900ms or 2s",
			config_quote(quote, text), reason);
	if (ns < key->min || ns > key->max)
		return config_refuse(why, "%s is out of range, expected %s to %s",
			config_quote(quote, text), duration_format(min, key->min),
			duration_format(max, key->max));
	*(int64_t *)field = ns;
	return 0;
}

static void print_duration(FILE *out, const void *field)
{
	char text[DURATION_TEXT_MAX];

	fputs(duration_format(text, *(const int64_t *)field), out);
}
const struct config_type config_type_duration = {parse_duration, print_duration, false};

/* Whole seconds with or without the unit: etcdctl's --ttl has none. */
static int parse_seconds(const struct config_key *key, void *field, const char *text, char *why)
{
	char quote[CONFIG_QUOTE_MAX];
	const char *reason = "not a number of seconds";
	int64_t seconds, ns;

	if (number_parse_i64(text, strlen(text), &seconds) < 0) {
		if (duration_parse(text, strlen(text), &ns, &reason) < 0)
			return config_refuse(why, "bad duration %s: %s, expected for instance 10s",
				config_quote(quote, text), reason);
		if (ns % ONCE_NSEC_PER_SEC)
			return config_refuse(why,
				"%s is not in whole seconds, which etcd's leases "
				"are",
				config_quote(quote, text));
		seconds = ns / ONCE_NSEC_PER_SEC;
	}
	if (seconds < key->min || seconds > key->max)
		return config_refuse(why, "%s is out of range, expected %llds to %llds",
			config_quote(quote, text), (long long)key->min, (long long)key->max);
	*(int64_t *)field = seconds;
	return 0;
}

static void print_seconds(FILE *out, const void *field)
{
	fprintf(out, "%llds", (long long)*(const int64_t *)field);
}
const struct config_type config_type_seconds = {parse_seconds, print_seconds, false};

static int parse_percent(const struct config_key *key, void *field, const char *text, char *why)
{
	char quote[CONFIG_QUOTE_MAX];
	size_t n = strlen(text), digits;
	int64_t ppm;

	digits = n > 0 && text[n - 1] == '%' ? n - 1 : 0;
	while (digits > 0 && text[digits - 1] == ' ')
		digits--;
	if (number_parse_i64(text, digits, &ppm) < 0 || ppm > 1000 || ppm * 10000 < key->min ||
		ppm * 10000 > key->max)
		return config_refuse(why,
			"bad share %s, expected a whole percentage from %lld%% to "
			"%lld%%",
			config_quote(quote, text), (long long)key->min / 10000,
			(long long)key->max / 10000);
	*(int32_t *)field = (int32_t)(ppm * 10000);
	return 0;
}

static void print_percent(FILE *out, const void *field)
{
	fprintf(out, "%d%%", *(const int32_t *)field / 10000);
}
const struct config_type config_type_percent = {parse_percent, print_percent, false};

/* ---- counts ---------------------------------------------------------------------------------- */

static int parse_count(const struct config_key *key, void *field, const char *text, char *why)
{
	char quote[CONFIG_QUOTE_MAX];
	int64_t value;

	if (number_parse_i64(text, strlen(text), &value) < 0 || value < key->min || value > key->max)
		return config_refuse(why, "bad number %s, expected one from %lld to %lld",
			config_quote(quote, text), (long long)key->min, (long long)key->max);
	*(int64_t *)field = value;
	return 0;
}

static void print_count(FILE *out, const void *field)
{
	fprintf(out, "%lld", (long long)*(const int64_t *)field);
}
const struct config_type config_type_count = {parse_count, print_count, false};

/* With or without K for 1024. */
static int parse_bytes(const struct config_key *key, void *field, const char *text, char *why)
{
	size_t n = strlen(text);
	int64_t unit = n > 0 && text[n - 1] == 'K' ? 1024 : 1, value;
	char quote[CONFIG_QUOTE_MAX];

	if (number_parse_i64(text, unit > 1 ? n - 1 : n, &value) < 0 || value < 0 ||
		value > key->max / unit || value * unit < key->min)
		return config_refuse(why, "bad size %s, expected bytes from %lld to %lld, or 4K",
			config_quote(quote, text), (long long)key->min, (long long)key->max);
	*(int64_t *)field = value * unit;
	return 0;
}
const struct config_type config_type_bytes = {parse_bytes, print_count, false};
