/* base/list.h */
#include "base/list.h"
#include "unit.h"

struct item {
	int n;
	struct list link;
};

/* The numbers in order, as decimal digits: 123. */
static int digits(const struct list *list)
{
	const struct list *i;
	int sum = 0;

	list_foreach (i, list)
		sum = sum * 10 + list_entry(i, const struct item, link)->n;
	return sum;
}

static void fill(struct list *list, struct item *items, int n)
{
	list_init(list);
	for (int i = 0; i < n; i++) {
		items[i].n = i + 1;
		list_append(list, &items[i].link);
	}
}

static void test_a_new_list_is_empty(void **state)
{
	struct list list;

	list_init(&list);
	assert_true(list_empty(&list));
	assert_int_equal(list_length(&list), 0);
}

static void test_append_and_prepend_keep_order(void **state)
{
	struct item items[3], first = {.n = 9};
	struct list list;

	fill(&list, items, 3);
	list_prepend(&list, &first.link);
	assert_int_equal(digits(&list), 9123);
	assert_int_equal(list_length(&list), 4);
	assert_ptr_equal(list_first(&list, struct item, link), &first);
}

static void test_removing_twice_is_fine(void **state)
{
	struct item items[3];
	struct list list;

	fill(&list, items, 3);
	list_remove(&items[1].link);
	assert_int_equal(digits(&list), 13);
	assert_true(list_empty(&items[1].link));
	list_remove(&items[1].link);
	assert_int_equal(digits(&list), 13);
}

static void test_safe_walk_survives_removal(void **state)
{
	struct list list, *i, *next;
	struct item items[3];

	fill(&list, items, 3);
	list_foreach_safe (i, next, &list) {
		list_remove(i);
		memset(i, 0x55, sizeof(*i));
	}
	assert_true(list_empty(&list));
}

static void test_splice_moves_all(void **state)
{
	struct item a[2], b[2];
	struct list to, from;

	fill(&to, a, 2);
	fill(&from, b, 2);
	list_splice(&to, &from);
	assert_int_equal(digits(&to), 1212);
	assert_true(list_empty(&from));
	list_splice(&to, &from);
	assert_int_equal(digits(&to), 1212);
	list_remove(&b[1].link);
	assert_int_equal(digits(&to), 121);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_new_list_is_empty),
		cmocka_unit_test(test_append_and_prepend_keep_order),
		cmocka_unit_test(test_removing_twice_is_fine),
		cmocka_unit_test(test_safe_walk_survives_removal),
		cmocka_unit_test(test_splice_moves_all),
	};

	return cmocka_run_group_tests_name("list", tests, NULL, NULL);
}
