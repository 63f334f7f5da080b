/* Strict decimal integers; see number.h. */
#include "base/number.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

static int parse_digits(const char *text, size_t size, uint64_t *ret)
{
	uint64_t value = 0;
	bool fits = true;

	if (size == 0 || (text[0] == '0' && size > 1))
		return -EINVAL;
	for (size_t i = 0; i < size; i++) {
		unsigned int digit = (unsigned int)(unsigned char)text[i] - '0';

		if (digit > 9)
			return -EINVAL;
		if (__builtin_mul_overflow(value, UINT64_C(10), &value) ||
			__builtin_add_overflow(value, digit, &value))
			fits = false;
	}
	if (!fits)
		return -ERANGE;
	*ret = value;
	return 0;
}

int number_parse_u64(const char *text, size_t size, uint64_t *ret)
{
	return parse_digits(text, size, ret);
}

int number_parse_i64(const char *text, size_t size, int64_t *ret)
{
	bool negative = size > 0 && text[0] == '-';
	uint64_t value = 0;
	int r = negative ? parse_digits(text + 1, size - 1, &value)
			 : parse_digits(text, size, &value);

	if (r < 0)
		return r;
	if (negative && value == 0)
		return -EINVAL;
	if (value > (uint64_t)INT64_MAX + negative)
		return -ERANGE;
	/* 0 - value is defined for unsigned, and INT64_MIN comes out right */
	*ret = (int64_t)(negative ? 0 - value : value);
	return 0;
}

static size_t format_digits(char *out, uint64_t value)
{
	char text[NUMBER_TEXT_MAX];
	size_t at = sizeof(text);

	do {
		text[--at] = (char)('0' + value % 10);
		value /= 10;
	} while (value > 0);
	memcpy(out, text + at, sizeof(text) - at);
	return sizeof(text) - at;
}

size_t number_format_u64(char out[NUMBER_TEXT_MAX], uint64_t value)
{
	return format_digits(out, value);
}

size_t number_format_i64(char out[NUMBER_TEXT_MAX], int64_t value)
{
	if (value >= 0)
		return format_digits(out, (uint64_t)value);
	out[0] = '-';
	return 1 + format_digits(out + 1, 0 - (uint64_t)value);
}
