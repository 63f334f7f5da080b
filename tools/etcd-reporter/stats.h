/* What a report counts. Its size does not depend on how many keys there are: keys come in order, so
 * the keys below one prefix are neighbours, and of everything only the largest are kept. */
#ifndef REPORTER_STATS_H
#define REPORTER_STATS_H

#include <once/client.h>

#include "tools/common/histogram.h"

enum { TOP_MAX = 100, DEPTH_MAX = 8, NAME_MAX_SHOWN = 512 };

enum value_type { VALUE_TEXT, VALUE_JSON, VALUE_BINARY, VALUE_OTHER, VALUE_TYPES };

/* A key or a prefix and its bytes. */
struct entry {
	char name[NAME_MAX_SHOWN]; /* its first bytes */
	size_t size;
	uint64_t keys, bytes;
};

struct top {
	struct entry entries[TOP_MAX]; /* the largest first */
	size_t n, max;
};

struct stats {
	size_t base; /* bytes of -prefix */
	size_t depth;
	uint64_t keys, key_bytes, value_bytes;
	struct {
		uint64_t keys, bytes;
	} types[VALUE_TYPES];
	struct {
		uint64_t count;
		double sum, min, max;
	} price;
	struct histogram sizes; /* of values */
	struct top largest;
	struct entry current[DEPTH_MAX]; /* the prefix that is being read, for each depth */
	struct top prefixes[DEPTH_MAX];
};

/* base: size of the prefix under which is counted; top, depth: at most TOP_MAX, DEPTH_MAX. */
void stats_init(struct stats *stats, size_t base, size_t top, size_t depth);
void stats_add(struct stats *stats, const struct once_kv *kv);
/* After the last key. */
void stats_end(struct stats *stats);

enum value_type stats_type(struct once_bytes value, bool *ret_has_price, double *ret_price);
const char *stats_type_name(enum value_type type);

#endif
