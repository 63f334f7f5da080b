/* etcd/split.h */
#include "etcd/split.h"
#include "unit.h"

/* All lines so far, each followed by '|', behind what out holds. */
static int take_all(struct split *split, struct buf *out)
{
	const char *line;
	size_t size;
	int r;

	while ((r = split_next(split, &line, &size)) > 0) {
		buf_append(out, line, size);
		buf_putc(out, '|');
	}
	return r;
}

static const struct {
	const char *stream, *lines;
} cases[] = {
	{"", ""},
	{"{}\n", "{}|"},
	{"{\"a\":1}\n{\"b\":2}\n", "{\"a\":1}|{\"b\":2}|"},
	{"{}\n{\"error\":{}}", "{}|{\"error\":{}}|"},
	{"\n\n{}\n\n{}\n\n", "{}|{}|"},
	{"x", "x|"},
	{"\n", ""},
};

static void test_any_chunking_gives_the_same_lines(void **state)
{
	for (size_t i = 0; i < LENGTH(cases); i++) {
		size_t size = strlen(cases[i].stream);

		for (size_t chunk = 1; chunk <= size + 1; chunk++) {
			struct split split;
			struct buf out;

			split_init(&split, 0);
			buf_init(&out, 1000);
			for (size_t at = 0; at < size; at += chunk) {
				size_t n = size - at < chunk ? size - at : chunk;

				assert_int_equal(split_push(&split, cases[i].stream + at, n), 0);
				assert_int_equal(take_all(&split, &out), 0);
			}
			split_end(&split);
			assert_int_equal(take_all(&split, &out), 0);
			assert_int_equal(take_all(&split, &out), 0);
			assert_string_equal(buf_text(&out), cases[i].lines);
			buf_fini(&out);
			split_fini(&split);
		}
	}
}

static void test_an_unfinished_line_waits_for_the_end(void **state)
{
	struct split split;
	const char *line;
	size_t size;

	split_init(&split, 0);
	split_push(&split, "abc", 3);
	assert_int_equal(split_next(&split, &line, &size), 0);
	split_push(&split, "def", 3);
	assert_int_equal(split_next(&split, &line, &size), 0);
	split_end(&split);
	assert_int_equal(split_next(&split, &line, &size), 1);
	assert_int_equal(size, 6);
	assert_memory_equal(line, "abcdef", 6);
	assert_int_equal(split_next(&split, &line, &size), 0);
	split_fini(&split);
}

static void test_the_line_cap_is_exact(void **state)
{
	static const struct {
		const char *stream, *lines;
		int r;
	} caps[] = {
		{"12345\n12345\n", "12345|12345|", 0},
		{"12345\n123456\n", "12345|", -EBADMSG},
		{"123456", "", -EBADMSG},
		{"12345", "", 0},
	};

	for (size_t i = 0; i < LENGTH(caps); i++) {
		struct split split;
		struct buf out;

		split_init(&split, 5);
		buf_init(&out, 1000);
		split_push(&split, caps[i].stream, strlen(caps[i].stream));
		check_case(caps[i].stream, take_all(&split, &out) == caps[i].r);
		check_case(caps[i].stream, strcmp(buf_text(&out), caps[i].lines) == 0);
		check_case(caps[i].stream, take_all(&split, &out) == caps[i].r);
		check_case(caps[i].stream, split_push(&split, "", 0) == caps[i].r);
		buf_fini(&out);
		split_fini(&split);
	}
}

static void test_reset_begins_a_new_stream(void **state)
{
	struct split split;
	struct buf out;

	split_init(&split, 3);
	buf_init(&out, 100);
	split_push(&split, "12345", 5);
	split_end(&split);
	assert_int_equal(take_all(&split, &out), -EBADMSG);
	split_reset(&split);
	assert_int_equal(split_push(&split, "abc\nd", 5), 0);
	assert_int_equal(take_all(&split, &out), 0);
	assert_string_equal(buf_text(&out), "abc|");
	buf_fini(&out);
	split_fini(&split);
}

static void test_lines_taken_are_not_kept(void **state)
{
	struct split split;
	struct buf out;

	split_init(&split, 0);
	for (int i = 0; i < 10000; i++) {
		buf_init(&out, 100);
		split_push(&split, "0123456789\n0123", 15);
		assert_int_equal(take_all(&split, &out), 0);
		split_push(&split, "456789\n", 7);
		assert_int_equal(take_all(&split, &out), 0);
		assert_string_equal(buf_text(&out), "0123456789|0123456789|");
		buf_fini(&out);
	}
	assert_true(split.buf.cap < 1000);
	split_fini(&split);
}

static void test_a_long_line_in_small_pieces(void **state)
{
	struct split split;
	const char *line;
	size_t size;

	split_init(&split, 0);
	for (int i = 0; i < 20000; i++) {
		split_push(&split, "0123456789012345678901234567890123456789", 40);
		assert_int_equal(split_next(&split, &line, &size), 0);
	}
	split_push(&split, "\n", 1);
	assert_int_equal(split_next(&split, &line, &size), 1);
	assert_int_equal(size, 800000);
	split_fini(&split);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_any_chunking_gives_the_same_lines),
		cmocka_unit_test(test_an_unfinished_line_waits_for_the_end),
		cmocka_unit_test(test_the_line_cap_is_exact),
		cmocka_unit_test(test_reset_begins_a_new_stream),
		cmocka_unit_test(test_lines_taken_are_not_kept),
		cmocka_unit_test(test_a_long_line_in_small_pieces),
	};

	return cmocka_run_group_tests_name("split", tests, NULL, NULL);
}
