/* The Gregorian calendar; see civil.h. */
#include "core/civil.h"

/* Days before each month of a common year. */
static const int days_before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365};

static bool is_leap(int year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

/* 29 Februaries up to the end of this year. */
static int64_t leap_days(int64_t year)
{
	return year / 4 - year / 100 + year / 400;
}

/* From 1970-01-01 to 1 January. */
static int64_t days_of_year(int year)
{
	return 365 * (int64_t)(year - 1970) + leap_days(year - 1) - leap_days(1969);
}

int64_t civil_days(int year, int month, int day)
{
	return days_of_year(year) + days_before[month - 1] + (month > 2 && is_leap(year)) + day - 1;
}

int civil_month_length(int year, int month)
{
	return days_before[month] - days_before[month - 1] + (month == 2 && is_leap(year));
}

int civil_weekday(int64_t days)
{
	/* 1970-01-01 was a Thursday */
	return (int)(((days + 4) % 7 + 7) % 7);
}

struct civil civil_from_seconds(int64_t local_s)
{
	int64_t days = local_s / CIVIL_DAY, rest = local_s % CIVIL_DAY;
	struct civil c = {0};

	if (rest < 0) {
		rest += CIVIL_DAY;
		days--;
	}
	c.hour = (int)(rest / 3600);
	c.minute = (int)(rest / 60 % 60);
	c.second = (int)(rest % 60);
	c.weekday = civil_weekday(days);
	/* by the mean length of a year, then right by one at most */
	c.year = (int)(1970 + days * 400 / 146097);
	while (days < days_of_year(c.year))
		c.year--;
	while (days >= days_of_year(c.year + 1))
		c.year++;
	c.month = 1;
	while (days >= civil_days(c.year, c.month, 1) + civil_month_length(c.year, c.month))
		c.month++;
	c.day = (int)(days - civil_days(c.year, c.month, 1)) + 1;
	return c;
}

int64_t civil_seconds(const struct civil *civil)
{
	return civil_days(civil->year, civil->month, civil->day) * CIVIL_DAY + civil->hour * 3600 +
	       civil->minute * 60 + civil->second;
}

static char *put_digits(char *out, int value, int n)
{
	for (int i = n - 1; i >= 0; i--) {
		out[i] = (char)('0' + value % 10);
		value /= 10;
	}
	return out + n;
}

char *civil_format(char out[CIVIL_TEXT_MAX], int64_t local_s)
{
	struct civil c = civil_from_seconds(local_s);
	char *at = put_digits(out, c.year, 4);

	*at++ = '-';
	at = put_digits(at, c.month, 2);
	*at++ = '-';
	at = put_digits(at, c.day, 2);
	*at++ = ' ';
	at = put_digits(at, c.hour, 2);
	*at++ = ':';
	at = put_digits(at, c.minute, 2);
	*at++ = ':';
	at = put_digits(at, c.second, 2);
	*at = '\0';
	return out;
}
