/* The agent's end of the link: what it sends, what it passes on, and how it notices a guardian that
 * is gone, stopped or deaf. */
#include "tests/unit/unit.h"

#include "daemon/link-io.h"
#include "daemon/uplink.h"
#include "tests/fake/loop.h"

#include <sys/socket.h>
#include <unistd.h>

enum { MS = 1000000 };

struct rig {
	struct fake_loop loop;
	int fds[2];
	struct link_page page;
	struct uplink uplink;
	unsigned n_packets, n_gone;
	uint32_t type; /* of the last */
	struct link_ended ended;
};

static union {
	uint32_t type;
	struct link_hello hello;
	struct link_notify notify;
	struct link_quit quit;
	struct link_extend extend;
	struct link_stop stop;
	char bytes[LINK_PACKET_MAX];
} packet;

static void on_packet(void *userdata, const void *data)
{
	struct rig *r = userdata;

	if (!data) {
		r->n_gone++;
		return;
	}
	r->n_packets++;
	memcpy(&r->type, data, sizeof(r->type));
	if (r->type == LINK_ENDED)
		r->ended = *(const struct link_ended *)data;
}

static void setup(struct rig *r)
{
	memset(r, 0, sizeof(*r));
	fake_loop_init(&r->loop);
	assert_int_equal(link_open(r->fds), 0);
	assert_int_equal(
		uplink_init(&r->uplink, r->fds[1], &r->page, &r->loop.loop, on_packet, r), 0);
}

static void teardown(struct rig *r)
{
	uplink_fini(&r->uplink);
	uplink_fini(&r->uplink);
	if (r->fds[0] >= 0)
		assert_int_equal(close(r->fds[0]), 0);
	assert_int_equal(close(r->fds[1]), 0);
}

static ssize_t take(struct rig *r)
{
	return recv(r->fds[0], &packet, sizeof(packet), MSG_DONTWAIT);
}

static void what_is_sent(void **state)
{
	struct rig r;
	char longer[LINK_PATH_MAX * 2];
	struct link_extend extend = {.type = LINK_EXTEND, .token = 7, .valid_ns = 8};

	setup(&r);
	assert_int_equal(uplink_hello(&r.uplink, "node1-01", "/run/onced"), 0);
	assert_int_equal(take(&r), sizeof(struct link_hello));
	assert_int_equal(packet.type, LINK_HELLO);
	assert_string_equal(packet.hello.instance, "node1-01");
	assert_string_equal(packet.hello.runtime_dir, "/run/onced");
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	assert_int_equal(uplink_hello(&r.uplink, longer, longer), 0);
	assert_int_equal(take(&r), sizeof(struct link_hello));
	assert_int_equal(strlen(packet.hello.instance), LINK_NAME_MAX - 1);
	assert_int_equal(strlen(packet.hello.runtime_dir), LINK_PATH_MAX - 1);
	assert_int_equal(uplink_notify(&r.uplink, "STATUS=%s %d", "a", 5), 0);
	assert_int_equal(take(&r), sizeof(struct link_notify));
	assert_int_equal(packet.type, LINK_NOTIFY);
	assert_string_equal(packet.notify.text, "STATUS=a 5");
	assert_int_equal(uplink_notify(&r.uplink, "%s%s", longer, longer), 0);
	assert_int_equal(take(&r), sizeof(struct link_notify));
	assert_int_equal(strlen(packet.notify.text), sizeof(packet.notify.text) - 1);
	assert_int_equal(uplink_extend(&r.uplink, &extend), 0);
	assert_int_equal(take(&r), sizeof(extend));
	assert_memory_equal(&packet.extend, &extend, sizeof(extend));
	assert_int_equal(uplink_quit(&r.uplink, 75), 0);
	assert_int_equal(take(&r), sizeof(struct link_quit));
	assert_int_equal(packet.type, LINK_QUIT);
	assert_int_equal(packet.quit.code, 75);
	teardown(&r);
}

static void one_packet_a_turn(void **state)
{
	struct rig r;
	struct link_ended ended = {.type = LINK_ENDED, .status = 5, .run = 1};
	struct link_signal signal = {.type = LINK_SIGNAL, .signo = 15};

	setup(&r);
	assert_false(fake_loop_poll(&r.loop));
	assert_int_equal(link_send(r.fds[0], &ended, sizeof(ended)), 0);
	assert_int_equal(link_send(r.fds[0], &signal, sizeof(signal)), 0);
	assert_true(fake_loop_poll(&r.loop));
	assert_int_equal(r.n_packets, 1);
	assert_int_equal(r.ended.status, 5);
	assert_int_equal(r.ended.run, 1);
	assert_true(fake_loop_poll(&r.loop));
	assert_int_equal(r.n_packets, 2);
	assert_int_equal(r.type, LINK_SIGNAL);
	assert_false(fake_loop_poll(&r.loop));
	teardown(&r);
}

static void only_whole_packets_are_passed_on(void **state)
{
	static const struct {
		uint32_t type;
		size_t size;
	} known[] = {
		{LINK_WELCOME, sizeof(struct link_welcome)},
		{LINK_STARTED, sizeof(struct link_started)},
		{LINK_REFUSED, sizeof(struct link_refused)},
		{LINK_ENDED, sizeof(struct link_ended)},
		{LINK_EMPTY, sizeof(struct link_empty)},
		{LINK_FENCED, sizeof(struct link_fenced)},
		{LINK_SIGNAL, sizeof(struct link_signal)},
	};
	static char bytes[4096];
	struct rig r;

	setup(&r);
	for (uint32_t type = 0; type < 128; type++) {
		size_t size = 0;

		for (size_t i = 0; i < LENGTH(known); i++)
			if (known[i].type == type)
				size = known[i].size;
		memcpy(bytes, &type, sizeof(type));
		r.n_packets = 0;
		for (size_t n = 1; n < 700; n++) {
			assert_int_equal(link_send(r.fds[0], bytes, n), 0);
			while (fake_loop_poll(&r.loop))
				;
		}
		assert_int_equal(r.n_packets, size != 0);
		if (size)
			assert_int_equal(r.type, type);
	}
	assert_int_equal(link_send(r.fds[0], bytes, sizeof(bytes)), 0);
	assert_true(fake_loop_poll(&r.loop));
	assert_int_equal(r.n_packets, 0);
	assert_int_equal(r.n_gone, 0);
	teardown(&r);
}

static void a_guardian_that_is_gone(void **state)
{
	struct rig r;

	setup(&r);
	assert_int_equal(close(r.fds[0]), 0);
	r.fds[0] = -1;
	assert_true(fake_loop_poll(&r.loop));
	assert_int_equal(r.n_gone, 1);
	assert_true(r.uplink.gone);
	assert_false(fake_loop_poll(&r.loop)); /* said once */
	assert_int_equal(uplink_quit(&r.uplink, 0), -EPIPE);
	teardown(&r);
}

static void a_guardian_that_takes_nothing(void **state)
{
	struct rig r;
	int sent = 0, e;

	setup(&r);
	while ((e = uplink_notify(&r.uplink, "STATUS=x")) == 0 && sent < 100000)
		sent++;
	assert_int_equal(e, -EAGAIN);
	assert_true(sent > 100);
	assert_false(r.uplink.gone); /* slow, for all that is known: the page tells */
	assert_int_equal(uplink_notify(&r.uplink, "STATUS=x"), -EAGAIN);
	teardown(&r);
}

/* Hundreds of jobs stop in one turn. */
static void orders_to_stop_are_owed(void **state)
{
	enum { RUNS = 2000 };
	static struct uplink_stop stops[RUNS];
	static unsigned heard[RUNS + 1];
	struct rig r;
	unsigned n = 0;

	setup(&r);
	for (unsigned i = 0; i < RUNS; i++) {
		uplink_stop_init(&stops[i]);
		uplink_stop(&r.uplink, &stops[i], 3, i + 1, 300 * MS);
	}
	assert_false(list_empty(&r.uplink.owed));
	uplink_stop(&r.uplink, &stops[RUNS - 1], 3, RUNS, 100 * MS);
	uplink_stop(&r.uplink, &stops[RUNS - 2], 3, RUNS - 1, 900 * MS);
	uplink_stop_forget(&stops[RUNS - 3]);
	uplink_stop_forget(&stops[0]); /* on its way */
	fake_loop_run(&r.loop, 60 * MS);
	do
		while (take(&r) > 0) {
			assert_int_equal(packet.type, LINK_STOP);
			assert_int_equal(packet.stop.group, 3);
			assert_in_range(packet.stop.run, 1, RUNS);
			heard[packet.stop.run]++;
			n++;
			if (packet.stop.run == RUNS)
				assert_int_equal(packet.stop.grace_ns, 40 * MS);
			if (packet.stop.run == RUNS - 1)
				assert_int_equal(packet.stop.grace_ns, 240 * MS);
		}
	while (fake_loop_poll(&r.loop));
	assert_int_equal(n, RUNS - 1);
	for (unsigned i = 1; i <= RUNS; i++)
		assert_int_equal(heard[i], i != RUNS - 2);
	uplink_stop(&r.uplink, &stops[7], 3, 8, -1);
	assert_int_equal(take(&r), sizeof(packet.stop));
	teardown(&r);
}

static void orders_to_a_guardian_that_is_gone(void **state)
{
	static struct uplink_stop stops[2000];
	struct rig r;

	setup(&r);
	for (unsigned i = 0; i < LENGTH(stops); i++) {
		uplink_stop_init(&stops[i]);
		uplink_stop(&r.uplink, &stops[i], 0, i + 1, 0);
	}
	assert_int_equal(close(r.fds[0]), 0);
	r.fds[0] = -1;
	while (fake_loop_poll(&r.loop))
		;
	assert_int_equal(r.n_gone, 1);
	assert_true(list_empty(&r.uplink.owed));
	teardown(&r);
}

static int64_t silent(struct rig *r)
{
	return uplink_guardian_silent_ns(&r->uplink);
}

static void extend(struct rig *r)
{
	struct link_extend extend = {.type = LINK_EXTEND};

	assert_int_equal(uplink_extend(&r->uplink, &extend), 0);
	assert_int_equal(take(r), sizeof(extend));
}

static void a_guardian_that_acts_on_nothing(void **state)
{
	struct rig r;

	setup(&r);
	fake_loop_run(&r.loop, 500 * MS);
	assert_int_equal(silent(&r), 0); /* nothing was asked */
	extend(&r);
	assert_int_equal(silent(&r), 0);
	fake_loop_run(&r.loop, 100 * MS);
	assert_int_equal(silent(&r), 100 * MS);
	extend(&r);
	fake_loop_run(&r.loop, 50 * MS);
	assert_int_equal(silent(&r), 150 * MS); /* since the first that it has not acted on */
	atomic_store(&r.page.extends_seen, 1);
	assert_int_equal(silent(&r), 0);
	extend(&r);
	fake_loop_run(&r.loop, 70 * MS);
	assert_int_equal(silent(&r), 70 * MS);
	atomic_store(&r.page.extends_seen, 3);
	assert_int_equal(silent(&r), 0);
	fake_loop_run(&r.loop, 9000 * (int64_t)MS);
	assert_int_equal(silent(&r), 0); /* it has acted on all */
	extend(&r);
	fake_loop_run(&r.loop, 10 * MS);
	assert_int_equal(silent(&r), 10 * MS); /* not since the one before */
	teardown(&r);
}

/* One that has acted on the extension that was waited for lives; the wait begins anew with the
 * next. */
static void a_guardian_that_lags(void **state)
{
	struct rig r;

	setup(&r);
	extend(&r);
	fake_loop_run(&r.loop, 20 * MS);
	extend(&r);
	atomic_store(&r.page.extends_seen, 1);
	fake_loop_run(&r.loop, 80 * MS);
	assert_int_equal(silent(&r), 0);
	extend(&r);
	fake_loop_run(&r.loop, 60 * MS);
	assert_int_equal(silent(&r), 60 * MS);
	teardown(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_sent),
		cmocka_unit_test(one_packet_a_turn),
		cmocka_unit_test(only_whole_packets_are_passed_on),
		cmocka_unit_test(a_guardian_that_is_gone),
		cmocka_unit_test(a_guardian_that_takes_nothing),
		cmocka_unit_test(orders_to_stop_are_owed),
		cmocka_unit_test(orders_to_a_guardian_that_is_gone),
		cmocka_unit_test(a_guardian_that_acts_on_nothing),
		cmocka_unit_test(a_guardian_that_lags),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
