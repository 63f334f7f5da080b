/* Fake data. PURE: key and value depend on the seed, the number and the mix, and on nothing else,
 * so any number of loaders in any order make the same. */
#ifndef FAKER_GENERATE_H
#define FAKER_GENERATE_H

#include <stdint.h>

#include "base/buf.h"

struct fake_mix {
	/* Of so many items, so many are of each kind; 0: none. Not all 0. */
	uint32_t json, text, binary;
	uint32_t value_bytes; /* JSON and text: at least so many; 0: as it comes, 100 to 300 */
	uint32_t blob_bytes;  /* binary: exactly so many */
	uint64_t seed;
};

/* Appends "json/order/000000000042" to key and the value to value; their sticky errors tell. */
void fake_item(const struct fake_mix *mix, uint64_t number, struct buf *key, struct buf *value);

/* The number at the end of such a key; -EINVAL. */
int fake_number(const void *key, size_t size, uint64_t *ret);

#endif
