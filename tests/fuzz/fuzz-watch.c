/* A watch stream, split and decoded. The first byte chooses the size of the chunks; the lines must
 * be the same as from one piece. */
#include "etcd/codec.h"
#include "etcd/split.h"
#include "fuzz.h"

#include <string.h>

enum { LINE_MAX_BYTES = 4096 };

static void decode(const char *data, size_t size)
{
	struct codec_watch_line line;
	size_t sum = 0;

	if (codec_watch_line(&line, data, size) == 0) {
		require(strnlen(line.message, sizeof(line.message)) < sizeof(line.message));
		for (size_t i = 0; i < line.n_events; i++) {
			const struct once_event *event = &line.events[i];

			require(event->kv.mod_revision > 0);
			for (size_t k = 0; k < event->kv.key.size; k++)
				sum += ((const uint8_t *)event->kv.key.data)[k];
			for (size_t k = 0; k < event->prev.value.size; k++)
				sum += ((const uint8_t *)event->prev.value.data)[k];
		}
		require(line.what == CODEC_WATCH_EVENTS || line.n_events == 0);
		require(line.what != CODEC_WATCH_CANCELED || line.error < 0);
		require(line.what != CODEC_WATCH_ERROR || line.error < 0);
	}
	require(sum != SIZE_MAX);
	codec_watch_line_fini(&line);
}

/* Returns a checksum of the lines. */
static uint64_t run(const uint8_t *data, size_t size, size_t chunk, int *ret_r)
{
	uint64_t sum = 14695981039346656037u;
	struct split split;
	const char *line;
	size_t n;
	int r = 0;

	split_init(&split, LINE_MAX_BYTES);
	for (size_t at = 0; at <= size && r == 0; at += chunk) {
		size_t part = size - at < chunk ? size - at : chunk;

		if (part > 0)
			r = split_push(&split, data + at, part);
		if (at + chunk > size)
			split_end(&split);
		while (r == 0 && (r = split_next(&split, &line, &n)) > 0) {
			require(n > 0 && n <= LINE_MAX_BYTES && !memchr(line, '\n', n));
			for (size_t i = 0; i < n; i++)
				sum = (sum ^ (uint8_t)line[i]) * 1099511628211u;
			sum = (sum ^ 256) * 1099511628211u;
			decode(line, n);
			r = 0;
		}
	}
	split_fini(&split);
	*ret_r = r;
	return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t chunk = size ? data[0] + 1u : 1;
	int r_whole, r_parts;
	uint64_t whole, parts;

	if (size)
		data++, size--;
	whole = run(data, size, size + 1, &r_whole);
	parts = run(data, size, chunk, &r_parts);
	require(whole == parts && r_whole == r_parts);
	return 0;
}
