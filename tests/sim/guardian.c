/* The guardian and its job. It holds the absolute deadline that the agent's proofs move: SIGTERM at
 * D - K - G, SIGKILL at D - K, by whichever of its clocks is first; the job is dead within K.
 * Should the guardian itself be stopped, the kernel's fuse kills it at D - K/4, and its job
 * follows. */
#include "sim.h"

#include <string.h>

static int64_t elapsed(const struct node *n, struct once_instant t)
{
	return once_elapsed_max(t, node_now(n));
}

/* Global time when the first of the clocks has gained span since t. */
static int64_t when(const struct node *n, struct once_instant t, int64_t span)
{
	struct once_instant now = node_now(n);
	int64_t boot = node_after(n, &n->boot, span - (now.boot_ns - t.boot_ns));
	int64_t raw = node_after(n, &n->raw, span - (now.raw_ns - t.raw_ns));

	return boot < raw ? boot : raw;
}

static void arm(struct node *n, int64_t at)
{
	struct guardian *g = &n->guardian;

	if (at >= g->timer_at)
		return;
	g->timer_at = at;
	sim_at(n->sim, at, EVENT_GUARDIAN, n->index, 0, 0, 0);
}

/* ---- the job ---- */

static void dies_at(struct node *n, int64_t at)
{
	struct guardian *g = &n->guardian;

	if (at >= g->dies_at)
		return;
	g->dies_at = at;
	sim_at(n->sim, at, EVENT_JOB_DEAD, n->index, 0, g->job_gen, at);
}

static void terminate(struct node *n)
{
	struct sim *s = n->sim;
	struct guardian *g = &n->guardian;

	g->job = JOB_TERMINATED;
	if (sim_chance(s, s->knobs.obey_ppm))
		dies_at(n, s->now + sim_range(s, s->knobs.obey_min, s->knobs.obey_max));
}

/* K is for the whole of it, a guardian that woke up late included: its job is dead by D. */
static void kill_job(struct node *n)
{
	struct sim *s = n->sim;
	struct guardian *g = &n->guardian;
	int64_t budget = when(n, node_now(n), s->profile.kill) - s->now;
	int64_t left = when(n, g->order.proved, s->profile.fence_after) - s->now;

	if (g->job == JOB_NONE || g->job == JOB_KILLED)
		return;
	g->job = JOB_KILLED;
	budget = left < budget ? left : budget;
	dies_at(n, s->now + budget / 1000 * sim_range(s, s->knobs.kill_min, s->knobs.kill_max));
}

static void buried(struct node *n)
{
	struct sim *s = n->sim;
	struct guardian *g = &n->guardian;

	trace(s, n, "job %lld is dead", (long long)g->job_token);
	s->stats->job_time += s->now - g->job_since;
	g->job = JOB_NONE;
	g->job_gen++;
	g->dies_at = INT64_MAX;
}

void guardian_dead(struct node *n)
{
	buried(n);
	guardian_step(n);
}

void guardian_exit(struct node *n)
{
	if (n->guardian.job != JOB_RUNNING)
		return;
	trace(n->sim, n, "job %lld exits", (long long)n->guardian.job_token);
	guardian_dead(n);
}

static bool may_run(const struct node *n)
{
	const struct guardian *g = &n->guardian;
	const struct sim_profile *p = &n->sim->profile;

	return n->agent && g->order.lead && !g->order.stop &&
	       elapsed(n, g->order.proved) < p->fence_after - p->kill - p->grace;
}

void guardian_launch(struct node *n)
{
	struct sim *s = n->sim;
	struct guardian *g = &n->guardian;

	g->launching = false;
	if (g->paused || g->job != JOB_NONE || !n->up)
		return;
	if (!may_run(n)) {
		guardian_step(n);
		return;
	}
	g->job = JOB_RUNNING;
	g->job_token = g->order.token;
	g->job_since = s->now;
	g->dies_at = INT64_MAX;
	s->stats->launches++;
	trace(s, n, "job %lld starts", (long long)g->job_token);
	check_launch(n);
	if (s->knobs.snatch && s->phase == PHASE_CHAOS && sim_chance(s, 300000))
		sim_at(s, s->now + sim_range(s, 0, s->profile.timeout), EVENT_SNATCH, n->index, 0,
			0, 0);
	if (sim_chance(s, s->knobs.exit_ppm))
		sim_at(s, s->now + sim_range(s, 0, s->knobs.exit_max), EVENT_JOB_EXIT, n->index, 0,
			g->job_gen, 0);
	guardian_step(n);
}

/* ---- the deadline ---- */

static void watch_running(struct node *n)
{
	struct guardian *g = &n->guardian;
	const struct sim_profile *p = &n->sim->profile;
	int64_t hard = p->fence_after - p->kill, soft = hard - p->grace;

	if (g->job == JOB_RUNNING &&
		(g->order.stop || !n->agent || elapsed(n, g->order.proved) >= soft)) {
		trace(n->sim, n, "job %lld: SIGTERM", (long long)g->job_token);
		terminate(n);
	}
	if (!n->agent || elapsed(n, g->order.proved) >= hard ||
		(g->order.stop && elapsed(n, g->order.stop_at) >= g->order.grace)) {
		if (g->job == JOB_TERMINATED) {
			trace(n->sim, n, "job %lld: SIGKILL", (long long)g->job_token);
			n->sim->stats->guardian_kills++;
		}
		kill_job(n);
	}
	if (g->job == JOB_RUNNING)
		arm(n, when(n, g->order.proved, soft));
	if (g->job == JOB_RUNNING || g->job == JOB_TERMINATED) {
		arm(n, when(n, g->order.proved, hard));
		if (g->order.stop)
			arm(n, when(n, g->order.stop_at, g->order.grace));
	}
}

static void nothing_runs(struct node *n)
{
	struct sim *s = n->sim;
	struct guardian *g = &n->guardian;

	if (n->respawning && !n->agent) {
		n->respawning = false;
		sim_at(s, s->now + sim_range(s, s->knobs.respawn_min, s->knobs.respawn_max),
			EVENT_START, n->index, n->gen, 0, 0);
	} else if (n->agent && g->order.lead && g->order.stop && !g->told_dead) {
		g->told_dead = true;
		sim_at(s, s->now + sim_range(s, s->knobs.proof_min, s->knobs.proof_max),
			EVENT_WORK_DEAD, n->index, n->gen, 0, g->order.token);
	} else if (may_run(n) && !g->launching) {
		g->launching = true;
		sim_at(s, s->now + sim_range(s, s->knobs.launch_min, s->knobs.launch_max),
			EVENT_LAUNCH, n->index, 0, g->job_gen, 0);
	}
}

/* Looks at everything; called at each order, timer and death. */
void guardian_step(struct node *n)
{
	struct guardian *g = &n->guardian;

	if (g->paused || !n->up)
		return;
	if (g->inbox.token != g->order.token || !g->order.lead)
		g->told_dead = false;
	g->order = g->inbox;
	if (g->job != JOB_NONE)
		watch_running(n);
	else
		nothing_runs(n);
}

void guardian_agent_gone(struct node *n)
{
	guardian_step(n);
}

void guardian_pause(struct node *n)
{
	struct guardian *g = &n->guardian;
	const struct sim_profile *p = &n->sim->profile;
	int64_t span = p->fence_after - p->kill / 4;

	if (g->paused || !n->up)
		return;
	g->paused = true;
	span -= node_now(n).boot_ns - g->order.proved.boot_ns;
	if (g->job != JOB_NONE)
		sim_at(n->sim, node_after(n, &n->boot, span), EVENT_FUSE, n->index, 0, g->job_gen,
			g->order.token);
}

void guardian_resume(struct node *n)
{
	n->guardian.paused = false;
	guardian_step(n);
}

/* On CLOCK_BOOTTIME alone, which is what a kernel timer can be set on. */
void guardian_fuse(struct node *n, int64_t token)
{
	struct sim *s = n->sim;
	struct guardian *g = &n->guardian;
	int64_t span = s->profile.fence_after - s->profile.kill / 4;
	int64_t left = span - (node_now(n).boot_ns - g->order.proved.boot_ns);

	if (!g->paused || g->order.token != token || g->job == JOB_NONE)
		return;
	if (left > 0) { /* the clock was slewed since */
		sim_at(s, node_after(n, &n->boot, left), EVENT_FUSE, n->index, 0, g->job_gen,
			token);
		return;
	}
	s->stats->fuses++;
	trace(s, n, "the fuse kills the guardian");
	node_crash(n, false, sim_range(s, s->knobs.restart_min, s->knobs.restart_max));
}

void guardian_power_off(struct node *n)
{
	struct guardian *g = &n->guardian;

	if (g->job != JOB_NONE)
		buried(n);
	memset(&g->inbox, 0, sizeof(g->inbox));
	memset(&g->order, 0, sizeof(g->order));
	g->paused = g->launching = g->told_dead = false;
	g->timer_at = INT64_MAX;
}
