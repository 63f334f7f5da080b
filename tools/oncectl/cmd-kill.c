/* oncectl kill: a run that is going on is to end.
 *
 * Happy path: find the record that is begun -> put the order, which names its id -> the leader's daemon
 * ends it; --wait sees the record change. An order that nobody can follow is refused: there is no
 * leader, or the command is run by oncectl itself. */
#include "tools/oncectl/ask.h"
#include "tools/oncectl/ledger.h"

#include <stdio.h>
#include <string.h>

static const int64_t WAIT_DEFAULT = 60 * ONCE_NSEC_PER_SEC;

static const struct ctl_run *begun_of(const struct ctl_runs *runs)
{
	for (size_t i = 0; i < runs->n; i++)
		if (runs->runs[i].run.state == ONCE_RUN_BEGUN)
			return &runs->runs[i];
	return NULL;
}

/* The run of that moment. */
static int find_exact(struct ctl *ctl, int64_t at_ms, struct ctl_run *ret)
{
	struct ctl_runs runs = {0};
	int code = ctl_runs_exact(ctl, ctl->words[0], at_ms, &runs);

	if (code != CTL_OK)
		return code;
	if (runs.n == 0)
		return ctl_error(CTL_ABSENT, "job %s has no record of %s", ctl->words[0],
			ctl_moment(ctl, at_ms));
	*ret = runs.runs[0];
	if (ret->run.state == ONCE_RUN_BEGUN)
		return CTL_OK;
	return ctl_error(CTL_ABSENT, "that run of %s does not run: %s", ctl->words[0],
		ctl_run_state_text(ctl, ret));
}

/* The latest that is going on, of a schedule or of a flow. */
static int find_latest(struct ctl *ctl, struct ctl_run *ret)
{
	struct ctl_runs runs = {0};
	const struct ctl_run *found;
	int code = ctl_runs_latest(ctl, ctl->words[0], 0, 100, &runs);

	found = code == CTL_OK ? begun_of(&runs) : NULL;
	if (code == CTL_OK && !found) {
		code = ctl_steps_read(ctl, ctl->words[0], &runs);
		found = code == CTL_OK ? begun_of(&runs) : NULL;
	}
	if (code != CTL_OK)
		return code;
	if (!found)
		return ctl_error(CTL_ABSENT, "job %s has no run that is going on", ctl->words[0]);
	*ret = *found;
	if (ret->run.token == 0)
		return ctl_error(CTL_FAILED,
			"%s is run by oncectl once or step on %s, expected a daemon's: end it "
			"there",
			ctl->words[0], ctl_text(ctl, once_str(ret->run.node)));
	return CTL_OK;
}

static int order(struct ctl *ctl, const struct ctl_run *run)
{
	struct once_kill order = {.at_ms = once_utc_now()};
	int64_t at_ms = run->key.at_ms ? run->key.at_ms : run->run.start_ms;
	char value[ONCE_CONTROL_SIZE];
	const char *key;
	int code = ctl_reason(ctl, order.reason);

	if (code != CTL_OK)
		return code;
	ctl_by(order.by);
	memcpy(order.run, run->run.id, sizeof(order.run));
	key = ctl_record_key(ctl, ONCE_KEY_KILL, ctl->words[0], NULL, at_ms);
	if (!key || once_kill_encode(value, &order) < 0)
		return ctl_error(CTL_FAILED, "the order cannot be written");
	return ctl_put(ctl, key, value, NULL, 0, NULL);
}

static int tell(struct ctl *ctl, const struct ctl_run *run)
{
	struct ctl_json json = {0};

	if (ctl->json)
		ctl_run_json(ctl, &json, run, false);
	else if (run->run.state == ONCE_RUN_BEGUN)
		printf("%s on %s is to end\n", ctl_run_name(ctl, run),
			ctl_text(ctl, once_str(run->run.node)));
	else
		printf("%s: %s\n", ctl_run_name(ctl, run), ctl_run_state_text(ctl, run));
	return CTL_OK;
}

static int run_kill(struct ctl *ctl)
{
	const char *timeout = ctl_flag(ctl, "--timeout");
	int64_t at_ms = 0, wait_ns = WAIT_DEFAULT;
	struct ctl_run run = {0}, ended;
	int code = ctl_run_words(ctl, &at_ms);

	if (code == CTL_OK && timeout)
		code = ctl_parse_duration("--timeout", timeout, ONCE_NSEC_PER_SEC,
			86400 * ONCE_NSEC_PER_SEC, &wait_ns);
	if (code == CTL_OK)
		code = at_ms ? find_exact(ctl, at_ms, &run) : find_latest(ctl, &run);
	if (code == CTL_OK)
		code = order(ctl, &run);
	if (code != CTL_OK || !ctl_flag(ctl, "--wait"))
		return code == CTL_OK ? tell(ctl, &run) : code;
	if (!ctl_run_await(ctl, &run, wait_ns, &ended))
		return ctl_error(CTL_FAILED,
			"%s still runs after %s: is there a leader? oncectl status",
			ctl_run_name(ctl, &run), ctl_age_text(ctl, wait_ns));
	return tell(ctl, &ended);
}

static const struct ctl_flag flags[] = {
	{"--reason", "TEXT", "for people"},
	{"--wait", NULL, "until it has ended"},
	{"--timeout", "TIME", "with --wait: not longer than that [1min]"},
	{NULL, NULL, NULL},
};

const struct ctl_command ctl_command_kill = {
	.name = "kill",
	.words = "JOB [TIME]",
	.min_words = 1,
	.max_words = 2,
	.summary = "end a run that is going on",
	.details = "Without TIME, the latest that is; a run may also be named JOB/TIME, as in "
		   "ONCED_RUN.\n"
		   "Its processes get SIGTERM, and SIGKILL after StopGrace=.\n",
	.flags = flags,
	.run = run_kill,
};
