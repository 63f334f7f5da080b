/* See idset.h. Two tables of open addressing, at most half full: FNV-1a for texts, a multiplication
 * for words of bits. */
#include "tools/oncectl/idset.h"

#include <stdlib.h>
#include <string.h>

#include "base/number.h"

void idset_init(struct idset *set, struct arena *arena)
{
	*set = (struct idset){.arena = arena};
}

void idset_fini(struct idset *set)
{
	free(set->entries);
	free(set->words);
	*set = (struct idset){.arena = set->arena};
}

/* ---- numbers --------------------------------------------------------------------------------- */

/* The word of this number, or the free one where it belongs. */
static struct idset_word *find_word(struct idset *set, uint64_t number)
{
	size_t mask = set->words_cap - 1;
	struct idset_word *w = &set->words[set->last];

	if (w->bits && w->number == number)
		return w;
	for (size_t at = (number * UINT64_C(0x9e3779b97f4a7c15)) >> 20 & mask;;
		at = (at + 1) & mask) {
		w = &set->words[at];
		if (!w->bits || w->number == number) {
			set->last = at;
			return w;
		}
	}
}

static bool grow_words(struct idset *set)
{
	size_t cap = set->words_cap ? set->words_cap * 2 : 1024, old_cap = set->words_cap;
	struct idset_word *old = set->words, *words = calloc(cap, sizeof(*words));

	if (!words)
		return false;
	set->words = words;
	set->words_cap = cap;
	set->last = 0;
	for (size_t i = 0; i < old_cap; i++)
		if (old[i].bits)
			*find_word(set, old[i].number) = old[i];
	free(old);
	return true;
}

static bool has_number(const struct idset *set, uint64_t number)
{
	/* find_word() changes what it remembers only */
	const struct idset_word *w =
		set->words_cap ? find_word((struct idset *)set, number / 64) : NULL;

	return w && (w->bits & UINT64_C(1) << number % 64);
}

static bool add_number(struct idset *set, uint64_t number)
{
	struct idset_word *w;

	if (2 * (set->words_used + 1) > set->words_cap && !grow_words(set))
		return false;
	w = find_word(set, number / 64);
	set->words_used += !w->bits;
	w->number = number / 64;
	w->bits |= UINT64_C(1) << number % 64;
	set->n++;
	return true;
}

/* ---- texts ----------------------------------------------------------------------------------- */

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
	size_t old_cap = set->cap;
	struct idset_entry *old = set->entries,
			   *entries = calloc(old_cap ? old_cap * 2 : 1024, sizeof(*entries));

	if (!entries)
		return false;
	set->entries = entries;
	set->cap = old_cap ? old_cap * 2 : 1024;
	for (size_t i = 0; i < old_cap; i++)
		if (old[i].id)
			*find(set, (struct once_bytes){old[i].id, old[i].size}) = old[i];
	free(old);
	return true;
}

/* before: how often it was added as a number. */
static unsigned add_text(struct idset *set, struct once_bytes id, unsigned before)
{
	struct idset_entry *e;

	if (2 * (set->used + 1) > set->cap && !grow(set))
		return 0;
	e = find(set, id);
	if (!e->id) {
		e->id = arena_copy(set->arena, id.data, id.size);
		if (!e->id)
			return 0;
		e->size = id.size;
		e->count = before;
		set->used++;
		set->n += before == 0;
	}
	return ++e->count;
}

unsigned idset_add(struct idset *set, struct once_bytes id)
{
	uint64_t number;

	if (number_parse_u64(id.data, id.size, &number) < 0)
		return add_text(set, id, 0);
	if (has_number(set, number))
		return add_text(set, id, 1);
	return add_number(set, number) ? 1 : 0;
}

unsigned idset_count(const struct idset *set, struct once_bytes id)
{
	unsigned count = set->cap && set->used ? find(set, id)->count : 0;
	uint64_t number;

	if (count > 0 || number_parse_u64(id.data, id.size, &number) < 0)
		return count;
	return has_number(set, number) ? 1 : 0;
}
