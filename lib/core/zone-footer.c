/* The footer of a time zone file: POSIX's TZ string, with RFC 8536's longer times. Its offsets
 * count westwards, "CET-1" is an hour before UTC. */
#include "core/zone-inner.h"

struct cursor {
	const char *at, *end;
};

static bool take(struct cursor *c, char expected)
{
	if (c->at == c->end || *c->at != expected)
		return false;
	c->at++;
	return true;
}

static bool read_number(struct cursor *c, int min, int max, int *ret)
{
	const char *start = c->at;
	int n = 0;

	while (c->at < c->end && *c->at >= '0' && *c->at <= '9' && c->at - start < 4)
		n = n * 10 + (*c->at++ - '0');
	*ret = n;
	return c->at > start && n >= min && n <= max;
}

/* [+-]h[h[h]][:mm[:ss]] */
static bool read_time(struct cursor *c, int max_hours, int32_t *ret_s)
{
	bool negative = take(c, '-');
	int hours, minutes = 0, seconds = 0;

	if (!negative)
		(void)take(c, '+');
	if (!read_number(c, 0, max_hours, &hours))
		return false;
	if (take(c, ':')) {
		if (!read_number(c, 0, 59, &minutes))
			return false;
		if (take(c, ':') && !read_number(c, 0, 59, &seconds))
			return false;
	}
	*ret_s = hours * 3600 + minutes * 60 + seconds;
	if (negative)
		*ret_s = -*ret_s;
	return true;
}

/* "CET" or "<+03>" */
static bool read_name(struct cursor *c, struct zone_type *type)
{
	bool quoted = take(c, '<');
	const char *start = c->at;
	size_t size;

	while (c->at < c->end) {
		bool letter = (*c->at >= 'A' && *c->at <= 'Z') || (*c->at >= 'a' && *c->at <= 'z');

		if (quoted ? *c->at == '>' : !letter)
			break;
		c->at++;
	}
	size = (size_t)(c->at - start);
	if (quoted && !take(c, '>'))
		return false;
	return size >= 3 && zone_set_abbreviation(type, start, size);
}

/* Jn, n or Mm.w.d, and /time */
static bool read_rule(struct cursor *c, struct zone_rule *rule)
{
	if (!take(c, ','))
		return false;
	if (take(c, 'M')) {
		rule->kind = ZONE_RULE_MONTH;
		if (!read_number(c, 1, 12, &rule->month) || !take(c, '.') ||
			!read_number(c, 1, 5, &rule->week) || !take(c, '.') ||
			!read_number(c, 0, 6, &rule->day))
			return false;
	} else {
		rule->kind = take(c, 'J') ? ZONE_RULE_JULIAN : ZONE_RULE_DAY;
		if (!read_number(c, rule->kind == ZONE_RULE_JULIAN, 365, &rule->day))
			return false;
	}
	rule->time_s = 2 * 3600;
	return !take(c, '/') || read_time(c, 167, &rule->time_s);
}

const char *zone_parse_footer(struct zone *zone, const char *text, size_t size)
{
	struct cursor c = {text, text + size};
	int32_t west_s;

	if (!read_name(&c, &zone->standard) || !read_time(&c, 24, &west_s))
		return "its footer has no standard time";
	zone->standard.offset_s = -west_s;
	if (c.at == c.end)
		return NULL;
	if (!read_name(&c, &zone->daylight))
		return "its footer has no name for daylight saving time";
	zone->daylight.dst = true;
	west_s -= 3600;
	if (c.at < c.end && *c.at != ',' && !read_time(&c, 24, &west_s))
		return "its footer has no offset for daylight saving time";
	zone->daylight.offset_s = -west_s;
	if (!read_rule(&c, &zone->daylight_begins) || !read_rule(&c, &zone->daylight_ends) ||
		c.at != c.end)
		return "its footer does not say when daylight saving time begins and ends";
	zone->has_rules = true;
	return NULL;
}
