/* Calls whose answers are of another cluster, or of an older history than what was known before. */
#include "tests/unit/unit.h"
#include "tests/fake/rig.h"

static void test_another_cluster_is_not_believed(void **state)
{
	struct rig rig;
	rig_init(&rig, 2, NULL);
	(void)rig_put(&rig, 0);
	rig_settle(&rig);
	fake_answer(rig_pending(&rig, RIG_PUT), 200, RIG_PUT_OK);
	(void)rig_put(&rig, 0);
	rig_settle(&rig);
	fake_answer(rig_pending(&rig, RIG_PUT), 200,
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
	fake_answer(rig_pending(rig, RIG_PUT), 200, answer);
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
	struct transport_exchange *first = rig_pending(&rig, RIG_PUT);
	(void)rig_put(&rig, 0);
	rig_settle(&rig);
	once_client_trust(rig.client, &(struct once_lineage){7, 105}); /* as the second one's answer would */
	fake_answer(first, 200, AT("7", "101"));
	assert_int_equal(rig.error, 0);
	fake_answer(rig_pending(&rig, RIG_PUT), 200, AT("7", "105"));
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_another_cluster_is_not_believed),
		cmocka_unit_test(test_a_history_that_is_trusted_does_not_go_back),
		cmocka_unit_test(test_an_answer_that_was_overtaken_is_believed),
		cmocka_unit_test(test_the_owner_hears_of_another_history),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
