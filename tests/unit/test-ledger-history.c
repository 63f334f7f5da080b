/* The ledger's records as they are listed, and how a job's history is kept short. */
#include "tests/unit/ledger.h"

#define S ONCE_NSEC_PER_SEC

/* ---- reading --------------------------------------------------------------------------------- */

static void given_run(
	struct world *w, const char *job, int64_t at_ms, enum once_run_state run_state)
{
	struct once_run run = begun;
	char key[ONCE_KEY_SIZE], *text;
	size_t size;

	run.state = run_state;
	assert_int_equal(once_key_make(key, "/onced", ONCE_KEY_RUN, job, NULL, at_ms), 0);
	assert_int_equal(once_run_encode(&text, &size, &run), 0);
	fake_etcd_put(w->etcd, key, text, 0);
	free(text);
}

/* "j+5 ok, j+6.001 failed": seconds after MOMENT. */
static int on_row(void *userdata, const struct once_row *row)
{
	struct world *w = userdata;
	size_t n = strlen(w->rows);
	int64_t ms = row->key.at_ms - MOMENT;

	if (row->error == -EINVAL)
		(void)snprintf(w->rows + n, sizeof(w->rows) - n, "%s%.*s is none", n ? ", " : "",
			(int)row->text.size, (const char *)row->text.data);
	else
		(void)snprintf(w->rows + n, sizeof(w->rows) - n, "%s%s+%d%s %s", n ? ", " : "",
			row->key.name, (int)(ms / 1000), ms % 1000 ? "t" : "",
			row->run ? once_run_state_name(row->run->state) : "unreadable");
	if (w->cancel_in_row)
		w->task = once_task_cancel(w->task);
	return w->stop_after && --w->stop_after == 0 ? -EPIPE : 0;
}

static void on_list(void *userdata, int error, int64_t revision, const char *message)
{
	struct world *w = userdata;

	w->n_done++;
	w->task = NULL;
	w->result = error;
	assert_non_null(message);
	assert_true(error || revision == w->etcd->revision);
}

static void list(struct world *w, const struct once_list *what, const char *expected)
{
	w->rows[0] = '\0';
	w->n_done = 0;
	assert_int_equal(once_ledger_list(w->records, &w->task, what, on_row, on_list, w), 0);
	serve_all(w);
	assert_string_equal(w->rows, expected);
}

static void given_history(struct world *w)
{
	begin_world(w);
	given_run(w, "j", MOMENT, ONCE_RUN_OK);
	given_run(w, "j", MOMENT + 5000, ONCE_RUN_FAILED);
	given_run(w, "j", MOMENT + 5001, ONCE_RUN_OK);
	given_run(w, "j", MOMENT + 9000, ONCE_RUN_BEGUN);
	given_run(w, "k", MOMENT, ONCE_RUN_SKIPPED);
	fake_etcd_put(w->etcd, "/onced/run/j/x", "?", 0);
	fake_etcd_put(w->etcd, "/onced/run/k/2026-11-22T18:30:07Z", "?", 0);
	fake_etcd_put(w->etcd, "/onced/runner", "?", 0);
}

static void lists(void **state)
{
	struct world w;

	given_history(&w);
	list(&w, &(struct once_list){.kind = ONCE_KEY_RUN, .name = "j"},
		"j+0 ok, j+5t ok, j+5 failed, j+9 begun, /onced/run/j/x is none");
	list(&w, &(struct once_list){.kind = ONCE_KEY_RUN, .states = 1 << ONCE_RUN_BEGUN},
		"j+9 begun");
	list(&w, &(struct once_list){.kind = ONCE_KEY_RUN, .name = "k"},
		"k+0 skipped, k+7 unreadable");
	list(&w,
		&(struct once_list){
			.kind = ONCE_KEY_RUN, .name = "j", .states = 1 << ONCE_RUN_OK, .last = 1},
		"j+5t ok");
	list(&w,
		&(struct once_list){.kind = ONCE_KEY_RUN,
			.name = "j",
			.from_ms = MOMENT + 5000,
			.until_ms = MOMENT + 9000},
		"j+5t ok, j+5 failed");
	list(&w,
		&(struct once_list){.kind = ONCE_KEY_RUN,
			.name = "j",
			.from_ms = MOMENT + 5001,
			.until_ms = MOMENT + 9001},
		"j+5t ok, j+9 begun");
	list(&w, &(struct once_list){.kind = ONCE_KEY_RUN, .name = "j", .until_ms = MOMENT + 5001},
		"j+0 ok, j+5 failed");
	list(&w, &(struct once_list){.kind = ONCE_KEY_RUN, .name = "none"}, "");
	list(&w, &(struct once_list){.kind = ONCE_KEY_ONCE, .name = "x"}, "");
	end_world(&w);
}

static void a_list_can_be_ended(void **state)
{
	struct world w;

	given_history(&w);
	w.stop_after = 2;
	list(&w, &(struct once_list){.kind = ONCE_KEY_RUN, .name = "j"}, "j+0 ok, j+5t ok");
	assert_int_equal(w.result, -EPIPE);
	for (int last = 0; last < 2; last++) {
		w.cancel_in_row = true;
		w.rows[0] = '\0';
		w.n_done = 0;
		assert_int_equal(
			once_ledger_list(w.records, &w.task,
				&(struct once_list){
					.kind = ONCE_KEY_RUN, .name = "k", .last = last * 5},
				on_row, on_list, &w),
			0);
		serve(&w, FATE_ANSWERED);
		fake_loop_run(&w.rig.loop, 100 * S);
		assert_int_equal(w.n_done, 0);
		assert_string_equal(w.rows, last ? "k+7 unreadable" : "k+0 skipped");
	}
	end_world(&w);
}

/* ---- trimming -------------------------------------------------------------------------------- */

static void on_trimmed(void *userdata, int error, int64_t deleted, const char *message)
{
	struct world *w = userdata;

	w->n_done++;
	w->task = NULL;
	w->result = error;
	w->deleted = deleted;
	assert_non_null(message);
}

static void trim(struct world *w, uint32_t ok, uint32_t failed)
{
	struct once_history keep = {ok, failed};

	w->n_done = 0;
	assert_int_equal(
		once_ledger_trim(w->records, &w->task, "j", &keep, &w->term, on_trimmed, w), 0);
}

static void history_is_kept_short(void **state)
{
	static const enum once_run_state states[] = {
		ONCE_RUN_OK, ONCE_RUN_FAILED, ONCE_RUN_SKIPPED, ONCE_RUN_LOST, ONCE_RUN_BEGUN};
	struct world w;

	begin_world(&w);
	for (int i = 0; i < 300; i++)
		given_run(&w, "j", MOMENT + i * 1000, states[i % 5]);
	given_run(&w, "k", MOMENT, ONCE_RUN_OK);
	trim(&w, 3, 2);
	serve_all(&w);
	assert_int_equal(w.result, 0);
	/* 60 of each; of the failed there are 120; the begun stay */
	assert_int_equal(w.deleted, 57 + 118 + 58);
	assert_int_equal(w.etcd->n_kvs, 1 + 1 + 60 + 3 + 2 + 2);
	list(&w, &(struct once_list){.kind = ONCE_KEY_RUN, .name = "j", .states = 1 << ONCE_RUN_OK},
		"j+285 ok, j+290 ok, j+295 ok");
	list(&w,
		&(struct once_list){
			.kind = ONCE_KEY_RUN, .name = "j", .states = 1 << ONCE_RUN_SKIPPED},
		"j+292 skipped, j+297 skipped");
	trim(&w, 3, 2);
	serve_all(&w);
	assert_int_equal(w.deleted, 0);
	end_world(&w);
}

static void a_predecessor_deletes_nothing(void **state)
{
	struct world w;

	begin_world(&w);
	given_run(&w, "j", MOMENT, ONCE_RUN_OK);
	trim(&w, 0, 0);
	serve(&w, FATE_ANSWERED); /* the list */
	serve(&w, FATE_LATE);
	new_leader(&w);
	serve_all(&w);
	assert_int_equal(w.result, ONCE_LEDGER_FENCED);
	(void)fake_etcd_deliver_late(w.etcd);
	assert_non_null(fake_etcd_get(w.etcd, RUN));
	end_world(&w);
}

static void what_changed_meanwhile_stays(void **state)
{
	struct world w;

	begin_world(&w);
	given_run(&w, "j", MOMENT, ONCE_RUN_OK);
	trim(&w, 0, 0);
	serve(&w, FATE_ANSWERED);
	given_run(&w, "j", MOMENT, ONCE_RUN_BEGUN);
	serve_all(&w);
	assert_int_equal(w.result, 0);
	assert_int_equal(w.deleted, 0);
	assert_non_null(fake_etcd_get(w.etcd, RUN));
	end_world(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists),
		cmocka_unit_test(a_list_can_be_ended),
		cmocka_unit_test(history_is_kept_short),
		cmocka_unit_test(a_predecessor_deletes_nothing),
		cmocka_unit_test(what_changed_meanwhile_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
