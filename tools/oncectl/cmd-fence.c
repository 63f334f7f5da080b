/* oncectl fence and put: a job's own writes, guarded by the term it runs in.
 *
 * onced gives a job ONCED_KEY and ONCED_TOKEN, etcdctl lock ETCD_LOCK_KEY and ETCD_LOCK_REV. A
 * write that compares them is refused by etcd itself once the term is over, however late the job
 * is. */
#include "tools/oncectl/ctl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/number.h"

enum { VALUE_MAX = 1024 * 1024 };

struct term {
	const char *key;
	int64_t token;
};

static const char *from_environment(const char *name, const char *other)
{
	const char *value = getenv(name);

	return value && *value ? value : getenv(other);
}

static int read_term(struct ctl *ctl, struct term *ret)
{
	const char *token = ctl_flag(ctl, "--token");

	ret->key = from_environment("ONCED_KEY", "ETCD_LOCK_KEY");
	if (!token)
		token = from_environment("ONCED_TOKEN", "ETCD_LOCK_REV");
	else if (!ret->key || !*ret->key)
		ret->key = ctl->leader_key;
	if (!ret->key || !*ret->key || !token || !*token)
		return ctl_error(CTL_USAGE,
			"%s: expected ONCED_KEY and ONCED_TOKEN in the environment, as a job of "
			"onced has "
			"them, or --token",
			ctl->command->name);
	if (number_parse_i64(token, strlen(token), &ret->token) < 0 || ret->token <= 0)
		return ctl_error(CTL_USAGE, "%s: bad token \"%s\", expected a number above 0",
			ctl->command->name, token);
	return CTL_OK;
}

static int fenced(const struct term *term)
{
	return ctl_error(
		CTL_FENCED, "fenced: the term with token %lld is over", (long long)term->token);
}

/* A txn that writes nothing still goes through etcd's quorum. */
static int run_fence(struct ctl *ctl)
{
	struct term term;
	int code = read_term(ctl, &term);
	struct once_compare holds = {.target = ONCE_COMPARE_CREATE};
	struct once_op range = {.kind = ONCE_OP_RANGE, .keys_only = true};
	struct once_txn txn = {
		.compares = &holds, .n_compares = 1, .success = &range, .n_success = 1};
	const struct once_response *response;

	if (code != CTL_OK)
		return code;
	holds.key = range.key = once_str(term.key);
	holds.number = term.token;
	response = ctl_txn(ctl, &txn);
	if (!response)
		return CTL_UNREACHABLE;
	if (!response->op.succeeded)
		return fenced(&term);
	if (!ctl->json)
		printf("token %lld holds\n", (long long)term.token);
	return CTL_OK;
}

/* ---- put ------------------------------------------------------------------------------------- */

/* As etcdctl: without a value, what stands on standard input. */
static int read_value(struct ctl *ctl, struct once_bytes *ret)
{
	size_t n = 0;
	ssize_t r = 1;
	char *data;

	if (ctl->n_words == 2) {
		*ret = once_str(ctl->words[1]);
		return CTL_OK;
	}
	data = arena_alloc(&ctl->arena, VALUE_MAX + 1);
	if (!data)
		return ctl_out_of_memory();
	while (r > 0 && n <= VALUE_MAX) {
		r = read(STDIN_FILENO, data + n, VALUE_MAX + 1 - n);
		n += r > 0 ? (size_t)r : 0;
		if (r < 0 && errno == EINTR)
			r = 1;
	}
	if (r < 0)
		return ctl_error(CTL_FAILED, "standard input: %s", strerror(errno));
	if (n > VALUE_MAX)
		return ctl_error(CTL_USAGE,
			"standard input: more than %d bytes, which etcd refuses", VALUE_MAX);
	*ret = (struct once_bytes){data, n};
	return CTL_OK;
}

static int run_put(struct ctl *ctl)
{
	struct term term = {0};
	int code = ctl_flag(ctl, "--fenced") || ctl_flag(ctl, "--token") ? read_term(ctl, &term)
									 : CTL_OK;
	struct once_compare holds = {.target = ONCE_COMPARE_CREATE};
	struct once_op put = {.kind = ONCE_OP_PUT, .key = once_str(ctl->words[0])};
	struct once_txn txn = {.compares = &holds, .success = &put, .n_success = 1};
	const struct once_response *response;

	if (code == CTL_OK)
		code = read_value(ctl, &put.value);
	if (code != CTL_OK)
		return code;
	if (term.token != 0) {
		holds.key = once_str(term.key);
		holds.number = term.token;
		txn.n_compares = 1;
	}
	response = ctl_txn_once(ctl, &txn);
	if (!response)
		return CTL_UNREACHABLE;
	if (!response->op.succeeded)
		return fenced(&term);
	printf(ctl->json ? "{\"revision\":%lld}\n" : "OK\n", (long long)response->revision);
	return CTL_OK;
}

static const struct ctl_flag fence_flags[] = {
	{"--token", "N", "that term instead of the environment's"},
	{NULL, NULL, NULL},
};

const struct ctl_command ctl_command_fence = {
	.name = "fence",
	.words = "",
	.summary = "does the term I run in still hold?",
	.details =
		"For jobs: before a step that must not come too late. Exit code 75: it does not.\n"
		"Between the answer and the step time passes; only a guarded write is safe.\n",
	.flags = fence_flags,
	.run = run_fence,
};

static const struct ctl_flag put_flags[] = {
	{"--fenced", NULL, "only while the term I run in holds (exit code 75: it does not)"},
	{"--token", "N", "that term instead of the environment's"},
	{NULL, NULL, NULL},
};

const struct ctl_command ctl_command_put = {
	.name = "put",
	.words = "KEY [VALUE]",
	.min_words = 1,
	.max_words = 2,
	.summary = "write a key of etcd, guarded by a job's term",
	.details = "Without VALUE, standard input is written.\n",
	.flags = put_flags,
	.run = run_put,
};
