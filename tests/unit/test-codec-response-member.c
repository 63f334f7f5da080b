/* What etcd answers about itself: tokens, its state, hashes, alarms, members, compactions. */
#include "tests/unit/decode.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_authenticate),
		TEST(test_status),
		TEST(test_hash),
		TEST(test_alarms),
		TEST(test_member_list),
		TEST(test_compaction),
	};

	return cmocka_run_group_tests_name("codec-response-member", tests, NULL, NULL);
}
