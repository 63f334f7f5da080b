/* Answers questions about schedules, one per line, so that a test in another language can ask many.
 *
 * In:  ZONE<tab>AFTER<tab>UNTIL<tab>MAX<tab>EXPRESSION; times in seconds since 1970, UTC
 * Out: "ok COUNT T T T ...", the instants in (AFTER, UNTIL], at most MAX of them, and how many
 * there are in all; or "error COLUMN TEXT". Each answer is checked against the other functions
 * first: "broken ..." says which two do not agree. */
#include "base/zoneinfo.h"
#include "core/schedule.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct zone zone;
static char zone_name[ZONEINFO_NAME_MAX];

static const char *load_zone(const char *name)
{
	static unsigned char data[ZONEINFO_FILE_MAX];
	size_t size;

	if (strcmp(name, zone_name) == 0)
		return NULL;
	if (zoneinfo_read(NULL, name, data, &size) < 0)
		return "no such zone";
	(void)snprintf(zone_name, sizeof(zone_name), "%s", name);
	return zone_parse(&zone, data, size);
}

/* Next, previous, count and between are four ways to say the same. */
static const char *disagreement(const struct schedule *s, int64_t after_s, int64_t until_s,
	const int64_t *at_s, size_t n, uint64_t rest)
{
	int64_t t;

	if (schedule_count(s, &zone, after_s, until_s) != n + rest)
		return "count and between";
	for (size_t i = 0; i < n; i++) {
		int64_t before_s = i > 0 ? at_s[i - 1] : after_s;

		if (at_s[i] <= before_s || at_s[i] > until_s)
			return "order";
		if (!schedule_previous(s, &zone, at_s[i], &t) || t != at_s[i])
			return "previous at an instant and next";
		if (schedule_previous(s, &zone, at_s[i] - 1, &t) && i > 0 && t != before_s)
			return "previous before an instant and next";
		if (!schedule_next(s, &zone, at_s[i] - 1, &t) || t != at_s[i])
			return "next from just before and next";
		if (i > 0 && schedule_count(s, &zone, before_s, at_s[i]) != 1)
			return "count of one and next";
	}
	if (rest == 0 && schedule_previous(s, &zone, until_s, &t) && t > after_s &&
		(n == 0 || t != at_s[n - 1]))
		return "previous from the end and next";
	return NULL;
}

static void answer(
	const char *expression, int64_t after_s, int64_t until_s, size_t max, int64_t *at_s)
{
	struct schedule_error error;
	struct schedule s;
	const char *wrong;
	uint64_t rest;
	size_t n;

	if (schedule_parse(&s, expression, strlen(expression), &error)) {
		printf("error %zu %s\n", error.column, error.text);
		return;
	}
	if (s.zone[0] && (wrong = load_zone(s.zone))) {
		printf("error 1 %s\n", wrong);
		return;
	}
	n = schedule_between(&s, &zone, after_s, until_s, at_s, max, &rest);
	wrong = disagreement(&s, after_s, until_s, at_s, n, rest);
	if (wrong) {
		printf("broken %s\n", wrong);
		return;
	}
	printf("ok %" PRIu64, (uint64_t)n + rest);
	for (size_t i = 0; i < n; i++)
		printf(" %" PRId64, at_s[i]);
	printf("\n");
}

int main(void)
{
	enum { MAX = 1 << 20 };
	int64_t *at_s = malloc(MAX * sizeof(*at_s));
	char line[1024];

	while (at_s && fgets(line, sizeof(line), stdin)) {
		char name[64];
		int64_t after_s, until_s;
		const char *wrong;
		size_t max;
		int used = 0;

		line[strcspn(line, "\n")] = '\0';
		if (sscanf(line, "%63[^\t]\t%" SCNd64 "\t%" SCNd64 "\t%zu\t%n", name, &after_s,
			    &until_s, &max, &used) < 4 ||
			used == 0 || max > MAX) {
			fprintf(stderr, "not a question: %s\n", line);
			free(at_s);
			return 2;
		}
		wrong = load_zone(name);
		if (wrong)
			printf("error 1 %s\n", wrong);
		else
			answer(line + used, after_s, until_s, max, at_s);
	}
	free(at_s);
	return 0;
}
