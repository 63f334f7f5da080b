/* base/number.h */
#include "base/number.h"
#include "unit.h"

static const struct {
	const char *text;
	int r_i64;
	int64_t i64;
	int r_u64;
	uint64_t u64;
} cases[] = {
	{"0", 0, 0, 0, 0},
	{"1", 0, 1, 0, 1},
	{"-1", 0, -1, -EINVAL, 0},
	{"-5", 0, -5, -EINVAL, 0},
	{"9007199254740993", 0, 9007199254740993, 0, 9007199254740993},
	{"9223372036854775807", 0, INT64_MAX, 0, INT64_MAX},
	{"9223372036854775808", -ERANGE, 0, 0, UINT64_C(9223372036854775808)},
	{"-9223372036854775808", 0, INT64_MIN, -EINVAL, 0},
	{"-9223372036854775809", -ERANGE, 0, -EINVAL, 0},
	{"17163497475567447734", -ERANGE, 0, 0, UINT64_C(17163497475567447734)},
	{"18446744073709551615", -ERANGE, 0, 0, UINT64_MAX},
	{"18446744073709551616", -ERANGE, 0, -ERANGE, 0},
	{"99999999999999999999999999", -ERANGE, 0, -ERANGE, 0},
	{"99999999999999999999999x", -EINVAL, 0, -EINVAL, 0},
	{"", -EINVAL, 0, -EINVAL, 0},
	{"-", -EINVAL, 0, -EINVAL, 0},
	{"-0", -EINVAL, 0, -EINVAL, 0},
	{"--1", -EINVAL, 0, -EINVAL, 0},
	{"+1", -EINVAL, 0, -EINVAL, 0},
	{"01", -EINVAL, 0, -EINVAL, 0},
	{"00", -EINVAL, 0, -EINVAL, 0},
	{" 1", -EINVAL, 0, -EINVAL, 0},
	{"1 ", -EINVAL, 0, -EINVAL, 0},
	{"1.0", -EINVAL, 0, -EINVAL, 0},
	{"1e3", -EINVAL, 0, -EINVAL, 0},
	{"0x10", -EINVAL, 0, -EINVAL, 0},
	{"1\n", -EINVAL, 0, -EINVAL, 0},
};

static void test_parse(void **state)
{
	for (size_t i = 0; i < LENGTH(cases); i++) {
		const char *text = cases[i].text;
		uint64_t u = 42;
		int64_t s = 42;

		check_case(text, number_parse_i64(text, strlen(text), &s) == cases[i].r_i64);
		check_case(text, s == (cases[i].r_i64 ? 42 : cases[i].i64));
		check_case(text, number_parse_u64(text, strlen(text), &u) == cases[i].r_u64);
		check_case(text, u == (cases[i].r_u64 ? 42 : cases[i].u64));
	}
}

static void test_only_the_span_is_read(void **state)
{
	int64_t n;

	assert_int_equal(number_parse_i64("123456", 3, &n), 0);
	assert_int_equal(n, 123);
	assert_int_equal(number_parse_i64("1\0002", 3, &n), -EINVAL);
}

static void test_format_is_the_inverse(void **state)
{
	char text[NUMBER_TEXT_MAX];

	for (size_t i = 0; i < LENGTH(cases); i++) {
		size_t n = strlen(cases[i].text);

		if (cases[i].r_i64 == 0) {
			check_case(cases[i].text, number_format_i64(text, cases[i].i64) == n);
			check_case(cases[i].text, memcmp(text, cases[i].text, n) == 0);
		}
		if (cases[i].r_u64 == 0) {
			check_case(cases[i].text, number_format_u64(text, cases[i].u64) == n);
			check_case(cases[i].text, memcmp(text, cases[i].text, n) == 0);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_only_the_span_is_read),
		cmocka_unit_test(test_format_is_the_inverse),
	};

	return cmocka_run_group_tests_name("number", tests, NULL, NULL);
}
