/* Jobs with a schedule, in virtual time: each instant is decided once, by the rules of its keys. */
#include "tests/daemon/stage.h"

#include "daemon/log.h"

#define PAUSE "/onced/job/j/pause"

#define S(seconds) ((int64_t)((seconds)*1000) * STAGE_MS)

/* Leads from the beginning, for so long. */
static void lead_for(struct stage *s, double seconds)
{
	stage_start(s);
	stage_lead(s);
	stage_run(s, S(seconds));
}

static void every_instant_runs(void **state)
{
	struct stage s;

	(void)stage_init(&s);
	lead_for(&s, 45);
	assert_string_equal(stage_records(&s), "10 ok, 20 ok, 30 ok, 40 ok");
	assert_string_equal(s.launches, "10.00, 20.00, 30.00, 40.00");
	stage_fini(&s);
}

/* ---- overlap --------------------------------------------------------------------------------- */

static void overlap(enum policy_overlap how, const char *records, const char *launches)
{
	struct stage s;

	stage_init(&s)->overlap = how;
	s.takes_ns = S(25);
	lead_for(&s, 75);
	assert_string_equal(stage_records(&s), records);
	assert_string_equal(s.launches, launches);
	stage_fini(&s);
}

static void overlap_skip(void **state)
{
	overlap(POLICY_OVERLAP_SKIP,
		"10 ok, 20 skipped overlap, 30 skipped overlap, 40 ok, 50 skipped overlap, "
		"60 skipped overlap, 70 begun",
		"10.00, 40.00, 70.00");
}

/* The latest waits; those before it are passed over. */
static void overlap_queue(void **state)
{
	overlap(POLICY_OVERLAP_QUEUE,
		"10 ok, 20 skipped overlap, 30 ok, 40 skipped overlap, 50 skipped overlap, 60 "
		"begun",
		"10.00, 35.01, 60.02");
}

static void overlap_replace(void **state)
{
	overlap(POLICY_OVERLAP_REPLACE,
		"10 interrupted replaced, 20 interrupted replaced, 30 interrupted replaced, "
		"40 interrupted replaced, 50 interrupted replaced, 60 interrupted replaced, 70 "
		"begun",
		"10.00, 20.01, 30.01, 40.01, 50.01, 60.01, 70.01");
}

/* ---- missed ---------------------------------------------------------------------------------- */

/* Nobody leads from 15 to 52. */
static void missed(enum policy_missed how, int64_t deadline_ns, const char *records)
{
	struct stage s;
	struct config_job *job = stage_init(&s);

	job->missed = how;
	job->starting_deadline_ns = deadline_ns;
	lead_for(&s, 15);
	stage_lose(&s);
	stage_run(&s, S(52) - (s.loop.now_ns - STAGE_S));
	stage_lead(&s);
	stage_run(&s, S(13));
	assert_string_equal(stage_records(&s), records);
	stage_fini(&s);
}

static void missed_latest(void **state)
{
	missed(POLICY_MISSED_LATEST, 0,
		"10 ok, 20 skipped missed, 30 skipped missed, 40 skipped missed, 50 ok, 60 ok");
}

static void missed_skip(void **state)
{
	missed(POLICY_MISSED_SKIP, 0,
		"10 ok, 20 skipped missed, 30 skipped missed, 40 skipped missed, 50 skipped "
		"missed, "
		"60 ok");
}

static void missed_all(void **state)
{
	missed(POLICY_MISSED_ALL, 0, "10 ok, 20 ok, 30 ok, 40 ok, 50 ok, 60 ok");
}

static void starting_deadline(void **state)
{
	missed(POLICY_MISSED_LATEST, S(1),
		"10 ok, 20 skipped deadline, 30 skipped deadline, 40 skipped deadline, "
		"50 skipped deadline, 60 ok");
	missed(POLICY_MISSED_ALL, S(15),
		"10 ok, 20 skipped deadline, 30 skipped deadline, 40 ok, 50 ok, 60 ok");
}

/* A night without a leader costs a hundred records, not thousands, and no instant is without one. */
static void a_long_outage_is_one_record(void **state)
{
	struct stage s;

	(void)stage_init(&s);
	lead_for(&s, 15);
	stage_lose(&s);
	s.loop.now_ns = STAGE_S + S(20005);
	stage_lead(&s);
	stage_run(&s, S(6));
	assert_int_equal(
		strncmp(stage_records(&s), "10 ok, 20..19000 skipped missed, 19010 skipped", 46),
		0);
	assert_non_null(strstr(s.records, "19990 skipped missed, 20000 ok, 20010 begun"));
	stage_fini(&s);
}

/* ---- attempts -------------------------------------------------------------------------------- */

static void retries_wait_longer_each_time(void **state)
{
	struct stage s;
	struct config_job *job = stage_init(&s);

	job->retry.retries = 3;
	job->retry.delay_ns = S(0.5);
	s.takes_ns = S(0.1);
	s.status = STAGE_EXIT_1;
	lead_for(&s, 19);
	assert_string_equal(stage_records(&s), "10 failed/4");
	assert_string_equal(s.launches, "10.00, 10.61/2, 11.72/3, 13.83/4");
	stage_fini(&s);
}

static void reload_same(struct stage *s, int64_t delay_ns, int64_t history)
{
	struct config fresh = {.jobs = calloc(1, sizeof(*fresh.jobs)), .n_jobs = 1};

	stage_define(fresh.jobs);
	fresh.jobs->retry.retries = 3;
	fresh.jobs->retry.delay_ns = delay_ns;
	fresh.jobs->history_ok = history;
	assert_int_equal(jobs_reload(&s->jobs, &fresh), 0);
	config_free(&fresh);
}

/* A run goes on over a reload with all that it points to. ASan looks whether that is still there. */
static void a_reload_leaves_a_run_what_it_has(void **state)
{
	struct stage s;
	struct config_job *job = stage_init(&s);

	job->retry.retries = 3;
	job->retry.delay_ns = S(0.5);
	s.takes_ns = S(0.1);
	s.status = STAGE_EXIT_1;
	lead_for(&s, 10.05);
	reload_same(&s, S(0.5), 1000);
	stage_run(&s, S(1)); /* between the second attempt and the third */
	reload_same(&s, S(0.5), 7);
	reload_same(&s, S(0.5), 1000);
	stage_run(&s, S(7.95));
	assert_string_equal(stage_records(&s), "10 failed/4");
	assert_string_equal(s.launches, "10.00, 10.61/2, 11.72/3, 13.83/4");
	s.status = 0;
	reload_same(&s, S(0.5), 7); /* nothing runs: it begins anew, and decides nothing twice */
	reload_same(&s, S(0.5), 7);
	stage_run(&s, S(5));
	assert_string_equal(stage_records(&s), "10 failed/4, 20 ok");
	stage_fini(&s);
}

static void an_attempt_that_waits_goes_on_in_the_next_term(void **state)
{
	struct stage s;
	struct config_job *job = stage_init(&s);

	job->retry.retries = 1;
	job->retry.delay_ns = S(3600);
	s.status_first = STAGE_EXIT_1;
	lead_for(&s, 15);
	assert_string_equal(stage_records(&s), "10 begun/2");
	stage_crash(&s);
	stage_lead(&s);
	stage_run(&s, S(3));
	assert_string_equal(stage_records(&s), "10 ok/2");
	stage_fini(&s);
}

static void a_timeout_ends_an_attempt(void **state)
{
	struct stage s;
	struct config_job *job = stage_init(&s);

	job->timeout_ns = S(2);
	s.takes_ns = S(1000);
	lead_for(&s, 25);
	assert_string_equal(stage_records(&s), "10 timeout time, 20 timeout time");
	stage_fini(&s);
}

static void failures_in_a_row_pause_the_job(void **state)
{
	struct stage s;
	struct config_job *job = stage_init(&s);
	char *pause;

	job->pause_on_failure = 2;
	s.status = STAGE_EXIT_1;
	lead_for(&s, 45);
	assert_string_equal(
		stage_records(&s), "10 failed, 20 failed, 30 skipped paused, 40 skipped paused");
	pause = fake_etcd_value(s.etcd, PAUSE);
	assert_non_null(strstr(pause, "2 failures in a row"));
	free(pause);
	s.status = 0;
	fake_etcd_delete(s.etcd, PAUSE);
	stage_run(&s, S(10));
	assert_non_null(strstr(stage_records(&s), "40 skipped paused, 50 ok"));
	stage_fini(&s);
}

/* ---- what an earlier term left ------------------------------------------------------------------ */

static void cut_off(enum policy_interrupt how, const char *records, const char *launches)
{
	struct stage s;

	stage_init(&s)->on_interrupt = how;
	s.takes_ns = S(6);
	lead_for(&s, 12);
	assert_string_equal(stage_records(&s), "10 begun");
	stage_crash(&s);
	stage_lead(&s);
	stage_run(&s, S(7));
	assert_string_equal(stage_records(&s), records);
	assert_string_equal(s.launches, launches);
	stage_fini(&s);
}

static void a_run_without_end_is_decided(void **state)
{
	cut_off(POLICY_INTERRUPT_SKIP, "10 interrupted no-end", "10.00");
	cut_off(POLICY_INTERRUPT_RERUN, "10 ok/2", "10.00, 12.01/2");
	cut_off(POLICY_INTERRUPT_HOLD, "10 lost hold", "10.00");
}

static void probe_with(struct config_job *job)
{
	job->on_interrupt = POLICY_INTERRUPT_PROBE;
	job->probe = calloc(2, sizeof(char *));
	job->probe[0] = strdup("/bin/probe");
	job->n_probe = 1;
}

static void each_probe_is_told_its_own_run(void **state)
{
	struct stage s;

	(void)stage_init(&s);
	probe_with(stage_add(&s, "k"));
	probe_with(&s.config.jobs[0]);
	s.takes_ns = S(6);
	lead_for(&s, 12);
	stage_crash(&s);
	s.runs[0] = '\0';
	s.held = true; /* until both are due */
	stage_lead(&s);
	stage_run(&s, S(1));
	s.held = false;
	stage_run(&s, S(7));
	assert_string_equal(s.runs, "j/2026-11-22T18:30:10Z, k/2026-11-22T18:30:10Z");
	assert_string_equal(stage_records(&s), "10 ok probe");
	stage_fini(&s);
}

static void a_probe_that_hangs_has_not_answered(void **state)
{
	struct stage s;
	struct config_job *job = stage_init(&s);

	probe_with(job);
	job->probe_timeout_ns = S(3);
	s.takes_ns = S(6);
	lead_for(&s, 12);
	stage_crash(&s);
	s.takes_ns = S(3600);
	stage_lead(&s);
	stage_run(&s, S(2.5));
	assert_string_equal(stage_records(&s), "10 begun");
	stage_run(&s, S(1));
	assert_string_equal(stage_records(&s), "10 lost hold");
	assert_non_null(fake_etcd_get(s.etcd, PAUSE));
	stage_fini(&s);
}

/* An end that was ordered answers nothing, however long it took before. */
static void a_probe_cut_off_with_its_term_is_asked_again(void **state)
{
	struct stage s;
	struct config_job *job = stage_init(&s);

	probe_with(job);
	job->probe_timeout_ns = S(3);
	s.takes_ns = S(6);
	lead_for(&s, 12);
	stage_crash(&s);
	stage_lead(&s);
	stage_run(&s, S(2));
	stage_lose(&s);
	assert_string_equal(stage_records(&s), "10 begun");
	s.takes_ns = S(2);
	stage_lead(&s);
	stage_run(&s, S(2.5));
	assert_string_equal(stage_records(&s), "10 ok probe");
	stage_fini(&s);
}

/* ---- time ------------------------------------------------------------------------------------ */

static void jitter_is_stable(void **state)
{
	struct stage s;
	struct config_job *job = stage_init(&s);
	double first, second, third;

	job->jitter_ns = S(8);
	lead_for(&s, 39);
	assert_int_equal(sscanf(s.launches, "%lf, %lf, %lf", &first, &second, &third), 3);
	assert_true(first > 10 && first < 18);
	assert_true(second - first > 9.9 && second - first < 10.1 && third - second > 9.9);
	assert_int_equal(strncmp(stage_records(&s), "10 ok, 20 ok, 30 ok", 19), 0);
	stage_fini(&s);
}

static void a_clock_that_is_set_back_runs_nothing_twice(void **state)
{
	struct stage s;

	(void)stage_init(&s);
	lead_for(&s, 35);
	stage_set_back(S(20));
	stage_run(&s, S(40)); /* until 55 by that clock */
	assert_string_equal(stage_records(&s), "10 ok, 20 ok, 30 ok, 40 ok, 50 ok");
	assert_string_equal(s.launches, "10.00, 20.00, 30.00, 60.00, 70.00");
	stage_fini(&s);
}

/* ---- etcd ------------------------------------------------------------------------------------ */

static void nothing_starts_before_its_begin_is_acknowledged(void **state)
{
	struct stage s;

	(void)stage_init(&s);
	lead_for(&s, 9);
	s.fate = FATE_ANSWER_LOST;
	stage_run(&s, S(6));
	assert_string_equal(stage_records(&s), "10 begun");
	assert_string_equal(s.launches, "");
	s.fate = FATE_ANSWERED;
	stage_run(&s, S(4));
	assert_string_equal(stage_records(&s), "10 ok");
	assert_int_equal(strncmp(s.launches, "15.", 3), 0);
	stage_fini(&s);
}

static int quiet(void **state)
{
	log_set_level((enum once_log_level)0);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_instant_runs),
		cmocka_unit_test(overlap_skip),
		cmocka_unit_test(overlap_queue),
		cmocka_unit_test(overlap_replace),
		cmocka_unit_test(missed_latest),
		cmocka_unit_test(missed_skip),
		cmocka_unit_test(missed_all),
		cmocka_unit_test(starting_deadline),
		cmocka_unit_test(a_long_outage_is_one_record),
		cmocka_unit_test(retries_wait_longer_each_time),
		cmocka_unit_test(a_reload_leaves_a_run_what_it_has),
		cmocka_unit_test(an_attempt_that_waits_goes_on_in_the_next_term),
		cmocka_unit_test(a_timeout_ends_an_attempt),
		cmocka_unit_test(failures_in_a_row_pause_the_job),
		cmocka_unit_test(a_run_without_end_is_decided),
		cmocka_unit_test(each_probe_is_told_its_own_run),
		cmocka_unit_test(a_probe_that_hangs_has_not_answered),
		cmocka_unit_test(a_probe_cut_off_with_its_term_is_asked_again),
		cmocka_unit_test(jitter_is_stable),
		cmocka_unit_test(a_clock_that_is_set_back_runs_nothing_twice),
		cmocka_unit_test(nothing_starts_before_its_begin_is_acknowledged),
	};

	return cmocka_run_group_tests(tests, quiet, NULL);
}
