/* Calls with a user: one login for many, again when its token is refused, anew after a reload. */
#include "tests/unit/unit.h"
#include "tests/fake/rig.h"

#define MS ONCE_NSEC_PER_MSEC

static void test_many_calls_make_one_login(void **state)
{
	struct rig rig;
	rig_init(&rig, 1, "u");
	for (int i = 0; i < 10; i++) {
		(void)rig_put(&rig, 0);
	}
	rig_settle(&rig);
	assert_int_equal(rig.transport->n_started, 1);
	struct transport_exchange *login = rig_pending(&rig, RIG_LOGIN);
	assert_null(strstr(login->headers, "Authorization"));
	assert_non_null(strstr(login->body, "secret"));
	fake_answer(login, 200, RIG_TOKEN_OK);
	rig_settle(&rig);
	for (int i = 0; i < 10; i++) {
		assert_non_null(strstr(rig_pending(&rig, RIG_PUT)->headers, "Authorization: T.1\n"));
		fake_answer(rig_pending(&rig, RIG_PUT), 200, RIG_PUT_OK);
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
		fake_answer(rig_pending(&rig, RIG_LOGIN), 200, RIG_TOKEN_OK);
		rig_settle(&rig);
		assert_null(fake_pending(rig.transport, RIG_LOGIN));
		assert_int_equal(rig.n_done, 0);
		fake_answer(rig_pending(&rig, RIG_PUT), 401, RIG_BAD_TOKEN);
		fake_answer(rig_pending(&rig, RIG_PUT), 401, RIG_BAD_TOKEN);
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
	fake_answer(rig_pending(&rig, RIG_LOGIN), 200, RIG_TOKEN_OK);
	rig_settle(&rig);
	struct transport_exchange *late =
		list_entry(rig.transport->exchanges.prev, struct transport_exchange, in_transport);
	fake_answer(rig_pending(&rig, RIG_PUT), 401, RIG_BAD_TOKEN);
	rig_settle(&rig);
	fake_answer(rig_pending(&rig, RIG_LOGIN), 200, RIG_TOKEN_OK);
	fake_answer(late, 401, RIG_BAD_TOKEN);
	rig_settle(&rig);
	assert_null(fake_pending(rig.transport, RIG_LOGIN));
	fake_answer(rig_pending(&rig, RIG_PUT), 200, RIG_PUT_OK);
	fake_answer(rig_pending(&rig, RIG_PUT), 200, RIG_PUT_OK);
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
	fake_answer(rig_pending(&rig, RIG_LOGIN), 400,
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
	fake_answer(rig_pending(&rig, RIG_LOGIN), 200, RIG_TOKEN_OK);
	rig_settle(&rig);
	before = rig_pending(&rig, RIG_PUT);
	assert_int_equal(once_client_reload(rig.client, &config, NULL), 0);
	(void)rig_put(&rig, 0);
	rig_settle(&rig);
	login = rig_pending(&rig, RIG_LOGIN);
	assert_non_null(strstr(login->body, "changed"));
	assert_string_equal(login->gen->url, before->gen->url);
	assert_ptr_not_equal(login->gen, before->gen);
	fake_answer(login, 200, RIG_TOKEN_OK);
	fake_answer(before, 200, RIG_PUT_OK);
	assert_int_equal(rig.n_done, 1);
	assert_int_equal(rig.outcome, ONCE_APPLIED);
	rig_settle(&rig);
	fake_answer(rig_pending(&rig, RIG_PUT), 200, RIG_PUT_OK);
	assert_int_equal(rig.n_done, 2);

	/* the same again: the token is still good */
	assert_int_equal(once_client_reload(rig.client, &config, NULL), 0);
	(void)rig_put(&rig, 0);
	rig_settle(&rig);
	assert_null(fake_pending(rig.transport, RIG_LOGIN));
	fake_answer(rig_pending(&rig, RIG_PUT), 200, RIG_PUT_OK);
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
	assert_non_null(strstr(rig_pending(&rig, RIG_LOGIN)->body, "secret"));
	assert_int_equal(once_client_reload(rig.client, &config, NULL), 0);
	assert_null(fake_pending(rig.transport, RIG_LOGIN));
	rig_settle(&rig);
	login = rig_pending(&rig, RIG_LOGIN);
	assert_non_null(strstr(login->body, "changed"));
	assert_int_equal(rig.n_done, 0);
	fake_answer(login, 200, RIG_TOKEN_OK);
	rig_settle(&rig);
	put = rig_pending(&rig, RIG_PUT);
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
	(void)rig_pending(&rig, RIG_LOGIN);
	assert_int_equal(once_client_reload(rig.client, &config, NULL), 0);
	rig_settle(&rig);
	assert_null(fake_pending(rig.transport, RIG_LOGIN));
	fake_answer(rig_pending(&rig, RIG_PUT), 200, RIG_PUT_OK);
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
	assert_non_null(strstr(rig_pending(&rig, RIG_LOGIN)->body, "secret"));
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_many_calls_make_one_login),
		cmocka_unit_test(test_a_refused_token_is_renewed_once),
		cmocka_unit_test(test_a_late_refusal_of_the_old_token_spares_the_new_one),
		cmocka_unit_test(test_a_wrong_password_ends_the_calls_that_wait),
		cmocka_unit_test(test_what_is_reloaded_is_for_what_comes),
		cmocka_unit_test(test_a_reload_begins_a_login_under_way_anew),
		cmocka_unit_test(test_a_reload_without_user_ends_the_wait_for_a_login),
		cmocka_unit_test(test_what_cannot_be_reloaded_changes_nothing),
		cmocka_unit_test(test_a_login_without_answer_does_not_hold_a_call_longer),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
