/* Quoting: what systemd's manual says a value's words are. */
#include "tests/daemon/scratch.h"

#include "daemon/words.h"

static const struct row {
	const char *text;
	const char *words; /* joined by |; NULL: refused */
	const char *why;
} rows[] = {
	{"", "", NULL},
	{"   ", "", NULL},
	{"a", "a|", NULL},
	{" a\t b ", "a|b|", NULL},
	{"'a b' \"c d\"", "a b|c d|", NULL},
	{"a'b c'd", "ab cd|", NULL},
	{"'' \"\"", "||", NULL},
	{"'\"' \"'\"", "\"|'|", NULL},
	{"\\\"a\\\" \\'", "\"a\"|'|", NULL},
	{"a\\sb \\\\ \\t.", "a b|\\|\t.|", NULL},
	{"\\x41\\102\\u0043\\U00000044", "ABCD|", NULL},
	{"\\u00e4\\u20ac\\U0001f600", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80|", NULL},
	{"'\\x41'", "A|", NULL},
	{"$HOME %i *.c ~ ; && #", "$HOME|%i|*.c|~|;|&&|#|", NULL},
	{"'a", NULL, "a quote is not closed"},
	{"\"a'", NULL, "a quote is not closed"},
	{"a\\", NULL, "it ends with a backslash"},
	{"\\q", NULL, "unknown escape after a backslash (a backslash itself is \\\\)"},
	{"\\x4", NULL, "an escape lacks digits"},
	{"\\x4g", NULL, "an escape lacks digits"},
	{"\\777", NULL, "an escape lacks digits"},
	{"\\000", NULL, "an escape stands for NUL"},
	{"\\u0000", NULL, "an escape stands for NUL"},
	{"\\ud800", NULL, "an escape names no character"},
	{"\\U00110000", NULL, "an escape names no character"},
	{"\\Uffffffff", NULL, "an escape names no character"},
};

static void join(char *out, size_t size, char *const *words)
{
	*out = '\0';
	for (; *words; words++)
		(void)snprintf(out + strlen(out), size - strlen(out), "%s|", *words);
}

static void test_rows(void **state)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *why = "";
		char **words = NULL, joined[256];
		size_t n = 0;
		int r = words_split(rows[i].text, &words, &n, &why);

		if (rows[i].words) {
			assert_int_equal(r, 0);
			assert_null(words[n]);
			join(joined, sizeof(joined), words);
			assert_string_equal(joined, rows[i].words);
		} else {
			assert_int_equal(r, -EINVAL);
			assert_string_equal(why, rows[i].why);
		}
		words_free(words);
	}
}

static void test_printed_words_read_back(void **state)
{
	const char *const words[] = {
		"", "a b", "\"", "'", "\\", "\n\t\x7f\x1b", "\xff\xc3\xa4", "%n", NULL};
	char *text = NULL, **again = NULL;
	const char *why = "";
	size_t size = 0, n = 0;
	FILE *out = open_memstream(&text, &size);

	words_print(out, (char *const *)words);
	assert_int_equal(fclose(out), 0);
	for (const char *c = text; *c; c++)
		assert_true(*c >= ' ' && *c < 0x7f);
	assert_int_equal(words_split(text, &again, &n, &why), 0);
	assert_int_equal(n, 8);
	for (size_t i = 0; i < n; i++)
		assert_string_equal(again[i], words[i]);
	words_free(again);
	free(text);
}

static void test_too_many_words(void **state)
{
	char *text = calloc(1, 2 * WORDS_MAX + 3), **words = NULL;
	const char *why = "";
	size_t n = 0;

	for (size_t i = 0; i <= WORDS_MAX; i++)
		memcpy(text + 2 * i, "a ", 2);
	assert_int_equal(words_split(text, &words, &n, &why), -E2BIG);
	assert_string_equal(why, "too many words");
	text[2 * WORDS_MAX] = '\0';
	assert_int_equal(words_split(text, &words, &n, &why), 0);
	assert_int_equal(n, WORDS_MAX);
	words_free(words);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_printed_words_read_back),
		cmocka_unit_test(test_too_many_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
