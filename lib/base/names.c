/* Names and moments of once/names.h. */
#include <once/names.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

enum { UTC_SECONDS_SIZE = sizeof("2026-11-22T18:30:00Z") - 1 };

static const int64_t utc_end_ms = INT64_C(253402300800) * 1000; /* the year 10000 */

/* One of first, then any of rest, at most max in all. */
static bool spelled(const char *text, size_t max, const char *first, const char *rest)
{
	size_t n = text ? strnlen(text, max + 1) : 0;

	return n > 0 && n <= max && strchr(first, text[0]) && strspn(text, rest) == n;
}

bool once_name_valid(const char *name)
{
	return spelled(name, ONCE_NAME_MAX, LOWER DIGITS, LOWER DIGITS "._-");
}

bool once_id_valid(const char *id)
{
	return spelled(id, ONCE_ID_MAX, LOWER UPPER DIGITS, LOWER UPPER DIGITS "._:@+=,-");
}

bool once_prefix_valid(const char *prefix)
{
	size_t n = prefix ? strnlen(prefix, ONCE_PREFIX_MAX + 1) : 0;

	if (n < 2 || n > ONCE_PREFIX_MAX || prefix[0] != '/' || prefix[n - 1] == '/')
		return false;
	if (strstr(prefix, "//"))
		return false;
	for (size_t i = 0; i < n; i++) {
		if (prefix[i] <= ' ' || prefix[i] > '~' || strchr("\"\\", prefix[i]))
			return false;
	}
	return true;
}

char *once_utc_format(char out[ONCE_UTC_SIZE], int64_t ms)
{
	time_t seconds = (time_t)(ms / 1000);
	struct tm tm;
	size_t n = 0;

	if (ms > 0 && ms < utc_end_ms && gmtime_r(&seconds, &tm))
		n = strftime(out, ONCE_UTC_SIZE, "%Y-%m-%dT%H:%M:%S", &tm);
	if (n > 0 && ms % 1000 != 0)
		n += (size_t)snprintf(out + n, ONCE_UTC_SIZE - n, ".%03d", (int)(ms % 1000));
	if (n > 0)
		out[n++] = 'Z';
	out[n] = '\0';
	return out;
}

/* The digits at text, as a number; they are digits. */
static int number(const char *text, int digits)
{
	int value = 0;

	for (int i = 0; i < digits; i++)
		value = value * 10 + (text[i] - '0');
	return value;
}

int once_utc_parse(int64_t *ret_ms, const char *text, size_t size)
{
	static const char form[] = "0000-00-00T00:00:00Z", form_ms[] = "0000-00-00T00:00:00.000Z";
	const char *like = size == UTC_SECONDS_SIZE ? form : form_ms;
	char again[ONCE_UTC_SIZE];
	struct tm tm = {0};
	int64_t ms;

	if (size != UTC_SECONDS_SIZE && size != sizeof(form_ms) - 1)
		return -EINVAL;
	for (size_t i = 0; i < size; i++) {
		bool digit = text[i] >= '0' && text[i] <= '9';

		if (like[i] == '0' ? !digit : text[i] != like[i])
			return -EINVAL;
	}
	tm.tm_year = number(text, 4) - 1900;
	tm.tm_mon = number(text + 5, 2) - 1;
	tm.tm_mday = number(text + 8, 2);
	tm.tm_hour = number(text + 11, 2);
	tm.tm_min = number(text + 14, 2);
	tm.tm_sec = number(text + 17, 2);
	ms = (int64_t)timegm(&tm) * 1000 + (like == form_ms ? number(text + 20, 3) : 0);
	/* one spelling: neither the 31st of June nor ".000" */
	once_utc_format(again, ms);
	if (strlen(again) != size || memcmp(again, text, size) != 0)
		return -EINVAL;
	*ret_ms = ms;
	return 0;
}

int64_t once_utc_now(void)
{
	struct timespec now;

	if (clock_gettime(CLOCK_REALTIME, &now) < 0)
		return 0;
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t once_utc_unscheduled(int64_t now_ms)
{
	return now_ms % 1000 == 0 ? now_ms + 1 : now_ms;
}
