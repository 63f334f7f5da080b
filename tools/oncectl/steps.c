/* What is recorded of jobs that have no moments: Type=once under its id, steps and migrate under their
 * flow, both the job's name unless Id= says otherwise. */
#include "tools/oncectl/ledger.h"

int ctl_steps_read(struct ctl *ctl, const char *name, struct ctl_runs *ret)
{
	char keys[2][ONCE_KEY_SIZE], end[ONCE_KEY_SIZE];
	struct once_op ops[2] = {{.kind = ONCE_OP_RANGE}, {.kind = ONCE_OP_RANGE}};
	struct once_txn txn = {.success = ops, .n_success = 2};
	const struct once_response *response;

	*ret = (struct ctl_runs){0};
	if (once_key_make(keys[0], ctl->config.prefix, ONCE_KEY_ONCE, name, NULL, 0) < 0 ||
		once_key_prefix(keys[1], ctl->config.prefix, ONCE_KEY_STEP, name) < 0)
		return ctl_error(
			CTL_USAGE, "job: bad name \"%s\", expected %s", name, ONCE_NAME_RULE);
	ops[0].key = once_str(keys[0]);
	ops[1].key = once_str(keys[1]);
	ops[1].range_end = (struct once_bytes){end, once_prefix_end(ops[1].key, end)};
	response = ctl_txn(ctl, &txn);
	if (!response)
		return CTL_UNREACHABLE;
	if (response->op.n_results != 2)
		return ctl_error(CTL_UNREACHABLE, "etcd at %s: an answer without its parts",
			response->endpoint);
	ret->runs = arena_array(&ctl->arena,
		response->op.results[0].n_kvs + response->op.results[1].n_kvs + 1,
		sizeof(*ret->runs));
	if (!ret->runs)
		return ctl_out_of_memory();
	for (size_t i = 0; i < 2; i++)
		for (size_t k = 0; k < response->op.results[i].n_kvs; k++)
			ret->n += ctl_run_read(
				ctl, &response->op.results[i].kvs[k], &ret->runs[ret->n]);
	return CTL_OK;
}

/* The one that tells most: that runs, or else the first that is not done, or else the last. */
const struct ctl_run *ctl_steps_latest(const struct ctl_runs *steps, size_t *ret_done)
{
	const struct ctl_run *open = NULL;

	*ret_done = 0;
	for (size_t i = 0; i < steps->n; i++) {
		const struct ctl_run *step = &steps->runs[i];

		*ret_done += step->run.state == ONCE_RUN_OK;
		if (step->run.state == ONCE_RUN_BEGUN)
			open = step;
		else if (step->run.state != ONCE_RUN_OK && !open)
			open = step;
	}
	return open ? open : steps->n > 0 ? &steps->runs[steps->n - 1] : NULL;
}
