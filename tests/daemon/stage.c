/* See stage.h. */
#include "tests/daemon/stage.h"

#include "daemon/link-io.h"

#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define LEADER "/leader"
#define RUNS "/onced/run/j/"

static struct stage *present; /* whose time the time of day is */
static int64_t set_back_ns;

/* In place of the C library's, for all that asks for the time of day. */
int clock_gettime(clockid_t id, struct timespec *ret)
{
	int64_t ns;

	if (id != CLOCK_REALTIME || !present)
		return (int)syscall(SYS_clock_gettime, id, ret);
	ns = STAGE_BEGIN * STAGE_S + present->loop.now_ns - STAGE_S - set_back_ns;
	*ret = (struct timespec){ns / STAGE_S, ns % STAGE_S};
	return 0;
}

void stage_set_back(int64_t ns)
{
	set_back_ns += ns;
}

/* ---- the guardian ---------------------------------------------------------------------------- */

static union {
	uint32_t type;
	struct link_launch launch;
	struct link_stop stop;
	char bytes[LINK_PACKET_MAX];
} packet;

static void say(struct stage *s, const void *data, size_t size)
{
	assert_int_equal(link_send(s->fds[0], data, size), 0);
	while (fake_loop_poll(&s->loop))
		;
}

/* name: with its "=". */
static const char *of_packet(const char *name)
{
	const char *at = packet.launch.strings, *end = at + packet.launch.strings_size;

	for (; at < end; at += strlen(at) + 1)
		if (strncmp(at, name, strlen(name)) == 0)
			return at + strlen(name);
	return "";
}

static void launched(struct stage *s)
{
	struct link_started started = {.type = LINK_STARTED, .pid = 42, .run = packet.launch.run};
	int attempt = atoi(of_packet("ONCED_ATTEMPT="));
	size_t n = strlen(s->launches), i = 0;

	n += (size_t)snprintf(s->launches + n, STAGE_TEXT - n, "%s%.2f", n > 0 ? ", " : "",
		(double)(s->loop.now_ns - STAGE_S) / 1e9);
	if (attempt > 1)
		(void)snprintf(s->launches + n, STAGE_TEXT - n, "/%d", attempt);
	n = strlen(s->runs);
	(void)snprintf(
		s->runs + n, STAGE_TEXT - n, "%s%s", n > 0 ? ", " : "", of_packet("ONCED_RUN="));
	while (i < STAGE_LIVE && s->live[i].run)
		i++;
	assert_in_range(i, 0, STAGE_LIVE - 1);
	s->live[i].run = packet.launch.run;
	s->live[i].end_ns = s->loop.now_ns + s->takes_ns;
	s->live[i].status = attempt == 1 && s->status_first ? s->status_first : s->status;
	say(s, &started, sizeof(started));
}

static void ended(struct stage *s, size_t i, int status, bool told)
{
	struct link_ended end = {
		.type = LINK_ENDED, .status = status, .run = s->live[i].run, .told = told};
	struct link_empty empty = {.type = LINK_EMPTY, .run = s->live[i].run};

	s->live[i].run = 0;
	say(s, &end, sizeof(end));
	say(s, &empty, sizeof(empty));
}

/* What is told to stop does so at once. */
static void guard(struct stage *s)
{
	while (recv(s->fds[0], &packet, sizeof(packet), MSG_DONTWAIT) > 0) {
		if (packet.type == LINK_LAUNCH)
			launched(s);
		for (size_t i = 0; packet.type == LINK_STOP && i < STAGE_LIVE; i++)
			if (s->live[i].run &&
				(packet.stop.run == 0 || packet.stop.run == s->live[i].run))
				ended(s, i, 15, true);
	}
	for (size_t i = 0; i < STAGE_LIVE; i++)
		if (s->live[i].run && s->live[i].end_ns <= s->loop.now_ns)
			ended(s, i, s->live[i].status, false);
}

/* ---- the owner ------------------------------------------------------------------------------- */

static void on_code(void *userdata, int code)
{
}

static void on_stopped(void *userdata, int code, bool by_itself)
{
}

static void on_alarm(void *userdata, struct once_bytes key)
{
	((struct stage *)userdata)->alarms++;
}

static void on_all_stopped(void *userdata)
{
	((struct stage *)userdata)->all_stopped = true;
}

static int64_t may_launch(void *userdata)
{
	return ((struct stage *)userdata)->held ? 0 : STAGE_S;
}

static void on_packet(void *userdata, const void *data)
{
	struct stage *s = userdata;
	uint32_t type;

	assert_non_null(data);
	memcpy(&type, data, sizeof(type));
	jobs_packet(&s->jobs, data, type);
}

/* ---- life ------------------------------------------------------------------------------------ */

void stage_define(struct config_job *job)
{
	*job = (struct config_job){.name = strdup("j"),
		.type = CONFIG_JOB_CRON,
		.description = strdup(""),
		.argv = calloc(2, sizeof(char *)),
		.argc = 1,
		.environment = calloc(1, sizeof(char *)),
		.schedule = strdup("@every 10s"),
		.time_zone = strdup("UTC"),
		.stop_grace_ns = 300 * STAGE_MS,
		.history_ok = 1000,
		.history_failed = 1000,
		.output_tail = 100};
	job->argv[0] = strdup("/bin/j");
	policy_retry_default(&job->retry);
}

struct config_job *stage_init(struct stage *s)
{
	const char *const endpoints[] = {"https://a:1"};
	struct once_client_config client = {.endpoints = endpoints, .n_endpoints = 1};
	struct config_job *job = calloc(1, sizeof(*job));

	memset(s, 0, sizeof(*s));
	fake_loop_init(&s->loop);
	present = s;
	set_back_ns = 0;
	s->fate = FATE_ANSWERED;
	s->takes_ns = STAGE_S;
	s->etcd = fake_etcd_new(&s->loop);
	s->transport = fake_transport_new(&s->loop);
	assert_int_equal(client_new_on(&s->client, &s->loop.loop, &client, NULL, NULL, NULL,
				 &s->transport->base),
		0);
	assert_int_equal(link_open(s->fds), 0);
	assert_int_equal(
		uplink_init(&s->uplink, s->fds[1], &s->page, &s->loop.loop, on_packet, s), 0);
	s->config = (struct config){.node = strdup("node1"),
		.key = strdup(LEADER),
		.prefix = strdup("/onced"),
		.group = strdup("default"),
		.jobs = job,
		.n_jobs = 1};
	assert_int_equal(once_timing_profile(&s->config.timing, "fast"), 0);
	s->owner = (struct jobs_owner){s, on_code, on_stopped, on_all_stopped, may_launch};
	stage_define(job);
	return job;
}

struct config_job *stage_add(struct stage *s, const char *name)
{
	struct config_job *jobs = realloc(s->config.jobs, (s->config.n_jobs + 1) * sizeof(*jobs));

	assert_non_null(jobs);
	s->config.jobs = jobs;
	stage_define(&jobs[s->config.n_jobs]);
	free(jobs[s->config.n_jobs].name);
	jobs[s->config.n_jobs].name = strdup(name);
	return &jobs[s->config.n_jobs++];
}

static struct control *control_of(void *userdata, const char *job)
{
	struct stage *s = userdata;
	return &s->jobs.control;
}

void stage_start(struct stage *s)
{
	assert_int_equal(jobs_init(&s->jobs, &s->config, &s->owner, &s->uplink, &s->loop.loop), 0);
	assert_int_equal(
		feed_init(&s->feed, &s->config, s->client, &s->loop.loop, control_of, on_alarm, s), 0);
	assert_int_equal(jobs_connect(&s->jobs, s->client, &s->feed), 0);
}

void stage_crash(struct stage *s)
{
	uint64_t runs = s->jobs.runs;

	jobs_fini(&s->jobs);
	feed_fini(&s->feed);
	memset(s->live, 0, sizeof(s->live));
	stage_start(s);
	s->jobs.runs = runs; /* packets of the old ones may be under way */
}

void stage_lead(struct stage *s)
{
	struct launch_term term = {.reason = "elected"};

	fake_etcd_delete(s->etcd, LEADER);
	fake_etcd_put(s->etcd, LEADER, "node1", 0);
	term.token = fake_etcd_get(s->etcd, LEADER)->create;
	term.proved = s->loop.loop.ops->now(&s->loop.loop);
	jobs_lead(&s->jobs, &term);
}

void stage_lose(struct stage *s)
{
	s->all_stopped = false;
	jobs_stop(&s->jobs, 300 * STAGE_MS);
	for (int i = 0; i < 500 && !s->all_stopped; i++)
		stage_run(s, 10 * STAGE_MS);
	assert_true(s->all_stopped);
	fake_etcd_delete(s->etcd, LEADER);
}

void stage_run(struct stage *s, int64_t ns)
{
	int64_t until_ns = s->loop.now_ns + ns;

	while (s->loop.now_ns < until_ns) {
		while (fake_etcd_serve(s->etcd, s->transport, s->fate))
			fake_loop_run(&s->loop, 0);
		fake_etcd_tick(s->etcd, s->transport);
		while (fake_loop_poll(&s->loop))
			;
		guard(s);
		fake_loop_run(&s->loop, 10 * STAGE_MS);
	}
}

void stage_fini(struct stage *s)
{
	jobs_fini(&s->jobs);
	feed_fini(&s->feed);
	s->client = once_client_free(s->client);
	uplink_fini(&s->uplink);
	assert_int_equal(s->loop.n_timers, 0);
	fake_etcd_free(s->etcd);
	assert_int_equal(close(s->fds[0]), 0);
	assert_int_equal(close(s->fds[1]), 0);
	config_free(&s->config);
	present = NULL;
}

/* ---- what happened --------------------------------------------------------------------------- */

static int by_key(const void *a, const void *b)
{
	const struct fake_kv *x = *(const struct fake_kv *const *)a,
			     *y = *(const struct fake_kv *const *)b;

	return strcmp(x->key, y->key);
}

static size_t tell(char *out, size_t size, const struct once_run *run)
{
	char until[32] = "", attempt[16] = "";

	if (run->until_ms)
		(void)snprintf(until, sizeof(until), "..%g",
			(double)(run->until_ms - STAGE_BEGIN * 1000) / 1e3);
	if (run->attempt > 1)
		(void)snprintf(attempt, sizeof(attempt), "/%u", run->attempt);
	return (size_t)snprintf(out, size, "%g%s %s%s%s%s",
		(double)(run->scheduled_ms - STAGE_BEGIN * 1000) / 1e3, until,
		once_run_state_name(run->state), attempt, run->reason[0] ? " " : "", run->reason);
}

const char *stage_records(struct stage *s)
{
	const struct fake_kv *found[FAKE_KEYS];
	size_t n_found = 0, n = 0;

	for (size_t i = 0; i < s->etcd->n_kvs; i++)
		if (strncmp(s->etcd->kvs[i].key, RUNS, strlen(RUNS)) == 0)
			found[n_found++] = &s->etcd->kvs[i];
	if (n_found > 0)
		qsort(found, n_found, sizeof(found[0]), by_key);
	s->records[0] = '\0';
	for (size_t i = 0; i < n_found; i++) {
		char *value = fake_etcd_value(s->etcd, found[i]->key);
		struct once_run *run;

		assert_int_equal(once_run_decode(&run, once_str(value)), 0);
		if (n > 0)
			n += (size_t)snprintf(s->records + n, STAGE_TEXT - n, ", ");
		n += tell(s->records + n, STAGE_TEXT - n, run);
		assert_true(n < STAGE_TEXT);
		once_run_free(run);
		free(value);
	}
	return s->records;
}
