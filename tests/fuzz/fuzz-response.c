/* A unary answer. The first byte chooses the request and the status; whatever comes back, an answer
 * that is taken has the shape that was asked for. */
#include "etcd/codec.h"
#include "fuzz.h"

#include <errno.h>
#include <string.h>

static void encode_txn(struct codec_request *request)
{
	static const struct once_op inner_ops[] = {{.kind = ONCE_OP_RANGE}, {.kind = ONCE_OP_PUT}};
	static const struct once_txn inner = {NULL, 0, inner_ops, 2, inner_ops, 1};
	static const struct once_op ops[] = {{.kind = ONCE_OP_PUT},
		{.kind = ONCE_OP_TXN, .txn = &inner}, {.kind = ONCE_OP_DELETE}};
	static const struct once_txn txn = {NULL, 0, ops, 3, inner_ops, 1};

	require(codec_encode_txn(request, &txn) == 0);
}

static void encode(struct codec_request *request, unsigned int which)
{
	struct once_op op = {.kind = ONCE_OP_RANGE};

	switch (which) {
	case 0:
		encode_txn(request);
		break;
	case 1:
		op.kind = ONCE_OP_PUT;
		codec_encode_op(request, &op);
		break;
	case 2:
		codec_encode_op(request, &op);
		break;
	case 3:
		op.kind = ONCE_OP_DELETE;
		codec_encode_op(request, &op);
		break;
	case 4:
		codec_encode_lease_grant(request, 10, 7);
		break;
	case 5:
		codec_encode_lease_keepalive(request, 7);
		break;
	case 6:
		codec_encode_lease_revoke(request, 7);
		break;
	case 7:
		codec_encode_lease_time_to_live(request, 7, true);
		break;
	case 8:
		codec_encode_lease_list(request);
		break;
	case 9:
		codec_encode_authenticate(request, "u", "p");
		break;
	case 10:
		codec_encode_status(request);
		break;
	case 11:
		codec_encode_member_list(request, true);
		break;
	default:
		codec_encode_compaction(request, 7, false);
		break;
	}
}

static size_t walk(const struct once_op_result *op)
{
	size_t sum = 0;

	for (size_t i = 0; i < op->n_kvs; i++) {
		for (size_t k = 0; k < op->kvs[i].key.size; k++)
			sum += ((const uint8_t *)op->kvs[i].key.data)[k];
		for (size_t k = 0; k < op->kvs[i].value.size; k++)
			sum += ((const uint8_t *)op->kvs[i].value.data)[k];
	}
	for (size_t i = 0; i < op->n_results; i++)
		sum += walk(&op->results[i]);
	return sum;
}

static void check_txn(const struct once_op_result *op)
{
	const struct once_op_result *inner;

	require(op->kind == ONCE_OP_TXN);
	if (!op->succeeded) {
		require(op->n_results == 1 && op->results[0].kind == ONCE_OP_RANGE);
		return;
	}
	require(op->n_results == 3);
	inner = &op->results[1];
	require(op->results[0].kind == ONCE_OP_PUT && op->results[0].n_kvs <= 1);
	require(inner->kind == ONCE_OP_TXN);
	require(inner->n_results == (inner->succeeded ? 2 : 1));
	require(inner->results[0].kind == ONCE_OP_RANGE);
	require(op->results[2].kind == ONCE_OP_DELETE);
}

static size_t check_applied(const struct codec_request *request, const struct codec_reply *reply)
{
	const struct once_response *response = &reply->response;
	size_t sum = walk(&response->op);

	if (request->kind == CODEC_TXN)
		check_txn(&response->op);
	if (request->lease)
		require(request->kind == CODEC_LEASE_REVOKE || response->lease == request->lease);
	if (request->kind == CODEC_AUTHENTICATE)
		require(reply->token && *reply->token);
	if (request->kind == CODEC_STATUS)
		require(response->version);
	for (size_t i = 0; i < response->n_members; i++) {
		sum += strlen(response->members[i].name);
		for (size_t k = 0; k < response->members[i].n_client_urls; k++)
			sum += strlen(response->members[i].client_urls[k]);
	}
	for (size_t i = 0; i < response->n_errors; i++)
		sum += strlen(response->errors[i]);
	for (size_t i = 0; i < response->n_keys; i++)
		sum += response->keys[i].size;
	return sum;
}

/* In pieces it must be the same as at once, but for a lack of memory. */
static void check_pieces(const struct codec_request *request, const uint8_t *data, size_t size,
	size_t piece, const struct codec_reply *whole)
{
	struct codec_reply reply;
	struct codec_rows rows;
	size_t n = 0, bytes = 0;
	int r = 0;

	codec_rows_init(&rows);
	codec_reply_init(&reply);
	for (size_t at = 0; at < size && r == 0; at += piece) {
		r = codec_rows_push(
			&rows, data + at, size - at < piece ? size - at : piece, &reply.arena);
		n += rows.n_kvs;
		for (size_t i = 0; i < rows.n_kvs; i++)
			bytes += rows.kvs[i].key.size + rows.kvs[i].value.size;
	}
	r = r ? r : codec_decode(&reply, request, 200, buf_text(&rows.around), rows.around.size);
	require(r == whole->response.error);
	if (r == 0) {
		n += reply.response.op.n_kvs;
		for (size_t i = 0; i < reply.response.op.n_kvs; i++)
			bytes += reply.response.op.kvs[i].key.size +
				 reply.response.op.kvs[i].value.size;
		require(n == whole->response.op.n_kvs);
		for (size_t i = 0; i < n; i++)
			bytes -= whole->response.op.kvs[i].key.size +
				 whole->response.op.kvs[i].value.size;
		require(bytes == 0);
	}
	codec_rows_fini(&rows);
	codec_reply_fini(&reply);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int statuses[] = {200, 200, 400, 503};
	unsigned int choice = size ? data[0] : 0;
	struct codec_request request;
	struct codec_reply reply;
	int r;

	if (size)
		data++, size--;
	codec_request_init(&request, 0);
	codec_reply_init(&reply);
	encode(&request, choice % 13);
	r = codec_decode(&reply, &request, statuses[choice / 13 % 4], data, size);
	require(r == reply.response.error);
	if (r == 0)
		require(check_applied(&request, &reply) != SIZE_MAX &&
			reply.response.outcome == ONCE_APPLIED);
	else
		require(r < 0 && reply.response.n_leases == 0 && reply.response.op.n_results == 0);
	if (request.kind == CODEC_RANGE && statuses[choice / 13 % 4] == 200)
		check_pieces(&request, data, size, 1 + choice % 7, &reply);
	if (r == -EBADMSG)
		require(reply.response.outcome == ONCE_UNKNOWN);
	codec_reply_fini(&reply);
	codec_request_fini(&request);
	return 0;
}
