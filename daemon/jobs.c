/* The set of jobs. A job is never run twice on one node either: a changed definition waits until
 * the last process of the old one is dead. */
#include "daemon/jobs.h"

#include "daemon/cron.h"
#include "daemon/flow.h"
#include "daemon/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct job_slot {
	struct job_slot *next;
	const struct config_job *job; /* borrowed */
	bool leaving;		      /* a reload dropped it */
	union {			      /* by job->type */
		struct service service;
		struct cron cron;
		struct flow flow;
	};
};

struct retired {
	struct retired *next;
	struct config config;
};

/* ---- one slot, whatever its type ---- */

static bool alive(const struct job_slot *slot)
{
	switch (slot->job->type) {
	case CONFIG_JOB_SERVICE:
		return slot->service.state != SERVICE_IDLE;
	case CONFIG_JOB_CRON:
		return cron_alive(&slot->cron);
	default:
		return flow_alive(&slot->flow);
	}
}

static int slot_init(struct jobs *j, struct job_slot *slot)
{
	switch (slot->job->type) {
	case CONFIG_JOB_SERVICE:
		return service_init(&slot->service, j->config, slot->job, &j->service_owner, j->uplink,
			j->loop);
	case CONFIG_JOB_CRON:
		return cron_init(&slot->cron, &j->scene, slot->job, &j->control);
	default:
		return flow_init(&slot->flow, &j->scene, slot->job, &j->control);
	}
}

static void slot_free(struct job_slot *slot)
{
	switch (slot->job->type) {
	case CONFIG_JOB_SERVICE:
		service_fini(&slot->service);
		break;
	case CONFIG_JOB_CRON:
		cron_fini(&slot->cron);
		break;
	default:
		flow_fini(&slot->flow);
		break;
	}
	free(slot);
}

static void slot_stop(struct job_slot *slot, int64_t grace_ns)
{
	switch (slot->job->type) {
	case CONFIG_JOB_SERVICE:
		(void)service_stop(&slot->service, grace_ns);
		break;
	case CONFIG_JOB_CRON:
		(void)cron_stop(&slot->cron, grace_ns);
		break;
	default:
		(void)flow_stop(&slot->flow, grace_ns);
		break;
	}
}

/* A service has no record; this is what one would say. */
static void tell_service(const struct jobs *j, const struct service *service, enum once_run_state state)
{
	struct once_run run = {.state = state,
		.attempt = service->attempt,
		.token = j->term.token,
		.exited = state != ONCE_RUN_BEGUN,
		.exit_code = state != ONCE_RUN_BEGUN ? service->code : 0};

	if (!j->owner->ran)
		return;
	(void)snprintf(run.node, sizeof(run.node), "%s", j->config->node);
	if (state == ONCE_RUN_INTERRUPTED)
		(void)snprintf(run.reason, sizeof(run.reason), "term");
	if (state == ONCE_RUN_BEGUN)
		run.start_ms = once_utc_now();
	else
		run.end_ms = once_utc_now();
	j->owner->ran(j->owner->userdata, service->job->name, NULL, &run);
}

static enum once_run_state service_end(const struct service *service)
{
	if (service->term.token == 0 || service->told)
		return ONCE_RUN_INTERRUPTED;
	return service->code == 0 ? ONCE_RUN_OK : ONCE_RUN_FAILED;
}

static bool service_packet(
	struct jobs *j, struct service *service, uint64_t run, const void *packet, uint32_t type)
{
	if (service->run != run || service->state == SERVICE_IDLE)
		return false;
	if (type == LINK_STARTED)
		tell_service(j, service, ONCE_RUN_BEGUN);
	else if (type == LINK_EMPTY && ((const struct link_empty *)packet)->error == 0)
		tell_service(j, service, service_end(service));
	if (type == LINK_STARTED)
		service_started(service, ((const struct link_started *)packet)->pid);
	else if (type == LINK_REFUSED)
		service_refused(service, packet);
	else if (type == LINK_ENDED)
		service_exited(service, packet);
	else
		service_empty(service, packet);
	return true;
}

static bool slot_packet(struct jobs *j, struct job_slot *slot, uint64_t run, const void *packet, uint32_t type)
{
	switch (slot->job->type) {
	case CONFIG_JOB_SERVICE:
		return service_packet(j, &slot->service, run, packet, type);
	case CONFIG_JOB_CRON:
		return cron_packet(&slot->cron, run, packet, type);
	default:
		return flow_packet(&slot->flow, run, packet, type);
	}
}

/* ---- the list ---- */

static struct job_slot *slot_new(struct jobs *j, const struct config_job *job)
{
	struct job_slot *slot = calloc(1, sizeof(*slot)), **end = &j->slots;

	if (!slot)
		return NULL;
	slot->job = job;
	if (slot_init(j, slot) < 0) {
		free(slot);
		return NULL;
	}
	while (*end)
		end = &(*end)->next;
	*end = slot;
	return slot;
}

static struct job_slot *slot_named(struct jobs *j, const char *name, bool leaving)
{
	for (struct job_slot *slot = j->slots; slot; slot = slot->next)
		if (slot->leaving == leaving && strcmp(slot->job->name, name) == 0)
			return slot;
	return NULL;
}

static void lead_one(struct jobs *j, struct job_slot *slot)
{
	if (j->term.token == 0 || slot->leaving || slot_named(j, slot->job->name, true))
		return;
	if (slot->job->type == CONFIG_JOB_SERVICE)
		service_lead(&slot->service, &j->term);
	else if (!j->scene.records)
		return;
	else if (slot->job->type == CONFIG_JOB_CRON)
		cron_lead(&slot->cron);
	else
		flow_lead(&slot->flow);
}

/* Of earlier definitions those that no job points to any more, in whatever it is doing. */
static void forget_retired(struct jobs *j)
{
	struct retired **at = &j->retired, *r;

	while ((r = *at)) {
		const struct config_job *jobs = r->config.jobs;
		bool used = false;

		for (struct job_slot *slot = j->slots; slot; slot = slot->next)
			used |= jobs && slot->job >= jobs && slot->job < jobs + r->config.n_jobs;
		if (used) {
			at = &r->next;
			continue;
		}
		*at = r->next;
		config_free(&r->config);
		free(r);
	}
}

/* Frees what a reload dropped and what has died since; lets the successors of those start. */
static void sweep(struct jobs *j)
{
	struct job_slot **at = &j->slots, *slot;

	while ((slot = *at)) {
		if (!slot->leaving || alive(slot)) {
			at = &slot->next;
			continue;
		}
		*at = slot->next;
		struct job_slot *successor = slot_named(j, slot->job->name, false);
		slot_free(slot);
		if (successor)
			lead_one(j, successor);
	}
	forget_retired(j);
}

static void check_stopped(struct jobs *j)
{
	sweep(j);
	if (!j->stopping)
		return;
	for (struct job_slot *slot = j->slots; slot; slot = slot->next)
		if (alive(slot))
			return;
	j->stopping = false;
	j->owner->all_stopped(j->owner->userdata);
}

/* ---- what the services say ---- */

static uint64_t next_run(void *userdata)
{
	struct jobs *j = userdata;

	j->runs++;
	return j->owner->next_run ? j->owner->next_run(j->owner->userdata) : j->runs;
}

static int64_t may_launch_ns(void *userdata)
{
	struct jobs *j = userdata;
	return j->owner->may_launch_ns(j->owner->userdata);
}

static void on_finished(void *userdata, struct service *service, int code)
{
	struct jobs *j = userdata;

	j->owner->finished(j->owner->userdata, code);
}

static void on_stopped(void *userdata, struct service *service)
{
	struct jobs *j = userdata;

	j->owner->stopped(j->owner->userdata, service->code, service->by_itself);
}

/* ---- what the other jobs and operators say ---- */

static void on_look(void *userdata)
{
	check_stopped(userdata);
}

static void on_changed(void *userdata)
{
	struct jobs *j = userdata;

	j->loop->ops->timer_set(j->look, 0);
}

static void on_ran(void *userdata, const struct config_job *job, const char *name,
	const struct once_run *run)
{
	struct jobs *j = userdata;
	const char *item = job->type == CONFIG_JOB_CRON ? NULL : strchr(name, '/');

	if (j->owner->ran)
		j->owner->ran(j->owner->userdata, job->name, item ? item + 1 : NULL, run);
}

static void on_control(void *userdata)
{
	struct jobs *j = userdata;

	for (struct job_slot *slot = j->slots; slot && j->term.token != 0; slot = slot->next) {
		if (slot->leaving || slot->job->type == CONFIG_JOB_SERVICE)
			continue;
		if (slot->job->type == CONFIG_JOB_CRON)
			cron_changed(&slot->cron);
		else
			flow_changed(&slot->flow);
	}
}

static void on_killed(void *userdata, const char *job, int64_t at_ms, const struct once_kill *kill)
{
	struct jobs *j = userdata;
	struct job_slot *slot = slot_named(j, job, false);

	if (slot && slot->job->type == CONFIG_JOB_CRON)
		cron_kill(&slot->cron, at_ms, kill);
	else if (slot && slot->job->type != CONFIG_JOB_SERVICE)
		flow_kill(&slot->flow, kill);
}

static void on_handover(void *userdata, const char *to, const struct once_handover *handover)
{
	struct jobs *j = userdata;

	if (j->owner->handover)
		j->owner->handover(j->owner->userdata, to, handover);
}

/* ---- what the agent asks ---- */

int jobs_connect(struct jobs *j, struct once_client *client, struct feed *feed)
{
	/* Hundreds of terms that begin together must not delay the beats of those that last. */
	struct once_records_config config = {.prefix = j->config->prefix,
		.lane = feed->many ? ONCE_LANE_BULK : ONCE_LANE_CONTROL,
		.attempt_timeout_ns = j->config->timing.request_timeout_ns};
	int r = once_records_new(&j->scene.records, client, j->loop, &config, NULL);

	j->control_owner = (struct control_owner){j, on_control, on_killed, on_handover};
	return r < 0 ? r : control_init(&j->control, &j->scene, feed, &j->control_owner);
}

int jobs_init(struct jobs *j, struct config *config, const struct jobs_owner *owner,
	struct uplink *uplink, struct once_loop *loop)
{
	memset(j, 0, sizeof(*j));
	j->config = config;
	j->owner = owner;
	j->uplink = uplink;
	j->loop = loop;
	j->service_owner = (struct service_owner){j, on_finished, on_stopped, next_run, may_launch_ns};
	j->scene = (struct scene){.config = config,
		.uplink = uplink,
		.loop = loop,
		.term = &j->term,
		.userdata = j,
		.next_run = next_run,
		.may_launch_ns = may_launch_ns,
		.changed = on_changed,
		.ran = on_ran};
	j->look = loop->ops->timer_new(loop, on_look, j);
	if (!j->look)
		return -ENOMEM;
	for (size_t i = 0; i < config->n_jobs; i++)
		if (!slot_new(j, &config->jobs[i]))
			return -ENOMEM;
	return 0;
}

void jobs_fini(struct jobs *j)
{
	while (j->slots) {
		struct job_slot *slot = j->slots;
		j->slots = slot->next;
		slot_free(slot);
	}
	sweep(j);
	control_fini(&j->control);
	j->scene.records = once_records_free(j->scene.records);
	if (j->look)
		j->loop->ops->timer_free(j->look);
	j->look = NULL;
}

void jobs_lead(struct jobs *j, const struct launch_term *term)
{
	j->term = *term;
	if (j->scene.records)
		control_lead(&j->control);
	for (struct job_slot *slot = j->slots; slot; slot = slot->next)
		lead_one(j, slot);
}

void jobs_extend(struct jobs *j, struct once_instant proved)
{
	if (j->term.token == 0)
		return;
	j->term.proved = proved;
	for (struct job_slot *slot = j->slots; slot; slot = slot->next)
		if (slot->job->type == CONFIG_JOB_SERVICE)
			service_extend(&slot->service, proved);
}

void jobs_stop(struct jobs *j, int64_t grace_ns)
{
	j->term.token = 0;
	j->stopping = true;
	if (j->scene.records)
		control_stop(&j->control);
	for (struct job_slot *slot = j->slots; slot; slot = slot->next)
		slot_stop(slot, grace_ns);
	check_stopped(j);
}

bool jobs_packet(struct jobs *j, const void *packet, uint32_t type)
{
	bool taken = false;
	const struct link_started *started = packet;
	const struct link_refused *refused = packet;
	const struct link_ended *ended = packet;
	const struct link_empty *empty = packet;
	uint64_t run = type == LINK_STARTED ? started->run
		: type == LINK_REFUSED	    ? refused->run
		: type == LINK_ENDED	    ? ended->run
					    : empty->run;

	for (struct job_slot *slot = j->slots; slot && !taken; slot = slot->next) {
		(void)log_field("ONCED_JOB", slot->job->name);
		taken = slot_packet(j, slot, run, packet, type);
		(void)log_field("ONCED_JOB", NULL);
	}
	if (taken)
		check_stopped(j);
	return taken;
}

/* ---- reload ---- */

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_list(char *const *a, size_t n_a, char *const *b, size_t n_b)
{
	if (n_a != n_b)
		return false;
	for (size_t i = 0; i < n_a; i++)
		if (strcmp(a[i], b[i]) != 0)
			return false;
	return true;
}

static bool same_steps(const struct config_job *a, const struct config_job *b)
{
	if (a->n_steps != b->n_steps)
		return false;
	for (size_t i = 0; i < a->n_steps; i++)
		if (strcmp(a->steps[i].name, b->steps[i].name) != 0 ||
			!same_list(a->steps[i].argv, a->steps[i].argc, b->steps[i].argv, b->steps[i].argc) ||
			!same_list(a->steps[i].undo, a->steps[i].n_undo, b->steps[i].undo, b->steps[i].n_undo))
			return false;
	return true;
}

/* Member by member: what lies between them is nobody's. */
static bool same_retry(const struct policy_retry *a, const struct policy_retry *b)
{
	return a->retries == b->retries && a->delay_ns == b->delay_ns &&
		a->on_timeout == b->on_timeout && memcmp(a->on, b->on, sizeof(a->on)) == 0;
}

/* What those have that are no services. How much history there is makes no other job. */
static bool same_work(const struct config_job *a, const struct config_job *b)
{
	return same_text(a->schedule, b->schedule) && same_text(a->time_zone, b->time_zone) &&
		a->overlap == b->overlap && a->missed == b->missed &&
		a->starting_deadline_ns == b->starting_deadline_ns && a->jitter_ns == b->jitter_ns &&
		a->timeout_ns == b->timeout_ns && same_retry(&a->retry, &b->retry) &&
		a->on_interrupt == b->on_interrupt && same_list(a->probe, a->n_probe, b->probe, b->n_probe) &&
		a->probe_timeout_ns == b->probe_timeout_ns &&
		a->pause_on_failure == b->pause_on_failure && same_text(a->id, b->id) && same_steps(a, b) &&
		same_text(a->files, b->files) && same_text(a->baseline, b->baseline) &&
		same_list(a->runner, a->n_runner, b->runner, b->n_runner) && a->on_failure == b->on_failure;
}

/* Not StopGrace=, which matters only at the end: a running job just gets the new one. */
static bool same_job(const struct config_job *a, const struct config_job *b)
{
	return a->type == b->type && same_list(a->argv, a->argc, b->argv, b->argc) &&
		same_list(a->environment, a->n_environment, b->environment, b->n_environment) &&
		same_text(a->directory, b->directory) && a->restart == b->restart &&
		a->restart_delay_ns == b->restart_delay_ns && a->isolate == b->isolate &&
		same_text(a->user.name, b->user.name) && same_work(a, b);
}

static void drop(struct job_slot *slot, int64_t grace_ns)
{
	slot->leaving = true;
	slot_stop(slot, grace_ns);
}

/* What can change while it goes on: a service uses it from now on. A run keeps what it began with, and all it
 * points to; what does not run begins anew with the new definition, at no cost. */
static bool goes_on(struct job_slot *slot, const struct config_job *job)
{
	const struct config_job *old = slot->job;

	if (job->type == CONFIG_JOB_SERVICE) {
		slot->job = slot->service.job = job;
		return true;
	}
	if (old->stop_grace_ns == job->stop_grace_ns && old->history_ok == job->history_ok &&
		old->history_failed == job->history_failed && old->output_tail == job->output_tail)
		return true;
	if (alive(slot))
		log_warning("reload", "%s: runs: its new definition takes effect at the next reload or start",
			job->name);
	return alive(slot);
}

static void take_job(struct jobs *j, const struct config_job *job)
{
	struct job_slot *old = slot_named(j, job->name, false), *slot;

	if (old && same_job(old->job, job) && goes_on(old, job))
		return;
	if (old)
		drop(old, j->config->timing.stop_grace_ns);
	slot = slot_new(j, job);
	if (slot)
		lead_one(j, slot);
	else
		log_err("reload", "%s: out of memory: not started", job->name);
}

static bool is_in(const struct config *config, const char *name)
{
	for (size_t i = 0; i < config->n_jobs; i++)
		if (strcmp(config->jobs[i].name, name) == 0)
			return true;
	return false;
}

bool jobs_know(const struct jobs *j, const char *name)
{
	for (const struct job_slot *slot = j->slots; slot; slot = slot->next)
		if (strcmp(slot->job->name, name) == 0)
			return true;
	return false;
}

int jobs_reload(struct jobs *j, struct config *fresh)
{
	struct retired *retired = calloc(1, sizeof(*retired));
	struct config_job *jobs = fresh->jobs;
	size_t n = fresh->n_jobs;

	if (!retired)
		return -ENOMEM;
	fresh->jobs = j->config->jobs;
	fresh->n_jobs = j->config->n_jobs;
	j->config->jobs = jobs;
	j->config->n_jobs = n;
	retired->config = *fresh;
	retired->next = j->retired;
	j->retired = retired;
	memset(fresh, 0, sizeof(*fresh));
	for (struct job_slot *slot = j->slots; slot; slot = slot->next)
		if (!slot->leaving && !is_in(j->config, slot->job->name))
			drop(slot, j->config->timing.stop_grace_ns);
	for (size_t i = 0; i < n; i++)
		take_job(j, &jobs[i]);
	sweep(j);
	return 0;
}
