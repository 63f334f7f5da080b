/* See ledger.h. */
#include "tests/unit/ledger.h"

const struct once_run begun = {.state = ONCE_RUN_BEGUN,
	.id = "01",
	.token = 2,
	.node = "n1",
	.attempt = 1,
	.scheduled_ms = MOMENT,
	.start_ms = MOMENT + 5};

void begin_world(struct world *w)
{
	struct once_records_config records = {0};

	memset(w, 0, sizeof(*w));
	rig_init(&w->rig, 1, NULL);
	w->etcd = fake_etcd_new(&w->rig.loop);
	assert_int_equal(
		once_records_new(&w->records, w->rig.client, &w->rig.loop.loop, &records, NULL), 0);
	fake_etcd_put(w->etcd, LEADER, "n1", 0);
	w->term = (struct once_term){LEADER, fake_etcd_get(w->etcd, LEADER)->create};
}

void end_world(struct world *w)
{
	w->records = once_records_free(w->records);
	rig_fini(&w->rig);
	fake_etcd_free(w->etcd);
}

void serve(struct world *w, enum fake_fate fate)
{
	for (int i = 0; i < 10000; i++) {
		if (fake_etcd_serve(w->etcd, w->rig.transport, fate))
			return;
		(void)fake_loop_turn(&w->rig.loop, 10 * ONCE_NSEC_PER_SEC);
	}
	fail_msg("no request came");
}

void serve_all(struct world *w)
{
	for (int i = 0; i < 10000 && w->n_done == 0; i++) {
		if (!fake_etcd_serve(w->etcd, w->rig.transport, FATE_ANSWERED))
			(void)fake_loop_turn(&w->rig.loop, 10 * ONCE_NSEC_PER_SEC);
	}
	assert_int_equal(w->n_done, 1);
}

void new_leader(struct world *w)
{
	fake_etcd_delete(w->etcd, LEADER);
	fake_etcd_put(w->etcd, LEADER, "n2", 0);
}
