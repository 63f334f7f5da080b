/* See decode.h. */
#include "tests/unit/decode.h"

struct codec_request request;
struct codec_reply reply;

int setup(void **state)
{
	codec_request_init(&request, 0);
	codec_reply_init(&reply);
	return 0;
}

int teardown(void **state)
{
	codec_reply_fini(&reply);
	codec_request_fini(&request);
	return 0;
}

void encode_op(enum once_op_kind kind)
{
	const struct once_op op = {.kind = kind, .key = once_str("foo")};

	assert_int_equal(codec_encode_op(&request, &op), 0);
}

int decode(int http_status, const char *body)
{
	codec_reply_fini(&reply);
	codec_reply_init(&reply);
	return codec_decode(&reply, &request, http_status, body, strlen(body));
}

void check_header(void)
{
	assert_int_equal(response.error, 0);
	assert_int_equal(response.outcome, ONCE_APPLIED);
	assert_int_equal(response.http_status, 200);
	assert_string_equal(response.message, "");
	assert_true(response.cluster_id == UINT64_C(17163497475567447734));
	assert_int_equal(response.member_id, 447728115104063408);
	assert_int_equal(response.revision, 2);
	assert_int_equal(response.raft_term, 3);
}

void check_text(struct once_bytes bytes, const char *text)
{
	assert_int_equal(bytes.size, strlen(text));
	assert_memory_equal(bytes.data, text, bytes.size);
}

void check_rejected(const char *body)
{
	check_case(body, decode(200, body) == -EBADMSG);
	check_case(body, response.error == -EBADMSG && response.outcome == ONCE_UNKNOWN);
	check_case(body, response.message[0] != '\0');
	check_case(body,
		!response.op.succeeded && response.op.n_kvs == 0 && response.op.n_results == 0);
	check_case(body, response.lease == 0 && response.ttl_s == 0 && response.cluster_id == 0);
	check_case(
		body, reply.token == NULL && response.version == NULL && response.n_members == 0);
}
