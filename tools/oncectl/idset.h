/* A set of ids that counts: how often each was added. Freed with the arena.
 *
 * Decimal numbers that come once are bits, 64 neighbours in 16 bytes, so that a sequence costs next
 * to nothing; any other id is an entry with its text. */
#ifndef ONCECTL_IDSET_H
#define ONCECTL_IDSET_H

#include <once/client.h>

#include "base/arena.h"

struct idset_entry {
	char *id; /* NULL: free */
	size_t size;
	unsigned count;
};

struct idset_word {
	uint64_t number; /* of the word: what its 64 numbers divided by 64 are */
	uint64_t bits;	 /* 0: free */
};

struct idset {
	struct arena *arena;
	struct idset_entry *entries; /* owned: texts, and numbers that came again */
	size_t cap, used;
	struct idset_word *words;	    /* owned */
	size_t words_cap, words_used, last; /* last: the word that was found last */
	size_t n;			    /* ids, each once */
};

void idset_init(struct idset *set, struct arena *arena);
void idset_fini(struct idset *set);
/* How often the id is there now; 0: out of memory. */
unsigned idset_add(struct idset *set, struct once_bytes id);
unsigned idset_count(const struct idset *set, struct once_bytes id);

#endif
