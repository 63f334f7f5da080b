/* base/utf8.h */
#include "base/utf8.h"
#include "unit.h"

static const struct {
	const char *bytes;
	size_t n; /* of the first character */
	uint32_t c;
} cases[] = {
	{"a", 1, 'a'},
	{"\x7f", 1, 0x7f},
	{"\xc2\x80", 2, 0x80},
	{"\xdf\xbf", 2, 0x7ff},
	{"\xe0\xa0\x80", 3, 0x800},
	{"\xed\x9f\xbf", 3, 0xd7ff},
	{"\xee\x80\x80", 3, 0xe000},
	{"\xef\xbf\xbf", 3, 0xffff},
	{"\xf0\x90\x80\x80", 4, 0x10000},
	{"\xf4\x8f\xbf\xbf", 4, 0x10ffff},
	{"\x80", 0, 0},
	{"\xc0\x80", 0, 0},
	{"\xc1\xbf", 0, 0},
	{"\xc2", 0, 0},
	{"\xc2z", 0, 0},
	{"\xe0\x9f\xbf", 0, 0},
	{"\xe2\x82", 0, 0},
	{"\xed\xa0\x80", 0, 0},
	{"\xed\xbf\xbf", 0, 0},
	{"\xf0\x8f\xbf\xbf", 0, 0},
	{"\xf4\x90\x80\x80", 0, 0},
	{"\xf5\x80\x80\x80", 0, 0},
	{"\xff", 0, 0},
};

static void test_characters(void **state)
{
	for (size_t i = 0; i < LENGTH(cases); i++) {
		size_t size = strlen(cases[i].bytes);
		uint32_t c = 0;

		if (utf8_next(cases[i].bytes, size, &c) != cases[i].n || c != cases[i].c)
			fail_msg("case %zu", i);
		assert_int_equal(utf8_valid(cases[i].bytes, size), cases[i].n == size);
	}
	assert_int_equal(utf8_next("", 0, NULL), 0);
	assert_int_equal(utf8_next("\xc3\xbc", 1, NULL), 0);
	assert_int_equal(utf8_next("\xf0\x9f\x98\x80", 3, NULL), 0);
	assert_true(utf8_valid("", 0));
	assert_true(utf8_valid("a\xc3\xa4\0z", 5));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_characters),
	};

	return cmocka_run_group_tests_name("utf8", tests, NULL, NULL);
}
