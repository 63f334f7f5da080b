/* A text that decodes is the one text of its bytes; bytes survive the way there and back. */
#include "base/base64.h"
#include "fuzz.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t text_size = base64_encoded_size(size), n = 0;
	char *text = malloc(text_size + 1);
	uint8_t *bytes = malloc(text_size + 1);

	base64_encode(text, data, size);
	require(base64_decode(bytes, &n, text, text_size) == 0);
	require(n == size && (n == 0 || memcmp(bytes, data, n) == 0));
	free(bytes);
	bytes = malloc(base64_decoded_max(size) + 1);
	if (base64_decode(bytes, &n, (const char *)data, size) == 0) {
		require(n <= base64_decoded_max(size) && base64_encoded_size(n) == size);
		base64_encode(text, bytes, n);
		require(size == 0 || memcmp(text, data, size) == 0);
	}
	free(bytes);
	free(text);
	return 0;
}
