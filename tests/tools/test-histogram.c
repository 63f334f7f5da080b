/* A histogram never says less than what was, and at most a quarter more. */
#include "tests/unit/unit.h"

#include "tools/common/histogram.h"

static void quantiles_are_upper_ends(void **state)
{
	for (uint64_t value = 0; value < 5000000; value = value * 5 / 4 + 1) {
		struct histogram h = {0};

		histogram_add(&h, value, 10);
		assert_true(histogram_quantile(&h, 0.5) >= value);
		assert_true(histogram_quantile(&h, 0.5) <= value + value / 4);
	}
}

static void quantiles_part_the_whole(void **state)
{
	struct histogram h = {0};

	assert_int_equal(histogram_quantile(&h, 0.5), 0);
	histogram_add(&h, 10, 99);
	histogram_add(&h, 1000, 1);
	assert_true(histogram_quantile(&h, 0.99) < 13);
	assert_true(histogram_quantile(&h, 0.999) >= 1000);
	histogram_add(&h, UINT64_MAX, 1);
	assert_true(histogram_quantile(&h, 1) > 1000000);
}

static void sizes_are_told_in_units(void **state)
{
	char text[32];

	histogram_bytes(text, sizeof(text), 1023);
	assert_string_equal(text, "1023B");
	histogram_bytes(text, sizeof(text), 1536);
	assert_string_equal(text, "1.5KiB");
	histogram_bytes(text, sizeof(text), UINT64_C(3) << 30);
	assert_string_equal(text, "3.0GiB");
	histogram_time(text, sizeof(text), 999);
	assert_string_equal(text, "999us");
	histogram_time(text, sizeof(text), 1500);
	assert_string_equal(text, "1.5ms");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(quantiles_are_upper_ends),
		cmocka_unit_test(quantiles_part_the_whole),
		cmocka_unit_test(sizes_are_told_in_units),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
