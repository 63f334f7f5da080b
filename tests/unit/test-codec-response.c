/* Answers that are none of etcd's, or not as they should be: what is rejected, and what is told of it. */
#include "tests/unit/decode.h"

static void test_what_is_no_answer_of_etcd_is_rejected(void **state)
{
	static const char *const bodies[] = {
		"",
		"null",
		"[]",
		"{}",
		"\"header\"",
		"{\"header\":null}",
		"{\"header\":[]}",
		"{\"header\":{}",
		"{" H34,
		"{" H34 "}{" H34 "}",
		"{" H34 "} x",
		"{" H34 "," H34 "}",
		"<html>502</html>",
		"OK",
		"{\"code\":5, \"message\":\"etcdserver: requested lease not found\"}",
		"{\"header\":{\"cluster_id\":\"-1\"}}",
		"{\"header\":{\"revision\":\"x\"}}",
		"{\"header\":{\"cluster_id\":\"1\",\"member_id\":\"2\",\"raft_term\":\"3\"}}",
		"{\"header\":{\"cluster_id\":\"1\",\"revisiom\":\"2\"}}",
		"{" H34 ",\"kvs\":[1]}",
		"{" H34 ",\"kvs\":[null]}",
		"{" H34 ",\"kvs\":{}}",
		"{" H34 ",\"kvs\":[[]]}",
		"{" H34 ",\"kvs\":[{\"key\":\"Zm8\"}]}",
		"{" H34 ",\"kvs\":[{\"key\":7}]}",
		"{" H34 ",\"kvs\":[{\"mod_revision\":\"1.5\"}]}",
		"{" H34 ",\"count\":\"9223372036854775808\"}",
		"{" H34 ",\"count\":9007199254740993}",
		"{" H34 ",\"more\":\"true\"}",
		"{" H34 ",\"kvs\":[{\"key\":\"Zm9v\",\"key\":\"Zm9v\"}]}",
		"{" H34 ",\"x\":\"a\\u0000b\"}",
	};

	encode_op(ONCE_OP_RANGE);
	for (size_t i = 0; i < LENGTH(bodies); i++)
		check_rejected(bodies[i]);
}

static void test_another_status_without_an_error_of_etcd(void **state)
{
	encode_op(ONCE_OP_PUT);
	assert_int_equal(decode(404, "Not Found\n"), -EBADMSG);
	assert_int_equal(response.outcome, ONCE_UNKNOWN);
	assert_string_equal(
		response.message, "the answer (HTTP 404) is not etcd's: Not Found\\x0a");
	assert_int_equal(
		decode(503, "{\"health\":\"false\",\"reason\":\"RAFT NO LEADER\"}"), -EBADMSG);
	assert_int_equal(decode(500, "{" H34 "}"), -EBADMSG);
	assert_int_equal(decode(204, ""), -EBADMSG);
	assert_string_equal(response.message, "the answer (HTTP 204) is not etcd's");
	assert_int_equal(decode(400, "{\"code\":0, \"message\":\"x\"}"), -EBADMSG);
	assert_int_equal(decode(400, "{\"code\":99, \"message\":\"x\"}"), -EBADMSG);
	assert_int_equal(decode(400, "{\"code\":\"x\", \"message\":\"x\"}"), -EBADMSG);
	assert_int_equal(decode(400, "{\"code\":3, \"message\":7}"), -EBADMSG);
}

static void test_a_value_does_not_get_into_the_message(void **state)
{
	encode_op(ONCE_OP_RANGE);
	decode(200, "{\"kvs\":[{\"value\":\"c2VjcmV0\"}]}");
	assert_null(strstr(response.message, "c2V"));
}

static void test_messages_are_escaped_and_cut(void **state)
{
	char body[1000];

	encode_op(ONCE_OP_PUT);
	decode(400, "{\"code\":3,\"message\":\"a\\n\\u001b[2J\"}");
	assert_string_equal(response.message, "a\\x0a\\x1b[2J");
	(void)snprintf(body, sizeof(body), "{\"code\":3,\"message\":\"%0600d\"}", 0);
	decode(400, body);
	assert_int_equal(strlen(response.message), sizeof(response.message) - 1);
	assert_string_equal(response.message + 252, "...");
}

static void test_unknown_fields_are_ignored(void **state)
{
	encode_op(ONCE_OP_RANGE);
	assert_int_equal(decode(200, "{\"new\":[1,{}]," H34
				     ",\"Count\":true,\"kvs\":null,\"hash\":2624315859}"),
		0);
	check_header();
}

static void test_depth_is_capped(void **state)
{
	char body[4000] = "{" H34 ",\"x\":";
	size_t at = strlen(body);

	encode_op(ONCE_OP_RANGE);
	memset(body + at, '[', CODEC_DEPTH_MAX);
	memset(body + at + CODEC_DEPTH_MAX, ']', CODEC_DEPTH_MAX);
	body[at + 2 * CODEC_DEPTH_MAX] = '}';
	check_rejected(body);
	memmove(body + at, body + at + 1, strlen(body + at));
	body[at + 2 * CODEC_DEPTH_MAX - 2] = '}';
	body[at + 2 * CODEC_DEPTH_MAX - 1] = '\0';
	assert_int_equal(decode(200, body), 0);
}

static void test_deepest_txn_that_may_be_asked_can_be_answered(void **state)
{
	struct once_txn txns[CODEC_TXN_DEPTH_MAX + 1] = {0};
	struct once_op ops[CODEC_TXN_DEPTH_MAX + 1] = {0};
	struct buf body;

	buf_init(&body, 4000);
	buf_puts(&body, "{" H34 ",\"succeeded\":true,\"responses\":[");
	for (int i = 0; i <= CODEC_TXN_DEPTH_MAX; i++) {
		ops[i] = (struct once_op){.kind = ONCE_OP_RANGE, .key = once_str("k")};
		if (i < CODEC_TXN_DEPTH_MAX)
			ops[i] = (struct once_op){.kind = ONCE_OP_TXN, .txn = &txns[i + 1]};
		txns[i] = (struct once_txn){.success = &ops[i], .n_success = 1};
		if (i < CODEC_TXN_DEPTH_MAX)
			buf_puts(&body, "{\"response_txn\":{\"header\":{},\"succeeded\":true,"
					"\"responses\":[");
	}
	buf_puts(&body, "{\"response_range\":{\"header\":{},\"kvs\":[{\"key\":\"aw==\"}]}}");
	for (int i = 0; i < CODEC_TXN_DEPTH_MAX; i++)
		buf_puts(&body, "]}}");
	buf_puts(&body, "]}");
	assert_int_equal(codec_encode_txn(&request, &txns[0]), 0);
	assert_int_equal(decode(200, buf_text(&body)), 0);
	buf_fini(&body);
}

static void test_fail_fills_a_response(void **state)
{
	codec_reply_fail(&reply, -ETIMEDOUT, ONCE_UNKNOWN, NULL);
	assert_int_equal(response.error, -ETIMEDOUT);
	assert_int_equal(response.outcome, ONCE_UNKNOWN);
	assert_string_equal(response.message, "no answer in time");
	codec_reply_fail(&reply, -ECONNRESET, ONCE_NOT_APPLIED, "a\nb");
	assert_string_equal(response.message, "a\\x0ab");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_what_is_no_answer_of_etcd_is_rejected),
		TEST(test_another_status_without_an_error_of_etcd),
		TEST(test_a_value_does_not_get_into_the_message),
		TEST(test_messages_are_escaped_and_cut),
		TEST(test_unknown_fields_are_ignored),
		TEST(test_depth_is_capped),
		TEST(test_deepest_txn_that_may_be_asked_can_be_answered),
		TEST(test_fail_fills_a_response),
	};

	return cmocka_run_group_tests_name("codec-response", tests, NULL, NULL);
}
