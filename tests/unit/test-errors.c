/* etcd/errors.h, by the bodies that etcd 3.4 and 3.5 were seen to send. */
#include "etcd/codec.h"
#include "etcd/errors.h"
#include "unit.h"

#define S "etcdserver: "

static const struct {
	const char *message;
	int grpc_code;
	int http_34, http_35; /* 0: that version does not say this */
	int error;
	enum once_outcome outcome;
} rows[] = {
	{S "key is not provided", 3, 400, 400, -EINVAL, ONCE_NOT_APPLIED},
	{S "key not found", 3, 400, 400, -EINVAL, ONCE_NOT_APPLIED},
	{S "too many operations in txn request", 3, 400, 400, -E2BIG, ONCE_NOT_APPLIED},
	{S "duplicate key given in txn request", 3, 400, 400, -EINVAL, ONCE_NOT_APPLIED},
	{S "requested lease not found", 5, 404, 404, -ENOENT, ONCE_NOT_APPLIED},
	{S "lease already exists", 9, 412, 400, -EEXIST, ONCE_NOT_APPLIED},
	{S "request is too large", 3, 400, 400, -E2BIG, ONCE_NOT_APPLIED},
	{"grpc: received message larger than max (2621150 vs. 2097152)", 8, 429, 429, -E2BIG,
		ONCE_NOT_APPLIED},
	{S "mvcc: database space exceeded", 8, 429, 429, -ENOSPC, ONCE_UNKNOWN},
	{S "too many requests", 8, 429, 429, -EAGAIN, ONCE_NOT_APPLIED},
	{"grpc: trying to send message larger than max (3 vs. 2)", 8, 429, 429, -E2BIG,
		ONCE_UNKNOWN},
	{S "mvcc: required revision has been compacted", 11, 400, 400, -ESTALE, ONCE_NOT_APPLIED},
	{S "mvcc: required revision is a future revision", 11, 400, 400, -ERANGE, ONCE_NOT_APPLIED},
	{S "too large lease TTL", 11, 400, 400, -EINVAL, ONCE_NOT_APPLIED},
	{"unexpected EOF", 3, 400, 400, -EINVAL, ONCE_NOT_APPLIED},
	{"illegal base64 data at input byte 0", 3, 400, 0, -EINVAL, ONCE_NOT_APPLIED},
	{"invalid grpc-timeout: 1.5S", 3, 400, 400, -EINVAL, ONCE_NOT_APPLIED},
	{S "user name is empty", 3, 400, 400, -EACCES, ONCE_NOT_APPLIED},
	{S "invalid auth token", 16, 401, 401, -EACCES, ONCE_NOT_APPLIED},
	{S "revision of auth store is old", 3, 400, 400, -EACCES, ONCE_NOT_APPLIED},
	{S "permission denied", 7, 403, 403, -EPERM, ONCE_NOT_APPLIED},
	{S "authentication failed, invalid user ID or password", 3, 400, 400, -EACCES,
		ONCE_NOT_APPLIED},
	{S "authentication is not enabled", 9, 412, 400, -EINVAL, ONCE_NOT_APPLIED},
	{S "not leader", 9, 412, 400, -EHOSTUNREACH, ONCE_NOT_APPLIED},
	{"context deadline exceeded", 4, 504, 504, -ETIMEDOUT, ONCE_UNKNOWN},
	{"context deadline exceeded", 2, 500, 500, -ETIMEDOUT, ONCE_UNKNOWN},
	{"stream terminated by RST_STREAM with error code: CANCEL", 4, 0, 504, -ETIMEDOUT,
		ONCE_UNKNOWN},
	{S "no leader", 14, 503, 503, -EHOSTUNREACH, ONCE_UNKNOWN},
	{S "request timed out", 14, 503, 503, -ETIMEDOUT, ONCE_UNKNOWN},
	{S "request timed out, possibly due to previous leader failure", 14, 503, 503, -ETIMEDOUT,
		ONCE_UNKNOWN},
	{S "leader changed", 14, 503, 503, -EHOSTUNREACH, ONCE_UNKNOWN},
	{"OK: HTTP status code 200; transport: missing content-type field", 2, 500, 0, -ECONNRESET,
		ONCE_UNKNOWN},
	{"malformed header: missing HTTP content-type", 2, 0, 500, -ECONNRESET, ONCE_UNKNOWN},
	{"unexpected HTTP status code received from server: 200 (OK); malformed header: missing "
	 "HTTP "
	 "content-type",
		2, 0, 500, -ECONNRESET, ONCE_UNKNOWN},
	{"transport is closing", 14, 503, 0, -ECONNRESET, ONCE_UNKNOWN},
	{"error reading from server: EOF", 14, 0, 503, -ECONNRESET, ONCE_UNKNOWN},
	{"server closed the stream without sending trailers", 13, 500, 500, -ECONNRESET,
		ONCE_UNKNOWN},
	{"election: not leader", 2, 500, 500, -EPROTO, ONCE_UNKNOWN},
	{"Not Found", 5, 0, 404, -EPROTO, ONCE_UNKNOWN},
	{"Method Not Allowed", 12, 0, 501, -EPROTO, ONCE_UNKNOWN},
	{"context canceled", 1, 499, 499, -EPROTO, ONCE_UNKNOWN},
	{S "corrupt cluster", 15, 500, 500, -EPROTO, ONCE_UNKNOWN},
	{"a word of the future", 11, 400, 400, -EPROTO, ONCE_UNKNOWN},
	{"aborted", 10, 409, 409, -EPROTO, ONCE_UNKNOWN},
};

/* The whole way: a body through codec_decode(), as the answer to a put. */
static void check_body(const char *body, const char *message, int code, int http_status, int error,
	enum once_outcome outcome)
{
	const struct once_op put = {.kind = ONCE_OP_PUT, .key = once_str("foo")};
	struct codec_request request;
	struct codec_reply reply;

	codec_request_init(&request, 0);
	codec_reply_init(&reply);
	assert_int_equal(codec_encode_op(&request, &put), 0);
	check_case(body, codec_decode(&reply, &request, http_status, body, strlen(body)) == error);
	check_case(body, reply.response.error == error);
	check_case(body, reply.response.outcome == outcome);
	check_case(body, reply.response.grpc_code == code);
	check_case(body, reply.response.http_status == http_status);
	check_case(body, strcmp(reply.response.message, message) == 0);
	codec_reply_fini(&reply);
	codec_request_fini(&request);
}

static void test_every_row_in_the_words_of_both_versions(void **state)
{
	for (size_t i = 0; i < LENGTH(rows); i++) {
		const char *message = rows[i].message;
		int code = rows[i].grpc_code;
		char body[512];

		if (rows[i].http_34) {
			(void)snprintf(body, sizeof(body),
				"{\"error\":\"%s\",\"message\":\"%s\",\"code\":%d}", message,
				message, code);
			check_body(body, message, code, rows[i].http_34, rows[i].error,
				rows[i].outcome);
		}
		if (rows[i].http_35) {
			(void)snprintf(body, sizeof(body), "{\"code\":%d, \"message\":\"%s\"}",
				code, message);
			check_body(body, message, code, rows[i].http_35, rows[i].error,
				rows[i].outcome);
		}
	}
}

static void test_literal_bodies(void **state)
{
	check_body("{\"error\":\"etcdserver: requested lease not found\",\"message\":\"etcdserver: "
		   "requested lease not found\",\"code\":5}",
		S "requested lease not found", 5, 404, -ENOENT, ONCE_NOT_APPLIED);
	check_body("{\"code\":5, \"message\":\"etcdserver: requested lease not found\"}",
		S "requested lease not found", 5, 404, -ENOENT, ONCE_NOT_APPLIED);
	check_body("{\"error\":{\"grpc_code\":14,\"http_code\":503,\"message\":\"etcdserver: no "
		   "leader\",\"http_status\":\"Service Unavailable\"}}",
		S "no leader", 14, 503, -EHOSTUNREACH, ONCE_UNKNOWN);
	check_body("{\"error\":{\"code\":14,\"message\":\"etcdserver: no leader\"}}\n",
		S "no leader", 14, 503, -EHOSTUNREACH, ONCE_UNKNOWN);
	check_body("{\"error\":\"permission denied\",\"code\":7}", "permission denied", 7, 403,
		-EPERM, ONCE_NOT_APPLIED);
	check_body("{\"code\":7}", "", 7, 403, -EPERM, ONCE_NOT_APPLIED);
}

/* A gateway in between may translate the status; a 5xx never counts as a refusal. */
static void test_5xx_is_unknown_whatever_it_says(void **state)
{
	static const int statuses[] = {500, 502, 503, 504, 599, 302, 100};

	for (size_t i = 0; i < LENGTH(rows); i++) {
		for (size_t k = 0; k < LENGTH(statuses); k++) {
			struct errors_verdict verdict =
				errors_classify(rows[i].grpc_code, rows[i].message, statuses[k]);

			assert_int_equal(verdict.error, rows[i].error);
			assert_int_equal(verdict.outcome, ONCE_UNKNOWN);
		}
	}
}

static void test_codes_out_of_the_table_are_unknown(void **state)
{
	for (int code = -1; code < 30; code++) {
		struct errors_verdict verdict = errors_classify(code, NULL, 400);

		assert_true(verdict.error < 0);
		if (code < 1 || code > 16) {
			assert_int_equal(verdict.error, -EPROTO);
			assert_int_equal(verdict.outcome, ONCE_UNKNOWN);
		}
	}
}

static void test_grpc_names(void **state)
{
	assert_int_equal(errors_grpc_code("PermissionDenied", 16), GRPC_PERMISSION_DENIED);
	assert_int_equal(errors_grpc_code("Unauthenticated desc", 15), GRPC_UNAUTHENTICATED);
	assert_int_equal(errors_grpc_code("Canceled", 8), GRPC_CANCELLED);
	assert_int_equal(errors_grpc_code("Nonsense", 8), GRPC_UNKNOWN);
	assert_int_equal(errors_grpc_code("", 0), GRPC_UNKNOWN);
}

static void test_every_error_of_the_header_has_words(void **state)
{
	static const int errors[] = {-ENOENT, -EACCES, -EPERM, -EEXIST, -ENOSPC, -E2BIG, -ESTALE,
		-ERANGE, -EINVAL, -EAGAIN, -EHOSTUNREACH, -ETIMEDOUT, -EBADMSG, -ECONNRESET,
		-EPROTO, -EKEYREJECTED, -EREMCHG};

	for (size_t i = 0; i < LENGTH(errors); i++) {
		assert_string_not_equal(once_strerror(errors[i]), "unknown error");
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(once_strerror(errors[i]), once_strerror(errors[k]));
	}
	assert_string_equal(once_strerror(-EACCES), "not authenticated");
	assert_string_equal(once_strerror(-12345), "unknown error");
	assert_string_equal(once_strerror(0), "no error");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_row_in_the_words_of_both_versions),
		cmocka_unit_test(test_literal_bodies),
		cmocka_unit_test(test_5xx_is_unknown_whatever_it_says),
		cmocka_unit_test(test_codes_out_of_the_table_are_unknown),
		cmocka_unit_test(test_grpc_names),
		cmocka_unit_test(test_every_error_of_the_header_has_words),
	};

	return cmocka_run_group_tests_name("errors", tests, NULL, NULL);
}
