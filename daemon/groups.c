/* The groups of this node. See groups.h. */
#include "daemon/groups.h"

#include "daemon/events.h"
#include "daemon/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* For packets that did not fit the link, and for what people are told. */
static const int64_t OWED_AFTER = 50 * ONCE_NSEC_PER_MSEC;

struct group_job {
	const char *name; /* borrowed from the group's config */
	struct group *group;
	const struct config_job *job;
};

void groups_dump_events(const char *why)
{
	int r = events_dump();

	if (r == -ENODATA)
		log_info("events", "%s: no events to dump", why);
	else if (r < 0)
		log_warning("events", "%s: cannot dump the last events: %s", why,
			r == -ENOENT ? "there is no runtime directory" : strerror(-r));
	else
		log_info("events", "%s: the last events are in %s", why, events_path());
}

/* ---- which group has which job --------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
	const struct group_job *x = a, *y = b;
	return strcmp(x->name, y->name);
}

static int index_jobs(struct groups *gs)
{
	struct group_job *jobs;
	size_t n = 0;

	for (struct group *g = gs->first; g; g = g->next)
		n += g->config.n_jobs;
	jobs = calloc(n + 1, sizeof(*jobs));
	if (!jobs)
		return -ENOMEM;
	free(gs->jobs);
	gs->jobs = jobs;
	gs->n_jobs = 0;
	for (struct group *g = gs->first; g; g = g->next)
		for (size_t i = 0; i < g->config.n_jobs; i++)
			jobs[gs->n_jobs++] = (struct group_job){
				g->config.jobs[i].name, g, &g->config.jobs[i]};
	qsort(jobs, n, sizeof(*jobs), by_name);
	return 0;
}

/* What is asked of a job that nobody here has is the default group's business. */
static struct control *control_of(void *userdata, const char *job)
{
	struct groups *gs = userdata;
	struct group_job wanted = {.name = job};
	const struct group_job *found = bsearch(&wanted, gs->jobs, gs->n_jobs, sizeof(wanted), by_name);

	return found ? &found->group->jobs.control : &gs->first->jobs.control;
}

static void on_alarm(void *userdata, struct once_bytes key)
{
	struct groups *gs = userdata;

	gs->owner->alarm(gs->owner->userdata, key);
}

/* ---- what is owed ---------------------------------------------------------------------------- */

static void tell_alarm(struct groups *gs)
{
	(void)uplink_notify(gs->uplink,
		"STATUS=ALARM: etcd is of another history; nothing runs until \"oncectl new-generation\"");
}

static void tell_status(struct groups *gs)
{
	unsigned n = 0, leading = 0;

	if (gs->suspended) {
		tell_alarm(gs);
		return;
	}
	for (const struct group *g = gs->first; g; g = g->next, n++)
		leading += g->elected == ONCE_ELECTOR_LEADING;
	(void)uplink_notify(gs->uplink, "STATUS=Leading %u of %u groups", leading, n);
}

static void on_timer(void *userdata)
{
	struct groups *gs = userdata;
	bool extends = gs->owes_extends, status = gs->owes_status;

	gs->owes_extends = gs->owes_status = false;
	for (struct group *g = gs->first; g && extends; g = g->next)
		if (g->owes_extend)
			group_extend(g);
	if (status && !gs->stopping)
		tell_status(gs);
}

static void owe(struct groups *gs, bool *what)
{
	if (!gs->owes_extends && !gs->owes_status)
		gs->loop->ops->timer_set(gs->timer, OWED_AFTER);
	*what = true;
}

void groups_owe(struct groups *gs)
{
	owe(gs, &gs->owes_extends);
}

/* ---- what the groups say --------------------------------------------------------------------- */

static void tell_state(struct groups *gs, const struct group *g, const char *leader)
{
	long long token = (long long)once_elector_token(g->elector);

	switch (g->elected) {
	case ONCE_ELECTOR_FOLLOWING:
		(void)uplink_notify(gs->uplink,
			leader[0] ? "STATUS=Following %s" : "STATUS=Following: nobody leads%s", leader);
		break;
	case ONCE_ELECTOR_WAITING:
		(void)uplink_notify(
			gs->uplink, "STATUS=Waiting (token %lld): earlier work may live", token);
		break;
	case ONCE_ELECTOR_LEADING:
		(void)uplink_notify(gs->uplink, "STATUS=Leading (token %lld)", token);
		break;
	case ONCE_ELECTOR_STOPPING:
		(void)uplink_notify(gs->uplink, "STATUS=Stopping (token %lld)", token);
		break;
	case ONCE_ELECTOR_STOPPED:
		break;
	}
}

void groups_state(struct groups *gs, const struct group *g, const char *leader)
{
	if (gs->node)
		owe(gs, &gs->owes_status);
	else if (gs->suspended && !gs->stopping)
		tell_alarm(gs);
	else
		tell_state(gs, g, leader);
	gs->owner->state(gs->owner->userdata);
}

static void drop(struct groups *gs, struct group *g)
{
	struct group **at = &gs->first;

	while (*at != g)
		at = &(*at)->next;
	*at = g->next;
	window_group_gone(gs->window, g->shown);
	(void)group_free(g);
}

void groups_ended(struct groups *gs, struct group *g, int error)
{
	if (error < 0 && gs->error == 0)
		gs->error = error;
	if (g->leaving && !gs->stopping && gs->error == 0) {
		g->leaving = false;
		if (g->config.n_jobs == 0)
			drop(gs, g);
		else
			(void)group_start(g, false); /* a later reload wants it again */
		return;
	}
	for (g = gs->first; g; g = g->next)
		if (g->elector)
			return;
	gs->owner->ended(gs->owner->userdata, gs->error);
}

/* ---- what the agent asks --------------------------------------------------------------------- */

static struct group *add(struct groups *gs, const char *name, struct config *config)
{
	struct group **end = &gs->first;
	struct group *g = group_new(gs, name, gs->first ? ++gs->last_number : 0, config);

	while (*end)
		end = &(*end)->next;
	*end = g;
	return g;
}

int groups_init(struct groups *gs, struct config *config, const struct groups_owner *owner,
	struct uplink *uplink, struct once_loop *loop, struct window *window,
	const char *runtime_dir, const char *instance)
{
	*gs = (struct groups){.config = config,
		.owner = owner,
		.uplink = uplink,
		.loop = loop,
		.window = window,
		.runtime_dir = runtime_dir,
		.instance = instance};
	gs->timer = loop->ops->timer_new(loop, on_timer, gs);
	if (!gs->timer || !add(gs, config->group, config))
		return -ENOMEM;
	while (config->n_jobs > 0)
		if (!add(gs, config->jobs[0].group, config))
			return -ENOMEM;
	return index_jobs(gs);
}

static int node_start(struct groups *gs)
{
	const struct config *c = gs->config;
	struct once_node_config config = {.key = c->key,
		.prefix = c->prefix,
		.node = c->node,
		.address = c->address,
		.timing = c->timing};
	char message[256];
	int r = once_node_new(&gs->node, gs->client, gs->loop, &config, message, sizeof(message));

	if (r < 0)
		log_err("election", "%s", message);
	return r;
}

int groups_connect(struct groups *gs, struct once_client *client)
{
	int r = feed_init(&gs->feed, gs->config, client, gs->loop, control_of, on_alarm, gs);

	gs->client = client;
	gs->feed.many = gs->first->next;
	for (struct group *g = gs->first; g && r == 0; g = g->next)
		r = group_connect(g);
	return r;
}

void groups_fini(struct groups *gs)
{
	while (gs->first) {
		struct group *g = gs->first;
		gs->first = g->next;
		(void)group_free(g);
	}
	feed_fini(&gs->feed);
	gs->node = once_node_free(gs->node);
	free(gs->jobs);
	gs->jobs = NULL;
	if (gs->timer)
		gs->loop->ops->timer_free(gs->timer);
	gs->timer = NULL;
}

int groups_start(struct groups *gs, const struct state_owner *state_owner)
{
	int r = gs->first->next ? node_start(gs) : 0;

	gs->state_owner = *state_owner;
	for (struct group *g = gs->first; g && r == 0; g = g->next)
		r = group_start(g, true);
	gs->started = r == 0;
	return r;
}

bool groups_stop(struct groups *gs)
{
	bool any = false;

	gs->stopping = true;
	for (struct group *g = gs->first; g; g = g->next) {
		any |= g->elector != NULL;
		if (g->elector)
			once_elector_stop(g->elector);
	}
	return any;
}

void groups_suspend(struct groups *gs, bool suspended)
{
	gs->suspended = suspended;
	for (struct group *g = gs->first; g; g = g->next) {
		if (g->elector && suspended)
			once_elector_suspend(g->elector);
		else if (g->elector)
			once_elector_resume(g->elector);
	}
	if (suspended && !gs->stopping)
		tell_alarm(gs);
	else if (!gs->stopping)
		(void)uplink_notify(gs->uplink, "STATUS=Following: nobody leads");
}

void groups_packet(struct groups *gs, const void *packet, uint32_t type)
{
	for (struct group *g = gs->first; g; g = g->next)
		if (g->jobs.runs != 0 && group_packet(g, packet, type))
			return;
}

int groups_jobs(const struct groups *gs, struct config *ret)
{
	ret->n_jobs = 0;
	ret->jobs = calloc(gs->n_jobs + 1, sizeof(*ret->jobs));
	if (!ret->jobs)
		return -ENOMEM;
	for (; ret->n_jobs < gs->n_jobs; ret->n_jobs++)
		ret->jobs[ret->n_jobs] = *gs->jobs[ret->n_jobs].job;
	return 0;
}

const struct group *groups_of(const struct groups *gs, uint32_t number)
{
	for (const struct group *g = gs->first; g; g = g->next)
		if (g->number == number)
			return g;
	return NULL;
}

void groups_show(struct groups *gs)
{
	for (struct group *g = gs->first; g; g = g->next)
		g->shown = window_group(gs->window, g->name);
}

void groups_refresh(const struct groups *gs)
{
	for (const struct group *g = gs->first; g; g = g->next)
		if (g->elector)
			window_seen(gs->window, g->shown, once_elector_leader_token(g->elector),
				once_elector_beat_seen(g->elector));
}

/* ---- reload ---------------------------------------------------------------------------------- */

static int reload_present(struct groups *gs, struct config *fresh)
{
	struct config part;
	int r = 0;

	for (struct group *g = gs->first; g && r == 0; g = g->next) {
		r = config_take_group(fresh, g->name, &part);
		if (r == 0)
			r = jobs_reload(&g->jobs, &part);
		if (r < 0)
			config_free(&part);
	}
	return r;
}

/* One who has only the default group has an elector that shares nothing. */
static int add_new(struct groups *gs, struct config *fresh)
{
	int r = 0;

	if (!gs->node && fresh->n_jobs > 0) {
		log_warning("reload", "%s: the first job in a group of its own (%s): the jobs of such groups run "
				      "from the next start on",
			fresh->jobs[0].name, fresh->jobs[0].group);
		return 0;
	}
	while (fresh->n_jobs > 0 && r == 0) {
		struct group *g = add(gs, fresh->jobs[0].group, fresh);

		if (g)
			g->shown = window_group(gs->window, g->name);
		r = g ? group_connect(g) : -ENOMEM;
		if (r == 0 && gs->started && !gs->stopping)
			r = group_start(g, false);
	}
	return r;
}

static void leave_empty(struct groups *gs)
{
	for (struct group *g = gs->first; g; g = g->next) {
		if (g->is_default || g->config.n_jobs > 0 || g->leaving || !g->elector)
			continue;
		log_info("reload", "group %s has no job any more: leaving it", g->name);
		g->leaving = true;
		once_elector_stop(g->elector);
	}
}

static const struct group *elsewhere(const struct groups *gs, const struct config_job *job)
{
	for (const struct group *g = gs->first; g; g = g->next)
		if (strcmp(g->name, job->group) != 0 && jobs_know(&g->jobs, job->name))
			return g;
	return NULL;
}

/* A job that comes from another group must be dead there before it begins here. */
static void hold_moved(const struct groups *gs, struct config *fresh)
{
	size_t left = 0;

	for (size_t i = 0; i < fresh->n_jobs; i++) {
		const struct group *g = elsewhere(gs, &fresh->jobs[i]);

		if (!g) {
			fresh->jobs[left++] = fresh->jobs[i];
			continue;
		}
		log_warning("reload", "%s: leaves group %s now, and begins in group %s with the next reload or start",
			fresh->jobs[i].name, g->name, fresh->jobs[i].group);
		config_job_free(&fresh->jobs[i]);
	}
	fresh->n_jobs = left;
}

int groups_reload(struct groups *gs, struct config *fresh)
{
	hold_moved(gs, fresh);
	int r = reload_present(gs, fresh);

	if (r == 0)
		r = add_new(gs, fresh);
	leave_empty(gs);
	if (index_jobs(gs) < 0)
		r = -ENOMEM;
	return r;
}
