/* oncectl trigger: one run more.
 *
 * A trigger is a key of its own, which the leader's begin of the run deletes in the same txn; so
 * the revision at which it goes is that at which the run's record came, and --wait finds it by
 * that. */
#include "tools/oncectl/ask.h"
#include "tools/oncectl/ledger.h"

#include <stdio.h>
#include <string.h>

static const int64_t TAKE_UP = 60 * ONCE_NSEC_PER_SEC;

static bool is_taken_up(void *userdata, const struct once_event *event)
{
	*(int64_t *)userdata = event->kv.mod_revision;
	return event->kind == ONCE_EVENT_DELETE;
}

static int tell(struct ctl *ctl, const struct ctl_run *run)
{
	struct ctl_json json = {0};

	if (ctl->json)
		ctl_run_json(ctl, &json, run, true);
	else
		printf("%s %s: %s\n", run->key.name, ctl_moment(ctl, run->key.at_ms),
			ctl_run_state_text(ctl, run));
	return run->run.state == ONCE_RUN_OK ? CTL_OK : CTL_FAILED;
}

static int nobody(struct ctl *ctl, const char *trigger, int64_t waited_ns)
{
	bool deleted = false;
	int code = ctl_delete(ctl, trigger, &deleted);

	if (code != CTL_OK)
		return code;
	return ctl_error(CTL_FAILED,
		deleted ? "nobody took it up within %s, so it is taken back: is there a leader, "
			  "and "
			  "does it have a job %s?"
			: "what became of it was not seen within %s; see oncectl runs %s",
		ctl_age_text(ctl, waited_ns), ctl->words[0]);
}

/* The run whose record was made when the trigger went. */
static int find_begun(struct ctl *ctl, int64_t revision, struct ctl_run *ret)
{
	char first[ONCE_KEY_SIZE], end[ONCE_KEY_SIZE];
	struct once_op op = {.kind = ONCE_OP_RANGE,
		.min_create_revision = revision,
		.max_create_revision = revision};
	const struct once_response *r;

	(void)once_key_prefix(first, ctl->config.prefix, ONCE_KEY_RUN, ctl->words[0]);
	op.key = once_str(first);
	op.range_end = (struct once_bytes){end, once_prefix_end(op.key, end)};
	r = ctl_op(ctl, &op);
	if (!r)
		return CTL_UNREACHABLE;
	if (r->op.n_kvs == 1 && ctl_run_read(ctl, &r->op.kvs[0], ret))
		return CTL_OK;
	return ctl_error(
		CTL_FAILED, "it was refused, or taken back; see oncectl why %s", ctl->words[0]);
}

static int await(struct ctl *ctl, const char *trigger, int64_t revision, int64_t timeout_ns)
{
	int64_t take_up = timeout_ns < TAKE_UP ? timeout_ns : TAKE_UP, gone = 0;
	struct ctl_run run = {0}, ended;
	bool taken = ctl_await(ctl, trigger, revision, take_up, is_taken_up, &gone);
	int code;

	ctl_round_time(ctl);
	if (!taken)
		return nobody(ctl, trigger, take_up);
	code = find_begun(ctl, gone, &run);
	if (code != CTL_OK || run.run.state != ONCE_RUN_BEGUN)
		return code == CTL_OK ? tell(ctl, &run) : code;
	if (!ctl_run_await(ctl, &run, timeout_ns, &ended))
		return ctl_error(CTL_FAILED, "it still runs after %s: oncectl runs %s",
			ctl_age_text(ctl, timeout_ns), ctl->words[0]);
	return tell(ctl, &ended);
}

static int read_flags(struct ctl *ctl, struct once_trigger *trigger, int64_t *ret_timeout)
{
	const char *moment = ctl_flag(ctl, "--moment"), *timeout = ctl_flag(ctl, "--timeout");
	int64_t ns = 0;
	int code = ctl_check_name("job", ctl->words[0]);

	*ret_timeout = 3600 * ONCE_NSEC_PER_SEC;
	if (code == CTL_OK)
		code = ctl_reason(ctl, trigger->reason);
	if (code == CTL_OK && moment) {
		code = ctl_parse_time("--moment", moment, &ns);
		trigger->scheduled_ms = ns / ONCE_NSEC_PER_MSEC;
	}
	if (code == CTL_OK && timeout)
		code = ctl_parse_duration("--timeout", timeout, ONCE_NSEC_PER_SEC,
			7 * 86400 * ONCE_NSEC_PER_SEC, ret_timeout);
	return code;
}

/* Asked for a job that nobody may have, it waits in etcd for one. */
static int tell_asked(struct ctl *ctl, const char *id)
{
	struct ctl_json json = {0};
	struct ctl_runs steps = {0};
	struct ctl_job job;
	int code = ctl_job_read(ctl, ctl->words[0], &job);

	if (code == CTL_OK && !job.known)
		code = ctl_steps_read(ctl, ctl->words[0], &steps);
	if (code != CTL_OK)
		return code;
	if (ctl->json) {
		ctl_json_object(&json, NULL);
		ctl_json_text(&json, "job", ctl->words[0]);
		ctl_json_text(&json, "trigger", id);
		ctl_json_bool(&json, "known", job.known || steps.n > 0);
		ctl_json_end_object(&json);
		return CTL_OK;
	}
	printf("a run of %s is asked for\n", ctl->words[0]);
	if (!job.known && steps.n == 0)
		printf("(etcd knows of no job of this name yet; it runs when a leader has one)\n");
	return CTL_OK;
}

static int run_trigger(struct ctl *ctl)
{
	struct once_trigger trigger = {.at_ms = once_utc_now()};
	char id[ONCE_RUN_ID_SIZE], value[ONCE_CONTROL_SIZE];
	int64_t timeout_ns, revision = 0;
	const char *key;
	int code = read_flags(ctl, &trigger, &timeout_ns);

	if (code != CTL_OK)
		return code;
	ctl_by(trigger.by);
	if (once_run_id_new(id) < 0 || once_trigger_encode(value, &trigger) < 0)
		return ctl_error(CTL_FAILED, "the trigger cannot be written");
	key = ctl_record_key(ctl, ONCE_KEY_TRIGGER, ctl->words[0], id, 0);
	if (!key)
		return CTL_USAGE;
	/* Once: the leader may have taken it up before a second copy comes. */
	code = ctl_put_once(ctl, key, value, &revision);
	if (code != CTL_OK)
		return code;
	if (ctl_flag(ctl, "--wait"))
		return await(ctl, key, revision, timeout_ns);
	return tell_asked(ctl, id);
}

static const struct ctl_flag trigger_flags[] = {
	{"--moment", "TIME", "run for that moment, if it has no record yet"},
	{"--reason", "TEXT", "for people"},
	{"--wait", NULL, "until it has ended; exit code 1 unless it ended well"},
	{"--timeout", "TIME", "with --wait: not longer than that [1h]"},
	{NULL, NULL, NULL},
};

const struct ctl_command ctl_command_trigger = {
	.name = "trigger",
	.words = "JOB",
	.min_words = 1,
	.max_words = 1,
	.summary = "run a job now",
	.flags = trigger_flags,
	.run = run_trigger,
};
