/* Which segment of a zone an instant is in; see zone.h.
 *
 * Up to the last listed change by binary search, behind it by the rule of the footer: its changes
 * of three years around the instant are worked out and put in order. */
#include "core/zone.h"

#include "core/civil.h"

#include <string.h>

/* A change that the footer's rule makes. */
struct change {
	int64_t at_s;
	const struct zone_type *type; /* from then on */
};

enum { CHANGES_AROUND = 8 };

void zone_init_utc(struct zone *zone)
{
	memset(zone, 0, sizeof(*zone));
	zone->n_types = 1;
	memcpy(zone->types[0].abbreviation, "UTC", sizeof("UTC"));
}

static int64_t rule_day(const struct zone_rule *rule, int year)
{
	int64_t first = civil_days(year, rule->kind == ZONE_RULE_MONTH ? rule->month : 1, 1);
	int to_weekday, length;

	if (rule->kind == ZONE_RULE_DAY)
		return first + rule->day;
	if (rule->kind == ZONE_RULE_JULIAN) /* 29 February is not counted */
		return first + rule->day - 1 +
		       (rule->day >= 60 && civil_month_length(year, 2) == 29);
	to_weekday = (rule->day - civil_weekday(first) + 7) % 7;
	length = civil_month_length(year, rule->month);
	for (int week = rule->week - 1;; week--) {
		if (to_weekday + 7 * week < length)
			return first + to_weekday + 7 * week;
	}
}

static void changes_around(
	const struct zone *zone, int64_t at_s, struct change changes[CHANGES_AROUND])
{
	int year = civil_from_seconds(at_s).year, n = 0;

	/* a rule's time may reach a week into the next year */
	for (int y = year - 2; y <= year + 1; y++) {
		const struct change of_year[] = {
			{rule_day(&zone->daylight_begins, y) * CIVIL_DAY +
					zone->daylight_begins.time_s - zone->standard.offset_s,
				&zone->daylight},
			{rule_day(&zone->daylight_ends, y) * CIVIL_DAY +
					zone->daylight_ends.time_s - zone->daylight.offset_s,
				&zone->standard},
		};

		for (int i = 0; i < 2; i++) {
			int j = n++;

			/* of two at once, the later one holds */
			for (; j > 0 && changes[j - 1].at_s > of_year[i].at_s; j--)
				changes[j] = changes[j - 1];
			changes[j] = of_year[i];
		}
	}
}

/* Behind the last listed change. The rule holds in the years that can be counted; nobody asks for
 * others, which have standard time. */
static void find_by_rule(const struct zone *zone, int64_t at_s, struct zone_segment *ret)
{
	int64_t listed_s = zone->n_changes ? zone->at_s[zone->n_changes - 1] : INT64_MIN;
	int64_t first_s = civil_days(3, 1, 1) * CIVIL_DAY;
	int64_t last_s = civil_days(9998, 1, 1) * CIVIL_DAY;
	struct change changes[CHANGES_AROUND];

	ret->start_s = listed_s;
	ret->end_s = INT64_MAX;
	ret->type = zone->standard;
	if (!zone->has_rules)
		return;
	if (at_s < first_s) {
		ret->end_s = first_s;
		return;
	}
	if (at_s >= last_s) {
		ret->start_s = listed_s > last_s ? listed_s : last_s;
		return;
	}
	changes_around(zone, at_s, changes);
	ret->start_s = listed_s > first_s ? listed_s : first_s;
	ret->end_s = last_s;
	for (int i = 0; i < CHANGES_AROUND; i++) {
		/* NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult): changes_around() fills them */
		if (changes[i].at_s > at_s) {
			ret->end_s = changes[i].at_s < last_s ? changes[i].at_s : last_s;
			break;
		}
		ret->type = *changes[i].type;
		if (changes[i].at_s > ret->start_s)
			ret->start_s = changes[i].at_s;
	}
}

void zone_at(const struct zone *zone, int64_t at_s, struct zone_segment *ret)
{
	uint32_t low = 0, high = zone->n_changes; /* how many changes are not behind the instant */

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (zone->at_s[middle] <= at_s)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == zone->n_changes && zone->has_footer) {
		find_by_rule(zone, at_s, ret);
		return;
	}
	ret->start_s = low > 0 ? zone->at_s[low - 1] : INT64_MIN;
	ret->end_s = low < zone->n_changes ? zone->at_s[low] : INT64_MAX;
	ret->type = zone->types[low > 0 ? zone->type[low - 1] : 0];
}
