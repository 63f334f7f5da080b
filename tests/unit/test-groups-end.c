/* Many groups on each of a few nodes: how a group, a term, a node ends, and what begins after it. */
#include "tests/unit/seats.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_orderly_end_hands_over_at_once),
		cmocka_unit_test(one_group_ends_and_the_others_go_on),
		cmocka_unit_test(a_restart_ends_every_old_term_cleanly),
		cmocka_unit_test(who_is_suspended_is_silent_and_begins_anew),
		cmocka_unit_test(a_lease_that_lives_is_nobodys_to_end),
		cmocka_unit_test(all_of_many_end_cleanly),
		cmocka_unit_test(a_stop_in_any_turn_may_free_the_node),
		cmocka_unit_test(a_callback_may_free_the_node),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
