/* The ledger: a record of each run, written before it starts and again when it has ended. Since
 * 0.1.
 *
 * Exactly one record per key decides who does a thing: a job's run at a moment, an id that is done
 * once ever, a step of a flow. A record that was begun and never ended stands for an honest "nobody
 * knows": whoever leads next decides it by the job's policy.
 *
 *	begin	 create(leader)==token, the key is absent -> record "begun" (or "skipped")
 *	end	 the record is the one I began		  -> "ok" "failed" "timeout", and results
 *	decide	 create(leader)==token, the record is the one I read -> "interrupted" "lost" "ok",
 * or "begun" again with the next attempt
 *
 * The end is guarded by the record alone: what is done is done, even if leadership ended meanwhile;
 * who came later and decided has changed the record, and the late end is refused.
 *
 * Every write is sent again, the same, until its outcome is known or its time is up: a request that
 * timed out may have been applied, and only its own compare can tell. Rules of callbacks as in
 * <once/client.h>: exactly one, never from inside the start, never after the cancel, deadlines
 * always. */
#ifndef ONCE_LEDGER_H
#define ONCE_LEDGER_H

#include <once/names.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- the records of one prefix --------------------------------------------------------------- */

struct once_records;
struct once_task;

/* Strings are copied. Zero means the default. */
struct once_records_config {
	const char *prefix;	    /* "/onced" */
	enum once_lane lane;	    /* ONCE_LANE_BULK where the client also carries an election */
	int64_t attempt_timeout_ns; /* of each request, default 2 s */
	int64_t settle_timeout_ns;  /* until an operation gives up, default 30 s */
};

/* client and loop are borrowed and must outlive it. -EINVAL: the prefix (message says it, one line;
 * may be NULL); -ENOMEM. */
int once_records_new(struct once_records **ret, struct once_client *client, struct once_loop *loop,
	const struct once_records_config *config, const char **ret_message);
/* Cancels every task. Returns NULL; NULL is fine. Legal in every callback. */
struct once_records *once_records_free(struct once_records *records);
const char *once_records_prefix(const struct once_records *records);

/* Forgets an operation; its callback will not come. What was sent may still be applied. NULL is
 * fine; returns NULL. */
struct once_task *once_task_cancel(struct once_task *task);

/* Sends txn until its outcome is known: again, the same, after every answer that leaves it open, at
 * growing intervals. Only for txns that may be sent twice: whose compare is false once they were
 * applied, and whose failure branch shows that it was. done() gets the last answer; outcome
 * ONCE_UNKNOWN only when the time is up and no answer told, then a copy may still be applied.
 * timeout_ns 0: settle_timeout_ns. txn is copied. -EINVAL: nested or too large; -ENOMEM. */
int once_settle(struct once_records *records, struct once_task **ret_task,
	const struct once_txn *txn, int64_t timeout_ns, once_done_fn *done, void *userdata);

/* ---- one record ------------------------------------------------------------------------------ */

enum once_run_state {
	ONCE_RUN_BEGUN = 1,   /* may run now; or its end was never told */
	ONCE_RUN_OK,	      /* ended with exit code 0; or a probe says that it was done */
	ONCE_RUN_FAILED,      /* ended otherwise, or could not be started */
	ONCE_RUN_TIMEOUT,     /* ended because its time was up */
	ONCE_RUN_INTERRUPTED, /* stopped with its node's leadership, or begun without an end and
				 decided so */
	ONCE_RUN_SKIPPED,     /* never started; reason says why */
	ONCE_RUN_LOST,	      /* begun without an end, and nobody can say what it did */
};

/* "begun" ...; "?" for none of them. */
const char *once_run_state_name(enum once_run_state state);
/* 0, or -EINVAL. */
int once_run_state_parse(enum once_run_state *ret, const char *name);

enum {
	ONCE_WORD_MAX = 32,	      /* characters of cause and reason */
	ONCE_DETAIL_MAX = 512,	      /* bytes of detail */
	ONCE_TAIL_MAX = 64 * 1024,    /* bytes of a tail */
	ONCE_RESULT_MAX = 16 * 1024,  /* bytes of a result */
	ONCE_RECORD_MAX = 160 * 1024, /* bytes of a record as text */
	ONCE_RESULTS_MAX = 64,	      /* results written with an end */
};

/* Zero, empty, NULL: not known or not so. Words are [a-z][a-z-]{0,31}. Causes that onced writes:
 * schedule, missed, trigger, retry, start. Reasons: overlap, missed, deadline (came too late to
 * start), paused, replaced, dst-gap, no-end (begun without an end), probe, hold, killed, term
 * (leadership ended), exec (could not be started), time (its timeout), result (a
 * larger one than fits), forced, removed (an operator decided). */
struct once_run {
	enum once_run_state state;
	char id[ONCE_RUN_ID_SIZE]; /* of this run, over all its attempts: once_run_id_new() */
	int64_t token;		   /* of the term that ran it; 0: none, see <once/claim.h> */
	char node[ONCE_ID_MAX + 1];
	uint32_t attempt; /* 1 for the first */
	int64_t scheduled_ms, start_ms, end_ms;
	char cause[ONCE_WORD_MAX + 1];	  /* why it was started */
	char reason[ONCE_WORD_MAX + 1];	  /* why it is in its state */
	char detail[ONCE_DETAIL_MAX + 1]; /* for people, one line */
	char closed_by[ONCE_ID_MAX + 1];  /* node that decided it, if not the one that ran it */
	bool exited;			  /* exit_code is one */
	int32_t exit_code;		  /* 0 to 255 */
	int32_t exit_signal;		  /* that ended it */
	int64_t user_us, system_us;	  /* processor time */
	int64_t max_rss_kib;		  /* largest resident set of its first process */
	int64_t until_ms; /* skipped: it stands for every moment from scheduled_ms to this one; 0:
			     for one */
	int64_t count;	  /* skipped: how many those are */
	int64_t live_ms; /* of a claim: its runner stops itself when not proven alive for so long */
	char hash[ONCE_HASH_SIZE]; /* of the content that ran: once_hash() or another in hex */
	int64_t output_size;	   /* bytes of output in all, of which tail is the end */
	/* Borrowed by whoever encodes; inside the object when decoded. */
	struct once_bytes tail;
	struct once_bytes result; /* what the run handed back; of a run that is ok */
};

/* The record as text, allocated by malloc() for the caller. A tail that is longer than
 * ONCE_TAIL_MAX is cut at its front, between characters; detail is escaped. -EINVAL: a state, word,
 * number or name that is none, a result of more than ONCE_RESULT_MAX; -ENOMEM. */
int once_run_encode(char **ret, size_t *ret_size, const struct once_run *run);

/* Reads what once_run_encode() wrote; anything else is -EBADMSG, a later version's record
 * -EPROTONOSUPPORT, -ENOMEM. Unknown members are ignored. Free with once_run_free(). */
int once_run_decode(struct once_run **ret, struct once_bytes value);
struct once_run *once_run_free(struct once_run *run);

/* ---- writing --------------------------------------------------------------------------------- */

/* Leadership that a write is guarded by: key has been created at revision token. Borrowed by the
 * start. */
struct once_term {
	const char *key;
	int64_t token;
};

enum once_ledger_result {
	ONCE_LEDGER_DONE = 0,  /* written, by this request or by an earlier copy of it */
	ONCE_LEDGER_FENCED,    /* the term is over: nothing was written, nothing will be */
	ONCE_LEDGER_EXISTS,    /* begin: the key has a record, shown in run */
	ONCE_LEDGER_CHANGED,   /* end, decide: the record is another now (shown in run) or gone */
	ONCE_LEDGER_WITHDRAWN, /* begin: the trigger is gone, the operator took it back */
	ONCE_LEDGER_UNDONE,    /* flow: it is being undone, or was; see <once/flow.h> */
};

struct once_ledger_answer {
	/* once_ledger_result, or a negative errno of <once/client.h>: -ETIMEDOUT and the like when
	 * the time was up, -EBADMSG: the answer cannot be read. */
	int result;
	/* ONCE_UNKNOWN: it may have been written, or still may be. Else what result says is final.
	 */
	enum once_outcome outcome;
	int64_t mod_revision; /* of the record now; 0: absent or not known */
	int64_t revision;     /* of etcd when it answered */
	const struct once_run
		*run;	     /* EXISTS, CHANGED: what is there; NULL: absent or not readable */
	const char *message; /* one line, never NULL */
};

typedef void once_ledger_fn(void *userdata, const struct once_ledger_answer *answer);

struct once_begin {
	const char *key;	      /* of the record */
	const struct once_run *run;   /* BEGUN with an id, or SKIPPED */
	const struct once_term *term; /* NULL: not guarded by leadership */
	/* Written in the same txn; all optional. */
	const char *cursor_key, *cursor_value; /* the schedule is decided up to here */
	const char *trigger_key;	       /* deleted; it must exist */
};

/* Everything is borrowed by the start only. timeout_ns 0: settle_timeout_ns. After DONE the caller
 * may start what it recorded, and not before. -EINVAL: the record (see once_run_encode()), or
 * neither BEGUN nor SKIPPED, or BEGUN without id; -ENOMEM. */
int once_ledger_begin(struct once_records *records, struct once_task **ret_task,
	const struct once_begin *begin, int64_t timeout_ns, once_ledger_fn *fn, void *userdata);

/* The end of the run that was begun with mod_revision. results: puts and deletes (at most
 * ONCE_RESULTS_MAX, no key twice, none of them key) that happen with the record or not at all.
 * -EINVAL also when the state is BEGUN. */
int once_ledger_end(struct once_records *records, struct once_task **ret_task, const char *key,
	int64_t mod_revision, const struct once_run *run, const struct once_op *results,
	size_t n_results, int64_t timeout_ns, once_ledger_fn *fn, void *userdata);

/* Replaces the record that has mod_revision: after a takeover, for a retry. */
int once_ledger_decide(struct once_records *records, struct once_task **ret_task, const char *key,
	int64_t mod_revision, const struct once_run *run, const struct once_term *term,
	int64_t timeout_ns, once_ledger_fn *fn, void *userdata);

/* ---- reading --------------------------------------------------------------------------------- */

struct once_row {
	struct once_key key;
	struct once_bytes text, value; /* the key and the value as they are in etcd */
	int64_t create_revision, mod_revision;
	const struct once_run *run; /* NULL: not readable, error says why */
	int error; /* also -EINVAL: below the prefix, but no key of the kind; key is empty then */
};

/* Non-zero ends the list with that code. The row is borrowed. */
typedef int once_row_fn(void *userdata, const struct once_row *row);
/* error: 0, what row() said, or a negative errno of <once/client.h>. revision: of the list. */
typedef void once_list_fn(void *userdata, int error, int64_t revision, const char *message);

struct once_list {
	enum once_key_kind kind; /* ONCE_KEY_RUN, ONCE_KEY_ONCE, ONCE_KEY_STEP or ONCE_KEY_UNDO */
	const char *name;	 /* job or flow; NULL: of all. With ONCE_KEY_ONCE: that id alone */
	int64_t from_ms, until_ms; /* of runs: from (0: the first) to before until (0: the last).
				      With name only */
	uint32_t states; /* only these: bits 1 << ONCE_RUN_...; 0: all, the unreadable ones too */
	int64_t last; /* at most so many, latest key first; 0: all, in order of the keys. <= 1000 */
	int64_t revision; /* 0: now */
};

/* Reads page by page at one revision. At a new term, states = 1 << ONCE_RUN_BEGUN finds what was
 * begun and not ended; those with the token of an earlier term are nobody's any more. -EINVAL,
 * -ENOMEM. */
int once_ledger_list(struct once_records *records, struct once_task **ret_task,
	const struct once_list *list, once_row_fn *row, once_list_fn *done, void *userdata);

/* How many of the latest records of a job stay. Skipped ones count apart, as HistoryFailed. What is
 * begun stays always. */
struct once_history {
	uint32_t ok, failed;
};

/* Deletes a job's older records, each guarded by the term and by its being the one that was read.
 * done()'s error: as above, or ONCE_LEDGER_FENCED. */
typedef void once_trim_fn(void *userdata, int error, int64_t deleted, const char *message);
int once_ledger_trim(struct once_records *records, struct once_task **ret_task, const char *job,
	const struct once_history *keep, const struct once_term *term, once_trim_fn *done,
	void *userdata);

#ifdef __cplusplus
}
#endif

#endif
