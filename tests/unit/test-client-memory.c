/* Every allocation of the client is refused once, on a transport whose server is the test: a started call
 * is answered exactly once, a watch goes on or says that it does not, nothing leaks. */
#include "tests/unit/refuse.h"
#include "tests/unit/unit.h"

#include "tests/fake/crowd.h"

static struct fake_loop loop;
static struct fake_etcd *etcd;
static struct transport_fake *transport;
static struct once_client *client;

static int make_client(void)
{
	static const char *const endpoints[] = {"https://a:1", "https://b:2"};
	const struct once_client_config config = {.endpoints = endpoints, .n_endpoints = 2};

	refuse_pause(true);
	fake_loop_init(&loop);
	etcd = fake_etcd_new(&loop);
	for (int i = 0; i < 9; i++) {
		char key[] = "/k0";

		key[2] = (char)('0' + i);
		fake_etcd_put(etcd, key, "v", 0);
	}
	transport = fake_transport_new(&loop);
	refuse_pause(false);
	client = NULL;
	return client_new_on(&client, &loop.loop, &config, NULL, NULL, NULL, &transport->base);
}

static int finish(int r)
{
	refuse_pause(true);
	client = once_client_free(client);
	assert_int_equal(loop.n_timers, 0);
	fake_etcd_free(etcd);
	return r;
}

/* Serves, and lets time pass, until n is told or a minute is over. */
static void serve_until(const int *n)
{
	for (int i = 0; *n == 0 && i < 6000; i++) {
		(void)fake_etcd_serve(etcd, transport, FATE_ANSWERED);
		fake_etcd_tick(etcd, transport);
		fake_loop_run(&loop, 10 * ONCE_NSEC_PER_MSEC);
	}
}

struct told {
	int n, error;
	int64_t rows;
};

static void on_done(void *userdata, const struct once_response *response)
{
	struct told *told = userdata;

	told->n++;
	told->error = response->error;
	assert_true(response->error == 0 || response->message[0]);
	if (response->error == 0)
		assert_int_equal(response->outcome, ONCE_APPLIED);
}

static int told_of(int r, const struct told *told)
{
	if (r < 0)
		return r;
	serve_until(&told->n);
	assert_int_equal(told->n, 1);
	return told->error;
}

static int step_client(void)
{
	static const char *const endpoints[] = {"https://a:1", "https://b:2"};
	const struct once_client_config config = {
		.endpoints = endpoints, .n_endpoints = 2, .user = "u", .password = "p"};
	const char *message = "";
	int r;

	refuse_pause(true);
	fake_loop_init(&loop);
	etcd = fake_etcd_new(&loop);
	transport = fake_transport_new(&loop);
	client = NULL;
	refuse_pause(false);
	r = client_new_on(&client, &loop.loop, &config, NULL, NULL, &message, &transport->base);
	assert_true(r == 0 ? message == NULL : message[0]);
	return finish(r);
}

static int step_txn(void)
{
	const struct once_compare absent = {
		.target = ONCE_COMPARE_CREATE, .result = ONCE_EQUAL, .key = once_str("/new")};
	const struct once_op put = {
		.kind = ONCE_OP_PUT, .key = once_str("/new"), .value = once_str("v")};
	const struct once_txn txn = {&absent, 1, &put, 1, NULL, 0};
	struct told told = {0};
	int r = make_client();

	r = r ? r : told_of(once_txn(client, NULL, NULL, &txn, on_done, &told), &told);
	assert_true(r < 0 || fake_etcd_get(etcd, "/new"));
	return finish(r);
}

static int on_rows(void *userdata, const struct once_response *page)
{
	((struct told *)userdata)->rows += (int64_t)page->op.n_kvs;
	return 0;
}

static int step_pages(void)
{
	const struct once_op all = {
		.kind = ONCE_OP_RANGE, .key = once_str("/k"), .range_end = once_str("/l")};
	struct told told = {0};
	int r = make_client();

	r = r ? r
	      : told_of(once_range_pages(client, NULL, NULL, &all, 2, on_rows, on_done, &told),
			&told);
	assert_true(r < 0 || told.rows == 9);
	return finish(r);
}

static int step_lease(void)
{
	struct told told = {0};
	int r = make_client();

	r = r ? r : told_of(once_lease_grant(client, NULL, NULL, 10, 0, on_done, &told), &told);
	return finish(r);
}

static int step_self_test(void)
{
	struct told told = {0};
	int r = make_client();

	r = r ? r
	      : told_of(once_self_test(client, NULL, NULL, once_str("/k0"), on_done, &told), &told);
	return finish(r);
}

/* ---- a watch --------------------------------------------------------------------------------- */

struct seen {
	int events, ended, started;
	int64_t last;
};

static void on_report(void *userdata, const struct once_watch_report *report)
{
	struct seen *seen = userdata;

	seen->started += report->note == ONCE_WATCH_STARTED;
	seen->ended += report->note == ONCE_WATCH_FAILED || report->note == ONCE_WATCH_COMPACTED;
	for (size_t i = 0; i < report->n_events; i++) {
		assert_true(
			report->events[i].kv.mod_revision > seen->last); /* in order, none twice */
		seen->last = report->events[i].kv.mod_revision;
		seen->events++;
	}
}

static int step_watch(void)
{
	const struct once_watch_range ranges[] = {
		{.key = once_str("/k"), .range_end = once_str("/l")}, {.key = once_str("/m")}};
	const struct once_watch_config config = {
		.ranges = ranges, .n_ranges = 2, .start_revision = 2};
	struct seen seen = {0};
	struct once_watch *watch = NULL;
	int r = make_client();

	r = r ? r : once_watch_start(client, &watch, &config, on_report, &seen);
	for (int i = 0; r == 0 && seen.events < 10 && !seen.ended && i < 6000; i++) {
		fake_etcd_tick(etcd, transport);
		fake_loop_run(&loop, 10 * ONCE_NSEC_PER_MSEC);
		if (i == 5) {
			refuse_pause(true);
			fake_etcd_put(etcd, "/m", "w", 0);
			refuse_pause(false);
		}
	}
	/* all of them, however often it broke; or it said that it will not */
	assert_true(r < 0 || seen.events == 10 || seen.ended == 1);
	return finish(r ? r : seen.ended ? -EIO : 0);
}

static void test_each_refusal_is_told_and_leaks_nothing(void **state)
{
	static const struct refuse_step steps[] = {
		{"a client", step_client, 5, false},
		{"a txn", step_txn, 10, true},
		{"pages", step_pages, 20, true},
		{"a lease", step_lease, 10, true},
		{"a self-test", step_self_test, 10, true},
		{"a watch", step_watch, 30, true},
	};

	refuse_each(steps, LENGTH(steps));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_refusal_is_told_and_leaks_nothing),
	};

	return cmocka_run_group_tests_name("client-memory", tests, NULL, NULL);
}
