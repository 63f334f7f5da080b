/* One group on this node. See group.h. */
#include "daemon/group.h"

#include "daemon/events.h"
#include "daemon/groups.h"
#include "daemon/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the event ring's dumps ---- */

static int write_events(const void *userdata, int fd)
{
	return once_elector_dump(userdata, fd);
}

/* One who loses leadership against its will leaves what led to that, once a term. */
static void dump_lost(struct group *g, int64_t token, enum once_stop_reason reason)
{
	bool abnormal = reason == ONCE_STOP_DEADLINE || reason == ONCE_STOP_LOST;

	if (!abnormal || !g->is_default || token == g->dumped || events_path()[0] == '\0')
		return;
	g->dumped = token;
	groups_dump_events("leadership lost");
}

/* ---- what is said of it ---- */

/* Until left, what is logged carries the group. */
static void enter(const struct group *g)
{
	char text[24];
	long long token = g->elector ? (long long)once_elector_token(g->elector) : 0;

	(void)snprintf(text, sizeof(text), "%lld", token);
	(void)log_field("ONCED_TOKEN", token ? text : NULL);
	(void)log_field("ONCED_GROUP", g->name);
}

static void leave(const struct group *g)
{
	if (!g->is_default)
		enter(g->groups->first);
}

/* ---- what the jobs say ---- */

static int64_t may_launch_ns(void *userdata)
{
	const struct group *g = userdata;
	return g->elector ? once_elector_may_launch_ns(g->elector) : 0;
}

static uint64_t next_run(void *userdata)
{
	struct group *g = userdata;
	return ++g->groups->runs;
}

static void on_job_finished(void *userdata, int code)
{
	struct group *g = userdata;
	g->groups->owner->finished(g->groups->owner->userdata, code);
}

static void on_job_stopped(void *userdata, int code, bool by_itself)
{
	struct group *g = userdata;
	g->groups->owner->stopped(g->groups->owner->userdata, code, by_itself);
}

static void on_all_stopped(void *userdata)
{
	struct group *g = userdata;

	if (g->elector)
		once_elector_stopped(g->elector);
	if (g->is_default)
		g->groups->owner->all_stopped(g->groups->owner->userdata);
}

static void on_handover(void *userdata, const char *to, const struct once_handover *handover)
{
	struct group *g = userdata;
	int r;

	if (!g->elector)
		return;
	if (handover->stay_away_s > 0) {
		once_elector_stay_away(g->elector, handover->stay_away_s * ONCE_NSEC_PER_SEC);
		away_check(&g->away);
	}
	r = once_elector_resign(g->elector, to);
	if (r < 0)
		log_warning("handover", "cannot give leadership away now: %s", strerror(-r));
}

static void on_ran(void *userdata, const char *job, const char *item, const struct once_run *run)
{
	struct group *g = userdata;
	window_ran(g->groups->window, job, item, run);
}

/* One that leads was asked for by name since, or is about to hear that it is to stop. */
static void on_away(void *userdata, int64_t left_ns)
{
	struct group *g = userdata;

	g->away_ns = left_ns;
	if (g->elector && (left_ns < 0 || once_elector_token(g->elector) == 0))
		once_elector_stay_away(g->elector, left_ns);
}

/* ---- what the elector says ---- */

static void on_lead(void *userdata, int64_t token, struct once_instant proved)
{
	struct group *g = userdata;

	enter(g);
	g->groups->owner->led(g->groups->owner->userdata);
	window_lead(g->groups->window, g->shown);
	jobs_lead(&g->jobs, &(struct launch_term){token, proved, g->why, g->number});
	leave(g);
}

void group_extend(struct group *g)
{
	int r = uplink_extend(g->groups->uplink, &g->extend);

	g->owes_extend = r == -EAGAIN;
	if (g->owes_extend)
		groups_owe(g->groups);
}

static void on_extend(void *userdata, int64_t token, struct once_instant proved)
{
	struct group *g = userdata;
	const struct once_timing *t = &g->config.timing;

	if (uplink_guardian_silent_ns(g->groups->uplink) > 2 * t->beat_interval_ns + t->kill_budget_ns)
		g->groups->owner->guardian_silent(g->groups->owner->userdata);
	g->extend = (struct link_extend){.type = LINK_EXTEND, .group = g->number, .token = token,
		.proved = proved, .valid_ns = t->fence_after_ns, .grace_ns = t->stop_grace_ns,
		.kill_ns = t->kill_budget_ns};
	group_extend(g);
	jobs_extend(&g->jobs, proved);
	window_proof(g->groups->window, g->shown, token, proved);
}

static void on_stop(void *userdata, int64_t token, enum once_stop_reason reason, int64_t grace_ns)
{
	struct group *g = userdata;

	enter(g);
	jobs_stop(&g->jobs, grace_ns);
	window_stop(g->groups->window, g->shown, reason);
	dump_lost(g, token, reason);
	leave(g);
}

static void on_log(void *userdata, enum once_log_level level, const char *event, const char *text)
{
	struct group *g = userdata;

	if (strcmp(event, "seized") == 0 || strcmp(event, "recovered") == 0)
		g->why = event;
	window_event(g->groups->window, event);
	if (g->is_default) {
		log_at(level, event, "%s", text);
		return;
	}
	if (strcmp(event, "following") == 0)
		level = ONCE_LOG_DEBUG; /* of hundreds it is no news */
	enter(g);
	log_at(level, event, "group %s: %s", g->name, text);
	leave(g);
}

static void on_state(void *userdata, enum once_elector_state state, const char *leader)
{
	struct group *g = userdata;

	g->elected = state;
	if (state == ONCE_ELECTOR_FOLLOWING)
		g->why = "elected";
	if (g->is_default)
		enter(g); /* its token is in every line */
	window_state(g->groups->window, g->shown, state, leader, once_elector_token(g->elector),
		once_elector_leader_token(g->elector));
	groups_state(g->groups, g, leader);
}

static void on_save(void *userdata, const void *data, size_t size)
{
	struct group *g = userdata;
	int r = state_save(&g->state, &g->groups->state_owner, data, size);

	if (r < 0)
		log_warning("state-file", "%s: %s: a restart will wait longer", g->state.path,
			strerror(-r));
}

static void on_stopped(void *userdata, int error)
{
	struct group *g = userdata;

	if (g->is_default)
		events_source(NULL, NULL);
	g->elector = once_elector_free(g->elector);
	groups_ended(g->groups, g, error);
}

/* ---- what the guardian says ---- */

bool group_packet(struct group *g, const void *packet, uint32_t type)
{
	bool taken;

	enter(g);
	taken = jobs_packet(&g->jobs, packet, type);
	leave(g);
	return taken;
}

/* ---- start ---- */

/* What an earlier process saved of its term, if its work is dead for certain. Then it is saved as ours: the
 * next guardian proves of this one alone what lives. */
static size_t recover(struct group *g, bool fresh, char recovered[STATE_DATA_MAX])
{
	const struct state_owner *owner = &g->groups->state_owner;
	size_t size = fresh ? state_load(&g->state, owner, recovered) : 0;

	(void)state_save(&g->state, owner, recovered, size);
	return size;
}

int group_start(struct group *g, bool fresh)
{
	static const struct once_elector_callbacks callbacks = {
		.on_lead = on_lead,
		.on_extend = on_extend,
		.on_stop = on_stop,
		.on_log = on_log,
		.on_state = on_state,
		.on_save = on_save,
		.on_stopped = on_stopped,
	};
	char recovered[STATE_DATA_MAX], message[256];
	struct once_elector_config config = {
		.key = g->key,
		.value = g->config.value,
		.prefix = g->config.prefix,
		.group = g->name,
		.node = g->config.node,
		.address = g->config.address,
		.timing = g->config.timing,
		.recovered = recovered,
		.record = g->is_default,
	};
	int r;

	config.recovered_size = recover(g, fresh, recovered);
	config.recovered_empty = config.recovered_size != 0;
	g->why = "elected";
	r = g->groups->node
		? once_elector_new_on(&g->elector, g->groups->node, &config, &callbacks, g, message,
			  sizeof(message))
		: once_elector_new(&g->elector, g->groups->client, g->groups->loop, &config, &callbacks,
			  g, message, sizeof(message));
	if (r < 0) {
		log_err("election", "%s", message);
		return r;
	}
	if (g->is_default)
		events_source(write_events, g->elector);
	if (g->groups->suspended)
		once_elector_suspend(g->elector);
	r = once_elector_start(g->elector);
	/* Nothing is claimed before it is known whether this node may, unless that takes too long. */
	if (r == 0 && !g->away.known)
		once_elector_stay_away(g->elector, g->config.timing.request_timeout_ns);
	else if (r == 0 && g->away_ns > 0)
		once_elector_stay_away(g->elector, g->away_ns);
	return r;
}

int group_connect(struct group *g)
{
	int r = jobs_connect(&g->jobs, g->groups->client, &g->groups->feed);

	if (r == 0)
		r = away_init(&g->away, g->groups->client, g->groups->loop, g->config.prefix, g->name,
			g->config.node, on_away, g);
	if (r < 0)
		return r;
	if (!g->is_default)
		g->away.lane = ONCE_LANE_BULK;
	away_check(&g->away);
	return 0;
}

/* ---- life ---- */

struct group *group_new(struct groups *groups, const char *name, uint32_t number, struct config *config)
{
	struct group *g = calloc(1, sizeof(*g));
	struct config jobs;

	if (!g)
		return NULL;
	g->groups = groups;
	g->number = number;
	g->is_default = number == 0;
	g->elected = ONCE_ELECTOR_FOLLOWING;
	g->name = strdup(name);
	if (asprintf(&g->key, "%s%s%s", groups->config->key, g->is_default ? "" : "/",
		    g->is_default ? "" : name) < 0)
		g->key = NULL;
	if (!g->name || !g->key || config_take_group(config, name, &jobs) < 0)
		return group_free(g);
	g->config = *groups->config;
	g->config.key = g->key;
	g->config.group = g->name;
	g->config.jobs = jobs.jobs;
	g->config.n_jobs = jobs.n_jobs;
	state_init(&g->state, groups->runtime_dir, groups->instance, g->is_default ? NULL : name);
	g->jobs_owner = (struct jobs_owner){g, on_job_finished, on_job_stopped, on_all_stopped,
		may_launch_ns, on_handover, on_ran, next_run};
	if (jobs_init(&g->jobs, &g->config, &g->jobs_owner, groups->uplink, groups->loop) < 0)
		return group_free(g);
	return g;
}

struct group *group_free(struct group *g)
{
	struct config jobs = {0};

	if (!g)
		return NULL;
	if (g->jobs.loop)
		jobs_fini(&g->jobs);
	away_fini(&g->away);
	if (g->is_default)
		events_source(NULL, NULL);
	g->elector = once_elector_free(g->elector);
	jobs.jobs = g->config.jobs;
	jobs.n_jobs = g->config.n_jobs;
	config_free(&jobs);
	free(g->name);
	free(g->key);
	free(g);
	return NULL;
}
