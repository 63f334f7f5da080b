/* One call: its outcome is right, it ends once, and it can be dropped at any moment. */
#include "tests/unit/unit.h"
#include "tests/fake/rig.h"

#define MS ONCE_NSEC_PER_MSEC
#define LOGIN "/v3/auth/authenticate"
#define PUT "/v3/kv/put"
#define TOKEN_OK "{" RIG_HEADER ",\"token\":\"T.1\"}"
#define BAD_TOKEN "{\"error\":\"x\",\"message\":\"etcdserver: invalid auth token\",\"code\":16}"

static void test_an_answer_is_told_once_and_never_from_inside_the_start(void **state)
{
	struct rig rig;
	rig_init(&rig, 1, NULL);
	(void)rig_put(&rig, 0);
	assert_int_equal(rig.n_done, 0);
	fake_loop_run(&rig.loop, 10 * MS);
	struct once_instant before = {rig.loop.now_ns - 10 * MS, rig.loop.now_ns - 10 * MS};
	fake_answer(rig_pending(&rig, PUT), 200, RIG_PUT_OK);
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
		fake_fail(rig_pending(&rig, PUT), -EHOSTUNREACH, false, false);
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
	fake_fail(rig_pending(&rig, PUT), -ECONNRESET, true, true);
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
	fake_fail(rig_pending(&rig, PUT), -ECONNRESET, true, true);
	rig_settle(&rig);
	/* Two are unknown, the third never left and is tried elsewhere. */
	assert_int_equal(rig.n_done, 2);
	assert_int_equal(rig.error, -ECONNRESET);
	assert_int_equal(rig.outcome, ONCE_UNKNOWN);
	struct transport_exchange *moved = rig_pending(&rig, PUT);
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
			struct transport_exchange *exchange = fake_pending(rig.transport, PUT);
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
	fake_answer(rig_pending(&rig, PUT), 200, RIG_PUT_OK);
	once_client_rotate(rig.client, "test");
	(void)rig_put(&rig, 0);
	rig_settle(&rig);
	fake_fail(rig_pending(&rig, PUT), -EHOSTUNREACH, false, false);
	(void)rig_put(&rig, 0);
	fake_loop_run(&rig.loop, 60 * MS); /* the shortest pause again */
	fake_answer(rig_pending(&rig, PUT), 200, RIG_PUT_OK);
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
		fake_answer(rig_pending(&rig, PUT), 200, bodies[i]);
		check_case(bodies[i], rig.error == -EBADMSG && rig.outcome == ONCE_UNKNOWN);
		rig_fini(&rig);
	}
}

static void test_another_cluster_is_not_believed(void **state)
{
	struct rig rig;
	rig_init(&rig, 2, NULL);
	(void)rig_put(&rig, 0);
	rig_settle(&rig);
	fake_answer(rig_pending(&rig, PUT), 200, RIG_PUT_OK);
	(void)rig_put(&rig, 0);
	rig_settle(&rig);
	fake_answer(rig_pending(&rig, PUT), 200,
		"{\"header\":{\"cluster_id\":\"9\",\"member_id\":\"2\",\"revision\":\"7\",\"raft_"
		"term\":\"3\"}}");
	assert_int_equal(rig.error, -EREMCHG);
	assert_int_equal(rig.outcome, ONCE_UNKNOWN);
	assert_int_equal(rig.revision, 0);
	assert_string_equal(once_client_endpoint(rig.client), "https://b:1");
	rig_fini(&rig);
}

#define AT(cluster, revision)                                                                      \
	"{\"header\":{\"cluster_id\":\"" cluster "\",\"member_id\":\"2\",\"revision\":\"" revision    \
	"\",\"raft_term\":\"3\"}}"

static void check_put(struct rig *rig, const char *answer, int error, int64_t known)
{
	(void)rig_put(rig, 0);
	rig_settle(rig);
	fake_answer(rig_pending(rig, PUT), 200, answer);
	assert_int_equal(rig->error, error);
	assert_int_equal(once_client_lineage(rig->client).revision, known);
}

static void test_a_history_that_is_trusted_does_not_go_back(void **state)
{
	const struct once_lineage kept = {7, 100}, none = {0};
	struct once_op stale = {.key = once_str("k"), .serializable = true};
	struct rig rig;
	rig_init(&rig, 1, NULL);
	check_put(&rig, AT("7", "90"), 0, 90);
	check_put(&rig, AT("7", "50"), 0, 90); /* was not asked to mind */
	once_client_trust(rig.client, &kept);
	check_put(&rig, AT("7", "99"), -EREMCHG, 100);
	assert_int_equal(rig.outcome, ONCE_UNKNOWN);
	assert_non_null(strstr(rig.message, "revision 99 after 100"));
	check_put(&rig, AT("8", "200"), -EREMCHG, 100);
	check_put(&rig, AT("7", "100"), 0, 100);
	check_put(&rig, AT("7", "102"), 0, 102);
	/* a member that lags may answer this */
	assert_int_equal(once_kv(rig.client, NULL, NULL, &stale, rig_done, &rig), 0);
	rig_settle(&rig);
	fake_answer(rig_pending(&rig, NULL), 200, AT("7", "40"));
	assert_int_equal(rig.error, 0);
	once_client_trust(rig.client, &none);
	check_put(&rig, AT("9", "5"), 0, 5);
	check_put(&rig, AT("9", "4"), -EREMCHG, 5);
	rig_fini(&rig);
}

/* Answers may pass each other on the way: only what was known when a request was sent is older. */
static void test_an_answer_that_was_overtaken_is_believed(void **state)
{
	const struct once_lineage kept = {7, 100};
	struct rig rig;
	rig_init(&rig, 1, NULL);
	once_client_trust(rig.client, &kept);
	(void)rig_put(&rig, 0);
	rig_settle(&rig);
	struct transport_exchange *first = rig_pending(&rig, PUT);
	(void)rig_put(&rig, 0);
	rig_settle(&rig);
	once_client_trust(rig.client, &(struct once_lineage){7, 105}); /* as the second one's answer would */
	fake_answer(first, 200, AT("7", "101"));
	assert_int_equal(rig.error, 0);
	fake_answer(rig_pending(&rig, PUT), 200, AT("7", "105"));
	assert_int_equal(rig.error, 0);
	rig_fini(&rig);
}

static void on_disowned(void *userdata, const struct once_lineage *answered)
{
	struct once_lineage *told = userdata;
	told->cluster_id += answered->cluster_id;
	told->revision = answered->revision;
}

static void test_the_owner_hears_of_another_history(void **state)
{
	static const struct once_client_listener listener = {.disowned = on_disowned};
	struct once_lineage told = {0};
	struct rig rig;
	rig_init(&rig, 1, NULL);
	rig.client->listener = &listener;
	rig.client->userdata = &told;
	once_client_trust(rig.client, &(struct once_lineage){7, 100});
	check_put(&rig, AT("7", "99"), -EREMCHG, 100);
	assert_int_equal(told.cluster_id, 0); /* not from inside */
	rig_settle(&rig);
	assert_int_equal(told.cluster_id, 7);
	assert_int_equal(told.revision, 99);
	rig_settle(&rig);
	assert_int_equal(told.cluster_id, 7);
	rig_fini(&rig);
}

static void test_a_member_without_leader_is_left(void **state)
{
	struct rig rig;
	rig_init(&rig, 2, NULL);
	(void)rig_put(&rig, 0);
	rig_settle(&rig);
	fake_answer(rig_pending(&rig, PUT), 503,
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
	const char *headers = rig_pending(&rig, PUT)->headers;
	assert_non_null(strstr(headers, "Grpc-Timeout: 850m\n"));
	assert_non_null(strstr(headers, "Grpc-Metadata-hasleader: true\n"));
	fake_answer(rig_pending(&rig, PUT), 200, RIG_PUT_OK);
	assert_int_equal(once_kv(rig.client, NULL, NULL, &get, rig_done, &rig), 0);
	rig_settle(&rig);
	assert_null(strstr(rig_pending(&rig, NULL)->headers, "hasleader"));
	rig_fini(&rig);
}

/* ---- logins ---------------------------------------------------------------------------------- */

static void test_many_calls_make_one_login(void **state)
{
	struct rig rig;
	rig_init(&rig, 1, "u");
	for (int i = 0; i < 10; i++) {
		(void)rig_put(&rig, 0);
	}
	rig_settle(&rig);
	assert_int_equal(rig.transport->n_started, 1);
	struct transport_exchange *login = rig_pending(&rig, LOGIN);
	assert_null(strstr(login->headers, "Authorization"));
	assert_non_null(strstr(login->body, "secret"));
	fake_answer(login, 200, TOKEN_OK);
	rig_settle(&rig);
	for (int i = 0; i < 10; i++) {
		assert_non_null(strstr(rig_pending(&rig, PUT)->headers, "Authorization: T.1\n"));
		fake_answer(rig_pending(&rig, PUT), 200, RIG_PUT_OK);
	}
	assert_int_equal(rig.n_done, 10);
	assert_int_equal(rig.transport->n_started, 11);
	rig_fini(&rig);
}

static void test_a_refused_token_is_renewed_once(void **state)
{
	struct rig rig;
	rig_init(&rig, 1, "u");
	(void)rig_put(&rig, 0);
	(void)rig_put(&rig, 0);
	for (int round = 0; round < 2; round++) {
		rig_settle(&rig);
		fake_answer(rig_pending(&rig, LOGIN), 200, TOKEN_OK);
		rig_settle(&rig);
		assert_null(fake_pending(rig.transport, LOGIN));
		assert_int_equal(rig.n_done, 0);
		fake_answer(rig_pending(&rig, PUT), 401, BAD_TOKEN);
		fake_answer(rig_pending(&rig, PUT), 401, BAD_TOKEN);
	}
	assert_int_equal(rig.n_done, 2);
	assert_int_equal(rig.error, -EACCES);
	assert_int_equal(rig.outcome, ONCE_NOT_APPLIED);
	rig_fini(&rig);
}

static void test_a_late_refusal_of_the_old_token_spares_the_new_one(void **state)
{
	struct rig rig;
	rig_init(&rig, 1, "u");
	(void)rig_put(&rig, 0);
	(void)rig_put(&rig, 0);
	rig_settle(&rig);
	fake_answer(rig_pending(&rig, LOGIN), 200, TOKEN_OK);
	rig_settle(&rig);
	struct transport_exchange *late =
		list_entry(rig.transport->exchanges.prev, struct transport_exchange, in_transport);
	fake_answer(rig_pending(&rig, PUT), 401, BAD_TOKEN);
	rig_settle(&rig);
	fake_answer(rig_pending(&rig, LOGIN), 200, TOKEN_OK);
	fake_answer(late, 401, BAD_TOKEN);
	rig_settle(&rig);
	assert_null(fake_pending(rig.transport, LOGIN));
	fake_answer(rig_pending(&rig, PUT), 200, RIG_PUT_OK);
	fake_answer(rig_pending(&rig, PUT), 200, RIG_PUT_OK);
	assert_int_equal(rig.n_done, 2);
	rig_fini(&rig);
}

static void test_a_wrong_password_ends_the_calls_that_wait(void **state)
{
	struct rig rig;
	rig_init(&rig, 1, "u");
	(void)rig_put(&rig, 0);
	(void)rig_put(&rig, 0);
	rig_settle(&rig);
	fake_answer(rig_pending(&rig, LOGIN), 400,
		"{\"error\":\"x\",\"code\":3,\"message\":\"etcdserver: authentication failed, "
		"invalid user ID or password\"}");
	rig_settle(&rig);
	assert_int_equal(rig.n_done, 2);
	assert_int_equal(rig.error, -EACCES);
	assert_int_equal(rig.outcome, ONCE_NOT_APPLIED);
	rig_fini(&rig);
}

static void test_what_is_reloaded_is_for_what_comes(void **state)
{
	struct once_client_config config = {.user = "u", .password = "changed"};
	struct transport_exchange *before, *login;
	struct rig rig;
	rig_init(&rig, 2, "u");
	(void)rig_put(&rig, 0);
	rig_settle(&rig);
	fake_answer(rig_pending(&rig, LOGIN), 200, TOKEN_OK);
	rig_settle(&rig);
	before = rig_pending(&rig, PUT);
	assert_int_equal(once_client_reload(rig.client, &config, NULL), 0);
	(void)rig_put(&rig, 0);
	rig_settle(&rig);
	login = rig_pending(&rig, LOGIN);
	assert_non_null(strstr(login->body, "changed"));
	assert_string_equal(login->gen->url, before->gen->url);
	assert_ptr_not_equal(login->gen, before->gen);
	fake_answer(login, 200, TOKEN_OK);
	fake_answer(before, 200, RIG_PUT_OK);
	assert_int_equal(rig.n_done, 1);
	assert_int_equal(rig.outcome, ONCE_APPLIED);
	rig_settle(&rig);
	fake_answer(rig_pending(&rig, PUT), 200, RIG_PUT_OK);
	assert_int_equal(rig.n_done, 2);

	/* the same again: the token is still good */
	assert_int_equal(once_client_reload(rig.client, &config, NULL), 0);
	(void)rig_put(&rig, 0);
	rig_settle(&rig);
	assert_null(fake_pending(rig.transport, LOGIN));
	fake_answer(rig_pending(&rig, PUT), 200, RIG_PUT_OK);
	rig_fini(&rig);
}

static void test_a_reload_begins_a_login_under_way_anew(void **state)
{
	struct once_client_config config = {.user = "v", .password = "changed"};
	struct transport_exchange *login, *put;
	struct rig rig;
	rig_init(&rig, 2, "u");
	(void)rig_put(&rig, 0);
	rig_settle(&rig);
	assert_non_null(strstr(rig_pending(&rig, LOGIN)->body, "secret"));
	assert_int_equal(once_client_reload(rig.client, &config, NULL), 0);
	assert_null(fake_pending(rig.transport, LOGIN));
	rig_settle(&rig);
	login = rig_pending(&rig, LOGIN);
	assert_non_null(strstr(login->body, "changed"));
	assert_int_equal(rig.n_done, 0);
	fake_answer(login, 200, TOKEN_OK);
	rig_settle(&rig);
	put = rig_pending(&rig, PUT);
	assert_non_null(strstr(put->headers, "Authorization"));
	fake_answer(put, 200, RIG_PUT_OK);
	assert_int_equal(rig.n_done, 1);
	assert_int_equal(rig.outcome, ONCE_APPLIED);
	rig_fini(&rig);
}

static void test_a_reload_without_user_ends_the_wait_for_a_login(void **state)
{
	struct once_client_config config = {0};
	struct rig rig;
	rig_init(&rig, 1, "u");
	(void)rig_put(&rig, 0);
	rig_settle(&rig);
	(void)rig_pending(&rig, LOGIN);
	assert_int_equal(once_client_reload(rig.client, &config, NULL), 0);
	rig_settle(&rig);
	assert_null(fake_pending(rig.transport, LOGIN));
	fake_answer(rig_pending(&rig, PUT), 200, RIG_PUT_OK);
	assert_int_equal(rig.n_done, 1);
	rig_fini(&rig);
}

static void test_what_cannot_be_reloaded_changes_nothing(void **state)
{
	struct once_client_config config = {
		.user = "u", .password = "changed", .cacert = "/nowhere/ca.pem"};
	const char *message = NULL;
	struct rig rig;
	rig_init(&rig, 1, "u");
	assert_int_equal(once_client_reload(rig.client, &config, &message), -ENOENT);
	assert_non_null(strstr(message, "/nowhere/ca.pem"));
	(void)rig_put(&rig, 0);
	rig_settle(&rig);
	assert_non_null(strstr(rig_pending(&rig, LOGIN)->body, "secret"));
	rig_fini(&rig);
}

static void test_a_login_without_answer_does_not_hold_a_call_longer(void **state)
{
	struct rig rig;
	rig_init(&rig, 1, "u");
	int64_t start_ns = rig.loop.now_ns;
	(void)rig_put(&rig, 300);
	while (!rig.n_done) {
		(void)fake_loop_turn(&rig.loop, 10000 * MS);
	}
	assert_int_equal(rig.loop.now_ns - start_ns, 300 * MS);
	assert_int_equal(rig.outcome, ONCE_NOT_APPLIED);
	rig_fini(&rig);
}

/* ---- dropped at every moment ------------------------------------------------------------------
 */

/* One step of a call that is logged in, refused, logged in again and answered. False: over. */
static bool step(struct rig *rig, int i)
{
	struct transport_exchange *exchange = fake_pending(rig->transport, NULL);
	if (!exchange) {
		return fake_loop_turn(&rig->loop, 0);
	}
	if (!strcmp(exchange->path, LOGIN)) {
		fake_answer(exchange, 200, TOKEN_OK);
	} else if (rig->transport->n_started < 3) {
		fake_answer(exchange, 401, BAD_TOKEN);
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

/* ---- made of several calls --------------------------------------------------------------------
 */

#define TXN "/v3/kv/txn"

static void test_self_test_tells_a_server_that_ignores_guards(void **state)
{
#define NO "{\"response_txn\":{" RIG_HEADER "}}"
#define YES "{\"response_txn\":{" RIG_HEADER ",\"succeeded\":true}}"
#define NESTED(a, b, c, d) ",\"responses\":[" a "," b "," c "," d "]}"
	static const struct {
		const char *answer;
		int error;
	} cases[] = {
		{"{" RIG_HEADER NESTED(YES, NO, NO, NO), 0},
		{"{" RIG_HEADER ",\"succeeded\":true}", -EBADMSG},
		{"{" RIG_HEADER NESTED(NO, NO, NO, NO), -EBADMSG},
		{"{" RIG_HEADER NESTED(YES, YES, NO, NO), -EBADMSG},
		{"{" RIG_HEADER NESTED(YES, NO, YES, NO), -EBADMSG},
		{"{" RIG_HEADER NESTED(YES, NO, NO, YES), -EBADMSG},
		{"{" RIG_HEADER "}", -EBADMSG},
	};
	for (size_t i = 0; i < LENGTH(cases); i++) {
		struct rig rig;
		rig_init(&rig, 1, NULL);
		assert_int_equal(
			once_self_test(rig.client, NULL, NULL, once_str("k"), rig_done, &rig), 0);
		rig_settle(&rig);
		assert_null(strstr(rig_pending(&rig, TXN)->body, "request_put"));
		fake_answer(rig_pending(&rig, TXN), 200, cases[i].answer);
		rig_settle(&rig);
		check_case(cases[i].answer, rig.n_done == 1 && rig.error == cases[i].error);
		rig_fini(&rig);
	}
}

#define RANGE "/v3/kv/range"
#define PAGE                                                                                       \
	"{" RIG_HEADER                                                                             \
	",\"kvs\":[{\"key\":\"YQ==\",\"create_revision\":\"2\",\"mod_revision\":\"2\","            \
	"\"version\":\"1\",\"value\":\"YQ==\"}],\"more\":true,\"count\":\"2\"}"

struct rows {
	struct rig *rig;
	size_t n;
	int64_t count;
	int error;
	bool free_client;
};

static int on_rows(void *userdata, const struct once_response *page)
{
	struct rows *rows = userdata;
	rows->n += page->op.n_kvs;
	rows->count = page->op.count;
	if (rows->free_client) {
		rows->rig->client = once_client_free(rows->rig->client);
	}
	return rows->error;
}

static void on_pages_done(void *userdata, const struct once_response *response)
{
	struct rows *rows = userdata;
	rig_done(rows->rig, response);
}

static void test_pages_stay_at_the_revision_of_the_first(void **state)
{
	struct rig rig;
	struct rows rows = {.rig = &rig};
	struct once_op op = {.key = once_str("a"), .range_end = once_str("z")};
	rig_init(&rig, 1, NULL);
	assert_int_equal(
		once_range_pages(rig.client, NULL, NULL, &op, 1, on_rows, on_pages_done, &rows), 0);
	rig_settle(&rig);
	fake_answer(rig_pending(&rig, RANGE), 200, PAGE);
	rig_settle(&rig);
	const char *body = rig_pending(&rig, RANGE)->body;
	assert_non_null(strstr(body, "\"revision\":\"5\""));
	assert_non_null(strstr(body, "\"key\":\"YQA=\"")); /* "a\0" */
	fake_answer(rig_pending(&rig, RANGE), 400,
		"{\"error\":\"x\",\"code\":11,\"message\":\"etcdserver: mvcc: required revision "
		"has been compacted\"}");
	assert_int_equal(rows.n, 1);
	assert_int_equal(rig.n_done, 1);
	assert_int_equal(rig.error, -ESTALE);
	rig_fini(&rig);
}

static void test_pages_end_by_what_rows_says_or_does(void **state)
{
	for (int i = 0; i < 2; i++) {
		struct rig rig;
		struct rows rows = {.rig = &rig, .error = -EIO, .free_client = i};
		struct once_op op = {.key = once_str("a"), .range_end = once_str("z")};
		rig_init(&rig, 1, NULL);
		assert_int_equal(once_range_pages(rig.client, NULL, NULL, &op, 1, on_rows,
					 on_pages_done, &rows),
			0);
		rig_settle(&rig);
		fake_answer(rig_pending(&rig, RANGE), 200, PAGE);
		assert_int_equal(rig.n_done, i ? 0 : 1);
		assert_int_equal(rig.error, i ? 1 : -EIO);
		rig_fini(&rig);
	}
}

static void test_a_page_is_told_as_it_comes(void **state)
{
	for (size_t piece = 1; piece < sizeof(PAGE); piece += 13) {
		struct rig rig;
		struct rows rows = {.rig = &rig};
		struct once_op op = {.key = once_str("a"), .range_end = once_str("z"), .limit = 1};
		rig_init(&rig, 1, NULL);
		rig.transport->piece = piece;
		assert_int_equal(once_range_pages(rig.client, NULL, NULL, &op, 0, on_rows,
					 on_pages_done, &rows),
			0);
		rig_settle(&rig);
		fake_answer(rig_pending(&rig, RANGE), 200, PAGE);
		rig_settle(&rig);
		assert_int_equal(rows.n, 1);
		assert_int_equal(rows.count, 2);
		assert_int_equal(rig.n_done, 1);
		assert_int_equal(rig.error, 0);
		rig_fini(&rig);
	}
}

static void test_a_page_that_breaks_off_ends_with_its_error(void **state)
{
	struct rig rig;
	struct rows rows = {.rig = &rig};
	struct once_op op = {.key = once_str("a"), .range_end = once_str("z")};
	rig_init(&rig, 1, NULL);
	assert_int_equal(
		once_range_pages(rig.client, NULL, NULL, &op, 0, on_rows, on_pages_done, &rows), 0);
	rig_settle(&rig);
	fake_data(rig_pending(&rig, RANGE), "{" RIG_HEADER ",\"kvs\":[{\"key\":\"YQ==\"},{\"ke");
	assert_int_equal(rows.n, 1);
	fake_fail(rig_pending(&rig, RANGE), -ECONNRESET, true, true);
	rig_settle(&rig);
	assert_int_equal(rows.n, 1);
	assert_int_equal(rig.n_done, 1);
	assert_int_equal(rig.error, -ECONNRESET);
	rig_fini(&rig);
}

/* Whose keys these are must be known before the first is told. */
static void test_keys_of_nobody_or_of_another_cluster_are_not_told(void **state)
{
	static const struct {
		const char *page;
		int error;
	} cases[] = {
		{"{\"kvs\":[{\"key\":\"YQ==\"}]," RIG_HEADER "}", -EBADMSG},
		{"{" RIG_HEADER ",\"kvs\":[{\"key\":\"Y\"}]}", -EBADMSG},
		{"{\"header\":{\"cluster_id\":\"9\",\"revision\":\"5\"},\"kvs\":[{\"key\":"
		 "\"YQ==\"}]}",
			-EREMCHG},
	};
	for (size_t i = 0; i < LENGTH(cases); i++) {
		struct rig rig;
		struct rows rows = {.rig = &rig};
		struct once_op op = {.key = once_str("a"), .range_end = once_str("z")};
		rig_init(&rig, 1, NULL);
		rig_put(&rig, 0);
		rig_settle(&rig);
		fake_answer(rig_pending(&rig, NULL), 200, RIG_PUT_OK);
		assert_int_equal(once_range_pages(rig.client, NULL, NULL, &op, 0, on_rows,
					 on_pages_done, &rows),
			0);
		rig_settle(&rig);
		fake_answer(rig_pending(&rig, RANGE), 200, cases[i].page);
		rig_settle(&rig);
		check_case(cases[i].page, rows.n == 0 && rig.n_done == 2);
		check_case(cases[i].page, rig.error == cases[i].error);
		rig_fini(&rig);
	}
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
		cmocka_unit_test(test_another_cluster_is_not_believed),
		cmocka_unit_test(test_a_history_that_is_trusted_does_not_go_back),
		cmocka_unit_test(test_an_answer_that_was_overtaken_is_believed),
		cmocka_unit_test(test_the_owner_hears_of_another_history),
		cmocka_unit_test(test_a_member_without_leader_is_left),
		cmocka_unit_test(test_headers_say_deadline_and_leader),
		cmocka_unit_test(test_many_calls_make_one_login),
		cmocka_unit_test(test_a_refused_token_is_renewed_once),
		cmocka_unit_test(test_a_late_refusal_of_the_old_token_spares_the_new_one),
		cmocka_unit_test(test_a_wrong_password_ends_the_calls_that_wait),
		cmocka_unit_test(test_what_is_reloaded_is_for_what_comes),
		cmocka_unit_test(test_a_reload_begins_a_login_under_way_anew),
		cmocka_unit_test(test_a_reload_without_user_ends_the_wait_for_a_login),
		cmocka_unit_test(test_what_cannot_be_reloaded_changes_nothing),
		cmocka_unit_test(test_a_login_without_answer_does_not_hold_a_call_longer),
		cmocka_unit_test(test_cancelled_or_freed_at_every_await),
		cmocka_unit_test(test_freeing_the_client_while_others_are_cut),
		cmocka_unit_test(test_a_start_that_cannot_send_is_not_applied),
		cmocka_unit_test(test_self_test_tells_a_server_that_ignores_guards),
		cmocka_unit_test(test_pages_stay_at_the_revision_of_the_first),
		cmocka_unit_test(test_pages_end_by_what_rows_says_or_does),
		cmocka_unit_test(test_a_page_is_told_as_it_comes),
		cmocka_unit_test(test_a_page_that_breaks_off_ends_with_its_error),
		cmocka_unit_test(test_keys_of_nobody_or_of_another_cluster_are_not_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
