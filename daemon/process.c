/* One command. See process.h.
 *
 * Failures: no time left under the present proof, or a guardian that is busy: it waits and tries
 * again, until the term ends. Refused by the guardian: over, with the reason. */
#include "daemon/process.h"

#include "daemon/log.h"
#include "daemon/result.h"

#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void finish(struct process *p)
{
	output_close(&p->output);
	p->scene->loop->ops->timer_set(p->timer, -1);
	p->state = PROCESS_IDLE;
	p->over(p->userdata, p);
}

static void wait_for(struct process *p, int64_t ns)
{
	p->state = PROCESS_WAITING;
	p->scene->loop->ops->timer_set(p->timer, ns);
}

static int open_result(struct process *p)
{
	result_close(&p->result_fd);
	if (p->launch.takes_result)
		p->launch.result_fd = p->result_fd = result_open();
	return p->launch.takes_result && p->result_fd < 0 ? p->result_fd : 0;
}

static int send_launch(struct process *p)
{
	const struct config_user *user = &p->launch.job->user;
	int fd, r = open_result(p);

	if (r < 0)
		return r;

	p->launch.run = p->scene->next_run(p->scene->userdata);
	p->launch.term = p->scene->term;
	output_fini(&p->output);
	r = output_open(
		&p->output, p->scene->loop, p->launch.job->name, p->launch.name, p->tail_max, &fd);
	if (r < 0)
		return r;
	if (user->name) /* for those who open /dev/stderr anew */
		(void)!fchown(fd, user->uid, user->gid);
	p->launch.out_fd = fd;
	r = launch_send(p->scene->uplink, &p->launch);
	(void)close(fd);
	return r;
}

static void refuse(struct process *p, int error, const char *what)
{
	p->result.error = error;
	p->result.code = launch_refused_code(error);
	(void)snprintf(p->result.what, sizeof(p->result.what), "%s", what);
	finish(p);
}

static void order_stop(struct process *p, int64_t grace_ns)
{
	uplink_stop(p->scene->uplink, &p->stop, p->scene->term->group, p->launch.run, grace_ns);
}

static void on_timer(void *userdata)
{
	struct process *p = userdata;
	int r;

	if (p->state == PROCESS_RUNNING) {
		log_warning("limit", "%s: the %s takes longer than %.3g s: killing it", p->launch.name,
			p->launch.reason, (double)p->limit_ns / 1e9);
		p->late = true;
		order_stop(p, 0);
	}
	if (p->state != PROCESS_WAITING)
		return;
	if (p->scene->term->token == 0 || p->scene->may_launch_ns(p->scene->userdata) <= 0) {
		wait_for(p, p->scene->config->timing.beat_interval_ns);
		return;
	}
	p->state = PROCESS_STARTING;
	r = send_launch(p);
	if (r == -EAGAIN)
		wait_for(p, 20 * ONCE_NSEC_PER_MSEC);
	else if (r < 0)
		refuse(p, r, r == -E2BIG ? "arguments and environment" : "launch");
}

int process_init(
	struct process *p, const struct scene *scene, process_over_fn *over, void *userdata)
{
	memset(p, 0, sizeof(*p));
	p->scene = scene;
	p->over = over;
	p->userdata = userdata;
	p->output.fd = p->result_fd = -1;
	uplink_stop_init(&p->stop);
	p->timer = scene->loop->ops->timer_new(scene->loop, on_timer, p);
	return p->timer ? 0 : -ENOMEM;
}

void process_fini(struct process *p)
{
	if (p->scene) { /* else it was never begun */
		uplink_stop_forget(&p->stop);
		if (p->timer)
			p->scene->loop->ops->timer_free(p->timer);
		p->timer = NULL;
	}
	output_fini(&p->output);
	result_close(&p->result_fd);
}

void process_start(struct process *p, const struct launch *launch, size_t tail_max)
{
	p->launch = *launch;
	p->tail_max = tail_max;
	p->late = false;
	memset(&p->result, 0, sizeof(p->result));
	wait_for(p, 0);
}

bool process_stop(struct process *p, int64_t grace_ns)
{
	if (p->state == PROCESS_WAITING) {
		p->scene->loop->ops->timer_set(p->timer, -1);
		p->state = PROCESS_IDLE;
		output_fini(&p->output);
	}
	if (p->state == PROCESS_IDLE)
		return false;
	if (p->launch.job->stop_grace_ns < grace_ns)
		grace_ns = p->launch.job->stop_grace_ns;
	p->late = false; /* the term ends: whatever its end was, it counts for nothing */
	order_stop(p, grace_ns);
	return true;
}

/* ---- what the guardian says ---- */

static void on_refused(struct process *p, const struct link_refused *refused)
{
	if (refused->error == -ESTALE && p->scene->term->token != 0) {
		/* no time left under this proof; the next may give some */
		wait_for(p, p->scene->config->timing.beat_interval_ns);
		return;
	}
	refuse(p, refused->error, refused->what);
}

static void on_ended(struct process *p, const struct link_ended *ended)
{
	p->result.code = launch_code(ended->status);
	p->result.signal = WIFSIGNALED(ended->status) ? WTERMSIG(ended->status) : 0;
	p->result.told = ended->told != 0 && !p->late;
	p->result.usage = ended->usage;
	p->state = PROCESS_ENDED;
}

void process_packet(struct process *p, const void *packet, uint32_t type)
{
	const struct link_empty *empty = packet;

	switch (type) {
	case LINK_STARTED:
		p->result.started = true;
		if (p->state == PROCESS_STARTING)
			p->state = PROCESS_RUNNING;
		if (p->limit_ns > 0)
			p->scene->loop->ops->timer_set(p->timer, p->limit_ns);
		break;
	case LINK_REFUSED:
		on_refused(p, packet);
		break;
	case LINK_ENDED:
		on_ended(p, packet);
		break;
	case LINK_EMPTY:
		if (empty->error == 0)
			finish(p);
		else
			log_err("not-dead",
				"%s: something of it does not die (uninterruptible sleep?): "
				"holding back the release",
				p->launch.job->name);
		break;
	default:
		break;
	}
}
