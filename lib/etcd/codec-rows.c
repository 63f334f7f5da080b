/* One large array of an answer, an element at a time: a tree of a whole page would be several times
 * its text.
 *
 * Happy path: the document is checked as a whole; the array is found and cut out; what is left, with an
 * empty array in its place, becomes the tree; then each element becomes a tree of its own.
 *
 * Failures: as json_parse(). A name that is written with escapes is not found, and its array stays in
 * the tree: the caller reads both. The walk is for what json_check() let through, inside an object, so
 * there is always an end to find. */
#include "etcd/codec-json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static const char *skip_space(const char *at)
{
	while (is_space(*at))
		at++;
	return at;
}

/* Behind a string that begins here. */
static const char *skip_string(const char *at)
{
	for (at++; *at != '"'; at++)
		at += *at == '\\';
	return at + 1;
}

/* Behind a value that begins here. */
static const char *skip_value(const char *at)
{
	int depth = 0;

	if (*at != '"' && *at != '{' && *at != '[') {
		while (*at != ',' && *at != ']' && *at != '}' && !is_space(*at))
			at++;
		return at;
	}
	do {
		depth += (*at == '{' || *at == '[') - (*at == '}' || *at == ']');
		at = *at == '"' ? skip_string(at) : at + 1;
	} while (depth > 0);
	return at;
}

/* The value of the member, an array that is not empty; NULL: there is none. */
static const char *find_array(const char *at, const char *name)
{
	size_t n = strlen(name);

	for (at = skip_space(at + 1); *at == '"'; at = skip_space(at)) {
		const char *key = at + 1, *end = skip_string(at);
		bool found = (size_t)(end - at) == n + 2 && memcmp(key, name, n) == 0;

		at = skip_space(skip_space(end) + 1); /* behind the colon */
		if (found && *at == '[' && *skip_space(at + 1) != ']')
			return at;
		at = skip_space(skip_value(at));
		if (*at != ',')
			return NULL;
		at++;
	}
	return NULL;
}

static size_t count(struct json_rows rows)
{
	size_t n = 1;

	while ((rows.at = skip_space(skip_value(skip_space(rows.at)))) < rows.end) {
		rows.at++; /* the comma */
		n++;
	}
	return n;
}

/* The document with [] in the place of what lies between. */
static cJSON *parse_around(
	struct json *json, const char *data, size_t size, const char *begin, const char *end)
{
	size_t before = (size_t)(begin - data), after = size - (size_t)(end - data);
	char *text = malloc(before + 2 + after);
	cJSON *root;

	if (!text) {
		json_fail(json, -ENOMEM);
		return NULL;
	}
	memcpy(text, data, before);
	memcpy(text + before, "[]", 2);
	memcpy(text + before + 2, end, after);
	root = json_parse_checked(json, text, before + 2 + after);
	free(text);
	return root;
}

cJSON *json_parse_rows(
	struct json *json, const char *data, size_t size, const char *name, struct json_rows *ret)
{
	int r = json_check(data, size);
	const char *at = r == 0 ? skip_space(data) : NULL, *array, *end;

	*ret = (struct json_rows){0};
	if (r < 0) {
		json_fail(json, r);
		return NULL;
	}
	array = *at == '{' ? find_array(at, name) : NULL;
	if (!array)
		return json_parse_checked(json, data, size);
	end = skip_value(array);
	*ret = (struct json_rows){.at = array + 1, .end = end - 1};
	ret->n = count(*ret);
	return parse_around(json, data, size, array, end);
}

cJSON *json_next_row(struct json *json, struct json_rows *rows)
{
	const char *begin = skip_space(rows->at), *end = skip_value(begin);

	rows->at = skip_space(end);
	rows->at += rows->at < rows->end; /* the comma */
	rows->n--;
	return json_parse_checked(json, begin, (size_t)(end - begin));
}
