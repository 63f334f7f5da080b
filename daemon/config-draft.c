/* The draft: what is wrong gets its one line, what is right its place. */
#include "daemon/config-internal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/escape.h"
#include "base/utf8.h"
#include "daemon/words.h"

void config_report(struct config_draft *draft, const struct config_origin *origin, const char *key,
	const char *format, ...)
{
	char why[CONFIG_WHY_MAX], file[CONFIG_QUOTE_MAX * 2], name[CONFIG_QUOTE_MAX];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(why, sizeof(why), format, args);
	va_end(args);
	draft->n_errors++;
	if (origin->flag) {
		fprintf(draft->errors, "%s: %s: %s\n", draft->program ? draft->program : "onced",
			origin->flag, why);
		return;
	}
	(void)escape_line(file, sizeof(file), origin->file, strlen(origin->file));
	fputs(file, draft->errors);
	if (origin->line > 0)
		fprintf(draft->errors, ":%d", origin->line);
	if (key) {
		(void)escape_line(name, sizeof(name), key, strlen(key));
		fprintf(draft->errors, ": %s", name);
	}
	fprintf(draft->errors, ": %s\n", why);
}

static bool printable(const char *text)
{
	if (!utf8_valid(text, strlen(text)))
		return false;
	for (; *text; text++)
		if (((unsigned char)*text < ' ' && *text != '\t') || *text == 0x7f)
			return false;
	return true;
}

/* Flags name files as the shell does, a file's relative paths are systemd credentials. NULL: it is
 * neither; *ret_copy is to be freed. */
static const char *complete_path(
	const struct config_origin *from, const char *text, char **ret_copy)
{
	const char *credentials = getenv("CREDENTIALS_DIRECTORY");
	char *base = NULL;

	*ret_copy = NULL;
	if (text[0] == '/')
		return text;
	if (from->flag)
		base = getcwd(NULL, 0);
	else if (credentials && !strchr(text, '/'))
		base = strdup(credentials);
	if (!base)
		return text;
	if (asprintf(ret_copy, "%s/%s", base, text) < 0)
		*ret_copy = NULL;
	free(base);
	return *ret_copy ? *ret_copy : text;
}

static int parse_value(const struct config_key *key, void *field, const struct config_origin *from,
	const char *value, char *why)
{
	char *completed = NULL;
	int r;

	if (!printable(value))
		return config_refuse(why, "holds control characters or bytes that are not UTF-8");
	/* It would go on in the next line when it is printed. */
	if (from->file && value[strlen(value) - 1] == '\\')
		return config_refuse(why, "ends with a backslash, expected another line after it");
	if (key->type->is_path)
		value = complete_path(from, value, &completed);
	r = key->type->parse(key, field, value, why);
	free(completed);
	return r;
}

void config_assign(struct config_draft *draft, const struct config_table *table, void *base,
	struct config_origin *origins, const struct config_key *key,
	const struct config_origin *from, const char *value)
{
	struct config_origin *origin = &origins[key - table->keys];
	void *field = (char *)base + key->offset;
	char why[CONFIG_WHY_MAX] = "";
	bool bad = origin->bad;
	int r;

	if (origin->said && !key->list) {
		config_report(draft, from, key->name, "said before in line %d, expected once",
			origin->line);
		return;
	}
	*origin = *from;
	origin->said = true;
	origin->bad = bad;
	if (*value == '\0' && from->flag) { /* "$UNSET" in a script, hardly ever meant */
		origin->bad = true;
		config_report(draft, from, key->name, "is empty, expected a value");
		return;
	}
	if (*value == '\0') { /* as if nothing had been said: the default */
		if (key->list)
			*(char ***)field = words_free(*(char ***)field);
		return;
	}
	origin->set = true;
	r = parse_value(key, field, from, value, why);
	if (r == 0)
		return;
	origin->bad = true;
	config_report(draft, from, key->name, "%s", r == -ENOMEM ? "out of memory" : why);
}

int config_apply_fallbacks(
	const struct config_table *table, void *base, const struct config_origin *origins)
{
	for (size_t i = 0; i < table->n_keys; i++) {
		const struct config_key *key = &table->keys[i];
		char why[CONFIG_WHY_MAX];

		if (key->fallback && (!origins[i].set || origins[i].bad)) {
			int r = key->type->parse(
				key, (char *)base + key->offset, key->fallback, why);
			if (r < 0)
				return r;
		}
	}
	return 0;
}
