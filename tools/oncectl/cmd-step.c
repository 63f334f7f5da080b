/* oncectl step FLOW STEP -- COMMAND: run a step of a script unless it is done. */
#include "tools/oncectl/ask.h"
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

/* The record's state; 0: there is none. *ret_code: not CTL_OK after a line. */
static enum once_run_state state_of(
	struct ctl *ctl, enum once_key_kind kind, const char *flow, const char *step, int *ret_code)
{
	const char *key = ctl_record_key(ctl, kind, flow, step, 0);
	const struct once_response *answer = key ? ctl_get(ctl, key) : NULL;
	enum once_run_state state = 0;
	struct once_run *run = NULL;

	*ret_code = answer ? CTL_OK : CLAIMED_OWN_FAULT;
	if (!answer || answer->op.n_kvs == 0)
		return 0;
	if (once_run_decode(&run, answer->op.kvs[0].value) == 0)
		state = run->state;
	else
		*ret_code = ctl_error(CLAIMED_OWN_FAULT, "%s: holds no record of a step", key);
	run = once_run_free(run);
	return state;
}

/* What was undone is not done, and a flow does nothing twice. */
static int check_not_undone(struct ctl *ctl, const char *flow, const char *step)
{
	int code;
	enum once_run_state undo = state_of(ctl, ONCE_KEY_UNDO, flow, step, &code);

	if (code == CTL_OK && undo)
		return ctl_error(CLAIMED_OWN_FAULT,
			"step %s %s: was undone; oncectl step --forget %s begins the flow anew",
			flow, step, flow);
	return code;
}

/* Whether there is something to undo: *ret_skip when the step was never completed. */
static int check_done(struct ctl *ctl, const char *flow, const char *step, bool *ret_skip)
{
	int code;
	enum once_run_state state = state_of(ctl, ONCE_KEY_STEP, flow, step, &code);

	*ret_skip = code == CTL_OK && state != ONCE_RUN_OK;
	if (code != CTL_OK || state == ONCE_RUN_OK)
		return code;
	if (state == ONCE_RUN_BEGUN)
		return ctl_error(CLAIMED_OWN_FAULT,
			"step %s %s: runs, or was begun and never ended, expected its end before "
			"it is undone",
			flow, step);
	(void)ctl_error(0, "step %s %s: %s, nothing to undo", flow, step,
		state ? once_run_state_name(state) : "was never begun");
	return CTL_OK;
}

static int run_step(
	struct ctl *ctl, const char *flow, const char *step, struct claimed_defaults defaults)
{
	bool undo = ctl_flag(ctl, "--undo") != NULL, skip = false;
	const char *what = undo ? "undo of step" : "step", *key;
	int code = undo ? check_done(ctl, flow, step, &skip) : check_not_undone(ctl, flow, step);

	if (code != CTL_OK || skip)
		return code;
	key = ctl_record_key(ctl, undo ? ONCE_KEY_UNDO : ONCE_KEY_STEP, flow, step, 0);
	if (!key)
		return CTL_USAGE;
	return claimed_run(ctl, key, ctl_printf(ctl, "%s %s %s", what, flow, step), defaults);
}

static int run(struct ctl *ctl)
{
	struct claimed_defaults defaults = {.on_interrupt = ONCE_INTERRUPT_RERUN,
		.rerun = 1 << ONCE_RUN_FAILED | 1 << ONCE_RUN_TIMEOUT | 1 << ONCE_RUN_INTERRUPTED |
			 1 << ONCE_RUN_LOST};
	const char *flow = ctl->words[0], *step = ctl->n_words > 1 ? ctl->words[1] : NULL;

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
	if (!ctl->command_argv)
		return ctl_error(
			CTL_USAGE, "step %s %s: expected -- COMMAND [ARGUMENT...]", flow, step);
	return run_step(ctl, flow, step, defaults);
}

static const struct ctl_flag flags[] = {
	CLAIMED_FLAGS,
	{"--undo", NULL, "COMMAND takes the step back: it runs once, if the step is done"},
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
