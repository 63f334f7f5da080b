/* The runner of a claim: how it becomes one, proves it, stops, ends.
 *
 *	GRANT -> a lease -> BEGIN -> record and life written in one txn -> PROVE -> RUN -> END ->
 * done
 *
 * The proof is a txn guarded by both keys being those that were written; it deletes a key that does
 * not exist, so it goes through etcd's log and leaves nothing. Only after a proof the lease is kept
 * alive. No answer changes nothing: the deadline stands. A proof that is refused, or none for four
 * fifths of live_ms: stop; the last fifth is for killing. Losing the life key is losing the claim,
 * also when etcd dropped it by mistake. */
#include "record/claim.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What was done is worth more patience than what is only wanted. */
static const int64_t end_least_ns = 60 * ONCE_NSEC_PER_SEC;

static int64_t beat_ns(const struct once_claim *c)
{
	return c->live_ns / 6;
}

static int64_t stop_after_ns(const struct once_claim *c)
{
	return c->live_ns / 5 * 4;
}

static struct once_instant now(const struct once_claim *c)
{
	return c->loop->ops->now(c->loop);
}

void claim_drop(struct once_claim *c)
{
	c->beat = once_call_cancel(c->beat);
	c->keepalive = once_call_cancel(c->keepalive);
	if (c->beat_timer)
		c->loop->ops->timer_set(c->beat_timer, -1);
}

/* ---- becoming it ----------------------------------------------------------------------------- */

static void on_begun(void *userdata, const struct once_ledger_answer *answer)
{
	struct once_claim *c = userdata;

	c->task = NULL;
	if (answer->result == ONCE_LEDGER_DONE) {
		c->state = CLAIM_PROVE;
		c->mod = answer->mod_revision;
		c->proved = now(c);
		c->loop->ops->timer_set(c->timer, stop_after_ns(c));
		claim_beat(c);
	} else if (answer->result == -ENOENT) {
		c->lease = 0; /* it ended before it was used */
		claim_look(c);
	} else if (answer->result < 0) {
		claim_done(c, answer->result, NULL, answer->message);
	} else {
		claim_look(c); /* another was first */
	}
}

/* A new id for each attempt: two claimants that replace the same record never write the same. */
static int fill_run(struct once_claim *c)
{
	static const char first[] = "start", next[] = "retry";
	uint32_t attempt = c->run.attempt;

	c->run = (struct once_run){.state = ONCE_RUN_BEGUN,
		.attempt = attempt,
		.start_ms = once_utc_now(),
		.live_ms = c->live_ns / ONCE_NSEC_PER_MSEC};
	memcpy(c->run.node, c->node, sizeof(c->node));
	memcpy(c->run.hash, c->hash, sizeof(c->hash));
	memcpy(c->run.cause, attempt > 1 ? next : first, sizeof(first));
	return once_run_id_new(c->run.id);
}

static void begin(struct once_claim *c)
{
	struct once_op life = {
		.kind = ONCE_OP_PUT, .key = once_str(c->live_key), .lease = c->lease};
	struct ledger_write write = {
		.key = c->key, .mod_revision = c->from_mod, .ops = &life, .n_ops = 1};
	char *text;
	size_t size;
	int r = fill_run(c);

	c->state = CLAIM_BEGIN;
	life.value = once_str(c->run.id);
	r = r ? r : once_run_encode(&text, &size, &c->run);
	if (r == 0) {
		write.value = (struct once_bytes){text, size};
		r = ledger_write(c->records, &c->task, &write, 0, on_begun, c);
		free(text);
	}
	if (r < 0)
		claim_done(c, r, NULL, once_strerror(r));
}

static void on_granted(void *userdata, const struct once_response *response)
{
	struct once_claim *c = userdata;

	c->call = NULL;
	if (response->error < 0) {
		(void)claim_may_retry(c, response->error, response->message);
		return;
	}
	c->answered = response->sent;
	c->lease = response->lease;
	begin(c);
}

static void grant(struct once_claim *c)
{
	struct once_call_options options = records_options(c->records);
	int64_t ttl_s = (c->live_ns + ONCE_NSEC_PER_SEC - 1) / ONCE_NSEC_PER_SEC;
	int r = once_lease_grant(c->records->client, &c->call, &options, ttl_s, 0, on_granted, c);

	if (r < 0)
		(void)claim_may_retry(c, r, once_strerror(r));
}

void claim_take(struct once_claim *c, int64_t mod, uint32_t attempt)
{
	c->from_mod = mod;
	c->run.attempt = attempt;
	c->state = CLAIM_GRANT;
	grant(c); /* a fresh one each time: an older may be about to end */
}

/* ---- being it -------------------------------------------------------------------------------- */

static void stop(struct once_claim *c)
{
	claim_drop(c);
	if (c->state == CLAIM_PROVE) {
		claim_look(c); /* it was never started */
		return;
	}
	c->state = CLAIM_STOP;
	c->loop->ops->timer_set(c->timer, -1);
	c->callbacks.on_stop(c->userdata);
}

/* Time is up for the proof, or for asking for a lease again. */
void claim_on_timer(struct once_claim *c)
{
	if (c->state == CLAIM_GRANT)
		grant(c);
	else if (c->state == CLAIM_PROVE || c->state == CLAIM_RUN)
		stop(c);
}

static void on_kept(void *userdata, const struct once_response *response)
{
	struct once_claim *c = userdata;

	(void)response; /* what it says proves nothing */
	c->keepalive = NULL;
}

static void keep(struct once_claim *c)
{
	struct once_call_options options = {c->records->lane, beat_ns(c)};

	if (!c->keepalive && once_lease_keepalive(c->records->client, &c->keepalive, &options,
				     c->lease, on_kept, c) < 0)
		c->keepalive = NULL;
}

static void proven(struct once_claim *c, struct once_instant sent)
{
	int64_t left = stop_after_ns(c) - once_elapsed_max(sent, now(c));
	bool first = c->state == CLAIM_PROVE;

	c->proved = sent;
	c->loop->ops->timer_set(c->beat_timer, beat_ns(c));
	keep(c);
	if (c->state == CLAIM_END)
		return;
	c->loop->ops->timer_set(c->timer, left > 0 ? left : 0);
	c->state = CLAIM_RUN;
	if (first)
		c->callbacks.on_run(c->userdata, &c->run, sent);
	else if (c->callbacks.on_extend)
		c->callbacks.on_extend(c->userdata, sent);
}

static void on_beat(void *userdata, const struct once_response *response)
{
	struct once_claim *c = userdata;

	c->beat = NULL;
	if (response->outcome != ONCE_APPLIED || response->error < 0)
		c->loop->ops->timer_set(c->beat_timer, beat_ns(c) / 4);
	else if (response->op.succeeded)
		proven(c, response->sent);
	else if (c->state != CLAIM_END)
		stop(c);
}

void claim_beat(struct once_claim *c)
{
	struct once_call_options options = {c->records->lane, beat_ns(c)};
	struct once_compare compares[] = {
		{.target = ONCE_COMPARE_MOD, .key = once_str(c->key), .number = c->mod},
		{.target = ONCE_COMPARE_MOD, .key = once_str(c->live_key), .number = c->mod}};
	struct once_op nothing = {.kind = ONCE_OP_DELETE, .key = once_str(c->beat_key)};
	struct once_txn txn = {
		.compares = compares, .n_compares = 2, .success = &nothing, .n_success = 1};

	if (c->state != CLAIM_PROVE && c->state != CLAIM_RUN && c->state != CLAIM_END)
		return;
	if (once_txn(c->records->client, &c->beat, &options, &txn, on_beat, c) < 0)
		c->loop->ops->timer_set(c->beat_timer, beat_ns(c) / 4);
}

/* ---- its end --------------------------------------------------------------------------------- */

static void on_ended(void *userdata, const struct once_ledger_answer *answer)
{
	struct once_claim *c = userdata;

	c->task = NULL;
	if (answer->result == ONCE_LEDGER_DONE)
		claim_done(c, ONCE_CLAIM_RAN, &c->run, "");
	else if (answer->result == ONCE_LEDGER_CHANGED)
		claim_done(
			c, ONCE_CLAIM_OVERTAKEN, answer->run, "another has decided it meanwhile");
	else
		claim_done(c, answer->result, NULL, answer->message);
}

/* The begun record with what end says. */
static struct once_run ended(const struct once_run *begun, const struct once_run *end)
{
	struct once_run run = *end;

	memcpy(run.id, begun->id, sizeof(run.id));
	memcpy(run.node, begun->node, sizeof(run.node));
	memcpy(run.hash, begun->hash, sizeof(run.hash));
	memcpy(run.cause, begun->cause, sizeof(run.cause));
	run.token = 0;
	run.attempt = begun->attempt;
	run.live_ms = begun->live_ms;
	if (!run.start_ms)
		run.start_ms = begun->start_ms;
	if (!run.end_ms)
		run.end_ms = once_utc_now();
	return run;
}

int once_claim_end(struct once_claim *c, const struct once_run *end, const struct once_op *results,
	size_t n_results)
{
	struct once_op ops[ONCE_RESULTS_MAX];
	struct once_run run = ended(&c->run, end);
	int64_t settle_ns = c->records->settle_timeout_ns;
	int r;

	if (c->state != CLAIM_RUN && c->state != CLAIM_STOP)
		return -EBUSY;
	if (n_results > ONCE_RESULTS_MAX - 1)
		return -EINVAL;
	if (n_results > 0)
		memcpy(ops, results, n_results * sizeof(ops[0]));
	ops[n_results] = (struct once_op){.kind = ONCE_OP_DELETE, .key = once_str(c->live_key)};
	r = once_ledger_end(c->records, &c->task, c->key, c->mod, &run, ops, n_results + 1,
		settle_ns > end_least_ns ? settle_ns : end_least_ns, on_ended, c);
	if (r < 0)
		return r;
	c->state = CLAIM_END;
	c->loop->ops->timer_set(c->timer, -1);
	c->run = run;
	c->run.tail = c->run.result = (struct once_bytes){0}; /* the caller's, borrowed until now */
	return 0;
}
