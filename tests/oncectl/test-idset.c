/* The set of ids counts like a slow list, whatever the ids are. */
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/oncectl/idset.h"

enum { IDS = 4000 };

static uint64_t state;

static uint64_t draw(void)
{
	state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return state >> 33;
}

/* Neighbours, large numbers, numbers in another spelling, texts. */
static void make_id(char *text, size_t size)
{
	uint64_t kind = draw() % 6, number = draw() % 700;

	if (kind < 3)
		(void)snprintf(text, size, "%llu", (unsigned long long)number);
	else if (kind == 3)
		(void)snprintf(text, size, "%llu", (unsigned long long)(UINT64_MAX - number));
	else if (kind == 4)
		(void)snprintf(text, size, "0%llu", (unsigned long long)number);
	else
		(void)snprintf(text, size, "id-%llu", (unsigned long long)number);
}

static void counts_like_a_list(void **unused)
{
	static char ids[IDS][32];
	struct arena arena;
	struct idset set;
	size_t different = 0;

	arena_init(&arena);
	idset_init(&set, &arena);
	assert_int_equal(idset_count(&set, once_str("1")), 0);
	for (size_t i = 0; i < IDS; i++) {
		unsigned before = 0;

		make_id(ids[i], sizeof(ids[i]));
		for (size_t j = 0; j < i; j++)
			before += strcmp(ids[i], ids[j]) == 0;
		different += before == 0;
		assert_int_equal(idset_count(&set, once_str(ids[i])), before);
		assert_int_equal(idset_add(&set, once_str(ids[i])), before + 1);
		assert_int_equal(idset_count(&set, once_str(ids[i])), before + 1);
		assert_int_equal(set.n, different);
	}
	idset_fini(&set);
	arena_fini(&arena);
}

static void a_sequence_costs_next_to_nothing(void **unused)
{
	struct arena arena;
	struct idset set;
	char text[32];

	arena_init(&arena);
	idset_init(&set, &arena);
	for (unsigned i = 0; i < 1000000; i++) {
		(void)snprintf(text, sizeof(text), "%u", 1000000000 + i);
		assert_int_equal(idset_add(&set, once_str(text)), 1);
	}
	assert_int_equal(set.n, 1000000);
	assert_int_equal(set.cap, 0);
	assert_true(set.words_cap * sizeof(*set.words) <= 1 << 20);
	assert_int_equal(idset_count(&set, once_str("1000999999")), 1);
	assert_int_equal(idset_count(&set, once_str("1001000000")), 0);
	idset_fini(&set);
	arena_fini(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts_like_a_list),
		cmocka_unit_test(a_sequence_costs_next_to_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
