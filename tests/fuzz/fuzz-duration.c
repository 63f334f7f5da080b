/* A duration that is taken is shown in a form that is taken and means the same. */
#include "base/duration.h"
#include "fuzz.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data, *why = NULL;
	char out[DURATION_TEXT_MAX];
	int64_t ns = -1, again = -1;

	if (duration_parse(text, size, &ns, &why) < 0) {
		require(ns == -1 && why);
	} else {
		require(ns >= 0);
		duration_format(out, ns);
		require(duration_parse(out, strlen(out), &again, NULL) == 0 && again == ns);
	}
	if (size >= sizeof(ns)) {
		memcpy(&ns, data, sizeof(ns));
		duration_format(out, ns);
		if (ns >= 0)
			require(duration_parse(out, strlen(out), &again, NULL) == 0 && again == ns);
	}
	return 0;
}
