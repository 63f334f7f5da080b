/* What etcd answers about leases. */
#include "tests/unit/decode.h"

static void test_lease_grant(void **state)
{
	codec_encode_lease_grant(&request, 10, 0);
	assert_int_equal(decode(200, "{" H34 ",\"ID\":\"2283503129917934123\",\"TTL\":\"10\"}"), 0);
	check_header();
	assert_int_equal(response.lease, 2283503129917934123);
	assert_int_equal(response.ttl_s, 10);
	codec_encode_lease_grant(&request, 10, -5);
	assert_int_equal(decode(200, "{" H35 ", \"ID\":\"-5\", \"TTL\":\"10\"}"), 0);
	assert_int_equal(response.lease, -5);
	check_rejected("{" H34 ",\"ID\":\"5\",\"TTL\":\"10\"}");
	check_rejected("{" H34 ",\"ID\":\"-5\"}");
	check_rejected("{" H34 ",\"TTL\":\"10\"}");
	check_rejected("{" H34 ",\"ID\":\"-5\",\"TTL\":\"-1\"}");
	check_rejected("{" H34 "}");
}

static void test_keepalive(void **state)
{
	codec_encode_lease_keepalive(&request, 7);
	assert_int_equal(decode(200, "{\"result\":{" H34 ",\"ID\":\"7\",\"TTL\":\"10\"}}\n"), 0);
	check_header();
	assert_int_equal(response.lease, 7);
	assert_int_equal(response.ttl_s, 10);
	/* a bad request is answered by nothing at all (3.5) */
	check_rejected("");
	check_rejected("{}");
	check_rejected("{" H34 ",\"ID\":\"7\",\"TTL\":\"10\"}");
	check_rejected("{\"result\":{" H34 ",\"ID\":\"8\",\"TTL\":\"10\"}}\n");
	check_rejected("{\"result\":{\"ID\":\"7\",\"TTL\":\"10\"}}\n");
	check_rejected("{\"result\":{" H34 ",\"ID\":\"7\",\"TTL\":\"10\"}}\n{\"result\":{}}\n");
}

static void test_keepalive_of_a_lease_that_is_gone(void **state)
{
	codec_encode_lease_keepalive(&request, 424242);
	assert_int_equal(decode(200, "{\"result\":{" H34 ",\"ID\":\"424242\"}}\n"), 0);
	assert_int_equal(response.ttl_s, 0);
	assert_int_equal(response.outcome, ONCE_APPLIED);
}

static void test_keepalive_errors_of_both_forms(void **state)
{
	codec_encode_lease_keepalive(&request, 7);
	assert_int_equal(decode(503, "{\"error\":{\"grpc_code\":14,\"http_code\":503,\"message\":"
				     "\"etcdserver: no "
				     "leader\",\"http_status\":\"Service Unavailable\"}}"),
		-EHOSTUNREACH);
	assert_int_equal(
		decode(200, "{\"error\":{\"code\":14,\"message\":\"etcdserver: no leader\"}}\n"),
		-EHOSTUNREACH);
	assert_int_equal(response.outcome, ONCE_UNKNOWN);
	assert_string_equal(response.message, "etcdserver: no leader");
	assert_int_equal(decode(200, "{\"error\":{\"code\":16,\"message\":\"etcdserver: invalid "
				     "auth token\"}}\n"),
		-EACCES);
	assert_int_equal(response.outcome, ONCE_NOT_APPLIED);
}

static void test_revoke(void **state)
{
	codec_encode_lease_revoke(&request, 7);
	assert_int_equal(decode(200, "{" H34 "}"), 0);
	check_header();
	assert_int_equal(
		decode(404, "{\"error\":\"etcdserver: requested lease not found\",\"message\":"
			    "\"etcdserver: requested lease not found\",\"code\":5}"),
		-ENOENT);
	assert_int_equal(response.outcome, ONCE_APPLIED);
	assert_int_equal(
		decode(404, "{\"code\":5, \"message\":\"etcdserver: requested lease not found\"}"),
		-ENOENT);
	assert_int_equal(response.outcome, ONCE_APPLIED);
	assert_int_equal(decode(404, "{\"code\":5, \"message\":\"Not Found\"}"), -EPROTO);
	assert_int_equal(response.outcome, ONCE_UNKNOWN);
}

static void test_time_to_live(void **state)
{
	codec_encode_lease_time_to_live(&request, 7, true);
	assert_int_equal(
		decode(200, "{" H34
			    ",\"ID\":\"7\",\"TTL\":\"9\",\"grantedTTL\":\"10\",\"keys\":[\"Zm9v\","
			    "\"AA==\"]}"),
		0);
	check_header();
	assert_int_equal(response.ttl_s, 9);
	assert_int_equal(response.granted_ttl_s, 10);
	assert_int_equal(response.n_keys, 2);
	check_text(response.keys[0], "foo");
	assert_int_equal(response.keys[1].size, 1);
	check_rejected("{" H34 ",\"ID\":\"7\",\"TTL\":\"9\",\"keys\":[7]}");
	codec_encode_lease_time_to_live(&request, 424242, false);
	assert_int_equal(decode(200, "{" H35 ", \"ID\":\"424242\", \"TTL\":\"-1\"}"), 0);
	assert_int_equal(response.ttl_s, -1);
}

static void test_lease_list(void **state)
{
	codec_encode_lease_list(&request);
	assert_int_equal(decode(200, "{" H34 ",\"leases\":[{\"ID\":\"7\"},{\"ID\":\"-5\"}]}"), 0);
	check_header();
	assert_int_equal(response.n_leases, 2);
	assert_int_equal(response.leases[1], -5);
	assert_int_equal(decode(200, "{" H34 "}"), 0);
	assert_int_equal(response.n_leases, 0);
	check_rejected("{" H34 ",\"leases\":[{}]}");
	check_rejected("{" H34 ",\"leases\":[\"7\"]}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_lease_grant),
		TEST(test_keepalive),
		TEST(test_keepalive_of_a_lease_that_is_gone),
		TEST(test_keepalive_errors_of_both_forms),
		TEST(test_revoke),
		TEST(test_time_to_live),
		TEST(test_lease_list),
	};

	return cmocka_run_group_tests_name("codec-response-lease", tests, NULL, NULL);
}
