/* One run in the ledger: recorded, launched, recorded again; and so on for each attempt.
 *
 *	BEGINNING  the record is on its way		   -> acknowledged: RUNNING
 *	RUNNING	   the command waits for time, or runs	   -> its tree is empty: ENDING, or RETRYING
 *	RETRYING   the failed attempt is on its way	   -> acknowledged: PAUSED
 *	PAUSED	   RetryDelay=				   -> over: BEGINNING, for the next attempt
 *	ENDING	   the end is on its way		   -> acknowledged: over
 *
 * A record of a failed attempt whose next one waits is "begun" with an exit code in it, so that a
 * successor knows that nothing of it lives and goes on with the retries. Nothing is launched before
 * its begin is acknowledged. Records that are not acknowledged are sent again as long as the term
 * lasts. */
#ifndef ONCED_WORK_H
#define ONCED_WORK_H

#include "daemon/process.h"

#include <once/ledger.h>

enum work_state {
	WORK_IDLE,
	WORK_BEGINNING,
	WORK_RUNNING,
	WORK_RETRYING,
	WORK_PAUSED,
	WORK_ENDING,
};

enum work_event {
	WORK_BEGAN, /* its first begin is acknowledged; the others are the end of it: */
	WORK_ENDED, /* recorded in work->run */
	WORK_LEFT,  /* cut off, and begun: for whoever leads next, or for the owner if the term goes
		       on */
	WORK_EXISTS, /* nothing began: there is a record already, or another has decided this one */
	WORK_WITHDRAWN, /* nothing began: the trigger is gone */
	WORK_FENCED,	/* nothing began: the term is over */
};

struct work;
typedef void work_fn(void *userdata, struct work *work, enum work_event event);

/* All borrowed by the start, but argv, which must stay until it is over. */
struct work_order {
	const char *key; /* of the record */
	const char
		*name; /* of the run, for the command and the log: "backup/2026-11-22T18:30:00Z" */
	int64_t scheduled_ms; /* 0: none */
	const char *cause;
	char *const *argv;
	size_t argc;
	const char *hash;				/* NULL: none */
	const char *detail;				/* for the record; NULL: none */
	const char *variables[LAUNCH_VARIABLES_MAX][2]; /* must stay as well */
	size_t n_variables;
	const char *cursor_key, *cursor_value, *trigger_key; /* as in struct once_begin */
	/* A record that is to be taken up again, as its next attempt; NULL: a new one. */
	const struct once_run *former;
	int64_t mod_revision;
};

struct work {
	const struct scene *scene;    /* borrowed */
	const struct config_job *job; /* borrowed */
	work_fn *fn;
	void *userdata;
	struct process process;
	struct once_timer *timer;
	struct once_task *task;
	enum work_state state;
	char key[ONCE_KEY_SIZE], name[ONCE_KEY_SIZE], scheduled[ONCE_UTC_SIZE];
	char cursor_key[ONCE_KEY_SIZE], trigger_key[ONCE_KEY_SIZE]; /* "": none */
	char *cursor_value;					    /* owned */
	char *result; /* owned; what it handed back */
	size_t result_size;
	struct once_run run; /* the record as it is, or as it is being written */
	int64_t mod_revision;
	bool taken_up; /* the record is there: change it instead of making it */
	bool began;    /* WORK_BEGAN was told */
	bool stopping; /* the term ends */
	bool timed_out;
	int64_t retry_delay_ns;
	const char *forced; /* why it is ended by us: "killed", "replaced"; NULL: it is not */
	char forced_by[ONCE_DETAIL_MAX + 1];
	struct launch launch;
};

int work_init(struct work *w, const struct scene *scene, const struct config_job *job, work_fn *fn,
	void *userdata);
void work_fini(struct work *w);

/* -EINVAL, -ENOMEM: the end will not come. */
int work_start(struct work *w, const struct work_order *order);

/* The term ends: stop within grace (0: at once). True: the end will come, at most two request
 * timeouts after its last process is dead. */
bool work_stop(struct work *w, int64_t grace_ns);

/* End the run, for this reason; detail for people, NULL: none. No effect when its end is under way.
 */
void work_force(struct work *w, const char *reason, const char *detail);

/* Packets of the guardian about w->process.launch.run. */
void work_packet(struct work *w, const void *packet, uint32_t type);

static inline bool work_busy(const struct work *w)
{
	return w->state != WORK_IDLE;
}

#endif
