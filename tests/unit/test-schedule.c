/* core/schedule.h. What instants there are is compared with other programs in tests/schedule; here
 * stand the rules that one must know, and what is refused. */
#include "core/civil.h"
#include "core/schedule.h"
#include "unit.h"

#define RULES "CET-1CEST,M3.5.0,M10.5.0/3"

/* Berlin's present rule, for ever. */
static struct zone berlin(void)
{
	static const unsigned char file[] = {'T', 'Z', 'i', 'f', '2', [36 + 3] = 1,
		[40 + 3] = 4, [50] = 'C', 'E', 'T', 0, 'T', 'Z', 'i', 'f', '2', [54 + 36 + 3] = 1,
		[54 + 40 + 3] = 4, [54 + 44 + 2] = 0x0e, 0x10, 0, 0, 'C', 'E', 'T', 0, '\n'};
	unsigned char data[sizeof(file) + sizeof(RULES)];
	struct zone zone;

	memcpy(data, file, sizeof(file));
	memcpy(data + sizeof(file), RULES "\n", sizeof(RULES));
	assert_null(zone_parse(&zone, data, sizeof(data)));
	return zone;
}

static struct schedule parsed(const char *text)
{
	struct schedule_error error;
	struct schedule s;

	if (schedule_parse(&s, text, strlen(text), &error))
		fail_msg("%s: column %zu: %s", text, error.column, error.text);
	return s;
}

static int64_t utc(int year, int month, int day, int hour, int minute)
{
	return civil_days(year, month, day) * CIVIL_DAY + hour * 3600 + minute * 60;
}

/* The instants of a day in UTC, "00:30 01:00"; a remark is a letter behind. */
static void check_day(const char *expression, int month, int day, const char *expected)
{
	static const char letters[] = {'\0', 'g', 'o', '1', '2'};
	struct schedule s = parsed(expression);
	int64_t start_s = utc(2026, month, day, 0, 0), at_s[64];
	struct zone zone = berlin();
	char out[512] = "";
	uint64_t rest;
	size_t n = schedule_between(
		&s, &zone, start_s - 1, start_s + CIVIL_DAY - 1, at_s, LENGTH(at_s), &rest);

	assert_int_equal(rest, 0);
	for (size_t i = 0; i < n; i++) {
		struct civil c = civil_from_seconds(at_s[i]);
		struct schedule_remark remark;
		size_t size = strlen(out);

		schedule_remark(&s, &zone, at_s[i], &remark);
		(void)snprintf(out + size, sizeof(out) - size, "%s%02d:%02d%s", i ? " " : "",
			c.hour, c.minute, (char[]){letters[remark.kind], '\0'});
	}
	if (strcmp(out, expected) != 0)
		fail_msg("%s: \"%s\", expected \"%s\"", expression, out, expected);
}

static void test_gap(void **state)
{
	/* 2026-03-29: at 01:00 UTC the clock goes from 02:00 to 03:00 */
	check_day("30 2 * * *", 3, 29, "01:00g");
	check_day("0,15,30,45 2 * * *", 3, 29, "01:00g");
	check_day("0 3 * * *", 3, 29, "01:00");
	check_day("0 2,3,4 * * *", 3, 29, "01:00g 02:00");
	check_day("30 * * * *", 3, 30,
		"00:30 01:30 02:30 03:30 04:30 05:30 06:30 07:30 08:30 09:30 10:30 11:30 12:30 "
		"13:30 "
		"14:30 15:30 16:30 17:30 18:30 19:30 20:30 21:30 22:30 23:30");
	check_day("*/30 1-3 * * *", 3, 29, "00:00 00:30 01:00 01:30 23:00 23:30");
	check_day("*/30 2 * * *", 3, 29, "");
	check_day("0 */2 * * *", 3, 29,
		"02:00 04:00 06:00 08:00 10:00 12:00 14:00 16:00 18:00 20:00 22:00");
	check_day("*-*-* 02:30", 3, 29, "01:00g");
	check_day("*-*-* 02:0/20", 3, 29, "");
	check_day("*-*-* 02:00..59", 3, 29, "01:00g");
}

static void test_fold(void **state)
{
	/* 2026-10-25: at 01:00 UTC the clock goes from 03:00 to 02:00 */
	check_day("30 2 * * *", 10, 25, "00:30o");
	check_day("0 2,3 * * *", 10, 25, "00:00o 02:00");
	check_day("0 3 * * *", 10, 25, "02:00");
	check_day("*/30 2 * * *", 10, 25, "00:001 00:301 01:002 01:302");
	check_day("*-*-* 02:30", 10, 25, "00:30o");
	check_day("2026-10-25 2:0/30", 10, 25, "00:001 00:301 01:002 01:302");
	check_day("2026-10-25 *:10", 10, 24, "22:10 23:10");
	check_day("@every 8h", 10, 25, "00:00 08:00 16:00");
}

static void check_next(const char *expression, int64_t after_s, int64_t expected_s)
{
	struct schedule s = parsed(expression);
	struct zone zone;
	int64_t at_s = -1;

	zone_init_utc(&zone);
	check_case(expression, schedule_next(&s, &zone, after_s, &at_s) == (expected_s >= 0));
	if (at_s != expected_s)
		fail_msg("%s: %lld, expected %lld", expression, (long long)at_s,
			(long long)expected_s);
}

static void test_next(void **state)
{
	int64_t noon = utc(2026, 11, 22, 12, 0);

	check_next("0 12 * * *", noon - 1, noon);
	check_next("0 12 * * *", noon, noon + CIVIL_DAY);
	check_next("@yearly", noon, utc(2027, 1, 1, 0, 0));
	check_next("@monthly", noon, utc(2026, 12, 1, 0, 0));
	check_next("@weekly", noon, utc(2026, 11, 29, 0, 0));
	check_next("@midnight", noon, utc(2026, 11, 23, 0, 0));
	check_next("@hourly", noon, noon + 3600);
	check_next("  @hourly\t", noon, noon + 3600);
	check_next("weekly", noon, utc(2026, 11, 23, 0, 0));
	check_next("0 0 29 2 *", noon, utc(2028, 2, 29, 0, 0));
	check_next("0 0 29 2 *", utc(2096, 3, 1, 0, 0), utc(2104, 2, 29, 0, 0));
	/* a day or a weekday; a field that begins with a star restricts with the other */
	check_next("0 0 13 * fri", noon, utc(2026, 11, 27, 0, 0));
	check_next("0 0 13 * fri", utc(2026, 12, 12, 0, 0), utc(2026, 12, 13, 0, 0));
	check_next("0 0 */2 * fri", noon, utc(2026, 11, 27, 0, 0));
	check_next("0 0 */3 * fri", noon, utc(2026, 12, 4, 0, 0));
	check_next("Fri *-*-13", noon, utc(2027, 8, 13, 0, 0));
	check_next("0 0 * * fri-sun", noon, utc(2026, 11, 27, 0, 0));
	check_next("0 0 * * 6-7", utc(2026, 11, 28, 0, 0), utc(2026, 11, 29, 0, 0));
	check_next("*-02~03", noon, utc(2027, 2, 26, 0, 0));
	check_next("Mon *-05~07/1", noon, utc(2027, 5, 31, 0, 0));
	check_next("*~7/2", noon, utc(2026, 11, 24, 0, 0));
	check_next("*~7/2", utc(2026, 11, 24, 0, 0), utc(2026, 11, 26, 0, 0));
	check_next("*~8/3", utc(2026, 11, 26, 0, 0), utc(2026, 11, 29, 0, 0));
	check_next("*~6..25/10", noon, utc(2026, 11, 25, 0, 0));
	check_next("*:*:0/20", noon, noon + 20);
	check_next("2020-01-01", noon, -1);
	check_next("2199-12-31 23:59:59", noon, utc(2199, 12, 31, 23, 59) + 59);
	check_next("* * * * *", INT64_MAX, -1);
	check_next("* * * * *", INT64_MIN, 0);
	check_next("@every 90s", noon + 1, noon - noon % 90 + 90);
	check_next("@every 1d", noon, utc(2026, 11, 23, 0, 0));
	check_next("@every 3660d", INT64_MIN, 0);
	check_next("@every 1s", INT64_MAX - 1, -1);
	check_next("@every 1s", utc(2199, 12, 31, 23, 59) + 59, -1);
}

static void test_previous_and_count(void **state)
{
	struct schedule s = parsed("*/5 * * * *"), every = parsed("@every 90s"),
			past = parsed("2020-01-01");
	struct schedule seconds = parsed("*:10,20:30"), skipped = parsed("0,15,30,45 2 * * *");
	struct zone zone = berlin();
	int64_t noon = utc(2026, 11, 22, 12, 0), at_s;

	assert_true(schedule_previous(&s, &zone, noon + 299, &at_s) && at_s == noon);
	assert_true(schedule_previous(&s, &zone, noon, &at_s) && at_s == noon);
	assert_true(schedule_previous(&every, &zone, noon + 89, &at_s) &&
		    at_s == noon - noon % 90 + (noon % 90 ? 90 : 0));
	assert_true(
		schedule_previous(&past, &zone, noon, &at_s) && at_s == utc(2019, 12, 31, 23, 0));
	assert_false(schedule_previous(&past, &zone, at_s - 1, &at_s));
	assert_true(schedule_previous(&seconds, &zone, noon + 20 * 60 + 29, &at_s) &&
		    at_s == noon + 10 * 60 + 30);
	assert_true(schedule_previous(&seconds, &zone, noon + 10 * 60 + 29, &at_s) &&
		    at_s == noon - 40 * 60 + 30);
	/* four local times that are skipped, one instant */
	assert_int_equal(
		schedule_count(&skipped, &zone, utc(2026, 3, 28, 12, 0), utc(2026, 3, 29, 12, 0)),
		1);
	assert_false(schedule_previous(&s, &zone, -1, &at_s));
	assert_true(schedule_previous(&s, &zone, INT64_MAX, &at_s));
	assert_int_equal(schedule_count(&s, &zone, noon, noon), 0);
	assert_int_equal(schedule_count(&s, &zone, noon, noon - 1), 0);
	assert_int_equal(schedule_count(&s, &zone, noon - 1, noon), 1);
	assert_int_equal(schedule_count(&s, &zone, noon, noon + 365 * CIVIL_DAY), 365 * 288);
	assert_int_equal(schedule_count(&every, &zone, 0, 900), 10);
	assert_int_equal(schedule_count(&every, &zone, INT64_MIN, 900), 11);
	assert_true(schedule_count(&every, &zone, INT64_MIN, INT64_MAX) > 80000000);
	assert_true(schedule_count(&s, &zone, INT64_MIN, INT64_MAX) > 24000000);
}

static void test_between(void **state)
{
	struct schedule s = parsed("* * * * *");
	struct zone zone;
	int64_t at_s[3];
	uint64_t rest;

	zone_init_utc(&zone);
	assert_int_equal(schedule_between(&s, &zone, 0, 600, at_s, LENGTH(at_s), &rest), 3);
	assert_int_equal(at_s[0], 60);
	assert_int_equal(at_s[2], 180);
	assert_int_equal(rest, 7);
	assert_int_equal(schedule_between(&s, &zone, 0, 600, at_s, 0, &rest), 0);
	assert_int_equal(rest, 10);
	assert_int_equal(schedule_between(&s, &zone, 0, 150, at_s, LENGTH(at_s), &rest), 2);
	assert_int_equal(rest, 0);
}

static void test_zone_in_the_expression(void **state)
{
	assert_string_equal(parsed("*-*-* 02:00 Europe/Berlin").zone, "Europe/Berlin");
	assert_string_equal(parsed("daily UTC").zone, "UTC");
	assert_string_equal(parsed("Mon 02:00").zone, "");
}

static void test_jitter(void **state)
{
	const int64_t jitter_ns = INT64_C(60000000000);
	int per_quarter[4] = {0};
	char name[16];

	assert_int_equal(schedule_jitter_ns("a", 1, 0), 0);
	assert_int_equal(schedule_jitter_ns("a", 1, -5), 0);
	assert_int_equal(schedule_jitter_ns("a", 1, 1), 0);
	/* for ever: a change moves every job there is */
	assert_int_equal(schedule_jitter_ns("backup", 6, jitter_ns), INT64_C(0x998da3557));
	for (int i = 0; i < 1000; i++) {
		int n = snprintf(name, sizeof(name), "job-%d", i);
		int64_t ns = schedule_jitter_ns(name, (size_t)n, jitter_ns);

		assert_in_range(ns, 0, jitter_ns - 1);
		per_quarter[ns * 4 / jitter_ns]++;
	}
	for (int i = 0; i < 4; i++)
		assert_in_range(per_quarter[i], 200, 300);
}

static const struct {
	const char *text;
	size_t column;
	const char *said;
} refused[] = {
	{"", 1, "it is empty"},
	{"   ", 1, "it is empty"},
	{"60 * * * *", 1, "\"60\" is out of range, expected a minute, 0 to 59"},
	{"0 24 * * *", 3, "\"24\" is out of range, expected an hour, 0 to 23"},
	{"0 0 0 * *", 5, "\"0\" is out of range, expected a day of the month, 1 to 31"},
	{"0 0 32 * *", 5, "1 to 31"},
	{"0 0 * 13 *", 7, "expected a month, 1 to 12 or jan to dec"},
	{"0 0 * foo *", 7, "\"foo\" is not possible here, expected a month"},
	{"0 0 * * 8", 9, "expected a weekday, 0 to 7 or sun to sat"},
	{"0 0 * * mo", 9, "expected a weekday"},
	{"mon * * * *", 1, "\"mon\" is not possible here, expected a minute"},
	{"99999999999999999999 * * * *", 1, "expected a minute"},
	{"-1 * * * *", 1, "expected a minute"},
	{"1- * * * *", 3, "it ends here, expected a minute"},
	{"1,,2 * * * *", 3, "expected a minute"},
	{"1, * * * *", 3, "expected a minute"},
	{"*/0 * * * *", 2, "\"/0\" is a step of nothing"},
	{"*/ * * * *", 2, "\"/\" is no step"},
	{"*/90 * * * *", 2, "\"/90\" is a step beyond a minute, 0 to 59"},
	{"5/15 * * * *", 1,
		"\"5/15\" is a step without a range, expected one, as in */15 or 5-59/15"},
	{"0 22-2 * * *", 3, "\"22-2\" goes backwards, expected two ranges"},
	{"0 2 * *", 8,
		"it ends here, expected 5 fields: minute hour day month weekday; missing is the "
		"weekday"},
	{"0 0 2 * * *", 11, "\"*\" is too much, expected 5 fields"},
	{"0 2 * * * root /bin/x", 11, "\"root\" is too much"},
	{"0 2 L * *", 5, "\"L\" is not cron's"},
	{"0 2 15W * *", 7, "\"W\" is not cron's"},
	{"0 2 * * 1#2", 10, "\"#\" is not cron's"},
	{"0 2 ? * *", 5, "\"?\" is not cron's, expected *"},
	{"H 2 * * *", 1, "\"H\" is not cron's"},
	{"0~30 2 * * *", 2, "\"~\" is random in some crons"},
	{"0 0 30 2 *", 1, "\"0 0 30 2 *\" never comes"},
	{"0 0 31 2,4,6,9,11 *", 1, "never comes"},
	{"CRON_TZ=UTC 0 0 * * *", 1, "expected TimeZone="},
	{"@reboot", 1, "\"@reboot\" is not possible, a cluster does not boot"},
	{"@Daily", 1, "is not known, expected @hourly"},
	{"@daily 5", 8, "\"5\" is too much"},
	{"@every", 7, "it ends here, expected a duration"},
	{"@every 5", 8, "\"5\" is no duration: no unit"},
	{"@every 5m", 8, "ms or min"},
	{"@every 1500ms", 8, "expected whole seconds"},
	{"@every 0s", 8, "expected whole seconds"},
	{"@every 4000d", 8, "expected 3660d at most"},
	{"@every 5s x", 11, "\"x\" is too much"},
	{"every day", 1, "\"every\" is not known, expected a weekday"},
	{"10", 1, "\"10\" is no date and no time"},
	{"Mon..", 6, "is not known, expected a weekday"},
	{"Fri..Tue", 1, "\"Fri..Tue\" goes backwards"},
	{"Mon 24:00", 5, "\"24\" is out of range, expected an hour"},
	{"26-10-15", 1, "\"26\" is out of range, expected a year, 1970 to 2199"},
	{"*-02-30", 1, "never comes"},
	{"*-*~29", 5, "expected a day from the month's end, 1 to 28"},
	{"Tue 2026-11-22", 1, "never comes"},
	{"*:*:0.5", 6, "is a fraction, expected whole seconds"},
	{"*:*/5", 3, "\"*/\" is not systemd's, expected a first value, as in 0/15"},
	{"*:55/20", 3, "\"55/20\" reaches no second value"},
	{"1:2:3:4", 1, "is no time"},
	{"2026-11-22 2", 12, "\"2\" is no time"},
	{"daily ../x", 7, "\"../x\" is no time zone"},
	{"daily UTC UTC", 11, "\"UTC\" is too much"},
	{"\x01\xff\n", 1, "\"???\" is no date"},
};

static void test_refusals(void **state)
{
	char long_text[SCHEDULE_TEXT_MAX + 2];
	struct schedule_error error;
	struct schedule s;

	for (size_t i = 0; i < LENGTH(refused); i++) {
		const char *text = refused[i].text;

		memset(&error, 0, sizeof(error));
		check_case(
			text, schedule_parse(&s, text, strlen(text), &error) == SCHEDULE_E_INVALID);
		if (error.column != refused[i].column || !strstr(error.text, refused[i].said))
			fail_msg("case \"%s\": column %zu: %s", text, error.column, error.text);
	}
	memset(long_text, ' ', sizeof(long_text));
	assert_int_equal(
		schedule_parse(&s, long_text, sizeof(long_text), &error), SCHEDULE_E_INVALID);
	assert_int_equal(error.column, SCHEDULE_TEXT_MAX + 1);
	memset(long_text, '1', sizeof(long_text));
	assert_int_equal(
		schedule_parse(&s, long_text, SCHEDULE_TEXT_MAX, &error), SCHEDULE_E_INVALID);
	assert_true(strlen(error.text) < sizeof(error.text) - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_gap),
		cmocka_unit_test(test_fold),
		cmocka_unit_test(test_next),
		cmocka_unit_test(test_previous_and_count),
		cmocka_unit_test(test_between),
		cmocka_unit_test(test_zone_in_the_expression),
		cmocka_unit_test(test_jitter),
		cmocka_unit_test(test_refusals),
	};

	return cmocka_run_group_tests_name("schedule", tests, NULL, NULL);
}
