/* Flows: one list of steps from the first opening on, until the flow is forgotten. */
#include "tests/unit/unit.h"
#include "tests/fake/crowd.h"

#include <once/flow.h>

#include "base/base64.h"

#define KEY "/onced/flow/f"
#define STEP "/onced/step/f/a"
#define UNDO "/onced/undo/f/a"

static struct crowd crowd;
static struct once_term term;

struct said {
	int n, result;
	char hash[ONCE_HASH_SIZE];
};

static void on_flow(void *userdata, int result, const char *hash, const char *message)
{
	struct said *said = userdata;

	said->n++;
	said->result = result;
	(void)snprintf(said->hash, sizeof(said->hash), "%s", hash);
	assert_non_null(message);
}

static void begin(int faults)
{
	crowd_init(&crowd, 1, 1, faults);
	fake_etcd_put(crowd.etcd, "/leader", "n", 0);
	term = (struct once_term){"/leader", fake_etcd_get(crowd.etcd, "/leader")->create};
}

static struct said waited(struct said *said)
{
	assert_int_equal(said->n, 0);
	while (said->n == 0)
		crowd_step(&crowd);
	return *said;
}

static struct said open_flow(const char *hash, const struct once_term *guard)
{
	struct said said = {0};

	assert_int_equal(
		once_flow_open(crowd.member[0].records, NULL, "f", hash, guard, on_flow, &said), 0);
	return waited(&said);
}

static struct said undo_flow(const char *hash, const char *reason, const struct once_term *guard)
{
	struct once_undo undo = {.by = "root@a", .at_ms = 7000};
	struct said said = {0};

	(void)snprintf(undo.reason, sizeof(undo.reason), "%s", reason);
	assert_int_equal(once_flow_undo(crowd.member[0].records, NULL, "f", hash, &undo, guard,
				 on_flow, &said),
		0);
	return waited(&said);
}

static struct said forget(bool force)
{
	struct said said = {0};

	assert_int_equal(
		once_flow_forget(crowd.member[0].records, NULL, "f", force, on_flow, &said), 0);
	return waited(&said);
}

static void a_flow_keeps_its_list(void **state)
{
	struct once_term old = {"/leader", 1};

	for (int faults = 0; faults <= 60; faults += 30) {
		begin(faults);
		assert_int_equal(open_flow("aa", &term).result, ONCE_LEDGER_DONE);
		assert_int_equal(open_flow("aa", NULL).result, ONCE_LEDGER_DONE);
		assert_int_equal(open_flow("bb", &term).result, ONCE_LEDGER_CHANGED);
		assert_string_equal(open_flow("bb", NULL).hash, "aa");
		assert_int_equal(open_flow("aa", &old).result, ONCE_LEDGER_FENCED);
		assert_int_equal(fake_etcd_get(crowd.etcd, KEY)->version, 1);
		crowd_fini(&crowd);
	}
}

static void a_predecessor_opens_nothing(void **state)
{
	struct once_term old = {"/leader", 1};

	begin(0);
	assert_int_equal(open_flow("aa", &old).result, ONCE_LEDGER_FENCED);
	assert_null(fake_etcd_get(crowd.etcd, KEY));
	fake_etcd_put(crowd.etcd, KEY, "x", 0);
	assert_int_equal(open_flow("aa", &term).result, -EBADMSG);
	crowd_fini(&crowd);
}

static struct once_undo kept(void)
{
	const struct fake_kv *kv = fake_etcd_get(crowd.etcd, KEY);
	char hash[ONCE_HASH_SIZE], value[1024];
	struct once_undo undo;
	size_t size;

	assert_true(base64_decoded_max(strlen(kv->value)) <= sizeof(value));
	assert_int_equal(base64_decode(value, &size, kv->value, strlen(kv->value)), 0);
	assert_int_equal(once_flow_decode(hash, &undo, (struct once_bytes){value, size}), 0);
	assert_string_equal(hash, "aa");
	return undo;
}

static void a_flow_is_undone_for_good(void **state)
{
	struct once_term old = {"/leader", 1};

	for (int faults = 0; faults <= 60; faults += 30) {
		begin(faults);
		assert_int_equal(undo_flow("aa", "r", &term).result, ONCE_LEDGER_CHANGED);
		assert_int_equal(open_flow("aa", &term).result, ONCE_LEDGER_DONE);
		assert_int_equal(kept().at_ms, 0);
		assert_int_equal(undo_flow("bb", "r", &term).result, ONCE_LEDGER_CHANGED);
		assert_int_equal(undo_flow("aa", "r", &old).result, ONCE_LEDGER_FENCED);
		assert_int_equal(open_flow("aa", &term).result, ONCE_LEDGER_DONE);
		assert_int_equal(undo_flow("aa", "first", &term).result, ONCE_LEDGER_DONE);
		/* The first word counts, and no step begins any more. */
		assert_int_equal(undo_flow("aa", "second", NULL).result, ONCE_LEDGER_DONE);
		assert_string_equal(kept().reason, "first");
		assert_int_equal(kept().at_ms, 7000);
		assert_int_equal(open_flow("aa", &term).result, ONCE_LEDGER_UNDONE);
		assert_int_equal(open_flow("bb", &term).result, ONCE_LEDGER_CHANGED);
		assert_int_equal(fake_etcd_get(crowd.etcd, KEY)->version, 2);
		crowd_fini(&crowd);
	}
}

static void what_undoes_a_flow_is_forgotten_with_it(void **state)
{
	begin(0);
	assert_int_equal(open_flow("aa", NULL).result, ONCE_LEDGER_DONE);
	fake_etcd_put(crowd.etcd, STEP, "{\"v\":1,\"state\":\"ok\"}", 0);
	fake_etcd_put(crowd.etcd, UNDO, "{\"v\":1,\"state\":\"begun\",\"id\":\"ab\"}", 0);
	assert_int_equal(forget(false).result, ONCE_LEDGER_CHANGED);
	fake_etcd_put(crowd.etcd, UNDO, "{\"v\":1,\"state\":\"ok\"}", 0);
	assert_int_equal(forget(false).result, ONCE_LEDGER_DONE);
	assert_null(fake_etcd_get(crowd.etcd, STEP));
	assert_null(fake_etcd_get(crowd.etcd, UNDO));
	crowd_fini(&crowd);
}

static void a_forgotten_flow_begins_anew(void **state)
{
	begin(0);
	assert_int_equal(open_flow("aa", NULL).result, ONCE_LEDGER_DONE);
	fake_etcd_put(crowd.etcd, STEP, "{\"v\":1,\"state\":\"begun\",\"id\":\"ab\"}", 0);
	fake_etcd_put(crowd.etcd, "/onced/step/ff/a", "{\"v\":1,\"state\":\"ok\"}", 0);
	assert_int_equal(forget(false).result, ONCE_LEDGER_CHANGED);
	assert_non_null(fake_etcd_get(crowd.etcd, STEP));
	fake_etcd_put(crowd.etcd, STEP, "{\"v\":1,\"state\":\"ok\"}", 0);
	assert_int_equal(forget(false).result, ONCE_LEDGER_DONE);
	assert_null(fake_etcd_get(crowd.etcd, STEP));
	assert_null(fake_etcd_get(crowd.etcd, KEY));
	assert_non_null(fake_etcd_get(crowd.etcd, "/onced/step/ff/a"));
	assert_int_equal(forget(false).result, ONCE_LEDGER_DONE);
	fake_etcd_put(crowd.etcd, STEP, "{\"v\":1,\"state\":\"begun\",\"id\":\"ab\"}", 0);
	assert_int_equal(forget(true).result, ONCE_LEDGER_DONE);
	assert_null(fake_etcd_get(crowd.etcd, STEP));
	crowd_fini(&crowd);
}

static void a_step_that_begins_meanwhile_is_not_forgotten(void **state)
{
	struct said said = {0};

	begin(0);
	assert_int_equal(
		once_flow_forget(crowd.member[0].records, NULL, "f", false, on_flow, &said), 0);
	fake_loop_run(&crowd.loop, 0);
	assert_true(fake_etcd_serve(crowd.etcd, crowd.member[0].transport, FATE_ANSWERED));
	fake_etcd_put(crowd.etcd, STEP, "{\"v\":1,\"state\":\"begun\",\"id\":\"ab\"}", 0);
	assert_int_equal(waited(&said).result, ONCE_LEDGER_CHANGED);
	assert_non_null(fake_etcd_get(crowd.etcd, STEP));
	crowd_fini(&crowd);
}

static void bad_requests_are_refused_at_once(void **state)
{
	struct once_records *records;

	begin(0);
	records = crowd.member[0].records;
	assert_int_equal(once_flow_open(records, NULL, "f/g", "aa", NULL, on_flow, NULL), -EINVAL);
	assert_int_equal(once_flow_open(records, NULL, "f", "", NULL, on_flow, NULL), -EINVAL);
	assert_int_equal(once_flow_open(records, NULL, "f", "xyz", NULL, on_flow, NULL), -EINVAL);
	assert_int_equal(once_flow_open(records, NULL, "f", NULL, NULL, on_flow, NULL), -EINVAL);
	assert_int_equal(once_flow_undo(records, NULL, "f", "aa", &(struct once_undo){0}, NULL,
				 on_flow, NULL),
		-EINVAL);
	assert_int_equal(once_flow_undo(records, NULL, "f", "aa",
				 &(struct once_undo){.at_ms = 1, .by = "\n"}, NULL, on_flow, NULL),
		-EINVAL);
	assert_int_equal(once_flow_forget(records, NULL, "", false, on_flow, NULL), -EINVAL);
	crowd_fini(&crowd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_flow_keeps_its_list),
		cmocka_unit_test(a_predecessor_opens_nothing),
		cmocka_unit_test(a_flow_is_undone_for_good),
		cmocka_unit_test(what_undoes_a_flow_is_forgotten_with_it),
		cmocka_unit_test(a_forgotten_flow_begins_anew),
		cmocka_unit_test(a_step_that_begins_meanwhile_is_not_forgotten),
		cmocka_unit_test(bad_requests_are_refused_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
