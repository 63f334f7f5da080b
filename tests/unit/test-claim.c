/* Claims: one runs, all get its record; a dead runner is found out; two never run at once. */
#include "tests/unit/unit.h"
#include "tests/fake/crowd.h"

#include <once/claim.h>

#define MS ONCE_NSEC_PER_MSEC
#define KEY "/onced/once/x"
#define LIVE "/onced/live/once/x"
#define LIVE_MS 2000

static struct crowd crowd;

/* One claimant: what it was told, and its work, which takes some time. */
struct one {
	size_t i;
	struct once_claim *claim;
	struct once_timer *work; /* its end, or the end of its killing */
	bool works, stopping, fails;
	int64_t work_ms;
	struct once_instant proved;
	int n_run, n_wait, n_done, result;
	enum once_run_state state;
	uint32_t attempt;
	char id[ONCE_RUN_ID_SIZE];
};

static struct one ones[CROWD_MAX];
static int working, most_working;

static void work_ends(struct one *one)
{
	struct once_run end = {.state = one->stopping ? ONCE_RUN_INTERRUPTED
					: one->fails  ? ONCE_RUN_FAILED
						      : ONCE_RUN_OK,
		.exited = true,
		.exit_code = 3};

	one->works = false;
	working--;
	assert_int_equal(once_claim_end(one->claim, &end, NULL, 0), 0);
	assert_int_equal(once_claim_end(one->claim, &end, NULL, 0), -EBUSY);
}

static void on_work(void *userdata)
{
	struct one *one = userdata;

	if (one->works)
		work_ends(one);
}

static void on_run(void *userdata, const struct once_run *run, struct once_instant proved)
{
	struct one *one = userdata;

	assert_int_equal(run->state, ONCE_RUN_BEGUN);
	assert_true(proved.boot_ns <= crowd.loop.now_ns);
	one->n_run++;
	one->proved = proved;
	one->works = true;
	one->stopping = false;
	working++;
	most_working = working > most_working ? working : most_working;
	crowd.loop.loop.ops->timer_set(one->work, one->work_ms * MS);
}

static void on_stop(void *userdata)
{
	struct one *one = userdata;

	assert_true(one->works);
	/* killing takes its time, a fifth of live_ms at most */
	one->stopping = true;
	crowd.loop.loop.ops->timer_set(one->work, (int64_t)crowd_random(&crowd, LIVE_MS / 5) * MS);
}

static void on_wait(void *userdata, const struct once_run *run)
{
	struct one *one = userdata;

	assert_int_equal(run->state, ONCE_RUN_BEGUN);
	one->n_wait++;
}

static void on_done(void *userdata, int result, const struct once_run *run, const char *message)
{
	struct one *one = userdata;

	one->n_done++;
	one->result = result;
	one->state = run ? run->state : 0;
	one->attempt = run ? run->attempt : 0;
	if (run)
		memcpy(one->id, run->id, sizeof(one->id));
	assert_non_null(message);
	one->claim = once_claim_free(one->claim);
}

static void claim_as(size_t i, const struct once_claim_config *given, int64_t work_ms)
{
	static const struct once_claim_callbacks callbacks = {
		.on_run = on_run, .on_stop = on_stop, .on_wait = on_wait, .on_done = on_done};
	struct once_claim_config config = *given;
	char node[16];

	(void)snprintf(node, sizeof(node), "n%zu", i);
	config.key = KEY;
	config.node = node;
	config.live_ms = LIVE_MS;
	ones[i].i = i;
	ones[i].work_ms = work_ms;
	if (!ones[i].work)
		ones[i].work = crowd.loop.loop.ops->timer_new(&crowd.loop.loop, on_work, &ones[i]);
	assert_int_equal(once_claim_new(&ones[i].claim, crowd.member[i].records, &config,
				 &callbacks, &ones[i], NULL),
		0);
}

static void begin(size_t n, uint64_t seed, int faults)
{
	memset(ones, 0, sizeof(ones));
	working = most_working = 0;
	crowd_init(&crowd, n, seed, faults);
}

static void finish(void)
{
	for (size_t i = 0; i < crowd.n; i++) {
		ones[i].claim = once_claim_free(ones[i].claim);
		if (ones[i].work)
			crowd.loop.loop.ops->timer_free(ones[i].work);
	}
	crowd_fini(&crowd);
}

/* Dies, and its work with it at once. */
static void crash(size_t i)
{
	ones[i].claim = once_claim_free(ones[i].claim);
	if (ones[i].works)
		working--;
	ones[i].works = false;
	crowd.loop.loop.ops->timer_set(ones[i].work, -1);
}

static void run_until_done(size_t i)
{
	for (int n = 0; ones[i].n_done == 0; n++) {
		if (n > 100000)
			fail_msg("claimant %zu does not end", i);
		crowd_step(&crowd);
	}
}

static void steps(int n)
{
	for (int i = 0; i < n; i++)
		crowd_step(&crowd);
}

static const struct once_claim_config plain = {0};

static void one_runs_and_all_get_its_record(void **state)
{
	int ran = 0;

	begin(10, 1, 0);
	for (size_t i = 0; i < 10; i++)
		claim_as(i, &plain, 3000);
	for (size_t i = 0; i < 10; i++)
		run_until_done(i);
	for (size_t i = 0; i < 10; i++) {
		ran += ones[i].n_run;
		assert_int_equal(ones[i].result, ones[i].n_run ? ONCE_CLAIM_RAN : ONCE_CLAIM_FOUND);
		assert_int_equal(ones[i].state, ONCE_RUN_OK);
		assert_string_equal(ones[i].id, ones[0].id);
	}
	assert_int_equal(ran, 1);
	assert_null(fake_etcd_get(crowd.etcd, LIVE));
	/* one that comes later finds it */
	ones[3].n_done = 0;
	claim_as(3, &plain, 1);
	run_until_done(3);
	assert_int_equal(ones[3].result, ONCE_CLAIM_FOUND);
	finish();
}

static void another_content_is_a_conflict(void **state)
{
	struct once_claim_config a = {.hash = "aa"}, b = {.hash = "bb"};

	begin(2, 1, 0);
	claim_as(0, &a, 100);
	run_until_done(0);
	claim_as(1, &b, 100);
	run_until_done(1);
	assert_int_equal(ones[1].result, ONCE_CLAIM_CONFLICT);
	assert_int_equal(ones[1].n_run, 0);
	finish();
}

static void a_dead_runner_is_reported(void **state)
{
	int64_t since;

	begin(3, 1, 0);
	claim_as(0, &plain, 60000);
	while (!ones[0].n_run)
		crowd_step(&crowd);
	claim_as(1, &plain, 100);
	claim_as(2, &plain, 100);
	steps(200);
	assert_int_equal(ones[1].n_wait, 1);
	crash(0);
	since = crowd.loop.now_ns;
	run_until_done(1);
	run_until_done(2);
	/* its lease ended, then live_ms and a tenth */
	assert_true(crowd.loop.now_ns - since > 22 * LIVE_MS / 10 * MS / 2);
	assert_true(crowd.loop.now_ns - since < 5 * LIVE_MS * MS);
	for (size_t i = 1; i < 3; i++) {
		assert_int_equal(ones[i].n_run, 0);
		assert_int_equal(ones[i].result, ONCE_CLAIM_FOUND);
		assert_int_equal(ones[i].state, ONCE_RUN_INTERRUPTED);
	}
	finish();
}

static void a_dead_runner_is_replaced(void **state)
{
	struct once_claim_config rerun = {.on_interrupt = ONCE_INTERRUPT_RERUN};

	begin(3, 1, 0);
	claim_as(0, &rerun, 60000);
	while (!ones[0].n_run)
		crowd_step(&crowd);
	claim_as(1, &rerun, 100);
	claim_as(2, &rerun, 100);
	crash(0);
	run_until_done(1);
	run_until_done(2);
	assert_int_equal(ones[1].n_run + ones[2].n_run, 1);
	assert_int_equal(ones[1].state, ONCE_RUN_OK);
	assert_int_equal(ones[2].state, ONCE_RUN_OK);
	assert_int_equal(ones[1].attempt, 2);
	finish();
}

static void a_runner_that_is_cut_off_stops_before_another_runs(void **state)
{
	struct once_claim_config rerun = {.on_interrupt = ONCE_INTERRUPT_RERUN};

	begin(2, 1, 0);
	claim_as(0, &rerun, 60000);
	while (!ones[0].n_run)
		crowd_step(&crowd);
	claim_as(1, &rerun, 100);
	steps(200);
	crowd.member[0].cut = true;
	run_until_done(1);
	assert_int_equal(most_working, 1);
	assert_int_equal(ones[1].n_run, 1);
	crowd.member[0].cut = false;
	run_until_done(0);
	assert_int_equal(ones[0].result, ONCE_CLAIM_OVERTAKEN);
	assert_int_equal(ones[0].state, ONCE_RUN_OK);
	finish();
}

static void a_proof_counts_from_when_it_was_sent(void **state)
{
	int64_t sent;

	begin(1, 1, 0);
	claim_as(0, &plain, 100);
	while (!fake_etcd_get(crowd.etcd, LIVE))
		crowd_step(&crowd);
	while (!fake_pending(crowd.member[0].transport, NULL))
		fake_loop_run(&crowd.loop, 0);
	sent = crowd.loop.now_ns;
	fake_loop_run(&crowd.loop, 300 * MS);
	assert_true(fake_etcd_serve(crowd.etcd, crowd.member[0].transport, FATE_ANSWERED));
	assert_int_equal(ones[0].n_run, 1);
	assert_true(ones[0].proved.boot_ns <= sent);
	finish();
}

static void losing_the_life_key_is_losing_the_claim(void **state)
{
	int64_t since;

	begin(2, 1, 0);
	claim_as(0, &plain, 60000);
	while (!ones[0].n_run)
		crowd_step(&crowd);
	since = crowd.loop.now_ns;
	fake_etcd_delete(crowd.etcd, LIVE); /* as a lease that etcd forgets */
	while (!ones[0].stopping)
		crowd_step(&crowd);
	assert_true(crowd.loop.now_ns - since < LIVE_MS / 4 * MS); /* the next beat tells */
	run_until_done(0);
	assert_int_equal(ones[0].result, ONCE_CLAIM_RAN);
	assert_int_equal(ones[0].state, ONCE_RUN_INTERRUPTED);
	finish();
}

static void a_leaders_record_is_the_leaders_to_decide(void **state)
{
	struct once_claim_config limited = {
		.on_interrupt = ONCE_INTERRUPT_RERUN, .wait_timeout_ns = 60000 * MS};

	begin(1, 1, 0);
	fake_etcd_put(
		crowd.etcd, KEY, "{\"v\":1,\"state\":\"begun\",\"id\":\"ab\",\"token\":5}", 0);
	claim_as(0, &limited, 100);
	run_until_done(0);
	assert_int_equal(ones[0].result, -ETIMEDOUT);
	assert_int_equal(ones[0].n_run, 0);
	ones[0].n_done = 0;
	claim_as(0, &limited, 100);
	steps(50);
	fake_etcd_put(
		crowd.etcd, KEY, "{\"v\":1,\"state\":\"failed\",\"id\":\"ab\",\"token\":5}", 0);
	run_until_done(0);
	assert_int_equal(ones[0].result, ONCE_CLAIM_FOUND);
	assert_int_equal(ones[0].state, ONCE_RUN_FAILED);
	finish();
}

static void what_had_failed_before_is_run_again_if_wanted(void **state)
{
	struct once_claim_config again = {.rerun = 1 << ONCE_RUN_FAILED};

	begin(3, 1, 0);
	fake_etcd_put(
		crowd.etcd, KEY, "{\"v\":1,\"state\":\"failed\",\"id\":\"ab\",\"attempt\":1}", 0);
	claim_as(0, &again, 2000);
	claim_as(1, &again, 2000);
	claim_as(2, &plain, 100);
	for (size_t i = 0; i < 3; i++)
		run_until_done(i);
	assert_int_equal(ones[0].n_run + ones[1].n_run, 1);
	assert_int_equal(ones[0].attempt, 2);
	assert_int_equal(ones[1].attempt, 2);
	assert_int_equal(ones[2].n_run, 0);
	finish();
}

static void one_that_waited_takes_the_failure_for_its_result(void **state)
{
	struct once_claim_config again = {.rerun = 1 << ONCE_RUN_FAILED};

	begin(2, 1, 0);
	ones[0].fails = true;
	claim_as(0, &again, 2000);
	while (!ones[0].n_run)
		crowd_step(&crowd);
	claim_as(1, &again, 100);
	run_until_done(0);
	run_until_done(1);
	assert_int_equal(ones[1].n_wait, 1);
	assert_int_equal(ones[1].n_run, 0);
	assert_int_equal(ones[1].result, ONCE_CLAIM_FOUND);
	assert_int_equal(ones[1].state, ONCE_RUN_FAILED);
	finish();
}

static void what_was_never_proven_is_never_started(void **state)
{
	begin(1, 1, 0);
	claim_as(0, &plain, 100);
	while (!fake_etcd_get(crowd.etcd, LIVE))
		crowd_step(&crowd);
	fake_etcd_delete(crowd.etcd, LIVE);
	run_until_done(0);
	assert_int_equal(ones[0].n_run, 0);
	assert_int_equal(ones[0].result, ONCE_CLAIM_FOUND);
	assert_int_equal(ones[0].state, ONCE_RUN_INTERRUPTED);
	finish();
}

static void nobody_answers(void **state)
{
	int64_t since;

	begin(1, 1, 0);
	crowd.member[0].cut = true;
	since = crowd.loop.now_ns;
	claim_as(0, &plain, 100);
	run_until_done(0);
	assert_true(ones[0].result == -ETIMEDOUT || ones[0].result == -EHOSTUNREACH);
	assert_true(crowd.loop.now_ns - since < 40000 * MS);
	finish();
}

static void a_foreign_value_is_an_error(void **state)
{
	begin(1, 1, 0);
	fake_etcd_put(crowd.etcd, KEY, "hello", 0);
	claim_as(0, &plain, 100);
	run_until_done(0);
	assert_int_equal(ones[0].result, -EBADMSG);
	finish();
}

static void bad_configurations_are_refused(void **state)
{
	static const struct once_claim_callbacks callbacks = {0};
	struct once_claim_config good = {.key = KEY, .node = "n", .hash = "aa"}, bad;
	struct once_claim *claim = NULL;
	const char *message;

#define REFUSED(field, value, text)                                                                \
	do {                                                                                       \
		bad = good;                                                                        \
		bad.field = (value);                                                               \
		message = "";                                                                      \
		assert_int_equal(once_claim_new(&claim, crowd.member[0].records, &bad, &callbacks, \
					 NULL, &message),                                          \
			-EINVAL);                                                                  \
		assert_non_null(strstr(message, text));                                            \
	} while (0)
	begin(1, 1, 0);
	REFUSED(key, "/onced/run/j/2026-11-22T18:30:00Z", "key: expected");
	REFUSED(key, "/other/once/x", "key: expected");
	REFUSED(hash, "xyz", "hash: expected");
	REFUSED(hash, "", "hash: expected");
	REFUSED(node, "a b", "node: expected");
	REFUSED(node, NULL, "node: expected");
	REFUSED(live_ms, 1999, "at least 2 s");
	finish();
}

/* ---- under faults ---------------------------------------------------------------------------- */

static const char *scene(uint64_t seed, bool rerun)
{
	struct once_claim_config config = {
		.on_interrupt = rerun ? ONCE_INTERRUPT_RERUN : ONCE_INTERRUPT_REPORT};
	bool crashed[6] = {0};
	int runs = 0;

	begin(6, seed, (int)(seed % 4) * 8);
	for (size_t i = 0; i < 6; i++)
		claim_as(i, &config, (int64_t)(200 + crowd_random(&crowd, 8000)));
	for (int n = 0; n < 3000; n++) {
		size_t i = crowd_random(&crowd, 6);

		if (crowd_random(&crowd, 300) == 0)
			crowd.member[i].cut = !crowd.member[i].cut;
		if (crowd_random(&crowd, 1500) == 0 && i > 1) {
			crash(i);
			crashed[i] = true;
		}
		/* etcd has been seen to end leases early */
		if (crowd_random(&crowd, 400) == 0)
			fake_etcd_delete(crowd.etcd, LIVE);
		crowd_step(&crowd);
	}
	for (size_t i = 0; i < 6; i++)
		crowd.member[i].cut = false;
	crowd.faults = 0;
	for (size_t i = 0; i < 6; i++) {
		if (!crashed[i])
			run_until_done(i);
		runs += ones[i].n_run;
	}
	if (most_working > 1)
		return "two at once";
	if (!rerun && runs > 1)
		return "run twice";
	for (size_t i = 0; i < 6; i++) {
		/* a claim may give up after 30 s without etcd, and when there is no space for it */
		if (!crashed[i] && ones[i].result < 0 && ones[i].result != -ETIMEDOUT &&
			ones[i].result != -EHOSTUNREACH && ones[i].result != -ECONNRESET &&
			ones[i].result != -ENOSPC)
			return "an error";
		if (ones[i].result == ONCE_CLAIM_FOUND && !crashed[i] && rerun &&
			ones[i].state != ONCE_RUN_OK)
			return "rerun, but not ok";
	}
	return NULL;
}

static void two_never_run_at_once(void **state)
{
	for (uint64_t seed = 1; seed <= 400; seed++) {
		const char *wrong = scene(seed, seed & 1);

		if (wrong)
			fail_msg("seed %d: %s", (int)seed, wrong);
		finish();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_runs_and_all_get_its_record),
		cmocka_unit_test(another_content_is_a_conflict),
		cmocka_unit_test(a_dead_runner_is_reported),
		cmocka_unit_test(a_dead_runner_is_replaced),
		cmocka_unit_test(a_runner_that_is_cut_off_stops_before_another_runs),
		cmocka_unit_test(a_proof_counts_from_when_it_was_sent),
		cmocka_unit_test(losing_the_life_key_is_losing_the_claim),
		cmocka_unit_test(a_leaders_record_is_the_leaders_to_decide),
		cmocka_unit_test(what_had_failed_before_is_run_again_if_wanted),
		cmocka_unit_test(one_that_waited_takes_the_failure_for_its_result),
		cmocka_unit_test(what_was_never_proven_is_never_started),
		cmocka_unit_test(nobody_answers),
		cmocka_unit_test(a_foreign_value_is_an_error),
		cmocka_unit_test(bad_configurations_are_refused),
		cmocka_unit_test(two_never_run_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
