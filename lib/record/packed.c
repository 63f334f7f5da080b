/* Packed blocks: many ids in one value. Integers are little-endian.
 *
 *	 0  "oncp"     4  version 1	 5  kind: 0 numbers, 1 texts	6  0 0
 *	 8  count     12  bytes of the body before compression
 *	16  sequence  24  first id  32  last id: the number, or a text's first 8 bytes
 *	40  crc32c of all of it but these 4 bytes
 *	44  the body, one zstd frame:
 *		numbers	varint of the first, then of each difference to the one before
 *		texts	varint of how many bytes are as before, varint of how many follow, these
 *
 * Decoding trusts nothing: sizes are compared with the count and with limits before anything is
 * allocated, and the whole body is walked once before the first id is handed out. */
#include <once/confirm.h>

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "base/buf.h"
#include "base/crc32c.h"
#include "base/number.h"

enum {
	HEADER = 44,
	CRC_AT = 40,
	VERSION = 1,
	VARINT_MAX = 10,
	BODY_MAX = 48 << 20,
	LEVEL = 1, /* sequences compress to nothing at any level */
};

struct header {
	bool texts;
	uint32_t count, raw_size;
	uint64_t sequence, first, last;
};

static void put(unsigned char *out, uint64_t value, int bytes)
{
	for (int i = 0; i < bytes; i++)
		out[i] = (unsigned char)(value >> (8 * i));
}

static uint64_t get(const unsigned char *in, int bytes)
{
	uint64_t value = 0;

	for (int i = 0; i < bytes; i++)
		value |= (uint64_t)in[i] << (8 * i);
	return value;
}

/* Checksum of the header without its checksum, and of the body. */
static uint32_t checksum(const unsigned char *block, size_t size)
{
	return crc32c(crc32c(0, block, CRC_AT), block + HEADER, size - HEADER);
}

/* ---- writing --------------------------------------------------------------------------------- */

static size_t write_varint(unsigned char *out, uint64_t value)
{
	size_t n = 0;

	for (; value >= 0x80; value >>= 7)
		out[n++] = (unsigned char)(value | 0x80);
	out[n++] = (unsigned char)value;
	return n;
}

static bool parse_number(struct once_bytes id, uint64_t *ret)
{
	return number_parse_u64(id.data, id.size, ret) == 0;
}

static bool are_numbers(const struct once_bytes *ids, size_t n)
{
	uint64_t number;

	for (size_t i = 0; i < n; i++)
		if (!parse_number(ids[i], &number))
			return false;
	return true;
}

static uint64_t head_of(struct once_bytes text)
{
	uint64_t head = 0;

	for (size_t i = 0; i < 8 && i < text.size; i++)
		head |= (uint64_t)((const unsigned char *)text.data)[i] << (8 * (7 - i));
	return head;
}

static int encode_numbers(
	struct buf *body, struct header *header, const struct once_bytes *ids, size_t n)
{
	uint64_t last = 0, number = 0;

	for (size_t i = 0; i < n; i++, last = number) {
		unsigned char varint[VARINT_MAX];

		(void)parse_number(ids[i], &number);
		if (i > 0 && number <= last)
			return -EINVAL;
		header->first = i > 0 ? header->first : number;
		(void)buf_append(body, varint, write_varint(varint, number - last));
	}
	header->last = number;
	return buf_error(body);
}

static int compare(struct once_bytes a, struct once_bytes b)
{
	int r = memcmp(a.data, b.data, a.size < b.size ? a.size : b.size);

	return r ? r : (a.size > b.size) - (a.size < b.size);
}

static int encode_texts(
	struct buf *body, struct header *header, const struct once_bytes *ids, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		unsigned char varints[2 * VARINT_MAX];
		size_t same = 0, used;

		if (ids[i].size == 0 || ids[i].size > ONCE_CONFIRM_ID_MAX ||
			(i > 0 && compare(ids[i - 1], ids[i]) >= 0))
			return -EINVAL;
		while (i > 0 && same < ids[i - 1].size && same < ids[i].size &&
			((const char *)ids[i - 1].data)[same] == ((const char *)ids[i].data)[same])
			same++;
		used = write_varint(varints, same);
		used += write_varint(varints + used, ids[i].size - same);
		(void)buf_append(body, varints, used);
		(void)buf_append(body, (const char *)ids[i].data + same, ids[i].size - same);
	}
	header->first = head_of(ids[0]);
	header->last = head_of(ids[n - 1]);
	return buf_error(body);
}

static int finish(void **ret, size_t *ret_size, const struct header *header, const struct buf *body)
{
	size_t bound = ZSTD_compressBound(body->size), size;
	unsigned char *out = calloc(1, HEADER + bound);

	if (!out)
		return -ENOMEM;
	size = ZSTD_compress(out + HEADER, bound, buf_text(body), body->size, LEVEL);
	if (ZSTD_isError(size)) {
		free(out);
		return -ENOMEM;
	}
	memcpy(out, "oncp", 4);
	out[4] = VERSION;
	out[5] = header->texts;
	put(out + 8, header->count, 4);
	put(out + 12, body->size, 4);
	put(out + 16, header->sequence, 8);
	put(out + 24, header->first, 8);
	put(out + 32, header->last, 8);
	put(out + CRC_AT, checksum(out, HEADER + size), 4);
	*ret = out;
	*ret_size = HEADER + size;
	return 0;
}

int once_packed_encode(
	void **ret, size_t *ret_size, const struct once_bytes *ids, size_t n, uint64_t sequence)
{
	struct header header = {.count = (uint32_t)n, .sequence = sequence};
	struct buf body;
	int r;

	if (n == 0 || n > ONCE_CONFIRM_PACK_MAX)
		return -EINVAL;
	buf_init(&body, BODY_MAX);
	header.texts = !are_numbers(ids, n);
	r = header.texts ? encode_texts(&body, &header, ids, n)
			 : encode_numbers(&body, &header, ids, n);
	r = r == -E2BIG ? -EINVAL : r;
	r = r ? r : finish(ret, ret_size, &header, &body);
	buf_fini(&body);
	return r;
}

/* ---- reading --------------------------------------------------------------------------------- */

struct reader {
	const unsigned char *at, *end;
};

static bool read_varint(struct reader *r, uint64_t *ret)
{
	uint64_t value = 0;

	for (int shift = 0; r->at < r->end && shift < 64; shift += 7) {
		unsigned char c = *r->at++;

		if (shift == 63 && c > 1)
			return false;
		value |= (uint64_t)(c & 0x7f) << shift;
		if (!(c & 0x80)) {
			*ret = value;
			return c > 0 || shift == 0;
		}
	}
	return false;
}

/* fn NULL: only look. */
static int walk_numbers(
	struct reader r, const struct header *header, once_packed_fn *fn, void *userdata)
{
	uint64_t last = 0, step;

	for (uint32_t i = 0; i < header->count; i++) {
		char text[NUMBER_TEXT_MAX];
		int code;

		if (!read_varint(&r, &step) || (i > 0 && step == 0) || step > UINT64_MAX - last)
			return -EBADMSG;
		last += step;
		if (i == 0 && last != header->first)
			return -EBADMSG;
		code = fn ? fn(userdata, (struct once_bytes){text, number_format_u64(text, last)})
			  : 0;
		if (code)
			return code;
	}
	return r.at == r.end && last == header->last ? 0 : -EBADMSG;
}

/* A text that says less than it could of what is as before was not written by us. */
static bool is_ascending(const char *before, size_t before_size, const char *id, size_t id_size)
{
	return compare((struct once_bytes){before, before_size}, (struct once_bytes){id, id_size}) <
	       0;
}

static int walk_texts(
	struct reader r, const struct header *header, once_packed_fn *fn, void *userdata)
{
	char ids[2][ONCE_CONFIRM_ID_MAX];
	size_t size = 0;

	for (uint32_t i = 0; i < header->count; i++) {
		char *id = ids[i % 2];
		const char *before = ids[(i + 1) % 2];
		uint64_t same, more;
		int code;

		if (!read_varint(&r, &same) || !read_varint(&r, &more) || same > size ||
			more > ONCE_CONFIRM_ID_MAX - same || more > (uint64_t)(r.end - r.at) ||
			same + more == 0)
			return -EBADMSG;
		memcpy(id, before, same);
		memcpy(id + same, r.at, more);
		r.at += more;
		if (i > 0 && !is_ascending(before, size, id, same + more))
			return -EBADMSG;
		size = same + more;
		if (i == 0 && head_of((struct once_bytes){id, size}) != header->first)
			return -EBADMSG;
		if (i + 1 == header->count &&
			head_of((struct once_bytes){id, size}) != header->last)
			return -EBADMSG;
		code = fn ? fn(userdata, (struct once_bytes){id, size}) : 0;
		if (code)
			return code;
	}
	return r.at == r.end ? 0 : -EBADMSG;
}

static int read_header(struct header *ret, struct once_bytes block)
{
	const unsigned char *b = block.data;
	uint64_t most;

	if (block.size < HEADER || memcmp(b, "oncp", 4) != 0 || b[4] != VERSION || b[5] > 1 ||
		b[6] || b[7])
		return -EBADMSG;
	*ret = (struct header){.texts = b[5] == 1,
		.count = (uint32_t)get(b + 8, 4),
		.raw_size = (uint32_t)get(b + 12, 4),
		.sequence = get(b + 16, 8),
		.first = get(b + 24, 8),
		.last = get(b + 32, 8)};
	most = ret->texts ? (uint64_t)ret->count * (ONCE_CONFIRM_ID_MAX + 4)
			  : (uint64_t)ret->count * VARINT_MAX;
	if (ret->count == 0 || ret->count > ONCE_CONFIRM_PACK_MAX || ret->raw_size < ret->count ||
		ret->raw_size > BODY_MAX || ret->raw_size > most)
		return -EBADMSG;
	if (get(b + CRC_AT, 4) != checksum(b, block.size) ||
		ZSTD_getFrameContentSize(b + HEADER, block.size - HEADER) != ret->raw_size)
		return -EBADMSG;
	return 0;
}

int once_packed_decode(
	struct once_bytes block, uint64_t *ret_sequence, once_packed_fn *fn, void *userdata)
{
	struct header header;
	unsigned char *body;
	struct reader reader;
	int r = read_header(&header, block);

	if (r < 0)
		return r;
	body = malloc(header.raw_size);
	if (!body)
		return -ENOMEM;
	reader = (struct reader){body, body + header.raw_size};
	if (ZSTD_decompress(body, header.raw_size, (const char *)block.data + HEADER,
		    block.size - HEADER) != header.raw_size)
		r = -EBADMSG;
	if (r == 0)
		r = header.texts ? walk_texts(reader, &header, NULL, NULL)
				 : walk_numbers(reader, &header, NULL, NULL);
	if (r == 0 && ret_sequence)
		*ret_sequence = header.sequence;
	if (r == 0)
		r = header.texts ? walk_texts(reader, &header, fn, userdata)
				 : walk_numbers(reader, &header, fn, userdata);
	free(body);
	return r;
}
