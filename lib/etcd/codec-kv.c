/* Ranges, puts, deletes and txns as etcd's JSON gateway takes them.
 *
 * The server ignores unknown fields and (3.5) unknown enum names without a word, and a misspelt
 * compare becomes another one. So names and enum values stand here literally, once, compares are
 * always written out in full, and the client proves the understanding by once_self_test().
 *
 * Beside the body a txn leaves its shape, so that the answer can be held against it:
 *	r p d		a range, put, delete
 *	( ... | ... )	a txn: the ops of success, those of failure */
#include "etcd/codec-write.h"

#include <errno.h>
#include <string.h>

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static int put_range(struct buf *out, const struct once_op *op)
{
	static const char *const orders[] = {
		[ONCE_SORT_NONE] = "NONE",
		[ONCE_SORT_ASCEND] = "ASCEND",
		[ONCE_SORT_DESCEND] = "DESCEND",
	};
	static const char *const targets[] = {
		[ONCE_SORT_KEY] = "KEY",
		[ONCE_SORT_VERSION] = "VERSION",
		[ONCE_SORT_CREATE] = "CREATE",
		[ONCE_SORT_MOD] = "MOD",
		[ONCE_SORT_VALUE] = "VALUE",
	};
	int r = 0;

	write_bytes(out, "key", op->key);
	write_bytes_unless_empty(out, "range_end", op->range_end);
	write_i64_unless_0(out, "limit", op->limit);
	write_i64_unless_0(out, "revision", op->revision);
	if (op->sort_order != ONCE_SORT_NONE || op->sort_target != ONCE_SORT_KEY) {
		r = write_enum(out, "sort_order", orders, LENGTH(orders), (int)op->sort_order);
		if (r == 0)
			r = write_enum(
				out, "sort_target", targets, LENGTH(targets), (int)op->sort_target);
	}
	write_true(out, "serializable", op->serializable);
	write_true(out, "keys_only", op->keys_only);
	write_true(out, "count_only", op->count_only);
	write_i64_unless_0(out, "min_mod_revision", op->min_mod_revision);
	write_i64_unless_0(out, "max_mod_revision", op->max_mod_revision);
	write_i64_unless_0(out, "min_create_revision", op->min_create_revision);
	write_i64_unless_0(out, "max_create_revision", op->max_create_revision);
	return r;
}

static void put_put(struct buf *out, const struct once_op *op)
{
	write_bytes(out, "key", op->key);
	if (!op->ignore_value)
		write_bytes(out, "value", op->value);
	if (!op->ignore_lease)
		write_i64_unless_0(out, "lease", op->lease);
	write_true(out, "prev_kv", op->prev_kv);
	write_true(out, "ignore_value", op->ignore_value);
	write_true(out, "ignore_lease", op->ignore_lease);
}

static void put_delete(struct buf *out, const struct once_op *op)
{
	write_bytes(out, "key", op->key);
	write_bytes_unless_empty(out, "range_end", op->range_end);
	write_true(out, "prev_kv", op->prev_kv);
}

static int put_compare(struct buf *out, const struct once_compare *compare)
{
	static const char *const targets[] = {
		[ONCE_COMPARE_VERSION] = "VERSION",
		[ONCE_COMPARE_CREATE] = "CREATE",
		[ONCE_COMPARE_MOD] = "MOD",
		[ONCE_COMPARE_VALUE] = "VALUE",
		[ONCE_COMPARE_LEASE] = "LEASE",
	};
	static const char *const fields[] = {
		[ONCE_COMPARE_VERSION] = "version",
		[ONCE_COMPARE_CREATE] = "create_revision",
		[ONCE_COMPARE_MOD] = "mod_revision",
		[ONCE_COMPARE_VALUE] = "value",
		[ONCE_COMPARE_LEASE] = "lease",
	};
	static const char *const results[] = {
		[ONCE_EQUAL] = "EQUAL",
		[ONCE_GREATER] = "GREATER",
		[ONCE_LESS] = "LESS",
		[ONCE_NOT_EQUAL] = "NOT_EQUAL",
	};
	int r;

	write_comma(out);
	buf_putc(out, '{');
	write_bytes(out, "key", compare->key);
	write_bytes_unless_empty(out, "range_end", compare->range_end);
	r = write_enum(out, "target", targets, LENGTH(targets), (int)compare->target);
	if (r == 0)
		r = write_enum(out, "result", results, LENGTH(results), (int)compare->result);
	if (r < 0)
		return r;
	if (compare->target == ONCE_COMPARE_VALUE)
		write_bytes(out, fields[compare->target], compare->value);
	else
		write_i64(out, fields[compare->target], compare->number);
	buf_putc(out, '}');
	return 0;
}

static int put_txn(struct buf *out, struct buf *shape, const struct once_txn *txn, int depth);

static int put_op(struct buf *out, struct buf *shape, const struct once_op *op, int depth)
{
	int r = 0;

	write_comma(out);
	buf_putc(out, '{');
	switch (op->kind) {
	case ONCE_OP_RANGE:
		write_name(out, "request_range");
		buf_putc(out, '{');
		r = put_range(out, op);
		buf_putc(shape, 'r');
		break;
	case ONCE_OP_PUT:
		write_name(out, "request_put");
		buf_putc(out, '{');
		put_put(out, op);
		buf_putc(shape, 'p');
		break;
	case ONCE_OP_DELETE:
		write_name(out, "request_delete_range");
		buf_putc(out, '{');
		put_delete(out, op);
		buf_putc(shape, 'd');
		break;
	case ONCE_OP_TXN:
		write_name(out, "request_txn");
		buf_putc(out, '{');
		r = put_txn(out, shape, op->txn, depth + 1);
		break;
	default:
		return -EINVAL;
	}
	buf_append(out, "}}", 2);
	return r;
}

static int put_ops(struct buf *out, struct buf *shape, const char *name, const struct once_op *ops,
	size_t n, int depth)
{
	int r = 0;

	if (n == 0)
		return 0;
	write_name(out, name);
	buf_putc(out, '[');
	for (size_t i = 0; i < n && r == 0; i++)
		r = put_op(out, shape, &ops[i], depth);
	buf_putc(out, ']');
	return r;
}

static int put_txn(struct buf *out, struct buf *shape, const struct once_txn *txn, int depth)
{
	int r = 0;

	if (!txn)
		return -EINVAL;
	if (depth > CODEC_TXN_DEPTH_MAX)
		return -E2BIG;
	if (txn->n_compares > 0) {
		write_name(out, "compare");
		buf_putc(out, '[');
		for (size_t i = 0; i < txn->n_compares && r == 0; i++)
			r = put_compare(out, &txn->compares[i]);
		buf_putc(out, ']');
	}
	buf_putc(shape, '(');
	if (r == 0)
		r = put_ops(out, shape, "success", txn->success, txn->n_success, depth);
	buf_putc(shape, '|');
	if (r == 0)
		r = put_ops(out, shape, "failure", txn->failure, txn->n_failure, depth);
	buf_putc(shape, ')');
	return r;
}

int codec_encode_op(struct codec_request *request, const struct once_op *op)
{
	struct buf *out;
	int r = 0;

	switch (op->kind) {
	case ONCE_OP_RANGE:
		out = write_begin(request, CODEC_RANGE);
		buf_putc(out, '{');
		r = put_range(out, op);
		break;
	case ONCE_OP_PUT:
		out = write_begin(request, CODEC_PUT);
		buf_putc(out, '{');
		put_put(out, op);
		break;
	case ONCE_OP_DELETE:
		out = write_begin(request, CODEC_DELETE_RANGE);
		buf_putc(out, '{');
		put_delete(out, op);
		break;
	case ONCE_OP_TXN:
		return codec_encode_txn(request, op->txn);
	default:
		return write_finish(request, -EINVAL);
	}
	buf_putc(out, '}');
	request->mutation = op->kind != ONCE_OP_RANGE;
	return write_finish(request, r);
}

int codec_encode_txn(struct codec_request *request, const struct once_txn *txn)
{
	struct buf *out = write_begin(request, CODEC_TXN);
	int r;

	buf_putc(out, '{');
	r = put_txn(out, &request->shape, txn, 0);
	buf_putc(out, '}');
	request->mutation = strpbrk(buf_text(&request->shape), "pd") != NULL;
	return write_finish(request, r);
}

int codec_encode_compaction(struct codec_request *request, int64_t revision, bool physical)
{
	struct buf *out = write_begin(request, CODEC_COMPACTION);

	request->mutation = true;
	buf_putc(out, '{');
	write_i64(out, "revision", revision);
	write_true(out, "physical", physical);
	buf_putc(out, '}');
	return write_finish(request, 0);
}
