/* Time zones: how far local clocks are from UTC, and when that changes.
 *
 * A zone is a value: parsed once from the bytes of a TZif file (RFC 8536, as in
 * /usr/share/zoneinfo; base/zoneinfo.h reads one), then never changed, shared by any number of
 * schedules. It lists the changes that the file lists and, behind the last, follows the rule in the
 * file's footer, so it is good for any year.
 *
 * Time is split in segments: from one change to the next the offset is constant. */
#ifndef CORE_ZONE_H
#define CORE_ZONE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	ZONE_CHANGES_MAX = 1024, /* the longest file in use has 310 */
	ZONE_TYPES_MAX = 64,
	ZONE_ABBREVIATION_MAX = 12,  /* with the NUL */
	ZONE_OFFSET_MAX = 26 * 3600, /* seconds; no zone is as far from UTC */
};

/* What a clock shows in a segment. */
struct zone_type {
	int32_t offset_s; /* local minus UTC */
	bool dst;
	char abbreviation[ZONE_ABBREVIATION_MAX]; /* "CEST" */
};

/* One of the two days of a footer's rule. */
struct zone_rule {
	enum { ZONE_RULE_JULIAN, ZONE_RULE_DAY, ZONE_RULE_MONTH } kind;
	int month, week; /* of ZONE_RULE_MONTH; week 5 is the last */
	int day;	 /* Jn: 1 to 365, n: 0 to 365, Mm.w.d: 0 is Sunday */
	int32_t time_s;	 /* local time of the change, from midnight; may be negative */
};

struct zone {
	uint32_t n_changes, n_types;
	int64_t at_s[ZONE_CHANGES_MAX]; /* ascending */
	uint8_t type[ZONE_CHANGES_MAX]; /* from then on; before the first change: types[0] */
	struct zone_type types[ZONE_TYPES_MAX];
	/* behind the last change */
	bool has_footer, has_rules;
	struct zone_type standard, daylight; /* without rules: standard for ever */
	struct zone_rule daylight_begins, daylight_ends;
};

struct zone_segment {
	int64_t start_s, end_s; /* UTC; the end belongs to the next. INT64_MIN, INT64_MAX: none */
	struct zone_type type;
};

void zone_init_utc(struct zone *zone);

/* NULL, or what is wrong with the bytes (static text that completes "bad time zone file: "); *ret
 * is undefined then. Files that count leap seconds ("right/...") are refused: instants here do not.
 */
const char *zone_parse(struct zone *ret, const void *data, size_t size);

/* The segment an instant is in. */
void zone_at(const struct zone *zone, int64_t at_s, struct zone_segment *ret);

#endif
