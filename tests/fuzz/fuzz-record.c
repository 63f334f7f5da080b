/* A record that is taken is written in a form that is taken and means the same. The first byte says which
 * decoder; keys are parsed, too. */
#include <once/control.h>
#include <once/ledger.h>

#include "fuzz.h"

#include <string.h>

static void run(struct once_bytes value)
{
	struct once_run *run = NULL, *again = NULL, same;
	char *text;
	size_t n;

	if (once_run_decode(&run, value) < 0) {
		require(!run);
		return;
	}
	require(once_run_encode(&text, &n, run) == 0 && n <= ONCE_RECORD_MAX);
	require(once_run_decode(&again, (struct once_bytes){text, n}) == 0);
	require(again->tail.size == run->tail.size &&
		memcmp(again->tail.data, run->tail.data, run->tail.size) == 0);
	require(again->result.size == run->result.size &&
		memcmp(again->result.data, run->result.data, run->result.size) == 0);
	same = *again;
	same.tail = run->tail;
	same.result = run->result;
	require(memcmp(&same, run, sizeof(same)) == 0);
	free(text);
	again = once_run_free(again);
	run = once_run_free(run);
}

#define CONTROL(kind)                                                                              \
	static void kind(struct once_bytes value)                                                  \
	{                                                                                          \
		struct once_##kind record, again;                                                  \
		char out[ONCE_CONTROL_SIZE];                                                       \
		int n;                                                                             \
                                                                                                   \
		memset(&record, 0, sizeof(record));                                                \
		memset(&again, 0, sizeof(again));                                                  \
		if (once_##kind##_decode(&record, value) < 0)                                      \
			return;                                                                    \
		n = once_##kind##_encode(out, &record);                                            \
		require(n > 0 && (size_t)n == strlen(out));                                        \
		require(once_##kind##_decode(&again, once_str(out)) == 0);                         \
		require(memcmp(&record, &again, sizeof(again)) == 0);                              \
	}

CONTROL(pause)
CONTROL(trigger)
CONTROL(kill)
CONTROL(handover)
CONTROL(cursor)

static void key(struct once_bytes value)
{
	struct once_key parsed;
	char out[ONCE_KEY_SIZE];

	if (once_key_parse(&parsed, "/p", value) < 0)
		return;
	require(once_key_format(out, "/p", &parsed) == 0);
	require(strlen(out) == value.size && memcmp(out, value.data, value.size) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const parts[])(struct once_bytes) = {
		run, pause, trigger, kill, handover, cursor, key};
	size_t n = sizeof(parts) / sizeof(parts[0]);

	if (size > 0)
		parts[data[0] % n]((struct once_bytes){data + 1, size - 1});
	return 0;
}
