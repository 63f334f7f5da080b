/* Begin, end, decide: a record is written if it is still the one that was meant.
 *
 *	settle(txn) -> its success branch		 -> DONE
 *		    -> its failure branch shows our bytes -> DONE, by an earlier copy
 *		    -> the leader is another		 -> FENCED
 *		    -> the record is another		 -> EXISTS, CHANGED
 *		    -> neither				 -> WITHDRAWN: it was the other compare
 *
 * "Our bytes" are unique to one writer: they hold a random id, the attempt and the token. */
#include "record/records.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { OPS_MAX = ONCE_RESULTS_MAX + 4 };

struct write {
	struct once_task base; /* first */
	struct once_task *settle;
	struct once_bytes value; /* behind the struct */
	int64_t mod_revision, token;
	bool guarded, compared;
	once_ledger_fn *fn;
	void *userdata;
};

static const char *const messages[] = {
	[ONCE_LEDGER_DONE] = "written",
	[ONCE_LEDGER_FENCED] = "the term is over: another leads, or nobody",
	[ONCE_LEDGER_EXISTS] = "there is a record already",
	[ONCE_LEDGER_CHANGED] = "the record is another now",
	[ONCE_LEDGER_WITHDRAWN] = "what was asked for was withdrawn",
	[ONCE_LEDGER_UNDONE] = "the flow is being undone, or was",
};

static void write_free(struct once_task *task)
{
	struct write *w = (struct write *)task;

	w->settle = once_task_cancel(w->settle);
	task_fini(&w->base);
	free(w);
}

static void finish(struct write *w, struct once_ledger_answer *answer)
{
	once_ledger_fn *fn = w->fn;
	void *userdata = w->userdata;

	if (answer->result >= 0)
		answer->message = messages[answer->result];
	write_free(&w->base);
	fn(userdata, answer);
}

/* What a failed compare means; kv is the record, NULL: absent. */
static int judge(const struct write *w, const struct once_kv *kv, const struct once_kv *leader)
{
	if (kv && kv->value.size == w->value.size &&
		memcmp(kv->value.data, w->value.data, w->value.size) == 0)
		return ONCE_LEDGER_DONE;
	if (w->guarded && (!leader || leader->create_revision != w->token))
		return ONCE_LEDGER_FENCED;
	if ((kv ? kv->mod_revision : 0) != w->mod_revision)
		return w->mod_revision ? ONCE_LEDGER_CHANGED : ONCE_LEDGER_EXISTS;
	return w->compared ? ONCE_LEDGER_WITHDRAWN : -EBADMSG;
}

static const struct once_kv *one(const struct once_response *response, size_t i)
{
	const struct once_op_result *result = &response->op.results[i];

	return result->n_kvs ? &result->kvs[0] : NULL;
}

/* The txn was answered with its failure branch. */
static void refused(struct write *w, const struct once_response *response)
{
	const struct once_kv *kv = one(response, 0);
	struct once_ledger_answer answer = {
		.result = judge(w, kv, w->guarded ? one(response, 1) : NULL),
		.outcome = ONCE_NOT_APPLIED,
		.mod_revision = kv ? kv->mod_revision : 0,
		.revision = response->revision,
		.message = "the server refuses a guard that holds"};
	struct once_run *run = NULL;

	if (answer.result == ONCE_LEDGER_DONE)
		answer.outcome = ONCE_APPLIED;
	else if (kv)
		(void)once_run_decode(&run, kv->value);
	answer.run = run;
	finish(w, &answer);
	run = once_run_free(run);
}

static void on_settled(void *userdata, const struct once_response *response)
{
	struct write *w = userdata;
	struct once_ledger_answer answer = {.result = response->error,
		.outcome = response->outcome,
		.revision = response->revision,
		.message = response->message};
	size_t expected = w->guarded ? 2 : 1;

	w->settle = NULL;
	if (response->outcome == ONCE_APPLIED && response->error == 0 && !response->op.succeeded &&
		response->op.n_results == expected) {
		refused(w, response);
		return;
	}
	if (response->outcome == ONCE_APPLIED && response->error == 0 && !response->op.succeeded) {
		answer.result = -EBADMSG;
		answer.outcome = ONCE_UNKNOWN;
		answer.message = once_strerror(-EBADMSG);
	} else if (response->outcome == ONCE_APPLIED && response->error == 0) {
		answer.mod_revision = response->revision; /* of the put */
	}
	finish(w, &answer);
}

static int start(struct write *w, struct once_records *records, const struct ledger_write *write,
	int64_t timeout_ns)
{
	struct once_bytes key = once_str(write->key), leader = {NULL, 0};
	struct once_compare compares[3];
	struct once_op success[OPS_MAX], failure[2];
	struct once_txn txn = {compares, 1, success, 1, failure, 1};

	compares[0] = (struct once_compare){
		.target = ONCE_COMPARE_MOD, .key = key, .number = write->mod_revision};
	success[0] = (struct once_op){.kind = ONCE_OP_PUT, .key = key, .value = w->value};
	failure[0] = (struct once_op){.kind = ONCE_OP_RANGE, .key = key};
	if (write->term) {
		leader = once_str(write->term->key);
		compares[txn.n_compares++] = (struct once_compare){
			.target = ONCE_COMPARE_CREATE, .key = leader, .number = write->term->token};
		failure[txn.n_failure++] = (struct once_op){.kind = ONCE_OP_RANGE, .key = leader};
	}
	if (write->compare)
		compares[txn.n_compares++] = *write->compare;
	for (size_t i = 0; i < write->n_ops; i++)
		success[txn.n_success++] = write->ops[i];
	return once_settle(records, &w->settle, &txn, timeout_ns, on_settled, w);
}

int ledger_write(struct once_records *records, struct once_task **ret_task,
	const struct ledger_write *write, int64_t timeout_ns, once_ledger_fn *fn, void *userdata)
{
	struct write *w;
	int r;

	if (write->n_ops > OPS_MAX - 1 || (write->term && write->term->token <= 0))
		return -EINVAL;
	w = calloc(1, sizeof(*w) + write->value.size);
	if (!w)
		return -ENOMEM;
	task_init(&w->base, records, write_free);
	memcpy(w + 1, write->value.data, write->value.size);
	w->value = (struct once_bytes){w + 1, write->value.size};
	w->mod_revision = write->mod_revision;
	w->guarded = write->term != NULL;
	w->token = write->term ? write->term->token : 0;
	w->compared = write->compare != NULL;
	w->fn = fn;
	w->userdata = userdata;
	r = start(w, records, write, timeout_ns);
	if (r < 0) {
		write_free(&w->base);
		return r;
	}
	if (ret_task)
		*ret_task = &w->base;
	return 0;
}

/* Encodes run as the value and writes. */
static int write_run(struct once_records *records, struct once_task **ret_task,
	struct ledger_write *write, const struct once_run *run, int64_t timeout_ns,
	once_ledger_fn *fn, void *userdata)
{
	char *text;
	size_t size;
	int r = once_run_encode(&text, &size, run);

	if (r < 0)
		return r;
	write->value = (struct once_bytes){text, size};
	r = ledger_write(records, ret_task, write, timeout_ns, fn, userdata);
	free(text);
	return r;
}

int once_ledger_begin(struct once_records *records, struct once_task **ret_task,
	const struct once_begin *begin, int64_t timeout_ns, once_ledger_fn *fn, void *userdata)
{
	struct once_op ops[2];
	struct once_compare compare;
	struct ledger_write write = {.key = begin->key, .term = begin->term, .ops = ops};

	if (begin->run->state != ONCE_RUN_BEGUN && begin->run->state != ONCE_RUN_SKIPPED)
		return -EINVAL;
	if (begin->cursor_key)
		ops[write.n_ops++] = (struct once_op){.kind = ONCE_OP_PUT,
			.key = once_str(begin->cursor_key),
			.value = once_str(begin->cursor_value)};
	if (begin->trigger_key) {
		ops[write.n_ops++] = (struct once_op){
			.kind = ONCE_OP_DELETE, .key = once_str(begin->trigger_key)};
		compare = (struct once_compare){.target = ONCE_COMPARE_CREATE,
			.result = ONCE_GREATER,
			.key = once_str(begin->trigger_key)};
		write.compare = &compare;
	}
	return write_run(records, ret_task, &write, begin->run, timeout_ns, fn, userdata);
}

/* Puts and deletes of single keys, none twice, none the record's. */
static bool results_valid(const char *key, const struct once_op *results, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct once_bytes a = results[i].key, b = once_str(key);

		if (results[i].kind != ONCE_OP_PUT && results[i].kind != ONCE_OP_DELETE)
			return false;
		if (a.size == 0 || (results[i].kind == ONCE_OP_DELETE && results[i].range_end.size))
			return false;
		for (size_t j = 0; j <= i; j++) {
			if (a.size == b.size && memcmp(a.data, b.data, a.size) == 0)
				return false;
			b = results[j].key;
		}
	}
	return n <= ONCE_RESULTS_MAX;
}

int once_ledger_end(struct once_records *records, struct once_task **ret_task, const char *key,
	int64_t mod_revision, const struct once_run *run, const struct once_op *results,
	size_t n_results, int64_t timeout_ns, once_ledger_fn *fn, void *userdata)
{
	struct ledger_write write = {
		.key = key, .mod_revision = mod_revision, .ops = results, .n_ops = n_results};

	if (run->state == ONCE_RUN_BEGUN || mod_revision <= 0 ||
		!results_valid(key, results, n_results))
		return -EINVAL;
	return write_run(records, ret_task, &write, run, timeout_ns, fn, userdata);
}

int once_ledger_decide(struct once_records *records, struct once_task **ret_task, const char *key,
	int64_t mod_revision, const struct once_run *run, const struct once_term *term,
	int64_t timeout_ns, once_ledger_fn *fn, void *userdata)
{
	struct ledger_write write = {.key = key, .mod_revision = mod_revision, .term = term};

	if (mod_revision <= 0)
		return -EINVAL;
	return write_run(records, ret_task, &write, run, timeout_ns, fn, userdata);
}
