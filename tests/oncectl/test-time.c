/* Moments as people write them. */
#include "../unit/unit.h"

#include "tools/oncectl/ctl.h"

#include <time.h>

static const int64_t now = INT64_C(1795451400) * ONCE_NSEC_PER_SEC; /* 2026-11-23T16:30:00Z */

static void good(void **state)
{
	static const struct {
		const char *text;
		int64_t s, ns;
	} cases[] = {
		{"now", 1795451400, 0},
		{"+90s", 1795451490, 0},
		{"-5min", 1795451100, 0},
		{"2026-11-23T16:30:00Z", 1795451400, 0},
		{"2026-11-23T16:30Z", 1795451400, 0},
		{"2026-11-23T16:30:00.25Z", 1795451400, 250000000},
		{"2026-11-23T16:30:00.123456789Z", 1795451400, 123456789},
		{"2026-11-23 16:30:00+05:30", 1795431600, 0},
		{"2026-11-23T16:30:00-01:00", 1795455000, 0},
		/* TZ=Europe/Berlin, winter and summer */
		{"2026-11-23 17:30", 1795451400, 0},
		{"2026-11-23T17:30:01", 1795451401, 0},
		{"2026-07-01 12:00", 1782900000, 0},
		{"17:30", 1795451400, 0},
		{"18:00:30", 1795453230, 0},
		{"1970-01-01T00:00:00Z", 0, 0},
		{"2024-02-29T00:00:00Z", 1709164800, 0},
	};
	int64_t ns;

	for (size_t i = 0; i < LENGTH(cases); i++) {
		check_case(cases[i].text, ctl_time_read(cases[i].text, now, &ns) == 0);
		check_case(cases[i].text, ns == cases[i].s * ONCE_NSEC_PER_SEC + cases[i].ns);
	}
}

static void bad(void **state)
{
	static const char *const cases[] = {"", " ", "tomorrow", "Now", "+", "-", "+5", "+-5s",
		"5min", "2026", "2026-11-23", "2026-11-23T", "2026-11-23T16",
		"2026-11-23T16:60:00Z", "2026-11-23T24:00:00Z", "2026-11-23T16:30:60Z",
		"2026-13-01T00:00:00Z", "2026-02-29T00:00:00Z", "2026-11-31 00:00",
		"2026-00-10T00:00:00Z", "2026-11-23T16:30:00.Z", "2026-11-23T16:30:00z",
		"2026-11-23T16:30:00Zx", "2026-11-23T16:30:00+1", "2026-11-23T16:30:00 Z",
		"2026-1-23T16:30:00Z", "2026-11-23T16:30:00+25:00", "9999-01-01T00:00:00Z",
		"1969-12-31T23:59:59Z", "25:00", "16:3", "16:30x", "-9999999999999999999s",
		"-100000d"};
	int64_t ns = 7;

	for (size_t i = 0; i < LENGTH(cases); i++)
		check_case(cases[i], ctl_time_read(cases[i], now, &ns) == -EINVAL);
	assert_int_equal(ns, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(good), cmocka_unit_test(bad)};

	tzset();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
