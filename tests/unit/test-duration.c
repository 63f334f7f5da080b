/* base/duration.h */
#include "base/duration.h"
#include "unit.h"

#define MS INT64_C(1000000)
#define S (INT64_C(1000) * MS)

static const struct {
	const char *text;
	int r;
	int64_t ns;
	const char *again; /* as duration_format() writes it; NULL: as it was */
} cases[] = {
	{"900ms", 0, 900 * MS, NULL},
	{"1.5s", 0, 1500 * MS, NULL},
	{"2min", 0, 120 * S, NULL},
	{"1h", 0, 3600 * S, NULL},
	{"500us", 0, MS / 2, NULL},
	{"7ns", 0, 7, NULL},
	{"1d", 0, 86400 * S, NULL},
	{"0s", 0, 0, NULL},
	{"0d", 0, 0, "0s"},
	{"007s", 0, 7 * S, "7s"},
	{"0.1s", 0, 100 * MS, "100ms"},
	{"0.000000001s", 0, 1, "1ns"},
	{"1.000000001s", 0, 1 * S + 1, NULL},
	{"1.0000000010000s", 0, 1 * S + 1, "1.000000001s"},
	{"1.50ms", 0, 1500000, "1.5ms"},
	{"2.25us", 0, 2250, NULL},
	{"90min", 0, 5400 * S, NULL},
	{"1.5h", 0, 5400 * S, "90min"},
	{"0.1min", 0, 6 * S, "6s"},
	{"0.0000000000000001d", -EINVAL, 0, NULL},
	{"0.00000000000000001d", -EINVAL, 0, NULL},
	{"1.50000000000000000000000000000s", 0, 1500 * MS, "1.5s"},
	{"0.0000000000000000000000000000000000000000000000000000000000000000001d", -EINVAL, 0,
		NULL},
	{"0.5ns", -EINVAL, 0, NULL},
	{"1.0000000001s", -EINVAL, 0, NULL},
	{"0.33333333333333h", -EINVAL, 0, NULL},
	{"106751d", 0, INT64_C(106751) * 86400 * S, NULL},
	{"106752d", -ERANGE, 0, NULL},
	{"9223372036854775807ns", 0, INT64_MAX, "9223372036.854775807s"},
	{"9223372036854775808ns", -ERANGE, 0, NULL},
	{"9223372036.854775808s", -ERANGE, 0, NULL},
	{"99999999999999999999s", -ERANGE, 0, NULL},
	{"", -EINVAL, 0, NULL},
	{"5", -EINVAL, 0, NULL},
	{"0", -EINVAL, 0, NULL},
	{"1.5", -EINVAL, 0, NULL},
	{"s", -EINVAL, 0, NULL},
	{".5s", -EINVAL, 0, NULL},
	{"5.s", -EINVAL, 0, NULL},
	{"1.2.3s", -EINVAL, 0, NULL},
	{"-1s", -EINVAL, 0, NULL},
	{"+1s", -EINVAL, 0, NULL},
	{"1 s", -EINVAL, 0, NULL},
	{" 1s", -EINVAL, 0, NULL},
	{"1s ", -EINVAL, 0, NULL},
	{"1m", -EINVAL, 0, NULL},
	{"1sec", -EINVAL, 0, NULL},
	{"1S", -EINVAL, 0, NULL},
	{"1h30min", -EINVAL, 0, NULL},
	{"1e3s", -EINVAL, 0, NULL},
};

static void test_parse(void **state)
{
	for (size_t i = 0; i < LENGTH(cases); i++) {
		const char *text = cases[i].text, *why = NULL;
		int64_t ns = 42;

		check_case(text, duration_parse(text, strlen(text), &ns, &why) == cases[i].r);
		check_case(text, ns == (cases[i].r ? 42 : cases[i].ns));
		check_case(text, (why != NULL) == (cases[i].r != 0));
		check_case(text, duration_parse(text, strlen(text), &ns, NULL) == cases[i].r);
	}
}

static void test_format(void **state)
{
	for (size_t i = 0; i < LENGTH(cases); i++) {
		const char *expected = cases[i].again ? cases[i].again : cases[i].text;
		char text[DURATION_TEXT_MAX];

		if (cases[i].r == 0)
			assert_string_equal(duration_format(text, cases[i].ns), expected);
	}
}

static void test_format_reads_back(void **state)
{
	char text[DURATION_TEXT_MAX];
	int64_t back;

	for (int64_t ns = 1; ns < INT64_MAX / 7; ns = ns * 7 + 3) {
		duration_format(text, ns);
		assert_int_equal(duration_parse(text, strlen(text), &back, NULL), 0);
		assert_int_equal(back, ns);
	}
}

static void test_negative_is_shown(void **state)
{
	char text[DURATION_TEXT_MAX];

	assert_string_equal(duration_format(text, -1500 * MS), "-1.5s");
	assert_string_equal(duration_format(text, INT64_MIN), "-9223372036.854775808s");
}

static void test_the_reason_names_the_mistake(void **state)
{
	int64_t ns;
	const char *why = "";

	duration_parse("5", 1, &ns, &why);
	assert_non_null(strstr(why, "no unit"));
	duration_parse("5m", 2, &ns, &why);
	assert_non_null(strstr(why, "ms or min"));
	duration_parse("5x", 2, &ns, &why);
	assert_non_null(strstr(why, "unknown unit"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_format),
		cmocka_unit_test(test_format_reads_back),
		cmocka_unit_test(test_negative_is_shown),
		cmocka_unit_test(test_the_reason_names_the_mistake),
	};

	return cmocka_run_group_tests_name("duration", tests, NULL, NULL);
}
