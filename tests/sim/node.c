/* The agent: the real core and a shell that does what lib/elect does, as badly as the knobs say. */
#include "sim.h"

#include <string.h>

char node_name(const struct node *n)
{
	return (char)('a' + n->index % 26);
}

static void arm(struct node *n);

/* ---- clocks ---- */

static int64_t clock_read(const struct local_clock *c, int64_t now)
{
	int64_t passed = now - c->at;
	return c->value + passed + passed / 1000 * c->ppm / 1000;
}

struct once_instant node_now(const struct node *n)
{
	int64_t now = n->sim->now;
	struct once_instant ret = {clock_read(&n->boot, now), clock_read(&n->raw, now)};
	return ret;
}

int64_t node_after(const struct node *n, const struct local_clock *clock, int64_t duration)
{
	if (duration <= 0)
		return n->sim->now;
	if (duration > 3600 * SEC)
		duration = 3600 * SEC;
	/* rounded up, so that the clock shows it */
	return n->sim->now + duration * 1000000 / (1000000 + clock->ppm) + 2000;
}

void node_set_rates(struct node *n, int64_t boot_ppm, int64_t raw_ppm)
{
	int64_t now = n->sim->now;

	n->boot.value = clock_read(&n->boot, now);
	n->raw.value = clock_read(&n->raw, now);
	n->boot.at = n->raw.at = now;
	n->boot.ppm = boot_ppm;
	n->raw.ppm = raw_ppm;
	n->guardian.timer_at = INT64_MAX; /* its timers are set anew */
	guardian_step(n);
	guardian_fuse(n, n->guardian.order.token);
	if (n->agent)
		arm(n);
}

void node_init(struct sim *s, unsigned index)
{
	struct node *n = &s->nodes[index];

	replay_detach(n);
	memset(n, 0, sizeof(*n));
	n->sim = s;
	n->index = index;
	n->up = true;
	n->wanted = true;
	n->tick_at = n->guardian.timer_at = INT64_MAX;
	n->beat_node = ETCD_NOBODY;
	n->boot.value = sim_range(s, 1, 1000000) * SEC;
	n->raw.value = sim_range(s, 1, 1000000) * SEC;
}

/* ---- steps ---- */

static void arm(struct node *n)
{
	int64_t in = election_wake_in(&n->core, node_now(n)), at;

	n->spins = in == 0 ? n->spins + 1 : 0;
	if (n->spins > 1000)
		check_violation(
			n->sim, "%c spins in %s", node_name(n), election_role_name(n->core.role));
	if (in < 0)
		return;
	at = node_after(n, &n->boot, in);
	if (at >= n->tick_at)
		return; /* the one that is set comes first and looks again */
	n->tick_at = at;
	sim_at(n->sim, at, EVENT_TICK, n->index, n->gen, ++n->tick_gen, 0);
}

void node_tick(struct node *n, uint32_t tick_gen)
{
	struct election_event ev = {.kind = ELECTION_TICK};

	if (tick_gen != n->tick_gen)
		return; /* an earlier one was set since */
	n->tick_at = INT64_MAX;
	if (election_wake_in(&n->core, node_now(n)) == 0)
		node_step(n, &ev);
	else
		arm(n);
}

static void ended(struct node *n)
{
	n->agent = false;
	n->wanted = false;
	n->gen++;
	n->watch.open = false;
	trace(n->sim, n, "ends");
	if (n->guardian.job != JOB_NONE)
		check_violation(n->sim, "%c ended and left its job alive", node_name(n));
}

static void order(struct node *n, const struct election_action *a)
{
	struct guardian_order *in = &n->guardian.inbox;

	switch (a->kind) {
	case ELECTION_LEAD:
		memset(in, 0, sizeof(*in));
		in->token = a->token;
		in->proved = a->proved;
		in->lead = true;
		n->leading = a->token;
		check_ready(n->sim, a->token);
		break;
	case ELECTION_EXTEND:
		if (in->token == a->token)
			in->proved = a->proved;
		break;
	case ELECTION_STOP_WORK:
		in->stop_at = node_now(n);
		in->grace = a->grace;
		in->stop = true;
		break;
	default:
		break;
	}
	guardian_step(n);
}

static void perform(struct node *n, const struct election_action *a)
{
	switch (a->kind) {
	case ELECTION_LEAD:
	case ELECTION_EXTEND:
	case ELECTION_STOP_WORK:
		order(n, a);
		break;
	case ELECTION_SAVE:
		n->saved = a->saved;
		if (a->saved.token != 0 && a->saved.ready)
			check_ready(n->sim, a->saved.token);
		break;
	case ELECTION_NOTE:
		n->sim->stats->phantoms += a->note == ELECTION_NOTE_PHANTOM;
		break;
	case ELECTION_ENDED:
		ended(n);
		break;
	default:
		net_send(n, a);
		break;
	}
}

static void hash_step(
	struct node *n, const struct election_event *ev, const struct election_actions *out)
{
	struct sim *s = n->sim;

	check_hash(s, (uint64_t)s->now ^ (uint64_t)n->index << 56 ^ (uint64_t)ev->kind << 48);
	for (unsigned i = 0; i < out->n; i++)
		check_hash(s, (uint64_t)out->v[i].kind << 40 ^ (uint64_t)out->v[i].note << 32 ^
				      (uint64_t)out->v[i].op << 16 ^ (uint64_t)out->v[i].token);
	check_hash(s, (uint64_t)n->core.role);
}

void node_step(struct node *n, struct election_event *ev)
{
	struct sim *s = n->sim;
	enum election_role before = n->core.role;
	struct election_actions out;
	uint32_t gen = n->gen;

	ev->now = node_now(n);
	ring_step(n->ring, &n->core, ev, &out);
	s->stats->steps++;
	hash_step(n, ev, &out);
	check_actions(n, before, &out);
	for (unsigned i = 0; i < out.n && n->gen == gen && !s->violated; i++) {
		if (i > 0 && sim_chance(s, s->knobs.crash_midway_ppm)) {
			node_crash_agent(n);
			return;
		}
		if (s->line)
			trace_action(n, &out.v[i]);
		perform(n, &out.v[i]);
	}
	if (n->agent && n->gen == gen)
		arm(n);
}

void node_start(struct node *n)
{
	struct sim *s = n->sim;
	struct election_event ev = {.kind = ELECTION_START};

	if (n->agent || !n->up)
		return;
	n->agent = n->wanted = true;
	n->respawning = false;
	n->spins = 0;
	n->tick_at = INT64_MAX;
	n->leading = 0;
	n->beat_node = ETCD_NOBODY;
	n->watch.open = n->suspended = false;
	memset(n->ops, 0, sizeof(n->ops));
	memset(&n->guardian.inbox, 0, sizeof(n->guardian.inbox));
	memset(&n->guardian.order, 0, sizeof(n->guardian.order));
	n->config = (struct election_config){.lease_ttl = s->profile.ttl,
		.fence_after = s->profile.fence_after,
		.beat_interval = s->profile.beat,
		.request_timeout = s->profile.timeout,
		.stop_grace = s->profile.grace,
		.kill_budget = s->profile.kill,
		.drift_ppm = 100000,
		.incarnation = (uint64_t)(s->seed * 4096 + n->gen + 1) << 16 | (n->index + 1),
		.seed = s->seed * 1000003 + n->gen * 101 + n->index + 1,
		.seize = true};
	election_init(&n->core, &n->config);
	replay_attach(n);
	ev.start.recovered.token = n->saved.token;
	ev.start.recovered.lease = n->saved.lease;
	ev.start.recovered.ready = n->saved.ready;
	ev.start.recovered.dead = true;
	if (n->saved.token)
		trace(s, n, "starts; its last agent left term %lld", (long long)n->saved.token);
	else
		trace(s, n, "starts");
	node_step(n, &ev);
}

/* ---- faults ---- */

bool node_takes(struct node *n, const struct sim_event *event)
{
	if (!n->agent || event->gen != n->gen)
		return false;
	if (!n->paused)
		return true;
	if (n->n_held == NODE_HELD) {
		check_violation(n->sim, "simulator: too many events for a stopped agent");
		return false;
	}
	if (event->kind == EVENT_WATCH) /* a stream has one end: only how far it got counts */
		for (unsigned i = 0; i < n->n_held; i++)
			if (n->held[i].kind == EVENT_WATCH && n->held[i].x == event->x) {
				n->held[i].arg = event->arg;
				return false;
			}
	n->held[n->n_held].kind = event->kind;
	n->held[n->n_held].gen = event->gen;
	n->held[n->n_held].x = event->x;
	n->held[n->n_held++].arg = event->arg;
	return false;
}

void node_pause(struct node *n)
{
	n->paused = true;
}

/* All that waited is there at once; in which order an event loop takes it is its own affair. */
void node_resume(struct node *n)
{
	struct sim *s = n->sim;

	if (!n->paused)
		return;
	n->paused = false;
	while (n->n_held > 0) {
		unsigned i = (unsigned)sim_range(s, 0, n->n_held - 1);

		sim_at(s, s->now, n->held[i].kind, n->index, n->held[i].gen, n->held[i].x,
			n->held[i].arg);
		n->held[i] = n->held[--n->n_held];
	}
}

static void agent_gone(struct node *n)
{
	struct sim *s = n->sim;

	for (unsigned i = 0; i < n->n_held;
		i++) /* their messages go the normal way and are dropped */
		if (n->held[i].kind == EVENT_REPLY)
			sim_at(s, s->now, EVENT_REPLY, n->index, n->held[i].gen, n->held[i].x, 0);
	n->n_held = 0;
	n->agent = n->paused = false;
	n->gen++;
	n->watch.open = false;
	n->tick_at = INT64_MAX;
}

void node_crash_agent(struct node *n)
{
	if (!n->agent)
		return;
	trace(n->sim, n, "agent dies");
	agent_gone(n);
	n->respawning = true;
	guardian_agent_gone(n);
}

void node_crash(struct node *n, bool reboot, int64_t down)
{
	if (!n->up)
		return;
	trace(n->sim, n, reboot ? "machine goes down" : "all processes die");
	agent_gone(n);
	n->up = n->respawning = false;
	guardian_power_off(n);
	if (reboot)
		memset(&n->saved, 0, sizeof(n->saved));
	sim_at(n->sim, n->sim->now + down, EVENT_START, n->index, n->gen, 0, 0);
}

void node_stop(struct node *n)
{
	struct election_event ev = {.kind = ELECTION_STOP};

	n->wanted = false;
	n->respawning = false;
	if (!n->agent)
		return;
	trace(n->sim, n, "is told to stop");
	n->stop_since = n->sim->now;
	node_step(n, &ev);
}

/* Whoever was told to stop is wanted again. */
void node_wake(struct node *n)
{
	n->wanted = true;
	if (n->agent || n->respawning || !n->up)
		return;
	n->respawning = true;
	guardian_step(n);
}

void node_resign(struct node *n, bool to_other, unsigned target, int64_t stay_away)
{
	struct election_event ev = {.kind = ELECTION_RESIGN};

	if (!n->agent || n->paused)
		return;
	ev.resign.to_other = to_other;
	ev.resign.stay_away = stay_away;
	n->reserve_for = target;
	node_step(n, &ev);
}

/* What the shell of several groups tells a core. */
void node_event(struct node *n, struct election_event ev)
{
	if (n->agent && !n->paused)
		node_step(n, &ev);
}

void node_work_dead(struct node *n, int64_t token)
{
	struct election_event ev = {.kind = ELECTION_WORK_DEAD};

	if (n->leading != token)
		return;
	n->leading = 0;
	node_step(n, &ev);
}
