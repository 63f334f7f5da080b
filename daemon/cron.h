/* One job of Type=cron: decides each instant of its schedule once, runs what is to run. */
#ifndef ONCED_CRON_H
#define ONCED_CRON_H

#include "daemon/calendar.h"
#include "daemon/control.h"
#include "daemon/work.h"

/* A record that was begun and has no end: OnInterrupt= decides it. */
struct cron_left;

struct cron {
	const struct scene *scene;	    /* borrowed */
	const struct config_job *job;	    /* borrowed */
	struct control *control;	    /* borrowed */
	struct calendar *calendar;	    /* owned */
	char schedule[ONCE_REASON_MAX + 1]; /* as the cursor names it */
	int64_t jitter_ns;
	struct work work;
	struct process probe;
	char probe_name[ONCE_KEY_SIZE]; /* what it asks about */
	struct once_timer *timer;
	struct once_task *task; /* a record of the schedule that is being written */
	struct once_task *list; /* the job's records are being read */
	struct once_task *trim; /* and their oldest deleted */
	struct cron_left *left; /* owned */
	bool listed;		/* the records have been read in this term */
	bool has_cursor;
	bool leading, stopping;
	int64_t cursor_s,
		next_cursor_s; /* decided up to; and with the record that is being written */
	int64_t since_ns;      /* of the time of day when the term began */
	int64_t failures;      /* in a row */
	unsigned untrimmed;    /* records since the last trim */
	struct {
		char reason[ONCE_WORD_MAX + 1];
		int64_t at_ms, until_ms, count;
	} skipping; /* what the record on its way says */
	const struct control_trigger *trigger; /* the one the present work is for */
	bool triggered;
	char trigger_key[ONCE_KEY_SIZE];
};

int cron_init(struct cron *cron, const struct scene *scene, const struct config_job *job,
	struct control *control);
void cron_fini(struct cron *cron);

void cron_lead(struct cron *cron);
/* What operators ask has changed. */
void cron_changed(struct cron *cron);
/* The term ends, or the job is dropped. True: something of it lives yet; scene->changed() will
 * follow. */
bool cron_stop(struct cron *cron, int64_t grace_ns);
bool cron_alive(const struct cron *cron);
void cron_kill(struct cron *cron, int64_t at_ms, const struct once_kill *kill);
/* True: the packet was about a run of this job. */
bool cron_packet(struct cron *cron, uint64_t run, const void *packet, uint32_t type);

#endif
