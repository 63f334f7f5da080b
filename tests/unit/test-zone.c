/* core/zone.h and core/civil.h: files made here, byte by byte. */
#include "core/civil.h"
#include "core/zone.h"
#include "unit.h"

/* A file of version 2 whose first part is empty. */
struct file {
	unsigned char data[4096];
	size_t size;
};

struct shape {
	uint32_t n_ut, n_standard, n_leaps, n_changes, n_types, n_chars;
};

static void put(struct file *f, const void *data, size_t size)
{
	memcpy(f->data + f->size, data, size);
	f->size += size;
}

static void put_big(struct file *f, uint64_t value, int bytes)
{
	while (bytes-- > 0)
		f->data[f->size++] = (unsigned char)(value >> 8 * bytes);
}

static void put_header(struct file *f, const struct shape *s)
{
	static const unsigned char reserved[15];

	put(f, "TZif2", 5);
	put(f, reserved, sizeof(reserved));
	put_big(f, s->n_ut, 4);
	put_big(f, s->n_standard, 4);
	put_big(f, s->n_leaps, 4);
	put_big(f, s->n_changes, 4);
	put_big(f, s->n_types, 4);
	put_big(f, s->n_chars, 4);
}

static void put_type(struct file *f, int32_t offset_s, int dst, unsigned abbreviation)
{
	put_big(f, (uint32_t)offset_s, 4);
	put_big(f, (unsigned)dst, 1);
	put_big(f, abbreviation, 1);
}

/* An hour east of UTC, two of them from 1000 to 2000; then the footer. */
static void make(struct file *f, const char *footer)
{
	static const struct shape shape = {0, 0, 0, 2, 2, 8};

	f->size = 0;
	put_header(f, &(struct shape){0});
	put_header(f, &shape);
	put_big(f, 1000, 8);
	put_big(f, 2000, 8);
	put(f, "\1\0", 2);
	put_type(f, 3600, 0, 0);
	put_type(f, 7200, 1, 4);
	put(f, "ONE\0TWO", 8);
	put(f, "\n", 1);
	put(f, footer, strlen(footer));
	put(f, "\n", 1);
}

static struct zone parsed(const char *footer)
{
	struct zone zone;
	struct file f;

	make(&f, footer);
	assert_null(zone_parse(&zone, f.data, f.size));
	return zone;
}

static void check_segment(const struct zone *zone, int64_t at_s, int64_t start_s, int64_t end_s,
	int32_t offset_s, const char *abbreviation)
{
	struct zone_segment segment;

	zone_at(zone, at_s, &segment);
	assert_int_equal(segment.start_s, start_s);
	assert_int_equal(segment.end_s, end_s);
	assert_int_equal(segment.type.offset_s, offset_s);
	assert_string_equal(segment.type.abbreviation, abbreviation);
}

static int64_t utc(int year, int month, int day, int hour)
{
	return civil_days(year, month, day) * CIVIL_DAY + hour * 3600;
}

static void test_listed_changes(void **state)
{
	struct zone zone = parsed("");

	check_segment(&zone, INT64_MIN, INT64_MIN, 1000, 3600, "ONE");
	check_segment(&zone, 999, INT64_MIN, 1000, 3600, "ONE");
	check_segment(&zone, 1000, 1000, 2000, 7200, "TWO");
	check_segment(&zone, 2000, 2000, INT64_MAX, 3600, "ONE");
	check_segment(&zone, INT64_MAX, 2000, INT64_MAX, 3600, "ONE");
}

static void test_footer_without_rules(void **state)
{
	struct zone zone = parsed("<-0330>3:30");

	check_segment(&zone, 1999, 1000, 2000, 7200, "TWO");
	check_segment(&zone, 2000, 2000, INT64_MAX, -12600, "-0330");
}

static void test_footer_with_rules(void **state)
{
	struct zone zone = parsed("CET-1CEST,M3.5.0,M10.5.0/3");

	check_segment(
		&zone, utc(2026, 7, 1, 0), utc(2026, 3, 29, 1), utc(2026, 10, 25, 1), 7200, "CEST");
	check_segment(&zone, utc(2026, 10, 25, 1), utc(2026, 10, 25, 1), utc(2027, 3, 28, 1), 3600,
		"CET");
	check_segment(&zone, utc(2199, 12, 31, 0), utc(2199, 10, 27, 1), utc(2200, 3, 30, 1), 3600,
		"CET");
	check_segment(&zone, 2001, 2000, utc(1970, 3, 29, 1), 3600, "CET");
	/* years that cannot be counted have standard time */
	check_segment(&zone, utc(9999, 7, 1, 0), utc(9998, 1, 1, 0), INT64_MAX, 3600, "CET");
	/* the south: over New Year; and the other half hour */
	zone = parsed("<+1030>-10:30<+11>-11,M10.1.0,M4.1.0");
	check_segment(&zone, utc(2026, 1, 1, 0), utc(2025, 10, 4, 15) + 1800, utc(2026, 4, 4, 15),
		39600, "+11");
	/* Ireland: winter is the exception */
	zone = parsed("IST-1GMT0,M10.5.0,M3.5.0/1");
	check_segment(
		&zone, utc(2026, 7, 1, 0), utc(2026, 3, 29, 1), utc(2026, 10, 25, 1), 3600, "IST");
	/* times out of the day */
	zone = parsed("<-02>2<-01>,M3.5.0/-1,M10.5.0/0");
	check_segment(
		&zone, utc(2026, 7, 1, 0), utc(2026, 3, 29, 1), utc(2026, 10, 25, 1), -3600, "-01");
	/* days by number, with and without 29 February; daylight saving time for ever */
	zone = parsed("AAA0BBB,J60/0,J61/0");
	check_segment(
		&zone, utc(2028, 3, 1, 5), utc(2028, 3, 1, 0), utc(2028, 3, 1, 23), 3600, "BBB");
	zone = parsed("AAA0BBB,59/0,60/0");
	check_segment(
		&zone, utc(2028, 2, 29, 5), utc(2028, 2, 29, 0), utc(2028, 2, 29, 23), 3600, "BBB");
	zone = parsed("XXX3EDT4,0/0,J365/23");
	check_segment(
		&zone, utc(2026, 7, 1, 0), utc(2026, 1, 1, 3), utc(2027, 1, 1, 3), -14400, "EDT");
}

static void test_utc(void **state)
{
	struct zone zone;

	zone_init_utc(&zone);
	check_segment(&zone, 0, INT64_MIN, INT64_MAX, 0, "UTC");
}

static void test_footers_that_are_wrong(void **state)
{
	static const char *const wrong[] = {"C", "CET", "CE-1", "<+01-1", "<>-1", "CET-25",
		"CET-1CEST", "CET-1CEST,M3.5.0", "CET-1CEST,M3.6.0,M10.5.0",
		"CET-1CEST,M13.5.0,M10.5.0", "CET-1CEST,M0.5.0,M10.5.0", "CET-1CEST,M3.5.7,M10.5.0",
		"CET-1CEST,J0,J365", "CET-1CEST,0,366", "CET-1CEST,M3.5.0/168,M10.5.0",
		"CET-1CEST,M3.5.0,M10.5.0x", "CET-1CEST-2-3,M3.5.0,M10.5.0", "CET-1:60", "-1",
		"CET-1 CEST", "ABCDEFGHIJKL-1", "CET-99999999999", "\xff\xff\xff-1"};
	struct zone zone;
	struct file f;

	for (size_t i = 0; i < LENGTH(wrong); i++) {
		make(&f, wrong[i]);
		check_case(wrong[i], zone_parse(&zone, f.data, f.size) != NULL);
	}
}

/* Every file that ends too early, and every byte of one that is another one: an answer or a
 * refusal. */
static void test_damaged_files(void **state)
{
	struct zone_segment segment;
	struct zone zone;
	struct file f;

	make(&f, "CET-1CEST,M3.5.0,M10.5.0/3");
	for (size_t size = 0; size < f.size; size++)
		assert_non_null(zone_parse(&zone, f.data, size));
	for (size_t i = 0; i < f.size; i++) {
		for (unsigned x = 1; x < 256; x += 2) {
			f.data[i] ^= (unsigned char)x;
			if (!zone_parse(&zone, f.data, f.size))
				zone_at(&zone, 1500, &segment);
			f.data[i] ^= (unsigned char)x;
		}
	}
}

static void test_what_is_wrong_is_said(void **state)
{
	struct zone zone;
	struct file f;

	assert_string_equal(zone_parse(&zone, "hello", 5), "it does not begin with TZif");
	make(&f, "");
	f.data[4] = 0;
	assert_non_null(strstr(zone_parse(&zone, f.data, f.size), "version 1"));
	make(&f, "");
	f.data[44 + 28 + 3] = 1;
	assert_non_null(strstr(zone_parse(&zone, f.data, f.size), "leap seconds"));
	make(&f, "");
	f.data[88 + 7] = 0xff; /* 1000 becomes 1023, 2000 becomes 1000 */
	f.data[88 + 6] = 0xff;
	assert_non_null(strstr(zone_parse(&zone, f.data, f.size), "order"));
	make(&f, "");
	f.data[88 + 16] = 7;
	assert_non_null(strstr(zone_parse(&zone, f.data, f.size), "does not have"));
}

static void test_civil(void **state)
{
	char text[CIVIL_TEXT_MAX];
	int64_t days = civil_days(1600, 1, 1);

	for (int year = 1600; year <= 2400; year++) {
		bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

		for (int month = 1; month <= 12; month++) {
			int length = civil_month_length(year, month);

			assert_true(length == 31 || length == 30 ||
				    (month == 2 && length == 28 + leap));
			for (int day = 1; day <= length; day++, days++) {
				struct civil c = civil_from_seconds(days * CIVIL_DAY + 86399);

				assert_int_equal(civil_days(year, month, day), days);
				assert_true(c.year == year && c.month == month && c.day == day);
				assert_true(c.hour == 23 && c.minute == 59 && c.second == 59);
				assert_int_equal(c.weekday, civil_weekday(days));
				assert_int_equal(civil_seconds(&c), days * CIVIL_DAY + 86399);
			}
		}
	}
	assert_int_equal(civil_days(1970, 1, 1), 0);
	assert_int_equal(civil_weekday(civil_days(2026, 11, 22)), 0);
	assert_string_equal(civil_format(text, INT64_C(1795372205)), "2026-11-22 18:30:05");
	assert_string_equal(civil_format(text, -1), "1969-12-31 23:59:59");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_listed_changes),
		cmocka_unit_test(test_footer_without_rules),
		cmocka_unit_test(test_footer_with_rules),
		cmocka_unit_test(test_utc),
		cmocka_unit_test(test_footers_that_are_wrong),
		cmocka_unit_test(test_damaged_files),
		cmocka_unit_test(test_what_is_wrong_is_said),
		cmocka_unit_test(test_civil),
	};

	return cmocka_run_group_tests_name("zone", tests, NULL, NULL);
}
