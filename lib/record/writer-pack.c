/* A batch of ids becomes one key and one value: sorted, each once, as once_packed_encode() wants
 * it. What is there twice is a duplicate, the later one of both. */
#include "record/writer.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"

struct entry {
	struct once_bytes id;
	size_t item;
};

static int by_text(const void *left, const void *right)
{
	const struct entry *a = left, *b = right;
	int r = memcmp(a->id.data, b->id.data, a->id.size < b->id.size ? a->id.size : b->id.size);

	if (r == 0)
		r = (a->id.size > b->id.size) - (a->id.size < b->id.size);
	return r ? r : (a->item > b->item) - (a->item < b->item);
}

/* Numbers as number_format_u64() writes them: the shorter is the smaller. */
static int by_number(const void *left, const void *right)
{
	const struct entry *a = left, *b = right;

	if (a->id.size != b->id.size)
		return a->id.size < b->id.size ? -1 : 1;
	return by_text(left, right);
}

static bool all_numbers(const struct entry *entries, size_t n)
{
	uint64_t number;

	for (size_t i = 0; i < n; i++)
		if (number_parse_u64(entries[i].id.data, entries[i].id.size, &number) < 0)
			return false;
	return true;
}

static void sort(struct entry *entries, size_t n)
{
	int (*order)(const void *, const void *) = all_numbers(entries, n) ? by_number : by_text;

	for (size_t i = 1; i < n; i++)
		if (order(&entries[i - 1], &entries[i]) > 0) {
			qsort(entries, n, sizeof(*entries), order);
			return;
		}
}

static bool is_again(const struct entry *entries, size_t i)
{
	return i > 0 && entries[i].id.size == entries[i - 1].id.size &&
	       memcmp(entries[i].id.data, entries[i - 1].id.data, entries[i].id.size) == 0;
}

/* Appends the pair to the batch's bytes. */
static int add_block(struct batch *b, const struct once_bytes *ids, size_t n)
{
	struct once_writer *w = b->writer;
	struct once_bytes prefix = w->config.prefix;
	size_t before = b->bytes.size, size = 0;
	void *block = NULL;
	int r = once_packed_encode(&block, &size, ids, n, w->block_number);

	if (r < 0)
		return r;
	b->block = (struct item){.key = before};
	if (prefix.size > 0)
		(void)buf_append(&b->bytes, prefix.data, prefix.size);
	(void)buf_printf(&b->bytes, "%s/%016" PRIx64, w->tag, w->block_number);
	b->block.key_size = b->bytes.size - before;
	b->block.value = b->bytes.size;
	b->block.value_size = size;
	r = buf_append(&b->bytes, block, size);
	free(block);
	if (r < 0) {
		b->bytes.error = 0;
		b->bytes.size = before;
		return -ENOMEM;
	}
	w->block_number++;
	return 0;
}

/* Settles what is there twice and closes the gaps. */
static void drop_again(struct batch *b, const struct entry *entries, size_t n)
{
	size_t left = 0;

	for (size_t i = 0; i < n; i++)
		if (is_again(entries, i)) {
			batch_settle(b, entries[i].item, ONCE_CONFIRM_DUPLICATE, 0, true);
			b->items[entries[i].item].key_size = 0;
		}
	for (size_t i = 0; i < n; i++)
		if (b->items[i].key_size > 0)
			b->items[left++] = b->items[i];
	b->n_items = left;
}

int batch_pack(struct batch *b)
{
	size_t n = b->n_items, n_ids = 0;
	struct entry *entries = calloc(n, sizeof(*entries));
	struct once_bytes *ids = calloc(n, sizeof(*ids));
	int r = entries && ids ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < n; i++)
		entries[i] =
			(struct entry){batch_bytes(b, b->items[i].key, b->items[i].key_size), i};
	if (r == 0) {
		sort(entries, n);
		for (size_t i = 0; i < n; i++)
			if (!is_again(entries, i))
				ids[n_ids++] = entries[i].id;
		r = add_block(b, ids, n_ids);
	}
	if (r == 0) {
		/* The bytes may have moved; the entries still name the old ones. */
		for (size_t i = 0; i < n; i++)
			entries[i].id =
				batch_bytes(b, b->items[entries[i].item].key, entries[i].id.size);
		drop_again(b, entries, n);
		b->is_packed = true;
	}
	free(entries);
	free(ids);
	return r;
}
