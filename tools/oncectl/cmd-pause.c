/* oncectl pause and resume: nothing new is started; what runs goes on. */
#include "tools/oncectl/ask.h"
#include "tools/oncectl/ledger.h"

#include <stdio.h>

static const char *pause_key(struct ctl *ctl)
{
	if (ctl->n_words == 0)
		return ctl_record_key(ctl, ONCE_KEY_PAUSE, NULL, NULL, 0);
	return ctl_record_key(ctl, ONCE_KEY_JOB_PAUSE, ctl->words[0], NULL, 0);
}

static const char *what(struct ctl *ctl)
{
	return ctl->n_words == 0 ? "every job" : ctl_printf(ctl, "job %s", ctl->words[0]);
}

static int read_until(struct ctl *ctl, struct once_pause *pause)
{
	const char *until = ctl_flag(ctl, "--until"), *span = ctl_flag(ctl, "--for");
	int64_t ns = 0;
	int code = CTL_OK;

	if (until && span)
		return ctl_error(CTL_USAGE, "--until and --for: expected one of them");
	if (until) {
		code = ctl_parse_time("--until", until, &ns);
		pause->until_ms = ns / ONCE_NSEC_PER_MSEC;
	} else if (span) {
		code = ctl_parse_duration(
			"--for", span, ONCE_NSEC_PER_SEC, 366 * 86400 * ONCE_NSEC_PER_SEC, &ns);
		pause->until_ms = pause->since_ms + ns / ONCE_NSEC_PER_MSEC;
	}
	if (code == CTL_OK && pause->until_ms != 0 && pause->until_ms <= pause->since_ms)
		return ctl_error(
			CTL_USAGE, "--until: %s has passed", ctl_moment(ctl, pause->until_ms));
	return code;
}

static void json_paused(struct ctl *ctl, const struct once_pause *pause)
{
	struct ctl_json json = {0};

	ctl_json_object(&json, NULL);
	ctl_json_text(&json, "job", ctl->words[0]);
	ctl_json_bool(&json, "paused", true);
	ctl_json_text(&json, "until", ctl_moment(ctl, pause->until_ms));
	ctl_json_text(&json, "by", pause->by);
	ctl_json_text(&json, "reason", pause->reason[0] ? pause->reason : NULL);
	ctl_json_end_object(&json);
}

static void tell_resumed(struct ctl *ctl, bool was_paused)
{
	struct ctl_json json = {0};

	if (!ctl->json) {
		printf("%s %s\n", what(ctl), was_paused ? "goes on" : "was not paused");
		return;
	}
	ctl_json_object(&json, NULL);
	ctl_json_text(&json, "job", ctl->words[0]);
	ctl_json_bool(&json, "was_paused", was_paused);
	ctl_json_end_object(&json);
}

static int tell_paused(struct ctl *ctl, const struct once_pause *pause)
{
	struct ctl_job job = {.known = true};
	int code = ctl->n_words > 0 ? ctl_job_read(ctl, ctl->words[0], &job) : CTL_OK;

	if (code != CTL_OK)
		return code;
	if (ctl->json) {
		json_paused(ctl, pause);
		return CTL_OK;
	}
	printf("%s is paused%s%s; what runs goes on\n", what(ctl), pause->until_ms ? " until " : "",
		pause->until_ms ? ctl_moment(ctl, pause->until_ms) : "");
	if (!job.known)
		printf("(etcd knows of no job of this name yet)\n");
	return CTL_OK;
}

static int run_pause(struct ctl *ctl)
{
	struct once_pause pause = {.since_ms = once_utc_now()};
	char value[ONCE_CONTROL_SIZE];
	const char *key;
	int code = ctl->n_words > 0 ? ctl_check_name("job", ctl->words[0]) : CTL_OK;

	if (code == CTL_OK)
		code = ctl_reason(ctl, pause.reason);
	if (code == CTL_OK)
		code = read_until(ctl, &pause);
	if (code != CTL_OK)
		return code;
	ctl_by(pause.by);
	key = pause_key(ctl);
	if (!key || once_pause_encode(value, &pause) < 0)
		return ctl_error(CTL_FAILED, "the pause cannot be written");
	code = ctl_put(ctl, key, value, NULL, 0, NULL);
	return code == CTL_OK ? tell_paused(ctl, &pause) : code;
}

static int run_resume(struct ctl *ctl)
{
	int code = ctl->n_words > 0 ? ctl_check_name("job", ctl->words[0]) : CTL_OK;
	const char *key = code == CTL_OK ? pause_key(ctl) : NULL;
	struct ctl_job job = {0};
	bool deleted = false;

	if (code == CTL_OK)
		code = key ? ctl_delete(ctl, key, &deleted) : CTL_USAGE;
	if (code == CTL_OK && ctl->n_words > 0)
		code = ctl_job_read(ctl, ctl->words[0], &job);
	if (code != CTL_OK)
		return code;
	if (job.paused)
		return ctl_error(CTL_FAILED, "job %s: %s; oncectl resume without a name ends that",
			ctl->words[0], ctl_pause_text(ctl, &job));
	tell_resumed(ctl, deleted);
	return CTL_OK;
}

static const struct ctl_flag pause_flags[] = {
	{"--until", "TIME", "it ends by itself then [by oncectl resume]"},
	{"--for", "TIME", "it ends by itself after so long"},
	{"--reason", "TEXT", "for people"},
	{NULL, NULL, NULL},
};

const struct ctl_command ctl_command_pause = {
	.name = "pause",
	.words = "[JOB]",
	.max_words = 1,
	.summary = "start no more runs, of one job or of all",
	.details = "What runs goes on. The moments that pass meanwhile are recorded as skipped.\n",
	.flags = pause_flags,
	.run = run_pause,
};

const struct ctl_command ctl_command_resume = {
	.name = "resume",
	.words = "[JOB]",
	.max_words = 1,
	.summary = "end a pause, of one job or of all",
	.run = run_resume,
};
