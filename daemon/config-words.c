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

static int parse_word(const struct word *words, const char *what, const char *expected,
	const char *text, int *ret, char *why)
{
	const struct word *word = find_text(words, text);
	char quote[CONFIG_QUOTE_MAX];

	*ret = 0;
	if (!word)
		return config_refuse(why, "unknown %s %s, expected %s", what,
			config_quote(quote, text), expected);
	*ret = word->value;
	return 0;
}

static const struct word job_type_words[] = {{"service", CONFIG_JOB_SERVICE},
	{"cron", CONFIG_JOB_CRON}, {"once", CONFIG_JOB_ONCE}, {"steps", CONFIG_JOB_STEPS},
	{"migrate", CONFIG_JOB_MIGRATE}, {NULL, 0}};

static int parse_job_type(const struct config_key *key, void *field, const char *text, char *why)
{
	int value, r = parse_word(job_type_words, "type",
			   "service, cron, once, steps or migrate", text, &value, why);

	if (r == 0)
		*(enum config_job_type *)field = (enum config_job_type)value;
	return r;
}

static void print_job_type(FILE *out, const void *field)
{
	fputs(config_job_type_name(*(const enum config_job_type *)field), out);
}
const struct config_type config_type_job_type = {parse_job_type, print_job_type, false};

const char *config_job_type_name(enum config_job_type type)
{
	return find_value(job_type_words, (int)type);
}

static const struct word overlap_words[] = {{"skip", POLICY_OVERLAP_SKIP},
	{"queue", POLICY_OVERLAP_QUEUE}, {"replace", POLICY_OVERLAP_REPLACE}, {NULL, 0}};

static int parse_overlap(const struct config_key *key, void *field, const char *text, char *why)
{
	int value, r = parse_word(overlap_words, "policy", "skip, queue or replace", text, &value, why);

	if (r == 0)
		*(enum policy_overlap *)field = (enum policy_overlap)value;
	return r;
}

static void print_overlap(FILE *out, const void *field)
{
	fputs(find_value(overlap_words, (int)*(const enum policy_overlap *)field), out);
}
const struct config_type config_type_overlap = {parse_overlap, print_overlap, false};

static const struct word missed_words[] = {{"skip", POLICY_MISSED_SKIP},
	{"latest", POLICY_MISSED_LATEST}, {"all", POLICY_MISSED_ALL}, {NULL, 0}};

static int parse_missed(const struct config_key *key, void *field, const char *text, char *why)
{
	int value, r = parse_word(missed_words, "policy", "skip, latest or all", text, &value, why);

	if (r == 0)
		*(enum policy_missed *)field = (enum policy_missed)value;
	return r;
}

static void print_missed(FILE *out, const void *field)
{
	fputs(find_value(missed_words, (int)*(const enum policy_missed *)field), out);
}
const struct config_type config_type_missed = {parse_missed, print_missed, false};

static const struct word interrupt_words[] = {{"skip", POLICY_INTERRUPT_SKIP},
	{"rerun", POLICY_INTERRUPT_RERUN}, {"probe", POLICY_INTERRUPT_PROBE},
	{"hold", POLICY_INTERRUPT_HOLD}, {NULL, 0}};

static int parse_interrupt(const struct config_key *key, void *field, const char *text, char *why)
{
	int value, r = parse_word(interrupt_words, "policy", "skip, rerun, probe or hold", text,
			   &value, why);

	if (r == 0)
		*(enum policy_interrupt *)field = (enum policy_interrupt)value;
	return r;
}

static void print_interrupt(FILE *out, const void *field)
{
	fputs(find_value(interrupt_words, (int)*(const enum policy_interrupt *)field), out);
}
const struct config_type config_type_interrupt = {parse_interrupt, print_interrupt, false};

static const struct word on_failure_words[] = {
	{"hold", CONFIG_FAILURE_HOLD}, {"undo", CONFIG_FAILURE_UNDO}, {NULL, 0}};

static int parse_on_failure(
	const struct config_key *key, void *field, const char *text, char *why)
{
	int value, r = parse_word(on_failure_words, "policy", "hold or undo", text, &value, why);

	if (r == 0)
		*(enum config_on_failure *)field = (enum config_on_failure)value;
	return r;
}

static void print_on_failure(FILE *out, const void *field)
{
	fputs(find_value(on_failure_words, (int)*(const enum config_on_failure *)field), out);
}
const struct config_type config_type_on_failure = {parse_on_failure, print_on_failure, false};

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
