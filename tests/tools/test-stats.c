/* What a report counts: types, prices, prefixes, the largest. */
#include "tests/unit/unit.h"

#include "tools/etcd-reporter/json.h"
#include "tools/etcd-reporter/stats.h"

static void json_is_told_from_text(void **state)
{
	static const struct {
		const char *text;
		bool json, has;
		double price;
	} cases[] = {
		{"{}", true, false, 0},
		{" [1, -0.5e+3, \"a\\u00e9\\n\", true, false, null, {}] ", true, false, 0},
		{"{\"price\": 12.5}", true, true, 12.5},
		{"{\"a\":{\"price\":1},\"price\":-3e2,\"b\":[{\"price\":7}]}", true, true, -300},
		{"{\"price\":\"12.5\"}", true, false, 0},
		{"{\"price\":1,\"price\":2}", true, true, 2},
		{"[{\"price\":1}]", true, false, 0},
		{"", false, false, 0},
		{"12", false, false, 0},
		{"\"x\"", false, false, 0},
		{"{\"price\":1", false, false, 0},
		{"{\"price\":1}x", false, false, 0},
		{"{\"price\":01}", false, false, 0},
		{"{\"price\":1.}", false, false, 0},
		{"{\"a\":1,}", false, false, 0},
		{"[1 2]", false, false, 0},
		{"{a:1}", false, false, 0},
		{"{\"a\":tru}", false, false, 0},
		{"{\"a\":\"\\x\"}", false, false, 0},
		{"{\"a\":\"\\u12\"}", false, false, 0},
		{"{\"a\":\"\xff\"}", false, false, 0},
		{"{\"a\":\"\n\"}", false, false, 0},
	};

	for (size_t i = 0; i < LENGTH(cases); i++) {
		size_t size = strlen(cases[i].text);
		char *copy = malloc(size ? size : 1);
		bool has = false;
		double price = 0;

		assert_non_null(copy);
		memcpy(copy, cases[i].text, size);
		check_case(cases[i].text, json_scan(copy, size, &has, &price) == cases[i].json);
		check_case(cases[i].text, has == cases[i].has);
		check_case(cases[i].text,
			!has || (price > cases[i].price - 0.001 && price < cases[i].price + 0.001));
		free(copy);
	}
}

static void depth_has_an_end(void **state)
{
	char text[2000];
	bool has;
	double price;

	memset(text, '[', 1000);
	memset(text + 1000, ']', 1000);
	assert_false(json_scan(text, 2000, &has, &price));
	assert_true(json_scan(text + 950, 100, &has, &price));
}

static void types_are_four(void **state)
{
	bool has;
	double price;

	assert_int_equal(stats_type(once_str(""), &has, &price), VALUE_OTHER);
	assert_int_equal(stats_type(once_str("a\tb\n"), &has, &price), VALUE_TEXT);
	assert_int_equal(stats_type(once_str("a\x01"), &has, &price), VALUE_BINARY);
	assert_int_equal(stats_type(once_str("\xff\xfe"), &has, &price), VALUE_BINARY);
	assert_int_equal(stats_type(once_str("{\"price\":3}"), &has, &price), VALUE_JSON);
	assert_true(has);
}

static void add(struct stats *stats, const char *key, const char *value)
{
	struct once_kv kv = {.key = once_str(key), .value = once_str(value)};

	stats_add(stats, &kv);
}

static bool is_entry(const struct entry *e, const char *name, uint64_t keys, uint64_t bytes)
{
	return e->size == strlen(name) && memcmp(e->name, name, e->size) == 0 && e->keys == keys &&
	       e->bytes == bytes;
}

static void prefixes_and_largest_are_kept(void **state)
{
	static struct stats stats;

	stats_init(&stats, 0, 2, 2);
	add(&stats, "/a/x/1", "1234");
	add(&stats, "/a/x/2", "{\"price\":4}");
	add(&stats, "/a/y", "");
	add(&stats, "/b/z/1", "{\"price\":2}");
	add(&stats, "/c/1", "1");
	add(&stats, "plain", "1");
	stats_end(&stats);
	assert_int_equal(stats.keys, 6);
	assert_int_equal(stats.prefixes[0].n, 2);
	assert_true(is_entry(&stats.prefixes[0].entries[0], "/a/", 3, 31));
	assert_true(is_entry(&stats.prefixes[0].entries[1], "/b/", 1, 17));
	assert_int_equal(stats.prefixes[1].n, 2);
	assert_true(is_entry(&stats.prefixes[1].entries[0], "/a/x/", 2, 27));
	assert_true(is_entry(&stats.prefixes[1].entries[1], "/b/z/", 1, 17));
	assert_int_equal(stats.largest.n, 2);
	assert_true(is_entry(&stats.largest.entries[0], "/a/x/2", 1, 17));
	assert_true(is_entry(&stats.largest.entries[1], "/b/z/1", 1, 17));
	assert_int_equal(stats.price.count, 2);
	assert_true(stats.price.sum > 5.9 && stats.price.sum < 6.1);
	assert_true(stats.price.min < 2.1 && stats.price.max > 3.9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(json_is_told_from_text),
		cmocka_unit_test(depth_has_an_end),
		cmocka_unit_test(types_are_four),
		cmocka_unit_test(prefixes_and_largest_are_kept),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
