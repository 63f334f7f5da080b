/* A time zone file, however mad: refused, or segments that join, in which schedules agree. */
#include "fuzz.h"
#include "schedule-agree.h"

#include <string.h>

static struct schedule parsed(const char *text)
{
	struct schedule_error error;
	struct schedule s;

	require(schedule_parse(&s, text, strlen(text), &error) == 0);
	return s;
}

static void require_segments(const struct zone *zone, int64_t at_s)
{
	struct zone_segment here, other;

	zone_at(zone, at_s, &here);
	require(here.start_s <= at_s && (at_s < here.end_s || here.end_s == INT64_MAX));
	require(here.type.offset_s > -ZONE_OFFSET_MAX && here.type.offset_s < ZONE_OFFSET_MAX);
	require(memchr(here.type.abbreviation, '\0', sizeof(here.type.abbreviation)));
	/* years behind 9998 are not counted */
	if (here.end_s < INT64_C(250000000000)) {
		zone_at(zone, here.end_s, &other);
		require(other.start_s == here.end_s);
		zone_at(zone, here.end_s - 1, &other);
		require(other.end_s == here.end_s);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int64_t starts_s[] = {-1, 946684800, 1774659600, 1792803600, 4102444800};
	struct schedule fixed = parsed("0,30 0,2,23 * * *"), wild = parsed("*/20 1-3 * * *"),
			rare = parsed("* 2 29 2 *");
	static struct zone zone;

	if (zone_parse(&zone, data, size))
		return 0;
	for (size_t i = 0; i < sizeof(starts_s) / sizeof(starts_s[0]); i++) {
		require_segments(&zone, starts_s[i]);
		require_agreement(&fixed, &zone, starts_s[i]);
		require_agreement(&wild, &zone, starts_s[i]);
		require_agreement(&rare, &zone, starts_s[i]);
	}
	for (uint32_t i = 0; i < zone.n_changes && i < 20; i++) {
		require_segments(&zone, zone.at_s[i]);
		if (zone.at_s[i] < -1 || zone.at_s[i] > INT64_C(7258118400))
			continue;
		require_agreement(&fixed, &zone, zone.at_s[i] - 1);
		require_agreement(&wild, &zone, zone.at_s[i] - 1);
	}
	return 0;
}
