/* Names, moments, keys, hashes: one spelling each. */
#include "tests/unit/unit.h"

#include <once/names.h>

#define A64 "a123456789012345678901234567890123456789012345678901234567890123"

static void names_and_ids(void **state)
{
	static const char *const ids[] = {
		"A", "2026-11-22:backup", "V2__Add_table.sql", "a@b+c=d,e", A64 A64};
	static const char *const none[] = {
		"", ".", "-a", "a/b", "a b", "\xc3\xa4", "a\n", "..", A64 A64 "a"};
	static const char *const prefixes[] = {"/onced", "/a/b", "/a"};
	static const char *const no_prefixes[] = {
		"", "/", "onced", "/onced/", "/a//b", "/a b", "/a\"", "/\xc3\xa4", "/" A64 A64 A64};

	assert_true(once_name_valid(A64));
	assert_false(once_name_valid(A64 "a"));
	assert_false(once_name_valid(NULL));
	assert_false(once_name_valid("A"));
	assert_false(once_name_valid(""));
	for (size_t i = 0; i < LENGTH(ids); i++)
		check_case(ids[i], once_id_valid(ids[i]));
	for (size_t i = 0; i < LENGTH(none); i++)
		check_case(none[i], !once_id_valid(none[i]) && !once_name_valid(none[i]));
	assert_false(once_id_valid(NULL));
	for (size_t i = 0; i < LENGTH(prefixes); i++)
		check_case(prefixes[i], once_prefix_valid(prefixes[i]));
	for (size_t i = 0; i < LENGTH(no_prefixes); i++)
		check_case(no_prefixes[i], !once_prefix_valid(no_prefixes[i]));
	assert_false(once_prefix_valid(NULL));
}

static void moments(void **state)
{
	static const struct {
		const char *text;
		int64_t ms;
	} good[] = {
		{"2026-11-22T18:30:00Z", INT64_C(1795372200000)},
		{"2026-11-22T18:30:00.123Z", INT64_C(1795372200123)},
		{"1970-01-01T00:00:00.001Z", 1},
		{"2024-02-29T23:59:59Z", INT64_C(1709251199000)},
		{"9999-12-31T23:59:59.999Z", INT64_C(253402300799999)},
	};
	static const char *const bad[] = {"", "2026-11-22T18:30:00", "2026-11-22 18:30:00Z",
		"2026-11-22T18:30:00.000Z", "2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z",
		"2026-01-01T24:00:00Z", "2026-01-01T00:60:00Z", "2026-01-01T00:00:60Z",
		"1970-01-01T00:00:00Z", "1969-01-01T00:00:00Z", "2026-11-22t18:30:00Z",
		"2026-11-22T18:30:00.12Z", "2026-1a-22T18:30:00Z", "+026-11-22T18:30:00Z"};
	char out[ONCE_UTC_SIZE];
	int64_t ms;

	for (size_t i = 0; i < LENGTH(good); i++) {
		check_case(
			good[i].text, once_utc_parse(&ms, good[i].text, strlen(good[i].text)) == 0);
		check_case(good[i].text, ms == good[i].ms);
		assert_string_equal(once_utc_format(out, ms), good[i].text);
	}
	for (size_t i = 0; i < LENGTH(bad); i++)
		check_case(bad[i], once_utc_parse(&ms, bad[i], strlen(bad[i])) == -EINVAL);
	assert_string_equal(once_utc_format(out, 0), "");
	assert_string_equal(once_utc_format(out, -1), "");
	assert_string_equal(once_utc_format(out, INT64_C(253402300800000)), "");
	assert_string_equal(once_utc_format(out, INT64_MAX), "");
	assert_true(once_utc_now() > INT64_C(1700000000000));
	assert_int_equal(once_utc_unscheduled(5000), 5001);
	assert_int_equal(once_utc_unscheduled(5002), 5002);
}

static void keys_come_back(void **state)
{
	static const struct {
		struct once_key key;
		const char *text;
	} cases[] = {
		{{ONCE_KEY_RUN, "backup", "", INT64_C(1795372200000)},
			"/p/run/backup/2026-11-22T18:30:00Z"},
		{{ONCE_KEY_ONCE, "Init:1", "", 0}, "/p/once/Init:1"},
		{{ONCE_KEY_STEP, "deploy", "V1_a.sql", 0}, "/p/step/deploy/V1_a.sql"},
		{{ONCE_KEY_UNDO, "deploy", "V1_a.sql", 0}, "/p/undo/deploy/V1_a.sql"},
		{{ONCE_KEY_FLOW, "deploy", "", 0}, "/p/flow/deploy"},
		{{ONCE_KEY_IDS, "orders", "", 0}, "/p/ids/orders"},
		{{ONCE_KEY_CURSOR, "backup", "", 0}, "/p/job/backup/next"},
		{{ONCE_KEY_JOB_PAUSE, "backup", "", 0}, "/p/job/backup/pause"},
		{{ONCE_KEY_PAUSE, "", "", 0}, "/p/pause"},
		{{ONCE_KEY_TRIGGER, "backup", "id1", 0}, "/p/trigger/backup/id1"},
		{{ONCE_KEY_KILL, "backup", "", 1}, "/p/kill/backup/1970-01-01T00:00:00.001Z"},
		{{ONCE_KEY_HANDOVER, "default", "", 0}, "/p/g/default/handover"},
		{{ONCE_KEY_AWAY, "default", "alpha", 0}, "/p/g/default/away/alpha"},
	};
	char out[ONCE_KEY_SIZE];
	struct once_key again;

	for (size_t i = 0; i < LENGTH(cases); i++) {
		const char *text = cases[i].text;

		check_case(text, once_key_format(out, "/p", &cases[i].key) == 0);
		assert_string_equal(out, text);
		memset(&again, 0xff, sizeof(again));
		check_case(text, once_key_parse(&again, "/p", once_str(text)) == 0);
		check_case(text, memcmp(&again, &cases[i].key, sizeof(again)) == 0);
		/* nothing else is that key */
		check_case(text, once_key_parse(&again, "/q", once_str(text)) == -EINVAL);
		check_case(text, once_key_parse(&again, "/p/x", once_str(text)) == -EINVAL);
		(void)snprintf(out, sizeof(out), "%s/", text);
		check_case(out, once_key_parse(&again, "/p", once_str(out)) == -EINVAL);
		check_case(text, once_key_parse(&again, "/p",
					 (struct once_bytes){text, strlen(text) + 1}) == -EINVAL);
	}
}

static void keys_of_bad_parts_are_none(void **state)
{
	static const char *const foreign[] = {"", "/p", "/p/", "/p/run/a", "/p/run/a/b",
		"/p/run/A/2026-11-22T18:30:00Z", "/p/run//2026-11-22T18:30:00Z", "/p/job/a",
		"/p/job/a/other", "/p/step/a/b/c", "/p/once/", "/p/once/a/b", "/p/g/default/config",
		"/ponce/a"};
	char out[ONCE_KEY_SIZE];
	struct once_key key;

	for (size_t i = 0; i < LENGTH(foreign); i++)
		check_case(foreign[i], once_key_parse(&key, "/p", once_str(foreign[i])) == -EINVAL);
	assert_int_equal(once_key_make(out, "/p", ONCE_KEY_RUN, "a", NULL, 0), -EINVAL);
	assert_int_equal(once_key_make(out, "/p", ONCE_KEY_RUN, "a/b", NULL, 1), -EINVAL);
	assert_int_equal(once_key_make(out, "/p", ONCE_KEY_STEP, "a", NULL, 0), -EINVAL);
	assert_int_equal(once_key_make(out, "p", ONCE_KEY_PAUSE, NULL, NULL, 0), -EINVAL);
	assert_int_equal(once_key_make(out, "/p", (enum once_key_kind)99, "a", NULL, 0), -EINVAL);
	assert_int_equal(once_key_make(out, "/p", ONCE_KEY_PAUSE, NULL, NULL, 0), 0);
	assert_string_equal(out, "/p/pause");
}

static void prefixes_of_kinds(void **state)
{
	char out[ONCE_KEY_SIZE];

	assert_int_equal(once_key_prefix(out, "/p", ONCE_KEY_RUN, NULL), 0);
	assert_string_equal(out, "/p/run/");
	assert_int_equal(once_key_prefix(out, "/p", ONCE_KEY_RUN, "a"), 0);
	assert_string_equal(out, "/p/run/a/");
	assert_int_equal(once_key_prefix(out, "/p", ONCE_KEY_STEP, "A"), 0);
	assert_string_equal(out, "/p/step/A/");
	assert_int_equal(once_key_prefix(out, "/p", ONCE_KEY_IDS, NULL), 0);
	assert_string_equal(out, "/p/ids/");
	assert_int_equal(once_key_prefix(out, "/p", ONCE_KEY_PAUSE, NULL), -EINVAL);
	assert_int_equal(once_key_prefix(out, "/p", ONCE_KEY_RUN, "A"), -EINVAL);
	assert_int_equal(once_key_prefix(out, "/p", ONCE_KEY_ONCE, "a"), -EINVAL);
	assert_int_equal(once_key_prefix(out, "/p/", ONCE_KEY_RUN, NULL), -EINVAL);
}

static void hashes(void **state)
{
	struct once_bytes one[] = {once_str("a b")}, two[] = {once_str("a"), once_str("b")};
	char first[ONCE_HASH_SIZE], second[ONCE_HASH_SIZE], id[ONCE_RUN_ID_SIZE],
		other[ONCE_RUN_ID_SIZE];

	assert_int_equal(once_hash(first, NULL, 0), 0);
	assert_string_equal(
		first, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	assert_int_equal(once_hash(first, one, 1), 0);
	/* printf '\0\0\0\0\0\0\0\3a b' | sha256sum */
	assert_string_equal(
		first, "774f5c152323a0a9d102f6d62d8fa4cb60cf40275cb59d5f1e3130f9848f2b27");
	assert_int_equal(once_hash(second, two, 2), 0);
	assert_string_not_equal(first, second);
	assert_int_equal(once_run_id_new(id), 0);
	assert_int_equal(once_run_id_new(other), 0);
	assert_int_equal(strlen(id), 32);
	assert_string_not_equal(id, other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_and_ids),
		cmocka_unit_test(moments),
		cmocka_unit_test(keys_come_back),
		cmocka_unit_test(keys_of_bad_parts_are_none),
		cmocka_unit_test(prefixes_of_kinds),
		cmocka_unit_test(hashes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
