/* Which local times a calendar schedule matches: the next, the last, how many. Time zones do not
 * exist here.
 *
 * A day matches or not; the times within a matching day are the same for all. So a search looks at
 * the rest of one day, then for the next day that matches, a month at a time: at most 2760 months.
 */
#include "core/schedule-inner.h"

#include "core/civil.h"

static int lowest_from(uint64_t set, int from)
{
	set = from > 63 ? 0 : set & UINT64_MAX << from;
	return set ? __builtin_ctzll(set) : -1;
}

static int highest_until(uint64_t set, int until)
{
	set = until < 0 ? 0 : set & UINT64_MAX >> (63 - until);
	return set ? 63 - __builtin_clzll(set) : -1;
}

static uint64_t count_below(uint64_t set, int end)
{
	return (uint64_t)__builtin_popcountll(set & ((UINT64_C(1) << end) - 1));
}

/* ---- within a day; sets hold something, parsing saw to it ---- */

static int first_second(const struct schedule *s)
{
	return lowest_from(s->seconds, 0);
}

static int last_second(const struct schedule *s)
{
	return highest_until(s->seconds, 63);
}

/* The first matching second of the day at or after `from`; -1: none. */
static int time_from(const struct schedule *s, int from)
{
	int hour = from / 3600, minute = from / 60 % 60, second = from % 60, n;

	if (s->hours >> hour & 1) {
		n = lowest_from(s->seconds, second);
		if (s->minutes >> minute & 1 && n >= 0)
			return hour * 3600 + minute * 60 + n;
		n = lowest_from(s->minutes, minute + 1);
		if (n >= 0)
			return hour * 3600 + n * 60 + first_second(s);
	}
	hour = lowest_from(s->hours, hour + 1);
	return hour < 0 ? -1 : hour * 3600 + lowest_from(s->minutes, 0) * 60 + first_second(s);
}

/* The last at or before `until`. */
static int time_until(const struct schedule *s, int until)
{
	int hour = until / 3600, minute = until / 60 % 60, second = until % 60, n;

	if (s->hours >> hour & 1) {
		n = highest_until(s->seconds, second);
		if (s->minutes >> minute & 1 && n >= 0)
			return hour * 3600 + minute * 60 + n;
		n = highest_until(s->minutes, minute - 1);
		if (n >= 0)
			return hour * 3600 + n * 60 + last_second(s);
	}
	hour = highest_until(s->hours, hour - 1);
	return hour < 0 ? -1 : hour * 3600 + highest_until(s->minutes, 63) * 60 + last_second(s);
}

/* How many are before `end`, which may be the end of the day. */
static uint64_t times_before(const struct schedule *s, int end)
{
	int hour = end / 3600, minute = end / 60 % 60, second = end % 60;
	uint64_t seconds = count_below(s->seconds, 60), n;

	n = count_below(s->hours, hour) * count_below(s->minutes, 60) * seconds;
	if (s->hours >> hour & 1) {
		n += count_below(s->minutes, minute) * seconds;
		if (s->minutes >> minute & 1)
			n += count_below(s->seconds, second);
	}
	return n;
}

/* ---- days ---- */

/* The days of a month that match: bit n for day n. */
static uint32_t days_of_month(const struct schedule *s, int year, int month)
{
	int length = civil_month_length(year, month);
	int weekday = civil_weekday(civil_days(year, month, 1));
	uint32_t in_month = 0, by_weekday = 0;

	if (!(s->months >> month & 1))
		return 0;
	for (int day = 1; day <= length; day++) {
		if ((s->days >> day & 1) || (s->days_from_end >> (length - day + 1) & 1))
			in_month |= UINT32_C(1) << day;
		if (s->weekdays >> weekday & 1)
			by_weekday |= UINT32_C(1) << day;
		weekday = (weekday + 1) % 7;
	}
	return s->either ? in_month | by_weekday : in_month & by_weekday;
}

static bool has_year(const struct schedule *s, int year)
{
	int bit = year - CIVIL_YEAR_FIRST;

	return s->years[bit / 64] >> bit % 64 & 1;
}

/* The first matching day of this month or a later one, from `day` on, in days since 1970. */
static bool day_from(const struct schedule *s, int year, int month, int day, int64_t *ret_days)
{
	for (; year <= CIVIL_YEAR_LAST; year++) {
		for (; month <= 12 && has_year(s, year); month++) {
			int found = lowest_from(days_of_month(s, year, month), day);

			if (found >= 0) {
				*ret_days = civil_days(year, month, found);
				return true;
			}
			day = 1;
		}
		month = day = 1;
	}
	return false;
}

static bool day_until(const struct schedule *s, int year, int month, int day, int64_t *ret_days)
{
	for (; year >= CIVIL_YEAR_FIRST; year--) {
		for (; month >= 1 && has_year(s, year); month--) {
			int found = highest_until(days_of_month(s, year, month), day);

			if (found >= 0) {
				*ret_days = civil_days(year, month, found);
				return true;
			}
			day = 31;
		}
		month = 12;
		day = 31;
	}
	return false;
}

/* How many matching days are in [from, end), both in days since 1970. */
static uint64_t count_days(const struct schedule *s, int64_t from, int64_t end)
{
	struct civil c = civil_from_seconds(from * CIVIL_DAY);
	uint64_t n = 0;

	while (from < end) {
		int64_t first = civil_days(c.year, c.month, 1);
		int64_t next = first + civil_month_length(c.year, c.month);
		uint32_t days = has_year(s, c.year) ? days_of_month(s, c.year, c.month) : 0;

		if (from > first)
			days &= UINT32_MAX << (from - first + 1);
		if (end < next)
			days &= (UINT32_C(1) << (end - first + 1)) - 1;
		n += (uint64_t)__builtin_popcount(days);
		from = next;
		c.year += c.month == 12;
		c.month = c.month % 12 + 1;
	}
	return n;
}

/* ---- local seconds ---- */

static int64_t first_local(void)
{
	return civil_days(CIVIL_YEAR_FIRST, 1, 1) * CIVIL_DAY;
}

static int64_t end_local(void)
{
	return civil_days(CIVIL_YEAR_LAST + 1, 1, 1) * CIVIL_DAY;
}

bool schedule_local_next(const struct schedule *s, int64_t from_s, int64_t *ret_s)
{
	struct civil c;
	int64_t days;
	int time;

	if (from_s < first_local())
		from_s = first_local();
	if (from_s >= end_local())
		return false;
	c = civil_from_seconds(from_s);
	time = time_from(s, (int)(from_s % CIVIL_DAY));
	if (time >= 0 && has_year(s, c.year) && days_of_month(s, c.year, c.month) >> c.day & 1) {
		*ret_s = from_s / CIVIL_DAY * CIVIL_DAY + time;
		return true;
	}
	if (!day_from(s, c.year, c.month, c.day + 1, &days))
		return false;
	*ret_s = days * CIVIL_DAY + time_from(s, 0);
	return true;
}

bool schedule_local_previous(const struct schedule *s, int64_t until_s, int64_t *ret_s)
{
	struct civil c;
	int64_t days;
	int time;

	if (until_s >= end_local())
		until_s = end_local() - 1;
	if (until_s < first_local())
		return false;
	c = civil_from_seconds(until_s);
	time = time_until(s, (int)(until_s % CIVIL_DAY));
	if (time >= 0 && has_year(s, c.year) && days_of_month(s, c.year, c.month) >> c.day & 1) {
		*ret_s = until_s / CIVIL_DAY * CIVIL_DAY + time;
		return true;
	}
	if (!day_until(s, c.year, c.month, c.day - 1, &days))
		return false;
	*ret_s = days * CIVIL_DAY + time_until(s, CIVIL_DAY - 1);
	return true;
}

uint64_t schedule_local_count(const struct schedule *s, int64_t from_s, int64_t end_s)
{
	int64_t from, end;
	uint64_t n;

	if (from_s < first_local())
		from_s = first_local();
	if (end_s > end_local())
		end_s = end_local();
	if (from_s >= end_s)
		return 0;
	from = from_s / CIVIL_DAY;
	end = end_s / CIVIL_DAY;
	/* all of the days before the last one, and the times on the last one, less those before */
	n = count_days(s, from, end) * times_before(s, CIVIL_DAY);
	if (end_s % CIVIL_DAY && count_days(s, end, end + 1))
		n += times_before(s, (int)(end_s % CIVIL_DAY));
	if (from_s % CIVIL_DAY && count_days(s, from, from + 1))
		n -= times_before(s, (int)(from_s % CIVIL_DAY));
	return n;
}
