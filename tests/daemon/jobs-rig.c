/* See jobs-rig.h. */
#include "tests/daemon/jobs-rig.h"

#include "daemon/log.h"

#include <sys/socket.h>
#include <unistd.h>

union heard packet;

int quiet(void **state)
{
	log_set_level((enum once_log_level)0);
	return 0;
}

/* ---- the owner ---- */

static void on_finished(void *userdata, int code)
{
	struct rig *r = userdata;
	r->n_finished++;
	r->code = code;
}

static void on_stopped(void *userdata, int code, bool by_itself)
{
	struct rig *r = userdata;
	r->n_stopped++;
	r->code = code;
	r->by_itself = by_itself;
}

static void on_all_stopped(void *userdata)
{
	struct rig *r = userdata;
	r->n_all_stopped++;
}

static int64_t may_launch(void *userdata)
{
	struct rig *r = userdata;
	return r->may_launch_ns;
}

static void on_packet(void *userdata, const void *data)
{
	struct rig *r = userdata;
	uint32_t type;

	assert_non_null(data);
	memcpy(&type, data, sizeof(type));
	jobs_packet(&r->jobs, data, type);
}

/* ---- configuration ---- */

struct config_job *add_job(struct config *c, const char *name, const char *program)
{
	struct config_job *job;

	c->jobs = realloc(c->jobs, (c->n_jobs + 1) * sizeof(*c->jobs));
	assert_non_null(c->jobs);
	job = &c->jobs[c->n_jobs++];
	*job = (struct config_job){.name = strdup(name),
		.description = strdup(""),
		.argv = calloc(3, sizeof(char *)),
		.argc = 2,
		.environment = calloc(4, sizeof(char *)),
		.restart = CONFIG_RESTART_ALWAYS,
		.restart_delay_ns = 1000 * MS,
		.stop_grace_ns = 300 * MS};
	job->argv[0] = strdup(program);
	job->argv[1] = strdup("an argument");
	return job;
}

void add_variable(struct config_job *job, const char *text)
{
	assert_true(job->n_environment < 3);
	job->environment[job->n_environment++] = strdup(text);
}

/* ---- life ---- */

void setup(struct rig *r)
{
	memset(r, 0, sizeof(*r));
	fake_loop_init(&r->loop);
	r->config.node = strdup("node1");
	r->config.key = strdup("/leader");
	assert_int_equal(once_timing_profile(&r->config.timing, "fast"), 0);
	r->may_launch_ns = 1;
	r->owner = (struct jobs_owner){r, on_finished, on_stopped, on_all_stopped, may_launch};
	assert_int_equal(link_open(r->fds), 0);
	assert_int_equal(
		uplink_init(&r->uplink, r->fds[1], &r->page, &r->loop.loop, on_packet, r), 0);
}

struct config_job *setup_one(struct rig *r)
{
	setup(r);
	return add_job(&r->config, "a", "/bin/a");
}

void begin(struct rig *r)
{
	assert_int_equal(jobs_init(&r->jobs, &r->config, &r->owner, &r->uplink, &r->loop.loop), 0);
}

void lead(struct rig *r, int64_t token)
{
	struct launch_term term = {token, r->loop.loop.ops->now(&r->loop.loop), "elected"};
	jobs_lead(&r->jobs, &term);
}

void reload(struct rig *r, struct config *fresh)
{
	assert_int_equal(jobs_reload(&r->jobs, fresh), 0);
	config_free(fresh);
}

void teardown(struct rig *r)
{
	expect_silence(r);
	jobs_fini(&r->jobs);
	uplink_fini(&r->uplink);
	assert_int_equal(r->loop.n_timers, 0);
	assert_int_equal(close(r->fds[0]), 0);
	assert_int_equal(close(r->fds[1]), 0);
	config_free(&r->config);
}

/* ---- the guardian ---- */

uint32_t take(struct rig *r)
{
	ssize_t n = recv(r->fds[0], &packet, sizeof(packet), MSG_DONTWAIT | MSG_TRUNC);

	if (n < 0)
		return 0;
	if (packet.type == LINK_LAUNCH)
		assert_int_equal(n, sizeof(packet.launch) + packet.launch.strings_size);
	else
		assert_int_equal(n, sizeof(packet.stop));
	return packet.type;
}

uint64_t expect_launch(struct rig *r)
{
	assert_int_equal(take(r), LINK_LAUNCH);
	return packet.launch.run;
}

void expect_stop(struct rig *r, uint64_t run, int64_t grace_ns)
{
	assert_int_equal(take(r), LINK_STOP);
	assert_int_equal(packet.stop.run, run);
	assert_int_equal(packet.stop.group, 0);
	assert_int_equal(packet.stop.grace_ns, grace_ns);
}

void expect_silence(struct rig *r)
{
	assert_int_equal(take(r), 0);
}

void say(struct rig *r, const void *data, size_t size)
{
	assert_int_equal(link_send(r->fds[0], data, size), 0);
	while (fake_loop_poll(&r->loop))
		;
}

void say_started(struct rig *r, uint64_t run)
{
	struct link_started started = {.type = LINK_STARTED, .pid = 42, .run = run};
	say(r, &started, sizeof(started));
}

void say_refused(struct rig *r, uint64_t run, int error)
{
	struct link_refused refused = {
		.type = LINK_REFUSED, .error = error, .run = run, .what = "exec"};
	say(r, &refused, sizeof(refused));
}

void say_ended(struct rig *r, uint64_t run, int status)
{
	struct link_ended ended = {.type = LINK_ENDED, .status = status, .run = run};
	say(r, &ended, sizeof(ended));
}

void say_empty(struct rig *r, uint64_t run, int error)
{
	struct link_empty empty = {.type = LINK_EMPTY, .error = error, .run = run};
	say(r, &empty, sizeof(empty));
}

void say_over(struct rig *r, uint64_t run, int status)
{
	say_ended(r, run, status);
	say_empty(r, run, 0);
}

uint64_t run_it(struct rig *r)
{
	uint64_t run = expect_launch(r);
	say_started(r, run);
	return run;
}

/* ---- the launch packet ---- */

const char *launch_string(unsigned i)
{
	const char *at = packet.launch.strings, *end = at + packet.launch.strings_size;

	for (; i > 0 && at < end; i--)
		at += strlen(at) + 1;
	return at < end ? at : NULL;
}

const char *launch_variable(const char *name)
{
	const char *found = NULL;

	for (unsigned i = 0; i < packet.launch.envc; i++) {
		const char *text = launch_string(1 + packet.launch.argc + i);

		assert_non_null(text);
		if (strncmp(text, name, strlen(name)) != 0 || text[strlen(name)] != '=')
			continue;
		assert_null(found); /* each once */
		found = text + strlen(name) + 1;
	}
	return found;
}

void check_strings_end(void)
{
	assert_non_null(launch_string(packet.launch.argc + packet.launch.envc));
	assert_null(launch_string(1 + packet.launch.argc + packet.launch.envc));
}
