/* Inside a claim: claim.c decides by what the key shows, claim-run.c takes it, proves it, ends it.
 */
#ifndef RECORD_CLAIM_H
#define RECORD_CLAIM_H

#include "record/records.h"
#include <once/claim.h>

enum claim_state {
	CLAIM_LOOK,  /* reads the record and the runner's life */
	CLAIM_WAIT,  /* another runs it */
	CLAIM_JUDGE, /* writes that a dead runner's was interrupted */
	CLAIM_GRANT, /* wants a lease, then to be the runner */
	CLAIM_BEGIN, /* writes the record and its life */
	CLAIM_PROVE, /* they are written: the first proof is on its way */
	CLAIM_RUN,
	CLAIM_STOP, /* the owner was told to stop */
	CLAIM_END,  /* writes the end */
	CLAIM_DONE,
};

struct once_claim {
	struct once_records *records; /* borrowed */
	struct once_loop *loop;	      /* borrowed */
	struct once_claim_callbacks callbacks;
	void *userdata;
	char key[ONCE_KEY_SIZE], live_key[ONCE_KEY_SIZE], beat_key[ONCE_KEY_SIZE];
	char hash[ONCE_HASH_SIZE], node[ONCE_ID_MAX + 1];
	enum once_on_interrupt on_interrupt;
	uint32_t rerun;
	int64_t live_ns, wait_timeout_ns;

	enum claim_state state;
	struct once_timer *timer; /* the state's: again, look, deadline */
	struct once_call *call;	  /* LOOK, GRANT */
	struct once_task *task;	  /* JUDGE, BEGIN, END */
	struct once_watch *watch;
	struct once_instant answered; /* etcd did, last */
	struct once_instant waiting;  /* since the first wait */
	bool waited;
	int64_t told_mod;	  /* on_wait() was called for that record */
	int64_t dead_mod;	  /* of this record the runner's key is absent ... */
	struct once_instant dead; /* ... since then, as seen here */

	/* mine */
	int64_t lease;
	int64_t from_mod; /* record that is replaced by mine; 0: there was none */
	int64_t mod;	  /* of my record, and of its life */
	struct once_run run;
	struct once_instant proved;
	struct once_timer *beat_timer;
	struct once_call *beat, *keepalive;
	bool *freed; /* set by free during a callback */
};

/* claim.c */
void claim_look(struct once_claim *c);
void claim_done(struct once_claim *c, int result, const struct once_run *run, const char *message);
/* An answer that leaves things open: true: try again, the timer is set; false: the claim has ended.
 */
bool claim_may_retry(struct once_claim *c, int error, const char *message);

/* claim-run.c */
void claim_take(struct once_claim *c, int64_t mod, uint32_t attempt);
void claim_on_timer(struct once_claim *c);
void claim_beat(struct once_claim *c);
/* Forgets what is on its way for the runner. */
void claim_drop(struct once_claim *c);

#endif
