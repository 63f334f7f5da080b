/* Keys of once/names.h: one table for writing and reading them. */
#include <once/names.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum part { NONE, NAME, ID, MOMENT };

struct form {
	const char *head; /* between the prefix and the name */
	enum part name;
	const char *mid; /* between name and sub */
	enum part sub;
	const char *end; /* behind it */
};

static const struct form forms[] = {
	[ONCE_KEY_RUN] = {"/run/", NAME, "/", MOMENT, ""},
	[ONCE_KEY_ONCE] = {"/once/", ID, "", NONE, ""},
	[ONCE_KEY_STEP] = {"/step/", ID, "/", ID, ""},
	[ONCE_KEY_FLOW] = {"/flow/", ID, "", NONE, ""},
	[ONCE_KEY_IDS] = {"/ids/", ID, "", NONE, ""},
	[ONCE_KEY_CURSOR] = {"/job/", NAME, "", NONE, "/next"},
	[ONCE_KEY_JOB_PAUSE] = {"/job/", NAME, "", NONE, "/pause"},
	[ONCE_KEY_PAUSE] = {"/pause", NONE, "", NONE, ""},
	[ONCE_KEY_TRIGGER] = {"/trigger/", NAME, "/", ID, ""},
	[ONCE_KEY_KILL] = {"/kill/", NAME, "/", MOMENT, ""},
	[ONCE_KEY_HANDOVER] = {"/g/", NAME, "", NONE, "/handover"},
	[ONCE_KEY_UNDO] = {"/undo/", ID, "/", ID, ""},
	[ONCE_KEY_AWAY] = {"/g/", NAME, "/away/", NAME, ""},
};
enum { FORMS = sizeof(forms) / sizeof(forms[0]) };

static bool part_valid(enum part part, const char *text)
{
	int64_t ms;

	switch (part) {
	case NONE:
		return true;
	case NAME:
		return once_name_valid(text);
	case ID:
		return once_id_valid(text);
	case MOMENT:
		return once_utc_parse(&ms, text, strlen(text)) == 0;
	}
	return false;
}

int once_key_make(char out[ONCE_KEY_SIZE], const char *prefix, enum once_key_kind kind,
	const char *name, const char *sub, int64_t at_ms)
{
	const struct form *form;
	char moment[ONCE_UTC_SIZE];
	int n;

	if ((unsigned)kind >= FORMS || !once_prefix_valid(prefix))
		return -EINVAL;
	form = &forms[kind];
	if (form->sub == MOMENT)
		sub = once_utc_format(moment, at_ms);
	if (!part_valid(form->name, name) || !part_valid(form->sub, sub))
		return -EINVAL;
	n = snprintf(out, ONCE_KEY_SIZE, "%s%s%s%s%s%s", prefix, form->head,
		form->name == NONE ? "" : name, form->mid, form->sub == NONE ? "" : sub, form->end);
	return n < 0 || n >= ONCE_KEY_SIZE ? -EINVAL : 0;
}

int once_key_format(char out[ONCE_KEY_SIZE], const char *prefix, const struct once_key *key)
{
	return once_key_make(out, prefix, key->kind, key->name, key->sub, key->at_ms);
}

/* Moves *at behind text if it begins so. */
static bool skip(const char **at, const char *text)
{
	size_t n = strlen(text);

	if (strncmp(*at, text, n) != 0)
		return false;
	*at += n;
	return true;
}

/* Up to the next slash. */
static bool take(const char **at, enum part part, char out[ONCE_ID_MAX + 1])
{
	size_t n = part == NONE ? 0 : strcspn(*at, "/");

	if (n > ONCE_ID_MAX)
		return false;
	memcpy(out, *at, n);
	out[n] = '\0';
	*at += n;
	return part_valid(part, out);
}

static bool parse_as(struct once_key *ret, const struct form *form, const char *at)
{
	if (!skip(&at, form->head) || !take(&at, form->name, ret->name))
		return false;
	if (!skip(&at, form->mid) || !take(&at, form->sub, ret->sub))
		return false;
	if (form->sub == MOMENT) {
		(void)once_utc_parse(&ret->at_ms, ret->sub, strlen(ret->sub));
		memset(ret->sub, 0, sizeof(ret->sub));
	}
	return strcmp(at, form->end) == 0;
}

int once_key_parse(struct once_key *ret, const char *prefix, struct once_bytes key)
{
	char text[ONCE_KEY_SIZE];
	const char *at = text;

	if (key.size >= sizeof(text) || !once_prefix_valid(prefix))
		return -EINVAL;
	if (key.size == 0 || memchr(key.data, '\0', key.size))
		return -EINVAL;
	memcpy(text, key.data, key.size);
	text[key.size] = '\0';
	if (!skip(&at, prefix))
		return -EINVAL;
	for (int i = 0; i < FORMS; i++) {
		struct once_key parsed = {.kind = (enum once_key_kind)i};

		if (parse_as(&parsed, &forms[i], at)) {
			*ret = parsed;
			return 0;
		}
	}
	return -EINVAL;
}

int once_key_prefix(
	char out[ONCE_KEY_SIZE], const char *prefix, enum once_key_kind kind, const char *name)
{
	const struct form *form;

	if ((unsigned)kind >= FORMS || !once_prefix_valid(prefix))
		return -EINVAL;
	form = &forms[kind];
	if (form->name == NONE)
		return -EINVAL;
	if (name && (form->sub == NONE || !part_valid(form->name, name)))
		return -EINVAL;
	(void)snprintf(out, ONCE_KEY_SIZE, "%s%s%s%s", prefix, form->head, name ? name : "",
		name ? form->mid : "");
	return 0;
}
