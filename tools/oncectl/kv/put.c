/* oncectl put KEY [VALUE], as etcdctl's; and --fenced, for jobs: refused by etcd itself once the
 * term is over in which the job runs. */
#include "tools/oncectl/kv/kv.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "tools/oncectl/term.h"

enum { VALUE_MAX = 8 * 1024 * 1024 }; /* above what any etcd takes, which then says so itself */

const char kv_put_words[] = "put command needs 1 argument and input from stdin or 2 arguments";

static int read_value(struct ctl *ctl, struct once_bytes *ret)
{
	char *data = arena_alloc(&ctl->arena, VALUE_MAX + 1);
	size_t n = 0;
	ssize_t r = 1;

	if (!data)
		return ctl_out_of_memory();
	while (r > 0 && n <= VALUE_MAX) {
		r = read(STDIN_FILENO, data + n, VALUE_MAX + 1 - n);
		n += r > 0 ? (size_t)r : 0;
		if (r < 0 && errno == EINTR)
			r = 1;
	}
	/* nothing at all is a mistake more often than a wish; "" is a value */
	if (r < 0 || n == 0)
		return kv_error(CTL_BAD_ARGS, "%s", kv_put_words);
	if (n > VALUE_MAX)
		return kv_error(CTL_FAILED,
			"standard input: more than %d bytes, which etcd refuses", VALUE_MAX);
	*ret = (struct once_bytes){data, n};
	return CTL_OK;
}

static int read_lease(struct ctl *ctl, int64_t *ret)
{
	const char *text = ctl_flag(ctl, "--lease"), *why = NULL;

	if (text)
		why = kv_number(ctl, text, 16, ret);
	if (why)
		return kv_error(CTL_BAD_ARGS, "bad lease ID (%s), expecting ID in Hex", why);
	return CTL_OK;
}

int kv_put_op(struct ctl *ctl, struct once_op *op)
{
	int code = CTL_OK;

	*op = (struct once_op){
		.kind = ONCE_OP_PUT,
		.prev_kv = ctl_flag(ctl, "--prev-kv"),
		.ignore_value = ctl_flag(ctl, "--ignore-value"),
		.ignore_lease = ctl_flag(ctl, "--ignore-lease"),
	};
	if (ctl->n_words == 0)
		return kv_error(CTL_BAD_ARGS, "%s", kv_put_words);
	op->key = once_str(ctl->words[0]);
	if (op->ignore_value && ctl->n_words > 1)
		return kv_error(CTL_BAD_ARGS,
			"put command needs only 1 argument when 'ignore-value' is set");
	/* etcdctl overlooks further words */
	if (ctl->n_words > 1)
		op->value = once_str(ctl->words[1]);
	else if (!op->ignore_value)
		code = read_value(ctl, &op->value);
	return code == CTL_OK ? read_lease(ctl, &op->lease) : code;
}

static int put_fenced(struct ctl *ctl, const struct once_op *op)
{
	struct ctl_term term;
	int code = ctl_read_term(ctl, &term);
	struct once_compare holds[CTL_TERM_COMPARES];
	struct once_txn txn = {
		.compares = holds, .n_compares = CTL_TERM_COMPARES, .success = op, .n_success = 1};
	struct kv_request request = {.kind = KV_TXN, .txn = &txn};
	const struct once_response *response;
	struct once_response answer;

	if (code != CTL_OK)
		return code;
	ctl_term_compares(&term, holds);
	response = kv_ask(ctl, &request);
	if (response->error < 0)
		return kv_refused(CTL_FAILED, response);
	if (!response->op.succeeded)
		return ctl_fenced(&term);
	answer = *response;
	answer.op = response->op.results[0];
	return kv_print_op(ctl, &answer);
}

static int run(struct ctl *ctl)
{
	struct once_op op;
	struct kv_request request = {.kind = KV_OP, .op = &op};
	const struct once_response *response;
	int code = kv_put_op(ctl, &op);

	if (code != CTL_OK)
		return code;
	if (ctl_flag(ctl, "--fenced") || ctl_flag(ctl, "--token"))
		return put_fenced(ctl, &op);
	response = kv_ask(ctl, &request);
	if (response->error < 0)
		return kv_refused(CTL_FAILED, response);
	return kv_print_op(ctl, response);
}

static const struct ctl_flag flags[] = {
	{"--lease", "ID", "attach the key to that lease, hexadecimal"},
	{"--prev-kv", NULL, "print what was there before"},
	{"--ignore-value", NULL, "keep the key's value"},
	{"--ignore-lease", NULL, "keep the key's lease"},
	{"--fenced", NULL, "only while the term I run in holds (exit code 75: it does not)"},
	{"--token", "N", "that term instead of the environment's"},
	{NULL, NULL, NULL},
};

const struct ctl_command ctl_command_put = {
	.name = "put",
	.words = "KEY [VALUE]",
	.etcdctl = true,
	.summary = "write a key of etcd; with --fenced, guarded by a job's term",
	.details = "Without VALUE, standard input is written. A value that begins with - goes "
		   "behind --.\n",
	.flags = flags,
	.run = run,
};
