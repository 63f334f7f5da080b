/* A subset of systemd's OnCalendar: [WEEKDAYS] [[YEAR-]MONTH-DAY] [HOUR:MINUTE[:SECOND]] [ZONE], or
 * a shorthand and perhaps a zone.
 *
 * Left out: fractions of a second, years of two digits, timestamps (@1395716396), zones by their
 * abbreviation. What is taken means what systemd makes of it, except where the local clock jumps.
 */
#include "core/schedule-inner.h"

#include "base/zoneinfo.h"
#include "core/civil.h"

#include <string.h>

_Static_assert((int)SCHEDULE_ZONE_NAME_MAX == (int)ZONEINFO_NAME_MAX, "names of zones");

enum { YEAR, MONTH, DAY, HOUR, MINUTE, SECOND, N_FIELDS };

static const struct schedule_field fields[N_FIELDS] = {
	{"year", "a year, 1970 to 2199", CIVIL_YEAR_FIRST, CIVIL_YEAR_LAST, CIVIL_YEAR_FIRST, NULL,
		0, 0},
	{"month", "a month, 1 to 12", 1, 12, 0, NULL, 0, 0},
	{"day", "a day of the month, 1 to 31", 1, 31, 0, NULL, 0, 0},
	{"hour", "an hour, 0 to 23", 0, 23, 0, NULL, 0, 0},
	{"minute", "a minute, 0 to 59", 0, 59, 0, NULL, 0, 0},
	{"second", "a second, 0 to 59", 0, 59, 0, NULL, 0, 0},
};

/* No more than every month has. */
static const struct schedule_field day_from_end = {
	"day", "a day from the month's end, 1 to 28", 1, 28, 0, NULL, 0, 0};

#define TEXT(text) text, sizeof(text) - 1

static const struct {
	const char *name, *expression;
	size_t size;
} shorthands[] = {
	{"minutely", TEXT("*-*-* *:*:00")},
	{"hourly", TEXT("*-*-* *:00:00")},
	{"daily", TEXT("*-*-* 00:00:00")},
	{"weekly", TEXT("Mon *-*-* 00:00:00")},
	{"monthly", TEXT("*-*-01 00:00:00")},
	{"quarterly", TEXT("*-01,04,07,10-01 00:00:00")},
	{"semiannually", TEXT("*-01,07-01 00:00:00")},
	{"yearly", TEXT("*-01-01 00:00:00")},
	{"annually", TEXT("*-01-01 00:00:00")},
};

struct parts {
	struct schedule_set sets[N_FIELDS];
	bool open[N_FIELDS]; /* "*" or "a/b", without an end */
	uint32_t weekdays;   /* 0 is Monday here, as systemd counts */
	bool from_end;	     /* days are */
};

static size_t count_in_word(const struct schedule_reader *r, char a, char b)
{
	size_t n = 0;

	for (size_t i = r->at; i < schedule_word_end(r, r->at); i++)
		n += r->text[i] == a || r->text[i] == b;
	return n;
}

/* value[..value][/step] */
static int read_item(struct schedule_reader *r, const struct schedule_field *field, bool from_end,
	struct schedule_set *set, bool *open)
{
	size_t from = r->at;
	int low, high, step;
	bool single;

	if (schedule_read_value(r, field, &low))
		return SCHEDULE_E_INVALID;
	/* "a/b" goes on to the end, "a..b/c" to b */
	single = schedule_peek(r, 0) != '.' || schedule_peek(r, 1) != '.';
	high = low;
	if (!single) {
		r->at += 2;
		if (schedule_read_value(r, field, &high))
			return SCHEDULE_E_INVALID;
		if (high < low)
			return schedule_refuse(r, from, r->at - from,
				"goes backwards, expected two ranges, as in 22..23,0..2", NULL);
	}
	if (schedule_read_step(r, field, &step))
		return SCHEDULE_E_INVALID;
	*open = *open || (step && single);
	if (step && single && from_end) { /* down to the month's last day */
		low = high % step ? high % step : step;
		single = low == high;
	} else if (step && single) { /* up to the field's end */
		high = field->high;
		single = low + step > high;
	}
	if (step && single)
		return schedule_refuse(r, from, r->at - from,
			"reaches no second value, expected a smaller step or none", NULL);
	schedule_set_add(set, field, low, high, step ? step : 1);
	return 0;
}

/* "*" or a list of items, up to something else. */
static int read_component(struct schedule_reader *r, struct parts *parts, int i)
{
	const struct schedule_field *field = &fields[i];

	if (schedule_peek(r, 0) == '*') {
		if (schedule_peek(r, 1) == '/')
			return schedule_refuse(r, r->at, 2,
				"is not systemd's, expected a first value, as in 0/15", NULL);
		r->at++;
		parts->open[i] = true;
		schedule_set_add(&parts->sets[i], field, field->low, field->high, 1);
		return 0;
	}
	if (i == DAY && parts->from_end)
		field = &day_from_end;
	for (;;) {
		if (read_item(r, field, field == &day_from_end, &parts->sets[i], &parts->open[i]))
			return SCHEDULE_E_INVALID;
		if (schedule_peek(r, 0) == '.' && schedule_is_digit(schedule_peek(r, 1)))
			return schedule_refuse_word(
				r, r->at, "is a fraction, expected whole seconds", NULL);
		if (schedule_peek(r, 0) != ',')
			return 0;
		r->at++;
	}
}

/* Components first to last, the separator between each two. */
static int read_components(
	struct schedule_reader *r, struct parts *parts, int first, int last, char separator)
{
	for (int i = first; i <= last; i++) {
		char c;

		if (read_component(r, parts, i))
			return SCHEDULE_E_INVALID;
		c = schedule_peek(r, 0);
		if (i == last && (c == '\0' || schedule_is_blank(c)))
			return 0;
		if (i + 1 == DAY)
			parts->from_end = c == '~';
		if (i == last || (c != separator && !(i + 1 == DAY && c == '~')))
			return schedule_refuse_word(
				r, r->at, "is not possible behind the ", fields[i].name);
		r->at++;
	}
	return 0;
}

static int read_date(struct schedule_reader *r, struct parts *parts)
{
	size_t n = count_in_word(r, '-', '~');

	if (n != 1 && n != 2)
		return schedule_refuse_word(r, r->at,
			"is no date and no time, expected YEAR-MONTH-DAY, MONTH-DAY or HOUR:MINUTE",
			NULL);
	for (int i = n == 2 ? YEAR : MONTH; i <= DAY; i++)
		parts->sets[i] = (struct schedule_set){0};
	return read_components(r, parts, n == 2 ? YEAR : MONTH, DAY, '-');
}

static int read_time(struct schedule_reader *r, struct parts *parts)
{
	size_t n = count_in_word(r, ':', ':');

	if (n != 1 && n != 2)
		return schedule_refuse_word(
			r, r->at, "is no time, expected HOUR:MINUTE or HOUR:MINUTE:SECOND", NULL);
	for (int i = HOUR; i <= (n == 2 ? SECOND : MINUTE); i++)
		parts->sets[i] = (struct schedule_set){0};
	return read_components(r, parts, HOUR, n == 2 ? SECOND : MINUTE, ':');
}

static int read_weekday(struct schedule_reader *r, int *ret)
{
	size_t size = 0;
	int i;

	while (schedule_is_letter(schedule_peek(r, size)))
		size++;
	i = schedule_find_name(r, r->at, size, schedule_weekdays, SCHEDULE_WEEKDAYS);
	if (i < 0)
		return schedule_refuse_word(r, r->at,
			"is not known, expected a weekday (Mon), a date, a time, or a word like "
			"daily",
			NULL);
	r->at += size;
	*ret = (i + 6) % 7;
	return 0;
}

/* "Mon,Wed..Fri"; a hyphen is systemd's old way to write "..". */
static int read_weekdays(struct schedule_reader *r, struct parts *parts)
{
	parts->weekdays = 0;
	for (;;) {
		size_t from = r->at, dots;
		int low = 0, high;

		if (read_weekday(r, &low))
			return SCHEDULE_E_INVALID;
		high = low;
		dots = schedule_peek(r, 0) == '-'				  ? 1
		       : schedule_peek(r, 0) == '.' && schedule_peek(r, 1) == '.' ? 2
										  : 0;
		r->at += dots;
		if (dots && read_weekday(r, &high))
			return SCHEDULE_E_INVALID;
		if (high < low)
			return schedule_refuse(r, from, r->at - from,
				"goes backwards, expected two ranges, as in Sat..Sun,Mon..Tue",
				NULL);
		for (int i = low; i <= high; i++)
			parts->weekdays |= 1U << i;
		if (schedule_peek(r, 0) != ',')
			break;
		r->at++;
	}
	if (r->at < r->size && !schedule_is_blank(schedule_peek(r, 0)))
		return schedule_refuse_word(r, r->at, "is not possible behind a weekday", NULL);
	return 0;
}

static bool find_shorthand(const struct schedule_reader *r, struct schedule_reader *ret)
{
	size_t size = schedule_word_end(r, r->at) - r->at;

	for (size_t i = 0; i < sizeof(shorthands) / sizeof(shorthands[0]); i++) {
		const char *name = shorthands[i].name;
		size_t same = 0;

		while (same < size && name[same] && name[same] == (r->text[r->at + same] | 0x20))
			same++;
		if (same < size || name[same])
			continue;
		*ret = (struct schedule_reader){
			shorthands[i].expression, shorthands[i].size, 0, r->error};
		return true;
	}
	return false;
}

/* One after another, each may be missing. */
static int read_parts(struct schedule_reader *r, struct parts *parts)
{
	if (schedule_is_letter(schedule_peek(r, 0)) && read_weekdays(r, parts))
		return SCHEDULE_E_INVALID;
	schedule_skip_blanks(r);
	if (r->at < r->size && !schedule_is_letter(schedule_peek(r, 0)) &&
		count_in_word(r, ':', ':') == 0 && read_date(r, parts))
		return SCHEDULE_E_INVALID;
	schedule_skip_blanks(r);
	if (r->at < r->size && !schedule_is_letter(schedule_peek(r, 0)) && read_time(r, parts))
		return SCHEDULE_E_INVALID;
	return 0;
}

static int read_zone(struct schedule_reader *r, struct schedule *s)
{
	size_t size;

	schedule_skip_blanks(r);
	size = schedule_word_end(r, r->at) - r->at;
	if (size == 0)
		return 0;
	if (!zoneinfo_name_valid(r->text + r->at, size))
		return schedule_refuse_word(
			r, r->at, "is no time zone, expected one like Europe/Berlin or UTC", NULL);
	memcpy(s->zone, r->text + r->at, size);
	s->zone[size] = '\0';
	r->at += size;
	schedule_skip_blanks(r);
	if (r->at < r->size)
		return schedule_refuse_word(r, r->at, "is too much, expected the end", NULL);
	return 0;
}

/* Any day at midnight. */
static void init_parts(struct parts *parts)
{
	memset(parts, 0, sizeof(*parts));
	for (int i = YEAR; i <= DAY; i++)
		schedule_set_add(&parts->sets[i], &fields[i], fields[i].low, fields[i].high, 1);
	for (int i = HOUR; i <= SECOND; i++)
		parts->sets[i].bits[0] = 1;
	parts->weekdays = 0x7f;
}

static void store_parts(const struct parts *parts, struct schedule *s)
{
	s->seconds = parts->sets[SECOND].bits[0];
	s->minutes = parts->sets[MINUTE].bits[0];
	s->hours = (uint32_t)parts->sets[HOUR].bits[0];
	if (parts->from_end)
		s->days_from_end = (uint32_t)parts->sets[DAY].bits[0];
	else
		s->days = (uint32_t)parts->sets[DAY].bits[0];
	s->months = (uint32_t)parts->sets[MONTH].bits[0];
	memcpy(s->years, parts->sets[YEAR].bits, sizeof(s->years));
	s->weekdays = (parts->weekdays << 1 | parts->weekdays >> 6) & 0x7f;
	s->wildcard = parts->open[HOUR] || parts->open[MINUTE];
}

int schedule_read_calendar(struct schedule_reader *r, struct schedule *s)
{
	struct schedule_reader written;
	struct parts parts;
	bool shorthand = find_shorthand(r, &written);

	init_parts(&parts);
	if (read_parts(shorthand ? &written : r, &parts))
		return SCHEDULE_E_INVALID;
	if (shorthand)
		r->at = schedule_word_end(r, r->at);
	if (read_zone(r, s))
		return SCHEDULE_E_INVALID;
	store_parts(&parts, s);
	return 0;
}
