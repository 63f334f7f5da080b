/* A claim's life, and what it makes of what the key shows; see once/claim.h and claim.h.
 *
 *	LOOK -> absent, or to be run again	  -> claim_take()
 *	     -> ended				  -> DONE
 *	     -> begun, its runner lives		  -> WAIT -> (event, or time) -> LOOK
 *	     -> begun, its runner is gone for long -> JUDGE -> DONE, or claim_take()
 *
 * The watch only wakes; what counts is read, record and life in one txn. An etcd that does not
 * answer is asked again until settle_timeout_ns are over. */
#include "record/claim.h"
#include "record/code.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LIVE_DEFAULT_MS = 10000, LIVE_LEAST_MS = 2000 };

static struct once_instant now(const struct once_claim *c)
{
	return c->loop->ops->now(c->loop);
}

void claim_done(struct once_claim *c, int result, const struct once_run *run, const char *message)
{
	c->state = CLAIM_DONE;
	c->call = once_call_cancel(c->call);
	c->task = once_task_cancel(c->task);
	c->watch = once_watch_cancel(c->watch);
	c->loop->ops->timer_set(c->timer, -1);
	claim_drop(c);
	c->callbacks.on_done(c->userdata, result, run, message);
}

static bool passes(int error)
{
	return error == -EHOSTUNREACH || error == -ETIMEDOUT || error == -ECONNRESET ||
	       error == -EAGAIN || error == -ENOMEM;
}

bool claim_may_retry(struct once_claim *c, int error, const char *message)
{
	if (passes(error) &&
		once_elapsed_max(c->answered, now(c)) < c->records->settle_timeout_ns) {
		c->loop->ops->timer_set(c->timer, 100 * ONCE_NSEC_PER_MSEC);
		return true;
	}
	claim_done(c, error, NULL, message);
	return false;
}

/* ---- waiting --------------------------------------------------------------------------------- */

static void on_watch(void *userdata, const struct once_watch_report *report)
{
	struct once_claim *c = userdata;

	if (report->note == ONCE_WATCH_COMPACTED || report->note == ONCE_WATCH_FAILED)
		c->watch = NULL; /* the next look starts another */
	else if (report->note == ONCE_WATCH_EVENTS && c->state == CLAIM_WAIT)
		claim_look(c);
}

static void watch(struct once_claim *c, int64_t revision)
{
	struct once_watch_range ranges[] = {
		{.key = once_str(c->key)}, {.key = once_str(c->live_key)}};
	struct once_watch_config config = {
		.ranges = ranges, .n_ranges = 2, .start_revision = revision + 1};

	/* without one, the regular look has to do */
	if (!c->watch && once_watch_start(c->records->client, &c->watch, &config, on_watch, c) < 0)
		c->watch = NULL;
}

/* Until something happens, but at most in_ns. */
static void wait(struct once_claim *c, const struct once_run *run, int64_t mod, int64_t revision,
	int64_t in_ns)
{
	bool freed = false;
	int64_t left;

	c->state = CLAIM_WAIT;
	if (!c->waited)
		c->waiting = now(c);
	c->waited = true;
	watch(c, revision);
	if (c->callbacks.on_wait && c->told_mod != mod) {
		c->told_mod = mod;
		c->freed = &freed;
		c->callbacks.on_wait(c->userdata, run);
		if (freed)
			return;
		c->freed = NULL;
	}
	left = c->wait_timeout_ns - once_elapsed_max(c->waiting, now(c));
	if (c->wait_timeout_ns && left <= 0) {
		claim_done(c, -ETIMEDOUT, run, "another runs it for longer than was waited for");
		return;
	}
	if (c->wait_timeout_ns && left < in_ns)
		in_ns = left;
	c->loop->ops->timer_set(c->timer, in_ns);
}

/* ---- deciding -------------------------------------------------------------------------------- */

static void on_judged(void *userdata, const struct once_ledger_answer *answer)
{
	struct once_claim *c = userdata;

	c->task = NULL;
	if (answer->result < 0)
		claim_done(c, answer->result, NULL, answer->message);
	else
		claim_look(c); /* mine, or another's word: it is read from etcd either way */
}

/* The runner is gone: say so, or run it again. Guarded by the record alone, as its life is only
 * ever written together with it. */
static void judge(struct once_claim *c, const struct once_run *run, int64_t mod)
{
	struct once_run decided = *run;
	struct ledger_write write = {.key = c->key, .mod_revision = mod};
	char *text;
	size_t size;
	int r;

	if (c->on_interrupt == ONCE_INTERRUPT_RERUN) {
		claim_take(c, mod, run->attempt + 1);
		return;
	}
	c->state = CLAIM_JUDGE;
	decided.state = ONCE_RUN_INTERRUPTED;
	decided.end_ms = once_utc_now();
	memcpy(decided.reason, "no-end", sizeof("no-end"));
	memcpy(decided.closed_by, c->node, sizeof(c->node));
	r = once_run_encode(&text, &size, &decided);
	if (r == 0) {
		write.value = (struct once_bytes){text, size};
		r = ledger_write(c->records, &c->task, &write, 0, on_judged, c);
		free(text);
	}
	if (r < 0)
		claim_done(c, r, NULL, once_strerror(r));
}

static int64_t live_ns_of(const struct once_claim *c, const struct once_run *run)
{
	return run->live_ms ? run->live_ms * ONCE_NSEC_PER_MSEC : c->live_ns;
}

static void decide_begun(
	struct once_claim *c, const struct once_run *run, int64_t mod, bool lives, int64_t revision)
{
	int64_t live_ns = live_ns_of(c, run), again_ns = live_ns / 2, left;

	if (lives || run->token != 0) {
		c->dead_mod = 0;
		wait(c, run, mod, revision, again_ns);
		return;
	}
	if (c->dead_mod != mod) {
		c->dead_mod = mod;
		c->dead = now(c);
	}
	left = live_ns + live_ns / 10 - once_elapsed_min(c->dead, now(c));
	if (left > 0)
		wait(c, run, mod, revision, left < again_ns ? left : again_ns);
	else
		judge(c, run, mod);
}

static void decide(
	struct once_claim *c, const struct once_run *run, int64_t mod, bool lives, int64_t revision)
{
	bool again;

	if (c->hash[0] && run->hash[0] && strcmp(c->hash, run->hash) != 0) {
		claim_done(c, ONCE_CLAIM_CONFLICT, run, "it was begun with another content");
		return;
	}
	if (run->state == ONCE_RUN_BEGUN) {
		decide_begun(c, run, mod, lives, revision);
		return;
	}
	again = !c->waited && (c->rerun >> run->state & 1);
	if (run->state == ONCE_RUN_INTERRUPTED && c->on_interrupt == ONCE_INTERRUPT_RERUN)
		again = true;
	if (again)
		claim_take(c, mod, run->attempt + 1);
	else
		claim_done(c, ONCE_CLAIM_FOUND, run, "");
}

static void on_looked(void *userdata, const struct once_response *response)
{
	struct once_claim *c = userdata;
	const struct once_op_result *results = response->op.results;
	const struct once_kv *kv;
	struct once_run *run = NULL;
	int r;

	c->call = NULL;
	if (response->error < 0) {
		(void)claim_may_retry(c, response->error, response->message);
		return;
	}
	c->answered = response->sent;
	if (response->op.n_results != 2) {
		claim_done(c, -EBADMSG, NULL, once_strerror(-EBADMSG));
		return;
	}
	if (results[0].n_kvs == 0) {
		claim_take(c, 0, 1);
		return;
	}
	kv = &results[0].kvs[0];
	r = once_run_decode(&run, kv->value);
	if (r < 0)
		claim_done(c, r, NULL, "the key holds something else than a record");
	else
		decide(c, run, kv->mod_revision, results[1].n_kvs > 0, response->revision);
	run = once_run_free(run);
}

void claim_look(struct once_claim *c)
{
	struct once_call_options options = records_options(c->records);
	struct once_op ranges[] = {{.kind = ONCE_OP_RANGE, .key = once_str(c->key)},
		{.kind = ONCE_OP_RANGE, .key = once_str(c->live_key)}};
	struct once_txn txn = {.success = ranges, .n_success = 2};
	int r;

	c->state = CLAIM_LOOK;
	c->loop->ops->timer_set(c->timer, -1);
	r = once_txn(c->records->client, &c->call, &options, &txn, on_looked, c);
	if (r < 0)
		(void)claim_may_retry(c, r, once_strerror(r));
}

static void on_timer(void *userdata)
{
	struct once_claim *c = userdata;

	if (c->state == CLAIM_LOOK || c->state == CLAIM_WAIT)
		claim_look(c);
	else
		claim_on_timer(c);
}

/* ---- life ------------------------------------------------------------------------------------ */

/* What is wrong with it; NULL: nothing. */
static const char *wrong(const struct once_records *records, const struct once_claim_config *config,
	const struct once_key *key)
{
	if (key->kind != ONCE_KEY_ONCE && key->kind != ONCE_KEY_STEP && key->kind != ONCE_KEY_UNDO)
		return "key: expected PREFIX/once/ID, PREFIX/step/FLOW/STEP or "
		       "PREFIX/undo/FLOW/STEP, "
		       "each " ONCE_ID_RULE;
	if (config->hash && (!config->hash[0] || !code_hex_valid(config->hash, ONCE_HASH_SIZE)))
		return "hash: expected up to 64 hexadecimal digits";
	if (!once_id_valid(config->node))
		return "node: expected " ONCE_ID_RULE;
	if (config->live_ms && config->live_ms < LIVE_LEAST_MS)
		return "time to live: expected at least 2 s";
	if (strlen(config->key) + sizeof("/live/beat") > ONCE_KEY_SIZE)
		return "key: too long";
	return NULL;
}

static void set_keys(struct once_claim *c, const struct once_claim_config *config)
{
	const char *prefix = c->records->prefix;

	memcpy(c->key, config->key, strlen(config->key) + 1);
	(void)snprintf(c->live_key, sizeof(c->live_key), "%s/live%s", prefix,
		config->key + strlen(prefix));
	(void)snprintf(c->beat_key, sizeof(c->beat_key), "%.*s/beat",
		(int)(sizeof(c->beat_key) - sizeof("/beat")), c->live_key);
	memcpy(c->node, config->node, strlen(config->node) + 1);
	if (config->hash)
		memcpy(c->hash, config->hash, strlen(config->hash) + 1);
}

static void on_beat_timer(void *userdata)
{
	claim_beat(userdata);
}

int once_claim_new(struct once_claim **ret, struct once_records *records,
	const struct once_claim_config *config, const struct once_claim_callbacks *callbacks,
	void *userdata, const char **ret_message)
{
	const struct once_loop_ops *ops = records->loop->ops;
	struct once_key key = {.kind = ONCE_KEY_PAUSE};
	struct once_claim *c;
	const char *message;

	(void)once_key_parse(&key, records->prefix, once_str(config->key));
	message = wrong(records, config, &key);
	if (message && ret_message)
		*ret_message = message;
	if (message)
		return -EINVAL;
	c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->records = records;
	c->loop = records->loop;
	c->callbacks = *callbacks;
	c->userdata = userdata;
	c->on_interrupt = config->on_interrupt;
	c->rerun = config->rerun;
	c->live_ns = (config->live_ms ? config->live_ms : LIVE_DEFAULT_MS) * ONCE_NSEC_PER_MSEC;
	c->wait_timeout_ns = config->wait_timeout_ns;
	c->answered = now(c);
	set_keys(c, config);
	c->timer = ops->timer_new(c->loop, on_timer, c);
	c->beat_timer = ops->timer_new(c->loop, on_beat_timer, c);
	if (!c->timer || !c->beat_timer) {
		(void)once_claim_free(c);
		return -ENOMEM;
	}
	ops->timer_set(c->timer, 0);
	*ret = c;
	return 0;
}

struct once_claim *once_claim_free(struct once_claim *c)
{
	if (!c)
		return NULL;
	if (c->freed)
		*c->freed = true;
	c->call = once_call_cancel(c->call);
	c->task = once_task_cancel(c->task);
	c->watch = once_watch_cancel(c->watch);
	claim_drop(c);
	if (c->timer)
		c->loop->ops->timer_free(c->timer);
	if (c->beat_timer)
		c->loop->ops->timer_free(c->beat_timer);
	free(c);
	return NULL;
}
