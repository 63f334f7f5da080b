/* What is made of several calls: the self-test, and ranges that come page by page. */
#include "tests/unit/unit.h"
#include "tests/fake/rig.h"

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
		cmocka_unit_test(test_self_test_tells_a_server_that_ignores_guards),
		cmocka_unit_test(test_pages_stay_at_the_revision_of_the_first),
		cmocka_unit_test(test_pages_end_by_what_rows_says_or_does),
		cmocka_unit_test(test_a_page_is_told_as_it_comes),
		cmocka_unit_test(test_a_page_that_breaks_off_ends_with_its_error),
		cmocka_unit_test(test_keys_of_nobody_or_of_another_cluster_are_not_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
