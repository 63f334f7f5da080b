/* A number that is taken is written back as it was; both parsers agree where both can. */
#include "base/number.h"
#include "fuzz.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	char out[NUMBER_TEXT_MAX];
	uint64_t u = 0;
	int64_t s = 0;
	int r_s = number_parse_i64(text, size, &s), r_u = number_parse_u64(text, size, &u);

	if (r_s == 0)
		require(number_format_i64(out, s) == size && memcmp(out, text, size) == 0);
	if (r_u == 0)
		require(number_format_u64(out, u) == size && memcmp(out, text, size) == 0);
	if (r_s == 0 && s >= 0)
		require(r_u == 0 && u == (uint64_t)s);
	if (r_u == 0 && u <= INT64_MAX)
		require(r_s == 0);
	return 0;
}
