/* Many groups on each of a few nodes, on a little etcd in virtual time: whose work lives when. */
#include "tests/unit/unit.h"
#include "elect/elector.h"
#include "tests/fake/crowd.h"

#include <once/elect.h>
#include <stdlib.h>

#define SEC ONCE_NSEC_PER_SEC
#define MS ONCE_NSEC_PER_MSEC

enum { GROUPS_MAX = 70, NODES = 3 };

struct world;

/* A group on a node, and its work: it lives until it is stopped or its deadline comes. */
struct seat {
	struct world *world;
	struct once_elector *elector;
	unsigned node, group;
	bool alive, stuck; /* stuck: work that never ends by itself */
	int64_t token, until, gap, lead_at;
	unsigned leads;
	enum once_stop_reason stopped;
	char saved[128]; /* outlives the seat's node */
};

struct world {
	bool free_node; /* the next proof's callback does it */
	bool free_at_stop; /* the next stop's */
	bool recover;	/* nodes start with what was saved, and their work is dead */
	struct crowd crowd;
	struct once_node *node[NODES];
	struct seat seat[NODES][GROUPS_MAX];
	struct once_timing timing;
	unsigned n_nodes, n_groups, overlaps, errors;
};

static int64_t now_of(const struct world *w)
{
	return w->crowd.loop.now_ns;
}

static void node_kill(struct world *w, unsigned node);

static void on_extend(void *userdata, int64_t token, struct once_instant proved)
{
	struct seat *s = userdata;
	int64_t until = proved.boot_ns + s->world->timing.fence_after_ns -
		s->world->timing.kill_budget_ns;

	assert_true(proved.boot_ns <= now_of(s->world));
	if (s->token == token && until - s->until > s->gap)
		s->gap = until - s->until;
	s->token = token;
	s->until = until;
	if (s->world->free_node) {
		s->world->free_node = false;
		node_kill(s->world, s->node);
	}
}

static void on_lead(void *userdata, int64_t token, struct once_instant proved)
{
	struct seat *s = userdata;

	on_extend(s, token, proved);
	s->alive = true;
	s->gap = 0;
	s->leads++;
	s->lead_at = now_of(s->world);
}

static void on_stop(
	void *userdata, int64_t token, enum once_stop_reason reason, int64_t grace_ns)
{
	struct seat *s = userdata;

	s->stopped = reason;
	if (s->world->free_at_stop) {
		s->world->free_at_stop = false;
		node_kill(s->world, s->node);
		return;
	}
	if (s->stuck)
		return;
	s->alive = false;
	once_elector_stopped(s->elector);
}

static void on_stopped(void *userdata, int error)
{
	struct seat *s = userdata;

	s->elector = once_elector_free(s->elector);
}

static void on_save(void *userdata, const void *data, size_t size)
{
	struct seat *s = userdata;

	assert_true(size < sizeof(s->saved));
	memcpy(s->saved, data, size);
	s->saved[size] = '\0';
}

/* With GROUPS_LOG=1. */
static void on_log(void *userdata, enum once_log_level level, const char *event, const char *text)
{
	struct seat *s = userdata;

	s->world->errors += level == ONCE_LOG_ERR;
	if (getenv("GROUPS_LOG"))
		print_message("%8lld %c g%u %s: %s\n", (long long)(now_of(s->world) / MS),
			'a' + (int)s->node, s->group, event, text);
}

static void node_start(struct world *w, unsigned node)
{
	static const struct once_elector_callbacks callbacks = {.on_lead = on_lead,
		.on_extend = on_extend,
		.on_stop = on_stop,
		.on_log = on_log,
		.on_save = on_save,
		.on_stopped = on_stopped};
	char name[2] = {(char)('a' + node), 0};
	struct once_node_config config = {.key = "/leader",
		.prefix = "/onced",
		.node = name,
		.timing = w->timing};

	assert_int_equal(once_node_new(&w->node[node], w->crowd.member[node].client,
				 &w->crowd.loop.loop, &config, NULL, 0),
		0);
	for (unsigned g = 0; g < w->n_groups; g++) {
		struct seat *s = &w->seat[node][g];
		char group[16];
		struct seat before = *s;
		struct once_elector_config elector = {.group = group,
			.recovered = before.saved,
			.recovered_size = w->recover ? strlen(before.saved) : 0,
			.recovered_empty = w->recover};

		(void)snprintf(group, sizeof(group), g == 0 ? "default" : "g%u", g);
		*s = (struct seat){.world = w, .node = node, .group = g};
		assert_int_equal(once_elector_new_on(&s->elector, w->node[node], &elector,
					 &callbacks, s, NULL, 0),
			0);
		assert_int_equal(once_elector_start(s->elector), 0);
	}
}

/* As a crash would, its work with it. */
static void node_kill(struct world *w, unsigned node)
{
	w->node[node] = once_node_free(w->node[node]);
	for (unsigned g = 0; g < w->n_groups; g++) {
		w->seat[node][g].alive = false;
		w->seat[node][g].elector = NULL;
	}
}

static void world_init(
	struct world *w, unsigned nodes, unsigned groups, uint64_t seed, int faults)
{
	memset(w, 0, sizeof(*w));
	crowd_init(&w->crowd, nodes, seed, faults);
	assert_int_equal(once_timing_profile(&w->timing, "normal"), 0);
	w->n_nodes = nodes;
	w->n_groups = groups;
	for (unsigned n = 0; n < nodes; n++)
		node_start(w, n);
}

static void world_fini(struct world *w)
{
	for (unsigned n = 0; n < w->n_nodes; n++)
		w->node[n] = once_node_free(w->node[n]);
	crowd_fini(&w->crowd);
	assert_int_equal(w->overlaps, 0);
}

static bool lives(const struct world *w, unsigned node, unsigned group)
{
	const struct seat *s = &w->seat[node][group];
	return s->alive && now_of(w) < s->until;
}

static void check(struct world *w)
{
	for (unsigned g = 0; g < w->n_groups; g++) {
		unsigned alive = 0;

		for (unsigned n = 0; n < w->n_nodes; n++)
			alive += lives(w, n, g);
		if (alive > 1 && w->overlaps++ == 0)
			print_message("group %u: %u at once at %lld ms\n", g, alive,
				(long long)(now_of(w) / MS));
	}
}

static void run(struct world *w, int64_t ns)
{
	int64_t end = now_of(w) + ns;

	while (now_of(w) < end) {
		crowd_step(&w->crowd);
		check(w);
	}
}

static unsigned owned_by(const struct world *w, unsigned node)
{
	unsigned n = 0;

	for (unsigned g = 0; g < w->n_groups; g++)
		n += lives(w, node, g);
	return n;
}

static unsigned owned(const struct world *w)
{
	unsigned n = 0;

	for (unsigned i = 0; i < w->n_nodes; i++)
		n += owned_by(w, i);
	return n;
}

/* ---- tests ---- */

static void groups_are_owned_and_spread(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	size_t txns;

	world_init(w, 3, 60, 1, 0);
	run(w, 6 * SEC);
	assert_int_equal(owned(w), 60);
	for (unsigned n = 0; n < 3; n++)
		assert_in_range(owned_by(w, n), 19, 21);
	run(w, 5 * SEC);
	txns = w->crowd.etcd->n_txns;
	run(w, 10 * SEC);
	/* three shards and the default group, a beat a second each, and a list now and then */
	assert_in_range(w->crowd.etcd->n_txns - txns, 30, 60);
	for (unsigned n = 0; n < 3; n++)
		for (unsigned g = 0; g < 60; g++)
			assert_in_range(w->seat[n][g].gap, 0, 2 * SEC);
	assert_int_equal(w->errors, 0);
	world_fini(w);
	free(w);
}

/* Those a node never bid for cost it no beat: 68 others would be two shards more. */
static void few_groups_of_many_are_one_beat(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	unsigned shards = 0;

	world_init(w, 3, GROUPS_MAX, 10, 0);
	run(w, 6 * SEC);
	assert_int_equal(owned(w), GROUPS_MAX);
	for (unsigned n = 0; n < 3; n++) {
		char key[40];

		(void)snprintf(key, sizeof(key), "/onced/beat/%c/s1", 'a' + (int)n);
		shards += fake_etcd_get(w->crowd.etcd, key) != NULL;
		(void)snprintf(key, sizeof(key), "/onced/beat/%c/s2", 'a' + (int)n);
		shards += fake_etcd_get(w->crowd.etcd, key) != NULL;
	}
	assert_int_equal(shards, 3);
	world_fini(w);
	free(w);
}

static void a_dead_nodes_groups_move(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	world_init(w, 3, 40, 2, 0);
	run(w, 8 * SEC);
	assert_int_equal(owned(w), 40);
	node_kill(w, 1);
	run(w, 9 * SEC); /* V (1 + delta) and two seconds and a bit */
	assert_int_equal(owned(w), 40);
	assert_in_range(owned_by(w, 0), 18, 22);
	node_start(w, 1);
	run(w, 9 * SEC);
	assert_int_equal(owned(w), 40);
	world_fini(w);
	free(w);
}

/* The refused beat itself shows it: the watch is not told. */
static void one_lost_group_costs_the_others_nothing(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	int64_t token[8];

	world_init(w, 1, 8, 3, 0);
	run(w, 8 * SEC);
	assert_int_equal(owned(w), 8);
	for (unsigned g = 0; g < 8; g++)
		token[g] = w->seat[0][g].token;
	fake_etcd_delete(w->crowd.etcd, "/leader/g3");
	for (unsigned i = 0; i < 300; i++) {
		(void)fake_etcd_serve(w->crowd.etcd, w->crowd.member[0].transport, FATE_ANSWERED);
		fake_loop_run(&w->crowd.loop, 5 * MS);
	}
	for (unsigned g = 0; g < 8; g++) {
		struct seat *s = &w->seat[0][g];

		if (g == 3) {
			assert_int_equal(s->stopped, ONCE_STOP_LOST);
			continue;
		}
		assert_int_equal(s->token, token[g]);
		assert_int_equal(s->stopped, 0);
		assert_int_equal(s->leads, 1);
		assert_true(s->until - now_of(w) > 4 * SEC);
	}
	world_fini(w);
	free(w);
}

/* Somebody overwrites a key without its lease: create_revision alone would not show it. */
static void a_key_without_its_lease_is_lost(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	world_init(w, 1, 4, 4, 0);
	run(w, 8 * SEC);
	assert_int_equal(owned(w), 4);
	fake_etcd_put(w->crowd.etcd, "/leader/g2", "me", 0);
	run(w, 1500 * MS);
	assert_int_equal(w->seat[0][2].stopped, ONCE_STOP_LOST);
	assert_int_equal(w->seat[0][1].stopped, 0);
	world_fini(w);
	free(w);
}

/* The lease lives on with the others, and so does the beat key. */
static void work_that_does_not_die_gives_its_group_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	unsigned leader = 0, other;

	world_init(w, 2, 10, 5, 0);
	run(w, 8 * SEC);
	assert_int_equal(owned(w), 10);
	leader = lives(w, 0, 4) ? 0 : 1;
	other = 1 - leader;
	w->seat[leader][4].stuck = true;
	assert_int_equal(once_elector_resign(w->seat[leader][4].elector, NULL), 0);
	run(w, 4 * SEC);
	assert_false(lives(w, other, 4)); /* its work is not known to be dead */
	run(w, 20 * SEC);
	assert_true(lives(w, other, 4));
	assert_int_equal(owned(w), 10);
	for (unsigned g = 0; g < 10; g++)
		assert_int_equal(w->seat[0][g].leads + w->seat[1][g].leads, g == 4 ? 2 : 1);
	world_fini(w);
	free(w);
}

static void an_orderly_end_hands_over_at_once(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	world_init(w, 2, 20, 6, 0);
	run(w, 8 * SEC);
	assert_int_equal(owned(w), 20);
	for (unsigned g = 0; g < 20; g++)
		once_elector_stop(w->seat[0][g].elector);
	run(w, 3 * SEC);
	assert_int_equal(owned_by(w, 1), 20);
	for (unsigned g = 0; g < 20; g++)
		assert_null(w->seat[0][g].elector);
	assert_null(fake_etcd_get(w->crowd.etcd, "/onced/nodes/a"));
	world_fini(w);
	free(w);
}

static void one_group_ends_and_the_others_go_on(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	world_init(w, 1, 6, 7, 0);
	run(w, 8 * SEC);
	once_elector_stop(w->seat[0][2].elector);
	run(w, 2 * SEC);
	assert_null(w->seat[0][2].elector);
	assert_null(fake_etcd_get(w->crowd.etcd, "/leader/g2"));
	assert_int_equal(owned(w), 5);
	/* an acquire of it that comes late, on the lease that lives on */
	fake_etcd_put(w->crowd.etcd, "/leader/g2", "a",
		fake_etcd_get(w->crowd.etcd, "/leader/g1")->lease);
	run(w, 2 * SEC);
	assert_null(fake_etcd_get(w->crowd.etcd, "/leader/g2"));
	run(w, 20 * SEC);
	assert_int_equal(owned(w), 5);
	for (unsigned g = 0; g < 6; g++)
		assert_int_equal(w->seat[0][g].leads, 1);
	world_fini(w);
	free(w);
}

/* The old terms hang on one lease: it may go only when each of them is known to have ended cleanly. */
static void a_restart_ends_every_old_term_cleanly(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	int64_t old[30];

	world_init(w, 2, 30, 9, 0);
	run(w, 8 * SEC);
	for (unsigned g = 0; g < 30; g++)
		old[g] = lives(w, 0, g) ? w->seat[0][g].token : 0;
	node_kill(w, 0);
	w->recover = true;
	node_start(w, 0);
	for (int64_t end = now_of(w) + 3 * SEC; now_of(w) < end;) {
		run(w, 1);
		for (unsigned g = 0; g < 30; g++) {
			char leader[32], clean[48], *value;
			const struct fake_kv *kv;

			(void)snprintf(leader, sizeof(leader), g ? "/leader/g%u" : "/leader", g);
			(void)snprintf(clean, sizeof(clean), g ? "/onced/g/g%u/clean" : "/onced/g/default/clean", g);
			kv = fake_etcd_get(w->crowd.etcd, leader);
			if (old[g] == 0 || (kv && kv->create == old[g]))
				continue;
			value = fake_etcd_value(w->crowd.etcd, clean);
			assert_non_null(value);
			assert_int_equal(strtoll(value, NULL, 10), old[g]);
			free(value);
			old[g] = 0;
		}
	}
	for (unsigned g = 0; g < 30; g++)
		assert_int_equal(old[g], 0);
	assert_int_equal(owned(w), 30);
	world_fini(w);
	free(w);
}

/* The store goes on as it is: what the node does is to forget it and ask for nothing. */
static void who_is_suspended_is_silent_and_begins_anew(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	size_t txns;
	int64_t token[8];

	world_init(w, 1, 8, 12, 0);
	run(w, 8 * SEC);
	assert_int_equal(owned(w), 8);
	for (unsigned g = 0; g < 8; g++) {
		token[g] = w->seat[0][g].token;
		once_elector_suspend(w->seat[0][g].elector);
	}
	run(w, SEC);
	txns = w->crowd.etcd->n_txns;
	for (unsigned g = 0; g < 8; g++) {
		assert_false(w->seat[0][g].alive);
		assert_int_equal(w->seat[0][g].stopped, ONCE_STOP_LOST);
	}
	run(w, 60 * SEC);
	assert_int_equal(w->crowd.etcd->n_txns, txns);
	assert_null(fake_etcd_get(w->crowd.etcd, "/leader")); /* the lease has ended */
	for (unsigned g = 0; g < 8; g++)
		once_elector_resume(w->seat[0][g].elector);
	run(w, 15 * SEC);
	assert_int_equal(owned(w), 8);
	for (unsigned g = 0; g < 8; g++)
		assert_true(w->seat[0][g].token > token[g]);
	for (unsigned g = 0; g < 8; g++)
		once_elector_suspend(w->seat[0][g].elector);
	run(w, SEC);
	for (unsigned g = 0; g < 8; g++)
		once_elector_stop(w->seat[0][g].elector);
	run(w, SEC);
	for (unsigned g = 0; g < 8; g++)
		assert_null(w->seat[0][g].elector);
	assert_int_equal(w->errors, 0);
	world_fini(w);
	free(w);
}

/* One that was held up for longer than the lease's TTL thinks it gone; the node has kept it alive. */
static void a_lease_that_lives_is_nobodys_to_end(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	int64_t lease;

	world_init(w, 1, 6, 13, 0);
	run(w, 8 * SEC);
	assert_int_equal(owned(w), 6);
	lease = fake_etcd_get(w->crowd.etcd, "/leader/g1")->lease;
	w->seat[0][2].stuck = true;
	assert_int_equal(once_elector_resign(w->seat[0][2].elector, NULL), 0);
	run(w, 30 * SEC);
	w->seat[0][2].stuck = w->seat[0][2].alive = false;
	once_elector_stopped(w->seat[0][2].elector);
	run(w, 20 * SEC);
	assert_int_equal(owned(w), 6);
	assert_int_equal(fake_etcd_get(w->crowd.etcd, "/leader/g2")->lease, lease);
	once_elector_stop(w->seat[0][1].elector);
	run(w, 20 * SEC);
	assert_int_equal(owned(w), 5);
	for (unsigned g = 0; g < 6; g++)
		assert_int_equal(w->seat[0][g].leads, g == 2 ? 2 : 1);
	world_fini(w);
	free(w);
}

/* Each is given away with the word that its work is dead, however many they are. */
static void all_of_many_end_cleanly(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	int64_t token[GROUPS_MAX];

	world_init(w, 1, GROUPS_MAX, 14, 0);
	run(w, 10 * SEC);
	assert_int_equal(owned(w), GROUPS_MAX);
	for (unsigned g = 0; g < GROUPS_MAX; g++) {
		token[g] = w->seat[0][g].token;
		once_elector_stop(w->seat[0][g].elector);
	}
	for (int i = 0; i < 50; i++) { /* an etcd that takes 150 ms for everything */
		fake_loop_run(&w->crowd.loop, 150 * MS);
		while (fake_etcd_serve(w->crowd.etcd, w->crowd.member[0].transport, FATE_ANSWERED))
			;
	}
	run(w, SEC);
	for (unsigned g = 0; g < GROUPS_MAX; g++) {
		char key[48], *value;

		assert_null(w->seat[0][g].elector);
		(void)snprintf(key, sizeof(key), g ? "/onced/g/g%u/clean" : "/onced/g/default/clean", g);
		value = fake_etcd_value(w->crowd.etcd, key);
		assert_non_null(value);
		assert_int_equal(strtoll(value, NULL, 10), token[g]);
		free(value);
	}
	world_fini(w);
	free(w);
}

/* After a pause of the process the deadline is found in whatever turn comes first. */
static void a_stop_in_any_turn_may_free_the_node(void **state)
{
	for (int spread = 0; spread < 2; spread++) {
		struct world *w = calloc(1, sizeof(*w));
		struct election_action beat = {.kind = ELECTION_BEAT};
		struct once_node *n;

		world_init(w, 1, 6, 15, 0);
		run(w, 8 * SEC);
		assert_int_equal(owned(w), 6);
		n = w->node[0];
		if (spread)
			n->plan_due = true;
		else
			(void)shard_beat(w->seat[0][1].elector, &beat);
		for (unsigned g = 0; g < 6; g++) /* so that there is something to tell */
			w->seat[0][g].elector->core.config.stand_back++;
		w->crowd.loop.now_ns += 20 * SEC;
		w->free_at_stop = true;
		node_enter(n);
		if (spread)
			spread_turn(n);
		else
			shards_turn(n);
		node_leave(n);
		assert_null(w->node[0]);
		world_fini(w);
		free(w);
	}
}

/* While the electors of a beat are being told of it. */
static void a_callback_may_free_the_node(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	world_init(w, 1, 6, 8, 0);
	run(w, 8 * SEC);
	once_elector_stop(w->seat[0][0].elector); /* its beat comes alone */
	run(w, 2 * SEC);
	assert_int_equal(owned(w), 5);
	w->free_node = true;
	run(w, 2 * SEC);
	assert_null(w->node[0]);
	assert_int_equal(owned(w), 0);
	world_fini(w);
	free(w);
}

/* ---- faults ---- */

static void disturb(struct world *w)
{
	unsigned n = (unsigned)crowd_random(&w->crowd, w->n_nodes);
	unsigned g = (unsigned)crowd_random(&w->crowd, w->n_groups);
	struct seat *s = &w->seat[n][g];
	char key[32];

	switch (crowd_random(&w->crowd, 7)) {
	case 0:
		w->crowd.member[n].cut = !w->crowd.member[n].cut;
		break;
	case 1:
		if (w->node[n])
			node_kill(w, n);
		else
			node_start(w, n);
		break;
	case 2:
		if (s->elector)
			(void)once_elector_resign(s->elector, NULL);
		break;
	case 3:
		(void)snprintf(key, sizeof(key), g == 0 ? "/leader" : "/leader/g%u", g);
		fake_etcd_delete(w->crowd.etcd, key);
		break;
	case 4:
		if (s->elector)
			once_elector_stop(s->elector);
		break;
	case 5:
		s->stuck = crowd_random(&w->crowd, 3) == 0;
		break;
	default:
		break;
	}
}

static void heal(struct world *w)
{
	w->crowd.faults = 0;
	for (unsigned n = 0; n < w->n_nodes; n++) {
		w->crowd.member[n].cut = false;
		if (w->node[n])
			node_kill(w, n);
		node_start(w, n);
	}
	run(w, 40 * SEC);
}

static void no_two_works_of_a_group_live_at_once(void **state)
{
	const char *given = getenv("GROUPS_SEEDS");
	uint64_t seeds = given ? strtoull(given, NULL, 10) : 12;
	unsigned leads = 0;

	for (uint64_t seed = 1; seed <= seeds; seed++) {
		struct world *w = calloc(1, sizeof(*w));

		world_init(w, 3, 8, seed, (int)(seed % 4) * 4);
		run(w, 5 * SEC);
		for (unsigned i = 0; i < 40; i++) {
			disturb(w);
			run(w, (int64_t)crowd_random(&w->crowd, 4000) * MS);
		}
		heal(w);
		if (owned(w) != 8 || w->overlaps)
			print_message("seed %llu: %u owned\n", (unsigned long long)seed, owned(w));
		assert_int_equal(owned(w), 8);
		for (unsigned n = 0; n < 3; n++)
			for (unsigned g = 0; g < 8; g++)
				leads += w->seat[n][g].leads;
		world_fini(w);
		free(w);
	}
	assert_true(leads >= 8 * seeds);
}

/* ---- what is refused ---- */

static void wrong_ones_are_refused(void **state)
{
	static const struct once_elector_callbacks callbacks;
	struct world *w = calloc(1, sizeof(*w));
	struct once_elector_config config = {.group = "g1"};
	struct once_elector *e = NULL;
	struct once_node_config node = {.key = "/leader", .prefix = "/onced", .node = "A"};
	struct once_node *none = NULL;
	char message[200];

	world_init(w, 1, 2, 1, 0);
	node.timing = w->timing;
	assert_int_equal(once_elector_new_on(&e, w->node[0], &config, &callbacks, NULL, message,
				 sizeof(message)),
		-EEXIST);
	assert_string_equal(message, "group g1: there already");
	config.group = "a/b";
	assert_int_equal(once_elector_new_on(&e, w->node[0], &config, &callbacks, NULL, message,
				 sizeof(message)),
		-EINVAL);
	assert_non_null(strstr(message, "group"));
	assert_int_equal(once_node_new(&none, w->crowd.member[0].client, &w->crowd.loop.loop, &node,
				 message, sizeof(message)),
		-EINVAL);
	assert_non_null(strstr(message, "node"));
	assert_null(once_node_free(NULL));
	world_fini(w);
	free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(groups_are_owned_and_spread),
		cmocka_unit_test(few_groups_of_many_are_one_beat),
		cmocka_unit_test(a_dead_nodes_groups_move),
		cmocka_unit_test(one_lost_group_costs_the_others_nothing),
		cmocka_unit_test(a_key_without_its_lease_is_lost),
		cmocka_unit_test(work_that_does_not_die_gives_its_group_up),
		cmocka_unit_test(an_orderly_end_hands_over_at_once),
		cmocka_unit_test(one_group_ends_and_the_others_go_on),
		cmocka_unit_test(a_restart_ends_every_old_term_cleanly),
		cmocka_unit_test(who_is_suspended_is_silent_and_begins_anew),
		cmocka_unit_test(a_lease_that_lives_is_nobodys_to_end),
		cmocka_unit_test(all_of_many_end_cleanly),
		cmocka_unit_test(a_stop_in_any_turn_may_free_the_node),
		cmocka_unit_test(a_callback_may_free_the_node),
		cmocka_unit_test(no_two_works_of_a_group_live_at_once),
		cmocka_unit_test(wrong_ones_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
