/* See crowd.h. */
#include "tests/fake/crowd.h"

#include <assert.h>
#include <string.h>

/* xorshift64* */
uint64_t crowd_random(struct crowd *c, uint64_t n)
{
	c->random ^= c->random >> 12;
	c->random ^= c->random << 25;
	c->random ^= c->random >> 27;
	return (c->random * UINT64_C(0x2545f4914f6cdd1d) >> 11) % n;
}

void crowd_init(struct crowd *c, size_t n, uint64_t seed, int faults)
{
	const char *const endpoints[] = {"https://a:1"};
	struct once_client_config config = {.endpoints = endpoints, .n_endpoints = 1};
	struct once_records_config records = {.attempt_timeout_ns = ONCE_NSEC_PER_SEC};

	memset(c, 0, sizeof(*c));
	fake_loop_init(&c->loop);
	c->etcd = fake_etcd_new(&c->loop);
	c->n = n;
	c->random = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
	c->faults = faults;
	for (size_t i = 0; i < n; i++) {
		c->member[i].transport = fake_transport_new(&c->loop);
		(void)client_new_on(&c->member[i].client, &c->loop.loop, &config, NULL, NULL, NULL,
			&c->member[i].transport->base);
		(void)once_records_new(
			&c->member[i].records, c->member[i].client, &c->loop.loop, &records, NULL);
		assert(c->member[i].records);
	}
}

void crowd_leave(struct crowd *c, size_t i)
{
	c->member[i].records = once_records_free(c->member[i].records);
	c->member[i].client = once_client_free(c->member[i].client);
	c->member[i].transport = NULL;
}

void crowd_fini(struct crowd *c)
{
	for (size_t i = 0; i < c->n; i++)
		crowd_leave(c, i);
	assert(c->loop.n_timers == 0);
	fake_etcd_free(c->etcd);
}

static enum fake_fate fate(struct crowd *c, size_t i)
{
	if (c->member[i].cut)
		return crowd_random(c, 2) ? FATE_UNREACHABLE : FATE_REQUEST_LOST;
	if ((int)crowd_random(c, 100) >= c->faults)
		return FATE_ANSWERED;
	return (enum fake_fate)(1 + crowd_random(c, FATES - 1));
}

void crowd_step(struct crowd *c)
{
	int64_t in_ns = (int64_t)(1 + crowd_random(c, 20)) * ONCE_NSEC_PER_MSEC;

	for (size_t i = 0; i < c->n; i++) {
		if (c->member[i].transport && crowd_random(c, 3) > 0)
			(void)fake_etcd_serve(c->etcd, c->member[i].transport, fate(c, i));
		/* a callback may have made it leave */
		if (c->member[i].transport && !c->member[i].cut)
			fake_etcd_tick(c->etcd, c->member[i].transport);
	}
	if (crowd_random(c, 20) == 0)
		(void)fake_etcd_deliver_late(c->etcd);
	fake_loop_run(&c->loop, in_ns);
}
