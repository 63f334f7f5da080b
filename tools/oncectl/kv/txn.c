/* oncectl txn, with etcdctl's language on standard input.
 *
 *	mod("key") > "0"	compares, until an empty line
 *	value("a") = "b"
 *
 *	put x 1			when all hold: get, put and del with their flags
 *
 *	get x --prefix		else
 *
 * Bad input is exit code 3 and nothing was sent. */
#include "tools/oncectl/kv/kv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OPS_MAX = 1024 }; /* etcd's own limit is 128 unless it was raised */

struct reader {
	struct ctl *ctl;
	FILE *from;
	char *line; /* owned */
	size_t cap;
};

/* The next line without blanks around it; empty: the end of the part. NULL: the end of input. */
static char *next_line(struct reader *in)
{
	ssize_t n = getline(&in->line, &in->cap, in->from);
	char *at = in->line;

	if (n <= 0 || in->line[n - 1] != '\n')
		return NULL;
	while (n > 0 && strchr(" \t\n\v\f\r", in->line[n - 1]))
		in->line[--n] = '\0';
	return at + strspn(at, " \t\n\v\f\r");
}

static void prompt(struct ctl *ctl, const char *text)
{
	if (!ctl_flag(ctl, "--interactive") && !ctl_flag(ctl, "-i"))
		return;
	puts(text);
	(void)fflush(stdout);
}

/* ---- compares -------------------------------------------------------------------------------- */

static bool target_of(const char *name, size_t n, enum once_compare_target *ret)
{
	static const struct {
		const char *name;
		enum once_compare_target target;
	} targets[] = {{"ver", ONCE_COMPARE_VERSION}, {"version", ONCE_COMPARE_VERSION},
		{"c", ONCE_COMPARE_CREATE}, {"create", ONCE_COMPARE_CREATE},
		{"m", ONCE_COMPARE_MOD}, {"mod", ONCE_COMPARE_MOD}, {"val", ONCE_COMPARE_VALUE},
		{"value", ONCE_COMPARE_VALUE}, {"lease", ONCE_COMPARE_LEASE}};

	for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
		if (strlen(targets[i].name) != n || strncmp(targets[i].name, name, n) != 0)
			continue;
		*ret = targets[i].target;
		return true;
	}
	return false;
}

static bool result_of(const char *text, size_t n, enum once_compare_result *ret)
{
	*ret = *text == '=' ? ONCE_EQUAL : *text == '>' ? ONCE_GREATER : ONCE_LESS;
	if (n == 2 && strncmp(text, "!=", 2) == 0)
		*ret = ONCE_NOT_EQUAL;
	else if (n != 1 || !strchr("=<>", *text))
		return false;
	return true;
}

static int read_compare(struct ctl *ctl, const char *line, struct once_compare *ret)
{
	const char *open = strchr(line, '('), *at = open ? open + 1 : NULL, *text, *op;
	size_t n = at ? kv_unquote(ctl, at, &ret->key) : 0, op_size;

	if (n == 0 || at[n] != ')')
		return kv_error(CTL_BAD_INPUT, "malformed comparison: %s", line);
	op = at + n + 1 + strspn(at + n + 1, " \t");
	op_size = strcspn(op, " \t");
	at = op + op_size + strspn(op + op_size, " \t");
	if (op_size == 0 || kv_unquote(ctl, at, &ret->value) == 0)
		return kv_error(CTL_BAD_INPUT, "malformed comparison: %s", line);
	if (!target_of(line, (size_t)(open - line), &ret->target))
		return kv_error(CTL_BAD_INPUT, "malformed comparison: %s (unknown target %.*s)",
			line, (int)(open - line), line);
	if (!result_of(op, op_size, &ret->result))
		return kv_error(
			CTL_BAD_INPUT, "malformed comparison: %s (expected =, !=, < or >)", line);
	if (ret->target == ONCE_COMPARE_VALUE)
		return CTL_OK;
	text = arena_copy(&ctl->arena, ret->value.data, ret->value.size);
	if (!text ||
		kv_number(ctl, text, ret->target == ONCE_COMPARE_LEASE ? 16 : 10, &ret->number))
		return kv_error(CTL_BAD_INPUT, "invalid txn compare request: %s", line);
	return CTL_OK;
}

/* ---- operations ------------------------------------------------------------------------------ */

static int read_op(struct ctl *ctl, const char *line, struct once_op *ret)
{
	static const struct {
		const struct ctl_command *command;
		int (*read)(struct ctl *ctl, struct once_op *op);
	} known[] = {{&ctl_command_get, kv_get_op}, {&ctl_command_put, kv_put_op},
		{&ctl_command_del, kv_del_op}};
	struct ctl sub = *ctl;
	const char *why;
	char **words;
	int n, code;

	if (kv_split(ctl, line, &words, &n) < 0)
		return kv_error(CTL_BAD_INPUT, "invalid txn request: %s", line);
	if (n < 2)
		return kv_error(CTL_BAD_INPUT, "invalid txn compare request: %s", line);
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (strcmp(words[0], known[i].command->name) != 0)
			continue;
		sub.arena = ctl->arena; /* it may grow here and there */
		why = kv_take_line(&sub, known[i].command, words + 1, n - 1);
		ctl->arena = sub.arena;
		if (why)
			break;
		/* what is left of standard input are further lines, not the value */
		if (sub.command == &ctl_command_put && sub.n_words == 1 &&
			!ctl_flag(&sub, "--ignore-value"))
			return kv_error(CTL_BAD_ARGS, "%s", kv_put_words);
		if (ctl_flag(&sub, "--fenced") || ctl_flag(&sub, "--token"))
			break;
		code = known[i].read(&sub, ret);
		ctl->arena = sub.arena;
		return code;
	}
	return kv_error(CTL_BAD_INPUT, "invalid txn request: %s", line);
}

/* ---- the three parts ------------------------------------------------------------------------- */

static int end_of_input(void)
{
	return kv_error(CTL_BAD_INPUT, "EOF");
}

static int read_compares(struct reader *in, struct once_txn *txn)
{
	struct once_compare *all = arena_array(&in->ctl->arena, OPS_MAX, sizeof(*all));
	int code = CTL_OK;

	if (!all)
		return ctl_out_of_memory();
	txn->compares = all;
	while (code == CTL_OK) {
		char *line = next_line(in);

		if (!line)
			return end_of_input();
		if (!*line)
			return CTL_OK;
		if (txn->n_compares == OPS_MAX)
			return kv_error(CTL_BAD_INPUT, "more than %d comparisons", OPS_MAX);
		code = read_compare(in->ctl, line, &all[txn->n_compares++]);
	}
	return code;
}

static int read_ops(struct reader *in, const struct once_op **ret, size_t *ret_n)
{
	struct once_op *all = arena_array(&in->ctl->arena, OPS_MAX, sizeof(*all));
	int code = CTL_OK;

	if (!all)
		return ctl_out_of_memory();
	*ret = all;
	while (code == CTL_OK) {
		char *line = next_line(in);

		if (!line)
			return end_of_input();
		if (!*line)
			return CTL_OK;
		if (*ret_n == OPS_MAX)
			return kv_error(CTL_BAD_INPUT, "more than %d requests", OPS_MAX);
		code = read_op(in->ctl, line, &all[(*ret_n)++]);
	}
	return code;
}

int kv_read_txn(struct ctl *ctl, FILE *from, struct once_txn *txn)
{
	struct reader in = {.ctl = ctl, .from = from};
	int code;

	prompt(ctl, "compares:");
	code = read_compares(&in, txn);
	if (code == CTL_OK) {
		prompt(ctl, "success requests (get, put, del):");
		code = read_ops(&in, &txn->success, &txn->n_success);
	}
	if (code == CTL_OK) {
		prompt(ctl, "failure requests (get, put, del):");
		code = read_ops(&in, &txn->failure, &txn->n_failure);
	}
	free(in.line);
	return code;
}

static int run(struct ctl *ctl)
{
	struct once_txn txn = {0};
	struct kv_request request = {.kind = KV_TXN, .txn = &txn};
	const struct once_response *response;
	int code;

	if (ctl->n_words != 0)
		return kv_error(CTL_BAD_ARGS, "txn command does not accept argument");
	code = kv_read_txn(ctl, stdin, &txn);
	if (code != CTL_OK)
		return code;
	ctl->began = ctl->loop->ops->now(ctl->loop); /* typing took its time */
	response = kv_ask(ctl, &request);
	if (response->error < 0)
		return kv_refused(CTL_FAILED, response);
	return kv_print_op(ctl, response);
}

static const struct ctl_flag flags[] = {
	{"--interactive", NULL, "ask for each part"},
	{"-i", NULL, "the same"},
	{NULL, NULL, NULL},
};

const struct ctl_command ctl_command_txn = {
	.name = "txn",
	.words = "",
	.etcdctl = true,
	.summary = "several operations at once, if comparisons hold, from standard input",
	.details =
		"Three parts, each ended by an empty line: comparisons such as mod(\"key\") > "
		"\"0\",\n"
		"value(\"key\") = \"x\"; get, put and del for when all hold; and for when not.\n",
	.flags = flags,
	.run = run,
};
