/* codec_watch_line() and codec_watch_refusal() of etcd/codec.h, on lines as etcd sent them. */
#include "etcd/codec.h"
#include "unit.h"

#define H                                                                                          \
	"\"header\":{\"cluster_id\":\"17163497475567447734\",\"member_id\":"                       \
	"\"447728115104063408\","                                                                  \
	"\"revision\":\"9\",\"raft_term\":\"2\"}"
#define H_WITHOUT_REVISION                                                                         \
	"\"header\":{\"cluster_id\":\"17163497475567447734\",\"member_id\":"                       \
	"\"447728115104063408\","                                                                  \
	"\"raft_term\":\"2\"}"

static struct codec_watch_line line;

static int teardown(void **state)
{
	codec_watch_line_fini(&line);
	return 0;
}

static int decode(const char *text)
{
	codec_watch_line_fini(&line);
	return codec_watch_line(&line, text, strlen(text));
}

static void check_text(struct once_bytes bytes, const char *text)
{
	assert_int_equal(bytes.size, strlen(text));
	assert_memory_equal(bytes.data, text, bytes.size);
}

static void test_created(void **state)
{
	assert_int_equal(decode("{\"result\":{" H ",\"created\":true}}"), 0);
	assert_int_equal(line.what, CODEC_WATCH_CREATED);
	assert_int_equal(line.watch_id, 0);
	assert_true(line.cluster_id == UINT64_C(17163497475567447734));
	assert_int_equal(line.member_id, 447728115104063408);
	assert_int_equal(line.revision, 9);
	assert_int_equal(line.raft_term, 2);
	assert_int_equal(decode("{\"result\":{" H ",\"watch_id\":\"77\",\"created\":true}}"), 0);
	assert_int_equal(line.watch_id, 77);
}

static void test_events(void **state)
{
	assert_int_equal(
		decode("{\"result\":{" H ",\"watch_id\":\"1\",\"events\":[{\"kv\":{\"key\":\"aw=="
					 "\",\"create_revision\":\"2\","
		       "\"mod_revision\":\"3\",\"version\":\"2\",\"value\":\"djE=\",\"lease\":"
		       "\"7\"},\"prev_kv\":{\"key\":"
		       "\"aw==\",\"mod_revision\":\"2\"}},{\"type\":\"DELETE\",\"kv\":{\"key\":"
		       "\"aw==\",\"mod_revision\":\"4\"}},"
		       "{\"type\":\"PUT\",\"kv\":{\"key\":\"bA==\",\"mod_revision\":\"4\"}}]}}"),
		0);
	assert_int_equal(line.what, CODEC_WATCH_EVENTS);
	assert_int_equal(line.watch_id, 1);
	assert_int_equal(line.n_events, 3);
	assert_false(line.fragment);
	assert_int_equal(line.events[0].kind, ONCE_EVENT_PUT);
	check_text(line.events[0].kv.key, "k");
	check_text(line.events[0].kv.value, "v1");
	assert_int_equal(line.events[0].kv.lease, 7);
	assert_int_equal(line.events[0].kv.mod_revision, 3);
	assert_true(line.events[0].has_prev);
	assert_int_equal(line.events[0].prev.mod_revision, 2);
	assert_int_equal(line.events[1].kind, ONCE_EVENT_DELETE);
	assert_false(line.events[1].has_prev);
	check_text(line.events[1].kv.value, "");
	assert_int_equal(line.events[2].kind, ONCE_EVENT_PUT);
}

static void test_fragment(void **state)
{
	assert_int_equal(decode("{\"result\":{" H
				",\"events\":[{\"kv\":{\"key\":\"aw==\",\"mod_revision\":\"2\"}}],"
				"\"fragment\":true}}"),
		0);
	assert_true(line.fragment);
}

static void test_progress(void **state)
{
	assert_int_equal(decode("{\"result\":{" H "}}"), 0);
	assert_int_equal(line.what, CODEC_WATCH_PROGRESS);
	assert_int_equal(line.revision, 9);
	assert_int_equal(decode("{\"result\":{" H ",\"watch_id\":\"-1\"}}"), 0);
	assert_int_equal(line.what, CODEC_WATCH_PROGRESS);
	assert_int_equal(line.watch_id, -1);
}

static void test_canceled_by_compaction(void **state)
{
	assert_int_equal(decode("{\"result\":{" H_WITHOUT_REVISION
				",\"canceled\":true,\"compact_revision\":\"30\"}}"),
		0);
	assert_int_equal(line.what, CODEC_WATCH_CANCELED);
	assert_int_equal(line.compact_revision, 30);
	assert_int_equal(line.error, -ESTALE);
	assert_string_equal(line.message, "revision compacted");
	assert_int_equal(line.revision, 0);
}

static const struct {
	const char *reason;
	int grpc_code, error;
} refusals[] = {
	{"mvcc: watcher range is empty", 0, -EINVAL},
	{"mvcc: duplicate watch ID provided on the WatchStream", 0, -EINVAL},
	{"etcdserver: mvcc: required revision has been compacted", 0, -ESTALE},
	{"etcdserver: no leader", 0, -EHOSTUNREACH},
	{"rpc error: code = PermissionDenied desc = etcdserver: permission denied", 7, -EPERM},
	{"rpc error: code = Unauthenticated desc = etcdserver: invalid auth token", 16, -EACCES},
	{"rpc error: code = InvalidArgument desc = etcdserver: user name is empty", 3, -EACCES},
	{"rpc error: code = Unavailable desc = etcdserver: no leader", 14, -EHOSTUNREACH},
	{"rpc error: code = Nonsense", 0, -EINVAL},
	{"", 0, -EPROTO},
};

/* A refused watch is created and canceled in one line: it must not pass for created. */
static void test_refused(void **state)
{
	char text[1000];

	for (size_t i = 0; i < LENGTH(refusals); i++) {
		(void)snprintf(text, sizeof(text),
			"{\"result\":{" H ",\"watch_id\":\"-1\",\"created\":true,\"canceled\":true,"
					  "\"cancel_reason\":\"%s\"}}",
			refusals[i].reason);
		check_case(text, decode(text) == 0);
		check_case(text, line.what == CODEC_WATCH_CANCELED);
		check_case(text, line.error == refusals[i].error);
		check_case(text, line.grpc_code == refusals[i].grpc_code);
		check_case(text, line.watch_id == -1);
		check_case(text, *refusals[i].reason == '\0' ||
					 strcmp(line.message, refusals[i].reason) == 0);
	}
	assert_int_equal(decode("{\"result\":{" H ",\"watch_id\":\"9\",\"canceled\":true}}"), 0);
	assert_int_equal(line.what, CODEC_WATCH_CANCELED);
	assert_int_equal(line.watch_id, 9);
}

static const struct {
	const char *text;
	int grpc_code, error;
	const char *message;
} errors[] = {
	{"{\"error\":{\"grpc_code\":14,\"http_code\":503,\"message\":\"etcdserver: no "
	 "leader\",\"http_status\":"
	 "\"Service Unavailable\"}}",
		14, -EHOSTUNREACH, "etcdserver: no leader"},
	{"{\"error\":{\"code\":14,\"message\":\"etcdserver: no leader\"}}", 14, -EHOSTUNREACH,
		"etcdserver: no leader"},
	{"{\"error\":{\"code\":13,\"message\":\"server closed the stream without sending "
	 "trailers\"}}",
		13, -ECONNRESET, "server closed the stream without sending trailers"},
	{"{\"error\":{\"grpc_code\":14,\"http_code\":503,\"message\":\"transport is closing\"}}",
		14, -ECONNRESET, "transport is closing"},
	{"{\"error\":{\"code\":4,\"message\":\"context deadline exceeded\"}}", 4, -ETIMEDOUT,
		"context deadline exceeded"},
};

static void test_stream_errors(void **state)
{
	for (size_t i = 0; i < LENGTH(errors); i++) {
		check_case(errors[i].text, decode(errors[i].text) == 0);
		check_case(errors[i].text, line.what == CODEC_WATCH_ERROR);
		check_case(errors[i].text, line.error == errors[i].error);
		check_case(errors[i].text, line.grpc_code == errors[i].grpc_code);
		check_case(errors[i].text, strcmp(line.message, errors[i].message) == 0);
	}
}

static void test_nonsense_is_rejected(void **state)
{
	static const char *const bad[] = {
		"",
		"{}",
		"[]",
		"x",
		"{\"result\":{}}",
		"{\"result\":null}",
		"{\"result\":[]}",
		"{\"error\":{}}",
		"{\"error\":7}",
		"{\"result\":{" H "}",
		"{\"result\":{" H "}}{\"result\":{" H "}}",
		"{\"result\":{" H ",\"created\":\"true\"}}",
		"{\"result\":{" H ",\"watch_id\":\"x\"}}",
		"{\"result\":{" H ",\"events\":{}}}",
		"{\"result\":{" H ",\"events\":[{}]}}",
		"{\"result\":{" H ",\"events\":[null]}}",
		"{\"result\":{" H ",\"events\":[{\"kv\":{\"key\":\"aw==\"}}]}}",
		"{\"result\":{" H
		",\"events\":[{\"kv\":{\"key\":\"aw==\",\"mod_revision\":\"-1\"}}]}}",
		"{\"result\":{" H
		",\"events\":[{\"type\":\"MOVE\",\"kv\":{\"mod_revision\":\"1\"}}]}}",
		"{\"result\":{" H ",\"events\":[{\"type\":1,\"kv\":{\"mod_revision\":\"1\"}}]}}",
		"{\"result\":{" H
		",\"created\":true,\"events\":[{\"kv\":{\"mod_revision\":\"1\"}}]}}",
		"{\"result\":{" H
		",\"canceled\":true,\"events\":[{\"kv\":{\"mod_revision\":\"1\"}}]}}",
		"{\"result\":{" H ",\"events\":[{\"kv\":{\"mod_revision\":\"1\"},\"prev_kv\":7}]}}",
	};

	for (size_t i = 0; i < LENGTH(bad); i++)
		check_case(bad[i], decode(bad[i]) == -EBADMSG);
}

static void test_refusal_by_status(void **state)
{
	const char *body = "{\"error\":{\"code\":14,\"message\":\"etcdserver: no leader\"}}\n";

	assert_int_equal(codec_watch_refusal(&line, 503, body, strlen(body)), 0);
	assert_int_equal(line.what, CODEC_WATCH_ERROR);
	assert_int_equal(line.error, -EHOSTUNREACH);
	codec_watch_line_fini(&line);
	body = "{\"error\":\"etcdserver: permission denied\",\"message\":\"etcdserver: permission "
	       "denied\",\"code\":7}";
	assert_int_equal(codec_watch_refusal(&line, 403, body, strlen(body)), 0);
	assert_int_equal(line.error, -EPERM);
	codec_watch_line_fini(&line);
	assert_int_equal(codec_watch_refusal(&line, 404, "Not Found\n", 10), 0);
	assert_int_equal(line.what, CODEC_WATCH_ERROR);
	assert_int_equal(line.error, -EBADMSG);
	assert_string_equal(line.message, "the answer (HTTP 404) is not etcd's");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_created, teardown),
		cmocka_unit_test_teardown(test_events, teardown),
		cmocka_unit_test_teardown(test_fragment, teardown),
		cmocka_unit_test_teardown(test_progress, teardown),
		cmocka_unit_test_teardown(test_canceled_by_compaction, teardown),
		cmocka_unit_test_teardown(test_refused, teardown),
		cmocka_unit_test_teardown(test_stream_errors, teardown),
		cmocka_unit_test_teardown(test_nonsense_is_rejected, teardown),
		cmocka_unit_test_teardown(test_refusal_by_status, teardown),
	};

	return cmocka_run_group_tests_name("codec-watch", tests, NULL, NULL);
}
