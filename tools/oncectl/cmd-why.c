/* oncectl why: what became of a job's moment. There is always an answer.
 *
 * A record says it all. Without one: the moment is still to come, nothing decides it now (no
 * leader, a pause), a skipped record stands for it together with others, or it was none of the
 * schedule's or its record has left the history. A job without moments is told by its steps. */
#include "tools/oncectl/cluster.h"
#include "tools/oncectl/ledger.h"

#include <stdio.h>
#include <string.h>

struct answer {
	const struct ctl_run *run; /* the record that tells; NULL: none does */
	const char *text;	   /* one line */
	const char *more;	   /* another; NULL: none */
};

static const char *record_text(struct ctl *ctl, const struct ctl_run *r)
{
	const struct once_run *run = &r->run;
	const char *reason = ctl_text(ctl, once_str(ctl_run_reason_text(run)));
	const char *on =
		run->node[0] ? ctl_printf(ctl, " on %s", ctl_text(ctl, once_str(run->node))) : "";
	const char *start = ctl_moment(ctl, run->start_ms), *end = ctl_moment(ctl, run->end_ms);
	const char *colon = *reason ? ": " : "";

	switch (run->state) {
	case ONCE_RUN_BEGUN:
		return ctl_printf(ctl, "it runs%s since %s, attempt %u%s%s", on,
			start ? start : "?", run->attempt, colon, reason);
	case ONCE_RUN_OK:
		return ctl_printf(ctl, "it ran%s and ended well at %s%s%s", on, end ? end : "?",
			colon, reason);
	case ONCE_RUN_FAILED:
	case ONCE_RUN_TIMEOUT:
		return ctl_printf(ctl, "it ran%s and ended at %s: %s%s%s", on, end ? end : "?",
			ctl_run_state_text(ctl, r), colon, reason);
	case ONCE_RUN_INTERRUPTED:
		return ctl_printf(ctl, "it was begun%s and interrupted%s%s", on, colon, reason);
	case ONCE_RUN_SKIPPED:
		return ctl_printf(ctl, "it did not run%s%s", colon, reason);
	case ONCE_RUN_LOST:
		return ctl_printf(ctl, "it was begun%s, and nobody can say what it did%s%s", on,
			colon, reason);
	}
	return "there is a record, but it cannot be read: of a later version, or damaged";
}

static void by_record(struct ctl *ctl, const struct ctl_run *run, struct answer *ret)
{
	ret->run = run;
	ret->text = record_text(ctl, run);
	if (run->run.detail[0])
		ret->more = ctl_text(ctl, once_str(run->run.detail));
}

/* Nothing in the records: the present tells. */
static int by_state(struct ctl *ctl, const struct ctl_job *job, int64_t at_ms,
	const struct ctl_run *before, const struct ctl_run *after, struct answer *ret)
{
	const struct once_cursor *cursor = &job->cursor;
	const char *pause = ctl_pause_text(ctl, job);
	struct ctl_cluster cluster;
	struct ctl_group *group;
	int code;

	if (job->has_cursor && cursor->decided_ms >= at_ms) {
		ret->text = ctl_printf(ctl,
			"no record: no moment of the schedule%s%s, or its record has left the "
			"history",
			cursor->schedule[0] ? " " : "", ctl_text(ctl, once_str(cursor->schedule)));
		if (before || after)
			ret->more = ctl_printf(ctl, "records near it: %s%s%s",
				before ? ctl_moment(ctl, before->key.at_ms) : "",
				before && after ? ", " : "",
				after ? ctl_moment(ctl, after->key.at_ms) : "");
		return CTL_OK;
	}
	code = ctl_cluster_read(ctl, false, &cluster);
	if (code != CTL_OK)
		return code;
	group = ctl_cluster_group(ctl, &cluster);
	if (job->has_cursor && cursor->next_ms > 0)
		ret->more =
			ctl_printf(ctl, "the next moment is %s", ctl_moment(ctl, cursor->next_ms));
	if (!group || group->token == 0)
		ret->text = ctl_printf(ctl, "not decided: group %s has no leader now", ctl->group);
	else if (job->known && pause)
		ret->text = ctl_printf(ctl, "not decided: %s", pause);
	else if (job->known && at_ms > once_utc_now())
		ret->text = "it is still to come, if the schedule has it";
	else if (!job->known)
		ret->text = ctl_printf(ctl,
			"nothing is known of a job %s: not configured on a node that led, of "
			"another "
			"group (--group) or prefix, recorded under another Id=, or a service, "
			"which "
			"has no records",
			job->name);
	else
		ret->text = "not decided yet, or no moment of its schedule";
	return CTL_OK;
}

/* A job of another type, by its records. */
static int by_steps(struct ctl *ctl, const char *name, struct answer *ret)
{
	struct ctl_runs steps = {0};
	const struct ctl_run *tells;
	size_t done;
	int code = ctl_steps_read(ctl, name, &steps);

	tells = code == CTL_OK ? ctl_steps_latest(&steps, &done) : NULL;
	if (!tells)
		return code;
	by_record(ctl, tells, ret);
	if (!tells->key.sub[0])
		return CTL_OK;
	ret->more = ctl_printf(ctl, "%zu of %zu recorded steps are done%s%s", done, steps.n,
		ret->more ? "; " : "", ret->more ? ret->more : "");
	return CTL_OK;
}

static bool stands_for(const struct ctl_run *run, int64_t at_ms)
{
	return run->run.state == ONCE_RUN_SKIPPED && run->run.until_ms >= at_ms;
}

static int find(struct ctl *ctl, const struct ctl_job *job, int64_t at_ms, struct answer *ret)
{
	struct ctl_runs exact = {0}, before = {0}, after = {0};
	int code = ctl_runs_exact(ctl, job->name, at_ms, &exact);

	if (code == CTL_OK && exact.n > 0) {
		by_record(ctl, &exact.runs[0], ret);
		return CTL_OK;
	}
	if (code == CTL_OK)
		code = ctl_runs_latest(ctl, job->name, at_ms, 1, &before);
	if (code == CTL_OK)
		code = ctl_runs_next(ctl, job->name, at_ms, &after);
	if (code != CTL_OK)
		return code;
	if (before.n > 0 && stands_for(&before.runs[0], at_ms)) {
		by_record(ctl, &before.runs[0], ret);
		return CTL_OK;
	}
	return by_state(ctl, job, at_ms, before.n > 0 ? &before.runs[0] : NULL,
		after.n > 0 ? &after.runs[0] : NULL, ret);
}

static void print(struct ctl *ctl, int64_t at_ms, const struct answer *answer)
{
	struct ctl_json json = {0};

	if (!ctl->json) {
		const char *moment = ctl_moment(ctl, at_ms);

		printf("%s: %s\n",
			moment || !answer->run ? ctl_printf(ctl, "%s %s", ctl->words[0], moment)
					       : ctl_run_name(ctl, answer->run),
			answer->text);
		if (answer->more)
			printf("%s\n", answer->more);
		return;
	}
	ctl_json_object(&json, NULL);
	ctl_json_text(&json, "job", ctl->words[0]);
	ctl_json_text(&json, "moment", ctl_moment(ctl, at_ms));
	ctl_json_text(&json, "answer", answer->text);
	ctl_json_text(&json, "more", answer->more);
	ctl_json_array(&json, "record");
	if (answer->run)
		ctl_run_json(ctl, &json, answer->run, false);
	ctl_json_end_array(&json);
	ctl_json_end_object(&json);
}

static int run(struct ctl *ctl)
{
	struct answer answer = {0};
	struct ctl_job job;
	int64_t at_ms = 0;
	int code = ctl_run_words(ctl, &at_ms);

	if (code == CTL_OK)
		code = ctl_job_read(ctl, ctl->words[0], &job);
	if (code == CTL_OK && !job.known)
		code = by_steps(ctl, ctl->words[0], &answer);
	if (code != CTL_OK)
		return code;
	if (answer.run) {
		at_ms = 0;
	} else if (at_ms == 0 && job.last) {
		at_ms = job.last->key.at_ms;
		by_record(ctl, job.last, &answer);
	} else {
		at_ms = at_ms ? at_ms : once_utc_now();
		code = find(ctl, &job, at_ms, &answer);
	}
	if (code == CTL_OK)
		print(ctl, at_ms, &answer);
	return code;
}

const struct ctl_command ctl_command_why = {
	.name = "why",
	.words = "JOB [TIME]",
	.min_words = 1,
	.max_words = 2,
	.summary = "what became of a job's moment, and why",
	.details = "Without TIME, of the latest that has a record; JOB/TIME is understood as well. "
		   "Of a\n"
		   "job that is no schedule's: the step that it stands at.\n",
	.run = run,
};
