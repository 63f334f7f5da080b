/* A set of ids that counts: how often each was added. Freed with the arena. */
#ifndef ONCECTL_IDSET_H
#define ONCECTL_IDSET_H

#include <once/client.h>

#include "base/arena.h"

struct idset_entry {
	char *id; /* NULL: free */
	size_t size;
	unsigned count;
};

struct idset {
	struct arena *arena;
	struct idset_entry *entries; /* owned */
	size_t cap, n;
};

void idset_init(struct idset *set, struct arena *arena);
void idset_fini(struct idset *set);
/* How often the id is there now; 0: out of memory. */
unsigned idset_add(struct idset *set, struct once_bytes id);
unsigned idset_count(const struct idset *set, struct once_bytes id);

#endif
