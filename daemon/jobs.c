/* The set of services. A job is never run twice on one node either: a changed definition waits until
 * the last process of the old one is dead. */
#include "daemon/jobs.h"

#include "daemon/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct job_slot {
	struct job_slot *next;
	struct service service;
	bool leaving; /* a reload dropped it */
};

struct retired {
	struct retired *next;
	struct config config;
};

/* ---- the list ---- */

static bool alive(const struct job_slot *slot)
{
	return slot->service.state != SERVICE_IDLE;
}

static struct job_slot *slot_new(struct jobs *j, const struct config_job *job)
{
	struct job_slot *slot = calloc(1, sizeof(*slot)), **end = &j->slots;

	if (!slot)
		return NULL;
	if (service_init(&slot->service, j->config, job, &j->service_owner, j->uplink, j->loop) < 0) {
		free(slot);
		return NULL;
	}
	while (*end)
		end = &(*end)->next;
	*end = slot;
	return slot;
}

static void slot_free(struct job_slot *slot)
{
	service_fini(&slot->service);
	free(slot);
}

static struct job_slot *slot_named(struct jobs *j, const char *name, bool leaving)
{
	for (struct job_slot *slot = j->slots; slot; slot = slot->next)
		if (slot->leaving == leaving && strcmp(slot->service.job->name, name) == 0)
			return slot;
	return NULL;
}

static void lead_one(struct jobs *j, struct job_slot *slot)
{
	if (j->term.token != 0 && !slot->leaving && !slot_named(j, slot->service.job->name, true))
		service_lead(&slot->service, &j->term);
}

/* Frees what a reload dropped and what has died since; lets the successors of those start. */
static void sweep(struct jobs *j)
{
	struct job_slot **at = &j->slots, *slot;
	bool leaving = false;

	while ((slot = *at)) {
		if (!slot->leaving || alive(slot)) {
			leaving |= slot->leaving;
			at = &slot->next;
			continue;
		}
		*at = slot->next;
		struct job_slot *successor = slot_named(j, slot->service.job->name, false);
		slot_free(slot);
		if (successor)
			lead_one(j, successor);
	}
	while (!leaving && j->retired) {
		struct retired *r = j->retired;
		j->retired = r->next;
		config_free(&r->config);
		free(r);
	}
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
	return ++j->runs;
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

/* ---- what the agent asks ---- */

int jobs_init(struct jobs *j, struct config *config, const struct jobs_owner *owner,
	struct uplink *uplink, struct once_loop *loop)
{
	memset(j, 0, sizeof(*j));
	j->config = config;
	j->owner = owner;
	j->uplink = uplink;
	j->loop = loop;
	j->service_owner = (struct service_owner){j, on_finished, on_stopped, next_run, may_launch_ns};
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
}

void jobs_lead(struct jobs *j, const struct service_term *term)
{
	j->term = *term;
	for (struct job_slot *slot = j->slots; slot; slot = slot->next)
		lead_one(j, slot);
}

void jobs_extend(struct jobs *j, struct once_instant proved)
{
	if (j->term.token == 0)
		return;
	j->term.proved = proved;
	for (struct job_slot *slot = j->slots; slot; slot = slot->next)
		service_extend(&slot->service, proved);
}

void jobs_stop(struct jobs *j, int64_t grace_ns)
{
	j->term.token = 0;
	j->stopping = true;
	for (struct job_slot *slot = j->slots; slot; slot = slot->next)
		(void)service_stop(&slot->service, grace_ns);
	check_stopped(j);
}

void jobs_packet(struct jobs *j, const void *packet, uint32_t type)
{
	const struct link_started *started = packet;
	const struct link_refused *refused = packet;
	const struct link_ended *ended = packet;
	const struct link_empty *empty = packet;
	uint64_t run = type == LINK_STARTED ? started->run
		: type == LINK_REFUSED	    ? refused->run
		: type == LINK_ENDED	    ? ended->run
					    : empty->run;
	struct job_slot *slot = j->slots;

	while (slot && (slot->service.run != run || !alive(slot)))
		slot = slot->next;
	if (!slot)
		return;
	(void)log_field("ONCED_JOB", slot->service.job->name);
	if (type == LINK_STARTED)
		service_started(&slot->service, started->pid);
	else if (type == LINK_REFUSED)
		service_refused(&slot->service, refused);
	else if (type == LINK_ENDED)
		service_exited(&slot->service, ended);
	else
		service_empty(&slot->service, empty);
	(void)log_field("ONCED_JOB", NULL);
	check_stopped(j);
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

/* Not StopGrace=, which matters only at the end: a running job just gets the new one. */
static bool same_job(const struct config_job *a, const struct config_job *b)
{
	return a->type == b->type && same_list(a->argv, a->argc, b->argv, b->argc) &&
		same_list(a->environment, a->n_environment, b->environment, b->n_environment) &&
		same_text(a->directory, b->directory) && a->restart == b->restart &&
		a->restart_delay_ns == b->restart_delay_ns && a->isolate == b->isolate;
}

static void drop(struct job_slot *slot, int64_t grace_ns)
{
	slot->leaving = true;
	(void)service_stop(&slot->service, grace_ns);
}

static void take_job(struct jobs *j, const struct config_job *job)
{
	struct job_slot *old = slot_named(j, job->name, false), *slot;

	if (old && same_job(old->service.job, job)) {
		old->service.job = job;
		return;
	}
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
		if (!slot->leaving && !is_in(j->config, slot->service.job->name))
			drop(slot, j->config->timing.stop_grace_ns);
	for (size_t i = 0; i < n; i++)
		take_job(j, &jobs[i]);
	sweep(j);
	return 0;
}
