/* Strict UTF-8; see utf8.h. The ranges are those of RFC 3629, section 4. */
#include "base/utf8.h"

size_t utf8_next(const void *data, size_t size, uint32_t *ret)
{
	static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
	const uint8_t *in = data;
	uint32_t c;
	size_t n;

	if (size == 0)
		return 0;
	if (in[0] < 0x80)
		n = 1, c = in[0];
	else if (in[0] >= 0xc2 && in[0] < 0xe0)
		n = 2, c = in[0] & 0x1f;
	else if (in[0] >= 0xe0 && in[0] < 0xf0)
		n = 3, c = in[0] & 0x0f;
	else if (in[0] >= 0xf0 && in[0] < 0xf5)
		n = 4, c = in[0] & 0x07;
	else
		return 0;
	if (n > size)
		return 0;
	for (size_t i = 1; i < n; i++) {
		if ((in[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (in[i] & 0x3f);
	}
	if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		return 0;
	if (ret)
		*ret = c;
	return n;
}

bool utf8_valid(const void *data, size_t size)
{
	const uint8_t *in = data;

	for (size_t at = 0, n; at < size; at += n) {
		n = utf8_next(in + at, size - at, NULL);
		if (n == 0)
			return false;
	}
	return true;
}
