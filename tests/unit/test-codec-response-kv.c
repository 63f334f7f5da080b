/* What etcd answers to puts, ranges, deletes and transactions. */
#include "tests/unit/decode.h"

/* (p|r), (|), ... of ranges, puts and deletes only */
static void encode_txn(const char *success, const char *failure)
{
	static const struct once_op ops[] = {
		['r'] = {.kind = ONCE_OP_RANGE},
		['p'] = {.kind = ONCE_OP_PUT},
		['d'] = {.kind = ONCE_OP_DELETE},
	};
	struct once_op yes[4], no[4];
	const struct once_txn txn = {NULL, 0, yes, strlen(success), no, strlen(failure)};

	for (size_t i = 0; success[i]; i++)
		yes[i] = ops[(unsigned char)success[i]];
	for (size_t i = 0; failure[i]; i++)
		no[i] = ops[(unsigned char)failure[i]];
	assert_int_equal(codec_encode_txn(&request, &txn), 0);
}

static void test_put(void **state)
{
	static const char *const bodies[] = {"{" H34 "}", "{" H35 "}"};

	encode_op(ONCE_OP_PUT);
	for (size_t i = 0; i < LENGTH(bodies); i++) {
		assert_int_equal(decode(200, bodies[i]), 0);
		check_header();
		assert_int_equal(response.op.kind, ONCE_OP_PUT);
		assert_int_equal(response.op.n_kvs, 0);
	}
	assert_int_equal(
		decode(200, "{" H34 ",\"prev_kv\":{\"key\":\"Zm9v\",\"mod_revision\":\"1\"}}"), 0);
	assert_int_equal(response.op.n_kvs, 1);
	check_text(response.op.kvs[0].key, "foo");
	check_text(response.op.kvs[0].value, "");
	assert_non_null(response.op.kvs[0].value.data);
}

static void test_range(void **state)
{
	static const char *const bodies[] = {
		"{" H34
		",\"kvs\":[{\"key\":\"Zm9v\",\"create_revision\":\"2\",\"mod_revision\":\"4\","
		"\"version\":\"3\",\"value\":\"YmFy\"},{\"key\":\"AP8=\",\"create_revision\":\"5\","
		"\"mod_revision\":\"5\",\"version\":\"1\",\"lease\":\"-5\"}],\"more\":true,"
		"\"count\":\"7\"}",
		"{" H35
		", \"kvs\":[{\"key\":\"Zm9v\", \"create_revision\":\"2\", \"mod_revision\":\"4\", "
		"\"version\":\"3\", \"value\":\"YmFy\"}, {\"key\":\"AP8=\", "
		"\"create_revision\":\"5\", "
		"\"mod_revision\":\"5\", \"version\":\"1\", \"lease\":\"-5\"}], \"more\":true, "
		"\"count\":\"7\"}",
	};

	encode_op(ONCE_OP_RANGE);
	for (size_t i = 0; i < LENGTH(bodies); i++) {
		const struct once_op_result *op = &response.op;

		assert_int_equal(decode(200, bodies[i]), 0);
		check_header();
		assert_int_equal(op->kind, ONCE_OP_RANGE);
		assert_int_equal(op->n_kvs, 2);
		assert_int_equal(op->count, 7);
		assert_true(op->more);
		check_text(op->kvs[0].key, "foo");
		check_text(op->kvs[0].value, "bar");
		assert_int_equal(op->kvs[0].create_revision, 2);
		assert_int_equal(op->kvs[0].mod_revision, 4);
		assert_int_equal(op->kvs[0].version, 3);
		assert_int_equal(op->kvs[0].lease, 0);
		assert_int_equal(op->kvs[1].key.size, 2);
		assert_memory_equal(op->kvs[1].key.data, "\0\xff", 2);
		assert_int_equal(op->kvs[1].value.size, 0);
		assert_int_equal(op->kvs[1].lease, -5);
	}
}

/* The keys are read one at a time, out of the text: nothing in it may mislead. */
static void test_range_written_strangely(void **state)
{
	static const char *const bodies[] = {
		" {\"x\":[{\"kvs\":[1]},\"\\\"kvs\\\":[{\"],\"y\":{\"kvs\":[{}]},\n" H34
		",\"n\":-1.5e3,\"t\":true , \"kvs\" : [ {\"key\":\"YQ==\",\"z\":\"]},{\\\\\"} , "
		"{\"key\" "
		": \"Yg==\",\"value\":\"Yw==\" , \"z\":[[],{}]}\t] , \"count\":\"2\"} ",
		"{\"kvs\":[{\"key\":\"YQ==\"},{\"key\":\"Yg==\",\"value\":\"Yw==\"}]," H34
		",\"count\":\"2\"}",
		"{\"\\u006bvs\":[{\"key\":\"YQ==\"},{\"key\":\"Yg==\",\"value\":\"Yw==\"}]," H34
		",\"count\":\"2\"}",
	};
	static const char *const rejected[] = {
		"{" H34 ",\"kvs\":[{\"key\":\"YQ==\"},1]}",
		"{" H34 ",\"kvs\":[{\"key\":\"YQ==\"},null]}",
		"{" H34 ",\"kvs\":[{\"key\":\"YQ==\"},[]]}",
		"{" H34 ",\"kvs\":[{\"key\":\"YQ==\",\"key\":\"YQ==\"}]}",
		"{" H34 ",\"kvs\":[{\"key\":\"YQ==\"}],\"kvs\":[]}",
		"{" H34 ",\"kvs\":[{\"key\":\"Y\"}]}",
		"{" H34 ",\"kvs\":{\"key\":\"YQ==\"}}",
		"{\"kvs\":[{\"key\":\"YQ==\"}]}",
		"[{\"kvs\":[{\"key\":\"YQ==\"}]}]",
		"7",
	};

	encode_op(ONCE_OP_RANGE);
	for (size_t i = 0; i < LENGTH(bodies); i++) {
		assert_int_equal(decode(200, bodies[i]), 0);
		check_header();
		assert_int_equal(response.op.n_kvs, 2);
		assert_int_equal(response.op.count, 2);
		check_text(response.op.kvs[0].key, "a");
		check_text(response.op.kvs[1].key, "b");
		check_text(response.op.kvs[1].value, "c");
	}
	for (size_t i = 0; i < LENGTH(rejected); i++)
		check_rejected(rejected[i]);
}

static void test_range_that_found_nothing(void **state)
{
	encode_op(ONCE_OP_RANGE);
	assert_int_equal(decode(200, "{" H35 "}"), 0);
	check_header();
	assert_int_equal(response.op.n_kvs, 0);
	assert_int_equal(response.op.count, 0);
	assert_false(response.op.more);
}

static void test_delete(void **state)
{
	encode_op(ONCE_OP_DELETE);
	assert_int_equal(
		decode(200, "{" H34 ",\"deleted\":\"2\",\"prev_kvs\":[{\"key\":\"YQ==\"},{\"key\":"
			    "\"Yg==\",\"value\":\"Yg==\"}]}"),
		0);
	check_header();
	assert_int_equal(response.op.kind, ONCE_OP_DELETE);
	assert_int_equal(response.op.count, 2);
	assert_int_equal(response.op.n_kvs, 2);
	check_text(response.op.kvs[1].value, "b");
	assert_int_equal(decode(200, "{" H34 "}"), 0);
	assert_int_equal(response.op.count, 0);
}

static void test_txn_that_succeeded(void **state)
{
	encode_txn("pr", "r");
	assert_int_equal(decode(200, "{" H34 ",\"succeeded\":true,\"responses\":[{\"response_put\":"
				     "{\"header\":{\"revision\":\"10\"}}},"
				     "{\"response_range\":{\"header\":{\"revision\":\"10\"},"
				     "\"kvs\":[{\"key\":\"aw==\"}],"
				     "\"count\":\"1\"}}]}"),
		0);
	check_header();
	assert_int_equal(response.op.kind, ONCE_OP_TXN);
	assert_true(response.op.succeeded);
	assert_int_equal(response.op.n_results, 2);
	assert_int_equal(response.op.results[0].kind, ONCE_OP_PUT);
	assert_int_equal(response.op.results[1].kind, ONCE_OP_RANGE);
	assert_int_equal(response.op.results[1].count, 1);
	check_text(response.op.results[1].kvs[0].key, "k");
}

static void test_txn_whose_compare_failed(void **state)
{
	encode_txn("pp", "rd");
	assert_int_equal(
		decode(200,
			"{" H35
			", \"responses\":[{\"response_range\":{\"header\":{\"revision\":\"2\"}, "
			"\"kvs\":[{\"key\":"
			"\"bGVhZGVy\", \"create_revision\":\"2\", \"lease\":\"4660\"}], "
			"\"count\":\"1\"}}, "
			"{\"response_delete_range\":{\"header\":{\"revision\":\"2\"}}}]}"),
		0);
	check_header();
	assert_false(response.op.succeeded);
	assert_int_equal(response.op.n_results, 2);
	assert_int_equal(response.op.results[0].kvs[0].lease, 4660);
	assert_int_equal(response.op.results[1].kind, ONCE_OP_DELETE);
}

static void test_txn_without_ops(void **state)
{
	encode_txn("p", "");
	assert_int_equal(decode(200, "{" H34 "}"), 0);
	assert_false(response.op.succeeded);
	assert_int_equal(response.op.n_results, 0);
	encode_txn("", "");
	assert_int_equal(decode(200, "{" H34 ",\"succeeded\":true}"), 0);
	assert_true(response.op.succeeded);
}

static void test_nested_txn(void **state)
{
	const struct once_op range = {.kind = ONCE_OP_RANGE}, put = {.kind = ONCE_OP_PUT};
	const struct once_txn inner = {NULL, 0, &put, 1, &range, 1};
	const struct once_op ops[] = {{.kind = ONCE_OP_TXN, .txn = &inner}, range};
	const struct once_txn txn = {NULL, 0, ops, 2, ops, 1};

	assert_int_equal(codec_encode_txn(&request, &txn), 0);
	assert_int_equal(decode(200, "{" H34 ",\"succeeded\":true,\"responses\":[{\"response_txn\":"
				     "{\"header\":{},\"responses\":[{"
				     "\"response_range\":{\"count\":\"3\"}}]}},{\"response_range\":"
				     "{\"count\":\"4\"}}]}"),
		0);
	assert_int_equal(response.op.results[0].kind, ONCE_OP_TXN);
	assert_false(response.op.results[0].succeeded);
	assert_int_equal(response.op.results[0].results[0].count, 3);
	assert_int_equal(response.op.results[1].count, 4);
	assert_int_equal(decode(200, "{" H34 ",\"responses\":[{\"response_txn\":{\"succeeded\":"
				     "true,\"responses\":[{\"response_put\":"
				     "{}}]}}]}"),
		0);
	assert_true(response.op.results[0].succeeded);
	/* the inner branch taken has a put, not a range */
	check_rejected(
		"{" H34 ",\"responses\":[{\"response_txn\":{\"succeeded\":true,\"responses\":[{"
		"\"response_range\":{}}]}}]}");
	check_rejected("{" H34 ",\"responses\":[{\"response_txn\":{\"succeeded\":true}}]}");
}

static void test_txn_of_another_shape_is_rejected(void **state)
{
	encode_txn("pp", "r");
	check_rejected("{" H34 ",\"succeeded\":true}");
	check_rejected("{" H34 "}");
	check_rejected("{" H34 ",\"succeeded\":true,\"responses\":[{\"response_put\":{}}]}");
	check_rejected(
		"{" H34
		",\"succeeded\":true,\"responses\":[{\"response_put\":{}},{\"response_put\":{}},"
		"{\"response_put\":{}}]}");
	check_rejected("{" H34 ",\"succeeded\":true,\"responses\":[{\"response_put\":{}},{"
		       "\"response_range\":{}}]}");
	check_rejected("{" H34 ",\"responses\":[{\"response_put\":{}}]}");
	check_rejected("{" H34 ",\"responses\":[{}]}");
	check_rejected("{" H34 ",\"responses\":[null]}");
	check_rejected("{" H34 ",\"responses\":[1]}");
	check_rejected("{" H34 ",\"responses\":{}}");
	check_rejected("{" H34 ",\"succeeded\":\"true\",\"responses\":[{\"response_put\":{}},{"
		       "\"response_put\":{}}]}");
	check_rejected("{" H34 ",\"succeeded\":1}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_put),
		TEST(test_range),
		TEST(test_range_written_strangely),
		TEST(test_range_that_found_nothing),
		TEST(test_delete),
		TEST(test_txn_that_succeeded),
		TEST(test_txn_whose_compare_failed),
		TEST(test_txn_without_ops),
		TEST(test_nested_txn),
		TEST(test_txn_of_another_shape_is_rejected),
	};

	return cmocka_run_group_tests_name("codec-response-kv", tests, NULL, NULL);
}
