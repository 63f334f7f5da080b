/* oncectl step FLOW STEP -- COMMAND: run a step of a script unless it is done. */
#include "tools/oncectl/claimed.h"

#include <errno.h>
#include <once/flow.h>

struct forgotten {
	bool done;
	int code;
};

static void on_forgotten(void *userdata, int result, const char *hash, const char *message)
{
	struct forgotten *f = userdata;

	(void)hash;
	f->done = true;
	if (result < 0)
		f->code = ctl_error(CTL_UNREACHABLE, "etcd: %s", message);
	else if (result != ONCE_LEDGER_DONE)
		f->code = ctl_error(CTL_FAILED, "%s; --force forgets it all the same", message);
}

static int forget(struct ctl *ctl, const char *flow)
{
	struct once_records *records = claimed_records(ctl);
	struct forgotten f = {0};
	int r = records ? once_flow_forget(records, NULL, flow, ctl_flag(ctl, "--force") != NULL,
				  on_forgotten, &f)
			: 0;

	if (!records || r < 0)
		return ctl_error(CTL_FAILED, "%s", once_strerror(r < 0 ? r : -ENOMEM));
	(void)ctl_wait(ctl, &f.done, 2 * ctl->timeout_ns + 10 * ONCE_NSEC_PER_SEC);
	if (!f.done)
		f.code = ctl_error(CTL_UNREACHABLE, "etcd: no answer in time");
	records = once_records_free(records);
	return f.code;
}

static int run(struct ctl *ctl)
{
	struct claimed_defaults defaults = {.on_interrupt = ONCE_INTERRUPT_RERUN,
		.rerun = 1 << ONCE_RUN_FAILED | 1 << ONCE_RUN_TIMEOUT | 1 << ONCE_RUN_INTERRUPTED |
			 1 << ONCE_RUN_LOST};
	const char *flow = ctl->words[0], *step = ctl->n_words > 1 ? ctl->words[1] : NULL;
	char key[ONCE_KEY_SIZE];

	if (!once_id_valid(flow))
		return ctl_error(
			CTL_USAGE, "flow: bad name \"%s\", expected %s", flow, ONCE_ID_RULE);
	if (ctl_flag(ctl, "--forget"))
		return step ? ctl_error(CTL_USAGE, "--forget: expected the flow alone")
			    : forget(ctl, flow);
	if (!step)
		return ctl_error(CTL_USAGE, "step: expected FLOW STEP -- COMMAND [ARGUMENT...]");
	if (!once_id_valid(step))
		return ctl_error(
			CTL_USAGE, "step: bad name \"%s\", expected %s", step, ONCE_ID_RULE);
	if (once_key_make(key, ctl->config.prefix, ONCE_KEY_STEP, flow, step, 0) < 0)
		return ctl_error(CTL_USAGE, "prefix: expected %s", ONCE_PREFIX_RULE);
	return claimed_run(ctl, key, ctl_printf(ctl, "step %s %s", flow, step), defaults);
}

static const struct ctl_flag flags[] = {
	CLAIMED_FLAGS,
	{"--forget", NULL, "forget the flow and all its steps, to run it anew"},
	{"--force", NULL, "with --forget: also when a step is running"},
	{NULL},
};

const struct ctl_command ctl_command_step = {
	.name = "step",
	.words = "FLOW STEP",
	.min_words = 1,
	.max_words = 2,
	.takes_command = true,
	.summary = "run a step of a script, or print what it printed when it is done",
	.details = "A step that is done is not run again: its output is printed. One that failed "
		   "or was\n"
		   "interrupted is run again. A done step whose command has changed is refused. "
		   "125: oncectl\n"
		   "itself failed.\n",
	.flags = flags,
	.run = run,
};
