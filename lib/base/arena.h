/* Memory that is freed all at once: what a decoded answer points into. Grows in chunks, so nothing
 * given out ever moves. A secret arena is overwritten when it is freed. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stdbool.h>
#include <stddef.h>

struct arena_chunk;

struct arena {
	struct arena_chunk *chunks; /* owned */
	bool secret;
	bool short_of_memory; /* an allocation was refused since arena_init() */
};

void arena_init(struct arena *arena);
void arena_fini(struct arena *arena);
/* Zeroed, aligned for any type; NULL: out of memory. Size 0 gives a valid pointer. */
void *arena_alloc(struct arena *arena, size_t size);
/* The same for n elements, overflow checked. */
void *arena_array(struct arena *arena, size_t n, size_t size);
/* A copy with a NUL behind it. */
char *arena_copy(struct arena *arena, const void *data, size_t size);

#endif
