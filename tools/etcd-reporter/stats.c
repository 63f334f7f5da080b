/* See stats.h. */
#include "tools/etcd-reporter/stats.h"

#include <stddef.h>
#include <string.h>

#include "base/utf8.h"
#include "tools/etcd-reporter/json.h"

void stats_init(struct stats *stats, size_t base, size_t top, size_t depth)
{
	/* What lies behind the first n entries of a top is never read, nor touched: half a megabyte. */
	memset(stats, 0, offsetof(struct stats, largest));
	stats->base = base;
	stats->depth = depth;
	stats->largest.n = 0;
	stats->largest.max = top;
	for (size_t i = 0; i < DEPTH_MAX; i++) {
		stats->current[i].keys = stats->current[i].bytes = 0;
		stats->prefixes[i].n = 0;
		stats->prefixes[i].max = top;
	}
}

static bool is_text(struct once_bytes value)
{
	const unsigned char *at = value.data;

	for (size_t i = 0; i < value.size; i++)
		if ((at[i] < ' ' && at[i] != '\t' && at[i] != '\n' && at[i] != '\r') ||
			at[i] == 0x7f)
			return false;
	return utf8_valid(value.data, value.size);
}

enum value_type stats_type(struct once_bytes value, bool *ret_has_price, double *ret_price)
{
	*ret_has_price = false;
	if (value.size == 0)
		return VALUE_OTHER;
	if (json_scan(value.data, value.size, ret_has_price, ret_price))
		return VALUE_JSON;
	return is_text(value) ? VALUE_TEXT : VALUE_BINARY;
}

const char *stats_type_name(enum value_type type)
{
	static const char *const names[] = {"text", "json", "binary", "other"};

	return names[type];
}

static void top_add(struct top *top, const struct entry *entry)
{
	size_t at = top->n;

	while (at > 0 && top->entries[at - 1].bytes < entry->bytes)
		at--;
	if (at == top->max)
		return;
	top->n += top->n < top->max;
	memmove(&top->entries[at + 1], &top->entries[at],
		(top->n - 1 - at) * sizeof(top->entries[0]));
	top->entries[at] = *entry;
}

static void set_name(struct entry *entry, const char *name, size_t size)
{
	entry->size = size < NAME_MAX_SHOWN ? size : NAME_MAX_SHOWN;
	memcpy(entry->name, name, entry->size);
}

/* Up to and with the slash that ends level `depth` (from 0); 0: the key does not go so deep. A slash
 * right behind the base begins the first level, it does not end it. */
static size_t prefix_size(const struct stats *stats, struct once_bytes key, size_t depth)
{
	const char *text = key.data;
	size_t begin = stats->base < key.size ? stats->base : key.size;

	begin += begin < key.size && text[begin] == '/';
	for (size_t i = begin; i < key.size; i++)
		if (text[i] == '/' && depth-- == 0)
			return i + 1;
	return 0;
}

static void leave(struct stats *stats, size_t depth)
{
	if (stats->current[depth].keys > 0)
		top_add(&stats->prefixes[depth], &stats->current[depth]);
	stats->current[depth].keys = stats->current[depth].bytes = 0;
}

static void add_prefixes(struct stats *stats, struct once_bytes key, uint64_t bytes)
{
	for (size_t i = 0; i < stats->depth; i++) {
		struct entry *e = &stats->current[i];
		size_t size = prefix_size(stats, key, i), shown;

		shown = size < NAME_MAX_SHOWN ? size : NAME_MAX_SHOWN;
		if (e->keys > 0 && (e->size != shown || memcmp(e->name, key.data, shown) != 0))
			leave(stats, i);
		if (size == 0)
			continue;
		if (e->keys == 0)
			set_name(e, key.data, size);
		e->keys++;
		e->bytes += bytes;
	}
}

static void add_price(struct stats *stats, double price)
{
	if (stats->price.count == 0 || price < stats->price.min)
		stats->price.min = price;
	if (stats->price.count == 0 || price > stats->price.max)
		stats->price.max = price;
	stats->price.count++;
	stats->price.sum += price;
}

void stats_add(struct stats *stats, const struct once_kv *kv)
{
	bool has_price;
	double price = 0;
	enum value_type type = stats_type(kv->value, &has_price, &price);
	uint64_t bytes = kv->key.size + kv->value.size;
	const struct top *top = &stats->largest;

	stats->keys++;
	stats->key_bytes += kv->key.size;
	stats->value_bytes += kv->value.size;
	stats->types[type].keys++;
	stats->types[type].bytes += kv->value.size;
	if (has_price)
		add_price(stats, price);
	histogram_add(&stats->sizes, kv->value.size, 1);
	add_prefixes(stats, kv->key, bytes);
	if (top->n < top->max || (top->n > 0 && bytes > top->entries[top->n - 1].bytes)) {
		struct entry entry = {.keys = 1, .bytes = bytes};

		set_name(&entry, kv->key.data, kv->key.size);
		top_add(&stats->largest, &entry);
	}
}

void stats_end(struct stats *stats)
{
	for (size_t i = 0; i < stats->depth; i++)
		leave(stats, i);
}
