/* Every allocation of lib/base and of the pure encoders above it is refused once: -ENOMEM comes back, and
 * nothing leaks. */
#include "tests/unit/refuse.h"
#include "tests/unit/unit.h"

#include "base/arena.h"
#include "base/buf.h"

#include <once/confirm.h>
#include <once/flow.h>
#include <once/ledger.h>

static int step_buf(void)
{
	char text[300];
	struct buf buf;
	int r;

	memset(text, 'x', sizeof(text));
	buf_init(&buf, 1 << 20);
	for (int i = 0; i < 10; i++) {
		(void)buf_append(&buf, text, sizeof(text));
		(void)buf_printf(&buf, "%d %s", i, "text");
	}
	r = buf_error(&buf);
	/* the error sticks, and what was there before is whole */
	assert_true(r == 0 ? buf.size == 10 * (sizeof(text) + 6) : buf_puts(&buf, "x") == r);
	buf_fini(&buf);
	return r;
}

static int step_secret_buf(void)
{
	struct buf buf;
	int r;

	buf_init(&buf, 1 << 20);
	buf.secret = true;
	for (int i = 0; i < 200; i++)
		(void)buf_puts(&buf, "password");
	r = buf_error(&buf);
	buf_fini(&buf);
	return r;
}

static int step_arena(void)
{
	struct arena arena;
	int r = 0;

	arena_init(&arena);
	for (size_t size = 1; size < 300000 && r == 0; size *= 3) {
		char *data = arena_array(&arena, size, 1);

		r = data ? 0 : -ENOMEM;
		if (data)
			memset(data, 1, size);
	}
	r = r ? r : arena_copy(&arena, "abc", 3) ? 0 : -ENOMEM;
	arena_fini(&arena);
	return r;
}

static int step_run_code(void)
{
	static char tail[3000];
	struct once_run run = {.state = ONCE_RUN_OK,
		.id = "01",
		.token = 7,
		.node = "n1",
		.attempt = 1,
		.scheduled_ms = 1,
		.start_ms = 2,
		.end_ms = 3,
		.tail = {tail, sizeof(tail)},
		.output_size = sizeof(tail),
		.result = {"done", 4}};
	struct once_run *read = NULL;
	char *text = NULL;
	size_t size;
	int r;

	memset(tail, 'x', sizeof(tail));
	r = once_run_encode(&text, &size, &run);
	r = r ? r : once_run_decode(&read, (struct once_bytes){text, size});
	assert_true(r < 0 || read->tail.size == sizeof(tail));
	read = once_run_free(read);
	free(text);
	return r;
}

static int count_id(void *userdata, struct once_bytes id)
{
	size_t *n = userdata;

	(*n)++;
	return 0;
}

static int step_packed(void)
{
	const struct once_bytes ids[] = {once_str("a"), once_str("ab"), once_str("b")};
	uint64_t sequence;
	void *block = NULL;
	size_t size, n = 0;
	int r = once_packed_encode(&block, &size, ids, LENGTH(ids), 9);

	r = r ? r : once_packed_decode((struct once_bytes){block, size}, &sequence, count_id, &n);
	assert_true(r < 0 || (n == LENGTH(ids) && sequence == 9));
	free(block);
	return r;
}

static int step_flow_code(void)
{
	static const char value[] = "{\"v\":1,\"hash\":\"aa\"}";
	char hash[ONCE_HASH_SIZE];
	struct once_undo undo;

	return once_flow_decode(hash, &undo, once_str(value));
}

static void test_each_refusal_is_told_and_leaks_nothing(void **state)
{
	static const struct refuse_step steps[] = {
		{"buf", step_buf, 4, false},
		{"secret buf", step_secret_buf, 4, false},
		{"arena", step_arena, 4, false},
		{"a run's record", step_run_code, 5, false},
		{"a packed block", step_packed, 3, false},
		{"a flow's record", step_flow_code, 0, false},
	};

	refuse_each(steps, LENGTH(steps));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_refusal_is_told_and_leaks_nothing),
	};

	return cmocka_run_group_tests_name("base-memory", tests, NULL, NULL);
}
