/* Every allocation of the codec is refused once: -ENOMEM comes back, nothing leaks, nothing is half
 * there. cJSON, a shared library, is hooked. */
#include "etcd/codec.h"
#include "etcd/split.h"
#include "tests/unit/refuse.h"
#include "tests/unit/unit.h"

#include <cjson/cJSON.h>

#define HEADER                                                                                     \
	"\"header\":{\"cluster_id\":\"1\",\"member_id\":\"2\",\"revision\":\"3\",\"raft_term\":"   \
	"\"4\"}"
#define KV "{\"key\":\"Zm9v\",\"create_revision\":\"2\",\"mod_revision\":\"4\",\"value\":\"YmFy\"}"

static int step_encode(void)
{
	static const char big[5000];
	const struct once_op put = {
		.kind = ONCE_OP_PUT, .key = {big, 100}, .value = {big, sizeof(big)}};
	const struct once_txn txn = {NULL, 0, &put, 1, &put, 1};
	struct codec_request request;
	int r;

	codec_request_init(&request, 0);
	r = codec_encode_txn(&request, &txn);
	if (r == 0)
		r = codec_encode_authenticate(&request, "user", "password");
	codec_request_fini(&request);
	return r;
}

static int step_decode(int (*encode)(struct codec_request *), int http_status, const char *body)
{
	struct codec_request request;
	struct codec_reply reply;
	int r;

	codec_request_init(&request, 0);
	codec_reply_init(&reply);
	r = encode(&request);
	if (r == 0) {
		r = codec_decode(&reply, &request, http_status, body, strlen(body));
		assert_int_equal(r, reply.response.error);
		if (r == -ENOMEM) {
			assert_int_equal(reply.response.outcome, ONCE_UNKNOWN);
			assert_string_equal(reply.response.message, "out of memory");
			assert_null(reply.response.op.kvs);
		}
	}
	codec_reply_fini(&reply);
	codec_request_fini(&request);
	return r;
}

static int encode_txn(struct codec_request *request)
{
	const struct once_op range = {.kind = ONCE_OP_RANGE}, put = {.kind = ONCE_OP_PUT};
	const struct once_op delete = {.kind = ONCE_OP_DELETE};
	const struct once_op ops[] = {range, put, delete};
	const struct once_txn txn = {NULL, 0, ops, 3, NULL, 0};

	return codec_encode_txn(request, &txn);
}

static int step_decode_txn(void)
{
	return step_decode(encode_txn, 200,
		"{" HEADER ",\"succeeded\":true,\"responses\":[{\"response_range\":{\"kvs\":[" KV
		"," KV "]}},"
		"{\"response_put\":{\"prev_kv\":" KV
		"}},{\"response_delete_range\":{\"prev_kvs\":[" KV "]}}]}");
}

static int encode_range(struct codec_request *request)
{
	const struct once_op range = {.kind = ONCE_OP_RANGE};

	return codec_encode_op(request, &range);
}

static int step_decode_big_value(void)
{
	char body[10000];

	(void)snprintf(body, sizeof(body),
		"{" HEADER ",\"kvs\":[{\"key\":\"Zm9v\",\"value\":\"%08000d\"}]}", 0);
	return step_decode(encode_range, 200, body);
}

static int step_decode_pieces(void)
{
	static const char text[] = "{" HEADER ",\"kvs\":[" KV "," KV "," KV "]}";
	struct codec_rows rows;
	struct arena arena;
	int r = 0;

	arena_init(&arena);
	codec_rows_init(&rows);
	for (size_t i = 0; i < sizeof(text) - 1 && r == 0; i += 7)
		r = codec_rows_push(&rows, text + i,
			sizeof(text) - 1 - i < 7 ? sizeof(text) - 1 - i : 7, &arena);
	codec_rows_fini(&rows);
	arena_fini(&arena);
	return r;
}

static int encode_members(struct codec_request *request)
{
	return codec_encode_member_list(request, true);
}

static int step_decode_members(void)
{
	char body[4000];

	/* long enough that the arena needs another chunk in the midst of it */
	(void)snprintf(body, sizeof(body),
		"{" HEADER ",\"members\":[{\"ID\":\"1\",\"name\":\"n\",\"peerURLs\":[\"%03000d\"],"
		"\"clientURLs\":[\"a\",\"b\"]}]}",
		0);
	return step_decode(encode_members, 200, body);
}

static int encode_auth(struct codec_request *request)
{
	return codec_encode_authenticate(request, "u", "p");
}

static int step_decode_auth(void)
{
	return step_decode(encode_auth, 200, "{" HEADER ",\"token\":\"abc.1\"}");
}

static int step_decode_status(void)
{
	return step_decode(codec_encode_status, 200,
		"{" HEADER ",\"version\":\"3.4.23\",\"errors\":[\"a\",\"b\"]}");
}

static int step_decode_leases(void)
{
	return step_decode(
		codec_encode_lease_list, 200, "{" HEADER ",\"leases\":[{\"ID\":\"7\"}]}");
}

static int encode_ttl(struct codec_request *request)
{
	return codec_encode_lease_time_to_live(request, 7, true);
}

static int step_decode_ttl(void)
{
	return step_decode(encode_ttl, 200, "{" HEADER ",\"ID\":\"7\",\"keys\":[\"Zm9v\"]}");
}

/* An error of etcd, told apart only after parsing. */
static int step_decode_error(void)
{
	int r = step_decode(
		codec_encode_lease_list, 400, "{\"code\":3,\"message\":\"etcdserver: no\"}");

	return r == -EINVAL ? 0 : r;
}

static int step_watch_line(void)
{
	static const char text[] =
		"{\"result\":{" HEADER ",\"events\":[{\"kv\":" KV ",\"prev_kv\":" KV "}]}}";
	struct codec_watch_line line;
	int r = codec_watch_line(&line, text, sizeof(text) - 1);

	codec_watch_line_fini(&line);
	return r;
}

static int step_watch_refusal(void)
{
	static const char text[] = "{\"code\":7,\"message\":\"permission denied\"}";
	struct codec_watch_line line;
	int r = codec_watch_refusal(&line, 403, text, sizeof(text) - 1);

	codec_watch_line_fini(&line);
	return r;
}

static int step_split(void)
{
	struct split split;
	const char *text;
	size_t size;
	int r = 0;

	split_init(&split, 0);
	for (int i = 0; i < 100 && r == 0; i++)
		r = split_push(&split, "0123456789", 10);
	assert_int_equal(split_next(&split, &text, &size), r);
	split_fini(&split);
	return r;
}

static void test_each_allocation_failing_is_enomem_without_leak(void **state)
{
	static const struct refuse_step steps[] = {
		{"encode", step_encode, 5, false},
		{"decode txn", step_decode_txn, 50, false},
		{"decode big value", step_decode_big_value, 10, false},
		{"decode pieces", step_decode_pieces, 10, false},
		{"decode members", step_decode_members, 20, false},
		{"decode auth", step_decode_auth, 10, false},
		{"decode status", step_decode_status, 15, false},
		{"decode leases", step_decode_leases, 10, false},
		{"decode ttl", step_decode_ttl, 10, false},
		{"decode error", step_decode_error, 5, false},
		{"watch line", step_watch_line, 30, false},
		{"watch refusal", step_watch_refusal, 5, false},
		{"split", step_split, 3, false},
	};
	cJSON_Hooks hooks = {refuse_malloc, refuse_free};

	cJSON_InitHooks(&hooks);
	refuse_each(steps, LENGTH(steps));
	cJSON_InitHooks(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_allocation_failing_is_enomem_without_leak),
	};

	return cmocka_run_group_tests_name("codec-memory", tests, NULL, NULL);
}
