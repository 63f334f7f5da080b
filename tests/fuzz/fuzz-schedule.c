/* An expression: refused with a line that can be shown, or a schedule whose instants agree. */
#include "core/schedule.h"
#include "fuzz.h"
#include "schedule-agree.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int64_t starts_s[] = {
		INT64_MIN, 0, 1774659600, 1792803600, 7258118400 - 86400, INT64_MAX};
	struct schedule_error error = {0};
	struct schedule s;
	struct zone zone;

	memset(&s, 0x55, sizeof(s));
	if (schedule_parse(&s, (const char *)data, size, &error)) {
		require(error.column >= 1 && error.column <= size + 1);
		require(error.text[0] && memchr(error.text, '\0', sizeof(error.text)));
		for (const char *c = error.text; *c; c++)
			require(*c >= ' ' && *c <= '~');
		return 0;
	}
	require(memchr(s.zone, '\0', sizeof(s.zone)));
	zone_init_utc(&zone);
	for (size_t i = 0; i < sizeof(starts_s) / sizeof(starts_s[0]); i++)
		require_agreement(&s, &zone, starts_s[i]);
	return 0;
}
