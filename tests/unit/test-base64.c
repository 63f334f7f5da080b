/* base/base64.h */
#include "base/base64.h"
#include "unit.h"

/* RFC 4648, section 10, and the keys of etcd that need care. */
static const struct {
	const char *bytes;
	size_t size;
	const char *text;
} pairs[] = {
	{"", 0, ""},
	{"f", 1, "Zg=="},
	{"fo", 2, "Zm8="},
	{"foo", 3, "Zm9v"},
	{"foob", 4, "Zm9vYg=="},
	{"fooba", 5, "Zm9vYmE="},
	{"foobar", 6, "Zm9vYmFy"},
	{"\0", 1, "AA=="},
	{"\xff\xfe\xfd", 3, "//79"},
	{"\xfb\xef\xbe", 3, "++++"},
};

static void test_known_pairs_both_ways(void **state)
{
	char text[16], bytes[16];
	size_t size;

	for (size_t i = 0; i < LENGTH(pairs); i++) {
		size_t n = base64_encoded_size(pairs[i].size);

		check_case(pairs[i].text, n == strlen(pairs[i].text));
		base64_encode(text, pairs[i].bytes, pairs[i].size);
		check_case(pairs[i].text, memcmp(text, pairs[i].text, n) == 0);
		check_case(pairs[i].text, base64_decode(bytes, &size, text, n) == 0);
		check_case(pairs[i].text, size == pairs[i].size);
		check_case(pairs[i].text, memcmp(bytes, pairs[i].bytes, size) == 0);
	}
}

static void test_anything_but_the_one_form_is_refused(void **state)
{
	static const char *const bad[] = {
		"Z",
		"Zg",
		"Zg=",
		"Zm8",
		"Zm9",
		"====",
		"=m9v",
		"Z===",
		"Zg==Zg==",
		"Zm8=Zm8=",
		"Zh==",
		"Zm9=",
		"Zg=v",
		"Zm 9v",
		"Zm\n9",
		"_-8=",
		"__79",
		"Zm9v\n",
		"Zm9vZg==\n",
		"Zg=a",
		"Zm9\x80",
		"Zm9*",
		"Zm9.",
		"@m9v",
		"[m9v",
		"`m9v",
		"{m9v",
		"/m9:",
	};
	char bytes[16];
	size_t size = 77;

	for (size_t i = 0; i < LENGTH(bad); i++)
		check_case(bad[i], base64_decode(bytes, &size, bad[i], strlen(bad[i])) == -EBADMSG);
	assert_int_equal(base64_decode(bytes, &size, "Zg\0=", 4), -EBADMSG);
	for (size_t n = 5; n < 8; n++)
		assert_int_equal(base64_decode(bytes, &size, "Zm9vZm9v", n), -EBADMSG);
	assert_int_equal(size, 77);
}

static void test_all_bytes_at_all_lengths(void **state)
{
	unsigned char in[256], out[256];
	char text[344];
	size_t size;

	for (int i = 0; i < 256; i++)
		in[i] = (unsigned char)(i * 7);
	for (size_t n = 0; n <= 256; n++) {
		base64_encode(text, in, n);
		assert_int_equal(base64_decode(out, &size, text, base64_encoded_size(n)), 0);
		assert_int_equal(size, n);
		assert_memory_equal(in, out, n);
		/* in place, as allowed */
		assert_int_equal(base64_decode(text, &size, text, base64_encoded_size(n)), 0);
		assert_memory_equal(in, text, n);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known_pairs_both_ways),
		cmocka_unit_test(test_anything_but_the_one_form_is_refused),
		cmocka_unit_test(test_all_bytes_at_all_lengths),
	};

	return cmocka_run_group_tests_name("base64", tests, NULL, NULL);
}
