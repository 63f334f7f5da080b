/* base/escape.h */
#include "base/escape.h"
#include "unit.h"

static const struct {
	const char *bytes;
	const char *text;
} cases[] = {
	{"", ""},
	{"etcdserver: no leader", "etcdserver: no leader"},
	{"a\nb\r\tc", "a\\x0ab\\x0d\\x09c"},
	{"\x1b[2Jgone", "\\x1b[2Jgone"},
	{"\x7f", "\\x7f"},
	{"gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f"},
	{"\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80"},
	{"\xff\xc3", "\\xff\\xc3"},
	{"\xc0\xaf", "\\xc0\\xaf"},
	{"\xc2\x9b[31m", "\\xc2\\x9b[31m"},
	{"a\xe2\x80\xa8z", "a\\xe2\\x80\\xa8z"},
	{"\"\\", "\"\\"},
};

static void test_only_harmless_bytes_pass(void **state)
{
	char out[128];

	for (size_t i = 0; i < LENGTH(cases); i++) {
		size_t n = escape_line(out, sizeof(out), cases[i].bytes, strlen(cases[i].bytes));

		assert_string_equal(out, cases[i].text);
		assert_int_equal(n, strlen(cases[i].text));
	}
	escape_line(out, sizeof(out), "a\0b", 3);
	assert_string_equal(out, "a\\x00b");
}

static void test_what_does_not_fit_is_cut_and_marked(void **state)
{
	static const struct {
		const char *bytes;
		size_t cap;
		const char *text;
	} cuts[] = {
		{"12345678", 9, "12345678"},
		{"123456789", 9, "12345..."},
		{"1234\x01", 9, "1234\\x01"},
		{"12345\x01", 9, "12345..."},
		{"12\x01\x01", 9, "12..."},
		{"1234\xc3\xbc\xc3\xbc\xc3\xbc", 9, "1234..."},
		{"12", 2, "1"},
		{"1234", 4, "..."},
		{"123", 3, "12"},
		{"1", 1, ""},
	};
	char out[16];

	for (size_t i = 0; i < LENGTH(cuts); i++) {
		memset(out, 'Z', sizeof(out));
		escape_line(out, cuts[i].cap, cuts[i].bytes, strlen(cuts[i].bytes));
		assert_string_equal(out, cuts[i].text);
		assert_int_equal(out[cuts[i].cap], 'Z');
	}
	assert_int_equal(escape_line(NULL, 0, "abc", 3), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_only_harmless_bytes_pass),
		cmocka_unit_test(test_what_does_not_fit_is_cut_and_marked),
	};

	return cmocka_run_group_tests_name("escape", tests, NULL, NULL);
}
