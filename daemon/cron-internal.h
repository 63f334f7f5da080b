/* What the two halves of a job with a schedule share: cron.c (what is due, and the life of a run) and
 * cron-left.c (what earlier terms left). */
#ifndef ONCED_CRON_INTERNAL_H
#define ONCED_CRON_INTERNAL_H

#include "daemon/cron.h"

enum { CRON_TRIM_EVERY = 10 /* records */ };

struct cron_left {
	struct cron_left *next;
	char key[ONCE_KEY_SIZE];
	int64_t mod_revision;
	struct once_run run;
};

/* cron.c */
void cron_set_timer(struct cron *c, int64_t ns);
int64_t cron_beat_ns(const struct cron *c);
struct once_term cron_term(const struct cron *c);
int cron_make_key(
	const struct cron *c, char out[ONCE_KEY_SIZE], enum once_key_kind kind, int64_t at_ms);
/* Does the next thing that is to be done, if nothing is under way. */
void cron_advance(struct cron *c);
void cron_run_name(const struct cron *c, int64_t at_ms, char out[ONCE_KEY_SIZE]);
/* Completes the order and starts it, or tries again after a beat. */
void cron_start_work(struct cron *c, struct work_order *order, int64_t at_ms);

/* cron-left.c */
/* Reads the job's records, then advances. */
void cron_list(struct cron *c);
/* One more record: the oldest are deleted now and then. */
void cron_recorded(struct cron *c);
void cron_push_left(
	struct cron *c, const char *key, int64_t mod_revision, const struct once_run *run);
void cron_pop_left(struct cron *c);
/* Decides the first one. probe: exit code of Probe=, -1: not asked yet. */
void cron_settle_left(struct cron *c, int probe);
void cron_on_probe(void *userdata, struct process *process);
/* Until an operator resumes it. */
void cron_pause_job(struct cron *c, const char *reason);

#endif
