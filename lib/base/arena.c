/* Memory freed all at once; see arena.h. Chunks double up to a limit; what does not fit into one
 * gets a chunk of its own. */
#include "base/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK_MIN = 1024, CHUNK_MAX = 256 * 1024, ALIGN = alignof(max_align_t) };

struct arena_chunk {
	struct arena_chunk *next;
	size_t size, used;
	alignas(max_align_t) char data[];
};

void arena_init(struct arena *arena)
{
	*arena = (struct arena){0};
}

void arena_fini(struct arena *arena)
{
	struct arena_chunk *chunk = arena->chunks, *next;

	for (; chunk; chunk = next) {
		next = chunk->next;
		if (arena->secret)
			explicit_bzero(chunk->data, chunk->size);
		free(chunk);
	}
	arena->chunks = NULL;
}

static struct arena_chunk *chunk_new(struct arena *arena, size_t need)
{
	size_t size = arena->chunks ? arena->chunks->size * 2 : CHUNK_MIN;
	struct arena_chunk *chunk;

	if (size > CHUNK_MAX)
		size = CHUNK_MAX;
	if (size < need)
		size = need;
	if (size > SIZE_MAX - sizeof(*chunk))
		return NULL;
	chunk = calloc(1, sizeof(*chunk) + size);
	if (!chunk)
		return NULL;
	chunk->size = size;
	chunk->next = arena->chunks;
	arena->chunks = chunk;
	return chunk;
}

void *arena_alloc(struct arena *arena, size_t size)
{
	struct arena_chunk *chunk = arena->chunks;
	size_t need = (size + ALIGN - 1) / ALIGN * ALIGN;
	void *at;

	if (size > SIZE_MAX / 2)
		chunk = NULL;
	else if (!chunk || need > chunk->size - chunk->used)
		chunk = chunk_new(arena, need);
	if (!chunk) {
		arena->short_of_memory = true;
		return NULL;
	}
	at = chunk->data + chunk->used;
	chunk->used += need;
	return at;
}

void *arena_array(struct arena *arena, size_t n, size_t size)
{
	size_t total;

	if (__builtin_mul_overflow(n, size, &total))
		total = SIZE_MAX;
	return arena_alloc(arena, total);
}

char *arena_copy(struct arena *arena, const void *data, size_t size)
{
	char *copy = size == SIZE_MAX ? NULL : arena_alloc(arena, size + 1);

	if (copy && size > 0)
		memcpy(copy, data, size);
	return copy;
}
