/* Whatever goes in, one harmless line of valid UTF-8 comes out, within the room given. */
#include "base/escape.h"
#include "base/utf8.h"
#include "fuzz.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t cap = size ? data[0] : 0, n;
	char *out = malloc(cap + 1);

	n = escape_line(out, cap, data, size);
	require(cap == 0 ? n == 0 : n < cap && out[n] == '\0' && strlen(out) == n);
	require(utf8_valid(out, n));
	for (size_t i = 0; i < n; i++)
		require((unsigned char)out[i] >= 0x20 && out[i] != 0x7f);
	free(out);
	return 0;
}
