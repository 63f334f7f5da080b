/* Durations as people write them; see duration.h. Integer arithmetic only: 0.1s is 100 ms exactly.
 */
#include "base/duration.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct unit {
	const char *name;
	int64_t ns;
};

static const struct unit units[] = {
	{"ns", INT64_C(1)},
	{"us", INT64_C(1000)},
	{"ms", INT64_C(1000000)},
	{"s", INT64_C(1000000000)},
	{"min", INT64_C(60000000000)},
	{"h", INT64_C(3600000000000)},
	{"d", INT64_C(86400000000000)},
};

static int refuse(int r, const char *why, const char **ret_why)
{
	if (ret_why)
		*ret_why = why;
	return r;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static const struct unit *find_unit(const char *text, size_t size)
{
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strlen(units[i].name) == size && memcmp(units[i].name, text, size) == 0)
			return &units[i];
	}
	return NULL;
}

static int64_t greatest_common_divisor(int64_t a, int64_t b)
{
	while (b > 0) {
		int64_t rest = a % b;

		a = b;
		b = rest;
	}
	return a;
}

/* Adds the digits behind the point. A fraction without trailing zeros is a whole number of ns only
 * if 2^digits or 5^digits divides the unit, and no unit has more than 2^16 in it. */
static int add_fraction(int64_t *ns, const char *text, size_t size, int64_t unit_ns)
{
	int64_t digits = 0, scale = 1, common;

	while (size > 0 && text[size - 1] == '0')
		size--;
	if (size > 16)
		return -EINVAL;
	for (size_t i = 0; i < size; i++) {
		digits = digits * 10 + (text[i] - '0');
		scale *= 10;
	}
	common = greatest_common_divisor(unit_ns, scale);
	scale /= common;
	if (digits % scale)
		return -EINVAL;
	/* below unit_ns, so only the sum can overflow */
	return __builtin_add_overflow(*ns, digits / scale * (unit_ns / common), ns) ? -ERANGE : 0;
}

static int parse_amount(
	const char *text, size_t whole, size_t fraction, int64_t unit_ns, int64_t *ret_ns)
{
	int64_t ns = 0;

	for (size_t i = 0; i < whole; i++) {
		if (__builtin_mul_overflow(ns, INT64_C(10), &ns) ||
			__builtin_add_overflow(ns, text[i] - '0', &ns))
			return -ERANGE;
	}
	if (__builtin_mul_overflow(ns, unit_ns, &ns))
		return -ERANGE;
	*ret_ns = ns;
	return fraction ? add_fraction(ret_ns, text + whole + 1, fraction, unit_ns) : 0;
}

int duration_parse(const char *text, size_t size, int64_t *ret_ns, const char **ret_why)
{
	size_t whole = 0, fraction = 0, at;
	const struct unit *unit;
	int64_t ns = 0;
	int r;

	while (whole < size && is_digit(text[whole]))
		whole++;
	if (whole == 0)
		return refuse(-EINVAL, "it must begin with a digit", ret_why);
	at = whole;
	if (at < size && text[at] == '.') {
		while (at + 1 + fraction < size && is_digit(text[at + 1 + fraction]))
			fraction++;
		if (fraction == 0)
			return refuse(-EINVAL, "no digit behind the point", ret_why);
		at += 1 + fraction;
	}
	if (at == size)
		return refuse(-EINVAL, "no unit; write ns, us, ms, s, min, h or d", ret_why);
	unit = find_unit(text + at, size - at);
	if (!unit && size - at == 1 && text[at] == 'm')
		return refuse(-EINVAL, "\"m\" is unclear; write ms or min", ret_why);
	if (!unit)
		return refuse(-EINVAL, "unknown unit; write ns, us, ms, s, min, h or d", ret_why);
	r = parse_amount(text, whole, fraction, unit->ns, &ns);
	if (r == -ERANGE)
		return refuse(r, "too long", ret_why);
	if (r < 0)
		return refuse(r, "finer than a nanosecond", ret_why);
	*ret_ns = ns;
	return 0;
}

/* The fraction of a unit of 10^digits ns, without trailing zeros. */
static void format_fraction(
	char *out, size_t size, uint64_t whole, uint64_t fraction, int digits, const char *unit)
{
	while (digits > 0 && fraction % 10 == 0) {
		fraction /= 10;
		digits--;
	}
	if (digits == 0)
		(void)snprintf(out, size, "%" PRIu64 "%s", whole, unit);
	else
		(void)snprintf(
			out, size, "%" PRIu64 ".%0*" PRIu64 "%s", whole, digits, fraction, unit);
}

char *duration_format(char out[DURATION_TEXT_MAX], int64_t ns)
{
	uint64_t n = ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns;
	char *at = out;
	size_t size = DURATION_TEXT_MAX;

	if (ns < 0) {
		*at++ = '-';
		size--;
	}
	for (size_t i = sizeof(units) / sizeof(units[0]); n > 0 && i-- > 4;) {
		/* "90min", but "1.5s": above seconds only what comes out whole */
		if (n % (uint64_t)units[i].ns == 0) {
			format_fraction(at, size, n / (uint64_t)units[i].ns, 0, 0, units[i].name);
			return out;
		}
	}
	if (n >= 1000000000 || n == 0)
		format_fraction(at, size, n / 1000000000, n % 1000000000, 9, "s");
	else if (n >= 1000000)
		format_fraction(at, size, n / 1000000, n % 1000000, 6, "ms");
	else if (n >= 1000)
		format_fraction(at, size, n / 1000, n % 1000, 3, "us");
	else
		format_fraction(at, size, n, 0, 0, "ns");
	return out;
}
