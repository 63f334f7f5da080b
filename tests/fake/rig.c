#include "tests/unit/unit.h"
#include "tests/fake/rig.h"

void rig_init(struct rig *rig, size_t n_endpoints, const char *user)
{
	const char *const endpoints[] = {"https://a:1", "https://b:1", "https://c:1"};
	struct once_client_config config = {.endpoints = endpoints,
		.n_endpoints = n_endpoints,
		.user = user,
		.password = "secret"};
	*rig = (struct rig){.error = 1};
	fake_loop_init(&rig->loop);
	rig->transport = fake_transport_new(&rig->loop);
	assert_int_equal(client_new_on(&rig->client, &rig->loop.loop, &config, NULL, NULL, NULL,
				 &rig->transport->base),
		0);
}

void rig_fini(struct rig *rig)
{
	rig->client = once_client_free(rig->client);
	assert_int_equal(rig->loop.n_timers, 0);
}

void rig_done(void *userdata, const struct once_response *response)
{
	struct rig *rig = userdata;
	rig->n_done++;
	rig->error = response->error;
	rig->outcome = response->outcome;
	rig->sent = response->sent;
	rig->revision = response->revision;
	if (rig->free_in_done) {
		rig->client = once_client_free(rig->client);
	}
	/* Borrowed until we return, whatever became of the client. */
	(void)snprintf(rig->endpoint, sizeof(rig->endpoint), "%s", response->endpoint);
	(void)snprintf(rig->message, sizeof(rig->message), "%s", response->message);
}

struct once_call *rig_put(struct rig *rig, int64_t timeout_ms)
{
	struct once_op op = {.kind = ONCE_OP_PUT, .key = once_str("k"), .value = once_str("v")};
	struct once_call_options options = {.timeout_ns = timeout_ms * ONCE_NSEC_PER_MSEC};
	struct once_call *call;
	assert_int_equal(once_kv(rig->client, &call, &options, &op, rig_done, rig), 0);
	return call;
}

void rig_settle(struct rig *rig)
{
	fake_loop_run(&rig->loop, 0);
}

struct transport_exchange *rig_pending(struct rig *rig, const char *path)
{
	struct transport_exchange *exchange = fake_pending(rig->transport, path);
	assert_non_null(exchange);
	return exchange;
}
