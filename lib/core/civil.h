/* Dates of the Gregorian calendar as numbers: no time zone, no leap second. A "local second" is
 * what a wall clock shows, counted from 1970-01-01 00:00:00 on that clock. */
#ifndef CORE_CIVIL_H
#define CORE_CIVIL_H

#include <stdbool.h>
#include <stdint.h>

enum {
	CIVIL_YEAR_FIRST = 1970, /* as systemd's calendar: schedules know no other years */
	CIVIL_YEAR_LAST = 2199,
	CIVIL_DAY = 86400, /* seconds */
};

struct civil {
	int year;
	int month;   /* 1 to 12 */
	int day;     /* 1 to 31 */
	int weekday; /* 0 to 6; 0 is Sunday */
	int hour, minute, second;
};

/* Days from 1970-01-01 to this date; any year of four digits. */
int64_t civil_days(int year, int month, int day);
int civil_month_length(int year, int month);
/* 0 is Sunday. */
int civil_weekday(int64_t days);
/* The date and time of a local second, for the years 0 to 9999 or so. */
struct civil civil_from_seconds(int64_t local_s);
int64_t civil_seconds(const struct civil *civil);

/* "2026-11-22 18:30:00", and with a NUL. Returns out. */
enum { CIVIL_TEXT_MAX = 24 };
char *civil_format(char out[CIVIL_TEXT_MAX], int64_t local_s);

#endif
