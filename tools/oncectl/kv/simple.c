/* -w simple: key and value, a line each. */
#include "tools/oncectl/kv/kv.h"

#include <stdio.h>

static void put_line(struct ctl *ctl, struct once_bytes bytes)
{
	if (ctl->hex)
		kv_put_hex(bytes);
	else
		kv_put_raw(bytes);
	putchar('\n');
}

void kv_simple_kv(struct ctl *ctl, const struct once_kv *kv)
{
	if (!ctl_flag(ctl, "--print-value-only"))
		put_line(ctl, kv->key);
	put_line(ctl, kv->value);
}

static void put_kvs(struct ctl *ctl, const struct once_op_result *op)
{
	for (size_t i = 0; i < op->n_kvs; i++)
		kv_simple_kv(ctl, &op->kvs[i]);
}

void kv_simple_op(struct ctl *ctl, const struct once_op_result *op)
{
	switch (op->kind) {
	case ONCE_OP_PUT:
		puts("OK");
		break;
	case ONCE_OP_DELETE:
		printf("%lld\n", (long long)op->count);
		break;
	case ONCE_OP_TXN:
		puts(op->succeeded ? "SUCCESS" : "FAILURE");
		for (size_t i = 0; i < op->n_results; i++) {
			putchar('\n');
			kv_simple_op(ctl, &op->results[i]);
		}
		return;
	case ONCE_OP_RANGE:
		break;
	}
	put_kvs(ctl, op);
}
