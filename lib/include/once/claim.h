/* Doing something once in a cluster without being its leader: `oncectl once` and `oncectl step`.
 * Since 0.1.
 *
 * Any number of claimants of one key, at any time and anywhere: one of them runs the thing, all get
 * its record. The first to create the record runs; the others watch it until it has an end.
 *
 *	absent	      -> mine: on_run() ... once_claim_end() -> on_done(RAN)
 *	ended	      -> on_done(FOUND)
 *	begun, lives  -> on_wait() ... on_done(FOUND)
 *	begun, dead   -> decided as on_interrupt says: FOUND "interrupted", or mine again: on_run()
 *
 * Whether a runner lives is told by a key on its lease, beside the record, and by a guarded write
 * every sixth of live_ms, as a leader's beat. The runner must end its work live_ms after the last
 * proof was sent (on_stop() comes then; a process that may be stopped itself needs a guard outside,
 * such as a PDEATHSIG and a timer of the kernel). Whoever takes over has seen that key gone for
 * live_ms and a tenth, so the two never overlap as long as clocks run within a tenth of each other.
 * What a dead runner had done by then, nobody knows: a record that says "interrupted" is exactly
 * that.
 *
 * A record begun under a leader's term (token not 0) is that leader's and its successor's to
 * decide: a claimant only waits for its end. */
#ifndef ONCE_CLAIM_H
#define ONCE_CLAIM_H

#include <once/ledger.h>

#ifdef __cplusplus
extern "C" {
#endif

struct once_claim;

enum once_on_interrupt {
	ONCE_INTERRUPT_REPORT, /* the record becomes "interrupted", which all claimants get, now and
				  later */
	ONCE_INTERRUPT_RERUN,  /* run it again, as the next attempt */
};

/* Strings are copied. */
struct once_claim_config {
	/* of ONCE_KEY_ONCE, ONCE_KEY_STEP or ONCE_KEY_UNDO, below the prefix of the records */
	const char *key;
	const char
		*hash; /* of the content, hex; a record of another is CONFLICT. NULL: any will do */
	const char *node; /* who runs it, for the record: ONCE_ID_RULE */
	enum once_on_interrupt on_interrupt;
	/* Records that had ended so before this claim are run again: bits 1 << ONCE_RUN_FAILED and
	 * the like. With ONCE_INTERRUPT_RERUN also those that are "interrupted". */
	uint32_t rerun;
	int64_t live_ms;	 /* default 10 s; at least 2 s */
	int64_t wait_timeout_ns; /* for another's end; 0: as long as it takes */
};

enum once_claim_result {
	ONCE_CLAIM_RAN = 0,   /* it ran here, and its end is written */
	ONCE_CLAIM_FOUND,     /* it ran elsewhere, or earlier: run is its record */
	ONCE_CLAIM_CONFLICT,  /* the key's record is of another content: run shows it */
	ONCE_CLAIM_OVERTAKEN, /* it ran here, but another has decided it meanwhile: run shows what
			       */
};

struct once_claim_callbacks {
	/* Start it now: the record is written. run: id, attempt, ... as recorded; proved: live_ms
	 * count from there. */
	void (*on_run)(void *userdata, const struct once_run *run, struct once_instant proved);
	/* The proof was renewed; optional. */
	void (*on_extend)(void *userdata, struct once_instant proved);
	/* End it at once, it can no longer be proven: then call once_claim_end(). */
	void (*on_stop)(void *userdata);
	/* Another runs it; optional. Again for each attempt. */
	void (*on_wait)(void *userdata, const struct once_run *run);
	/* The claim has ended. result: once_claim_result, or a negative errno: -ETIMEDOUT:
	 * wait_timeout_ns, or etcd did not answer in the records' settle_timeout_ns. run: the
	 * record, NULL when not known. May free the claim. */
	void (*on_done)(
		void *userdata, int result, const struct once_run *run, const char *message);
};

/* Begins at the next turn of the loop. -EINVAL: the key, hash, node or live_ms; message (may be
 * NULL) says which. -ENOMEM. */
int once_claim_new(struct once_claim **ret, struct once_records *records,
	const struct once_claim_config *config, const struct once_claim_callbacks *callbacks,
	void *userdata, const char **ret_message);

/* After on_run(): it has ended, every process of it is dead. Of end, the state, the times, exit,
 * signal, resources, reason, detail, output_size, tail and result are taken; results as in
 * once_ledger_end(). on_done() follows, within a minute or
 * settle_timeout_ns, whichever is longer. -EINVAL: the record; -EBUSY: nothing runs, or the end was
 * told before. */
int once_claim_end(struct once_claim *claim, const struct once_run *end,
	const struct once_op *results, size_t n_results);

/* Gives up without a word: one that runs becomes "dead" to the others. Returns NULL; NULL is fine.
 */
struct once_claim *once_claim_free(struct once_claim *claim);

#ifdef __cplusplus
}
#endif

#endif
