/* codec_decode() of etcd/codec.h, on bodies as etcd 3.4 and 3.5 sent them (compact, and with blanks
 * behind the commas). */
#include "etcd/codec.h"
#include "unit.h"

#define H34                                                                                        \
	"\"header\":{\"cluster_id\":\"17163497475567447734\",\"member_id\":"                       \
	"\"447728115104063408\","                                                                  \
	"\"revision\":\"2\",\"raft_term\":\"3\"}"
#define H35                                                                                        \
	"\"header\":{\"cluster_id\":\"17163497475567447734\", "                                    \
	"\"member_id\":\"447728115104063408\", "                                                   \
	"\"revision\":\"2\", \"raft_term\":\"3\"}"

static struct codec_request request;
static struct codec_reply reply;
#define response (reply.response)

static int setup(void **state)
{
	codec_request_init(&request, 0);
	codec_reply_init(&reply);
	return 0;
}

static int teardown(void **state)
{
	codec_reply_fini(&reply);
	codec_request_fini(&request);
	return 0;
}

static int decode(int http_status, const char *body)
{
	codec_reply_fini(&reply);
	codec_reply_init(&reply);
	return codec_decode(&reply, &request, http_status, body, strlen(body));
}

static void check_header(void)
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

static void check_text(struct once_bytes bytes, const char *text)
{
	assert_int_equal(bytes.size, strlen(text));
	assert_memory_equal(bytes.data, text, bytes.size);
}

/* Not one field of a rejected answer may be used. */
static void check_rejected(const char *body)
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

static void encode_op(enum once_op_kind kind)
{
	const struct once_op op = {.kind = kind, .key = once_str("foo")};

	assert_int_equal(codec_encode_op(&request, &op), 0);
}

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

static void test_authenticate(void **state)
{
	codec_encode_authenticate(&request, "u", "pw");
	assert_int_equal(decode(200, "{" H34 ",\"token\":\"aPdyLTzRKezqCLAS.19\"}"), 0);
	check_header();
	assert_string_equal(reply.token, "aPdyLTzRKezqCLAS.19");
	assert_true(reply.arena.secret);
	check_rejected("{" H34 "}");
	check_rejected("{" H34 ",\"token\":\"\"}");
	assert_int_equal(
		decode(412, "{\"error\":\"etcdserver: authentication is not enabled\",\"message\":"
			    "\"etcdserver: authentication is not enabled\",\"code\":9}"),
		-EINVAL);
	assert_int_equal(response.grpc_code, 9);
}

static void test_status(void **state)
{
	codec_encode_status(&request);
	assert_int_equal(decode(200, "{" H34 ",\"version\":\"3.4.23\",\"dbSize\":\"36864\","
				     "\"leader\":\"447728115104063408\","
				     "\"raftIndex\":\"44\",\"raftTerm\":\"2\",\"raftAppliedIndex\":"
				     "\"43\",\"dbSizeInUse\":\"36863\"}"),
		0);
	check_header();
	assert_string_equal(response.version, "3.4.23");
	assert_int_equal(response.leader, 447728115104063408);
	assert_int_equal(response.db_size, 36864);
	assert_int_equal(response.db_size_in_use, 36863);
	assert_int_equal(response.raft_index, 44);
	assert_int_equal(response.raft_applied_index, 43);
	assert_int_equal(response.n_errors, 0);
	assert_false(response.is_learner);
	assert_int_equal(decode(200, "{" H35 ", \"version\":\"3.5.16\", \"isLearner\":true, "
				     "\"errors\":[\"etcdserver: no leader\", "
				     "\"memberID:447728115104063408 alarm:NOSPACE \"]}"),
		0);
	assert_int_equal(response.leader, 0);
	assert_int_equal(response.n_errors, 2);
	assert_string_equal(response.errors[0], "etcdserver: no leader");
	assert_true(response.is_learner);
	check_rejected("{" H34 "}");
}

static void test_hash(void **state)
{
	codec_encode_hash_kv(&request, 0);
	assert_int_equal(
		decode(200, "{" H35 ", \"hash\":4294967295, \"compact_revision\":\"-1\"}"), 0);
	check_header();
	assert_int_equal(response.hash, UINT32_MAX);
	assert_int_equal(response.compact_revision, -1);
	check_rejected("{" H35 ", \"hash\":4294967296}");
	check_rejected("{" H35 ", \"hash\":-1}");
	check_rejected("{\"hash\":1}");
}

static void test_alarms(void **state)
{
	codec_encode_alarm(&request, NULL);
	/* 3.4 says nothing at all when none is raised */
	assert_int_equal(decode(200, "{}"), 0);
	assert_int_equal(response.n_alarms, 0);
	assert_int_equal(
		decode(200, "{" H35 ", \"alarms\":[{\"memberID\":\"17163497475567447735\", "
			    "\"alarm\":\"NOSPACE\"}, {\"memberID\":\"7\", "
			    "\"alarm\":\"CORRUPT\"}, {\"memberID\":\"8\"}]}"),
		0);
	check_header();
	assert_int_equal(response.n_alarms, 3);
	assert_true(response.alarms[0].member == UINT64_C(17163497475567447735));
	assert_int_equal(response.alarms[0].kind, ONCE_ALARM_NOSPACE);
	assert_int_equal(response.alarms[1].kind, ONCE_ALARM_CORRUPT);
	assert_int_equal(response.alarms[2].kind, ONCE_ALARM_NONE);
	check_rejected("{" H35 ", \"alarms\":{}}");
	check_rejected("{" H35 ", \"alarms\":[{\"memberID\":\"-7\"}]}");
}

static void test_member_list(void **state)
{
	codec_encode_member_list(&request, true);
	assert_int_equal(decode(200, "{\"header\":{\"cluster_id\":\"17163497475567447734\","
				     "\"member_id\":\"447728115104063408\","
				     "\"raft_term\":\"2\"},\"members\":[{\"ID\":"
				     "\"17163497475567447735\",\"name\":\"n0\",\"peerURLs\":["
				     "\"http://a:1\",\"http://b:1\"],\"clientURLs\":[\"http://"
				     "a:2\"]},{\"ID\":\"2\",\"peerURLs\":["
				     "\"http://c:1\"],\"isLearner\":true}]}"),
		0);
	assert_int_equal(response.revision, 0);
	assert_int_equal(response.n_members, 2);
	assert_true(response.members[0].id == UINT64_C(17163497475567447735));
	assert_string_equal(response.members[0].name, "n0");
	assert_int_equal(response.members[0].n_peer_urls, 2);
	assert_string_equal(response.members[0].peer_urls[1], "http://b:1");
	assert_string_equal(response.members[0].client_urls[0], "http://a:2");
	assert_string_equal(response.members[1].name, "");
	assert_int_equal(response.members[1].n_client_urls, 0);
	assert_true(response.members[1].is_learner);
	check_rejected("{" H34 "}");
	check_rejected("{" H34 ",\"members\":[{\"name\":\"n\"}]}");
	check_rejected("{" H34 ",\"members\":[7]}");
}

static void test_compaction(void **state)
{
	codec_encode_compaction(&request, 30, false);
	assert_int_equal(decode(200, "{" H34 "}"), 0);
	check_header();
	assert_int_equal(
		decode(400,
			"{\"code\":11, \"message\":\"etcdserver: mvcc: required revision has been "
			"compacted\"}"),
		-ESTALE);
	assert_int_equal(response.outcome, ONCE_NOT_APPLIED);
}

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

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

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
		TEST(test_lease_grant),
		TEST(test_keepalive),
		TEST(test_keepalive_of_a_lease_that_is_gone),
		TEST(test_keepalive_errors_of_both_forms),
		TEST(test_revoke),
		TEST(test_time_to_live),
		TEST(test_lease_list),
		TEST(test_authenticate),
		TEST(test_status),
		TEST(test_hash),
		TEST(test_alarms),
		TEST(test_member_list),
		TEST(test_compaction),
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
