/* The heap of events, their dispatch, and the phases of a schedule: chaos, then healed (a leader
 * must work within a bound), then the end (every node told to stop must end, and leave no key
 * behind). */
#include "sim.h"

#include <stddef.h>
#include <string.h>

const struct sim_profile sim_profiles[3] = {
	{"fast", 3 * SEC, 1500 * MSEC, 150 * MSEC, 300 * MSEC, 300 * MSEC, 200 * MSEC, MSEC / 5,
		2 * MSEC},
	{"normal", 10 * SEC, 6 * SEC, SEC, 900 * MSEC, 2 * SEC, 500 * MSEC, MSEC / 5, 2 * MSEC},
	{"wan", 30 * SEC, 20 * SEC, 3 * SEC, 3 * SEC, 5 * SEC, SEC, 20 * MSEC, 80 * MSEC},
};

/* ---- events ---- */

static bool before(const struct sim_event *a, const struct sim_event *b)
{
	return a->at != b->at ? a->at < b->at : a->seq < b->seq;
}

void sim_at(struct sim *s, int64_t at, enum sim_event_kind kind, unsigned node, uint32_t gen,
	uint32_t x, int64_t arg)
{
	struct sim_event ev = {at < s->now ? s->now : at, s->seq++, kind, node, gen, x, arg};
	unsigned i = s->n_heap;

	if (i == SIM_HEAP) {
		check_violation(s, "simulator: the heap is full");
		return;
	}
	s->n_heap++;
	for (unsigned up; i > 0 && before(&ev, &s->heap[up = (i - 1) / 2]); i = up)
		s->heap[i] = s->heap[up];
	s->heap[i] = ev;
}

static struct sim_event next_event(struct sim *s)
{
	struct sim_event ret = s->heap[0], last = s->heap[--s->n_heap];
	unsigned i = 0, down;

	while ((down = 2 * i + 1) < s->n_heap) {
		if (down + 1 < s->n_heap && before(&s->heap[down + 1], &s->heap[down]))
			down++;
		if (!before(&s->heap[down], &last))
			break;
		s->heap[i] = s->heap[down];
		i = down;
	}
	s->heap[i] = last;
	return ret;
}

/* ---- phases ---- */

static int64_t leader_bound(const struct sim *s)
{
	const struct sim_profile *p = &s->profile;

	/* a reservation and a resigned node's standing back take 10 s each */
	return 2 * p->ttl + p->fence_after * 11 / 10 * 4 + 20 * SEC + 10 * p->timeout +
	       s->knobs.restart_max;
}

static bool leader_works(const struct sim *s)
{
	for (unsigned i = 0; i < s->n_nodes; i++)
		if (s->nodes[i].guardian.job == JOB_RUNNING)
			return s->now - s->nodes[i].guardian.job_since >= s->profile.fence_after &&
			       s->now - s->alive_since >= s->profile.fence_after;
	return false;
}

static bool all_ended(const struct sim *s)
{
	for (unsigned i = 0; i < s->n_nodes; i++)
		if (s->nodes[i].agent || s->nodes[i].guardian.job != JOB_NONE)
			return false;
	return true;
}

static void phase_ending(struct sim *s)
{
	const struct sim_profile *p = &s->profile;

	s->phase = PHASE_ENDING;
	s->phase_by = s->now + (p->grace + p->kill + 6 * p->timeout) * 11 / 10 + SEC;
	for (unsigned i = 0; i < s->n_nodes; i++)
		node_stop(&s->nodes[i]);
}

static void phase_step(struct sim *s)
{
	switch (s->phase) {
	case PHASE_CHAOS:
		s->phase = PHASE_HEALED;
		s->phase_by = s->now + leader_bound(s);
		s->alive_since = s->now;
		nemesis_heal(s);
		break;
	case PHASE_HEALED:
		for (unsigned i = 0; i < s->n_nodes; i++)
			node_wake(&s->nodes[i]); /* one may have been on its way out */
		if (leader_works(s))
			phase_ending(s);
		else if (s->now > s->phase_by)
			check_violation(s, "liveness: nobody works %.1f s after all faults ended",
				(double)(s->now - s->alive_since) / SEC);
		break;
	case PHASE_ENDING:
		if (all_ended(s)) {
			s->phase = PHASE_DONE;
			if (s->etcd.state.leader.create != 0)
				check_violation(
					s, "liveness: all nodes ended and the key is still there");
		} else if (s->now > s->phase_by) {
			check_violation(s, "liveness: a node that was told to stop does not end");
		}
		break;
	case PHASE_DONE:
		return;
	}
	sim_at(s, s->now + s->profile.beat * 2, EVENT_PHASE, 0, 0, 0, 0);
}

/* ---- dispatch ---- */

static void dispatch_agent(struct sim *s, const struct sim_event *ev)
{
	struct node *n = &s->nodes[ev->node];

	if (!node_takes(n, ev))
		return;
	switch (ev->kind) {
	case EVENT_TICK:
		node_tick(n, ev->x);
		break;
	case EVENT_TIMEOUT:
		net_timeout(n, ev->x);
		break;
	case EVENT_WATCH:
		net_watch(n, ev);
		break;
	case EVENT_UNWATCHED:
		net_unwatched(n, ev->x);
		break;
	case EVENT_WORK_DEAD:
		node_work_dead(n, ev->arg);
		break;
	case EVENT_HISTORY:
		history_check(n);
		break;
	default:
		break;
	}
}

static void dispatch_guardian(struct sim *s, const struct sim_event *ev)
{
	struct node *n = &s->nodes[ev->node];
	struct guardian *g = &n->guardian;
	bool same = ev->x == g->job_gen && g->job != JOB_NONE;

	switch (ev->kind) {
	case EVENT_START:
		if (ev->gen != n->gen)
			break;
		if (g->paused) {
			sim_at(s, s->now + 100 * MSEC, EVENT_START, ev->node, ev->gen, 0, 0);
			break;
		}
		n->up = true;
		if (!n->wanted)
			break;
		if (g->job == JOB_NONE)
			node_start(n);
		else
			n->respawning = true; /* once it is dead */
		break;
	case EVENT_GUARDIAN:
		if (ev->at != g->timer_at)
			break;
		g->timer_at = INT64_MAX;
		guardian_step(n);
		break;
	case EVENT_LAUNCH:
		guardian_launch(n);
		break;
	case EVENT_JOB_DEAD:
		if (same && ev->arg == g->dies_at)
			guardian_dead(n);
		break;
	case EVENT_JOB_EXIT:
		if (same)
			guardian_exit(n);
		break;
	case EVENT_FUSE:
		if (same)
			guardian_fuse(n, ev->arg);
		break;
	default:
		break;
	}
}

static void dispatch(struct sim *s, const struct sim_event *ev)
{
	struct node *n = &s->nodes[ev->node];

	switch (ev->kind) {
	case EVENT_TICK:
	case EVENT_TIMEOUT:
	case EVENT_WATCH:
	case EVENT_UNWATCHED:
	case EVENT_WORK_DEAD:
	case EVENT_HISTORY:
		dispatch_agent(s, ev);
		break;
	case EVENT_ARRIVE:
		net_arrive(s, ev->x);
		break;
	case EVENT_REPLY:
		net_reply(s, ev);
		break;
	case EVENT_LEASE:
		etcd_lease_check(s, ev->x);
		break;
	case EVENT_RESERVE:
		etcd_reserve_check(s);
		break;
	case EVENT_SNATCH:
		fault_end(s, FAULT_SNATCH, n);
		break;
	case EVENT_NEMESIS:
		nemesis_step(s);
		break;
	case EVENT_FAULT_END:
		if (ev->gen == 0 || s->phase == PHASE_CHAOS)
			fault_end(s, (enum fault)ev->x, n);
		break;
	case EVENT_SCRIPT:
		script_step(s, ev->x);
		break;
	case EVENT_PHASE:
		phase_step(s);
		break;
	default:
		dispatch_guardian(s, ev);
		break;
	}
}

void sim_next(struct sim *s)
{
	struct sim_event ev = next_event(s);

	s->now = ev.at;
	s->stats->events++;
	dispatch(s, &ev);
}

/* Of the jobs that are dead, and of those that live. */
int64_t sim_job_time(const struct sim *s)
{
	int64_t ret = s->stats->job_time;

	for (unsigned i = 0; i < s->n_nodes; i++)
		if (s->nodes[i].guardian.job != JOB_NONE)
			ret += s->now - s->nodes[i].guardian.job_since;
	return ret;
}

void sim_run(struct sim *s)
{
	while (s->n_heap > 0 && !s->violated && s->phase != PHASE_DONE)
		sim_next(s);
	s->stats->virtual_time += s->now;
	s->stats->job_time = sim_job_time(s);
}

void sim_init(struct sim *s, uint64_t seed, const struct sim_profile *profile, unsigned nodes,
	struct sim_stats *stats)
{
	memset(s, 0, offsetof(struct sim, nodes));
	s->phase = PHASE_CHAOS;
	s->phase_by = s->alive_since = 0;
	s->script = NULL;
	s->last_token = s->cleaned = 0;
	s->n_ready = s->n_heap = 0;
	s->violated = false;
	s->hash = UINT64_C(0xcbf29ce484222325);
	s->seed = seed;
	s->profile = *profile;
	s->n_nodes = nodes;
	s->stats = stats;
	prng_init(&s->prng, seed);
	net_calm(s);
	etcd_init(s);
	for (unsigned i = 0; i < nodes; i++)
		node_init(s, i);
}

void sim_schedule(struct sim *s, const struct sim_options *options)
{
	knobs_draw(s, options);
	for (unsigned i = 0; i < s->n_nodes; i++)
		sim_at(s, sim_range(s, 0, options->start), EVENT_START, i, 0, 0, 0);
	if (s->knobs.faults != 0)
		sim_at(s, sim_range(s, SEC, 5 * SEC), EVENT_NEMESIS, 0, 0, 0, 0);
	sim_at(s, options->seconds * SEC, EVENT_PHASE, 0, 0, 0, 0);
	sim_run(s);
}
