/* A service: launch, end, restart.
 *
 * Happy path: lead -> LAUNCH -> STARTED -> stop -> STOP -> ENDED -> EMPTY -> stopped().
 * Ends by itself: ENDED -> EMPTY -> Restart= -> pause -> LAUNCH, or finished(). Only EMPTY counts: as
 * long as anything of its tree lives, it runs. */
#include "daemon/service.h"

#include "base/buf.h"
#include "daemon/log.h"

#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { STRINGS_MAX = LINK_PACKET_MAX - 256, EXIT_CANNOT_RUN = 126, EXIT_NOT_FOUND = 127 };

static void pause_for(struct service *s, int64_t ns)
{
	s->state = SERVICE_PAUSE;
	s->loop->ops->timer_set(s->timer, ns);
}

/* ---- launch ---- */

static void put_string(struct buf *b, const char *text)
{
	(void)buf_append(b, text, strlen(text) + 1);
}

static void put_variable(struct buf *b, uint32_t *count, const char *name, const char *value)
{
	(void)buf_printf(b, "%s=%s", name, value);
	(void)buf_putc(b, '\0');
	(*count)++;
}

static void put_number(struct buf *b, uint32_t *count, const char *name, int64_t value)
{
	(void)buf_printf(b, "%s=%lld", name, (long long)value);
	(void)buf_putc(b, '\0');
	(*count)++;
}

static bool is_ours(const char *variable)
{
	return strncmp(variable, "ONCED_", 6) == 0 || strncmp(variable, "ETCD_LOCK_", 10) == 0;
}

/* The command has no business with the daemon's password. */
static bool is_secret(const char *variable)
{
	return strncmp(variable, "ETCDCTL_PASSWORD=", 17) == 0 ||
		(strncmp(variable, "ETCDCTL_USER=", 13) == 0 && strchr(variable, ':'));
}

/* Whether the job gives the variable itself. Of two, most programs take the first. */
static bool is_given(const struct config_job *job, const char *variable)
{
	size_t n = strcspn(variable, "=");

	for (size_t i = 0; i < job->n_environment; i++)
		if (strncmp(job->environment[i], variable, n) == 0 && job->environment[i][n] == '=')
			return true;
	return false;
}

/* Nothing of the daemon's own environment but what was named, except under onced run, which stands in
 * front of a command as env(1) does. */
static void put_environment(struct buf *b, uint32_t *count, const struct service *s)
{
	const struct config *c = s->config;

	if (c->inherit_environment) {
		for (char **v = environ; v && *v; v++) {
			if (is_ours(*v) || is_secret(*v) || is_given(s->job, *v))
				continue;
			put_string(b, *v);
			(*count)++;
		}
	} else if (!is_given(s->job, "PATH")) {
		put_variable(b, count, "PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
	}
	for (size_t i = 0; i < s->job->n_environment; i++) {
		put_string(b, s->job->environment[i]);
		(*count)++;
	}
	put_variable(b, count, "ONCED_JOB", s->job->name);
	put_variable(b, count, "ONCED_NODE", c->node);
	put_variable(b, count, "ONCED_KEY", c->key);
	put_variable(b, count, "ONCED_REASON", s->term.reason);
	put_number(b, count, "ONCED_TOKEN", s->term.token);
	put_number(b, count, "ONCED_RUN", (int64_t)s->run);
	put_number(b, count, "ONCED_ATTEMPT", s->attempt);
	put_number(b, count, "ONCED_DEADLINE", s->term.proved.boot_ns + c->timing.fence_after_ns);
	put_variable(b, count, "ETCD_LOCK_KEY", c->key);
	put_number(b, count, "ETCD_LOCK_REV", s->term.token);
}

static int send_launch(struct service *s)
{
	struct link_launch launch = {
		.type = LINK_LAUNCH, .run = s->run, .token = s->term.token, .argc = (uint32_t)s->job->argc};
	char directory[4096];
	struct buf b;
	int r;

	launch.flags = (s->job->isolate ? LINK_LAUNCH_ISOLATE : 0u) |
		(s->config->run ? LINK_LAUNCH_STDIN : 0u);
	if (!s->job->directory && s->config->run && !getcwd(directory, sizeof(directory)))
		return -errno;
	buf_init(&b, STRINGS_MAX + sizeof(launch));
	(void)buf_append(&b, &launch, sizeof(launch));
	put_string(&b, s->job->directory ? s->job->directory : s->config->run ? directory : "");
	for (size_t i = 0; i < s->job->argc; i++)
		put_string(&b, s->job->argv[i]);
	put_environment(&b, &launch.envc, s);
	r = buf_error(&b);
	if (r == 0) {
		launch.strings_size = (uint32_t)(b.size - sizeof(launch));
		memcpy(b.data, &launch, sizeof(launch));
		r = uplink_send(s->uplink, b.data, b.size);
	}
	buf_fini(&b);
	return r;
}

static void finish(struct service *s, int code)
{
	s->state = SERVICE_IDLE;
	s->owner->finished(s->owner->userdata, s, code);
}

static void launch(struct service *s)
{
	int r;

	if (s->owner->may_launch_ns(s->owner->userdata) <= 0) {
		pause_for(s, s->config->timing.beat_interval_ns);
		return;
	}
	s->run = s->owner->next_run(s->owner->userdata);
	s->attempt++;
	s->by_itself = false;
	s->state = SERVICE_STARTING;
	r = send_launch(s);
	if (r == 0)
		return;
	if (r == -EAGAIN) { /* the guardian is at work on those before */
		pause_for(s, 20 * ONCE_NSEC_PER_MSEC);
		return;
	}
	log_err("launch-failed", "%s: cannot be started: %s", s->job->name,
		r == -E2BIG ? "arguments and environment are too long" : strerror(-r));
	finish(s, EXIT_CANNOT_RUN);
}

static void on_timer(void *userdata)
{
	struct service *s = userdata;

	if (s->state == SERVICE_PAUSE && s->term.token != 0)
		launch(s);
}

/* ---- what the agent asks ---- */

int service_init(struct service *s, const struct config *config, const struct config_job *job,
	const struct service_owner *owner, struct uplink *uplink, struct once_loop *loop)
{
	memset(s, 0, sizeof(*s));
	s->config = config;
	s->job = job;
	s->owner = owner;
	s->uplink = uplink;
	s->loop = loop;
	s->timer = loop->ops->timer_new(loop, on_timer, s);
	return s->timer ? 0 : -ENOMEM;
}

void service_fini(struct service *s)
{
	if (s->timer)
		s->loop->ops->timer_free(s->timer);
	s->timer = NULL;
}

void service_lead(struct service *s, const struct service_term *term)
{
	s->term = *term;
	s->attempt = 0;
	if (s->state == SERVICE_IDLE || s->state == SERVICE_PAUSE)
		launch(s);
}

void service_extend(struct service *s, struct once_instant proved)
{
	if (s->term.token != 0)
		s->term.proved = proved;
}

bool service_stop(struct service *s, int64_t grace_ns)
{
	struct link_stop stop = {.type = LINK_STOP, .run = s->run, .grace_ns = grace_ns};

	s->term.token = 0;
	s->loop->ops->timer_set(s->timer, -1);
	if (s->state == SERVICE_IDLE || s->state == SERVICE_PAUSE) {
		s->state = SERVICE_IDLE;
		return false;
	}
	if (s->job->stop_grace_ns < grace_ns)
		stop.grace_ns = s->job->stop_grace_ns;
	if (s->state != SERVICE_ENDED)
		s->state = SERVICE_STOPPING;
	(void)uplink_send(s->uplink, &stop, sizeof(stop));
	return true;
}

/* ---- what the guardian says ---- */

void service_started(struct service *s, int32_t pid)
{
	if (s->state == SERVICE_STARTING)
		s->state = SERVICE_RUNNING;
	log_info("started", "%s: started, pid %d, token %lld", s->job->name, pid,
		(long long)s->term.token);
}

/* After the tree is gone: stop, or what Restart= says. */
static void settle(struct service *s, int code)
{
	bool failed = code != 0;

	if (s->term.token == 0) {
		s->state = SERVICE_IDLE;
		s->owner->stopped(s->owner->userdata, s);
		return;
	}
	if (s->told) {
		/* The guardian stopped it at its deadline; whether the term goes on, the next proof or
		 * its absence will tell. */
		s->told = false;
		pause_for(s, s->config->timing.beat_interval_ns);
		return;
	}
	if (s->job->restart == CONFIG_RESTART_ALWAYS ||
		(s->job->restart == CONFIG_RESTART_ON_FAILURE && failed))
		pause_for(s, s->job->restart_delay_ns);
	else
		finish(s, code);
}

void service_refused(struct service *s, const struct link_refused *refused)
{
	int code = refused->error == -ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN;

	if (refused->error == -ESTALE && s->term.token != 0) {
		/* no time left under this proof; the next may give some */
		pause_for(s, s->config->timing.beat_interval_ns);
		return;
	}
	if (refused->error != -ESTALE)
		log_err("launch-failed", "%s: cannot be started: %s %s: %s", s->job->name, refused->what,
			s->job->argv[0], strerror(-refused->error));
	s->code = code;
	settle(s, code);
}

void service_exited(struct service *s, const struct link_ended *ended)
{
	int status = ended->status;

	s->code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	if (WIFSIGNALED(status))
		log_info("ended", "%s: killed by signal %d", s->job->name, WTERMSIG(status));
	else
		log_info("ended", "%s: ended with status %d", s->job->name, s->code);
	s->told = ended->told != 0;
	s->by_itself = s->term.token != 0 && !s->told;
	s->state = SERVICE_ENDED;
}

void service_empty(struct service *s, const struct link_empty *empty)
{
	if (empty->error < 0) {
		log_err("not-dead", "%s: something of it does not die (uninterruptible sleep?): holding "
				    "back the release", s->job->name);
		return;
	}
	settle(s, s->code);
}
