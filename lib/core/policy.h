/* Run policy: what becomes of an instant that is due, of a run that failed, of one that was cut
 * off. Pure: the caller brings the clock, the schedule and the records, and does what is decided.
 *
 * Happy path of a job with a schedule: policy_due() says WAIT until the next instant; at that time
 * it says RUN; the caller records the begin, which moves the cursor to the instant, and asks again.
 * An instant that does not run is a SKIP with its reason, recorded in the same way, so that each
 * instant is decided once. After an outage only the last POLICY_SKIPS_MAX instants are decided one
 * by one; those before them are skipped together (COLLAPSE). */
#ifndef ONCE_CORE_POLICY_H
#define ONCE_CORE_POLICY_H

#include <stdbool.h>
#include <stdint.h>

enum { POLICY_SKIPS_MAX = 100, POLICY_CODE_MAX = 255 };

/* An instant that became due while the run before it lives: */
enum policy_overlap {
	POLICY_OVERLAP_SKIP,	/* does not run */
	POLICY_OVERLAP_QUEUE,	/* waits for its end */
	POLICY_OVERLAP_REPLACE, /* ends it */
};

/* Instants that became due while nobody could run them: */
enum policy_missed {
	POLICY_MISSED_LATEST, /* the latest runs */
	POLICY_MISSED_SKIP,   /* none runs */
	POLICY_MISSED_ALL,    /* each runs, one after the other */
};

/* A run that began and of whose end nothing is known: */
enum policy_interrupt {
	POLICY_INTERRUPT_SKIP,	/* is over */
	POLICY_INTERRUPT_RERUN, /* runs again, as its next attempt */
	POLICY_INTERRUPT_PROBE, /* a command finds out */
	POLICY_INTERRUPT_HOLD,	/* waits for a person, and with it its job */
};

/* ---- instants -------------------------------------------------------------------------------- */

/* Instants are seconds since 1970. */
struct policy_schedule {
	/* The first one after after_s; INT64_MAX: none will come. */
	int64_t (*next)(const void *data, int64_t after_s);
	/* How many are after after_s and not after until_s. */
	uint64_t (*count)(const void *data, int64_t after_s, int64_t until_s);
	const void *data;
};

struct policy_due {
	struct policy_schedule schedule;
	int64_t cursor_s;  /* the latest instant that is decided */
	int64_t now_ns;	   /* since 1970 */
	int64_t since_ns;  /* this leader may run work since then: what was due before is missed */
	int64_t jitter_ns; /* an instant is due that much later; stable for the job */
	int64_t deadline_ns; /* how late a start may be; 0: any */
	enum policy_overlap overlap;
	enum policy_missed missed;
	const char *paused; /* instants are skipped, for this reason; NULL: they are not */
	bool running;	    /* a run of the job lives */
};

enum policy_action {
	POLICY_WAIT,	 /* until wake_ns, or until the running one has ended */
	POLICY_RUN,	 /* instant_s */
	POLICY_SKIP,	 /* instant_s, for the reason */
	POLICY_COLLAPSE, /* instant_s and all after it up to until_s, for the reason */
	POLICY_REPLACE,	 /* stop the running one; then ask again */
};

struct policy_decision {
	enum policy_action action;
	int64_t instant_s, until_s;
	uint64_t count;	    /* COLLAPSE: how many those are */
	int64_t wake_ns;    /* since 1970; INT64_MAX: nothing is to come */
	const char *reason; /* "missed", "late", "overlap", "deadline", or as given in paused */
};

struct policy_decision policy_due(const struct policy_due *due);

/* ---- ends ------------------------------------------------------------------------------------ */

struct policy_retry {
	int64_t retries;  /* attempts after the first */
	int64_t delay_ns; /* before the second attempt; doubles with each further one, to 5 minutes
			   */
	bool on_timeout;
	uint64_t on[(POLICY_CODE_MAX + 1) / 64]; /* bit for each exit code; 128 + n: signal n */
};

/* Exit codes that are a failure worth another try by default: all but 0 and 75 (fenced). */
void policy_retry_default(struct policy_retry *retry);
bool policy_retry_has(const struct policy_retry *retry, int code);
void policy_retry_add(struct policy_retry *retry, int code);

/* How long after the end of this attempt (from 1) the next one begins; -1: there is none. */
int64_t policy_retry_ns(
	const struct policy_retry *retry, int64_t attempt, int code, bool timed_out);

enum policy_verdict {
	POLICY_VERDICT_OVER,  /* recorded as interrupted */
	POLICY_VERDICT_RERUN, /* its next attempt begins */
	POLICY_VERDICT_PROBE, /* run the probe, then ask again with its exit code */
	POLICY_VERDICT_DONE,  /* recorded as done: the probe says so */
	POLICY_VERDICT_HOLD,
};

/* Of a run without end whose term is over. probe: exit code, -1: it has not run. A probe says 0:
 * the work was done; 1: it was not, run again; anything else: hold. */
enum policy_verdict policy_interrupted(enum policy_interrupt policy, int probe);

#endif
