/* What goes wrong, when, and to whom. Each seed draws which faults it knows and how the network,
 * the clocks and the jobs are (a swarm), so that what is rare in one schedule is common in another.
 */
#include "sim.h"

#include <string.h>

const char *const fault_names[FAULTS] = {
	[FAULT_PARTITION] = "partition",
	[FAULT_ONE_WAY] = "one-way",
	[FAULT_PAUSE] = "pause",
	[FAULT_PAUSE_GUARDIAN] = "pause-guardian",
	[FAULT_FREEZE] = "freeze",
	[FAULT_AGENT_CRASH] = "agent-crash",
	[FAULT_NODE_CRASH] = "node-crash",
	[FAULT_REBOOT] = "reboot",
	[FAULT_STORM] = "storm",
	[FAULT_EARLY_REVOKE] = "early-revoke",
	[FAULT_STALE_KEEPALIVE] = "stale-keepalive",
	[FAULT_NOSPACE] = "nospace",
	[FAULT_ETCD_LEADER] = "etcd-leader",
	[FAULT_QUORUM] = "quorum",
	[FAULT_DELETE_LEADER] = "delete-leader",
	[FAULT_OVERWRITE] = "overwrite",
	[FAULT_DELETE_CONFIG] = "delete-config",
	[FAULT_DELETE_EPOCH] = "delete-epoch",
	[FAULT_DELETE_CLEAN] = "delete-clean",
	[FAULT_RESIGN] = "resign",
	[FAULT_SWITCHOVER] = "switchover",
	[FAULT_STOP] = "stop",
	[FAULT_UNWATCH] = "unwatch",
	[FAULT_SILENT_WATCH] = "silent-watch",
	[FAULT_SLEW] = "slew",
	[FAULT_STALE_LIST] = "stale-list",
	[FAULT_SNATCH] = "snatch",
	[FAULT_PROVE] = "prove",
	[FAULT_STAND_BACK] = "stand-back",
	[FAULT_RESTORE] = "restore",
};

/* ---- knobs ---- */

/* For scripts: nothing is random. */
void knobs_fixed(struct sim *s)
{
	struct sim_knobs *k = &s->knobs;

	memset(k, 0, sizeof(*k));
	k->net_min = k->net_max = k->watch_min = k->watch_max = MSEC / 2;
	k->launch_min = k->launch_max = 2 * MSEC;
	k->obey_ppm = 1000000;
	k->obey_min = k->obey_max = 20 * MSEC;
	k->kill_min = k->kill_max = 10;
	k->proof_min = k->proof_max = MSEC;
	k->respawn_min = k->respawn_max = 10 * MSEC;
	k->restart_min = k->restart_max = SEC;
	k->refuse_ppm = 0;
}

static int64_t one_of(struct sim *s, int64_t a, int64_t b, int64_t c)
{
	int64_t i = sim_range(s, 0, 2);
	return i == 0 ? a : i == 1 ? b : c;
}

static void draw_network(struct sim *s)
{
	struct sim_knobs *k = &s->knobs;
	const struct sim_profile *p = &s->profile;

	k->net_min = k->watch_min = p->net_min;
	k->net_max = k->watch_max = p->net_max;
	k->tail_ppm = one_of(s, 0, 20000, 100000);
	k->tail_max = one_of(s, p->timeout / 2, p->timeout * 2, p->fence_after + p->timeout);
	k->loss_ppm = one_of(s, 0, 10000, 80000);
	k->twice_ppm = one_of(s, 0, 10000, 200000);
	k->garble_ppm = one_of(s, 0, 0, 30000);
	k->refuse_ppm = one_of(s, 0, 300000, 1000000);
	k->late_reply_ppm = one_of(s, 0, 50000, 300000);
	k->late_reply_max = one_of(s, p->timeout / 2, p->timeout * 9 / 10, p->timeout * 2);
	k->slow_kind = (uint32_t)one_of(s, 0, 0, sim_range(s, ELECTION_LIST, ELECTION_RELEASE));
	k->slow_ppm = one_of(s, 300000, 600000, 900000);
	k->slow_min = p->net_min;
	k->slow_max = one_of(s, p->timeout * 9 / 10, p->timeout * 2, p->fence_after * 3 / 2);
	k->watch_tail_ppm = one_of(s, 0, 50000, 200000);
	k->watch_tail_max = one_of(s, p->beat, p->fence_after, p->ttl);
}

static int64_t draw_rate(struct sim *s)
{
	if (!s->knobs.rate_extreme)
		return sim_range(s, -s->knobs.rate_max, s->knobs.rate_max);
	return sim_chance(s, 500000) ? s->knobs.rate_max : -s->knobs.rate_max;
}

/* CLOCK_BOOTTIME can be slewed beyond what the drift allows for; then CLOCK_MONOTONIC_RAW must do.
 */
static int64_t draw_boot_rate(struct sim *s)
{
	if (!s->knobs.boot_slewed)
		return draw_rate(s);
	return sim_chance(s, 500000) ? 120000 : -120000;
}

static void draw_nodes(struct sim *s)
{
	struct sim_knobs *k = &s->knobs;
	const struct sim_profile *p = &s->profile;
	bool together = sim_chance(s, 700000);

	k->rate_max = one_of(s, 100, 40000, 40000);
	k->rate_extreme = sim_chance(s, 600000);
	k->boot_slewed = sim_chance(s, 150000);
	if (k->boot_slewed) {
		k->rate_max = 10000;
		together = false;
	}
	for (unsigned i = 0; i < s->n_nodes; i++) {
		int64_t boot = draw_boot_rate(s), raw = together ? boot : draw_rate(s);

		node_set_rates(&s->nodes[i], boot, raw);
	}
	k->launch_max = one_of(s, MSEC, 5 * MSEC, p->grace);
	k->obey_ppm = one_of(s, 0, 500000, 1000000);
	k->obey_max = one_of(s, 10 * MSEC, p->grace, p->grace * 2);
	k->kill_min = one_of(s, 0, 0, 1000);
	k->kill_max = 1000;
	k->proof_max = one_of(s, MSEC, 10 * MSEC, p->timeout);
	k->respawn_max = one_of(s, 20 * MSEC, p->timeout, p->fence_after);
	k->restart_max = one_of(s, p->beat, p->fence_after, p->ttl * 2);
	k->exit_ppm = one_of(s, 0, 0, 500000);
	k->exit_max = p->ttl;
	k->crash_midway_ppm = one_of(s, 0, 0, 2000);
}

void knobs_draw(struct sim *s, const struct sim_options *options)
{
	struct sim_knobs *k = &s->knobs;
	const struct sim_profile *p = &s->profile;

	memset(k, 0, sizeof(*k));
	draw_network(s);
	draw_nodes(s);
	k->expiry_lag = 500 * MSEC;
	k->gap_min = p->beat / 4;
	k->gap_max = one_of(s, p->fence_after, p->fence_after * 2, p->ttl * 2);
	k->fault_min = p->beat / 4;
	k->fault_max = one_of(s, p->fence_after, p->fence_after * 3 / 2, p->ttl * 3 / 2);
	k->to_leader_ppm = 700000;
	for (unsigned i = 0; i < FAULTS; i++)
		if (sim_chance(s, 500000))
			k->faults |= 1u << i;
	k->faults &= options->faults;
	if (k->boot_slewed) /* the kernel's fuse has that clock alone */
		k->faults &= ~(1u << FAULT_FREEZE | 1u << FAULT_PAUSE_GUARDIAN);
	if (!sim_chance(s, 250000))
		k->faults &= ~(1u << FAULT_SNATCH);
	k->snatch = (k->faults & 1u << FAULT_SNATCH) != 0;
	if (k->snatch) {
		k->slow_kind = ELECTION_ACQUIRE;
		k->slow_ppm = 500000;
		k->slow_min = p->timeout / 2;
		k->slow_max = p->timeout * 95 / 100;
	}
	if (k->faults == 0)
		k->faults = options->faults & ~(1u << FAULT_FREEZE | 1u << FAULT_PAUSE_GUARDIAN);
	if (options->faults == 0) /* nothing at all: a quiet network too */
		k->tail_ppm = k->loss_ppm = k->garble_ppm = k->late_reply_ppm = k->slow_ppm =
			k->watch_tail_ppm = k->crash_midway_ppm = 0;
}

/* ---- faults ---- */

static void cut(struct node *n, bool out, bool in)
{
	n->cut_out = out;
	n->cut_in = in;
	if (!in)
		net_connected(n);
}

static void unwatch_all(struct sim *s, int64_t within)
{
	for (unsigned i = 0; i < s->n_nodes; i++)
		if (sim_chance(s, 500000))
			sim_at(s, s->now + sim_range(s, 0, within), EVENT_UNWATCHED, i,
				s->nodes[i].gen, s->nodes[i].watch.gen, 0);
}

static unsigned another(struct sim *s, const struct node *n)
{
	unsigned i = (unsigned)sim_range(s, 1, s->n_nodes > 1 ? s->n_nodes - 1 : 1);
	return (n->index + i) % s->n_nodes;
}

static void fault_in_network(struct sim *s, enum fault fault, struct node *n, int64_t duration)
{
	switch (fault) {
	case FAULT_PARTITION:
		cut(n, true, true);
		if (sim_chance(s, 500000))
			sim_at(s, s->now + sim_range(s, 0, duration * 2), EVENT_UNWATCHED, n->index,
				n->gen, n->watch.gen, 0);
		break;
	case FAULT_ONE_WAY:
		cut(n, n->cut_out, true);
		break;
	case FAULT_UNWATCH:
		net_unwatched(n, n->watch.gen);
		break;
	case FAULT_SILENT_WATCH:
		n->watch.silent = n->watch.open;
		break;
	case FAULT_SLEW:
		node_set_rates(n, draw_boot_rate(s), draw_rate(s));
		break;
	default:
		break;
	}
}

static void fault_in_process(struct sim *s, enum fault fault, struct node *n, int64_t duration)
{
	switch (fault) {
	case FAULT_PAUSE:
		if (n->agent)
			node_pause(n);
		break;
	case FAULT_PAUSE_GUARDIAN:
		guardian_pause(n);
		break;
	case FAULT_FREEZE:
		if (n->agent)
			node_pause(n);
		guardian_pause(n);
		break;
	case FAULT_AGENT_CRASH:
		node_crash_agent(n);
		break;
	case FAULT_NODE_CRASH:
	case FAULT_REBOOT:
		node_crash(n, fault == FAULT_REBOOT,
			sim_range(s, s->knobs.restart_min, s->knobs.restart_max));
		break;
	case FAULT_STORM:
		for (int64_t i = sim_range(s, 2, 8); i > 0; i--)
			sim_at(s, s->now + sim_range(s, 0, duration), EVENT_FAULT_END, n->index, 1,
				fault, 0);
		break;
	case FAULT_RESIGN:
	case FAULT_SNATCH:
		node_resign(n, false, 0, 0);
		break;
	case FAULT_SWITCHOVER:
		node_resign(n, true, another(s, n), 0);
		break;
	case FAULT_STOP:
		if (!n->paused)
			node_stop(n);
		break;
	case FAULT_PROVE:
		node_event(n, (struct election_event){.kind = ELECTION_PROVE});
		break;
	case FAULT_STAND_BACK:
		node_event(n, (struct election_event){.kind = ELECTION_STAND_BACK,
			.stand_back.duration = sim_range(s, -SEC, 2 * SEC)});
		break;
	default:
		break;
	}
}

static void fault_in_etcd(struct sim *s, enum fault fault, int64_t duration)
{
	struct etcd *e = &s->etcd;

	switch (fault) {
	case FAULT_EARLY_REVOKE:
		etcd_revoke_of_leader(s);
		break;
	case FAULT_STALE_KEEPALIVE:
		e->stale_keepalive = true;
		break;
	case FAULT_NOSPACE:
		e->nospace = true;
		e->over_quota = s->script ? 0 : sim_range(s, 0, 3);
		break;
	case FAULT_ETCD_LEADER:
		etcd_new_leader(s);
		break;
	case FAULT_QUORUM:
		e->no_quorum = true;
		unwatch_all(s, duration);
		break;
	case FAULT_STALE_LIST:
		e->stale_list_ppm = 500000;
		break;
	case FAULT_DELETE_LEADER:
		etcd_delete(s, ELECTION_KEY_LEADER);
		break;
	case FAULT_OVERWRITE:
		if (e->state.leader.create != 0)
			etcd_overwrite_leader(s);
		break;
	/* Config and epoch both gone is a group never used: whoever makes that of one in use, has
	 * been told what it means. */
	case FAULT_DELETE_CONFIG:
		if (e->state.epoch.mod != 0)
			etcd_delete(s, ELECTION_KEY_CONFIG);
		break;
	case FAULT_DELETE_EPOCH:
		if (e->state.config != 0)
			etcd_delete(s, ELECTION_KEY_EPOCH);
		break;
	case FAULT_DELETE_CLEAN:
		etcd_delete(s, ELECTION_KEY_CLEAN);
		break;
	case FAULT_RESTORE:
		history_restore(s);
		break;
	default:
		break;
	}
}

static bool is_of_etcd(enum fault fault)
{
	return (fault >= FAULT_EARLY_REVOKE && fault <= FAULT_DELETE_CLEAN) ||
	       fault == FAULT_STALE_LIST || fault == FAULT_RESTORE;
}

void fault_begin(struct sim *s, enum fault fault, struct node *n, int64_t duration)
{
	s->stats->faults[fault]++;
	if (!s->script)
		trace(s, is_of_etcd(fault) ? NULL : n, "fault: %s, %.3f s", fault_names[fault],
			(double)duration / SEC);
	if (is_of_etcd(fault))
		fault_in_etcd(s, fault, duration);
	fault_in_network(s, fault, n, duration);
	fault_in_process(s, fault, n, duration);
	if (duration > 0 && fault != FAULT_STORM && fault != FAULT_SNATCH)
		sim_at(s, s->now + duration, EVENT_FAULT_END, n->index, 1, fault, 0);
}

static void resume(struct node *n)
{
	if (n->guardian.paused)
		guardian_resume(n);
	node_resume(n);
}

static void quorum_back(struct sim *s)
{
	if (!s->etcd.no_quorum)
		return;
	s->etcd.no_quorum = false;
	etcd_new_leader(s);
	net_quorum_back(s);
}

void fault_end(struct sim *s, enum fault fault, struct node *n)
{
	switch (fault) {
	case FAULT_PARTITION:
	case FAULT_ONE_WAY:
		cut(n, false, false);
		break;
	case FAULT_PAUSE:
	case FAULT_PAUSE_GUARDIAN:
	case FAULT_FREEZE:
		resume(n);
		break;
	case FAULT_STORM:
		node_crash_agent(n);
		break;
	case FAULT_SNATCH:
		if (n->guardian.job == JOB_NONE)
			break;
		fault_begin(s, FAULT_PARTITION, n, s->profile.fence_after * 3 / 2);
		fault_begin(s, FAULT_EARLY_REVOKE, n, 0);
		break;
	case FAULT_STALE_KEEPALIVE:
		s->etcd.stale_keepalive = false;
		break;
	case FAULT_NOSPACE:
		s->etcd.nospace = false;
		break;
	case FAULT_QUORUM:
		quorum_back(s);
		break;
	case FAULT_DELETE_CONFIG:
		etcd_restore_config(s);
		break;
	case FAULT_STALE_LIST:
		s->etcd.stale_list_ppm = 0;
		break;
	case FAULT_RESTORE:
		history_accept(s);
		break;
	case FAULT_STOP:
		node_wake(n);
		break;
	default:
		break;
	}
}

static struct node *victim(struct sim *s)
{
	unsigned holder = etcd_node_of(s->etcd.state.epoch.incarnation);

	if (sim_chance(s, s->knobs.to_leader_ppm)) {
		for (unsigned i = 0; i < s->n_nodes; i++)
			if (s->nodes[i].guardian.job != JOB_NONE)
				return &s->nodes[i];
		if (holder < s->n_nodes)
			return &s->nodes[holder];
	}
	return &s->nodes[sim_range(s, 0, s->n_nodes - 1)];
}

void nemesis_step(struct sim *s)
{
	unsigned pick, fault = 0;

	if (s->phase != PHASE_CHAOS || s->knobs.faults == 0)
		return;
	pick = (unsigned)sim_range(s, 1, __builtin_popcount(s->knobs.faults));
	for (unsigned i = 0; i < FAULTS; i++)
		if ((s->knobs.faults & 1u << i) && --pick == 0)
			fault = i;
	fault_begin(s, (enum fault)fault, victim(s),
		sim_range(s, s->knobs.fault_min, s->knobs.fault_max));
	sim_at(s, s->now + sim_range(s, s->knobs.gap_min, s->knobs.gap_max), EVENT_NEMESIS, 0, 0, 0,
		0);
}

/* A key that no lease ends any more, because an operator put it, and that has no beat to tell
 * whether anybody is behind it (its epoch was deleted too, or its leader died without space): only
 * the operator can delete it. */
static void delete_orphan(struct sim *s)
{
	const struct etcd_state *st = &s->etcd.state;
	unsigned owner = etcd_node_of(st->epoch.incarnation);

	if (st->leader.create != 0 && st->leader.lease == 0 &&
		(st->epoch.mod != st->leader.create || owner >= s->n_nodes ||
			st->beat[owner].mod == 0))
		etcd_delete(s, ELECTION_KEY_LEADER);
}

/* All that is broken is mended; what is on its way still arrives. */
void nemesis_heal(struct sim *s)
{
	struct sim_knobs *k = &s->knobs;

	trace(s, NULL, "all faults end");
	k->tail_ppm = k->loss_ppm = k->twice_ppm = k->garble_ppm = k->late_reply_ppm = k->slow_ppm =
		0;
	k->watch_tail_ppm = k->crash_midway_ppm = k->exit_ppm = 0;
	k->net_max = s->profile.net_max;
	s->etcd.stale_keepalive = s->etcd.nospace = false;
	s->etcd.stale_list_ppm = 0;
	quorum_back(s);
	history_accept(s);
	etcd_restore_config(s);
	delete_orphan(s);
	for (unsigned i = 0; i < s->n_nodes; i++) {
		struct node *n = &s->nodes[i];

		cut(n, false, false);
		resume(n);
		node_wake(n);
		node_event(n, (struct election_event){.kind = ELECTION_STAND_BACK});
	}
}
