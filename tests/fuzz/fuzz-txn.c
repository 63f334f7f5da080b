/* The language of oncectl txn. Whatever stands there, it is refused with a documented exit code and nothing
 * was kept that could be sent; or each part of what was read is one that etcd can be asked for. */
#include "etcd/codec.h"
#include "fuzz.h"
#include "tools/oncectl/kv/kv.h"

#include <stdio.h>

extern const struct ctl_command ctl_command_txn;

static void check_ops(const struct once_op *ops, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		require(ops[i].kind == ONCE_OP_RANGE || ops[i].kind == ONCE_OP_PUT ||
			ops[i].kind == ONCE_OP_DELETE);
		require(ops[i].key.data && ops[i].limit >= 0 && ops[i].revision >= 0);
		require(ops[i].value.size == 0 || ops[i].value.data);
	}
}

static void check(const struct once_txn *txn)
{
	struct codec_request request;

	for (size_t i = 0; i < txn->n_compares; i++)
		require(txn->compares[i].key.data);
	check_ops(txn->success, txn->n_success);
	check_ops(txn->failure, txn->n_failure);
	codec_request_init(&request, 0);
	(void)codec_encode_txn(&request, txn); /* an empty key is refused here */
	codec_request_fini(&request);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static FILE *nowhere;
	struct ctl ctl = {.command = &ctl_command_txn};
	struct once_txn txn = {0};
	FILE *from = size > 0 ? fmemopen((void *)data, size, "r") : fopen("/dev/null", "r");
	int code;

	if (!nowhere) { /* a line for each refusal is of no use here */
		nowhere = fopen("/dev/null", "w");
		require(nowhere);
		stderr = nowhere;
	}
	require(from);
	arena_init(&ctl.arena);
	arena_init(&ctl.line);
	code = kv_read_txn(&ctl, from, &txn);
	require(code == CTL_OK || code == CTL_BAD_INPUT || code == CTL_BAD_FEATURE ||
		code == CTL_BAD_ARGS || code == CTL_FAILED);
	if (code == CTL_OK)
		check(&txn);
	(void)fclose(from);
	arena_fini(&ctl.line);
	arena_fini(&ctl.arena);
	return 0;
}
