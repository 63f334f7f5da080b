/* The types that hold lists: endpoints, environment, steps, exit codes. A key said again adds to the list. */
#include "daemon/config-internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "daemon/words.h"

static size_t count(char *const *list)
{
	size_t n = 0;

	while (list && list[n])
		n++;
	return n;
}

int config_append(char ***list, char *text)
{
	size_t n = count(*list);
	char **grown = text ? reallocarray(*list, n + 2, sizeof(*grown)) : NULL;

	if (!grown) {
		free(text);
		return -ENOMEM;
	}
	grown[n] = text;
	grown[n + 1] = NULL;
	*list = grown;
	return 0;
}

static void print_words(FILE *out, const void *field)
{
	char *const *words = *(char *const *const *)field;

	if (words)
		words_print(out, words);
}

/* ---- endpoints ------------------------------------------------------------------------------- */

static bool host_valid(const char *host, size_t size)
{
	char text[256];
	struct in6_addr address;

	if (size == 0 || size >= sizeof(text))
		return false;
	memcpy(text, host, size);
	text[size] = '\0';
	if (text[0] != '[')
		return strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789.-_") == size;
	if (text[size - 1] != ']')
		return false;
	text[size - 1] = '\0';
	return inet_pton(AF_INET6, text + 1, &address) == 1;
}

/* What is wrong with it, or NULL. *ret_size: without the slash that may end a URL. */
static const char *endpoint_problem(const char *text, size_t *ret_size)
{
	const char *scheme = strstr(text, "://"), *host = text, *colon;
	size_t n = strlen(text);
	int64_t port;

	if (scheme) {
		host = scheme + 3;
		if (strncmp(text, "https://", 8) != 0 && strncmp(text, "http://", 7) != 0)
			return "is neither https:// nor http://";
		if (n > 0 && text[n - 1] == '/' && text + n > host)
			n--;
	}
	colon = memrchr(host, ':', n - (size_t)(host - text));
	if (!colon || (memchr(host, ']', n - (size_t)(host - text)) > (const void *)colon))
		return "has no port";
	if (number_parse_i64(colon + 1, n - (size_t)(colon + 1 - text), &port) < 0 || port < 1 ||
		port > 65535)
		return "has no port between 1 and 65535";
	if (!host_valid(host, (size_t)(colon - host)))
		return "has no valid host";
	*ret_size = n;
	return NULL;
}

static int add_endpoint(char ***list, const char *text, char *why)
{
	char quote[CONFIG_QUOTE_MAX];
	size_t n = 0;
	const char *problem = endpoint_problem(text, &n);

	if (problem)
		return config_refuse(why, "%s %s, expected https://host:port",
			config_quote(quote, text), problem);
	if (count(*list) == CONFIG_ENDPOINTS_MAX)
		return config_refuse(why, "more than %d endpoints", CONFIG_ENDPOINTS_MAX);
	return config_append(list, strndup(text, n));
}

static int parse_endpoints(const struct config_key *key, void *field, const char *text, char *why)
{
	static const char separators[] = ", \t";
	const char *at = text + strspn(text, separators);
	int r = 0;

	/* Before it is split: a password may hold a separator, and must not be quoted in part. */
	if (strchr(text, '@'))
		return config_refuse(why, "an endpoint holds a user or password (the value is not "
					  "shown), expected https://host:port, and User=");
	if (*at == '\0')
		return config_refuse(why, "no endpoint in it, expected https://host:port");
	while (*at != '\0' && r == 0) {
		size_t n = strcspn(at, separators);
		char *one = strndup(at, n);

		r = one ? add_endpoint(field, one, why) : -ENOMEM;
		free(one);
		at += n;
		at += strspn(at, separators);
	}
	return r;
}
const struct config_type config_type_endpoints = {parse_endpoints, print_words, false};

/* ---- environment ----------------------------------------------------------------------------- */

static bool variable_valid(const char *text, size_t size)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_";

	for (size_t i = 0; i < size; i++)
		if (!strchr(letters, text[i]) && (i == 0 || text[i] < '0' || text[i] > '9'))
			return false;
	return size > 0;
}

static bool is_ours(const char *text, size_t size)
{
	return (size >= 6 && memcmp(text, "ONCED_", 6) == 0) ||
	       (size >= 10 && memcmp(text, "ETCD_LOCK_", 10) == 0);
}

/* The variable's text: NAME=value as it is, NAME with our own value. NULL in *ret: not set. */
static int resolve(const char *word, size_t name_size, char **ret)
{
	const char *value = word[name_size] == '=' ? NULL : getenv(word);

	*ret = NULL;
	if (word[name_size] == '=')
		*ret = strdup(word);
	else if (!value)
		return 0;
	else if (asprintf(ret, "%s=%s", word, value) < 0)
		*ret = NULL;
	return *ret ? 0 : -ENOMEM;
}

static int add_variable(char ***list, const char *word, char *why)
{
	size_t name_size = strcspn(word, "="), i = 0;
	char quote[CONFIG_QUOTE_MAX], *text;
	int r;

	if (!variable_valid(word, name_size))
		return config_refuse(why, "bad variable %s, expected NAME=value or NAME",
			config_quote(quote, word));
	if (is_ours(word, name_size))
		return config_refuse(why, "%s is set by onced itself", config_quote(quote, word));
	r = resolve(word, name_size, &text);
	if (r < 0 || !text)
		return r;
	for (; *list && (*list)[i]; i++) {
		if (strncmp((*list)[i], word, name_size) == 0 && (*list)[i][name_size] == '=') {
			free((*list)[i]);
			(*list)[i] = text;
			return 0;
		}
	}
	if (i == WORDS_MAX) {
		free(text);
		return config_refuse(why, "more than %d variables", WORDS_MAX);
	}
	return config_append(list, text);
}

static int parse_environment(const struct config_key *key, void *field, const char *text, char *why)
{
	const char *reason = NULL;
	char **words;
	size_t n;
	int r = words_split(text, &words, &n, &reason);

	if (r == -ENOMEM)
		return r;
	if (r < 0)
		return config_refuse(
			why, "%s, expected NAME=value, quoted as \"NAME=a value\"", reason);
	for (size_t i = 0; i < n && r == 0; i++)
		r = add_variable(field, words[i], why);
	words_free(words);
	return r;
}
/* Not printed: values are where people keep passwords. */
const struct config_type config_type_environment = {parse_environment, NULL, false};

/* ---- steps ----------------------------------------------------------------------------------- */

/* Kept as "name:command"; config-work.c takes the command apart, when Shell= is known. */
static int parse_steps(const struct config_key *key, void *field, const char *text, char *why)
{
	char name[CONFIG_NAME_MAX + 2], quote[CONFIG_QUOTE_MAX], *step;
	char ***list = field;
	size_t n = strcspn(text, ":"), size = n;

	while (size > 0 && (text[size - 1] == ' ' || text[size - 1] == '\t'))
		size--;
	(void)snprintf(name, sizeof(name), "%.*s", (int)size, text);
	if (text[n] == '\0' || !config_name_valid(name))
		return config_refuse(why, "bad step %s, expected name: command", config_quote(quote, text));
	text += n + 1;
	text += strspn(text, " \t");
	if (*text == '\0')
		return config_refuse(why, "the step %s has no command, expected name: command", name);
	for (char **other = *list; other && *other; other++)
		if (strncmp(*other, name, size) == 0 && (*other)[size] == ':')
			return config_refuse(why, "a second step %s, expected each name once", name);
	if (count(*list) == CONFIG_STEPS_MAX)
		return config_refuse(why, "more than %d steps", CONFIG_STEPS_MAX);
	return config_append(list, asprintf(&step, "%s:%s", name, text) < 0 ? NULL : step);
}
const struct config_type config_type_steps = {parse_steps, NULL, false};

/* ---- exit codes ------------------------------------------------------------------------------ */

static int add_code(struct policy_retry *retry, const char *word, char *why)
{
	char quote[CONFIG_QUOTE_MAX];
	int64_t code;

	if (strcmp(word, "timeout") == 0) {
		retry->on_timeout = true;
		return 0;
	}
	if (number_parse_i64(word, strlen(word), &code) < 0 || code < 1 || code > POLICY_CODE_MAX)
		return config_refuse(why, "bad exit code %s, expected 1 to %d, or timeout",
			config_quote(quote, word), POLICY_CODE_MAX);
	policy_retry_add(retry, (int)code);
	return 0;
}

static int parse_retry_on(const struct config_key *key, void *field, const char *text, char *why)
{
	struct policy_retry *retry = field, said = {0};
	const char *reason = NULL;
	char **words;
	size_t n;
	int r = words_split(text, &words, &n, &reason);

	if (r < 0)
		return r == -ENOMEM ? r : config_refuse(why, "%s, expected exit codes", reason);
	for (size_t i = 0; i < n && r == 0; i++)
		r = add_code(&said, words[i], why);
	words_free(words);
	if (r == 0) {
		memcpy(retry->on, said.on, sizeof(retry->on));
		retry->on_timeout = said.on_timeout;
	}
	return r;
}

static void print_retry_on(FILE *out, const void *field)
{
	const struct policy_retry *retry = field;
	struct policy_retry usual = *retry;

	policy_retry_default(&usual);
	if (memcmp(retry->on, usual.on, sizeof(usual.on)) == 0 && retry->on_timeout)
		return; /* an empty value is the default */
	fputs(retry->on_timeout ? "timeout" : "", out);
	for (int code = 1; code <= POLICY_CODE_MAX; code++)
		if (policy_retry_has(retry, code))
			fprintf(out, " %d", code);
}
const struct config_type config_type_retry_on = {parse_retry_on, print_retry_on, false};
