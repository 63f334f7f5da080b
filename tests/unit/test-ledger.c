/* The ledger's decisions, on a server that loses answers, loses requests and applies some late. */
#include "tests/unit/ledger.h"

#define S ONCE_NSEC_PER_SEC

static void on_answer(void *userdata, const struct once_ledger_answer *answer)
{
	struct world *w = userdata;

	w->n_done++;
	w->task = NULL;
	w->result = answer->result;
	w->outcome = answer->outcome;
	w->mod = answer->mod_revision;
	w->shown = answer->run ? answer->run->state : 0;
	w->shown_attempt = answer->run ? answer->run->attempt : 0;
	assert_non_null(answer->message);
	assert_true(answer->message[0] != '\0');
}

static void start_begin(struct world *w, const struct once_run *run)
{
	struct once_begin begin = {.key = RUN, .run = run, .term = &w->term};

	w->n_done = 0;
	assert_int_equal(once_ledger_begin(w->records, &w->task, &begin, 0, on_answer, w), 0);
	assert_int_equal(w->n_done, 0);
}

static void check(const struct world *w, int result, enum once_outcome outcome)
{
	assert_int_equal(w->n_done, 1);
	assert_int_equal(w->result, result);
	assert_int_equal(w->outcome, outcome);
}

/* A record that is begun; returns its revision. */
static int64_t given_begun(struct world *w)
{
	start_begin(w, &begun);
	serve_all(w);
	check(w, ONCE_LEDGER_DONE, ONCE_APPLIED);
	return w->mod;
}

static void a_run_begins_once(void **state)
{
	struct once_run other = begun;
	struct world w;

	begin_world(&w);
	assert_true(given_begun(&w) > 0);
	assert_int_equal(w.mod, fake_etcd_get(w.etcd, RUN)->mod);
	memcpy(other.id, "02", 3);
	start_begin(&w, &other);
	serve_all(&w);
	check(&w, ONCE_LEDGER_EXISTS, ONCE_NOT_APPLIED);
	assert_int_equal(w.shown, ONCE_RUN_BEGUN);
	end_world(&w);
}

static void a_lost_answer_is_asked_for_again(void **state)
{
	struct world w;

	begin_world(&w);
	start_begin(&w, &begun);
	serve(&w, FATE_ANSWER_LOST);
	serve(&w, FATE_REQUEST_LOST);
	serve(&w, FATE_ANSWERED);
	assert_int_equal(w.n_done, 0); /* after a doubt, what is there has to be shown twice */
	serve(&w, FATE_ANSWERED);
	check(&w, ONCE_LEDGER_DONE, ONCE_APPLIED);
	assert_int_equal(w.mod, fake_etcd_get(w.etcd, RUN)->mod);
	assert_int_equal(fake_etcd_get(w.etcd, RUN)->version, 1);
	/* a copy that comes late changes nothing */
	end_world(&w);
}

/* The leader's key is not shown for a changed bit of its name: that is no fence. */
static void a_garbled_answer_after_a_doubt_decides_nothing(void **state)
{
	static const char garbled[] =
		"{\"header\":{\"cluster_id\":\"1\",\"member_id\":\"1\",\"revision\":\"9\",\"raft_term\":"
		"\"1\"},\"responses\":[{\"response_range\":{\"header\":{\"revision\":\"9\"}}},"
		"{\"response_range\":{\"header\":{\"revision\":\"9\"}}}]}";
	struct world w;

	begin_world(&w);
	start_begin(&w, &begun);
	serve(&w, FATE_ANSWER_LOST);
	while (!fake_pending(w.rig.transport, "/v3/kv/txn"))
		(void)fake_loop_turn(&w.rig.loop, S);
	fake_answer(fake_pending(w.rig.transport, "/v3/kv/txn"), 200, garbled);
	fake_loop_run(&w.rig.loop, 0);
	assert_int_equal(w.n_done, 0);
	serve(&w, FATE_ANSWERED);
	assert_int_equal(w.n_done, 0);
	serve(&w, FATE_ANSWERED);
	check(&w, ONCE_LEDGER_DONE, ONCE_APPLIED);
	end_world(&w);
}

static void a_late_copy_does_nothing(void **state)
{
	struct world w;
	int64_t mod;

	begin_world(&w);
	start_begin(&w, &begun);
	serve(&w, FATE_LATE);
	serve_all(&w);
	check(&w, ONCE_LEDGER_DONE, ONCE_APPLIED);
	mod = fake_etcd_get(w.etcd, RUN)->mod;
	assert_true(fake_etcd_deliver_late(w.etcd));
	assert_int_equal(fake_etcd_get(w.etcd, RUN)->mod, mod);
	end_world(&w);
}

static void the_term_guards_the_begin(void **state)
{
	struct world w;

	begin_world(&w);
	start_begin(&w, &begun);
	serve(&w, FATE_LATE);
	new_leader(&w);
	serve_all(&w);
	check(&w, ONCE_LEDGER_FENCED, ONCE_NOT_APPLIED);
	/* and what is still on its way finds the same */
	assert_true(fake_etcd_deliver_late(w.etcd));
	assert_null(fake_etcd_get(w.etcd, RUN));
	end_world(&w);
}

static void a_begin_applied_before_the_term_ended_is_known(void **state)
{
	struct world w;

	begin_world(&w);
	start_begin(&w, &begun);
	serve(&w, FATE_ANSWER_LOST);
	new_leader(&w);
	serve_all(&w);
	check(&w, ONCE_LEDGER_DONE, ONCE_APPLIED);
	end_world(&w);
}

static void nobody_answers(void **state)
{
	struct world w;
	int64_t since;

	begin_world(&w);
	since = w.rig.loop.now_ns;
	start_begin(&w, &begun);
	while (w.n_done == 0)
		(void)fake_loop_turn(&w.rig.loop, 60 * S);
	assert_true(w.rig.loop.now_ns - since >= 30 * S && w.rig.loop.now_ns - since < 31 * S);
	check(&w, -ETIMEDOUT, ONCE_UNKNOWN);
	/* never sent: then it is certain */
	start_begin(&w, &begun);
	while (w.n_done == 0) {
		if (!fake_etcd_serve(w.etcd, w.rig.transport, FATE_UNREACHABLE))
			(void)fake_loop_turn(&w.rig.loop, 60 * S);
	}
	check(&w, -EHOSTUNREACH, ONCE_NOT_APPLIED);
	end_world(&w);
}

static void a_refusal_after_an_unknown_stays_unknown(void **state)
{
	static const char denied[] = "{\"error\":\"x\",\"message\":\"etcdserver: permission "
				     "denied\",\"code\":7}";
	struct world w;

	begin_world(&w);
	start_begin(&w, &begun);
	serve(&w, FATE_LATE);
	while (!fake_pending(w.rig.transport, "/v3/kv/txn"))
		(void)fake_loop_turn(&w.rig.loop, S);
	fake_answer(fake_pending(w.rig.transport, "/v3/kv/txn"), 403, denied);
	check(&w, -EPERM, ONCE_UNKNOWN);
	start_begin(&w, &begun);
	fake_loop_run(&w.rig.loop, 0);
	fake_answer(fake_pending(w.rig.transport, "/v3/kv/txn"), 403, denied);
	check(&w, -EPERM, ONCE_NOT_APPLIED);
	end_world(&w);
}

static void a_write_that_passes_the_quota_is_made(void **state)
{
	struct world w;

	begin_world(&w);
	start_begin(&w, &begun);
	serve(&w, FATE_OVER_QUOTA);
	assert_int_equal(w.n_done, 0);
	serve_all(&w);
	check(&w, ONCE_LEDGER_DONE, ONCE_APPLIED);
	assert_int_equal(fake_etcd_get(w.etcd, RUN)->version, 1);
	end_world(&w);
}

static void an_operation_can_be_dropped_at_any_moment(void **state)
{
	struct world w;

	for (int when = 0; when < 3; when++) {
		begin_world(&w);
		start_begin(&w, &begun);
		if (when > 0)
			fake_loop_run(&w.rig.loop, 0);
		if (when > 1)
			serve(&w, FATE_ANSWER_LOST);
		w.task = once_task_cancel(w.task);
		fake_loop_run(&w.rig.loop, 100 * S);
		assert_int_equal(w.n_done, 0);
		end_world(&w);
	}
	begin_world(&w);
	start_begin(&w, &begun); /* freed with the records */
	end_world(&w);
	assert_int_equal(w.n_done, 0);
}

static void what_goes_with_a_begin(void **state)
{
	struct once_begin begin = {.key = RUN,
		.run = &begun,
		.cursor_key = "/onced/job/j/next",
		.cursor_value = "{}",
		.trigger_key = "/onced/trigger/j/1"};
	struct world w;
	char *value;

	begin_world(&w);
	begin.term = &w.term;
	/* withdrawn: nothing is written */
	assert_int_equal(once_ledger_begin(w.records, &w.task, &begin, 0, on_answer, &w), 0);
	serve_all(&w);
	check(&w, ONCE_LEDGER_WITHDRAWN, ONCE_NOT_APPLIED);
	assert_null(fake_etcd_get(w.etcd, RUN));
	assert_null(fake_etcd_get(w.etcd, begin.cursor_key));
	/* with it all happens, once, though the answer is lost */
	w.n_done = 0;
	fake_etcd_put(w.etcd, begin.trigger_key, "t", 0);
	assert_int_equal(once_ledger_begin(w.records, &w.task, &begin, 0, on_answer, &w), 0);
	serve(&w, FATE_ANSWER_LOST);
	serve_all(&w);
	check(&w, ONCE_LEDGER_DONE, ONCE_APPLIED);
	assert_null(fake_etcd_get(w.etcd, begin.trigger_key));
	value = fake_etcd_value(w.etcd, begin.cursor_key);
	assert_string_equal(value, "{}");
	free(value);
	end_world(&w);
}

static void end(struct world *w, int64_t mod, const struct once_op *results, size_t n)
{
	struct once_run run = begun;

	run.state = ONCE_RUN_OK;
	run.end_ms = MOMENT + 1000;
	w->n_done = 0;
	assert_int_equal(
		once_ledger_end(w->records, &w->task, RUN, mod, &run, results, n, 0, on_answer, w),
		0);
}

static void the_end_is_guarded_by_the_record_alone(void **state)
{
	struct once_op result = {
		.kind = ONCE_OP_PUT, .key = once_str("/r"), .value = once_str("42")};
	struct world w;
	int64_t mod;
	char *value;

	begin_world(&w);
	mod = given_begun(&w);
	new_leader(&w);
	end(&w, mod, &result, 1);
	serve(&w, FATE_ANSWER_LOST);
	serve_all(&w);
	check(&w, ONCE_LEDGER_DONE, ONCE_APPLIED);
	assert_int_equal(fake_etcd_get(w.etcd, RUN)->version, 2);
	assert_int_equal(fake_etcd_get(w.etcd, "/r")->version, 1);
	value = fake_etcd_value(w.etcd, "/r");
	assert_string_equal(value, "42");
	free(value);
	end_world(&w);
}

static void a_late_end_loses_to_a_decision_and_leaves_no_result(void **state)
{
	struct once_op result = {
		.kind = ONCE_OP_PUT, .key = once_str("/r"), .value = once_str("42")};
	struct once_run decided = begun;
	struct world w;
	int64_t mod;

	begin_world(&w);
	mod = given_begun(&w);
	new_leader(&w);
	w.term.token = fake_etcd_get(w.etcd, LEADER)->create;
	decided.state = ONCE_RUN_INTERRUPTED;
	memcpy(decided.closed_by, "n2", 3);
	w.n_done = 0;
	assert_int_equal(once_ledger_decide(
				 w.records, &w.task, RUN, mod, &decided, &w.term, 0, on_answer, &w),
		0);
	serve(&w, FATE_ANSWER_LOST);
	serve_all(&w);
	check(&w, ONCE_LEDGER_DONE, ONCE_APPLIED);
	end(&w, mod, &result, 1);
	serve_all(&w);
	check(&w, ONCE_LEDGER_CHANGED, ONCE_NOT_APPLIED);
	assert_int_equal(w.shown, ONCE_RUN_INTERRUPTED);
	assert_null(fake_etcd_get(w.etcd, "/r"));
	end_world(&w);
}

static void two_leaders_decide_once(void **state)
{
	struct once_run first = begun, second = begun;
	struct world w;
	int64_t mod;

	begin_world(&w);
	mod = given_begun(&w);
	first.attempt = 2;
	second.state = ONCE_RUN_LOST;
	w.n_done = 0;
	assert_int_equal(
		once_ledger_decide(w.records, NULL, RUN, mod, &first, &w.term, 0, on_answer, &w),
		0);
	serve_all(&w);
	check(&w, ONCE_LEDGER_DONE, ONCE_APPLIED);
	w.n_done = 0;
	assert_int_equal(
		once_ledger_decide(w.records, NULL, RUN, mod, &second, &w.term, 0, on_answer, &w),
		0);
	serve_all(&w);
	check(&w, ONCE_LEDGER_CHANGED, ONCE_NOT_APPLIED);
	assert_int_equal(w.shown, ONCE_RUN_BEGUN);
	assert_int_equal(w.shown_attempt, 2);
	/* a predecessor's decision is fenced */
	new_leader(&w);
	w.n_done = 0;
	assert_int_equal(
		once_ledger_decide(w.records, NULL, RUN, w.mod, &second, &w.term, 0, on_answer, &w),
		0);
	serve_all(&w);
	check(&w, ONCE_LEDGER_FENCED, ONCE_NOT_APPLIED);
	end_world(&w);
}

static void a_foreign_record_is_not_overwritten(void **state)
{
	struct world w;

	begin_world(&w);
	fake_etcd_put(w.etcd, RUN, "not a record", 0);
	start_begin(&w, &begun);
	serve_all(&w);
	check(&w, ONCE_LEDGER_EXISTS, ONCE_NOT_APPLIED);
	assert_int_equal(w.shown, 0);
	end_world(&w);
}

static void bad_requests_are_refused_at_once(void **state)
{
	struct once_op twice[] = {{.kind = ONCE_OP_PUT, .key = once_str("/a")},
		{.kind = ONCE_OP_DELETE, .key = once_str("/a")}};
	struct once_op own = {.kind = ONCE_OP_PUT, .key = once_str(RUN)};
	struct once_op range = {.kind = ONCE_OP_RANGE, .key = once_str("/a")};
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz";
	struct once_op many[ONCE_RESULTS_MAX + 1];
	struct once_run run = begun;
	struct once_begin begin = {.key = RUN, .run = &run};
	struct once_records *records = NULL;
	struct once_records_config config = {.prefix = "/onced/"};
	const char *message = NULL;
	struct once_list list = {.kind = ONCE_KEY_IDS};
	struct world w;

	begin_world(&w);
	run.state = ONCE_RUN_OK;
#define END(ops, n) once_ledger_end(w.records, NULL, RUN, 5, &run, ops, n, 0, on_answer, &w)
	assert_int_equal(once_ledger_begin(w.records, NULL, &begin, 0, on_answer, &w), -EINVAL);
	assert_int_equal(END(twice, 2), -EINVAL);
	assert_int_equal(END(&own, 1), -EINVAL);
	assert_int_equal(END(&range, 1), -EINVAL);
	memset(many, 0, sizeof(many));
	assert_int_equal(END(many, 1), -EINVAL);
	for (size_t i = 0; i <= ONCE_RESULTS_MAX; i++)
		many[i] = (struct once_op){.kind = ONCE_OP_PUT, .key = {&letters[i / 8], i % 8 + 1}};
	assert_int_equal(END(many, ONCE_RESULTS_MAX + 1), -EINVAL);
	run.state = ONCE_RUN_BEGUN;
	assert_int_equal(END(NULL, 0), -EINVAL);
	run.id[0] = '\0';
	assert_int_equal(once_ledger_begin(w.records, NULL, &begin, 0, on_answer, &w), -EINVAL);
	assert_int_equal(
		once_records_new(&records, w.rig.client, &w.rig.loop.loop, &config, &message), -EINVAL);
	assert_non_null(strstr(message, "without a slash"));
	assert_int_equal(once_ledger_list(w.records, NULL, &list, NULL, NULL, &w), -EINVAL);
	list = (struct once_list){.kind = ONCE_KEY_RUN, .name = "J"};
	assert_int_equal(once_ledger_list(w.records, NULL, &list, NULL, NULL, &w), -EINVAL);
	list = (struct once_list){.kind = ONCE_KEY_RUN, .from_ms = 5};
	assert_int_equal(once_ledger_list(w.records, NULL, &list, NULL, NULL, &w), -EINVAL);
	list = (struct once_list){.kind = ONCE_KEY_RUN, .last = 1001};
	assert_int_equal(once_ledger_list(w.records, NULL, &list, NULL, NULL, &w), -EINVAL);
	end_world(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_run_begins_once),
		cmocka_unit_test(a_lost_answer_is_asked_for_again),
		cmocka_unit_test(a_garbled_answer_after_a_doubt_decides_nothing),
		cmocka_unit_test(a_late_copy_does_nothing),
		cmocka_unit_test(the_term_guards_the_begin),
		cmocka_unit_test(a_begin_applied_before_the_term_ended_is_known),
		cmocka_unit_test(nobody_answers),
		cmocka_unit_test(a_refusal_after_an_unknown_stays_unknown),
		cmocka_unit_test(a_write_that_passes_the_quota_is_made),
		cmocka_unit_test(an_operation_can_be_dropped_at_any_moment),
		cmocka_unit_test(what_goes_with_a_begin),
		cmocka_unit_test(the_end_is_guarded_by_the_record_alone),
		cmocka_unit_test(a_late_end_loses_to_a_decision_and_leaves_no_result),
		cmocka_unit_test(two_leaders_decide_once),
		cmocka_unit_test(a_foreign_record_is_not_overwritten),
		cmocka_unit_test(bad_requests_are_refused_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
