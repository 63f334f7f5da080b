/* Every allocation of the ledger, claims, flows, numbers and writers is refused once, over a little etcd in
 * virtual time: whatever is said to be done is in etcd, whatever was accepted is answered exactly once,
 * nothing leaks. */
#include "tests/unit/ledger.h"
#include "tests/unit/refuse.h"

#include "tests/fake/crowd.h"

#include <once/claim.h>
#include <once/confirm.h>
#include <once/flow.h>
#include <once/ids.h>

enum { STEPS_MAX = 20000 };

static struct crowd crowd;
static struct once_records *records;
static struct once_term term;

/* A world of its own for each step, built and left without refusals. */
static void begin(void)
{
	refuse_pause(true);
	crowd_init(&crowd, 1, 1, 0);
	records = crowd.member[0].records;
	fake_etcd_put(crowd.etcd, LEADER, "n1", 0);
	term = (struct once_term){LEADER, fake_etcd_get(crowd.etcd, LEADER)->create};
	refuse_pause(false);
}

static int finish(int r)
{
	refuse_pause(true);
	crowd_fini(&crowd);
	return r;
}

/* Until it is told. */
static void wait_for(const int *n)
{
	for (int i = 0; *n == 0 && i < STEPS_MAX; i++)
		crowd_step(&crowd);
	assert_int_equal(*n, 1);
}

static bool is_there(const char *key)
{
	return fake_etcd_get(crowd.etcd, key) != NULL;
}

/* ---- the ledger ------------------------------------------------------------------------------ */

struct answer {
	int n, result;
	enum once_outcome outcome;
	int64_t mod;
};

static void on_answer(void *userdata, const struct once_ledger_answer *answer)
{
	struct answer *a = userdata;

	assert_true(answer->message != NULL);
	*a = (struct answer){a->n + 1, answer->result, answer->outcome, answer->mod_revision};
}

static int begin_run(int64_t *ret_mod)
{
	struct once_begin begin = {.key = RUN,
		.run = &begun,
		.term = &term,
		.cursor_key = "/onced/job/j/next",
		.cursor_value = "{}"};
	struct answer a = {0};
	int r = once_ledger_begin(records, NULL, &begin, 0, on_answer, &a);

	if (r < 0)
		return r;
	wait_for(&a.n);
	if (a.result == ONCE_LEDGER_DONE)
		assert_true(is_there(RUN) && is_there("/onced/job/j/next"));
	else
		assert_true(a.result < 0 && (a.outcome != ONCE_NOT_APPLIED || !is_there(RUN)));
	*ret_mod = a.mod;
	return a.result;
}

static int end_run(int64_t mod)
{
	const struct once_op result = {
		.kind = ONCE_OP_PUT, .key = once_str("/effect"), .value = once_str("v")};
	struct once_run end = begun;
	struct answer a = {0};
	int r;

	end.state = ONCE_RUN_OK;
	end.end_ms = MOMENT + 10;
	end.tail = once_str("output");
	r = once_ledger_end(records, NULL, RUN, mod, &end, &result, 1, 0, on_answer, &a);
	if (r < 0)
		return r;
	wait_for(&a.n);
	assert_true(a.result == ONCE_LEDGER_DONE || a.result < 0);
	/* the record and its effect: both or none */
	assert_true((fake_etcd_get(crowd.etcd, RUN)->version == 2) == is_there("/effect"));
	assert_true(a.result < 0 || is_there("/effect"));
	return a.result;
}

static int step_run(void)
{
	int64_t mod = 0;
	int r;

	begin();
	r = begin_run(&mod);
	return finish(r ? r : end_run(mod));
}

static int on_row(void *userdata, const struct once_row *row)
{
	struct answer *a = userdata;

	assert_int_equal(row->error, 0);
	a->mod++; /* counts */
	return 0;
}

static void on_list(void *userdata, int error, int64_t revision, const char *message)
{
	struct answer *a = userdata;

	a->n++;
	a->result = error;
}

static void on_trim(void *userdata, int error, int64_t deleted, const char *message)
{
	struct answer *a = userdata;

	a->n++;
	a->result = error;
	a->mod = deleted;
}

enum { RECORDS = 20 };

static void put_records(void)
{
	char key[64];

	refuse_pause(true);
	for (int i = 10; i < 10 + RECORDS; i++) {
		(void)snprintf(key, sizeof(key), "/onced/run/j/2026-11-22T18:%d:00Z", i);
		fake_etcd_put(crowd.etcd, key, "{\"v\":1,\"state\":\"ok\",\"id\":\"01\"}", 0);
	}
	refuse_pause(false);
}

static int step_list(void)
{
	struct once_list list = {.kind = ONCE_KEY_RUN, .name = "j"};
	struct answer a = {0};
	int r;

	begin();
	put_records();
	r = once_ledger_list(records, NULL, &list, on_row, on_list, &a);
	if (r == 0) {
		wait_for(&a.n);
		r = a.result;
		assert_true(r < 0 || a.mod == RECORDS);
	}
	return finish(r);
}

static int step_trim(void)
{
	struct once_history keep = {.ok = 5, .failed = 5};
	struct answer a = {0};
	int64_t left = 0;
	int r;

	begin();
	put_records();
	r = once_ledger_trim(records, NULL, "j", &keep, &term, on_trim, &a);
	if (r == 0) {
		wait_for(&a.n);
		r = a.result;
	}
	for (size_t i = 0; i < crowd.etcd->n_kvs; i++)
		left += strncmp(crowd.etcd->kvs[i].key, "/onced/run/", 11) == 0;
	/* never one of those that stay; a deletion whose answer could not be read is not counted */
	if (left < 5 || (r == 0 && (left != 5 || a.mod > RECORDS - 5)))
		fail_msg("%d, %lld left, %lld deleted", r, (long long)left, (long long)a.mod);
	return finish(r);
}

/* ---- flows ----------------------------------------------------------------------------------- */

static void on_flow(void *userdata, int result, const char *hash, const char *message)
{
	struct answer *a = userdata;

	a->n++;
	a->result = result;
}

static int flow_answer(int r, struct answer *a)
{
	if (r < 0)
		return r;
	wait_for(&a->n);
	r = a->result;
	*a = (struct answer){0};
	assert_true(r == ONCE_LEDGER_DONE || r < 0);
	return r;
}

static int step_flow(void)
{
	struct once_undo undo = {.by = "root@a", .reason = "r", .at_ms = 7};
	struct answer a = {0};
	int r;

	begin();
	r = flow_answer(once_flow_open(records, NULL, "f", "aa", &term, on_flow, &a), &a);
	assert_true(r < 0 || is_there("/onced/flow/f"));
	if (r == 0) {
		r = flow_answer(
			once_flow_undo(records, NULL, "f", "aa", &undo, &term, on_flow, &a), &a);
		assert_true(r < 0 || fake_etcd_get(crowd.etcd, "/onced/flow/f")->version == 2);
	}
	if (r == 0) {
		r = flow_answer(once_flow_forget(records, NULL, "f", false, on_flow, &a), &a);
		assert_true(r < 0 || !is_there("/onced/flow/f"));
	}
	return finish(r);
}

/* ---- numbers --------------------------------------------------------------------------------- */

struct numbers {
	int n, error;
	int64_t highest; /* given so far */
};

static void on_ids(void *userdata, int error, int64_t first, int64_t count, const char *message)
{
	struct numbers *numbers = userdata;

	numbers->n++;
	numbers->error = error;
	if (error == 0) {
		assert_true(first > numbers->highest && count == 4);
		numbers->highest = first + count - 1;
	}
}

/* What etcd says is given out covers what was. */
static void check_counter(const struct numbers *numbers)
{
	char *value = fake_etcd_value(crowd.etcd, "/onced/ids/n");
	const char *next = value ? strstr(value, "\"next\":") : NULL;

	assert_true(
		numbers->highest == 0 || (next && strtoll(next + 7, NULL, 10) > numbers->highest));
	free(value);
}

static int step_ids(void)
{
	struct numbers numbers = {0};
	int r = 0;

	begin();
	for (int i = 0; i < 3 && r == 0; i++) {
		numbers.n = 0;
		r = once_ids_alloc(records, NULL, "n", 4, 0, on_ids, &numbers);
		if (r == 0) {
			wait_for(&numbers.n);
			r = numbers.error;
		}
	}
	refuse_pause(true);
	check_counter(&numbers);
	return finish(r);
}

static int step_pool(void)
{
	struct numbers numbers = {0};
	struct once_ids *ids = NULL;
	int r, first_error = 0;

	begin();
	r = once_ids_new(&ids, records, "n", 10);
	/* one that fails does not spoil those after it */
	for (int i = 0; i < 8 && r == 0; i++) {
		numbers.n = 0;
		r = once_ids_take(ids, NULL, 4, on_ids, &numbers);
		if (r == 0) {
			wait_for(&numbers.n);
			first_error = first_error ? first_error : numbers.error;
		}
	}
	assert_true(r < 0 || numbers.error == 0 || first_error == numbers.error);
	refuse_pause(true);
	check_counter(&numbers);
	ids = once_ids_free(ids);
	return finish(r ? r : first_error);
}

/* ---- claims ---------------------------------------------------------------------------------- */

#define ONCE_X "/onced/once/x"

struct claimant {
	struct once_claim *claim;
	int n_run, n_done, result, end;
};

static void on_run(void *userdata, const struct once_run *run, struct once_instant proved)
{
	((struct claimant *)userdata)->n_run++;
	assert_true(is_there(ONCE_X));
}

static void on_stop(void *userdata)
{
}

static void on_claim_done(
	void *userdata, int result, const struct once_run *run, const char *message)
{
	struct claimant *c = userdata;

	c->n_done++;
	c->result = result;
	c->claim = once_claim_free(c->claim);
}

static int step_claim(void)
{
	static const struct once_claim_callbacks callbacks = {
		.on_run = on_run, .on_stop = on_stop, .on_done = on_claim_done};
	static const struct once_claim_config config = {
		.key = ONCE_X, .node = "n1", .live_ms = 2000};
	static const struct once_run end = {.state = ONCE_RUN_OK, .exited = true};
	struct claimant c = {0};
	bool told = false;
	int r;

	begin();
	r = once_claim_new(&c.claim, records, &config, &callbacks, &c, NULL);
	for (int i = 0; r == 0 && c.n_done == 0 && i < STEPS_MAX; i++) {
		crowd_step(&crowd);
		/* its work takes two steps; a refused end is told again */
		if (c.n_run > 0 && !told && c.claim && i % 2 == 0)
			told = once_claim_end(c.claim, &end, NULL, 0) == 0;
	}
	if (r == 0) {
		assert_int_equal(c.n_done, 1);
		assert_true(c.n_run <= 1);
		assert_true(c.result != ONCE_CLAIM_RAN ||
			    fake_etcd_get(crowd.etcd, ONCE_X)->version == 2);
		r = c.result < 0 ? c.result : 0;
	}
	c.claim = once_claim_free(c.claim);
	return finish(r);
}

/* ---- writers --------------------------------------------------------------------------------- */

enum { IDS = 12 };

struct told {
	unsigned n, confirmed, of[IDS];
};

static void on_results(void *userdata, const struct once_confirmation *results, size_t n,
	int64_t took_ns, const char *message)
{
	struct told *told = userdata;

	for (size_t i = 0; i < n; i++) {
		assert_true(results[i].number < IDS);
		told->of[results[i].number]++;
		told->n++;
		told->confirmed += results[i].state == ONCE_CONFIRMED;
	}
}

/* Keys of the writer's in etcd. */
static unsigned written(void)
{
	unsigned n = 0;

	for (size_t i = 0; i < crowd.etcd->n_kvs; i++)
		n += strncmp(crowd.etcd->kvs[i].key, "/w/", 3) == 0;
	return n;
}

static int write_with(enum once_confirm_mode mode)
{
	struct once_confirm_config config = {.mode = mode,
		.prefix = once_str("/w/"),
		.tag = "me",
		.batch = 5,
		.settle_timeout_ns = 20 * ONCE_NSEC_PER_SEC};
	struct once_writer *writer = NULL;
	struct told told = {0};
	unsigned given = 0;
	int r;

	begin();
	r = once_writer_new(
		&writer, crowd.member[0].client, &crowd.loop.loop, &config, on_results, &told);
	for (int i = 0; i < IDS && r == 0; i++) {
		char id[8];

		(void)snprintf(id, sizeof(id), "%d", i);
		for (int j = 0; j < STEPS_MAX; j++) { /* as many as may wait */
			r = once_writer_put(writer, once_str(id), (struct once_bytes){0});
			if (r != -EAGAIN)
				break;
			crowd_step(&crowd);
		}
		given += r == 0;
	}
	for (int i = 0; writer && told.n < given && i < STEPS_MAX; i++)
		crowd_step(&crowd);
	assert_int_equal(told.n, given);
	for (unsigned i = 0; i < given; i++)
		assert_int_equal(told.of[i], 1);
	if (mode != ONCE_CONFIRM_PACKED)
		assert_true(told.confirmed <= written());
	else
		assert_true(told.confirmed == 0 || written() > 0);
	writer = once_writer_free(writer);
	return finish(r ? r : told.confirmed == IDS ? 0 : -EIO);
}

static int step_write_each(void)
{
	return write_with(ONCE_CONFIRM_INDIVIDUAL);
}

static int step_write_txn(void)
{
	return write_with(ONCE_CONFIRM_TXN);
}

static int step_write_packed(void)
{
	return write_with(ONCE_CONFIRM_PACKED);
}

static void test_each_refusal_leaves_what_was_said_true(void **state)
{
	static const struct refuse_step steps[] = {
		{"a run", step_run, 20, true},
		{"a list", step_list, 10, true},
		{"a history", step_trim, 20, true},
		{"a flow", step_flow, 30, true},
		{"numbers", step_ids, 20, true},
		{"a pool of numbers", step_pool, 20, true},
		{"a claim", step_claim, 40, true},
		{"single writes", step_write_each, 40, true},
		{"writes in txns", step_write_txn, 30, true},
		{"packed writes", step_write_packed, 30, true},
	};

	refuse_each(steps, LENGTH(steps));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_refusal_leaves_what_was_said_true),
	};

	return cmocka_run_group_tests_name("record-memory", tests, NULL, NULL);
}
