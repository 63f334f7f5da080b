/* Many groups on each of a few nodes: who owns which, and that nobody else does. */
#include "tests/unit/seats.h"

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
		cmocka_unit_test(no_two_works_of_a_group_live_at_once),
		cmocka_unit_test(wrong_ones_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
