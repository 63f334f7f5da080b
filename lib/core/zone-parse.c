/* TZif, the format of time zone files (RFC 8536), read from bytes that nobody vouches for.
 *
 * A file holds its data twice, for readers of 32 and of 64 bits; the first copy is skipped. Behind
 * the second stands the footer. Every count is checked against the size before it is used. */
#include "core/zone-inner.h"

#include <string.h>

enum {
	HEADER_SIZE = 44,
	TYPE_SIZE = 6,
	CHANGE_SIZE = 8,
};

struct header {
	uint32_t n_ut, n_standard, n_leaps, n_changes, n_types, n_chars;
};

static uint32_t read_u32(const unsigned char *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static int64_t read_i64(const unsigned char *at)
{
	return (int64_t)((uint64_t)read_u32(at) << 32 | read_u32(at + 4));
}

static bool read_header(const unsigned char *at, size_t size, struct header *ret)
{
	if (size < HEADER_SIZE || memcmp(at, "TZif", 4) != 0)
		return false;
	ret->n_ut = read_u32(at + 20);
	ret->n_standard = read_u32(at + 24);
	ret->n_leaps = read_u32(at + 28);
	ret->n_changes = read_u32(at + 32);
	ret->n_types = read_u32(at + 36);
	ret->n_chars = read_u32(at + 40);
	return true;
}

/* Of what is behind the header; times have 4 or 8 bytes. */
static uint64_t body_size(const struct header *h, unsigned time_size)
{
	return (uint64_t)h->n_changes * (time_size + 1) + (uint64_t)h->n_types * TYPE_SIZE +
	       h->n_chars + (uint64_t)h->n_leaps * (time_size + 4) + h->n_standard + h->n_ut;
}

bool zone_set_abbreviation(struct zone_type *type, const char *text, size_t size)
{
	if (size == 0 || size >= sizeof(type->abbreviation))
		return false;
	for (size_t i = 0; i < size; i++) {
		char c = text[i];

		if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
			    c == '+' || c == '-'))
			return false;
	}
	memset(type->abbreviation, 0, sizeof(type->abbreviation));
	memcpy(type->abbreviation, text, size);
	return true;
}

static bool read_type(struct zone_type *type, const unsigned char *at, const unsigned char *chars,
	uint32_t n_chars)
{
	const unsigned char *end;

	type->offset_s = (int32_t)read_u32(at);
	type->dst = at[4] != 0;
	if (type->offset_s <= -ZONE_OFFSET_MAX || type->offset_s >= ZONE_OFFSET_MAX || at[4] > 1 ||
		at[5] >= n_chars)
		return false;
	chars += at[5];
	end = chars;
	while (end < chars + n_chars - at[5] && *end)
		end++;
	return zone_set_abbreviation(type, (const char *)chars, (size_t)(end - chars));
}

static const char *read_body(struct zone *zone, const struct header *h, const unsigned char *at)
{
	const unsigned char *types = at + (size_t)h->n_changes * (CHANGE_SIZE + 1);
	const unsigned char *indexes = at + (size_t)h->n_changes * CHANGE_SIZE;

	zone->n_changes = h->n_changes;
	zone->n_types = h->n_types;
	for (uint32_t i = 0; i < h->n_changes; i++) {
		zone->at_s[i] = read_i64(at + (size_t)i * CHANGE_SIZE);
		zone->type[i] = indexes[i];
		if (i > 0 && zone->at_s[i] <= zone->at_s[i - 1])
			return "its changes are not in order";
		if (indexes[i] >= h->n_types)
			return "a change to a type it does not have";
	}
	for (uint32_t i = 0; i < h->n_types; i++) {
		if (!read_type(&zone->types[i], types + (size_t)i * TYPE_SIZE,
			    types + (size_t)h->n_types * TYPE_SIZE, h->n_chars))
			return "a type of local time that makes no sense";
	}
	return NULL;
}

static const char *read_footer(struct zone *zone, const char *text, size_t size)
{
	const char *end;

	if (size < 2 || text[0] != '\n')
		return "it ends before its footer";
	end = text + 1;
	while (end < text + size && *end != '\n')
		end++;
	if (end == text + size)
		return "its footer does not end";
	if (end == text + 1) /* the last type for ever */
		return NULL;
	zone->has_footer = true;
	return zone_parse_footer(zone, text + 1, (size_t)(end - text) - 1);
}

const char *zone_parse(struct zone *ret, const void *data, size_t size)
{
	const unsigned char *at = data;
	const char *wrong;
	struct header h;
	uint64_t body;

	memset(ret, 0, sizeof(*ret));
	if (!read_header(at, size, &h))
		return "it does not begin with TZif";
	if (at[4] < '2')
		return "version 1 is too old, it has no rule for the future";
	body = HEADER_SIZE + body_size(&h, 4);
	if (body > size || !read_header(at + body, size - body, &h))
		return "it ends in its first part";
	at += body;
	size -= body;
	if (h.n_leaps)
		return "it counts leap seconds (\"right/...\"); take the zone without";
	if (h.n_types == 0 || h.n_types > ZONE_TYPES_MAX || h.n_changes > ZONE_CHANGES_MAX)
		return "no types of local time, or too many, or too many changes";
	body = HEADER_SIZE + body_size(&h, CHANGE_SIZE);
	if (body > size)
		return "it ends in its second part";
	wrong = read_body(ret, &h, at + HEADER_SIZE);
	return wrong ? wrong : read_footer(ret, (const char *)at + body, size - body);
}
