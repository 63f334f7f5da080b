/* What operators and daemons tell each other through etcd: values of the keys of <once/names.h>.
 * Since 0.1.
 *
 * They name things that are configured locally, and never hold a command. All are one JSON object.
 * Each encode writes at most ONCE_CONTROL_SIZE bytes with a NUL behind them and returns how many
 * (without it), or -EINVAL: a text too long, not UTF-8 or with control characters, a moment or name
 * that is none. Each decode takes only such an object: -EBADMSG; -EPROTONOSUPPORT: of a later
 * version. Unknown members are ignored.
 *
 * Writers: an operator writes pause, trigger, kill, handover; only the leader, guarded by its term,
 * writes the cursor and deletes triggers. A pause that cannot be read is a pause all the same. */
#ifndef ONCE_CONTROL_H
#define ONCE_CONTROL_H

#include <once/names.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
	ONCE_CONTROL_SIZE = 2048,
	ONCE_BY_MAX = 128,     /* bytes: who, "user@host" by custom */
	ONCE_REASON_MAX = 256, /* bytes */
};

/* P/pause: no job starts anything; P/job/<job>/pause: that one. What runs goes on. */
struct once_pause {
	char by[ONCE_BY_MAX + 1];
	char reason[ONCE_REASON_MAX + 1];
	int64_t since_ms;
	int64_t until_ms; /* 0: until the key is deleted */
};
int once_pause_encode(char out[ONCE_CONTROL_SIZE], const struct once_pause *pause);
int once_pause_decode(struct once_pause *ret, struct once_bytes value);
/* Whether it still holds. */
static inline bool once_pause_holds(const struct once_pause *pause, int64_t now_ms)
{
	return pause->until_ms == 0 || now_ms < pause->until_ms;
}

/* P/trigger/<job>/<id>: one run, please; the leader's begin deletes it in the same txn. */
struct once_trigger {
	char by[ONCE_BY_MAX + 1];
	char reason[ONCE_REASON_MAX + 1];
	int64_t at_ms;	      /* when it was asked for */
	int64_t scheduled_ms; /* the moment to run for, if it has no record yet; 0: none in
				 particular */
	bool undo; /* no run: the job's flow is to be undone */
};
int once_trigger_encode(char out[ONCE_CONTROL_SIZE], const struct once_trigger *trigger);
int once_trigger_decode(struct once_trigger *ret, struct once_bytes value);

/* P/kill/<job>/<moment>: that run is to end. The leader deletes it. */
struct once_kill {
	char by[ONCE_BY_MAX + 1];
	char reason[ONCE_REASON_MAX + 1];
	int64_t at_ms;
	char run[ONCE_RUN_ID_SIZE]; /* id of the run meant; empty: whichever it is */
};
int once_kill_encode(char out[ONCE_CONTROL_SIZE], const struct once_kill *order);
int once_kill_decode(struct once_kill *ret, struct once_bytes value);

/* P/g/<group>/handover: the leader is to give leadership away at a safe point. It deletes the key.
 */
struct once_handover {
	char by[ONCE_BY_MAX + 1];
	char reason[ONCE_REASON_MAX + 1];
	int64_t at_ms;	       /* when it was asked for */
	int64_t not_before_ms; /* 0: at once */
	int64_t token; /* the term meant; 0: whichever leads. Of an earlier term: forget it */
	char from[ONCE_NAME_MAX + 1]; /* node that is to stop leading; empty: whichever leads */
	char to[ONCE_NAME_MAX + 1];   /* node that is to lead; empty: any other */
	int64_t stay_away_s; /* for so long from does not campaign; 0: the elector's custom */
};
int once_handover_encode(char out[ONCE_CONTROL_SIZE], const struct once_handover *handover);
int once_handover_decode(struct once_handover *ret, struct once_bytes value);

/* P/g/<group>/away/<node>: that node does not campaign until then, on a lease that ends it. The value is
 * a struct once_pause with until_ms; the node looks at it when it starts and when it is asked to hand
 * over, and campaigns again when the key is gone. */

/* P/job/<job>/next: every moment of the schedule up to and with decided_ms has its record, or needs
 * none. So a moment whose record is gone from the history is not run again, whatever the time of
 * day does. */
struct once_cursor {
	int64_t decided_ms;		    /* 0: none yet */
	int64_t next_ms;		    /* the next moment, with jitter; 0: none */
	char schedule[ONCE_REASON_MAX + 1]; /* the expression it was computed from */
};
int once_cursor_encode(char out[ONCE_CONTROL_SIZE], const struct once_cursor *cursor);
int once_cursor_decode(struct once_cursor *ret, struct once_bytes value);

#ifdef __cplusplus
}
#endif

#endif
