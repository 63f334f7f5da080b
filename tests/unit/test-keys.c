/* Names and values of the election's keys: what was written is read back, everything else is
 * foreign. */
#include "tests/unit/unit.h"

#include "elect/keys.h"
#include "tests/fake/loop.h"

static char out[KEYS_VALUE_MAX];

static struct once_bytes bytes(const char *text)
{
	return (struct once_bytes){text, strlen(text)};
}

/* A copy of exactly that size, so that the sanitizer sees a byte read too many. */
static bool with_copy(const char *data, size_t size, bool (*read)(struct once_bytes))
{
	char *copy = malloc(size ? size : 1);
	bool r;

	assert_non_null(copy);
	memcpy(copy, data, size);
	r = read((struct once_bytes){copy, size});
	free(copy);
	return r;
}

static struct keys_epoch epoch;
static uint64_t incarnation;
static int64_t token;

static bool epoch_read(struct once_bytes value)
{
	return keys_epoch_read(&epoch, value);
}

static bool beat_read(struct once_bytes value)
{
	return keys_beat_read(&incarnation, value);
}

static bool clean_read(struct once_bytes value)
{
	return keys_clean_read(&token, value);
}

static bool registration_read(struct once_bytes value)
{
	return keys_registration_read(&incarnation, value);
}

static void names(void **state)
{
	static const char *const good[] = {"a", "0", "node-1", "a.b_c-d", "9z",
		"a123456789012345678901234567890123456789012345678901234567890123"};
	static const char *const bad[] = {"", ".", "-a", "_a", ".a", "A", "nodE", "a b", "a/b",
		"a\n", "\xc3\xa4", "../a", "a*",
		"a1234567890123456789012345678901234567890123456789012345678901234"};

	for (size_t i = 0; i < LENGTH(good); i++)
		check_case(good[i], once_name_valid(good[i]));
	for (size_t i = 0; i < LENGTH(bad); i++)
		check_case(bad[i], !once_name_valid(bad[i]));
	assert_false(once_name_valid(NULL));
}

static void key_names(void **state)
{
	struct once_elector_config config = {
		.key = "/leader", .prefix = "/onced", .group = "default", .node = "node1"};
	struct keys keys, other;

	assert_int_equal(once_timing_profile(&config.timing, "fast"), 0);
	assert_int_equal(keys_init(&keys, &config), 0);
	assert_string_equal(keys.leader, "/leader");
	assert_string_equal(keys.group, "/onced/g/default/");
	assert_string_equal(keys.beats, "/onced/beat/");
	assert_string_equal(keys.config, "/onced/g/default/config");
	assert_string_equal(keys.epoch, "/onced/g/default/epoch");
	assert_string_equal(keys.clean, "/onced/g/default/clean");
	assert_string_equal(keys.ended, "/onced/g/default/ended");
	assert_string_equal(keys.handover, "/onced/g/default/handover");
	assert_string_equal(keys.reserve, "/onced/g/default/reserve");
	assert_string_equal(keys.beat, "/onced/beat/node1/default");
	assert_string_equal(keys.registration, "/onced/nodes/node1");
	assert_string_equal(keys.config_value,
		"key=/leader lease-ttl=3s fence-after=1.5s beat-interval=150ms "
		"clock-drift=100000ppm");
	/* What waiters rely on makes another value; what only concerns the node itself does not. */
	config.node = "node2";
	config.timing.request_timeout_ns++;
	config.timing.stop_grace_ns++;
	config.timing.kill_budget_ns++;
	assert_int_equal(keys_init(&other, &config), 0);
	assert_string_equal(other.config_value, keys.config_value);
	keys_fini(&other);
	for (int i = 0; i < 5; i++) {
		struct once_elector_config c = config;

		c.key = i == 0 ? "/other" : c.key;
		c.timing.lease_ttl_s += i == 1;
		c.timing.fence_after_ns += i == 2;
		c.timing.beat_interval_ns += i == 3;
		c.timing.clock_drift_ppm += i == 4;
		assert_int_equal(keys_init(&other, &c), 0);
		assert_string_not_equal(other.config_value, keys.config_value);
		keys_fini(&other);
	}
	keys_fini(&keys);
	keys_fini(&keys);
}

static void epoch_round_trip(void **state)
{
	int n = keys_epoch_write(out, sizeof(out), 0x0123456789abcdef, "node1", "10.0.0.1 or so",
		"/onced/beat/node1/default");

	assert_int_equal(n, strlen(out));
	assert_true(with_copy(out, (size_t)n, epoch_read));
	assert_true(epoch.incarnation == 0x0123456789abcdef);
	assert_string_equal(epoch.beat, "/onced/beat/node1/default");
	assert_int_equal(strncmp(out, "incarnation=0123456789abcdef beat=/onced", 40), 0);
	assert_non_null(strstr(out, " node=node1 since=2"));
	assert_non_null(strstr(out, "Z address=10.0.0.1 or so"));
}

/* The longest that once_elector_new() accepts: a prefix of 200, names of 64, an address of 255. */
static void the_longest_names_fit(void **state)
{
	char prefix[201], name[65], address[256];
	struct once_elector_config config = {
		.key = "/leader", .prefix = prefix, .group = name, .node = name};
	struct keys keys;
	int n;

	memset(prefix, 'p', sizeof(prefix) - 1);
	prefix[0] = '/';
	prefix[sizeof(prefix) - 1] = '\0';
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	memset(address, 'a', sizeof(address) - 1);
	address[sizeof(address) - 1] = '\0';
	assert_int_equal(keys_init(&keys, &config), 0);
	n = keys_epoch_write(out, sizeof(out), 1, name, address, keys.beat);
	assert_true(n > 0);
	assert_true(with_copy(out, (size_t)n, epoch_read));
	assert_string_equal(epoch.beat, keys.beat);
	assert_true(keys_registration_write(out, sizeof(out), 1, address) > 0);
	keys_fini(&keys);
}

static void foreign_epochs(void **state)
{
#define HEAD "incarnation=0123456789abcdef beat="
	static const char *const bad[] = {
		"",
		"x",
		"incarnation=",
		"incarnation=0123456789abcde",
		"incarnation=0123456789abcdef",
		"incarnation=0123456789abcdef beat",
		HEAD,
		HEAD " node=a",
		"incarnation=0000000000000000 beat=/b",
		"incarnation=0123456789ABCDEF beat=/b",
		"incarnation=0123456789abcdeg beat=/b",
		"incarnation=+123456789abcdef beat=/b",
		"incarnation=0123456789abcdef0 beat=/b",
		"incarnation=0123456789abcdef  beat=/b",
		" incarnation=0123456789abcdef beat=/b",
		"Incarnation=0123456789abcdef beat=/b",
	};
	char big[KEYS_VALUE_MAX + 1];

	for (size_t i = 0; i < LENGTH(bad); i++)
		check_case(bad[i], !with_copy(bad[i], strlen(bad[i]), epoch_read));
	assert_false(keys_epoch_read(&epoch, (struct once_bytes){NULL, 0}));
	/* a NUL anywhere */
	for (size_t i = 0; i < strlen(HEAD "/b node=a"); i++) {
		char text[] = HEAD "/b node=a";

		text[i] = '\0';
		assert_false(with_copy(text, sizeof(text) - 1, epoch_read));
	}
	/* a beat that is too long, a value that is */
	memset(big, 'b', sizeof(big));
	memcpy(big, HEAD, strlen(HEAD));
	assert_false(with_copy(big, strlen(HEAD) + sizeof(epoch.beat), epoch_read));
	assert_true(with_copy(big, strlen(HEAD) + sizeof(epoch.beat) - 1, epoch_read));
	big[strlen(HEAD) + 1] = ' ';
	assert_true(with_copy(big, KEYS_VALUE_MAX - 1, epoch_read));
	assert_false(with_copy(big, KEYS_VALUE_MAX, epoch_read));
	assert_false(with_copy(big, sizeof(big), epoch_read));
}

static void beats(void **state)
{
	static const char *const bad[] = {"", "0123456789abcdef", "0123456789abcdef ",
		"0123456789abcde 1", "0000000000000000 1", "0123456789abcdeF 1",
		"0123456789abcdef\t1", "0123456789abcdef x", "0123456789abcdef 1 ",
		"0123456789abcdef -1", "0123456789abcdef 18446744073709551616"};
	int n = keys_beat_write(out, sizeof(out), UINT64_MAX, UINT64_MAX);

	assert_string_equal(out, "ffffffffffffffff 18446744073709551615");
	assert_true(with_copy(out, (size_t)n, beat_read));
	assert_true(incarnation == UINT64_MAX);
	assert_true(keys_beat_read(&incarnation, bytes("0000000000000001 0")));
	assert_true(incarnation == 1);
	for (size_t i = 0; i < LENGTH(bad); i++)
		check_case(bad[i], !with_copy(bad[i], strlen(bad[i]), beat_read));
	assert_false(keys_beat_read(&incarnation, (struct once_bytes){NULL, 0}));
	assert_false(with_copy("0123456789abcdef 1\0", 19, beat_read));
}

static void clean(void **state)
{
	static const char *const bad[] = {
		"", " 7", "7 ", "+7", "07", "7x", "0x7", "9223372036854775808", "-", "seven"};
	int n = keys_clean_write(out, sizeof(out), INT64_MAX);

	assert_true(with_copy(out, (size_t)n, clean_read));
	assert_true(token == INT64_MAX);
	for (size_t i = 0; i < LENGTH(bad); i++)
		check_case(bad[i], !with_copy(bad[i], strlen(bad[i]), clean_read));
	assert_false(keys_clean_read(&token, (struct once_bytes){NULL, 0}));
	assert_false(with_copy("7\0", 2, clean_read));
}

static void ended(void **state)
{
	static const char node[] = "a123456789012345678901234567890123456789012345678901234567890123";
	int n = keys_ended_write(out, sizeof(out), 42, "beta", "silent");

	assert_true(n > 0 && strncmp(out, "token=42 by=beta reason=silent at=20", 36) == 0);
	assert_int_equal(out[n - 1], 'Z');
	assert_true(keys_ended_write(out, KEYS_ENDED_MAX, INT64_MAX, node, "switchover") > 0);
}

static void registrations(void **state)
{
	static const char *const bad[] = {"", "incarnation=", "incarnation=0123456789abcde",
		"incarnation=0000000000000000 address=", "incarnation=0123456789abcdeG address=",
		"Incarnation=0123456789abcdef address=", "address=x incarnation=0123456789abcdef"};
	int n = keys_registration_write(out, sizeof(out), 0xab, "10.0.0.1");

	assert_string_equal(out, "incarnation=00000000000000ab address=10.0.0.1");
	assert_true(with_copy(out, (size_t)n, registration_read));
	assert_true(incarnation == 0xab);
	for (size_t i = 0; i < LENGTH(bad); i++)
		check_case(bad[i], !with_copy(bad[i], strlen(bad[i]), registration_read));
	assert_false(keys_registration_read(&incarnation, (struct once_bytes){NULL, 0}));
}

/* Never a value cut short: that would be another one. */
static void what_does_not_fit_is_an_error(void **state)
{
	int n = keys_epoch_write(out, sizeof(out), 1, "a", "b", "/c");
	size_t size = (size_t)n + 1;

	assert_int_equal(keys_epoch_write(out, size, 1, "a", "b", "/c"), n);
	assert_int_equal(keys_epoch_write(out, size - 1, 1, "a", "b", "/c"), -E2BIG);
	assert_int_equal(keys_beat_write(out, 19, 1, 2), 18);
	assert_int_equal(keys_beat_write(out, 18, 1, 2), -E2BIG);
	assert_int_equal(keys_clean_write(out, 3, 12), 2);
	assert_int_equal(keys_clean_write(out, 2, 12), -E2BIG);
	assert_int_equal(keys_registration_write(out, 39, 1, "b"), 38);
	assert_int_equal(keys_registration_write(out, 38, 1, "b"), -E2BIG);
}

/* ---- what once_elector_new() lets in ---- */

static void the_elector_refuses(void **state)
{
	static const struct once_elector_callbacks callbacks;
	char longest[258];
	const struct {
		const char *name, *key, *prefix, *group, *node, *address;
	} cases[] = {
		{NULL, "/leader", "/onced", "default", "node1", NULL},
		{NULL, "a b", "/onced", "default", "node1", "somewhere or other"},
		{NULL, longest + 57, longest + 57, "default", "node1", longest + 2},
		{"key", NULL, "/onced", "default", "node1", ""},
		{"key", "", "/onced", "default", "node1", ""},
		{"key", "/a\n", "/onced", "default", "node1", ""},
		{"key", longest + 56, "/onced", "default", "node1", ""},
		{"prefix", "/leader", NULL, "default", "node1", ""},
		{"prefix", "/leader", "onced", "default", "node1", ""},
		{"prefix", "/leader", "/on ced", "default", "node1", ""},
		{"prefix", "/leader", "/on\tced", "default", "node1", ""},
		{"prefix", "/leader", longest + 56, "default", "node1", ""},
		{"group", "/leader", "/onced", NULL, "node1", ""},
		{"group", "/leader", "/onced", "a/b", "node1", ""},
		{"node", "/leader", "/onced", "default", NULL, ""},
		{"node", "/leader", "/onced", "default", "Node", ""},
		{"address", "/leader", "/onced", "default", "node1", "a\nb"},
		{"address", "/leader", "/onced", "default", "node1", longest + 1},
	};
	struct fake_loop loop;

	fake_loop_init(&loop);
	memset(longest, '/', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	for (size_t i = 0; i < LENGTH(cases); i++) {
		struct once_elector_config config = {.key = cases[i].key,
			.prefix = cases[i].prefix,
			.group = cases[i].group,
			.node = cases[i].node,
			.address = cases[i].address};
		struct once_elector *elector = NULL;
		char message[128] = "";
		int r;

		assert_int_equal(once_timing_profile(&config.timing, "fast"), 0);
		r = once_elector_new(&elector, NULL, &loop.loop, &config, &callbacks, NULL, message,
			sizeof(message));
		if (!cases[i].name) {
			assert_int_equal(r, 0);
			assert_null(once_elector_free(elector));
			continue;
		}
		assert_int_equal(r, -EINVAL);
		assert_null(elector);
		assert_int_equal(strncmp(message, cases[i].name, strlen(cases[i].name)), 0);
		assert_int_equal(once_elector_new(&elector, NULL, &loop.loop, &config, &callbacks,
					 NULL, NULL, 0),
			-EINVAL);
	}
	assert_int_equal(loop.n_timers, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),
		cmocka_unit_test(key_names),
		cmocka_unit_test(epoch_round_trip),
		cmocka_unit_test(the_longest_names_fit),
		cmocka_unit_test(foreign_epochs),
		cmocka_unit_test(beats),
		cmocka_unit_test(clean),
		cmocka_unit_test(ended),
		cmocka_unit_test(registrations),
		cmocka_unit_test(what_does_not_fit_is_an_error),
		cmocka_unit_test(the_elector_refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
