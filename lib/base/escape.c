/* Foreign bytes for one line; see escape.h. */
#include "base/escape.h"

#include "base/utf8.h"

#include <stdbool.h>
#include <string.h>

static bool harmless(uint32_t c)
{
	return c >= 0x20 && c != 0x7f && !(c >= 0x80 && c < 0xa0) && c != 0x2028 && c != 0x2029;
}

/* One character, or one byte escaped, at out (room for 4). Returns its size, *taken what it used.
 */
static size_t escape_one(char *out, const unsigned char *in, size_t size, size_t *taken)
{
	static const char hex[] = "0123456789abcdef";
	uint32_t c = 0;
	size_t n = utf8_next(in, size, &c);

	if (n > 0 && harmless(c)) {
		memcpy(out, in, n);
		*taken = n;
		return n;
	}
	out[0] = '\\';
	out[1] = 'x';
	out[2] = hex[in[0] >> 4];
	out[3] = hex[in[0] & 15];
	*taken = 1;
	return 4;
}

size_t escape_line(char *out, size_t cap, const void *data, size_t size)
{
	const unsigned char *in = data;
	size_t used = 0, mark = 0, taken = 0;

	if (cap == 0)
		return 0;
	for (size_t at = 0; at < size; at += taken) {
		char one[4];
		size_t n = escape_one(one, in + at, size - at, &taken);

		if (n > cap - 1 - used) {
			if (cap > 3) {
				memcpy(out + mark, "...", 3);
				used = mark + 3;
			}
			break;
		}
		memcpy(out + used, one, n);
		used += n;
		/* the last place where "..." would still fit */
		if (cap > 3 && used <= cap - 4)
			mark = used;
	}
	out[used] = '\0';
	return used;
}
