/* The types whose values are words out of a list. */
#include "daemon/config-internal.h"

#include <string.h>

struct word {
	const char *text;
	int value;
};

static const struct word *find_text(const struct word *words, const char *text)
{
	for (; words->text; words++)
		if (strcmp(words->text, text) == 0)
			return words;
	return NULL;
}

static const char *find_value(const struct word *words, int value)
{
	while (words->text && words->value != value)
		words++;
	return words->text ? words->text : "?";
}

static const struct word level_words[] = {{"error", ONCE_LOG_ERR}, {"err", ONCE_LOG_ERR},
	{"warning", ONCE_LOG_WARNING}, {"info", ONCE_LOG_INFO}, {"debug", ONCE_LOG_DEBUG},
	{NULL, 0}};

static int parse_level(const struct config_key *key, void *field, const char *text, char *why)
{
	const struct word *word = find_text(level_words, text);
	char quote[CONFIG_QUOTE_MAX];

	if (!word)
		return config_refuse(why,
			"unknown level %s, expected error, warning, info or debug",
			config_quote(quote, text));
	*(enum once_log_level *)field = (enum once_log_level)word->value;
	return 0;
}

static void print_level(FILE *out, const void *field)
{
	fputs(find_value(level_words, (int)*(const enum once_log_level *)field), out);
}
const struct config_type config_type_level = {parse_level, print_level, false};

static const struct word restart_words[] = {{"always", CONFIG_RESTART_ALWAYS},
	{"on-failure", CONFIG_RESTART_ON_FAILURE}, {"no", CONFIG_RESTART_NO}, {NULL, 0}};

static int parse_restart(const struct config_key *key, void *field, const char *text, char *why)
{
	const struct word *word = find_text(restart_words, text);
	char quote[CONFIG_QUOTE_MAX];

	if (!word)
		return config_refuse(why, "unknown policy %s, expected always, on-failure or no",
			config_quote(quote, text));
	*(enum config_restart *)field = (enum config_restart)word->value;
	return 0;
}

static void print_restart(FILE *out, const void *field)
{
	fputs(find_value(restart_words, (int)*(const enum config_restart *)field), out);
}
const struct config_type config_type_restart = {parse_restart, print_restart, false};

static int parse_job_type(const struct config_key *key, void *field, const char *text, char *why)
{
	static const struct word later[] = {
		{"cron", 1}, {"once", 1}, {"steps", 1}, {"migrate", 1}, {NULL, 0}};
	char quote[CONFIG_QUOTE_MAX];

	if (find_text(later, text))
		return config_refuse(why, "Type=%s is not supported yet, expected service", text);
	if (strcmp(text, "service") != 0)
		return config_refuse(
			why, "unknown type %s, expected service", config_quote(quote, text));
	*(enum config_job_type *)field = CONFIG_JOB_SERVICE;
	return 0;
}

static void print_job_type(FILE *out, const void *field)
{
	fputs("service", out);
}
const struct config_type config_type_job_type = {parse_job_type, print_job_type, false};

static int parse_profile(const struct config_key *key, void *field, const char *text, char *why)
{
	char quote[CONFIG_QUOTE_MAX];
	struct once_timing timing;

	if (once_timing_profile(&timing, text) < 0)
		return config_refuse(why, "unknown profile %s, expected normal, fast or wan",
			config_quote(quote, text));
	(void)snprintf(field, sizeof(((struct config *)0)->profile), "%s", text);
	return 0;
}

static void print_profile(FILE *out, const void *field)
{
	fputs(field, out);
}
const struct config_type config_type_profile = {parse_profile, print_profile, false};
