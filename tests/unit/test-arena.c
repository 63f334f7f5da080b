/* base/arena.h */
#include "base/arena.h"
#include "unit.h"

static void test_memory_is_zeroed_and_aligned(void **state)
{
	struct arena arena;

	arena_init(&arena);
	for (size_t size = 0; size < 5000; size += 7) {
		unsigned char *at = arena_alloc(&arena, size);

		assert_non_null(at);
		assert_int_equal((uintptr_t)at % _Alignof(max_align_t), 0);
		for (size_t i = 0; i < size; i++)
			assert_int_equal(at[i], 0);
		memset(at, 0xaa, size);
	}
	arena_fini(&arena);
}

static void test_what_was_given_out_does_not_move(void **state)
{
	struct arena arena;
	char *first, *big;

	arena_init(&arena);
	first = arena_copy(&arena, "first", 5);
	big = arena_alloc(&arena, 10 * 1024 * 1024);
	assert_non_null(big);
	memset(big, 1, 10 * 1024 * 1024);
	assert_string_equal(first, "first");
	assert_string_equal(arena_copy(&arena, NULL, 0), "");
	arena_fini(&arena);
}

static void test_impossible_sizes_are_refused(void **state)
{
	struct arena arena;

	arena_init(&arena);
	assert_null(arena_alloc(&arena, SIZE_MAX));
	assert_null(arena_alloc(&arena, SIZE_MAX - 8));
	assert_null(arena_array(&arena, SIZE_MAX / 4, 8));
	/* the product would be 16 */
	assert_null(arena_array(&arena, SIZE_MAX / 8 + 3, 8));
	assert_null(arena_copy(&arena, "", SIZE_MAX));
	assert_null(arena.chunks);
	arena_fini(&arena);
	arena_fini(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_memory_is_zeroed_and_aligned),
		cmocka_unit_test(test_what_was_given_out_does_not_move),
		cmocka_unit_test(test_impossible_sizes_are_refused),
	};

	return cmocka_run_group_tests_name("arena", tests, NULL, NULL);
}
