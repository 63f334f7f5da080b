/* Packed blocks: what was put in comes out; everything else is refused before the first id. */
#include "tests/unit/unit.h"

#include <once/confirm.h>

#include "base/crc32c.h"
#include "base/number.h"

struct seen {
	char text[4096];
	size_t n;
	int stop_after;
};

static int note(void *userdata, struct once_bytes id)
{
	struct seen *seen = userdata;

	if (seen->n < 100) {
		strncat(seen->text, id.data, id.size);
		strcat(seen->text, " ");
	}
	seen->n++;
	return seen->stop_after > 0 && (int)seen->n == seen->stop_after ? 42 : 0;
}

/* From a copy of exactly that size, so that the sanitizer sees a byte read too many. */
static int decode(const void *block, size_t size, struct seen *seen)
{
	void *copy = malloc(size ? size : 1);
	uint64_t sequence = 0;
	int r;

	assert_non_null(copy);
	memcpy(copy, block, size);
	r = once_packed_decode((struct once_bytes){copy, size}, &sequence, note, seen);
	free(copy);
	assert_true(r != 0 || sequence == 7);
	return r;
}

static void round_trip(const char *const *texts, size_t n, const char *expected)
{
	struct once_bytes ids[16];
	struct seen seen = {{0}, 0, 0};
	void *block = NULL;
	size_t size = 0;

	for (size_t i = 0; i < n; i++)
		ids[i] = once_str(texts[i]);
	assert_int_equal(once_packed_encode(&block, &size, ids, n, 7), 0);
	assert_int_equal(decode(block, size, &seen), 0);
	assert_string_equal(seen.text, expected);
	free(block);
}

static void ids_come_back(void **state)
{
	static const char *const numbers[] = {"0", "1", "9", "10", "18446744073709551615"};
	static const char *const one[] = {"18446744073709551615"};
	static const char *const texts[] = {"01", "1", "order-1", "order-10", "order-2", "z"};

	round_trip(numbers, 5, "0 1 9 10 18446744073709551615 ");
	round_trip(one, 1, "18446744073709551615 ");
	round_trip(texts, 6, "01 1 order-1 order-10 order-2 z ");
}

static void sequences_are_small(void **state)
{
	enum { N = 100000 };
	static struct once_bytes ids[N];
	static char texts[N][NUMBER_TEXT_MAX];
	struct seen seen = {{0}, 0, 0};
	void *block = NULL;
	size_t size = 0;

	for (size_t i = 0; i < N; i++)
		ids[i] = (struct once_bytes){texts[i], number_format_u64(texts[i], 1000000 + i)};
	assert_int_equal(once_packed_encode(&block, &size, ids, N, 7), 0);
	assert_true(size < 200);
	assert_int_equal(decode(block, size, &seen), 0);
	assert_int_equal(seen.n, N);
	seen = (struct seen){{0}, 0, 5};
	assert_int_equal(decode(block, size, &seen), 42);
	assert_int_equal(seen.n, 5);
	free(block);
}

static void bad_ids_are_refused(void **state)
{
	static const char *const bad[][2] = {{"2", "1"}, {"10", "9"}, {"b", "a"}, {"a", "a"},
		{"1", "1"}, {"", "a"}, {"10", "9x"}};
	static char longest[ONCE_CONFIRM_ID_MAX + 1];
	struct once_bytes ids[2] = {{longest, sizeof(longest)}};
	void *block = NULL;
	size_t size;

	assert_int_equal(once_packed_encode(&block, &size, ids, 0, 7), -EINVAL);
	assert_int_equal(once_packed_encode(&block, &size, ids, 1, 7), -EINVAL);
	/* The last pair is texts: in order. */
	for (size_t i = 0; i + 1 < LENGTH(bad); i++) {
		ids[0] = once_str(bad[i][0]);
		ids[1] = once_str(bad[i][1]);
		check_case(bad[i][0], once_packed_encode(&block, &size, ids, 2, 7) == -EINVAL);
	}
	ids[0] = once_str(bad[6][0]);
	ids[1] = once_str(bad[6][1]);
	assert_int_equal(once_packed_encode(&block, &size, ids, 2, 7), 0);
	free(block);
}

static void seal(unsigned char *block, size_t size)
{
	uint32_t sum = crc32c(crc32c(0, block, 40), block + 44, size - 44);

	for (int i = 0; i < 4; i++)
		block[40 + i] = (unsigned char)(sum >> (8 * i));
}

static void damage_is_found_before_the_first_id(void **state)
{
	static const char *const lists[][3] = {{"5", "6", "900"}, {"a", "ab", "b"}};

	for (size_t which = 0; which < 2; which++) {
		struct once_bytes ids[3] = {once_str(lists[which][0]), once_str(lists[which][1]),
			once_str(lists[which][2])};
		struct seen seen = {{0}, 0, 0};
		void *made = NULL;
		unsigned char *block;
		size_t size = 0;

		assert_int_equal(once_packed_encode(&made, &size, ids, 3, 7), 0);
		block = made;
		for (size_t i = 0; i < size; i++)
			assert_int_equal(decode(block, i, &seen), -EBADMSG);
		for (size_t i = 0; i < size; i++) {
			block[i] ^= 1;
			assert_int_equal(decode(block, size, &seen), -EBADMSG);
			block[i] ^= 1;
		}
		/* With a right checksum: the header must fit the body. The sequence may be any. */
		for (size_t i = 0; i < 40; i++) {
			if (i >= 16 && i < 24)
				continue;
			block[i] ^= 1;
			seal(block, size);
			assert_int_equal(decode(block, size, &seen), -EBADMSG);
			block[i] ^= 1;
		}
		seal(block, size);
		assert_int_equal(seen.n, 0);
		assert_int_equal(decode(block, size, &seen), 0);
		free(made);
	}
}

static void huge_sizes_are_refused(void **state)
{
	struct once_bytes ids[1] = {{"5", 1}};
	struct seen seen = {{0}, 0, 0};
	void *made = NULL;
	size_t size = 0;
	unsigned char *block;

	assert_int_equal(once_packed_encode(&made, &size, ids, 1, 7), 0);
	block = made;
	memset(block + 8, 0xff, 8);
	seal(block, size);
	assert_int_equal(decode(block, size, &seen), -EBADMSG);
	free(made);
}

static void the_checksum_is_castagnoli(void **state)
{
	assert_int_equal(crc32c(0, "123456789", 9), 0xe3069283);
	assert_int_equal(crc32c(crc32c(0, "1234", 4), "56789", 5), 0xe3069283);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ids_come_back),
		cmocka_unit_test(sequences_are_small),
		cmocka_unit_test(bad_ids_are_refused),
		cmocka_unit_test(damage_is_found_before_the_first_id),
		cmocka_unit_test(huge_sizes_are_refused),
		cmocka_unit_test(the_checksum_is_castagnoli),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
