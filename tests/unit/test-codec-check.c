/* json_check() and the accessors of etcd/codec-json.h: what may reach cJSON, what is made of it. */
#include "etcd/codec-json.h"
#include "etcd/codec.h"
#include "unit.h"

static const char *const good[] = {
	"{}",
	"[]",
	"0",
	"-0",
	"\"\"",
	"true",
	"false",
	"null",
	" {} \n",
	"\t[\r\n]",
	"[0]",
	"[1,2]",
	"{\"a\":1}",
	"{\"a\":1, \"b\":[{},[],null]}",
	"-1.5e+10",
	"1E5",
	"0.25",
	"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"",
	"\"\\u0041\\uFFFF\"",
	"\"\\ud83d\\ude00\"",
	"\"gr\xc3\xbc\xc3\x9f\"",
	"[[[[]]]]",
	"{\"a\":{\"b\":{}},\"c\":[]}",
	"123456789012345678901234567890123456789012345678901234567890123",
};

static const char *const bad[] = {
	"",
	" ",
	"{",
	"}",
	"[",
	"]",
	"{]",
	"[}",
	"{\"a\"}",
	"{\"a\":}",
	"{\"a\":1,}",
	"{,}",
	"[1,]",
	"[,1]",
	"[1 2]",
	"{a:1}",
	"{'a':1}",
	"{1:1}",
	"{\"a\" 1}",
	"{\"a\":1 \"b\":2}",
	"01",
	"[01]",
	"-",
	"+1",
	"1.",
	".5",
	"1e",
	"1e+",
	"0x1",
	"NaN",
	"Infinity",
	"tru",
	"truex",
	"nul",
	"TRUE",
	"\"",
	"\"a",
	"\"\\\"",
	"\"\\x\"",
	"\"\\u12\"",
	"\"\\u12g4\"",
	"\"\\u0000\"",
	"\"a\\u0000b\"",
	"\"\\ud800\"",
	"\"\\udc00\"",
	"\"\\ud800\\u0041\"",
	"\"\\ud800\\ud800\"",
	"\"\\ud800x\"",
	"\"\\udc00\\udc00\"",
	"\"a\nb\"",
	"\"\x01\"",
	"\"\x1f\"",
	"\"\xff\"",
	"\"\xc0\x80\"",
	"\"\xed\xa0\x80\"",
	"\xef\xbb\xbf{}",
	"{}{}",
	"{} x",
	"1 1",
	"[]]",
	"{}}",
	"/**/{}",
	"1234567890123456789012345678901234567890123456789012345678901234",
	"\"\\",
	"\"\\u",
	"\xff",
	"[\"\\u0000\"]",
	"{\"a\\u0000\":1}",
	"\v{}",
	"\"\\ud800\\",
	"\"\\ud800\\u",
	":",
	",",
	"{\"a\"::1}",
};

static void test_only_json_passes(void **state)
{
	for (size_t i = 0; i < LENGTH(good); i++)
		check_case(good[i], json_check(good[i], strlen(good[i])) == 0);
	for (size_t i = 0; i < LENGTH(bad); i++)
		check_case(bad[i], json_check(bad[i], strlen(bad[i])) == -EBADMSG);
	assert_int_equal(json_check("{}\0", 3), -EBADMSG);
	assert_int_equal(json_check("\"a\0b\"", 5), -EBADMSG);
	assert_int_equal(json_check("\"\\\0\"", 4), -EBADMSG);
}

/* The guarantee that a failing cJSON means no memory. */
static void test_what_passes_cjson_parses(void **state)
{
	for (size_t i = 0; i < LENGTH(good); i++) {
		cJSON *root = cJSON_ParseWithLengthOpts(good[i], strlen(good[i]), NULL, 0);

		check_case(good[i], root != NULL);
		cJSON_Delete(root);
	}
}

static void test_any_prefix_is_refused(void **state)
{
	static const char text[] = "{\"a\":[1,{\"b\":\"\\ud83d\\ude00\xc3\xbc\"},true,-1.5e3]}";

	for (size_t n = 0; n < sizeof(text) - 1; n++)
		assert_int_equal(json_check(text, n), -EBADMSG);
	assert_int_equal(json_check(text, sizeof(text) - 1), 0);
}

static void test_the_depth_cap_is_exact(void **state)
{
	char text[2 * CODEC_DEPTH_MAX + 3];

	memset(text, '[', CODEC_DEPTH_MAX);
	memset(text + CODEC_DEPTH_MAX, ']', CODEC_DEPTH_MAX);
	assert_int_equal(json_check(text, 2 * CODEC_DEPTH_MAX), 0);
	memset(text, '[', CODEC_DEPTH_MAX + 1);
	memset(text + CODEC_DEPTH_MAX + 1, ']', CODEC_DEPTH_MAX + 1);
	assert_int_equal(json_check(text, 2 * CODEC_DEPTH_MAX + 2), -EBADMSG);
}

static void test_a_flood_of_values_is_refused(void **state)
{
	size_t size = 6 * 1024 * 1024;
	char *text = malloc(size + 1);

	for (size_t i = 0; i < size; i += 2) {
		text[i] = i ? ',' : '[';
		text[i + 1] = '1';
	}
	text[size] = ']';
	assert_int_equal(json_check(text, size + 1), -EBADMSG);
	text[1024 * 1024] = ']';
	assert_int_equal(json_check(text, 1024 * 1024 + 1), 0);
	free(text);
}

static cJSON *parse(struct json *json, struct arena *arena, const char *text)
{
	arena_init(arena);
	*json = (struct json){.arena = arena};
	return json_parse(json, text, strlen(text));
}

static void test_a_key_twice_is_refused(void **state)
{
	static const char *const twice[] = {
		"{\"a\":1,\"a\":1}",
		"{\"x\":{\"a\":1,\"b\":2,\"a\":null}}",
		"{\"x\":[{},{\"a\":1,\"\\u0061\":2}]}",
		"{\"\":1,\"\":2}",
		"[]",
		"1",
		"\"\"",
	};
	struct arena arena;
	struct json json;
	cJSON *root;

	for (size_t i = 0; i < LENGTH(twice); i++) {
		check_case(twice[i], parse(&json, &arena, twice[i]) == NULL);
		check_case(twice[i], json.error == -EBADMSG);
	}
	root = parse(
		&json, &arena, "{\"a\":{\"a\":1},\"b\":{\"a\":1},\"A\":[{\"a\":1},{\"a\":1}]}");
	assert_non_null(root);
	json_free(root, false);
}

static void test_objects_of_too_many_members_are_refused(void **state)
{
	struct arena arena;
	struct json json;
	struct buf text;

	for (int n = 64; n <= 65; n++) {
		cJSON *root;

		buf_init(&text, 100000);
		for (int i = 0; i < n; i++)
			buf_printf(&text, "%c\"%d\":%d", i ? ',' : '{', i, i);
		buf_putc(&text, '}');
		root = parse(&json, &arena, buf_text(&text));
		assert_int_equal(json.error, n == 64 ? 0 : -EBADMSG);
		json_free(root, true);
		buf_fini(&text);
	}
}

static const struct {
	const char *value;
	int r_i64;
	int64_t i64;
	int r_u64;
	uint64_t u64;
} numbers[] = {
	{"\"5\"", 0, 5, 0, 5},
	{"5", 0, 5, 0, 5},
	{"-5", 0, -5, -EBADMSG, 0},
	{"\"-5\"", 0, -5, -EBADMSG, 0},
	{"null", 0, 0, 0, 0},
	{"0", 0, 0, 0, 0},
	{"9007199254740991", 0, 9007199254740991, 0, 9007199254740991},
	{"9007199254740992", -EBADMSG, 0, -EBADMSG, 0},
	{"-9007199254740991", 0, -9007199254740991, -EBADMSG, 0},
	{"-9007199254740992", -EBADMSG, 0, -EBADMSG, 0},
	{"\"9007199254740993\"", 0, 9007199254740993, 0, 9007199254740993},
	{"\"17163497475567447734\"", -EBADMSG, 0, 0, UINT64_C(17163497475567447734)},
	{"17163497475567447734", -EBADMSG, 0, -EBADMSG, 0},
	{"1.5", -EBADMSG, 0, -EBADMSG, 0},
	{"1e400", -EBADMSG, 0, -EBADMSG, 0},
	{"\"\"", -EBADMSG, 0, -EBADMSG, 0},
	{"\" 5\"", -EBADMSG, 0, -EBADMSG, 0},
	{"\"5x\"", -EBADMSG, 0, -EBADMSG, 0},
	{"\"1e3\"", -EBADMSG, 0, -EBADMSG, 0},
	{"true", -EBADMSG, 0, -EBADMSG, 0},
	{"{}", -EBADMSG, 0, -EBADMSG, 0},
	{"[\"5\"]", -EBADMSG, 0, -EBADMSG, 0},
};

static void test_integers(void **state)
{
	for (size_t i = 0; i < LENGTH(numbers); i++) {
		struct arena arena;
		struct json json;
		char text[100];
		cJSON *root;

		(void)snprintf(text, sizeof(text), "{\"n\":%s}", numbers[i].value);
		root = parse(&json, &arena, text);
		check_case(text, root != NULL);
		check_case(text, json_i64(&json, root, "n") == numbers[i].i64);
		check_case(text, json.error == numbers[i].r_i64);
		json.error = 0;
		check_case(text, json_u64(&json, root, "n") == numbers[i].u64);
		check_case(text, json.error == numbers[i].r_u64);
		json.error = 0;
		check_case(text, json_i64(&json, root, "N") == 0 && json.error == 0);
		json_free(root, false);
		arena_fini(&arena);
	}
}

static void test_wrong_types_are_errors_absent_ones_not(void **state)
{
	struct arena arena;
	struct json json;
	size_t n = 7;
	cJSON *root = parse(&json, &arena,
		"{\"n\":1,\"s\":\"Zm8=\",\"x\":\"Zm8\",\"l\":[\"a\",1],\"z\":null,\"b\":true}");

	assert_non_null(root);
	assert_null(json_object(&json, root, "q"));
	assert_null(json_array(&json, root, "z"));
	assert_null(json_string(&json, root, "z"));
	assert_false(json_bool(&json, root, "z"));
	assert_int_equal(json_bytes(&json, root, "q").size, 0);
	assert_int_equal(json_bytes(&json, root, "s").size, 2);
	json_strings(&json, root, "q", &n);
	assert_int_equal(n, 0);
	assert_true(json_bool(&json, root, "b"));
	assert_int_equal(json.error, 0);
#define EXPECT_BAD(call)                                                                           \
	do {                                                                                       \
		(void)(call);                                                                      \
		assert_int_equal(json.error, -EBADMSG);                                            \
		json.error = 0;                                                                    \
	} while (0)
	EXPECT_BAD(json_object(&json, root, "l"));
	EXPECT_BAD(json_array(&json, root, "n"));
	EXPECT_BAD(json_bool(&json, root, "n"));
	EXPECT_BAD(json_bool(&json, root, "s"));
	EXPECT_BAD(json_string(&json, root, "n"));
	EXPECT_BAD(json_bytes(&json, root, "n"));
	EXPECT_BAD(json_bytes(&json, root, "x"));
	EXPECT_BAD(json_strings(&json, root, "l", &n));
	json_free(root, false);
	arena_fini(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_only_json_passes),
		cmocka_unit_test(test_what_passes_cjson_parses),
		cmocka_unit_test(test_any_prefix_is_refused),
		cmocka_unit_test(test_the_depth_cap_is_exact),
		cmocka_unit_test(test_a_flood_of_values_is_refused),
		cmocka_unit_test(test_a_key_twice_is_refused),
		cmocka_unit_test(test_objects_of_too_many_members_are_refused),
		cmocka_unit_test(test_integers),
		cmocka_unit_test(test_wrong_types_are_errors_absent_ones_not),
	};

	return cmocka_run_group_tests_name("codec-check", tests, NULL, NULL);
}
