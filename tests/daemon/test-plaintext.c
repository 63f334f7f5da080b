/* The warning of plaintext beyond this host, in virtual time. */
#include "tests/unit/unit.h"

#include "daemon/log.h"
#include "daemon/plaintext.h"
#include "tests/fake/loop.h"

static const int64_t HOUR = 3600 * ONCE_NSEC_PER_SEC;

struct rig {
	struct fake_loop loop;
	struct config config;
	struct plaintext plain;
	unsigned n_said;
	char last[LOG_TEXT_MAX];
};

static void on_line(void *userdata, enum once_log_level level, const char *event, const char *text)
{
	struct rig *r = userdata;

	assert_int_equal(level, ONCE_LOG_WARNING);
	assert_string_equal(event, "plaintext");
	(void)snprintf(r->last, sizeof(r->last), "%s", text);
	r->n_said++;
}

static void setup(struct rig *r, const char *url)
{
	memset(r, 0, sizeof(*r));
	fake_loop_init(&r->loop);
	r->config.plaintext = url;
	log_listen(on_line, r);
	assert_int_equal(plaintext_init(&r->plain, &r->config, &r->loop.loop), 0);
}

static void teardown(struct rig *r)
{
	plaintext_fini(&r->plain);
	plaintext_fini(&r->plain);
	assert_int_equal(r->loop.n_timers, 0);
	log_listen(NULL, NULL);
}

static void test_plaintext_is_warned_of_each_hour(void **state)
{
	struct rig r;

	setup(&r, "http://10.0.0.1:2379");
	assert_int_equal(r.n_said, 1);
	assert_non_null(strstr(r.last, "http://10.0.0.1:2379 is spoken to without encryption"));
	assert_non_null(strstr(r.last, "expected https://"));
	fake_loop_run(&r.loop, HOUR - 1);
	assert_int_equal(r.n_said, 1);
	fake_loop_run(&r.loop, 1);
	assert_int_equal(r.n_said, 2);
	fake_loop_run(&r.loop, 24 * HOUR);
	assert_int_equal(r.n_said, 26);
	teardown(&r);
}

static void test_nothing_is_said_of_encryption_or_this_host(void **state)
{
	struct rig r;

	setup(&r, NULL);
	fake_loop_run(&r.loop, 24 * HOUR);
	assert_int_equal(r.n_said, 0);
	teardown(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plaintext_is_warned_of_each_hour),
		cmocka_unit_test(test_nothing_is_said_of_encryption_or_this_host),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
