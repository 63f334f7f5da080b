/* Schedules with their zones. See calendar.h. */
#include "daemon/calendar.h"

#include "base/zoneinfo.h"
#include "core/schedule.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct calendar {
	struct schedule schedule;
	struct zone zone;
};

int calendar_check(const char *text, char *why, size_t size)
{
	struct schedule schedule;
	struct schedule_error error;

	if (schedule_parse(&schedule, text, strlen(text), &error) != 0) {
		(void)snprintf(why, size, "%s (at character %zu)", error.text, error.column);
		return -EINVAL;
	}
	return schedule.zone[0] ? calendar_check_zone(schedule.zone, why, size) : 0;
}

/* 0, or -EINVAL with why. */
static int load_zone(struct zone *zone, const char *name, char *why, size_t size)
{
	size_t bytes = 0;
	const char *problem = NULL;
	void *file;
	int r;

	if (strcmp(name, "UTC") == 0) { /* also where there is no tzdata */
		zone_init_utc(zone);
		return 0;
	}
	file = malloc(ZONEINFO_FILE_MAX);
	if (!file)
		return -ENOMEM;
	r = zoneinfo_read(NULL, name, file, &bytes);
	if (r == 0)
		problem = zone_parse(zone, file, bytes);
	free(file);
	if (r < 0)
		(void)snprintf(why, size,
			"no time zone \"%s\" (%s), expected UTC or one like "
			"Europe/Berlin, and the package tzdata",
			r == -EINVAL ? "?" : name, r == -EINVAL ? "not a name" : strerror(-r));
	else if (problem)
		(void)snprintf(why, size, "bad time zone file of \"%s\": %s", name, problem);
	return r < 0 || problem ? -EINVAL : 0;
}

int calendar_check_zone(const char *name, char *why, size_t size)
{
	struct zone *zone = malloc(sizeof(*zone));
	int r;

	(void)snprintf(why, size, "out of memory");
	r = zone ? load_zone(zone, name, why, size) : -ENOMEM;
	free(zone);
	return r;
}

struct calendar *calendar_new(const char *text, const char *zone)
{
	struct calendar *calendar = calloc(1, sizeof(*calendar));
	struct schedule_error error;
	char why[256];

	if (!calendar)
		return NULL;
	if (schedule_parse(&calendar->schedule, text, strlen(text), &error) != 0 ||
		load_zone(&calendar->zone,
			calendar->schedule.zone[0] ? calendar->schedule.zone : zone, why,
			sizeof(why)) < 0)
		return calendar_free(calendar);
	return calendar;
}

struct calendar *calendar_free(struct calendar *calendar)
{
	free(calendar);
	return NULL;
}

static int64_t next(const void *data, int64_t after_s)
{
	const struct calendar *calendar = data;
	int64_t at_s;

	return schedule_next(&calendar->schedule, &calendar->zone, after_s, &at_s) ? at_s
										   : INT64_MAX;
}

static uint64_t count(const void *data, int64_t after_s, int64_t until_s)
{
	const struct calendar *calendar = data;

	return schedule_count(&calendar->schedule, &calendar->zone, after_s, until_s);
}

struct policy_schedule calendar_policy(const struct calendar *calendar)
{
	return (struct policy_schedule){next, count, calendar};
}
