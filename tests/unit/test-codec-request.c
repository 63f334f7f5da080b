/* The encoding half of etcd/codec.h. Expected bodies are literal; each is also read back by a
 * parser that did not write it. */
#include "etcd/codec.h"
#include "unit.h"

#include <cjson/cJSON.h>

static struct codec_request request;

static int setup(void **state)
{
	codec_request_init(&request, 0);
	return 0;
}

static int teardown(void **state)
{
	codec_request_fini(&request);
	return 0;
}

static void check_read_back(const char *body)
{
	cJSON *root = cJSON_ParseWithOpts(body, NULL, 1);
	char *again = cJSON_PrintUnformatted(root);

	check_case(body, root != NULL);
	assert_string_equal(again, body);
	cJSON_free(again);
	cJSON_Delete(root);
}

#define check_request(call, expected_path, expected_body, expected_mutation)                       \
	do {                                                                                       \
		assert_int_equal((call), 0);                                                       \
		assert_string_equal(request.path, (expected_path));                                \
		assert_string_equal(buf_text(&request.body), (expected_body));                     \
		assert_int_equal(request.mutation, (expected_mutation));                           \
		check_read_back(buf_text(&request.body));                                          \
	} while (0)

static void test_put(void **state)
{
	struct once_op op = {.kind = ONCE_OP_PUT, .key = once_str("foo"), .value = once_str("bar")};

	check_request(codec_encode_op(&request, &op), "/v3/kv/put",
		"{\"key\":\"Zm9v\",\"value\":\"YmFy\"}", true);
	op.lease = -5;
	op.prev_kv = true;
	check_request(codec_encode_op(&request, &op), "/v3/kv/put",
		"{\"key\":\"Zm9v\",\"value\":\"YmFy\",\"lease\":\"-5\",\"prev_kv\":true}", true);
	op.ignore_value = true;
	op.ignore_lease = true;
	check_request(codec_encode_op(&request, &op), "/v3/kv/put",
		"{\"key\":\"Zm9v\",\"prev_kv\":true,\"ignore_value\":true,\"ignore_lease\":true}",
		true);
	op = (struct once_op){.kind = ONCE_OP_PUT, .key = once_str("foo")};
	check_request(codec_encode_op(&request, &op), "/v3/kv/put",
		"{\"key\":\"Zm9v\",\"value\":\"\"}", true);
}

static void test_range(void **state)
{
	struct once_op op = {.kind = ONCE_OP_RANGE, .key = once_str("foo")};

	check_request(codec_encode_op(&request, &op), "/v3/kv/range", "{\"key\":\"Zm9v\"}", false);
	op = (struct once_op){.kind = ONCE_OP_RANGE,
		.key = {"\0", 1},
		.range_end = {"\0", 1},
		.limit = 5000,
		.revision = INT64_MAX,
		.sort_order = ONCE_SORT_DESCEND,
		.sort_target = ONCE_SORT_MOD,
		.serializable = true,
		.keys_only = true,
		.count_only = true,
		.min_mod_revision = 1,
		.max_mod_revision = 2,
		.min_create_revision = 3,
		.max_create_revision = 4};
	check_request(codec_encode_op(&request, &op), "/v3/kv/range",
		"{\"key\":\"AA==\",\"range_end\":\"AA==\",\"limit\":\"5000\","
		"\"revision\":\"9223372036854775807\",\"sort_order\":\"DESCEND\",\"sort_target\":"
		"\"MOD\","
		"\"serializable\":true,\"keys_only\":true,\"count_only\":true,\"min_mod_revision\":"
		"\"1\","
		"\"max_mod_revision\":\"2\",\"min_create_revision\":\"3\",\"max_create_revision\":"
		"\"4\"}",
		false);
}

static void test_sort_names(void **state)
{
	static const char *const targets[] = {"KEY", "VERSION", "CREATE", "MOD", "VALUE"};
	char expected[100];

	for (int i = 0; i < 5; i++) {
		struct once_op op = {.kind = ONCE_OP_RANGE,
			.key = once_str("foo"),
			.sort_order = ONCE_SORT_ASCEND,
			.sort_target = (enum once_sort_target)i};

		(void)snprintf(expected, sizeof(expected),
			"{\"key\":\"Zm9v\",\"sort_order\":\"ASCEND\",\"sort_target\":\"%s\"}",
			targets[i]);
		check_request(codec_encode_op(&request, &op), "/v3/kv/range", expected, false);
	}
}

static void test_delete(void **state)
{
	struct once_op op = {.kind = ONCE_OP_DELETE,
		.key = once_str("a"),
		.range_end = once_str("b"),
		.prev_kv = true};

	check_request(codec_encode_op(&request, &op), "/v3/kv/deleterange",
		"{\"key\":\"YQ==\",\"range_end\":\"Yg==\",\"prev_kv\":true}", true);
}

static void test_every_compare_target_and_result(void **state)
{
	static const struct {
		const char *name, *field, *value;
	} targets[] = {
		{"VERSION", "version", "7"},
		{"CREATE", "create_revision", "7"},
		{"MOD", "mod_revision", "7"},
		{"VALUE", "value", "djE="},
		{"LEASE", "lease", "7"},
	};
	static const char *const results[] = {"EQUAL", "GREATER", "LESS", "NOT_EQUAL"};
	char expected[200];

	for (int t = 0; t < 5; t++) {
		for (int r = 0; r < 4; r++) {
			struct once_compare compare = {.target = (enum once_compare_target)t,
				.result = (enum once_compare_result)r,
				.key = once_str("foo"),
				.number = 7,
				.value = once_str("v1")};
			struct once_txn txn = {.compares = &compare, .n_compares = 1};

			(void)snprintf(expected, sizeof(expected),
				"{\"compare\":[{\"key\":\"Zm9v\",\"target\":\"%s\",\"result\":\"%"
				"s\",\"%s\":\"%s\"}]}",
				targets[t].name, results[r], targets[t].field, targets[t].value);
			check_request(
				codec_encode_txn(&request, &txn), "/v3/kv/txn", expected, false);
			assert_string_equal(buf_text(&request.shape), "(|)");
		}
	}
}

/* The election: a literal of what etcd was seen to take. */
static void test_a_guarded_txn(void **state)
{
	const struct once_compare compare = {
		.target = ONCE_COMPARE_CREATE, .key = once_str("leader")};
	const struct once_op put = {.kind = ONCE_OP_PUT,
		.key = once_str("leader"),
		.value = once_str("node1"),
		.lease = 4660};
	const struct once_op range = {.kind = ONCE_OP_RANGE, .key = once_str("leader")};
	const struct once_txn txn = {&compare, 1, &put, 1, &range, 1};

	check_request(codec_encode_txn(&request, &txn), "/v3/kv/txn",
		"{\"compare\":[{\"key\":\"bGVhZGVy\",\"target\":\"CREATE\",\"result\":\"EQUAL\","
		"\"create_revision\":\"0\"}],\"success\":[{\"request_put\":{\"key\":\"bGVhZGVy\","
		"\"value\":\"bm9kZTE=\",\"lease\":\"4660\"}}],\"failure\":[{\"request_range\":{"
		"\"key\":"
		"\"bGVhZGVy\"}}]}",
		true);
	assert_string_equal(buf_text(&request.shape), "(p|r)");
}

static void test_nested_txn_and_compare_of_a_range(void **state)
{
	const struct once_compare compare = {.target = ONCE_COMPARE_LEASE,
		.result = ONCE_LESS,
		.key = once_str("a"),
		.range_end = once_str("b"),
		.number = 1};
	const struct once_op range = {.kind = ONCE_OP_RANGE, .key = once_str("k")};
	const struct once_op delete = {.kind = ONCE_OP_DELETE, .key = once_str("k")};
	const struct once_txn inner = {&compare, 1, &delete, 1, &range, 1};
	const struct once_op ops[] = {range, {.kind = ONCE_OP_TXN, .txn = &inner}, range};
	const struct once_txn txn = {NULL, 0, ops, 3, NULL, 0};

	check_request(codec_encode_txn(&request, &txn), "/v3/kv/txn",
		"{\"success\":[{\"request_range\":{\"key\":\"aw==\"}},{\"request_txn\":{"
		"\"compare\":[{\"key\":"
		"\"YQ==\",\"range_end\":\"Yg==\",\"target\":\"LEASE\",\"result\":\"LESS\","
		"\"lease\":\"1\"}],"
		"\"success\":[{\"request_delete_range\":{\"key\":\"aw==\"}}],\"failure\":[{"
		"\"request_range\":"
		"{\"key\":\"aw==\"}}]}},{\"request_range\":{\"key\":\"aw==\"}}]}",
		true);
	assert_string_equal(buf_text(&request.shape), "(r(d|r)r|)");
}

static void test_leases(void **state)
{
	check_request(codec_encode_lease_grant(&request, 10, 0), "/v3/lease/grant",
		"{\"TTL\":\"10\"}", true);
	check_request(codec_encode_lease_grant(&request, 10, -5), "/v3/lease/grant",
		"{\"ID\":\"-5\",\"TTL\":\"10\"}", true);
	check_request(codec_encode_lease_keepalive(&request, 7), "/v3/lease/keepalive",
		"{\"ID\":\"7\"}", false);
	check_request(
		codec_encode_lease_revoke(&request, 7), "/v3/lease/revoke", "{\"ID\":\"7\"}", true);
	check_request(codec_encode_lease_time_to_live(&request, 7, true), "/v3/lease/timetolive",
		"{\"ID\":\"7\",\"keys\":true}", false);
	check_request(codec_encode_lease_time_to_live(&request, 7, false), "/v3/lease/timetolive",
		"{\"ID\":\"7\"}", false);
	check_request(codec_encode_lease_list(&request), "/v3/lease/leases", "{}", false);
}

static void test_cluster_and_compaction(void **state)
{
	check_request(codec_encode_status(&request), "/v3/maintenance/status", "{}", false);
	check_request(
		codec_encode_member_list(&request, false), "/v3/cluster/member/list", "{}", false);
	check_request(codec_encode_member_list(&request, true), "/v3/cluster/member/list",
		"{\"linearizable\":true}", false);
	check_request(codec_encode_compaction(&request, 30, false), "/v3/kv/compaction",
		"{\"revision\":\"30\"}", true);
	check_request(codec_encode_compaction(&request, 30, true), "/v3/kv/compaction",
		"{\"revision\":\"30\",\"physical\":true}", true);
}

static void test_authenticate_escapes_and_wipes(void **state)
{
	assert_int_equal(codec_encode_authenticate(&request, "u\"\x01", "p\\\xc3\xbc\n"), 0);
	assert_string_equal(request.path, "/v3/auth/authenticate");
	assert_string_equal(buf_text(&request.body),
		"{\"name\":\"u\\\"\\u0001\",\"password\":\"p\\\\\xc3\xbc\\u000a\"}");
	assert_true(request.body.secret);
	assert_int_equal(codec_encode_authenticate(&request, "u", "\xff"), -EINVAL);
	assert_int_equal(codec_encode_authenticate(&request, NULL, "p"), -EINVAL);
	assert_int_equal(request.body.size, 0);
}

static void test_watch_with_several_ranges_is_concatenated(void **state)
{
	const struct once_watch_range ranges[] = {
		{.key = once_str("k"), .range_end = once_str("l"), .prev_kv = true, .no_put = true},
		{.key = once_str("z"), .no_put = true, .no_delete = true},
		{.key = once_str("z"), .no_delete = true},
	};
	const int64_t revisions[] = {42, 0, 7};

	check_request(codec_encode_watch(&request, ranges, revisions, 1, true), "/v3/watch",
		"{\"create_request\":{\"key\":\"aw==\",\"range_end\":\"bA==\",\"start_revision\":"
		"\"42\","
		"\"watch_id\":\"1\",\"fragment\":true,\"progress_notify\":true,\"prev_kv\":true,"
		"\"filters\":[\"NOPUT\"]}}",
		false);
	assert_int_equal(codec_encode_watch(&request, ranges + 1, revisions + 1, 2, false), 0);
	assert_string_equal(buf_text(&request.body),
		"{\"create_request\":{\"key\":\"eg==\",\"watch_id\":\"1\",\"fragment\":true,"
		"\"filters\":[\"NOPUT\",\"NODELETE\"]}}"
		"{\"create_request\":{\"key\":\"eg==\",\"start_revision\":\"7\",\"watch_id\":\"2\","
		"\"fragment\":true,\"filters\":[\"NODELETE\"]}}");
	assert_int_equal(codec_encode_watch(&request, ranges + 2, NULL, 1, false), 0);
	assert_null(strstr(buf_text(&request.body), "start_revision"));
	assert_int_equal(codec_encode_watch(&request, ranges, NULL, 0, false), -EINVAL);
}

static void test_hash_and_alarms(void **state)
{
	struct once_alarm alarm = {.member = UINT64_MAX, .kind = ONCE_ALARM_NOSPACE};

	check_request(codec_encode_hash_kv(&request, 0), "/v3/maintenance/hashkv", "{}", false);
	check_request(codec_encode_hash_kv(&request, INT64_MAX), "/v3/maintenance/hashkv",
		"{\"revision\":\"9223372036854775807\"}", false);
	check_request(codec_encode_alarm(&request, NULL), "/v3/maintenance/alarm",
		"{\"action\":\"GET\"}", false);
	/* an answer that was lost may be asked for again: who disarms twice has disarmed */
	check_request(codec_encode_alarm(&request, &alarm), "/v3/maintenance/alarm",
		"{\"action\":\"DEACTIVATE\",\"alarm\":\"NOSPACE\",\"memberID\":"
		"\"18446744073709551615\"}",
		false);
	alarm = (struct once_alarm){.member = 7, .kind = ONCE_ALARM_CORRUPT};
	check_request(codec_encode_alarm(&request, &alarm), "/v3/maintenance/alarm",
		"{\"action\":\"DEACTIVATE\",\"alarm\":\"CORRUPT\",\"memberID\":\"7\"}", false);
	alarm.kind = ONCE_ALARM_NONE;
	assert_int_equal(codec_encode_alarm(&request, &alarm), -EINVAL);
	alarm.kind = (enum once_alarm_kind)3;
	assert_int_equal(codec_encode_alarm(&request, &alarm), -EINVAL);
	assert_int_equal(request.body.size, 0);
}

static void test_nonsense_is_refused_and_leaves_nothing(void **state)
{
	const struct once_compare bad_target = {.target = 17, .key = once_str("k")};
	const struct once_compare bad_result = {.result = 4, .key = once_str("k")};
	const struct once_op no_txn = {.kind = ONCE_OP_TXN}, bad_kind = {.kind = 9};
	const struct once_op bad_sort = {.kind = ONCE_OP_RANGE, .sort_order = 3};
	const struct once_op bad_sort_target = {.kind = ONCE_OP_RANGE, .sort_target = 5};
	const struct once_txn txns[] = {
		{.compares = &bad_target, .n_compares = 1},
		{.compares = &bad_result, .n_compares = 1},
		{.success = &no_txn, .n_success = 1},
		{.success = &bad_kind, .n_success = 1},
		{.failure = &bad_sort, .n_failure = 1},
		{.failure = &bad_sort_target, .n_failure = 1},
	};

	for (size_t i = 0; i < LENGTH(txns); i++) {
		assert_int_equal(codec_encode_txn(&request, &txns[i]), -EINVAL);
		assert_int_equal(request.body.size, 0);
		assert_int_equal(request.kind, CODEC_NONE);
	}
	assert_int_equal(codec_encode_op(&request, &no_txn), -EINVAL);
	assert_int_equal(codec_encode_op(&request, &bad_kind), -EINVAL);
	assert_int_equal(codec_encode_op(&request, &bad_sort), -EINVAL);
}

static void test_sizes_are_limited(void **state)
{
	struct once_txn txns[CODEC_TXN_DEPTH_MAX + 2] = {0};
	struct once_op ops[CODEC_TXN_DEPTH_MAX + 2] = {0};
	struct once_op put = {.kind = ONCE_OP_PUT, .key = {"k", SIZE_MAX - 1}};
	struct codec_request small;

	codec_request_init(&small, 30);
	assert_int_equal(codec_encode_lease_grant(&small, INT64_MAX, INT64_MIN), -E2BIG);
	assert_int_equal(small.body.size, 0);
	assert_int_equal(codec_encode_lease_grant(&small, 1, 0), 0);
	codec_request_fini(&small);
	assert_int_equal(codec_encode_op(&request, &put), -E2BIG);
	for (int i = 0; i < CODEC_TXN_DEPTH_MAX + 1; i++) {
		ops[i] = (struct once_op){.kind = ONCE_OP_TXN, .txn = &txns[i + 1]};
		txns[i] = (struct once_txn){.success = &ops[i], .n_success = 1};
	}
	assert_int_equal(codec_encode_txn(&request, &txns[0]), -E2BIG);
	assert_int_equal(codec_encode_txn(&request, &txns[1]), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_put, setup, teardown),
		cmocka_unit_test_setup_teardown(test_range, setup, teardown),
		cmocka_unit_test_setup_teardown(test_sort_names, setup, teardown),
		cmocka_unit_test_setup_teardown(test_delete, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_every_compare_target_and_result, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_guarded_txn, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_nested_txn_and_compare_of_a_range, setup, teardown),
		cmocka_unit_test_setup_teardown(test_leases, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cluster_and_compaction, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hash_and_alarms, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_authenticate_escapes_and_wipes, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_watch_with_several_ranges_is_concatenated, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_nonsense_is_refused_and_leaves_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(test_sizes_are_limited, setup, teardown),
	};

	return cmocka_run_group_tests_name("codec-request", tests, NULL, NULL);
}
