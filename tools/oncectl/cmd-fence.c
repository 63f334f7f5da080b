/* oncectl fence: does the term hold in which a job runs? Its writes are guarded by put --fenced. */
#include <stdio.h>

#include "tools/oncectl/term.h"

/* A txn that writes nothing still goes through etcd's quorum. */
static int run_fence(struct ctl *ctl)
{
	struct ctl_term term;
	int code = ctl_read_term(ctl, &term);
	struct once_compare holds[CTL_TERM_COMPARES];
	struct once_op range = {.kind = ONCE_OP_RANGE, .keys_only = true};
	struct once_txn txn = {.compares = holds,
		.n_compares = CTL_TERM_COMPARES,
		.success = &range,
		.n_success = 1};
	const struct once_response *response;

	if (code != CTL_OK)
		return code;
	ctl_term_compares(&term, holds);
	range.key = once_str(term.key);
	response = ctl_txn(ctl, &txn);
	if (!response)
		return CTL_UNREACHABLE;
	if (!response->op.succeeded)
		return ctl_fenced(&term);
	if (!ctl->json)
		printf("token %lld holds\n", (long long)term.token);
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
