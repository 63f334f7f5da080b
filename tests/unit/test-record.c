/* Records as text: what was written is read back, everything else is refused. */
#include "tests/unit/unit.h"

#include <once/control.h>
#include <once/ledger.h>

/* Decodes a copy of exactly that size, so that the sanitizer sees a byte read too many. */
static int decode(struct once_run **ret, const char *text, size_t size)
{
	char *copy = malloc(size ? size : 1);
	int r;

	assert_non_null(copy);
	memcpy(copy, text, size);
	r = once_run_decode(ret, (struct once_bytes){copy, size});
	free(copy);
	return r;
}

static struct once_run *round_trip(const struct once_run *run)
{
	struct once_run *again = NULL;
	char *text = NULL;
	size_t size;

	assert_int_equal(once_run_encode(&text, &size, run), 0);
	assert_int_equal(strlen(text), size);
	assert_int_equal(decode(&again, text, size), 0);
	free(text);
	return again;
}

static const struct once_run full = {
	.state = ONCE_RUN_TIMEOUT,
	.id = "0123456789abcdef0123456789abcdef",
	.token = INT64_C(9007199254740993),
	.node = "node-1",
	.attempt = 3,
	.scheduled_ms = INT64_C(1795372200000),
	.start_ms = INT64_C(1795372200123),
	.end_ms = INT64_C(1795372260000),
	.cause = "schedule",
	.reason = "time",
	.detail = "took longer than 60 s",
	.closed_by = "node-2",
	.exited = true,
	.exit_code = 255,
	.exit_signal = 9,
	.user_us = 1,
	.system_us = 2,
	.max_rss_kib = 3,
	.until_ms = INT64_C(1795372300000),
	.count = 4,
	.live_ms = 10000,
	.hash = "aa00",
	.output_size = 1000,
	.tail = {"h\xc3\xa9llo\n\"x\"\\\x1b[1m", 15},
	.result = {"{\"rows\": 3}\n", 12},
};

static void every_field_comes_back(void **state)
{
	struct once_run *again = round_trip(&full), same;

	assert_int_equal(again->tail.size, full.tail.size);
	assert_memory_equal(again->tail.data, full.tail.data, full.tail.size);
	same = *again;
	assert_int_equal(again->result.size, full.result.size);
	assert_memory_equal(again->result.data, full.result.data, full.result.size);
	same.tail = full.tail;
	same.result = full.result;
	assert_memory_equal(&same, &full, sizeof(full));
	again = once_run_free(again);
}

static void the_text_is_what_people_expect(void **state)
{
	struct once_run run = {.state = ONCE_RUN_BEGUN,
		.id = "ab",
		.token = 7,
		.node = "n1",
		.attempt = 1,
		.scheduled_ms = INT64_C(1795372200000),
		.cause = "schedule"};
	char *text;
	size_t size;

	assert_int_equal(once_run_encode(&text, &size, &run), 0);
	assert_string_equal(text, "{\"v\":1,\"state\":\"begun\",\"id\":\"ab\",\"node\":\"n1\","
				  "\"token\":7,\"attempt\":1,"
				  "\"cause\":\"schedule\",\"scheduled\":\"2026-11-22T18:30:00Z\"}");
	free(text);
}

static void tails_of_any_bytes_come_back(void **state)
{
	struct once_run run = {.state = ONCE_RUN_OK}, *again;
	char bytes[512];

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)(i * 37);
	for (size_t size = 0; size < sizeof(bytes); size++) {
		run.tail = (struct once_bytes){bytes + (sizeof(bytes) - size), size};
		again = round_trip(&run);
		assert_int_equal(again->tail.size, size);
		assert_memory_equal(again->tail.data, run.tail.data, size);
		again = once_run_free(again);
	}
}

static void a_long_tail_loses_its_front(void **state)
{
	struct once_run run = {.state = ONCE_RUN_OK}, *again;
	size_t size = ONCE_TAIL_MAX + 5;
	char *bytes = malloc(size);

	/* two bytes each: the cut falls into the middle of one */
	for (size_t i = 0; i < size; i++)
		bytes[i] = "\xc3\xa9"[i % 2];
	run.tail = (struct once_bytes){bytes, size - 1};
	again = round_trip(&run);
	assert_int_equal(again->tail.size, ONCE_TAIL_MAX);
	again = once_run_free(again);
	run.tail = (struct once_bytes){bytes, size - 2};
	again = round_trip(&run);
	assert_int_equal(again->tail.size, ONCE_TAIL_MAX - 1);
	assert_memory_equal(again->tail.data, "\xc3\xa9\xc3", 3);
	again = once_run_free(again);
	/* the worst that a tail can be fits a record */
	memset(bytes, 0x01, size);
	run.tail = (struct once_bytes){bytes, size};
	again = round_trip(&run);
	assert_int_equal(again->tail.size, ONCE_TAIL_MAX);
	again = once_run_free(again);
	/* also with the worst result */
	run.result = (struct once_bytes){bytes, ONCE_RESULT_MAX};
	again = round_trip(&run);
	assert_int_equal(again->result.size, ONCE_RESULT_MAX);
	assert_memory_equal(again->result.data, bytes, ONCE_RESULT_MAX);
	again = once_run_free(again);
	free(bytes);
}

static void a_result_is_never_cut(void **state)
{
	char bytes[ONCE_RESULT_MAX + 1] = {0}, *text;
	struct once_run run = {
		.state = ONCE_RUN_OK, .result = {bytes, sizeof(bytes)}};
	size_t size;

	assert_int_equal(once_run_encode(&text, &size, &run), -EINVAL);
}

static void a_detail_becomes_one_line(void **state)
{
	struct once_run run = {.state = ONCE_RUN_FAILED, .detail = "a\nb\xff"}, *again;

	again = round_trip(&run);
	assert_string_equal(again->detail, "a\\x0ab\\xff");
	again = once_run_free(again);
	memset(run.detail, '\n', sizeof(run.detail) - 1);
	again = round_trip(&run);
	assert_int_equal(strlen(again->detail), 511); /* 127 of them and "..." */
	again = once_run_free(again);
}

static void what_is_no_record_is_not_written(void **state)
{
	char *text;
	size_t size;
#define REFUSED(...)                                                                               \
	do {                                                                                       \
		struct once_run bad = {.state = ONCE_RUN_OK, __VA_ARGS__};                         \
		check_case(#__VA_ARGS__, once_run_encode(&text, &size, &bad) == -EINVAL);          \
	} while (0)
	struct once_run run = {.state = ONCE_RUN_BEGUN};

	assert_int_equal(once_run_encode(&text, &size, &run), -EINVAL);
	run.state = 0;
	assert_int_equal(once_run_encode(&text, &size, &run), -EINVAL);
	run.state = ONCE_RUN_LOST + 1;
	assert_int_equal(once_run_encode(&text, &size, &run), -EINVAL);
	REFUSED(.id = "xyz");
	REFUSED(.hash = "A0");
	REFUSED(.node = "a b");
	REFUSED(.closed_by = "/");
	REFUSED(.cause = "Two words");
	REFUSED(.reason = "-x");
	REFUSED(.exit_code = 256);
	REFUSED(.exit_code = -1);
	REFUSED(.exit_signal = 65);
	REFUSED(.token = -1);
	REFUSED(.scheduled_ms = -1);
	REFUSED(.end_ms = INT64_C(253402300800000));
	REFUSED(.user_us = -5);
	REFUSED(.count = -1);
}

static void what_is_no_record_is_not_read(void **state)
{
	static const struct {
		const char *text;
		int error;
	} cases[] = {
		{"{\"v\":1,\"state\":\"ok\"}", 0},
		{" {\"v\":1, \"state\":\"ok\", \"new\":[1,{}]} ", 0},
		{"{\"v\":1,\"state\":\"ok\",\"token\":\"9223372036854775807\"}", 0},
		{"", -EBADMSG},
		{"{}", -EBADMSG},
		{"null", -EBADMSG},
		{"[]", -EBADMSG},
		{"{\"v\":1}", -EBADMSG},
		{"{\"state\":\"ok\"}", -EBADMSG},
		{"{\"v\":0,\"state\":\"ok\"}", -EBADMSG},
		{"{\"v\":2,\"state\":\"ok\"}", -EPROTONOSUPPORT},
		{"{\"v\":2}", -EPROTONOSUPPORT},
		{"{\"v\":\"x\",\"state\":\"ok\"}", -EBADMSG},
		{"{\"v\":1,\"state\":\"OK\"}", -EBADMSG},
		{"{\"v\":1,\"state\":1}", -EBADMSG},
		{"{\"v\":1,\"state\":\"begun\"}", -EBADMSG},
		{"{\"v\":1,\"state\":\"ok\",\"state\":\"ok\"}", -EBADMSG},
		{"{\"v\":1,\"state\":\"ok\"}x", -EBADMSG},
		{"{\"v\":1,\"state\":\"ok\",\"token\":-1}", -EBADMSG},
		{"{\"v\":1,\"state\":\"ok\",\"token\":1.5}", -EBADMSG},
		{"{\"v\":1,\"state\":\"ok\",\"token\":9007199254740993}", -EBADMSG},
		{"{\"v\":1,\"state\":\"ok\",\"token\":\"9223372036854775808\"}", -EBADMSG},
		{"{\"v\":1,\"state\":\"ok\",\"attempt\":4294967296}", -EBADMSG},
		{"{\"v\":1,\"state\":\"ok\",\"exit\":256}", -EBADMSG},
		{"{\"v\":1,\"state\":\"ok\",\"exited\":1}", -EBADMSG},
		{"{\"v\":1,\"state\":\"ok\",\"exit\":1}", -EBADMSG},
		{"{\"v\":1,\"state\":\"ok\",\"signal\":65}", -EBADMSG},
		{"{\"v\":1,\"state\":\"ok\",\"node\":\"a\\nb\"}", -EBADMSG},
		{"{\"v\":1,\"state\":\"ok\",\"detail\":\"a\\u001bb\"}", -EBADMSG},
		{"{\"v\":1,\"state\":\"ok\",\"reason\":\"UP\"}", -EBADMSG},
		{"{\"v\":1,\"state\":\"ok\",\"reason\":\"a234567890123456789012345678901234\"}",
			-EBADMSG},
		{"{\"v\":1,\"state\":\"ok\",\"start\":\"2026-11-31T00:00:00Z\"}", -EBADMSG},
		{"{\"v\":1,\"state\":\"ok\",\"start\":\"yesterday\"}", -EBADMSG},
		{"{\"v\":1,\"state\":\"ok\",\"tail\":5}", -EBADMSG},
		{"{\"v\":1,\"state\":\"ok\",\"tail64\":\"!\"}", -EBADMSG},
		{"{\"v\":1,\"state\":\"ok\",\"tail\":\"a\",\"tail64\":\"YQ==\"}", -EBADMSG},
	};

	for (size_t i = 0; i < LENGTH(cases); i++) {
		struct once_run *run = NULL;

		check_case(cases[i].text,
			decode(&run, cases[i].text, strlen(cases[i].text)) == cases[i].error);
		check_case(cases[i].text, !run == (cases[i].error != 0));
		run = once_run_free(run);
	}
}

static void a_record_that_is_too_large_is_not_looked_at(void **state)
{
	size_t size = ONCE_RECORD_MAX + 1;
	char *text = malloc(size);
	struct once_run *run;

	assert_non_null(text);
	memset(text, ' ', size);
	memcpy(text, "{\"v\":1,\"state\":\"ok\"}", 20);
	assert_int_equal(decode(&run, text, size), -EBADMSG);
	assert_int_equal(decode(&run, text, size - 1), 0);
	run = once_run_free(run);
	free(text);
}

static void states_have_names(void **state)
{
	enum once_run_state parsed;

	for (int i = ONCE_RUN_BEGUN; i <= ONCE_RUN_LOST; i++) {
		assert_int_equal(
			once_run_state_parse(&parsed, once_run_state_name((enum once_run_state)i)),
			0);
		assert_int_equal(parsed, i);
	}
	assert_string_equal(once_run_state_name(0), "?");
	assert_string_equal(once_run_state_name(ONCE_RUN_LOST + 1), "?");
	assert_int_equal(once_run_state_parse(&parsed, ""), -EINVAL);
	assert_int_equal(once_run_state_parse(&parsed, "?"), -EINVAL);
}

/* ---- control --------------------------------------------------------------------------------- */

static char out[ONCE_CONTROL_SIZE];

static struct once_bytes written(int n)
{
	assert_true(n > 0);
	assert_int_equal(strlen(out), n);
	return (struct once_bytes){out, (size_t)n};
}

static void control_records_come_back(void **state)
{
	struct once_pause pause = {"ops@h1", "disk \"full\"", 1000, 2000}, pause_again;
	struct once_trigger trigger = {"a", "", 1, 2, true}, trigger_again;
	struct once_kill kill = {"b", "hangs", 1, "ff"}, kill_again;
	struct once_handover handover = {"c", "reboot", 1, 2, 3, "n1", "n2", 60}, handover_again;
	struct once_cursor cursor = {1, 2, "*/5 * * * *"}, cursor_again;

	assert_int_equal(
		once_pause_decode(&pause_again, written(once_pause_encode(out, &pause))), 0);
	assert_memory_equal(&pause, &pause_again, sizeof(pause));
	assert_int_equal(
		once_trigger_decode(&trigger_again, written(once_trigger_encode(out, &trigger))),
		0);
	assert_memory_equal(&trigger, &trigger_again, sizeof(trigger));
	assert_int_equal(once_kill_decode(&kill_again, written(once_kill_encode(out, &kill))), 0);
	assert_memory_equal(&kill, &kill_again, sizeof(kill));
	assert_int_equal(once_handover_decode(
				 &handover_again, written(once_handover_encode(out, &handover))),
		0);
	assert_memory_equal(&handover, &handover_again, sizeof(handover));
	assert_int_equal(
		once_cursor_decode(&cursor_again, written(once_cursor_encode(out, &cursor))), 0);
	assert_memory_equal(&cursor, &cursor_again, sizeof(cursor));
	assert_true(once_pause_holds(&pause, 1999));
	assert_false(once_pause_holds(&pause, 2000));
}

static void control_records_fit_at_their_longest(void **state)
{
	struct once_handover handover = {.token = INT64_MAX, .at_ms = 1, .not_before_ms = 1};

	memset(handover.by, '"', ONCE_BY_MAX);
	memset(handover.reason, '\\', ONCE_REASON_MAX);
	memset(handover.from, 'a', ONCE_NAME_MAX);
	memset(handover.to, 'b', ONCE_NAME_MAX);
	handover.stay_away_s = INT32_MAX;
	(void)written(once_handover_encode(out, &handover));
	assert_int_equal(once_handover_decode(&handover, once_str(out)), 0);
}

static void bad_control_records_are_refused(void **state)
{
	struct once_pause pause = {.reason = "two\nlines"};
	struct once_handover handover = {.to = "Node"};
	struct once_cursor cursor = {.next_ms = -1};
	struct once_trigger trigger;
	struct once_kill order;
	static const char *const bad[] = {"", "now", "[]", "{\"v\":1", "{\"v\":1,\"v\":1}"};

	assert_int_equal(once_pause_encode(out, &pause), -EINVAL);
	strcpy(pause.reason, "\xff");
	assert_int_equal(once_pause_encode(out, &pause), -EINVAL);
	memset(pause.reason, 'a', sizeof(pause.reason)); /* no NUL */
	assert_int_equal(once_pause_encode(out, &pause), -EINVAL);
	assert_int_equal(once_handover_encode(out, &handover), -EINVAL);
	assert_int_equal(once_cursor_encode(out, &cursor), -EINVAL);

	assert_int_equal(once_trigger_encode(out, &(struct once_trigger){.by = "\n"}), -EINVAL);
	assert_int_equal(once_kill_encode(out, &(struct once_kill){.run = "XY"}), -EINVAL);

	for (size_t i = 0; i < LENGTH(bad); i++) {
		check_case(bad[i], once_trigger_decode(&trigger, once_str(bad[i])) == -EBADMSG);
		check_case(bad[i], once_kill_decode(&order, once_str(bad[i])) == -EBADMSG);
		check_case(bad[i], once_handover_decode(&handover, once_str(bad[i])) == -EBADMSG);
		check_case(bad[i], once_cursor_decode(&cursor, once_str(bad[i])) == -EBADMSG);
	}
	assert_int_equal(once_pause_decode(&pause, once_str("")), -EBADMSG);
	assert_int_equal(once_pause_decode(&pause, once_str("paused")), -EBADMSG);
	assert_int_equal(once_pause_decode(&pause, once_str("{\"v\":2}")), -EPROTONOSUPPORT);
	assert_int_equal(once_pause_decode(&pause, once_str("{\"v\":1,\"until\":5}")), -EBADMSG);
	assert_int_equal(once_pause_decode(&pause, once_str("{\"v\":1}")), 0);
	assert_int_equal(
		once_handover_decode(&handover, once_str("{\"v\":1,\"to\":\"/\"}")), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_field_comes_back),
		cmocka_unit_test(the_text_is_what_people_expect),
		cmocka_unit_test(tails_of_any_bytes_come_back),
		cmocka_unit_test(a_long_tail_loses_its_front),
		cmocka_unit_test(a_result_is_never_cut),
		cmocka_unit_test(a_detail_becomes_one_line),
		cmocka_unit_test(what_is_no_record_is_not_written),
		cmocka_unit_test(what_is_no_record_is_not_read),
		cmocka_unit_test(a_record_that_is_too_large_is_not_looked_at),
		cmocka_unit_test(states_have_names),
		cmocka_unit_test(control_records_come_back),
		cmocka_unit_test(control_records_fit_at_their_longest),
		cmocka_unit_test(bad_control_records_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
