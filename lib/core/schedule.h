/* Schedules: when a job is due.
 *
 * schedule_parse() takes what people write in Schedule= (docs/man/onced-schedule.7.scd): five
 * fields of cron, @hourly and the like, "@every 90s", or a subset of systemd's OnCalendar. The
 * result is a value without pointers: copy it, compare nothing else than its instants.
 *
 * An instant is a number of seconds since 1970-01-01 00:00:00 UTC. Which instants a schedule has
 * depends on nothing but its text and the zone: not on the node, not on when somebody asks, not on
 * what ran before. "@every D" has the multiples of D. Nothing is due before 1970 or after 2199.
 *
 * A calendar schedule matches local times. Where the local clock jumps:
 *   - fixed (hour and minute given): a local time that is skipped is due at the first instant after
 *     the gap, all those of one gap together once; one that comes twice is due the first time;
 *   - with a wildcard hour or minute: due whenever the local clock shows a match, so hourly stays
 *     hourly: nothing for what is skipped, both times in what comes twice.
 *
 * No answer steps through instants: work is bounded by the number of months until 2199 and of
 * changes in the zone. Pure: no clock, no allocation, no I/O. */
#ifndef CORE_SCHEDULE_H
#define CORE_SCHEDULE_H

#include "core/zone.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	SCHEDULE_TEXT_MAX = 256,     /* bytes of an expression */
	SCHEDULE_ZONE_NAME_MAX = 64, /* with the NUL */
	SCHEDULE_ERROR_MAX = 200,
};

enum schedule_kind {
	SCHEDULE_EVERY,
	SCHEDULE_CALENDAR,
};

/* Fields are sets: bit n for the value n. */
struct schedule {
	enum schedule_kind kind;
	int64_t every_s; /* SCHEDULE_EVERY */

	uint64_t seconds, minutes;
	uint32_t hours;
	uint32_t days;		/* of the month, 1 to 31 */
	uint32_t days_from_end; /* 1 is the month's last day; added to days */
	uint32_t months;	/* 1 to 12 */
	uint64_t years[4];	/* bit n: 1970 + n */
	uint32_t weekdays;	/* 0 is Sunday */
	bool either;		/* cron: day of month or weekday; else both */
	bool wildcard;		/* in the hour or the minute */

	char zone[SCHEDULE_ZONE_NAME_MAX]; /* named in the expression; "" when none */
};

struct schedule_error {
	size_t column;		       /* from 1, in bytes */
	char text[SCHEDULE_ERROR_MAX]; /* "60 is not a minute, expected 0 to 59"; one line, ASCII */
};

/* 0, or SCHEDULE_E_INVALID: *ret_error says what, where, and what was expected; *ret is untouched.
 * A schedule that can never be due (30 February) is refused; one whose last year is over is not. */
enum { SCHEDULE_E_INVALID = 1 };
int schedule_parse(
	struct schedule *ret, const char *text, size_t size, struct schedule_error *ret_error);

/* In all of these zone is that of schedule.zone, or else of TimeZone=; ignored for @every. */

/* The first instant strictly after after_s. False: there is none, *ret_s is untouched. */
bool schedule_next(
	const struct schedule *schedule, const struct zone *zone, int64_t after_s, int64_t *ret_s);
/* The last instant at or before until_s. False: there is none. */
bool schedule_previous(
	const struct schedule *schedule, const struct zone *zone, int64_t until_s, int64_t *ret_s);
/* How many instants are in (after_s, until_s]; exact, and counted by days, not by instants. */
uint64_t schedule_count(
	const struct schedule *schedule, const struct zone *zone, int64_t after_s, int64_t until_s);
/* The oldest of them, at most max, in order; returns how many, *ret_rest is how many more there
 * are.
 */
size_t schedule_between(const struct schedule *schedule, const struct zone *zone, int64_t after_s,
	int64_t until_s, int64_t *ret_s, size_t max, uint64_t *ret_rest);

/* How long after its instants a job starts: the same for ever, spread evenly over the names in
 * [0, jitter_ns). The instant keeps its name; only the start moves. jitter_ns <= 0: 0. */
int64_t schedule_jitter_ns(const char *job, size_t size, int64_t jitter_ns);

/* What is to be said about an instant. */
enum schedule_remark_kind {
	SCHEDULE_REMARK_NONE,
	SCHEDULE_REMARK_GAP,   /* stands for a local time that is skipped: local_s, the first one */
	SCHEDULE_REMARK_ONCE,  /* the local time comes twice; this is the first, the only one due */
	SCHEDULE_REMARK_FIRST, /* it comes twice, and both times are due */
	SCHEDULE_REMARK_SECOND,
};

struct schedule_remark {
	enum schedule_remark_kind kind;
	int64_t local_s; /* local seconds, see core/civil.h */
};

void schedule_remark(const struct schedule *schedule, const struct zone *zone, int64_t at_s,
	struct schedule_remark *ret);

#endif
