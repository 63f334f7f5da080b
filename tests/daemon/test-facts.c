/* What the agent tells the world: metrics, JSON, health, as texts that others must be able to read. */
#include "tests/unit/unit.h"

#include "daemon/facts.h"
#include "daemon/json-out.h"
#include "daemon/listen.h"

#include <sys/un.h>
#include <time.h>

enum { FEW = 250 };

struct rig {
	struct config config;
	struct config_job jobs[2];
	struct facts facts;
	struct facts_group *group;
	struct buf out;
};

static void setup(struct rig *r)
{
	static char backup[] = "backup", worker[] = "worker", none[] = "", every[] = "@every 90s",
		    utc[] = "UTC", foreign[] = "</script><b>\"\\\n", node[] = "n1",
		    key[] = "/lead\"er\\\n", prefix[] = "/onced", group[] = "default";

	memset(r, 0, sizeof(*r));
	r->jobs[0] = (struct config_job){.name = backup,
		.type = CONFIG_JOB_CRON,
		.description = foreign,
		.schedule = every,
		.time_zone = utc,
		.output_tail = 4096};
	r->jobs[1] = (struct config_job){
		.name = worker, .type = CONFIG_JOB_SERVICE, .description = none};
	r->config = (struct config){.node = node,
		.key = key,
		.prefix = prefix,
		.group = group,
		.jobs = r->jobs,
		.n_jobs = 2};
	assert_int_equal(once_timing_profile(&r->config.timing, "normal"), 0);
	assert_int_equal(facts_init(&r->facts, &r->config), 0);
	r->group = facts_group(&r->facts, "default");
	assert_non_null(r->group);
	buf_init(&r->out, 16 << 20);
}

static void teardown(struct rig *r)
{
	buf_fini(&r->out);
	facts_fini(&r->facts);
}

static struct once_instant at(double seconds)
{
	int64_t ns = (int64_t)(seconds * 1e9);

	return (struct once_instant){1 + ns, 1 + ns};
}

static void lead(struct rig *r, double proved)
{
	facts_state(&r->facts, r->group, ONCE_ELECTOR_LEADING, "n1", 7, 7);
	facts_proof(&r->facts, r->group, 7, at(proved), at(proved + 0.0015));
}

static const char *metrics(struct rig *r, bool classic, double now)
{
	buf_reset(&r->out);
	facts_metrics(&r->facts, &r->out, classic, at(now));
	assert_int_equal(buf_error(&r->out), 0);
	return buf_text(&r->out);
}

static void assert_line(const char *text, const char *line)
{
	char wanted[256];

	(void)snprintf(wanted, sizeof(wanted), "\n%s\n", line);
	if (!strstr(text, wanted))
		fail_msg("no line %s in\n%s", line, text);
}

/* ---- metrics ---- */

static void test_metrics_of_a_leader(void **state)
{
	struct rig r;
	const char *text;

	setup(&r);
	lead(&r, 10);
	facts_lead(&r.facts, r.group);
	text = metrics(&r, false, 12);
	assert_line(text, "onced_leader{group=\"default\"} 1");
	assert_line(text, "onced_state{group=\"default\",onced_state=\"leading\"} 1");
	assert_line(text, "onced_state{group=\"default\",onced_state=\"following\"} 0");
	assert_line(text, "onced_token{group=\"default\"} 7");
	assert_line(text, "onced_deadline_seconds{group=\"default\"} 4.0");
	assert_line(text, "onced_leader_changes_total{group=\"default\"} 1");
	assert_line(text, "onced_terms_total{group=\"default\"} 1");
	assert_line(text, "onced_beat_round_trip_seconds_bucket{le=\"0.001\"} 0");
	assert_line(text, "onced_beat_round_trip_seconds_bucket{le=\"0.002\"} 1");
	assert_line(text, "onced_beat_round_trip_seconds_bucket{le=\"10.0\"} 1");
	assert_line(text, "onced_beat_round_trip_seconds_bucket{le=\"+Inf\"} 1");
	assert_line(text, "onced_beat_round_trip_seconds_sum 0.0015");
	/* the proof is worth six seconds, and not one nanosecond more */
	text = metrics(&r, false, 16);
	assert_line(text, "onced_leader{group=\"default\"} 0");
	assert_line(text, "onced_deadline_seconds{group=\"default\"} 0.0");
	teardown(&r);
}

static void test_metrics_escape_labels(void **state)
{
	struct rig r;

	setup(&r);
	assert_line(metrics(&r, false, 1), "onced_node_info{node=\"n1\",key=\"/"
					   "lead\\\"er\\\\\\n\",prefix=\"/onced\",profile=\"\"} 1");
	teardown(&r);
}

static void test_metrics_in_both_forms(void **state)
{
	struct rig r;
	const char *text;

	setup(&r);
	text = metrics(&r, false, 1);
	assert_int_equal(memcmp(text, "# HELP ", 7), 0);
	assert_string_equal(text + strlen(text) - 6, "# EOF\n");
	assert_line(text, "# TYPE onced_leader_changes counter");
	assert_line(text, "# TYPE onced_state stateset");
	assert_line(text, "# UNIT onced_deadline_seconds seconds");
	text = metrics(&r, true, 1);
	assert_null(strstr(text, "# EOF"));
	assert_null(strstr(text, "# UNIT"));
	assert_null(strstr(text, "stateset"));
	assert_line(text, "# TYPE onced_leader_changes_total counter");
	assert_line(text, "# TYPE onced_build_info gauge");
	teardown(&r);
}

static void test_metrics_of_runs(void **state)
{
	struct rig r;
	struct once_run run = {.state = ONCE_RUN_BEGUN, .scheduled_ms = 60000, .start_ms = 60000};
	const char *text;

	setup(&r);
	facts_run(&r.facts, "backup", NULL, &run);
	assert_line(metrics(&r, false, 1), "onced_job_running{job_name=\"backup\"} 1");
	run.state = ONCE_RUN_OK;
	run.end_ms = 62500;
	facts_run(&r.facts, "backup", NULL, &run);
	run = (struct once_run){
		.state = ONCE_RUN_SKIPPED, .scheduled_ms = 120000, .count = 3, .reason = "overlap"};
	facts_run(&r.facts, "backup", NULL, &run);
	facts_run(&r.facts, "nobody", NULL, &run);
	text = metrics(&r, false, 1);
	assert_line(text, "onced_job_running{job_name=\"backup\"} 0");
	assert_line(text, "onced_job_runs_total{job_name=\"backup\",state=\"ok\"} 1");
	assert_line(text, "onced_job_skipped_total{job_name=\"backup\",reason=\"overlap\"} 3");
	assert_line(text, "onced_job_last_success_timestamp_seconds{job_name=\"backup\"} 62.5");
	assert_line(text, "onced_job_duration_seconds_bucket{job_name=\"backup\",le=\"1.0\"} 0");
	assert_line(text, "onced_job_duration_seconds_bucket{job_name=\"backup\",le=\"5.0\"} 1");
	assert_line(text, "onced_job_duration_seconds_count{job_name=\"backup\"} 1");
	assert_int_equal(facts_job(&r.facts, "backup")->n_runs, 2);
	teardown(&r);
}

static void test_a_skip_beside_a_run_leaves_it_running(void **state)
{
	struct rig r;
	struct once_run run = {.state = ONCE_RUN_BEGUN, .scheduled_ms = 60000, .start_ms = 60000};
	struct once_run skip = {.state = ONCE_RUN_SKIPPED, .scheduled_ms = 120000, .reason = "overlap"};
	struct facts_job *job;

	setup(&r);
	facts_run(&r.facts, "backup", NULL, &run);
	facts_run(&r.facts, "backup", NULL, &skip);
	job = facts_job(&r.facts, "backup");
	assert_true(job->running);
	run.state = ONCE_RUN_OK;
	run.end_ms = 130000;
	facts_run(&r.facts, "backup", NULL, &run);
	assert_false(job->running);
	assert_int_equal(job->n_runs, 2);
	assert_int_equal(job->runs[0].state, ONCE_RUN_SKIPPED);
	assert_int_equal(job->runs[1].state, ONCE_RUN_OK);
	teardown(&r);
}

static void test_a_service_ends_with_the_time_it_began(void **state)
{
	struct rig r;
	struct once_run run = {.state = ONCE_RUN_BEGUN, .start_ms = 1000};

	setup(&r);
	facts_run(&r.facts, "worker", NULL, &run);
	run = (struct once_run){.state = ONCE_RUN_INTERRUPTED, .end_ms = 4000};
	facts_run(&r.facts, "worker", NULL, &run);
	assert_int_equal(facts_job(&r.facts, "worker")->n_runs, 1);
	assert_int_equal(facts_job(&r.facts, "worker")->runs[0].start_ms, 1000);
	assert_line(
		metrics(&r, false, 1), "onced_job_duration_seconds_sum{job_name=\"worker\"} 3.0");
	teardown(&r);
}

/* ---- groups ---- */

static void add_groups(struct rig *r, size_t n)
{
	char name[32];

	for (size_t i = r->facts.n_groups; i <= n; i++) {
		(void)snprintf(name, sizeof(name), "group-%05zu", (i * 7919) % 100000);
		assert_non_null(facts_group_add(&r->facts, name));
	}
}

static void test_groups_are_in_order(void **state)
{
	struct rig r;
	struct facts_group *b, *c;

	setup(&r);
	c = facts_group_add(&r.facts, "c");
	b = facts_group_add(&r.facts, "b");
	assert_non_null(facts_group_add(&r.facts, "zz"));
	assert_non_null(facts_group(&r.facts, "zz"));
	assert_ptr_equal(facts_group_add(&r.facts, "b"), b);
	assert_ptr_equal(facts_group_add(&r.facts, "default"), r.group);
	assert_int_equal(r.facts.n_groups, 4);
	assert_ptr_equal(r.facts.groups[0], r.group);
	assert_ptr_equal(r.facts.groups[1], b);
	assert_ptr_equal(r.facts.groups[2], c);
	facts_group_gone(&r.facts, c);
	facts_group_gone(&r.facts, r.group); /* stays */
	assert_null(facts_group(&r.facts, "c"));
	assert_ptr_equal(facts_group(&r.facts, "b"), b);
	assert_ptr_equal(facts_group(&r.facts, "default"), r.group);
	assert_null(facts_group(&r.facts, ""));
	add_groups(&r, 300);
	for (size_t i = 2; i < r.facts.n_groups; i++) {
		assert_true(strcmp(r.facts.groups[i - 1]->name, r.facts.groups[i]->name) < 0);
		assert_ptr_equal(facts_group(&r.facts, r.facts.groups[i]->name), r.facts.groups[i]);
	}
	teardown(&r);
}

static void test_metrics_of_groups(void **state)
{
	struct rig r;
	struct facts_group *reports, *mail;
	const char *text;

	setup(&r);
	lead(&r, 10);
	reports = facts_group_add(&r.facts, "reports");
	mail = facts_group_add(&r.facts, "mail");
	facts_state(&r.facts, reports, ONCE_ELECTOR_FOLLOWING, "n1", 0, 9);
	assert_int_equal(reports->changed_ms, 0);
	facts_proof(&r.facts, reports, 9, at(10), at(10.002)); /* the beat that proved default */
	assert_true(reports->changed_ms > 0); /* before its state tells */
	facts_state(&r.facts, reports, ONCE_ELECTOR_LEADING, "n1", 9, 9);
	facts_state(&r.facts, mail, ONCE_ELECTOR_FOLLOWING, "n2", 0, 5);
	facts_seen(&r.facts, mail, 6, at(10));
	facts_fenced(&r.facts, reports);
	text = metrics(&r, false, 12);
	assert_line(text, "onced_leader{group=\"default\"} 1");
	assert_line(text, "onced_leader{group=\"reports\"} 1");
	assert_line(text, "onced_leader{group=\"mail\"} 0");
	assert_line(text, "onced_state{group=\"mail\",onced_state=\"following\"} 1");
	assert_line(text, "onced_token{group=\"reports\"} 9");
	assert_line(text, "onced_leader_token{group=\"mail\"} 6");
	assert_line(text, "onced_deadline_seconds{group=\"reports\"} 4.0");
	assert_line(text, "onced_deadline_seconds{group=\"mail\"} 0.0");
	assert_line(text, "onced_leader_changes_total{group=\"mail\"} 2");
	assert_line(text, "onced_fence_kills_total{group=\"reports\"} 1");
	assert_line(text, "onced_fence_kills_total{group=\"default\"} 0");
	assert_line(text, "onced_beat_round_trip_seconds_count 1");
	teardown(&r);
}

static void test_status_of_groups(void **state)
{
	struct rig r;
	struct facts_group *mail;

	setup(&r);
	mail = facts_group_add(&r.facts, "mail");
	facts_state(&r.facts, mail, ONCE_ELECTOR_FOLLOWING, "n2", 0, 5);
	assert_int_equal(mail->changed_ms, 0); /* n2 has led before this node looked */
	facts_status(&r.facts, &r.out, at(11));
	assert_non_null(strstr(buf_text(&r.out),
		"{\"group\":\"mail\",\"leader\":\"n2\",\"value\":\"n2\",\"token\":5,\"since\":null,"
		"\"changed\":null,\"state\":\"following\",\"proof_age_seconds\":null,"
		"\"deadline_seconds\":null,\"remark\":null,\"terms\":[]}"));
	facts_state(&r.facts, mail, ONCE_ELECTOR_FOLLOWING, "", 0, 0);
	assert_true(mail->changed_ms > 0);
	assert_int_equal(mail->changes, 1);
	teardown(&r);
}

/* Of several tries the shortest, in processor time: what others do on this machine is left out. */
static double per_group_us(struct rig *r, bool as_metrics, size_t n)
{
	double best = 1e9, us;

	add_groups(r, n);
	for (int i = 0; i < 9; i++) {
		struct timespec a, b;

		buf_reset(&r->out);
		(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &a);
		if (as_metrics)
			facts_metrics(&r->facts, &r->out, false, at(1));
		else
			facts_status(&r->facts, &r->out, at(1));
		(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &b);
		assert_int_equal(buf_error(&r->out), 0);
		us = (double)(b.tv_sec - a.tv_sec) * 1e6 + (double)(b.tv_nsec - a.tv_nsec) / 1e3;
		best = us < best ? us : best;
	}
	return best / (double)n;
}

/* Sixteen times as many cost sixteen times as much, not 256 times. */
static void test_a_group_costs_as_much_among_many(void **state)
{
	for (int as_metrics = 0; as_metrics < 2; as_metrics++) {
		struct rig r;
		double few, many;

		setup(&r);
		few = per_group_us(&r, as_metrics, FEW);
		many = per_group_us(&r, as_metrics, FEW * 16);
		print_message("%s: %.2f us a group of %d, %.2f us of %d (%zu bytes)\n",
			as_metrics ? "metrics" : "status", few, FEW, many, FEW * 16, r.out.size);
		assert_true(many < few * 5);
		teardown(&r);
	}
}

/* ---- a reload ---- */

static void test_a_reload_keeps_what_was_counted(void **state)
{
	struct rig r;
	struct once_run run = {
		.state = ONCE_RUN_FAILED, .scheduled_ms = 60000, .start_ms = 1, .end_ms = 2};

	setup(&r);
	facts_run(&r.facts, "backup", NULL, &run);
	r.config.n_jobs = 1;
	assert_int_equal(facts_reload(&r.facts, &r.config), 0);
	assert_int_equal(facts_job(&r.facts, "backup")->ended[ONCE_RUN_FAILED], 1);
	assert_null(facts_job(&r.facts, "worker"));
	teardown(&r);
}

/* ---- JSON ---- */

static void test_json_is_safe_anywhere(void **state)
{
	struct buf out;

	buf_init(&out, 4096);
	jout_open(&out, NULL, '{');
	jout_text(&out, "a", "</script>&\"\\\n\x7f");
	jout_text(&out, "b", "\xff\xc3\xa9");
	jout_text(&out, "c", "\xc3\xa9");
	jout_text(&out, "d", NULL);
	jout_open(&out, "e", '[');
	jout_i64(&out, NULL, -1);
	jout_bool(&out, NULL, true);
	jout_close(&out, ']');
	jout_seconds(&out, "f", 1500000000);
	jout_moment(&out, "g", 0);
	jout_close(&out, '}');
	assert_string_equal(buf_text(&out),
		"{\"a\":\"\\u003c/"
		"script\\u003e\\u0026\\\"\\\\\\u000a\\u007f\",\"b\":\"\\\\xff\xc3\xa9\","
		"\"c\":\"\xc3\xa9\",\"d\":null,\"e\":[-1,true],\"f\":1.500,\"g\":null}");
	buf_fini(&out);
}

static void test_status_tells_terms_and_runs(void **state)
{
	struct rig r;

	setup(&r);
	lead(&r, 10);
	r.group->n_terms = 2;
	r.group->changed_ms = 2500;
	r.group->terms[0] = (struct facts_term){.token = 7, .node = "n1", .since_ms = 2000};
	r.group->terms[1] = (struct facts_term){.token = 3,
		.node = "<n0>",
		.since_ms = 1000,
		.until_ms = 2000,
		.end = "silent",
		.ended_by = "n1",
		.over = true};
	facts_status(&r.facts, &r.out, at(11));
	assert_int_equal(buf_error(&r.out), 0);
	assert_non_null(
		strstr(buf_text(&r.out), "\"leader\":\"n1\",\"value\":\"n1\",\"token\":7,\"since\":"
					 "\"1970-01-01T00:00:02Z\",\"changed\":"
					 "\"1970-01-01T00:00:02.500Z\",\"state\":\"leading\","
					 "\"proof_age_seconds\":1.000,\"deadline_seconds\":5.000"));
	assert_non_null(strstr(buf_text(&r.out),
		"{\"token\":3,\"node\":\"\\u003cn0\\u003e\",\"since\":\"1970-01-01T00:00:01Z\","
		"\"leads\":false,"
		"\"until\":\"1970-01-01T00:00:02Z\",\"end\":\"silent\",\"ended_by\":\"n1\"}"));
	assert_null(strchr(buf_text(&r.out), '<'));
	teardown(&r);
}

/* ---- the log ---- */

static void test_lines_are_the_latest_ones(void **state)
{
	struct rig r;
	char text[32];

	setup(&r);
	for (int i = 1; i <= FACTS_LINES_MAX + 5; i++) {
		(void)snprintf(text, sizeof(text), "line %d", i);
		facts_line(&r.facts, ONCE_LOG_INFO, "event", text);
	}
	assert_int_equal(facts_line_at(&r.facts, 0)->number, 6);
	assert_string_equal(facts_line_at(&r.facts, FACTS_LINES_MAX - 1)->text, "line 205");
	assert_null(facts_line_at(&r.facts, FACTS_LINES_MAX));
	teardown(&r);
}

/* ---- health ---- */

static int health(struct rig *r, const char *path, double now)
{
	buf_reset(&r->out);
	return facts_health(&r->facts, path, r->group, at(now), &r->out);
}

static void test_health_of_a_leader_follows_its_deadline(void **state)
{
	struct rig r;

	setup(&r);
	r.facts.turned = at(10);
	lead(&r, 10);
	assert_int_equal(health(&r, "/leader", 15.9), 200);
	assert_int_equal(health(&r, "/readiness", 15.9), 200);
	assert_int_equal(health(&r, "/follower", 15.9), 503);
	assert_int_equal(health(&r, "/health", 15.9), 200);
	assert_int_equal(health(&r, "/leader", 16), 503);
	assert_int_equal(health(&r, "/readiness", 16), 503);
	assert_int_equal(health(&r, "/liveness", 19.9), 200); /* LeaseTTL= is 10 s */
	assert_int_equal(health(&r, "/liveness", 20.1), 503);
	assert_int_equal(health(&r, "/other", 11), 0);
	teardown(&r);
}

static void test_health_of_one_who_may_not_run_jobs(void **state)
{
	static const enum once_elector_state states[] = {ONCE_ELECTOR_FOLLOWING,
		ONCE_ELECTOR_WAITING, ONCE_ELECTOR_STOPPING, ONCE_ELECTOR_STOPPED};
	struct rig r;

	setup(&r);
	for (size_t i = 0; i < LENGTH(states); i++) {
		lead(&r, 10);
		facts_state(&r.facts, r.group, states[i], "n1", 7, 7);
		assert_int_equal(health(&r, "/leader", 11), 503);
	}
	teardown(&r);
}

static void test_health_of_a_follower(void **state)
{
	struct rig r;

	setup(&r);
	assert_int_equal(health(&r, "/readiness", 1), 503); /* it has heard of nobody yet */
	r.facts.etcd_heard = true;
	facts_state(&r.facts, r.group, ONCE_ELECTOR_FOLLOWING, "n2", 0, 9);
	assert_int_equal(health(&r, "/follower", 1), 200);
	assert_int_equal(health(&r, "/readiness", 1), 200);
	facts_event(&r.facts, "etcd-silent");
	assert_int_equal(health(&r, "/follower", 1), 200);
	assert_int_equal(health(&r, "/readiness", 1), 503);
	facts_event(&r.facts, "etcd-answers");
	assert_int_equal(health(&r, "/readiness", 1), 200);
	r.facts.ending = true;
	assert_int_equal(health(&r, "/readiness", 1), 503);
	assert_int_equal(health(&r, "/health", 1), 503);
	teardown(&r);
}

/* ---- another history of etcd ---- */

static const char *status(struct rig *r, double now)
{
	buf_reset(&r->out);
	facts_status(&r->facts, &r->out, at(now));
	assert_int_equal(buf_error(&r->out), 0);
	return buf_text(&r->out);
}

static void test_an_alarm_of_another_history_is_shown_until_it_is_over(void **state)
{
	static const struct once_lineage knew = {0x8e9e05c52164694d, 70};
	struct rig r;
	uint64_t version;
	const char *text;

	setup(&r);
	r.facts.etcd_heard = true;
	facts_state(&r.facts, r.group, ONCE_ELECTOR_FOLLOWING, "n2", 0, 9);
	assert_line(metrics(&r, false, 1), "onced_history_alarm 0");
	assert_non_null(strstr(status(&r, 1), "\"alarms\":[],"));
	version = r.facts.version;

	facts_alarm(&r.facts, &knew);
	assert_true(r.facts.version > version);
	text = metrics(&r, false, 1);
	assert_line(text, "onced_history_alarm 1");
	assert_line(text, "onced_leader_token{group=\"default\"} 0");
	text = status(&r, 1);
	assert_non_null(strstr(text, "\"alarms\":[{\"node\":\"n1\",\"cluster\":\"8e9e05c52164694d\",\"revision\":70,"
				     "\"since\":\"20"));
	assert_non_null(strstr(text, "\"leader\":null,\"value\":null,\"token\":0,"));
	assert_non_null(strstr(text, "\"remark\":\"etcd is of another history\""));
	/* it is not about to take over from anybody */
	assert_int_equal(health(&r, "/readiness", 1), 503);
	assert_int_equal(health(&r, "/health", 1), 200);
	assert_int_equal(health(&r, "/liveness", 1), 200);

	facts_alarm(&r.facts, NULL);
	assert_line(metrics(&r, false, 1), "onced_history_alarm 0");
	text = status(&r, 1);
	assert_non_null(strstr(text, "\"alarms\":[],"));
	assert_non_null(strstr(text, "\"leader\":\"n2\",\"value\":\"n2\",\"token\":9,"));
	assert_int_equal(health(&r, "/readiness", 1), 200);
	teardown(&r);
}

/* Its jobs are being stopped, its term is what there is to be told. */
static void test_a_leader_with_an_alarm_shows_its_own_term_to_the_end(void **state)
{
	static const struct once_lineage knew = {7, 70};
	struct rig r;

	setup(&r);
	lead(&r, 10);
	facts_alarm(&r.facts, &knew);
	facts_state(&r.facts, r.group, ONCE_ELECTOR_STOPPING, "n1", 7, 7);
	assert_non_null(strstr(status(&r, 11), "\"leader\":\"n1\",\"value\":\"n1\",\"token\":7,"));
	facts_state(&r.facts, r.group, ONCE_ELECTOR_FOLLOWING, "n1", 0, 7);
	assert_non_null(strstr(status(&r, 11), "\"leader\":null,\"value\":null,\"token\":0,"));
	teardown(&r);
}

/* ---- addresses ---- */

static void test_addresses(void **state)
{
	static const struct {
		const char *text;
		int r;
		bool local;
	} cases[] = {
		{"127.0.0.1:7780", 0, true},
		{"127.9.9.9:0", 0, true},
		{"localhost:80", 0, true},
		{"[::1]:80", 0, true},
		{"/run/onced/http.sock", 0, true},
		{"0.0.0.0:80", 0, false},
		{"10.0.0.1:80", 0, false},
		{"[::]:80", 0, false},
		{"[::ffff:127.0.0.1]:80", 0, false},
		{"127.0.0.1", -EINVAL, false},
		{"127.0.0.1:", -EINVAL, false},
		{"127.0.0.1:65536", -EINVAL, false},
		{"127.0.0.1:-1", -EINVAL, false},
		{":80", -EINVAL, false},
		{"host:80", -EINVAL, false},
		{"::1:80", -EINVAL, false},
		{"[::1", -EINVAL, false},
		{"[]:80", -EINVAL, false},
		{"1.2.3:80", -EINVAL, false},
		{"", -EINVAL, false},
	};
	struct listen_address address;
	char why[256], path[200];

	for (size_t i = 0; i < LENGTH(cases); i++) {
		check_case(cases[i].text,
			listen_parse(&address, cases[i].text, why, sizeof(why)) == cases[i].r);
		if (cases[i].r == 0)
			check_case(cases[i].text, address.local == cases[i].local);
	}
	memset(path, 'a', sizeof(path));
	path[0] = '/';
	path[sizeof(((struct sockaddr_un *)0)->sun_path)] = '\0';
	assert_int_equal(listen_parse(&address, path, why, sizeof(why)), -EINVAL);
	path[sizeof(((struct sockaddr_un *)0)->sun_path) - 1] = '\0';
	assert_int_equal(listen_parse(&address, path, why, sizeof(why)), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_metrics_of_a_leader),
		cmocka_unit_test(test_metrics_escape_labels),
		cmocka_unit_test(test_metrics_in_both_forms),
		cmocka_unit_test(test_metrics_of_runs),
		cmocka_unit_test(test_a_skip_beside_a_run_leaves_it_running),
		cmocka_unit_test(test_a_service_ends_with_the_time_it_began),
		cmocka_unit_test(test_groups_are_in_order),
		cmocka_unit_test(test_metrics_of_groups),
		cmocka_unit_test(test_status_of_groups),
		cmocka_unit_test(test_a_group_costs_as_much_among_many),
		cmocka_unit_test(test_a_reload_keeps_what_was_counted),
		cmocka_unit_test(test_json_is_safe_anywhere),
		cmocka_unit_test(test_status_tells_terms_and_runs),
		cmocka_unit_test(test_lines_are_the_latest_ones),
		cmocka_unit_test(test_health_of_a_leader_follows_its_deadline),
		cmocka_unit_test(test_health_of_one_who_may_not_run_jobs),
		cmocka_unit_test(test_health_of_a_follower),
		cmocka_unit_test(test_an_alarm_of_another_history_is_shown_until_it_is_over),
		cmocka_unit_test(test_a_leader_with_an_alarm_shows_its_own_term_to_the_end),
		cmocka_unit_test(test_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
