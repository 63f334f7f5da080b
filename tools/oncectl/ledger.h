/* Reading what is recorded of jobs. */
#ifndef ONCECTL_LEDGER_H
#define ONCECTL_LEDGER_H

#include "tools/oncectl/ctl.h"

#include <once/control.h>
#include <once/ledger.h>

struct ctl_run {
	struct once_key key; /* job and moment; or id; or flow and step */
	int64_t create_revision, mod_revision;
	struct once_run run; /* state 0: the record cannot be read */
};

struct ctl_runs {
	struct ctl_run *runs;
	size_t n;
	bool more; /* there are older ones */
};

/* The latest records of a job, at most limit; before_ms: scheduled before that moment only, 0: all.
 */
int ctl_runs_latest(
	struct ctl *ctl, const char *job, int64_t before_ms, int64_t limit, struct ctl_runs *ret);
/* The first record of a job from that moment on, the one of that moment; none: n is 0. */
int ctl_runs_next(struct ctl *ctl, const char *job, int64_t from_ms, struct ctl_runs *ret);
int ctl_runs_exact(struct ctl *ctl, const char *job, int64_t at_ms, struct ctl_runs *ret);
/* Records of jobs without moments: the id of Type=once, the steps of a flow, by that name. */
int ctl_steps_read(struct ctl *ctl, const char *name, struct ctl_runs *ret);
/* The one that tells most: that runs, or else the first that is not done, or else the last; NULL: none.
 * *ret_done: how many are done. */
const struct ctl_run *ctl_steps_latest(const struct ctl_runs *steps, size_t *ret_done);
/* Waits until a begun run has ended; false: not within that time. */
bool ctl_run_await(
	struct ctl *ctl, const struct ctl_run *begun, int64_t timeout_ns, struct ctl_run *ret);
/* The words JOB [TIME], or JOB/TIME as in ONCED_RUN, which become two. *ret_at_ms: 0 without TIME. */
int ctl_run_words(struct ctl *ctl, int64_t *ret_at_ms);
/* One key-value as a record; false: it is none of ours. */
bool ctl_run_read(struct ctl *ctl, const struct once_kv *kv, struct ctl_run *ret);

/* What is known of a job beside its runs. */
struct ctl_job {
	const char *name;
	bool known; /* there is a cursor or a run */
	bool has_cursor, paused, all_paused, pause_unreadable;
	struct once_cursor cursor;
	struct once_pause pause;    /* of the job, or of all */
	size_t triggers;	    /* that nobody has taken up yet */
	const struct ctl_run *last; /* NULL: none */
};
int ctl_job_read(struct ctl *ctl, const char *name, struct ctl_job *ret);
int ctl_jobs_read(struct ctl *ctl, struct ctl_job **ret, size_t *ret_n);

/* In words. */
const char *ctl_run_name(struct ctl *ctl, const struct ctl_run *run);	    /* "backup 2026-..." */
const char *ctl_run_state_text(struct ctl *ctl, const struct ctl_run *run); /* "failed (exit 3)" */
const char *ctl_run_reason_text(const struct once_run *run);		/* "" when there is none */
const char *ctl_result_text(struct ctl *ctl, const struct once_run *run); /* the beginning of it */
const char *ctl_pause_text(struct ctl *ctl, const struct ctl_job *job); /* NULL: not paused */
const char *ctl_moment(struct ctl *ctl, int64_t ms);			/* NULL for 0 */
void ctl_jobs_print(struct ctl *ctl, const struct ctl_job *jobs, size_t n);
void ctl_jobs_json(struct ctl *ctl, struct ctl_json *json, const char *key,
	const struct ctl_job *jobs, size_t n);
void ctl_run_json(struct ctl *ctl, struct ctl_json *json, const struct ctl_run *run, bool output);

#endif
