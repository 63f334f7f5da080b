/* From local times to instants; see schedule.h.
 *
 * A fixed schedule is due at min{t : the clock shows L or later at t} for each local time L that
 * matches. That one definition holds for ordinary times, gaps and folds: the clock passes a gap's
 * times at its end, all at once, and reaches a fold's times at its first pass. It grows with L, so
 * the next instant after t belongs to the next L behind all that the clock has shown until t.
 *
 * A wildcard schedule is due whenever the clock shows a match: segment by segment, but a segment
 * that holds none is left at once for where the next match can be. */
#include "core/schedule-inner.h"

#include "core/civil.h"

/* Beyond it nothing is due in any zone. */
static int64_t last_s(void)
{
	return civil_days(CIVIL_YEAR_LAST + 1, 1, 1) * CIVIL_DAY + ZONE_OFFSET_MAX;
}

static int64_t end_of_every(void)
{
	return civil_days(CIVIL_YEAR_LAST + 1, 1, 1) * CIVIL_DAY;
}

static bool next_every(const struct schedule *s, int64_t after_s, int64_t *ret_s)
{
	int64_t at_s = after_s < 0 ? 0 : (after_s / s->every_s + 1) * s->every_s;

	if (at_s >= end_of_every())
		return false;
	*ret_s = at_s;
	return true;
}

static int64_t previous_every(const struct schedule *s, int64_t until_s)
{
	if (until_s >= end_of_every())
		until_s = end_of_every() - 1;
	return until_s / s->every_s * s->every_s;
}

int64_t schedule_shown(const struct zone *zone, int64_t at_s)
{
	int64_t since_s = at_s - 2 * ZONE_OFFSET_MAX, shown_s = INT64_MIN;
	struct zone_segment segment;

	/* what earlier segments showed is behind by then, whatever their offsets */
	do {
		zone_at(zone, at_s, &segment);
		if (at_s + segment.type.offset_s > shown_s)
			shown_s = at_s + segment.type.offset_s;
		at_s = segment.start_s - (segment.start_s > INT64_MIN);
	} while (segment.start_s > since_s);
	return shown_s;
}

/* The first instant at which the clock shows local_s or later. */
static int64_t reached(const struct zone *zone, int64_t local_s)
{
	int64_t at_s = local_s - ZONE_OFFSET_MAX;
	struct zone_segment segment;

	for (;;) {
		int64_t found_s;

		zone_at(zone, at_s, &segment);
		found_s = local_s - segment.type.offset_s;
		if (found_s < at_s)
			found_s = at_s;
		if (found_s < segment.end_s)
			return found_s;
		at_s = segment.end_s;
	}
}

static bool next_wildcard(
	const struct schedule *s, const struct zone *zone, int64_t at_s, int64_t *ret_s)
{
	while (at_s < last_s()) {
		struct zone_segment segment;
		int64_t offset_s, local_s = INT64_MAX;
		bool found;

		zone_at(zone, at_s, &segment);
		offset_s = segment.type.offset_s;
		found = schedule_local_next(s, at_s + offset_s, &local_s);
		if (found && local_s - offset_s < segment.end_s) {
			*ret_s = local_s - offset_s;
			return true;
		}
		/* a clock set back may show again what was before at_s, but not after so long */
		if (segment.end_s < at_s + 2 * ZONE_OFFSET_MAX)
			at_s = segment.end_s;
		else if (!found)
			return false;
		else
			at_s = local_s - ZONE_OFFSET_MAX > segment.end_s ? local_s - ZONE_OFFSET_MAX
									 : segment.end_s;
	}
	return false;
}

static bool previous_wildcard(
	const struct schedule *s, const struct zone *zone, int64_t at_s, int64_t *ret_s)
{
	while (at_s >= 0) {
		struct zone_segment segment;
		int64_t offset_s, local_s = INT64_MIN;
		bool found;

		zone_at(zone, at_s, &segment);
		offset_s = segment.type.offset_s;
		found = schedule_local_previous(s, at_s + offset_s, &local_s);
		if (found && local_s - offset_s >= segment.start_s) {
			if (local_s - offset_s < 0)
				return false;
			*ret_s = local_s - offset_s;
			return true;
		}
		if (segment.start_s == INT64_MIN)
			return false;
		if (segment.start_s > at_s - 2 * ZONE_OFFSET_MAX)
			at_s = segment.start_s - 1;
		else if (!found)
			return false;
		else
			at_s = local_s + ZONE_OFFSET_MAX < segment.start_s
				       ? local_s + ZONE_OFFSET_MAX
				       : segment.start_s - 1;
	}
	return false;
}

static uint64_t count_wildcard(
	const struct schedule *s, const struct zone *zone, int64_t from_s, int64_t end_s)
{
	uint64_t n = 0;

	while (from_s < end_s) {
		struct zone_segment segment;
		int64_t to_s;

		zone_at(zone, from_s, &segment);
		to_s = segment.end_s < end_s ? segment.end_s : end_s;
		n += schedule_local_count(
			s, from_s + segment.type.offset_s, to_s + segment.type.offset_s);
		from_s = to_s;
	}
	return n;
}

static uint64_t count_fixed(
	const struct schedule *s, const struct zone *zone, int64_t after_s, int64_t until_s)
{
	uint64_t n = schedule_local_count(
		s, schedule_shown(zone, after_s) + 1, schedule_shown(zone, until_s) + 1);
	struct zone_segment segment;

	zone_at(zone, after_s, &segment);
	while (segment.end_s <= until_s) {
		int64_t change_s = segment.end_s, before_s = schedule_shown(zone, change_s - 1);
		uint64_t skipped;

		zone_at(zone, change_s, &segment);
		skipped =
			schedule_local_count(s, before_s + 1, change_s + segment.type.offset_s + 1);
		if (skipped > 1) /* together once */
			n -= skipped - 1;
	}
	return n;
}

bool schedule_next(
	const struct schedule *schedule, const struct zone *zone, int64_t after_s, int64_t *ret_s)
{
	int64_t local_s;

	if (after_s >= last_s())
		return false;
	if (after_s < -1)
		after_s = -1;
	if (schedule->kind == SCHEDULE_EVERY)
		return next_every(schedule, after_s, ret_s);
	if (schedule->wildcard)
		return next_wildcard(schedule, zone, after_s + 1, ret_s);
	if (!schedule_local_next(schedule, schedule_shown(zone, after_s) + 1, &local_s))
		return false;
	*ret_s = reached(zone, local_s);
	return true;
}

bool schedule_previous(
	const struct schedule *schedule, const struct zone *zone, int64_t until_s, int64_t *ret_s)
{
	int64_t local_s, at_s;

	if (until_s < 0)
		return false;
	if (until_s > last_s())
		until_s = last_s();
	if (schedule->kind == SCHEDULE_EVERY) {
		*ret_s = previous_every(schedule, until_s);
		return true;
	}
	if (schedule->wildcard)
		return previous_wildcard(schedule, zone, until_s, ret_s);
	if (!schedule_local_previous(schedule, schedule_shown(zone, until_s), &local_s))
		return false;
	at_s = reached(zone, local_s);
	if (at_s < 0)
		return false;
	*ret_s = at_s;
	return true;
}

uint64_t schedule_count(
	const struct schedule *schedule, const struct zone *zone, int64_t after_s, int64_t until_s)
{
	if (after_s < -1)
		after_s = -1;
	if (until_s > last_s())
		until_s = last_s();
	if (after_s >= until_s)
		return 0;
	if (schedule->kind == SCHEDULE_EVERY) {
		/* with that at 0 */
		int64_t n = previous_every(schedule, until_s) / schedule->every_s + 1;

		return (uint64_t)(after_s < 0 ? n
					      : n - 1 -
							previous_every(schedule, after_s) /
								schedule->every_s);
	}
	return schedule->wildcard ? count_wildcard(schedule, zone, after_s + 1, until_s + 1)
				  : count_fixed(schedule, zone, after_s, until_s);
}

size_t schedule_between(const struct schedule *schedule, const struct zone *zone, int64_t after_s,
	int64_t until_s, int64_t *ret_s, size_t max, uint64_t *ret_rest)
{
	size_t n = 0;
	int64_t at_s;

	while (n < max && schedule_next(schedule, zone, after_s, &at_s) && at_s <= until_s) {
		ret_s[n++] = at_s;
		after_s = at_s;
	}
	*ret_rest = n < max ? 0 : schedule_count(schedule, zone, after_s, until_s);
	return n;
}

int64_t schedule_jitter_ns(const char *job, size_t size, int64_t jitter_ns)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325); /* FNV-1a, then mixed: names differ little */

	if (jitter_ns <= 0)
		return 0;
	for (size_t i = 0; i < size; i++)
		hash = (hash ^ (unsigned char)job[i]) * UINT64_C(0x100000001b3);
	hash = (hash ^ hash >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	hash = (hash ^ hash >> 27) * UINT64_C(0x94d049bb133111eb);
	return (int64_t)((hash ^ hash >> 31) % (uint64_t)jitter_ns);
}
