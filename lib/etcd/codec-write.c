/* The writer under codec-kv.c and codec-request.c: append-only, no tree; see codec-write.h. */
#include "etcd/codec-write.h"

#include "base/base64.h"
#include "base/utf8.h"

#include <errno.h>
#include <string.h>

static const char *const paths[] = {
	[CODEC_RANGE] = "/v3/kv/range",
	[CODEC_PUT] = "/v3/kv/put",
	[CODEC_DELETE_RANGE] = "/v3/kv/deleterange",
	[CODEC_TXN] = "/v3/kv/txn",
	[CODEC_COMPACTION] = "/v3/kv/compaction",
	[CODEC_LEASE_GRANT] = "/v3/lease/grant",
	[CODEC_LEASE_KEEPALIVE] = "/v3/lease/keepalive",
	[CODEC_LEASE_REVOKE] = "/v3/lease/revoke",
	[CODEC_LEASE_TIME_TO_LIVE] = "/v3/lease/timetolive",
	[CODEC_LEASE_LIST] = "/v3/lease/leases",
	[CODEC_WATCH] = "/v3/watch",
	[CODEC_AUTHENTICATE] = "/v3/auth/authenticate",
	[CODEC_STATUS] = "/v3/maintenance/status",
	[CODEC_MEMBER_LIST] = "/v3/cluster/member/list",
	[CODEC_HASH_KV] = "/v3/maintenance/hashkv", /* not in 3.4 */
	[CODEC_ALARM] = "/v3/maintenance/alarm",
};

void codec_request_init(struct codec_request *request, size_t max)
{
	*request = (struct codec_request){0};
	buf_init(&request->body, max ? max : CODEC_REQUEST_MAX);
	buf_init(&request->shape, max ? max : CODEC_REQUEST_MAX);
}

void codec_request_fini(struct codec_request *request)
{
	buf_fini(&request->body);
	buf_fini(&request->shape);
	request->kind = CODEC_NONE;
	request->path = NULL;
}

struct buf *write_begin(struct codec_request *request, enum codec_kind kind)
{
	buf_reset(&request->body);
	buf_reset(&request->shape);
	request->kind = kind;
	request->path = paths[kind];
	request->mutation = false;
	request->lease = 0;
	return &request->body;
}

int write_finish(struct codec_request *request, int r)
{
	if (r == 0)
		r = buf_error(&request->body);
	if (r == 0)
		r = buf_error(&request->shape);
	if (r < 0) {
		buf_reset(&request->body);
		buf_reset(&request->shape);
		request->kind = CODEC_NONE;
		request->path = NULL;
	}
	return r;
}

void write_comma(struct buf *out)
{
	char last = out->size ? out->data[out->size - 1] : '{';

	if (last != '{' && last != '[')
		buf_putc(out, ',');
}

void write_name(struct buf *out, const char *name)
{
	write_comma(out);
	buf_putc(out, '"');
	buf_puts(out, name);
	buf_append(out, "\":", 2);
}

void write_bytes(struct buf *out, const char *name, struct once_bytes bytes)
{
	char *at;

	if (bytes.size > SIZE_MAX / 2) {
		out->error = -E2BIG;
		return;
	}
	write_name(out, name);
	buf_putc(out, '"');
	at = buf_extend(out, base64_encoded_size(bytes.size));
	if (at)
		base64_encode(at, bytes.data, bytes.size);
	buf_putc(out, '"');
}

void write_bytes_unless_empty(struct buf *out, const char *name, struct once_bytes bytes)
{
	if (bytes.size > 0)
		write_bytes(out, name, bytes);
}

void write_i64(struct buf *out, const char *name, int64_t value)
{
	write_name(out, name);
	buf_putc(out, '"');
	buf_put_i64(out, value);
	buf_putc(out, '"');
}

void write_i64_unless_0(struct buf *out, const char *name, int64_t value)
{
	if (value != 0)
		write_i64(out, name, value);
}

void write_true(struct buf *out, const char *name, bool value)
{
	if (!value)
		return;
	write_name(out, name);
	buf_puts(out, "true");
}

void write_word(struct buf *out, const char *name, const char *word)
{
	write_name(out, name);
	buf_putc(out, '"');
	buf_puts(out, word);
	buf_putc(out, '"');
}

int write_string(struct buf *out, const char *name, const char *text)
{
	static const char hex[] = "0123456789abcdef";

	if (!text || !utf8_valid(text, strlen(text)))
		return -EINVAL;
	write_name(out, name);
	buf_putc(out, '"');
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c < 0x20) {
			const char escaped[] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};

			buf_append(out, escaped, sizeof(escaped));
			continue;
		}
		if (c == '"' || c == '\\')
			buf_putc(out, '\\');
		buf_putc(out, (char)c);
	}
	buf_putc(out, '"');
	return buf_error(out);
}

int write_enum(struct buf *out, const char *name, const char *const *words, size_t n, int value)
{
	if (value < 0 || (size_t)value >= n)
		return -EINVAL;
	write_word(out, name, words[value]);
	return 0;
}
