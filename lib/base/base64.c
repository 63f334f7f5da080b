/* Strict base64; see base64.h. One table each way; the decoding table is filled in by designators,
 * so it can be checked against RFC 4648, section 4, by eye. */
#include "base/base64.h"

#include <errno.h>
#include <stdint.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* Value + 1; 0: not of the alphabet. */
/* clang-format off */
static const uint8_t values[256] = {
	['A'] = 1, ['B'] = 2, ['C'] = 3, ['D'] = 4, ['E'] = 5, ['F'] = 6, ['G'] = 7, ['H'] = 8,
	['I'] = 9, ['J'] = 10, ['K'] = 11, ['L'] = 12, ['M'] = 13, ['N'] = 14, ['O'] = 15,
	['P'] = 16, ['Q'] = 17, ['R'] = 18, ['S'] = 19, ['T'] = 20, ['U'] = 21, ['V'] = 22,
	['W'] = 23, ['X'] = 24, ['Y'] = 25, ['Z'] = 26,
	['a'] = 27, ['b'] = 28, ['c'] = 29, ['d'] = 30, ['e'] = 31, ['f'] = 32, ['g'] = 33,
	['h'] = 34, ['i'] = 35, ['j'] = 36, ['k'] = 37, ['l'] = 38, ['m'] = 39, ['n'] = 40,
	['o'] = 41, ['p'] = 42, ['q'] = 43, ['r'] = 44, ['s'] = 45, ['t'] = 46, ['u'] = 47,
	['v'] = 48, ['w'] = 49, ['x'] = 50, ['y'] = 51, ['z'] = 52,
	['0'] = 53, ['1'] = 54, ['2'] = 55, ['3'] = 56, ['4'] = 57, ['5'] = 58, ['6'] = 59,
	['7'] = 60, ['8'] = 61, ['9'] = 62, ['+'] = 63, ['/'] = 64,
};
/* clang-format on */

void base64_encode(char *out, const void *data, size_t size)
{
	const uint8_t *in = data;
	size_t i = 0;

	for (; size - i >= 3; i += 3) {
		uint32_t v = (uint32_t)in[i] << 16 | (uint32_t)in[i + 1] << 8 | in[i + 2];

		*out++ = alphabet[v >> 18];
		*out++ = alphabet[v >> 12 & 63];
		*out++ = alphabet[v >> 6 & 63];
		*out++ = alphabet[v & 63];
	}
	if (i < size) {
		uint32_t v = (uint32_t)in[i] << 16;

		if (size - i == 2)
			v |= (uint32_t)in[i + 1] << 8;
		*out++ = alphabet[v >> 18];
		*out++ = alphabet[v >> 12 & 63];
		*out++ = size - i == 2 ? alphabet[v >> 6 & 63] : '=';
		*out++ = '=';
	}
}

/* The last group, with padding: 1 or 2 bytes. Returns how many, 0 when it is no such group. */
static size_t decode_padded(uint8_t *out, const uint8_t *in)
{
	uint32_t a = values[in[0]], b = values[in[1]], c = values[in[2]];

	if (a == 0 || b == 0)
		return 0;
	a--;
	b--;
	if (in[2] == '=') {
		if (b & 15)
			return 0;
		out[0] = (uint8_t)(a << 2 | b >> 4);
		return 1;
	}
	if (c == 0 || ((c - 1) & 3))
		return 0;
	c--;
	out[0] = (uint8_t)(a << 2 | b >> 4);
	out[1] = (uint8_t)(b << 4 | c >> 2);
	return 2;
}

int base64_decode(void *out, size_t *ret_size, const char *text, size_t size)
{
	const uint8_t *in = (const uint8_t *)text;
	uint8_t *o = out;

	if (size % 4)
		return -EBADMSG;
	for (size_t i = 0; i < size; i += 4, in += 4) {
		uint32_t a = values[in[0]], b = values[in[1]], c = values[in[2]], d = values[in[3]];
		uint32_t v;

		if (in[3] == '=' && i + 4 == size) {
			size_t n = decode_padded(o, in);

			if (n == 0)
				return -EBADMSG;
			o += n;
			break;
		}
		if (a == 0 || b == 0 || c == 0 || d == 0)
			return -EBADMSG;
		v = (a - 1) << 18 | (b - 1) << 12 | (c - 1) << 6 | (d - 1);
		*o++ = (uint8_t)(v >> 16);
		*o++ = (uint8_t)(v >> 8);
		*o++ = (uint8_t)v;
	}
	*ret_size = (size_t)(o - (uint8_t *)out);
	return 0;
}
