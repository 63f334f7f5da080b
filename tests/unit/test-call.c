/* One call: its outcome is right, it ends once, and it can be dropped at any moment. */
#include "tests/unit/unit.h"
#include "tests/fake/rig.h"

#define MS ONCE_NSEC_PER_MSEC

static void test_an_answer_is_told_once_and_never_from_inside_the_start(void **state)
{
	struct rig rig;
	rig_init(&rig, 1, NULL);
	(void)rig_put(&rig, 0);
	assert_int_equal(rig.n_done, 0);
	fake_loop_run(&rig.loop, 10 * MS);
	struct once_instant before = {rig.loop.now_ns - 10 * MS, rig.loop.now_ns - 10 * MS};
	fake_answer(rig_pending(&rig, RIG_PUT), 200, RIG_PUT_OK);
	fake_loop_run(&rig.loop, 60000 * MS);
	assert_int_equal(rig.n_done, 1);
	assert_int_equal(rig.error, 0);
	assert_int_equal(rig.outcome, ONCE_APPLIED);
	assert_int_equal(rig.revision, 5);
	assert_int_equal(rig.sent.boot_ns, before.boot_ns);
	assert_string_equal(rig.endpoint, "https://a:1");
	rig_fini(&rig);
}

static void test_the_deadline_ends_a_call_once_as_unknown(void **state)
{
	struct rig rig;
	rig_init(&rig, 1, NULL);
	int64_t start_ns = rig.loop.now_ns;
	(void)rig_put(&rig, 300);
	while (!rig.n_done) {
		(void)fake_loop_turn(&rig.loop, 10000 * MS);
	}
	assert_int_equal(rig.loop.now_ns - start_ns, 300 * MS);
	assert_int_equal(rig.error, -ETIMEDOUT);
	assert_int_equal(rig.outcome, ONCE_UNKNOWN);
	assert_int_equal(rig.transport->n_gens, 0); /* thrown away */
	fake_loop_run(&rig.loop, 60000 * MS);
	assert_int_equal(rig.n_done, 1);
	assert_int_equal(rig.transport->n_started, 1);
	rig_fini(&rig);
}

static void test_what_was_never_sent_goes_to_each_endpoint_once(void **state)
{
	struct rig rig;
	rig_init(&rig, 3, NULL);
	(void)rig_put(&rig, 0);
	for (int i = 0; i < 3; i++) {
		rig_settle(&rig);
		assert_int_equal(rig.n_done, 0);
		fake_fail(rig_pending(&rig, RIG_PUT), -EHOSTUNREACH, false, false);
	}
	rig_settle(&rig);
	assert_int_equal(rig.n_done, 1);
	assert_int_equal(rig.error, -EHOSTUNREACH);
	assert_int_equal(rig.outcome, ONCE_NOT_APPLIED);
	assert_string_equal(rig.endpoint, "https://c:1");
	rig_fini(&rig);
}

static void test_what_may_have_been_sent_is_never_repeated(void **state)
{
	struct rig rig;
	rig_init(&rig, 3, NULL);
	(void)rig_put(&rig, 0);
	rig_settle(&rig);
	fake_fail(rig_pending(&rig, RIG_PUT), -ECONNRESET, true, true);
	fake_loop_run(&rig.loop, 60000 * MS);
	assert_int_equal(rig.n_done, 1);
	assert_int_equal(rig.error, -ECONNRESET);
	assert_int_equal(rig.outcome, ONCE_UNKNOWN);
	assert_int_equal(rig.transport->n_started, 1);
	assert_string_equal(once_client_endpoint(rig.client), "https://b:1");
	rig_fini(&rig);
}

static void test_a_broken_connection_takes_the_calls_on_it_along(void **state)
{
	struct rig rig;
	rig_init(&rig, 2, NULL);
	(void)rig_put(&rig, 0);
	(void)rig_put(&rig, 0);
	(void)rig_put(&rig, 0);
	rig_settle(&rig);
	struct transport_exchange *unsent =
		list_entry(rig.transport->exchanges.prev, struct transport_exchange, in_transport);
	unsent->sent = false;
	fake_fail(rig_pending(&rig, RIG_PUT), -ECONNRESET, true, true);
	rig_settle(&rig);
	/* Two are unknown, the third never left and is tried elsewhere. */
	assert_int_equal(rig.n_done, 2);
	assert_int_equal(rig.error, -ECONNRESET);
	assert_int_equal(rig.outcome, ONCE_UNKNOWN);
	struct transport_exchange *moved = rig_pending(&rig, RIG_PUT);
	assert_string_equal(moved->gen->url, "https://b:1");
	fake_answer(moved, 200, RIG_PUT_OK);
	assert_int_equal(rig.error, 0);
	rig_fini(&rig);
}

static void test_one_slow_bulk_call_is_forgiven_two_are_not(void **state)
{
	struct rig rig;
	struct once_op op = {.kind = ONCE_OP_PUT, .key = once_str("k")};
	struct once_call_options options = {.lane = ONCE_LANE_BULK, .timeout_ns = 100 * MS};
	rig_init(&rig, 2, NULL);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(once_kv(rig.client, NULL, &options, &op, rig_done, &rig), 0);
		fake_loop_run(&rig.loop, 150 * MS);
		assert_int_equal(rig.error, -ETIMEDOUT);
		assert_int_equal(rig.transport->n_gens, i ? 0 : 1);
	}
	rig_fini(&rig);
}

static void test_refusals_slow_down_and_an_answer_ends_that(void **state)
{
	struct rig rig;
	size_t attempts = 0;
	rig_init(&rig, 1, NULL);
	for (int64_t end = rig.loop.now_ns + 20000 * MS; rig.loop.now_ns < end;) {
		size_t done = rig.n_done;
		(void)rig_put(&rig, 0);
		while (rig.n_done == done) {
			struct transport_exchange *exchange = fake_pending(rig.transport, RIG_PUT);
			if (exchange) {
				attempts++;
				fake_fail(exchange, -EHOSTUNREACH, false, false);
			} else {
				(void)fake_loop_turn(&rig.loop, 10 * MS);
			}
		}
	}
	assert_in_range(attempts, 20, 30);
	(void)rig_put(&rig, 0);
	fake_loop_run(&rig.loop, 1000 * MS);
	fake_answer(rig_pending(&rig, RIG_PUT), 200, RIG_PUT_OK);
	once_client_rotate(rig.client, "test");
	(void)rig_put(&rig, 0);
	rig_settle(&rig);
	fake_fail(rig_pending(&rig, RIG_PUT), -EHOSTUNREACH, false, false);
	(void)rig_put(&rig, 0);
	fake_loop_run(&rig.loop, 60 * MS); /* the shortest pause again */
	fake_answer(rig_pending(&rig, RIG_PUT), 200, RIG_PUT_OK);
	rig_fini(&rig);
}

static void test_an_answer_that_makes_no_sense_is_unknown(void **state)
{
	static const char *const bodies[] = {"", "{", "{}x", "<html>", "[]", "{\"header\":1}"};
	for (size_t i = 0; i < LENGTH(bodies); i++) {
		struct rig rig;
		rig_init(&rig, 1, NULL);
		(void)rig_put(&rig, 0);
		rig_settle(&rig);
		fake_answer(rig_pending(&rig, RIG_PUT), 200, bodies[i]);
		check_case(bodies[i], rig.error == -EBADMSG && rig.outcome == ONCE_UNKNOWN);
		rig_fini(&rig);
	}
}

static void test_a_member_without_leader_is_left(void **state)
{
	struct rig rig;
	rig_init(&rig, 2, NULL);
	(void)rig_put(&rig, 0);
	rig_settle(&rig);
	fake_answer(rig_pending(&rig, RIG_PUT), 503,
		"{\"error\":\"x\",\"message\":\"etcdserver: no leader\",\"code\":14}");
	assert_int_equal(rig.error, -EHOSTUNREACH);
	assert_int_equal(rig.outcome, ONCE_UNKNOWN);
	assert_string_equal(once_client_endpoint(rig.client), "https://b:1");
	rig_fini(&rig);
}

static void test_headers_say_deadline_and_leader(void **state)
{
	struct rig rig;
	struct once_op get = {.key = once_str("k"), .serializable = true};
	rig_init(&rig, 1, NULL);
	(void)rig_put(&rig, 900);
	rig_settle(&rig);
	const char *headers = rig_pending(&rig, RIG_PUT)->headers;
	assert_non_null(strstr(headers, "Grpc-Timeout: 850m\n"));
	assert_non_null(strstr(headers, "Grpc-Metadata-hasleader: true\n"));
	fake_answer(rig_pending(&rig, RIG_PUT), 200, RIG_PUT_OK);
	assert_int_equal(once_kv(rig.client, NULL, NULL, &get, rig_done, &rig), 0);
	rig_settle(&rig);
	assert_null(strstr(rig_pending(&rig, NULL)->headers, "hasleader"));
	rig_fini(&rig);
}

/* ---- dropped at every moment ---------------------------------------------------------------- */

/* One step of a call that is logged in, refused, logged in again and answered. False: over. */
static bool step(struct rig *rig, int i)
{
	struct transport_exchange *exchange = fake_pending(rig->transport, NULL);
	if (!exchange) {
		return fake_loop_turn(&rig->loop, 0);
	}
	if (!strcmp(exchange->path, RIG_LOGIN)) {
		fake_answer(exchange, 200, RIG_TOKEN_OK);
	} else if (rig->transport->n_started < 3) {
		fake_answer(exchange, 401, RIG_BAD_TOKEN);
	} else {
		fake_answer(exchange, 200, RIG_PUT_OK);
	}
	return true;
}

static void test_cancelled_or_freed_at_every_await(void **state)
{
	for (int how = 0; how < 3; how++) {
		bool over = false;
		for (int n = 0; !over; n++) {
			struct rig rig;
			rig_init(&rig, 1, "u");
			rig.free_in_done = how == 2;
			struct once_call *call = rig_put(&rig, 0);
			for (int i = 0; i < n && !rig.n_done; i++) {
				(void)step(&rig, i);
			}
			over = rig.n_done;
			size_t done = rig.n_done;
			if (how == 0 && !over) {
				assert_null(once_call_cancel(call));
			} else if (how == 1) {
				rig.client = once_client_free(rig.client);
			}
			if (how < 2) {
				fake_loop_run(&rig.loop, 60000 * MS);
				assert_int_equal(rig.n_done, done);
			}
			rig_fini(&rig);
			assert_true(n < 30);
		}
	}
}

static void test_freeing_the_client_while_others_are_cut(void **state)
{
	struct rig rig;
	rig_init(&rig, 1, NULL);
	rig.free_in_done = true;
	(void)rig_put(&rig, 0);
	(void)rig_put(&rig, 0);
	rig_settle(&rig);
	once_client_rotate(rig.client, "test");
	rig_settle(&rig);
	assert_int_equal(rig.n_done, 1);
	assert_null(rig.client);
	rig_fini(&rig);
}

static void test_a_start_that_cannot_send_is_not_applied(void **state)
{
	struct rig rig;
	rig_init(&rig, 1, NULL);
	rig.transport->refuse_start = true;
	(void)rig_put(&rig, 0);
	assert_int_equal(rig.n_done, 0);
	rig_settle(&rig);
	assert_int_equal(rig.error, -ENOMEM);
	assert_int_equal(rig.outcome, ONCE_NOT_APPLIED);
	rig_fini(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_answer_is_told_once_and_never_from_inside_the_start),
		cmocka_unit_test(test_the_deadline_ends_a_call_once_as_unknown),
		cmocka_unit_test(test_what_was_never_sent_goes_to_each_endpoint_once),
		cmocka_unit_test(test_what_may_have_been_sent_is_never_repeated),
		cmocka_unit_test(test_a_broken_connection_takes_the_calls_on_it_along),
		cmocka_unit_test(test_one_slow_bulk_call_is_forgiven_two_are_not),
		cmocka_unit_test(test_refusals_slow_down_and_an_answer_ends_that),
		cmocka_unit_test(test_an_answer_that_makes_no_sense_is_unknown),
		cmocka_unit_test(test_a_member_without_leader_is_left),
		cmocka_unit_test(test_headers_say_deadline_and_leader),
		cmocka_unit_test(test_cancelled_or_freed_at_every_await),
		cmocka_unit_test(test_freeing_the_client_while_others_are_cut),
		cmocka_unit_test(test_a_start_that_cannot_send_is_not_applied),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
