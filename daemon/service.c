/* A service: launch, end, restart.
 *
 * Happy path: lead -> LAUNCH -> STARTED -> stop -> STOP -> ENDED -> EMPTY -> stopped().
 * Ends by itself: ENDED -> EMPTY -> Restart= -> pause -> LAUNCH, or finished(). Only EMPTY counts: as
 * long as anything of its tree lives, it runs. */
#include "daemon/service.h"

#include "daemon/log.h"

#include <errno.h>
#include <string.h>
#include <sys/wait.h>

static void pause_for(struct service *s, int64_t ns)
{
	s->state = SERVICE_PAUSE;
	s->loop->ops->timer_set(s->timer, ns);
}

/* ---- launch ---- */

static int send_launch(struct service *s)
{
	struct launch launch = {.config = s->config,
		.job = s->job,
		.argv = s->job->argv,
		.argc = s->job->argc,
		.run = s->run,
		.term = &s->term,
		.attempt = s->attempt,
		.reason = s->term.reason,
		.out_fd = -1};

	return launch_send(s->uplink, &launch);
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
	finish(s, launch_refused_code(r));
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
	uplink_stop_init(&s->stop);
	s->timer = loop->ops->timer_new(loop, on_timer, s);
	return s->timer ? 0 : -ENOMEM;
}

void service_fini(struct service *s)
{
	uplink_stop_forget(&s->stop);
	if (s->timer)
		s->loop->ops->timer_free(s->timer);
	s->timer = NULL;
}

void service_lead(struct service *s, const struct launch_term *term)
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
	s->term.token = 0;
	s->loop->ops->timer_set(s->timer, -1);
	if (s->state == SERVICE_IDLE || s->state == SERVICE_PAUSE) {
		s->state = SERVICE_IDLE;
		return false;
	}
	if (s->state != SERVICE_ENDED)
		s->state = SERVICE_STOPPING;
	uplink_stop(s->uplink, &s->stop, s->term.group, s->run,
		s->job->stop_grace_ns < grace_ns ? s->job->stop_grace_ns : grace_ns);
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
	int code = launch_refused_code(refused->error);

	if (refused->error == -ESTALE && s->term.token != 0) {
		/* no time left under this proof; the next may give some */
		pause_for(s, s->config->timing.beat_interval_ns);
		return;
	}
	if (refused->error != -ESTALE)
		log_err("launch-failed", "%s: cannot be started: %s %s: %s", s->job->name, refused->what,
			s->job->unit ? s->job->unit : s->job->argv[0],
			launch_refused_text(refused->error, refused->what));
	s->code = code;
	settle(s, code);
}

void service_exited(struct service *s, const struct link_ended *ended)
{
	int status = ended->status;

	s->code = launch_code(status);
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
