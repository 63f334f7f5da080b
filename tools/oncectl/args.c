/* Words and values of the command line: names, numbers, durations, moments. */
#include "tools/oncectl/ctl.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/duration.h"
#include "base/number.h"

int ctl_check_name(const char *what, const char *name)
{
	if (config_name_valid(name))
		return 0;
	return ctl_error(CTL_USAGE,
		"%s: bad name \"%s\", expected 1 to %d of a-z 0-9 . _ - beginning with a letter or "
		"digit",
		what, name, CONFIG_NAME_MAX);
}

int ctl_parse_number(const char *what, const char *text, int64_t min, int64_t max, int64_t *ret)
{
	int64_t value;

	if (number_parse_i64(text, strlen(text), &value) < 0 || value < min || value > max)
		return ctl_error(CTL_USAGE, "%s: bad number \"%s\", expected %lld to %lld", what,
			text, (long long)min, (long long)max);
	*ret = value;
	return 0;
}

int ctl_parse_duration(
	const char *what, const char *text, int64_t min_ns, int64_t max_ns, int64_t *ret_ns)
{
	char min[DURATION_TEXT_MAX], max[DURATION_TEXT_MAX];
	const char *why = "";
	int64_t ns;

	if (duration_parse(text, strlen(text), &ns, &why) < 0)
		return ctl_error(CTL_USAGE,
			"%s: bad duration \"%s\": %s, expected for instance 90s or 5min", what,
			text, why);
	if (ns < min_ns || ns > max_ns)
		return ctl_error(CTL_USAGE, "%s: %s is out of range, expected %s to %s", what, text,
			duration_format(min, min_ns), duration_format(max, max_ns));
	*ret_ns = ns;
	return 0;
}

/* ---- moments --------------------------------------------------------------------------------- */

/* n digits with a value up to max; moves *at behind them. -1: not so. */
static int digits(const char **at, int n, int max)
{
	int value = 0;

	for (int i = 0; i < n; i++) {
		char c = (*at)[i];

		if (c < '0' || c > '9')
			return -1;
		value = value * 10 + (c - '0');
	}
	*at += n;
	return value <= max ? value : -1;
}

static bool skip(const char **at, char c)
{
	if (**at != c)
		return false;
	(*at)++;
	return true;
}

/* "2026-11-22" */
static int read_date(const char **at, struct tm *tm)
{
	int year = digits(at, 4, 9999), month, day;

	if (year < 1970 || !skip(at, '-'))
		return -EINVAL;
	month = digits(at, 2, 12);
	if (month < 1 || !skip(at, '-'))
		return -EINVAL;
	day = digits(at, 2, 31);
	if (day < 1)
		return -EINVAL;
	tm->tm_year = year - 1900;
	tm->tm_mon = month - 1;
	tm->tm_mday = day;
	return 0;
}

/* "18:30", "18:30:00", "18:30:00.123" */
static int read_clock(const char **at, struct tm *tm, int64_t *ret_ns)
{
	int64_t unit = ONCE_NSEC_PER_SEC;

	*ret_ns = 0;
	tm->tm_hour = digits(at, 2, 23);
	if (tm->tm_hour < 0 || !skip(at, ':'))
		return -EINVAL;
	tm->tm_min = digits(at, 2, 59);
	if (tm->tm_min < 0)
		return -EINVAL;
	tm->tm_sec = 0;
	if (!skip(at, ':'))
		return 0;
	tm->tm_sec = digits(at, 2, 59);
	if (tm->tm_sec < 0)
		return -EINVAL;
	if (!skip(at, '.'))
		return 0;
	if (**at < '0' || **at > '9')
		return -EINVAL;
	for (; **at >= '0' && **at <= '9' && unit > 1; (*at)++) {
		unit /= 10;
		*ret_ns += (**at - '0') * unit;
	}
	return 0;
}

/* "Z", "+01:00"; *ret_s: how far east. */
static int read_zone(const char **at, int *ret_s)
{
	int sign = **at == '-' ? -1 : 1, hours, minutes;

	*ret_s = 0;
	if (skip(at, 'Z'))
		return 0;
	if (!skip(at, '+') && !skip(at, '-'))
		return -EINVAL;
	hours = digits(at, 2, 23);
	if (hours < 0 || !skip(at, ':'))
		return -EINVAL;
	minutes = digits(at, 2, 59);
	if (minutes < 0)
		return -EINVAL;
	*ret_s = sign * (hours * 3600 + minutes * 60);
	return 0;
}

/* The day of the month is one of that month. */
static bool same_day(const struct tm *a, const struct tm *b)
{
	return a->tm_mday == b->tm_mday && a->tm_mon == b->tm_mon && a->tm_year == b->tm_year;
}

static int in_utc(const char *at, struct tm tm, int64_t ns, int64_t *ret_ns)
{
	struct tm said = tm;
	int zone;
	time_t t;

	if (read_zone(&at, &zone) < 0 || *at)
		return -EINVAL;
	t = timegm(&tm);
	if (!same_day(&said, &tm))
		return -EINVAL;
	*ret_ns = ((int64_t)t - zone) * ONCE_NSEC_PER_SEC + ns;
	return 0;
}

static int in_local_time(const char *at, struct tm tm, int64_t ns, int64_t *ret_ns)
{
	struct tm said = tm;
	time_t t;

	if (*at)
		return -EINVAL;
	tm.tm_isdst = -1;
	t = mktime(&tm);
	if (t == (time_t)-1 || !same_day(&said, &tm))
		return -EINVAL;
	*ret_ns = (int64_t)t * ONCE_NSEC_PER_SEC + ns;
	return 0;
}

static int relative(const char *text, int64_t now_ns, int64_t *ret_ns)
{
	int64_t ns;

	if (duration_parse(text + 1, strlen(text + 1), &ns, NULL) < 0 || ns > INT64_MAX / 4)
		return -EINVAL;
	*ret_ns = *text == '-' ? now_ns - ns : now_ns + ns;
	return *ret_ns >= 0 ? 0 : -EINVAL;
}

int ctl_time_read(const char *text, int64_t now_ns, int64_t *ret_ns)
{
	time_t now = (time_t)(now_ns / ONCE_NSEC_PER_SEC);
	const char *at = text;
	struct tm tm = {0};
	int64_t ns;

	if (strcmp(text, "now") == 0) {
		*ret_ns = now_ns;
		return 0;
	}
	if (*text == '+' || *text == '-')
		return relative(text, now_ns, ret_ns);
	if (strlen(text) > 2 && text[2] == ':') {
		if (!localtime_r(&now, &tm) || read_clock(&at, &tm, &ns) < 0)
			return -EINVAL;
		return in_local_time(at, tm, ns, ret_ns);
	}
	if (read_date(&at, &tm) < 0 || (*at != 'T' && *at != ' '))
		return -EINVAL;
	at++;
	if (read_clock(&at, &tm, &ns) < 0)
		return -EINVAL;
	/* Two hundred years on, nanoseconds overflow. */
	if (tm.tm_year >= 2200 - 1900)
		return -EINVAL;
	return *at ? in_utc(at, tm, ns, ret_ns) : in_local_time(at, tm, ns, ret_ns);
}

int ctl_parse_time(const char *what, const char *text, int64_t *ret_ns)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	if (ctl_time_read(text, now.tv_sec * ONCE_NSEC_PER_SEC + now.tv_nsec, ret_ns) == 0)
		return 0;
	return ctl_error(CTL_USAGE,
		"%s: bad time \"%s\", expected for instance 2026-11-22T18:30:00Z, \"2026-11-22 "
		"18:30\", 18:30, now, +90s or -5min",
		what, text);
}
