/* Reading for the page. See look.h.
 *
 * Happy path: look_now() -> one txn: nodes, leader, epoch, clean, ended -> for each term before that is not
 * known yet one txn at the revision just before it (the epoch was put by its acquire, so that revision shows
 * the term before and how it ended) -> a few jobs' latest runs -> idle.
 *
 * Failures: an answer that does not come, or not in the expected form, ends the look; the next one begins
 * anew. What etcd has compacted is not known. */
#include "daemon/look.h"

#include "base/escape.h"
#include "base/number.h"
#include "elect/keys.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const int64_t AGAIN = 3 * ONCE_NSEC_PER_SEC;	  /* for nodes and terms */
static const int64_t AGAIN_RUNS = 10 * ONCE_NSEC_PER_SEC; /* for runs, which are many */
enum {
	JOBS_AT_ONCE = 4,
	JOBS_OF_A_LOOK = 40,
	BYTES_OF_A_LOOK = 1 << 20,
	TAILS_OF_A_JOB = 64 * 1024,
};

struct look {
	const struct config *config; /* borrowed, as these */
	struct facts *facts;
	struct once_client *client;
	struct once_loop *loop;
	void (*changed)(void *userdata);
	void *userdata;
	struct once_call *call; /* NULL: idle */
	struct once_instant looked, looked_runs;
	struct facts_group *group;
	struct facts_term found[FACTS_TERMS_MAX];
	size_t n_found;
	int64_t known; /* token of the latest term that was known before; 0: none */
	size_t next_job, jobs_left, bytes;
	struct facts_job *asked[JOBS_AT_ONCE];
	size_t n_asked;
	uint64_t asked_version; /* jobs are what they were as long as it is that */
};

static void read_runs(struct look *l);
static void read_term(struct look *l, int64_t revision);

/* ---- values ---------------------------------------------------------------------------------- */

/* The word after NAME= in a value of words; empty when there is none. */
static void word_of(char *out, size_t size, struct once_bytes value, const char *name)
{
	const char *at = value.data, *end = at + value.size;
	size_t n = strlen(name);

	out[0] = '\0';
	while (at < end) {
		const char *blank = memchr(at, ' ', (size_t)(end - at));
		size_t word = (size_t)((blank ? blank : end) - at);

		if (word > n && memcmp(at, name, n) == 0) {
			(void)escape_line(out, size, at + n, word - n);
			return;
		}
		at += word + 1;
	}
}

static int64_t moment_of(struct once_bytes value, const char *name)
{
	char text[ONCE_UTC_SIZE];
	int64_t ms;

	word_of(text, sizeof(text), value, name);
	return text[0] && once_utc_parse(&ms, text, strlen(text)) == 0 ? ms : 0;
}

static const struct once_kv *only(const struct once_op_result *result)
{
	return result->n_kvs > 0 ? &result->kvs[0] : NULL;
}

/* ---- nodes ----------------------------------------------------------------------------------- */

static void take_nodes(struct look *l, const struct once_op_result *result)
{
	size_t skip = strlen(l->config->prefix) + strlen("/nodes/");
	struct facts *f = l->facts;

	f->n_nodes = 0;
	for (size_t i = 0; i < result->n_kvs && f->n_nodes < FACTS_NODES_MAX; i++) {
		const struct once_kv *kv = &result->kvs[i];
		struct facts_node *node = &f->nodes[f->n_nodes];

		if (kv->key.size <= skip)
			continue;
		(void)escape_line(node->name, sizeof(node->name), (const char *)kv->key.data + skip,
			kv->key.size - skip);
		word_of(node->address, sizeof(node->address), kv->value, "address=");
		f->n_nodes++;
	}
}

/* ---- terms ----------------------------------------------------------------------------------- */

/* How the term stood at a revision after it: leader, epoch, clean, ended. */
static void take_end(struct facts_term *term, const struct once_op_result *results)
{
	const struct once_kv *leader = only(&results[0]), *clean = only(&results[2]),
			     *ended = only(&results[3]);
	char token[32], said[32];
	int64_t clean_token;

	(void)snprintf(token, sizeof(token), "%lld", (long long)term->token);
	term->over = !leader || leader->create_revision != term->token;
	if (!term->over)
		return;
	if (ended)
		word_of(said, sizeof(said), ended->value, "token=");
	if (ended && strcmp(said, token) == 0) {
		word_of(term->end, sizeof(term->end), ended->value, "reason=");
		word_of(term->ended_by, sizeof(term->ended_by), ended->value, "by=");
		term->until_ms = moment_of(ended->value, "at=");
	} else if (clean && keys_clean_read(&clean_token, clean->value) &&
		   clean_token == term->token) {
		(void)snprintf(term->end, sizeof(term->end), "clean");
	}
}

static void keep_terms(struct look *l)
{
	struct facts_group *g = l->group;
	size_t from = 0, n;

	while (from < g->n_terms && l->known != 0 && g->terms[from].token != l->known)
		from++;
	if (l->n_found > 0 && l->found[l->n_found - 1].token == l->known)
		from++; /* it was read again, with its end */
	n = l->known != 0 && from < g->n_terms ? g->n_terms - from : 0;
	if (n > FACTS_TERMS_MAX - l->n_found)
		n = FACTS_TERMS_MAX - l->n_found;
	memmove(g->terms + l->n_found, g->terms + from, n * sizeof(g->terms[0]));
	memcpy(g->terms, l->found, l->n_found * sizeof(g->terms[0]));
	g->n_terms = l->n_found + n;
}

static void finish_terms(struct look *l)
{
	keep_terms(l);
	l->facts->looked_ms = once_utc_now();
	l->facts->version++;
	l->changed(l->userdata);
	read_runs(l);
}

/* True: there is one before it that is not known. */
static bool take_term(struct look *l, const struct once_op_result *results)
{
	const struct once_kv *epoch = only(&results[1]);
	struct facts_term *term;

	if (!epoch)
		return false;
	term = &l->found[l->n_found++];
	*term = (struct facts_term){
		.token = epoch->mod_revision, .since_ms = moment_of(epoch->value, "since=")};
	word_of(term->node, sizeof(term->node), epoch->value, "node=");
	take_end(term, results);
	return epoch->version > 1 && term->token != l->known && l->n_found < FACTS_TERMS_MAX;
}

static void on_term(void *userdata, const struct once_response *response)
{
	struct look *l = userdata;

	l->call = NULL;
	if (response->error == -ESTALE) { /* compacted: what was found is all there is */
		finish_terms(l);
		return;
	}
	if (response->error < 0 || response->op.n_results != 4)
		return;
	if (take_term(l, response->op.results))
		read_term(l, l->found[l->n_found - 1].token - 1);
	else
		finish_terms(l);
}

struct term_keys {
	char epoch[ONCE_KEY_SIZE], clean[ONCE_KEY_SIZE], ended[ONCE_KEY_SIZE], nodes[ONCE_KEY_SIZE],
		nodes_end[ONCE_KEY_SIZE];
};

static void term_ops(
	const struct look *l, struct term_keys *k, struct once_op ops[4], int64_t revision)
{
	const char *prefix = l->config->prefix, *group = l->group->name;

	(void)snprintf(k->epoch, sizeof(k->epoch), "%s/g/%s/epoch", prefix, group);
	(void)snprintf(k->clean, sizeof(k->clean), "%s/g/%s/clean", prefix, group);
	(void)snprintf(k->ended, sizeof(k->ended), "%s/g/%s/ended", prefix, group);
	ops[0] = (struct once_op){.key = once_str(l->config->key)};
	ops[1] = (struct once_op){.key = once_str(k->epoch)};
	ops[2] = (struct once_op){.key = once_str(k->clean)};
	ops[3] = (struct once_op){.key = once_str(k->ended)};
	for (size_t i = 0; i < 4; i++) {
		ops[i].kind = ONCE_OP_RANGE;
		ops[i].revision = revision;
		ops[i].limit = 1;
	}
}

static void ask(struct look *l, const struct once_op *ops, size_t n, once_done_fn *done)
{
	struct once_txn txn = {.success = ops, .n_success = n};
	struct once_call_options options = {
		ONCE_LANE_BULK, 2 * l->config->timing.request_timeout_ns};

	if (once_txn(l->client, &l->call, &options, &txn, done, l) < 0)
		l->call = NULL;
}

static void read_term(struct look *l, int64_t revision)
{
	struct term_keys keys;
	struct once_op ops[4];

	term_ops(l, &keys, ops, revision);
	ask(l, ops, 4, on_term);
}

static void on_looked(void *userdata, const struct once_response *response)
{
	struct look *l = userdata;

	l->call = NULL;
	if (response->error < 0 || response->op.n_results != 5)
		return;
	take_nodes(l, &response->op.results[4]);
	if (take_term(l, response->op.results))
		read_term(l, l->found[l->n_found - 1].token - 1);
	else
		finish_terms(l);
}

static void read_all(struct look *l)
{
	struct term_keys keys;
	struct once_op ops[5];

	term_ops(l, &keys, ops, 0);
	(void)snprintf(keys.nodes, sizeof(keys.nodes), "%s/nodes/", l->config->prefix);
	ops[4] = (struct once_op){
		.kind = ONCE_OP_RANGE, .key = once_str(keys.nodes), .limit = FACTS_NODES_MAX};
	ops[4].range_end =
		(struct once_bytes){keys.nodes_end, once_prefix_end(ops[4].key, keys.nodes_end)};
	ask(l, ops, 5, on_looked);
}

/* ---- runs ------------------------------------------------------------------------------------ */

static void take_runs(struct look *l, struct facts_job *job, const struct once_op_result *result)
{
	struct once_run *run;
	struct once_key key;
	size_t n = 0;

	for (size_t i = 0; i < result->n_kvs; i++) {
		l->bytes += result->kvs[i].value.size;
		if (once_key_parse(&key, l->config->prefix, result->kvs[i].key) < 0 ||
			once_run_decode(&run, result->kvs[i].value) < 0)
			continue;
		facts_known_run(l->facts, job, n++, run, key.at_ms);
		once_run_free(run);
	}
}

static void on_runs(void *userdata, const struct once_response *response)
{
	struct look *l = userdata;

	l->call = NULL;
	if (response->error < 0 || response->op.n_results != l->n_asked ||
		l->asked_version != l->facts->reloads)
		return;
	for (size_t i = 0; i < l->n_asked; i++)
		take_runs(l, l->asked[i], &response->op.results[i]);
	l->facts->version++;
	l->changed(l->userdata);
	read_runs(l);
}

/* A leader knows its own runs. Of others it may have read before it led; those that had no end then may have
 * got one. */
static bool is_wanted(const struct look *l, const struct facts_job *job)
{
	const struct facts_group *g = facts_group(l->facts, job->group);
	int64_t token = g ? g->token : 0;
	bool open = false;

	for (size_t i = 0; i < job->n_runs; i++)
		open |= job->runs[i].state == ONCE_RUN_BEGUN && job->runs[i].token != token;
	return job->type == CONFIG_JOB_CRON && (token == 0 || job->n_runs == 0 || open);
}

static void read_runs(struct look *l)
{
	char keys[JOBS_AT_ONCE][ONCE_KEY_SIZE], ends[JOBS_AT_ONCE][ONCE_KEY_SIZE];
	struct once_op ops[JOBS_AT_ONCE];
	struct facts *f = l->facts;

	l->n_asked = 0;
	for (; f->n_jobs > 0 && l->jobs_left > 0 && l->n_asked < JOBS_AT_ONCE &&
		l->bytes < BYTES_OF_A_LOOK;
		l->jobs_left--) {
		struct facts_job *job = &f->jobs[l->next_job++ % f->n_jobs];
		int64_t fit = TAILS_OF_A_JOB / (job->output_tail + 1024);

		if (!is_wanted(l, job) ||
			once_key_prefix(keys[l->n_asked], f->prefix, ONCE_KEY_RUN, job->name) < 0)
			continue;
		ops[l->n_asked] = (struct once_op){.kind = ONCE_OP_RANGE,
			.key = once_str(keys[l->n_asked]),
			.limit = fit < 1		? 1
				 : fit > FACTS_RUNS_MAX ? FACTS_RUNS_MAX
							: fit,
			.sort_order = ONCE_SORT_DESCEND,
			.sort_target = ONCE_SORT_KEY};
		ops[l->n_asked].range_end = (struct once_bytes){
			ends[l->n_asked], once_prefix_end(ops[l->n_asked].key, ends[l->n_asked])};
		l->asked[l->n_asked++] = job;
	}
	l->asked_version = f->reloads;
	if (l->n_asked > 0)
		ask(l, ops, l->n_asked, on_runs);
}

/* ---- when ------------------------------------------------------------------------------------ */

static bool knows_leader(const struct facts_group *g)
{
	return g->n_terms > 0 &&
	       (g->leader_token == 0 ? g->terms[0].over : g->terms[0].token == g->leader_token);
}

void look_now(struct look *l)
{
	struct once_instant now = l->loop->ops->now(l->loop);
	int64_t age = once_elapsed_max(l->looked, now);
	struct facts_group *g = l->facts->groups[0];

	if (l->call || age < AGAIN / 10 || (age < AGAIN && knows_leader(g)))
		return;
	l->looked = now;
	l->group = g;
	l->n_found = 0;
	l->known = g->n_terms > 0 ? g->terms[0].token : 0;
	l->jobs_left = l->bytes = 0;
	if (once_elapsed_max(l->looked_runs, now) >= AGAIN_RUNS) {
		l->looked_runs = now;
		l->jobs_left =
			l->facts->n_jobs < JOBS_OF_A_LOOK ? l->facts->n_jobs : JOBS_OF_A_LOOK;
	}
	read_all(l);
}

/* ---- life ------------------------------------------------------------------------------------ */

int look_new(struct look **ret, const struct config *config, struct facts *facts,
	struct once_client *client, struct once_loop *loop, void (*changed)(void *userdata),
	void *userdata)
{
	struct look *l = calloc(1, sizeof(*l));

	if (!l)
		return -ENOMEM;
	l->config = config;
	l->facts = facts;
	l->client = client;
	l->loop = loop;
	l->changed = changed;
	l->userdata = userdata;
	*ret = l;
	return 0;
}

struct look *look_free(struct look *l)
{
	if (l)
		l->call = once_call_cancel(l->call);
	free(l);
	return NULL;
}
