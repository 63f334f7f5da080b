/* Every allocation of nodes and their electors is refused once, over a little etcd in virtual time: a start
 * says so; later no two ever lead at once, and every group is led again. */
#include "tests/unit/refuse.h"
#include "tests/unit/unit.h"

#include "tests/fake/crowd.h"

#include <once/elect.h>

enum { NODES = 2, GROUPS = 2 };

static struct crowd crowd;
static struct once_timing timing;

struct seat {
	struct once_elector *elector;
	bool alive;
	int64_t until;
};

static struct seat seats[NODES][GROUPS];
static struct once_node *nodes[NODES];
static unsigned overlaps;

static void on_extend(void *userdata, int64_t token, struct once_instant proved)
{
	((struct seat *)userdata)->until =
		proved.boot_ns + timing.fence_after_ns - timing.kill_budget_ns;
}

static void on_lead(void *userdata, int64_t token, struct once_instant proved)
{
	((struct seat *)userdata)->alive = true;
	on_extend(userdata, token, proved);
}

static void on_stop(void *userdata, int64_t token, enum once_stop_reason reason, int64_t grace_ns)
{
	struct seat *s = userdata;

	s->alive = false;
	once_elector_stopped(s->elector);
}

/* It ended by itself: never, whatever is refused. */
static void on_stopped(void *userdata, int error)
{
	fail_msg("an elector has ended with %d", error);
}

static int start(unsigned n)
{
	static const struct once_elector_callbacks callbacks = {.on_lead = on_lead,
		.on_extend = on_extend,
		.on_stop = on_stop,
		.on_stopped = on_stopped};
	static const char *const names[] = {"a", "b"}, *const groups[] = {"default", "g1"};
	struct once_node_config config = {
		.key = "/leader", .prefix = "/onced", .node = names[n], .timing = timing};
	int r = once_node_new(
		&nodes[n], crowd.member[n].client, &crowd.loop.loop, &config, NULL, 0);

	for (unsigned g = 0; g < GROUPS && r == 0; g++) {
		struct once_elector_config elector = {.group = groups[g]};

		seats[n][g] = (struct seat){0};
		r = once_elector_new_on(&seats[n][g].elector, nodes[n], &elector, &callbacks,
			&seats[n][g], NULL, 0);
		r = r ? r : once_elector_start(seats[n][g].elector);
	}
	return r;
}

static void begin(void)
{
	refuse_pause(true);
	crowd_init(&crowd, NODES, 1, 0);
	assert_int_equal(once_timing_profile(&timing, "normal"), 0);
	memset(nodes, 0, sizeof(nodes));
	memset(seats, 0, sizeof(seats));
	overlaps = 0;
	refuse_pause(false);
}

static int finish(int r)
{
	refuse_pause(true);
	for (unsigned n = 0; n < NODES; n++)
		nodes[n] = once_node_free(nodes[n]);
	crowd_fini(&crowd);
	return r;
}

static unsigned led(void)
{
	unsigned all = 0;

	for (unsigned g = 0; g < GROUPS; g++) {
		unsigned alive = 0;

		for (unsigned n = 0; n < NODES; n++)
			alive += seats[n][g].alive && crowd.loop.now_ns < seats[n][g].until;
		overlaps += alive > 1;
		all += alive;
	}
	return all;
}

static void run(int64_t seconds)
{
	int64_t end = crowd.loop.now_ns + seconds * ONCE_NSEC_PER_SEC;

	while (crowd.loop.now_ns < end) {
		crowd_step(&crowd);
		(void)led();
	}
}

static int step_start(void)
{
	int r;

	begin();
	r = start(0);
	refuse_pause(true);
	if (r == 0) /* what could not begin at once began later */
		run(20);
	assert_int_equal(led(), r == 0 ? GROUPS : 0);
	return finish(r);
}

/* Two nodes start, bid, lead; then one dies and the other takes over. */
static int step_life(void)
{
	begin();
	refuse_pause(true);
	for (unsigned n = 0; n < NODES; n++)
		assert_int_equal(start(n), 0);
	refuse_pause(false);
	run(3);
	nodes[0] = once_node_free(nodes[0]);
	for (unsigned g = 0; g < GROUPS; g++)
		seats[0][g].alive = false;
	run(8);
	refuse_pause(true);
	run(12);
	assert_int_equal(overlaps, 0);
	assert_int_equal(led(), GROUPS);
	return finish(0);
}

static void test_each_refusal_is_told_or_overcome(void **state)
{
	static const struct refuse_step steps[] = {
		{"start", step_start, 30, true},
		{"life", step_life, 500, true, .then_some = 300},
	};

	refuse_each(steps, LENGTH(steps));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_refusal_is_told_or_overcome),
	};

	return cmocka_run_group_tests_name("elect-memory", tests, NULL, NULL);
}
