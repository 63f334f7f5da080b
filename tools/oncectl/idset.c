/* See idset.h. Open addressing, at most half full; FNV-1a. */
#include "tools/oncectl/idset.h"

#include <stdlib.h>
#include <string.h>

void idset_init(struct idset *set, struct arena *arena)
{
	*set = (struct idset){.arena = arena};
}

void idset_fini(struct idset *set)
{
	free(set->entries);
	set->entries = NULL;
	set->cap = set->n = 0;
}

/* The entry of this id, or the free one where it belongs. */
static struct idset_entry *find(const struct idset *set, struct once_bytes id)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);
	size_t at;

	for (size_t i = 0; i < id.size; i++)
		hash = (hash ^ ((const unsigned char *)id.data)[i]) * UINT64_C(0x100000001b3);
	for (at = (hash ^ (hash >> 32)) & (set->cap - 1);; at = (at + 1) & (set->cap - 1)) {
		struct idset_entry *e = &set->entries[at];

		if (!e->id || (e->size == id.size && memcmp(e->id, id.data, id.size) == 0))
			return e;
	}
}

static bool grow(struct idset *set)
{
	struct idset old = *set;

	set->cap = old.cap ? old.cap * 2 : 1024;
	set->entries = calloc(set->cap, sizeof(*set->entries));
	if (!set->entries) {
		*set = old;
		return false;
	}
	for (size_t i = 0; i < old.cap; i++)
		if (old.entries[i].id)
			*find(set, (struct once_bytes){old.entries[i].id, old.entries[i].size}) =
				old.entries[i];
	free(old.entries);
	return true;
}

unsigned idset_add(struct idset *set, struct once_bytes id)
{
	struct idset_entry *e;

	if (2 * (set->n + 1) > set->cap && !grow(set))
		return 0;
	e = find(set, id);
	if (!e->id) {
		e->id = arena_copy(set->arena, id.data, id.size);
		if (!e->id)
			return 0;
		e->size = id.size;
		set->n++;
	}
	return ++e->count;
}

unsigned idset_count(const struct idset *set, struct once_bytes id)
{
	return set->cap ? find(set, id)->count : 0;
}
