/* A watch: nothing lost, nothing twice, whole revisions, and an end at any moment. */
#include "tests/unit/unit.h"
#include "tests/fake/rig.h"

#define MS ONCE_NSEC_PER_MSEC
#define WATCH "/v3/watch"
#define HEAD(rev)                                                                                  \
	"\"header\":{\"cluster_id\":\"1\",\"member_id\":\"2\",\"revision\":\"" rev                 \
	"\",\"raft_term\":\"3\"}"
#define CREATED(id) "{\"result\":{" HEAD("5") ",\"watch_id\":\"" id "\",\"created\":true}}\n"
#define KV(rev)                                                                                    \
	"{\"kv\":{\"key\":\"aw==\",\"create_revision\":\"2\",\"mod_revision\":\"" rev              \
	"\",\"version\":\"1\",\"value\":\"dg==\"}}"
#define EVENTS(id, events, more)                                                                   \
	"{\"result\":{" HEAD("9") ",\"watch_id\":\"" id "\"" more ",\"events\":[" events "]}}\n"
#define FRAGMENT ",\"fragment\":true"

struct spy {
	struct rig rig;
	struct once_watch *watch;
	char trace[1024];
	char broken[256]; /* why it last broke */
	int cancel_at;	  /* the report that cancels; 0: none */
	int how;	  /* 0: the watch, 1: the client, 2: rotate */
	int n;
};

static void trace(struct spy *spy, const char *text)
{
	strncat(spy->trace, text, sizeof(spy->trace) - strlen(spy->trace) - 1);
}

static void on_report(void *userdata, const struct once_watch_report *report)
{
	static const char *const names[] = {
		"started", "", "progress", "broken", "compacted", "failed"};
	struct spy *spy = userdata;
	char text[64];
	trace(spy, spy->trace[0] ? " " : "");
	trace(spy, names[report->note]);
	for (size_t i = 0; i < report->n_events; i++) {
		(void)snprintf(text, sizeof(text), "%s%ld", i ? "," : "",
			report->events[i].kv.mod_revision);
		trace(spy, text);
	}
	if (report->note == ONCE_WATCH_COMPACTED) {
		(void)snprintf(text, sizeof(text), "@%ld", report->revision);
		trace(spy, text);
	}
	if (report->note == ONCE_WATCH_COMPACTED || report->note == ONCE_WATCH_FAILED) {
		spy->watch = NULL;
	}
	if (report->note == ONCE_WATCH_BROKEN) {
		(void)snprintf(spy->broken, sizeof(spy->broken), "%s", report->message);
	}
	if (++spy->n != spy->cancel_at) {
		return;
	}
	if (spy->how == 0) {
		spy->watch = once_watch_cancel(spy->watch);
	} else if (spy->how == 1) {
		spy->rig.client = once_client_free(spy->rig.client);
	} else {
		once_client_rotate(spy->rig.client, "test");
	}
}

static void begin(struct spy *spy, size_t n_endpoints, size_t n_ranges, int64_t start)
{
	struct once_watch_range ranges[] = {{.key = once_str("k")}, {.key = once_str("x")}};
	struct once_watch_config config = {.ranges = ranges,
		.n_ranges = n_ranges,
		.start_revision = start,
		.silence_ns = 3000 * MS};
	memset(spy, 0, sizeof(*spy));
	rig_init(&spy->rig, n_endpoints, NULL);
	assert_int_equal(
		once_watch_start(spy->rig.client, &spy->watch, &config, on_report, spy), 0);
	rig_settle(&spy->rig);
}

static struct transport_exchange *stream(struct spy *spy)
{
	return rig_pending(&spy->rig, WATCH);
}

static void data(struct spy *spy, const char *text)
{
	fake_data(stream(spy), text);
}

static void finish(struct spy *spy, const char *expected)
{
	assert_string_equal(spy->trace, expected);
	rig_fini(&spy->rig);
}

static void test_events_come_in_order_and_once(void **state)
{
	struct spy spy;
	begin(&spy, 1, 1, 0);
	assert_string_equal(spy.trace, "");
	data(&spy, CREATED("1"));
	data(&spy, EVENTS("1", KV("6"), "") EVENTS("1", KV("7") "," KV("7"), ""));
	data(&spy, EVENTS("1", KV("7") "," KV("8"), "")); /* 7 again */
	data(&spy, EVENTS("1", KV("4"), ""));		  /* from before the watch */
	data(&spy, EVENTS("2", KV("9"), ""));		  /* of no range of ours */
	finish(&spy, "started 6 7,7 8");
}

static void test_lines_may_be_cut_anywhere(void **state)
{
	const char *text = CREATED("1") EVENTS("1", KV("6"), "") EVENTS("1", KV("7"), "");
	for (size_t cut = 1; cut < strlen(text); cut++) {
		struct spy spy;
		char *head = strndup(text, cut);
		begin(&spy, 1, 1, 0);
		data(&spy, head);
		data(&spy, text + cut);
		free(head);
		finish(&spy, "started 6 7");
	}
}

static void test_every_end_is_a_break_and_resumes_after_the_last_event(void **state)
{
	for (int how = 0; how < 3; how++) {
		struct spy spy;
		begin(&spy, 2, 1, 0);
		data(&spy, CREATED("1") EVENTS("1", KV("6") "," KV("7"), ""));
		if (how == 0) {
			fake_answer(stream(&spy), 200, "");
		} else if (how == 1) {
			data(&spy, "{\"half a li");
			fake_fail(stream(&spy), -ECONNRESET, true, true);
		} else {
			/* The old gateway's error has no newline; the end of the stream ends it. */
			data(&spy, "{\"error\":{\"grpc_code\":14,\"http_code\":503,\"message\":"
				   "\"etcdserver: no leader\",\"http_status\":\"x\"}}");
			fake_answer(stream(&spy), 200, "");
		}
		fake_loop_run(&spy.rig.loop, 100 * MS);
		assert_string_equal(spy.trace, "started 6,7 broken");
		assert_int_equal(strstr(spy.broken, "no leader") != NULL, how == 2);
		assert_non_null(strstr(stream(&spy)->body, "\"start_revision\":\"8\""));
		assert_string_equal(stream(&spy)->gen->url, "https://b:1");
		data(&spy, CREATED("1") EVENTS("1", KV("7") "," KV("8"), ""));
		finish(&spy, "started 6,7 broken started 8");
	}
}

static void test_a_watch_from_now_resumes_after_the_revision_it_began_at(void **state)
{
	struct spy spy;
	begin(&spy, 1, 1, 0);
	assert_null(strstr(stream(&spy)->body, "\"start_revision\":\"6\""));
	data(&spy, CREATED("1"));
	fake_answer(stream(&spy), 200, "");
	fake_loop_run(&spy.rig.loop, 100 * MS);
	assert_non_null(strstr(stream(&spy)->body, "\"start_revision\":\"6\""));
	finish(&spy, "started broken");
}

static void test_fragments_wait_for_their_revision(void **state)
{
	struct spy spy;
	begin(&spy, 1, 1, 0);
	data(&spy, CREATED("1") EVENTS("1", KV("6") "," KV("7"), FRAGMENT));
	data(&spy, EVENTS("1", KV("7"), FRAGMENT));
	assert_string_equal(spy.trace, "started");
	/* A new revision begins: what came before is whole. */
	data(&spy, EVENTS("1", KV("8"), FRAGMENT));
	assert_string_equal(spy.trace, "started 6,7,7");
	data(&spy, EVENTS("1", KV("8") "," KV("9"), ""));
	finish(&spy, "started 6,7,7 8,8,9");
}

static void test_half_a_revision_is_forgotten_when_the_stream_breaks(void **state)
{
	struct spy spy;
	begin(&spy, 1, 1, 0);
	data(&spy, CREATED("1") EVENTS("1", KV("6"), "") EVENTS("1", KV("7"), FRAGMENT));
	fake_answer(stream(&spy), 200, "");
	fake_loop_run(&spy.rig.loop, 100 * MS);
	assert_non_null(strstr(stream(&spy)->body, "\"start_revision\":\"7\""));
	data(&spy, CREATED("1") EVENTS("1", KV("7") "," KV("7"), ""));
	finish(&spy, "started 6 broken started 7,7");
}

static void test_each_range_resumes_by_itself(void **state)
{
	struct spy spy;
	begin(&spy, 1, 2, 0);
	data(&spy, CREATED("1"));
	assert_string_equal(spy.trace, "");
	data(&spy, CREATED("2") EVENTS("2", KV("8"), ""));
	data(&spy, EVENTS("1", KV("8"), "")); /* the same revision touched both */
	fake_answer(stream(&spy), 200, "");
	fake_loop_run(&spy.rig.loop, 100 * MS);
	const char *body = stream(&spy)->body;
	assert_non_null(strstr(body, "\"start_revision\":\"9\""));
	assert_non_null(
		strstr(strstr(body, "\"start_revision\":\"9\"") + 1, "\"start_revision\":\"9\""));
	finish(&spy, "started 8 8 broken");
}

static void test_compaction_ends_it(void **state)
{
	struct spy spy;
	begin(&spy, 1, 1, 3);
	assert_non_null(strstr(stream(&spy)->body, "\"start_revision\":\"3\""));
	data(&spy, CREATED("1") "{\"result\":{\"header\":{\"cluster_id\":\"1\",\"member_id\":\"2\","
				"\"raft_term\":\"2\"},\"watch_id\":\"1\",\"canceled\":true,"
				"\"compact_revision\":\"30\"}}\n");
	assert_null(spy.watch);
	assert_null(fake_pending(spy.rig.transport, NULL));
	finish(&spy, "started compacted@30");
}

static void test_a_refusal_for_good_ends_it(void **state)
{
	static const char *const reasons[] = {
		"rpc error: code = PermissionDenied desc = etcdserver: permission denied",
		"mvcc: watcher range is empty",
		"rpc error: code = Unauthenticated desc = etcdserver: invalid auth token", /* no
											      user
											    */
	};
	for (size_t i = 0; i < LENGTH(reasons); i++) {
		struct spy spy;
		char line[512];
		begin(&spy, 1, 1, 0);
		(void)snprintf(line, sizeof(line),
			"{\"result\":{" HEAD("5") ",\"watch_id\":\"-1\",\"created\":true,"
						  "\"canceled\":true,\"cancel_reason\":\"%s\"}}\n",
			reasons[i]);
		data(&spy, line);
		check_case(reasons[i], !strcmp(spy.trace, "failed"));
		rig_fini(&spy.rig);
	}
}

static void test_silence_moves_it(void **state)
{
	struct spy spy;
	begin(&spy, 2, 1, 0);
	data(&spy, CREATED("1"));
	fake_loop_run(&spy.rig.loop, 2900 * MS);
	data(&spy, EVENTS("1", KV("6"), ""));
	fake_loop_run(&spy.rig.loop, 2900 * MS);
	assert_string_equal(spy.trace, "started 6");
	fake_loop_run(&spy.rig.loop, 200 * MS);
	assert_string_equal(spy.trace, "started 6 broken");
	assert_string_equal(stream(&spy)->gen->url, "https://b:1");
	finish(&spy, "started 6 broken");
}

static void test_a_stream_that_is_never_confirmed_is_left(void **state)
{
	struct spy spy;
	begin(&spy, 2, 1, 0);
	fake_loop_run(&spy.rig.loop, 5100 * MS);
	assert_string_equal(stream(&spy)->gen->url, "https://b:1");
	finish(&spy, "broken");
}

static void test_streams_that_die_young_are_not_tried_in_a_loop(void **state)
{
	struct spy spy;
	begin(&spy, 1, 1, 0);
	for (int64_t end = spy.rig.loop.now_ns + 20000 * MS; spy.rig.loop.now_ns < end;) {
		if (fake_pending(spy.rig.transport, WATCH)) {
			data(&spy, CREATED("1"));
			fake_answer(stream(&spy), 200, "");
		}
		(void)fake_loop_turn(&spy.rig.loop, 10 * MS);
	}
	assert_in_range(spy.rig.transport->n_started, 20, 30);
	rig_fini(&spy.rig);
}

static void test_progress_moves_the_point_to_resume_from(void **state)
{
	struct spy spy;
	begin(&spy, 1, 1, 0);
	data(&spy, CREATED("1") "{\"result\":{" HEAD("40") ",\"watch_id\":\"1\"}}\n");
	fake_answer(stream(&spy), 200, "");
	fake_loop_run(&spy.rig.loop, 100 * MS);
	assert_non_null(strstr(stream(&spy)->body, "\"start_revision\":\"41\""));
	finish(&spy, "started progress broken");
}

static void test_garbage_breaks_it(void **state)
{
	static const char *const lines[] = {
		"x\n", "{}\n", "{\"result\":[]}\n", "{\"result\":{\"events\":1}}\n"};
	for (size_t i = 0; i < LENGTH(lines); i++) {
		struct spy spy;
		begin(&spy, 1, 1, 0);
		data(&spy, CREATED("1"));
		data(&spy, lines[i]);
		fake_loop_run(&spy.rig.loop, 10 * MS);
		check_case(lines[i], !strcmp(spy.trace, "started broken"));
		rig_fini(&spy.rig);
	}
}

static void test_another_cluster_breaks_it(void **state)
{
	struct spy spy;
	begin(&spy, 2, 1, 0);
	data(&spy, CREATED("1"));
	data(&spy, "{\"result\":{\"header\":{\"cluster_id\":\"9\",\"revision\":\"9\"},\"watch_id\":"
		   "\"1\",\"events\":[" KV("9") "]}}\n");
	fake_loop_run(&spy.rig.loop, 10 * MS);
	finish(&spy, "started broken");
}

static void test_a_report_may_end_anything(void **state)
{
	static const char *const expected[] = {"started 6", "started 6", "started 6 broken"};
	for (int how = 0; how < 3; how++) {
		struct spy spy;
		begin(&spy, 2, 1, 0);
		spy.cancel_at = 2;
		spy.how = how;
		data(&spy, CREATED("1") EVENTS("1", KV("6"), "") EVENTS("1", KV("7"), "")
				   EVENTS("1", KV("8"), ""));
		fake_loop_run(&spy.rig.loop, 100 * MS);
		if (how == 2) {
			assert_non_null(strstr(stream(&spy)->body, "\"start_revision\":\"7\""));
		}
		finish(&spy, expected[how]);
	}
}

static void test_cancelled_or_freed_at_every_report(void **state)
{
	for (int how = 0; how < 2; how++) {
		for (int at = 1; at < 6; at++) {
			struct spy spy;
			begin(&spy, 2, 1, 0);
			spy.cancel_at = at;
			spy.how = how;
			for (int i = 0; i < 3 && spy.n < at; i++) {
				data(&spy, CREATED("1") EVENTS("1", KV("6"), ""));
				if (spy.rig.client && fake_pending(spy.rig.transport, WATCH)) {
					fake_answer(stream(&spy), 200, "");
					fake_loop_run(&spy.rig.loop, 2000 * MS);
				}
			}
			assert_int_equal(spy.n, at);
			fake_loop_run(&spy.rig.loop, 10000 * MS);
			assert_int_equal(spy.n, at);
			rig_fini(&spy.rig);
		}
	}
}

static void test_what_cannot_be_watched_is_refused_at_once(void **state)
{
	struct rig rig;
	struct once_watch *watch = NULL;
	struct once_watch_range range = {.key = once_str("k")};
	struct once_watch_config config = {.ranges = &range, .n_ranges = 0};
	rig_init(&rig, 1, NULL);
	assert_int_equal(once_watch_start(rig.client, &watch, &config, on_report, NULL), -EINVAL);
	config = (struct once_watch_config){.ranges = &range, .n_ranges = 1, .start_revision = -1};
	assert_int_equal(once_watch_start(rig.client, &watch, &config, on_report, NULL), -EINVAL);
	assert_null(watch);
	rig_fini(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_events_come_in_order_and_once),
		cmocka_unit_test(test_lines_may_be_cut_anywhere),
		cmocka_unit_test(test_every_end_is_a_break_and_resumes_after_the_last_event),
		cmocka_unit_test(test_a_watch_from_now_resumes_after_the_revision_it_began_at),
		cmocka_unit_test(test_fragments_wait_for_their_revision),
		cmocka_unit_test(test_half_a_revision_is_forgotten_when_the_stream_breaks),
		cmocka_unit_test(test_each_range_resumes_by_itself),
		cmocka_unit_test(test_compaction_ends_it),
		cmocka_unit_test(test_a_refusal_for_good_ends_it),
		cmocka_unit_test(test_silence_moves_it),
		cmocka_unit_test(test_a_stream_that_is_never_confirmed_is_left),
		cmocka_unit_test(test_streams_that_die_young_are_not_tried_in_a_loop),
		cmocka_unit_test(test_progress_moves_the_point_to_resume_from),
		cmocka_unit_test(test_garbage_breaks_it),
		cmocka_unit_test(test_another_cluster_breaks_it),
		cmocka_unit_test(test_a_report_may_end_anything),
		cmocka_unit_test(test_cancelled_or_freed_at_every_report),
		cmocka_unit_test(test_what_cannot_be_watched_is_refused_at_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
