/* base/buf.h */
#include "base/buf.h"
#include "unit.h"

static void test_appends_follow_each_other(void **state)
{
	struct buf buf;

	buf_init(&buf, 1000);
	assert_string_equal(buf_text(&buf), "");
	buf_puts(&buf, "ab");
	buf_putc(&buf, 'c');
	buf_append(&buf, "\0d", 2);
	buf_put_i64(&buf, INT64_MIN);
	buf_put_u64(&buf, UINT64_MAX);
	assert_int_equal(buf_printf(&buf, "-%s-%03d", "x", 7), 0);
	assert_int_equal(buf.size, 5 + 20 + 20 + 6);
	assert_memory_equal(
		buf.data, "abc\0d-922337203685477580818446744073709551615-x-007", buf.size + 1);
	buf_fini(&buf);
}

static void test_the_maximum_is_exact_and_sticks(void **state)
{
	struct buf buf;

	buf_init(&buf, 10);
	assert_int_equal(buf_puts(&buf, "0123456789"), 0);
	assert_int_equal(buf_append(&buf, "", 0), 0);
	assert_int_equal(buf_putc(&buf, 'x'), -E2BIG);
	assert_int_equal(buf.size, 10);
	assert_int_equal(buf_append(&buf, "", 0), -E2BIG);
	assert_null(buf_extend(&buf, 0));
	assert_int_equal(buf_error(&buf), -E2BIG);
	buf_reset(&buf);
	assert_int_equal(buf_printf(&buf, "%s", "01234567890"), -E2BIG);
	assert_int_equal(buf.size, 0);
	buf_reset(&buf);
	assert_int_equal(buf_puts(&buf, "ok"), 0);
	buf_fini(&buf);
}

static void test_sizes_cannot_overflow(void **state)
{
	struct buf buf;

	buf_init(&buf, SIZE_MAX);
	buf_puts(&buf, "abc");
	assert_null(buf_extend(&buf, SIZE_MAX));
	assert_int_equal(buf_error(&buf), -E2BIG);
	buf_reset(&buf);
	buf_puts(&buf, "abc");
	assert_null(buf_extend(&buf, SIZE_MAX - 3));
	assert_int_equal(buf_error(&buf), -E2BIG);
	buf_fini(&buf);
}

static void test_the_content_is_text(void **state)
{
	struct buf buf;

	buf_init(&buf, 100);
	buf_puts(&buf, "something longer");
	buf_reset(&buf);
	buf_append(&buf, "short", 5);
	assert_string_equal(buf_text(&buf), "short");
	buf_fini(&buf);
}

static void test_growing_keeps_the_content(void **state)
{
	struct buf buf;

	for (int secret = 0; secret < 2; secret++) {
		buf_init(&buf, 1 << 20);
		buf.secret = secret;
		for (int i = 0; i < 100000; i++)
			buf_putc(&buf, (char)('a' + i % 26));
		assert_int_equal(buf.size, 100000);
		for (int i = 0; i < 100000; i++)
			assert_int_equal(buf.data[i], 'a' + i % 26);
		buf_fini(&buf);
	}
}

static void test_consume_drops_from_the_front(void **state)
{
	struct buf buf;

	buf_init(&buf, 100);
	buf_consume(&buf, 5);
	buf_puts(&buf, "hello world");
	buf_consume(&buf, 6);
	assert_string_equal(buf_text(&buf), "world");
	buf_consume(&buf, 100);
	assert_int_equal(buf.size, 0);
	assert_string_equal(buf_text(&buf), "");
	buf_fini(&buf);
}

static void test_reset_of_a_secret_leaves_nothing(void **state)
{
	struct buf buf;

	buf_init(&buf, 100);
	buf.secret = true;
	buf_puts(&buf, "password");
	buf_reset(&buf);
	for (size_t i = 0; i < buf.cap; i++) {
		if (i < 8)
			assert_int_equal(buf.data[i], 0);
	}
	buf_fini(&buf);
	buf_fini(&buf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_appends_follow_each_other),
		cmocka_unit_test(test_the_maximum_is_exact_and_sticks),
		cmocka_unit_test(test_sizes_cannot_overflow),
		cmocka_unit_test(test_the_content_is_text),
		cmocka_unit_test(test_growing_keeps_the_content),
		cmocka_unit_test(test_consume_drops_from_the_front),
		cmocka_unit_test(test_reset_of_a_secret_leaves_nothing),
	};

	return cmocka_run_group_tests_name("buf", tests, NULL, NULL);
}
