/* A block of any bytes: refused, or its ids packed again make a block of the same ids. The checksum
 * is mended first, else nothing behind it would ever be reached. */
#include "base/buf.h"
#include "base/crc32c.h"
#include "fuzz.h"

#include <once/confirm.h>
#include <string.h>

struct ids {
	struct buf bytes;
	struct once_bytes ids[4096];
	size_t ends[4096];
	size_t n;
};

static int note(void *userdata, struct once_bytes id)
{
	struct ids *ids = userdata;

	require(id.size > 0 && id.size <= ONCE_CONFIRM_ID_MAX);
	if (ids->n == 4096)
		return 1;
	(void)buf_append(&ids->bytes, id.data, id.size);
	ids->ends[ids->n++] = ids->bytes.size;
	return buf_error(&ids->bytes) ? 1 : 0;
}

static void pack_again(struct ids *ids)
{
	void *block = NULL;
	size_t size = 0, at = 0;

	for (size_t i = 0; i < ids->n; at = ids->ends[i++])
		ids->ids[i] = (struct once_bytes){ids->bytes.data + at, ids->ends[i] - at};
	if (once_packed_encode(&block, &size, ids->ids, ids->n, 1) == 0) {
		ids->n = 0;
		require(once_packed_decode((struct once_bytes){block, size}, NULL, note, ids) >= 0);
	}
	free(block);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct ids ids;
	uint8_t *copy = malloc(size ? size : 1);

	require(copy);
	if (size > 0)
		memcpy(copy, data, size);
	if (size >= 44) {
		uint32_t sum = crc32c(crc32c(0, copy, 40), copy + 44, size - 44);

		for (int i = 0; i < 4; i++)
			copy[40 + i] = (uint8_t)(sum >> (8 * i));
	}
	buf_init(&ids.bytes, 1 << 24);
	ids.n = 0;
	if (once_packed_decode((struct once_bytes){copy, size}, NULL, note, &ids) == 0)
		pack_again(&ids);
	buf_fini(&ids.bytes);
	free(copy);
	return 0;
}
