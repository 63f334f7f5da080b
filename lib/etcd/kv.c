/* Range, put, delete, txn, compaction: encode and send. */
#include "etcd/internal.h"

int once_kv(struct once_client *client, struct once_call **ret_call,
	const struct once_call_options *options, const struct once_op *op, once_done_fn *done,
	void *userdata)
{
	struct codec_request request;
	codec_request_init(&request, 0);
	int r = codec_encode_op(&request, op);
	if (r < 0) {
		codec_request_fini(&request);
		return r;
	}
	return call_start(client, ret_call, options, &request,
		op->kind == ONCE_OP_RANGE && op->serializable ? CALL_STALE : CALL_LINEAR, done,
		userdata);
}

/* A txn of such ranges alone is answered from what the member has. */
static bool has_serializable(const struct once_txn *txn)
{
	for (size_t i = 0; i < txn->n_success; i++) {
		if (txn->success[i].serializable) {
			return true;
		}
	}
	for (size_t i = 0; i < txn->n_failure; i++) {
		if (txn->failure[i].serializable) {
			return true;
		}
	}
	return false;
}

int once_txn(struct once_client *client, struct once_call **ret_call,
	const struct once_call_options *options, const struct once_txn *txn, once_done_fn *done,
	void *userdata)
{
	struct codec_request request;
	codec_request_init(&request, 0);
	int r = codec_encode_txn(&request, txn);
	if (r < 0) {
		codec_request_fini(&request);
		return r;
	}
	return call_start(client, ret_call, options, &request,
		has_serializable(txn) ? 0 : CALL_LINEAR, done, userdata);
}

int once_compact(struct once_client *client, struct once_call **ret_call,
	const struct once_call_options *options, int64_t revision, bool physical,
	once_done_fn *done, void *userdata)
{
	struct codec_request request;
	codec_request_init(&request, 0);
	int r = codec_encode_compaction(&request, revision, physical);
	if (r < 0) {
		codec_request_fini(&request);
		return r;
	}
	return call_start(client, ret_call, options, &request, 0, done, userdata);
}

size_t once_prefix_end(struct once_bytes key, void *out)
{
	const unsigned char *in = key.data;
	unsigned char *end = out;
	size_t n = key.size;
	while (n && in[n - 1] == 0xff) {
		n--;
	}
	if (!n) {
		end[0] = 0;
		return 1;
	}
	__builtin_memcpy(end, in, n);
	end[n - 1]++;
	return n;
}
