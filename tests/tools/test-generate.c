/* Fake data: the same for ever, whatever is asked for before; what it says it is. */
#include "tests/unit/unit.h"

#include "base/crc32c.h"
#include "base/utf8.h"
#include "tools/etcd-faker/generate.h"

static const struct fake_mix all = {
	.json = 1, .text = 1, .binary = 1, .blob_bytes = 100, .seed = 1};

struct made {
	struct buf key, value;
};

static void make(struct made *m, const struct fake_mix *mix, uint64_t number)
{
	buf_init(&m->key, 1000);
	buf_init(&m->value, 1 << 20);
	fake_item(mix, number, &m->key, &m->value);
	assert_int_equal(buf_error(&m->key), 0);
	assert_int_equal(buf_error(&m->value), 0);
}

static void drop(struct made *m)
{
	buf_fini(&m->key);
	buf_fini(&m->value);
}

/* Written down here: other compilers, processors and versions of ours must make the same bytes. */
static void the_bytes_are_these(void **state)
{
	uint32_t sum = 0;
	struct made m;

	for (uint64_t i = 0; i < 1000; i++) {
		make(&m, &all, i);
		sum = crc32c(sum, buf_text(&m.key), m.key.size);
		sum = crc32c(sum, buf_text(&m.value), m.value.size);
		drop(&m);
	}
	assert_int_equal(sum, 0xe5217896);
}

static bool starts(const struct buf *key, const char *text)
{
	return strncmp(buf_text(key), text, strlen(text)) == 0;
}

static void keys_and_values_fit_their_kind(void **state)
{
	unsigned json = 0, text = 0, binary = 0, prices = 0;

	for (uint64_t i = 0; i < 3000; i++) {
		struct made m;
		uint64_t number = 0;

		make(&m, &all, i);
		assert_int_equal(fake_number(m.key.data, m.key.size, &number), 0);
		assert_int_equal(number, i);
		if (starts(&m.key, "json/")) {
			json++;
			assert_true(utf8_valid(m.value.data, m.value.size));
			assert_int_equal(m.value.data[0], '{');
			assert_int_equal(m.value.data[m.value.size - 1], '}');
			prices += strstr(buf_text(&m.value), "\"price\":") != NULL;
		} else if (starts(&m.key, "text/")) {
			text++;
			assert_true(utf8_valid(m.value.data, m.value.size));
		} else {
			binary++;
			assert_true(starts(&m.key, "binary/"));
			assert_int_equal(m.value.size, 100);
			assert_false(utf8_valid(m.value.data, m.value.size));
		}
		drop(&m);
	}
	assert_true(json > 900 && text > 900 && binary > 900);
	assert_true(prices > 150 && prices < 350);
}

static void mix_seed_and_sizes_count(void **state)
{
	struct fake_mix mix = {.json = 1, .value_bytes = 700, .seed = 7};
	struct made m, other;

	for (uint64_t i = 0; i < 300; i++) {
		make(&m, &mix, i);
		assert_true(starts(&m.key, "json/"));
		assert_true(m.value.size >= 700 && m.value.size < 730);
		drop(&m);
	}
	mix = (struct fake_mix){.text = 1, .value_bytes = 50, .seed = 7};
	make(&m, &mix, 5);
	mix.seed = 8;
	make(&other, &mix, 5);
	assert_true(m.value.size >= 50);
	assert_true(m.value.size != other.value.size ||
		    memcmp(m.value.data, other.value.data, m.value.size) != 0);
	drop(&m);
	drop(&other);
}

static void foreign_keys_have_no_number(void **state)
{
	uint64_t number;

	assert_int_equal(fake_number("text/00000000000x", 17, &number), -EINVAL);
	assert_int_equal(fake_number("123", 3, &number), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_bytes_are_these),
		cmocka_unit_test(keys_and_values_fit_their_kind),
		cmocka_unit_test(mix_seed_and_sizes_count),
		cmocka_unit_test(foreign_keys_have_no_number),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
