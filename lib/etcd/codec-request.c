/* Requests other than of keys: leases, watch, authentication, cluster.
 *
 * Integers go as decimal strings (etcd's ids pass 2^53), bytes as padded standard base64 (3.4 takes
 * no other), flags only when true. Names are etcd's: "ID", not "id", which it would ignore. */
#include "etcd/codec-write.h"

#include <errno.h>

/* ---- leases ---------------------------------------------------------------------------------- */

static struct buf *begin_lease(struct codec_request *request, enum codec_kind kind, int64_t lease)
{
	struct buf *out = write_begin(request, kind);

	request->lease = lease;
	buf_putc(out, '{');
	write_i64_unless_0(out, "ID", lease);
	return out;
}

int codec_encode_lease_grant(struct codec_request *request, int64_t ttl_s, int64_t lease)
{
	struct buf *out = begin_lease(request, CODEC_LEASE_GRANT, lease);

	request->mutation = true;
	write_i64(out, "TTL", ttl_s);
	buf_putc(out, '}');
	return write_finish(request, 0);
}

int codec_encode_lease_keepalive(struct codec_request *request, int64_t lease)
{
	buf_putc(begin_lease(request, CODEC_LEASE_KEEPALIVE, lease), '}');
	return write_finish(request, 0);
}

int codec_encode_lease_revoke(struct codec_request *request, int64_t lease)
{
	buf_putc(begin_lease(request, CODEC_LEASE_REVOKE, lease), '}');
	request->mutation = true;
	return write_finish(request, 0);
}

int codec_encode_lease_time_to_live(struct codec_request *request, int64_t lease, bool keys)
{
	struct buf *out = begin_lease(request, CODEC_LEASE_TIME_TO_LIVE, lease);

	write_true(out, "keys", keys);
	buf_putc(out, '}');
	return write_finish(request, 0);
}

int codec_encode_lease_list(struct codec_request *request)
{
	buf_puts(write_begin(request, CODEC_LEASE_LIST), "{}");
	return write_finish(request, 0);
}

/* ---- watch, auth, cluster -------------------------------------------------------------------- */

static void put_filters(struct buf *out, const struct once_watch_range *range)
{
	if (!range->no_put && !range->no_delete)
		return;
	write_name(out, "filters");
	buf_putc(out, '[');
	if (range->no_put)
		buf_puts(out, "\"NOPUT\"");
	if (range->no_delete)
		buf_puts(out, range->no_put ? ",\"NODELETE\"" : "\"NODELETE\"");
	buf_putc(out, ']');
}

int codec_encode_watch(struct codec_request *request, const struct once_watch_range *ranges,
	const int64_t *start_revisions, size_t n_ranges, bool progress_notify)
{
	struct buf *out = write_begin(request, CODEC_WATCH);

	/* The server would answer nothing at all to an empty request, for ever. */
	if (n_ranges == 0)
		return write_finish(request, -EINVAL);
	for (size_t i = 0; i < n_ranges; i++) {
		buf_puts(out, "{\"create_request\":{");
		write_bytes(out, "key", ranges[i].key);
		write_bytes_unless_empty(out, "range_end", ranges[i].range_end);
		if (start_revisions)
			write_i64_unless_0(out, "start_revision", start_revisions[i]);
		write_i64(out, "watch_id", (int64_t)i + 1);
		write_true(out, "fragment", true);
		write_true(out, "progress_notify", progress_notify);
		write_true(out, "prev_kv", ranges[i].prev_kv);
		put_filters(out, &ranges[i]);
		buf_puts(out, "}}");
	}
	return write_finish(request, 0);
}

int codec_encode_authenticate(struct codec_request *request, const char *user, const char *password)
{
	struct buf *out = write_begin(request, CODEC_AUTHENTICATE);
	int r;

	out->secret = true;
	buf_putc(out, '{');
	r = write_string(out, "name", user);
	if (r == 0)
		r = write_string(out, "password", password);
	buf_putc(out, '}');
	return write_finish(request, r);
}

int codec_encode_status(struct codec_request *request)
{
	buf_puts(write_begin(request, CODEC_STATUS), "{}");
	return write_finish(request, 0);
}

int codec_encode_member_list(struct codec_request *request, bool linearizable)
{
	struct buf *out = write_begin(request, CODEC_MEMBER_LIST);

	buf_putc(out, '{');
	write_true(out, "linearizable", linearizable);
	buf_putc(out, '}');
	return write_finish(request, 0);
}

/* ---- maintenance ----------------------------------------------------------------------------- */

int codec_encode_hash_kv(struct codec_request *request, int64_t revision)
{
	struct buf *out = write_begin(request, CODEC_HASH_KV);

	buf_putc(out, '{');
	write_i64_unless_0(out, "revision", revision);
	buf_putc(out, '}');
	return write_finish(request, 0);
}

int codec_encode_alarm(struct codec_request *request, const struct once_alarm *disarm)
{
	static const char *const kinds[] = {
		[ONCE_ALARM_NOSPACE] = "NOSPACE", [ONCE_ALARM_CORRUPT] = "CORRUPT"};
	struct buf *out = write_begin(request, CODEC_ALARM);
	int r = 0;

	buf_putc(out, '{');
	write_word(out, "action", disarm ? "DEACTIVATE" : "GET");
	if (disarm && disarm->kind == ONCE_ALARM_NONE)
		r = -EINVAL;
	else if (disarm)
		r = write_enum(
			out, "alarm", kinds, sizeof(kinds) / sizeof(kinds[0]), (int)disarm->kind);
	/* without it nothing is disarmed, and etcd says that all is well */
	if (disarm && r == 0) {
		write_name(out, "memberID");
		buf_putc(out, '"');
		buf_put_u64(out, disarm->member);
		buf_putc(out, '"');
	}
	buf_putc(out, '}');
	return write_finish(request, r);
}
