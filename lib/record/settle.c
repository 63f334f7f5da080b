/* One txn until its outcome is known.
 *
 *	AWAIT_ANSWER -> applied, or refused for good -> done()
 *		     -> unknown, or nobody there -> AWAIT_TIME -> AWAIT_ANSWER with the same bytes
 *
 * The class of an answer is that of one attempt: after one that is unknown the whole stays unknown
 * until an answer of a branch tells, whatever refusals come later. And then the branch that shows
 * what is there has to come twice, the same: it alone says what became of an attempt that went
 * through, and without TLS the path may have changed a bit of it, as perhaps of the answer before. */
#include "record/records.h"

#include "base/arena.h"
#include "base/crc32c.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const int64_t pause_first_ns = 20 * ONCE_NSEC_PER_MSEC, pause_most_ns = ONCE_NSEC_PER_SEC;

struct settle {
	struct once_task base; /* first */
	struct once_records *records;
	struct once_call *call;
	struct once_timer *timer;
	struct arena arena; /* the txn */
	struct once_txn txn;
	struct once_instant since;
	int64_t timeout_ns, pause_ns;
	bool unknown; /* an attempt was */
	bool shown;   /* what is there, once */
	uint32_t digest;
	once_done_fn *done;
	void *userdata;
};

static void settle_free(struct once_task *task)
{
	struct settle *s = (struct settle *)task;

	s->call = once_call_cancel(s->call);
	if (s->timer)
		s->records->loop->ops->timer_free(s->timer);
	task_fini(&s->base);
	arena_fini(&s->arena);
	free(s);
}

static int64_t left_ns(const struct settle *s)
{
	const struct once_loop *loop = s->records->loop;

	return s->timeout_ns - once_elapsed_max(s->since, loop->ops->now(s->records->loop));
}

/* Nobody was reached, or nobody had time: another attempt may do better. */
static bool passes(int error)
{
	return error == -EHOSTUNREACH || error == -ETIMEDOUT || error == -ECONNRESET ||
	       error == -EAGAIN || error == -ENOMEM;
}

static void finish(struct settle *s, const struct once_response *response)
{
	struct once_response last = *response;
	once_done_fn *done = s->done;
	void *userdata = s->userdata;

	if (s->unknown && last.outcome != ONCE_APPLIED)
		last.outcome = ONCE_UNKNOWN;
	settle_free(&s->base);
	done(userdata, &last);
}

static uint32_t digest_of(const struct once_response *response)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < response->op.n_results; i++) {
		const struct once_op_result *result = &response->op.results[i];

		sum = crc32c(sum, &result->n_kvs, sizeof(result->n_kvs));
		for (size_t k = 0; k < result->n_kvs; k++) {
			const struct once_kv *kv = &result->kvs[k];
			const int64_t numbers[] = {
				kv->create_revision, kv->mod_revision, kv->version, kv->lease};

			sum = crc32c(sum, numbers, sizeof(numbers));
			sum = crc32c(sum, kv->key.data, kv->key.size);
			sum = crc32c(sum, kv->value.data, kv->value.size);
		}
	}
	return sum;
}

/* What is there, and nobody has said the same before. */
static bool to_be_confirmed(struct settle *s, const struct once_response *response)
{
	uint32_t digest;
	bool same;

	if (!s->unknown || response->outcome != ONCE_APPLIED || response->error != 0 ||
		response->op.succeeded)
		return false;
	digest = digest_of(response);
	same = s->shown && s->digest == digest;
	s->shown = true;
	s->digest = digest;
	return !same;
}

static int attempt(struct settle *s);

static void on_answer(void *userdata, const struct once_response *response)
{
	struct settle *s = userdata;
	int64_t left = left_ns(s);

	s->call = NULL;
	s->unknown = s->unknown || response->outcome == ONCE_UNKNOWN;
	if (to_be_confirmed(s, response)) {
		struct once_response doubtful = {
			.error = -ETIMEDOUT, .outcome = ONCE_UNKNOWN, .endpoint = response->endpoint};

		if (left > 0 && attempt(s) == 0)
			return;
		(void)strncpy(doubtful.message, once_strerror(-ETIMEDOUT), sizeof(doubtful.message) - 1);
		finish(s, &doubtful);
		return;
	}
	if (response->outcome == ONCE_APPLIED || left <= 0 ||
		(response->outcome == ONCE_NOT_APPLIED && !passes(response->error))) {
		finish(s, response);
		return;
	}
	s->records->loop->ops->timer_set(s->timer, s->pause_ns < left ? s->pause_ns : left);
	s->pause_ns = s->pause_ns * 2 < pause_most_ns ? s->pause_ns * 2 : pause_most_ns;
}

static int attempt(struct settle *s)
{
	struct once_call_options options = records_options(s->records);
	int64_t left = left_ns(s);

	if (left < options.timeout_ns)
		options.timeout_ns = left > 0 ? left : 1;
	return once_txn(s->records->client, &s->call, &options, &s->txn, on_answer, s);
}

static void on_timer(void *userdata)
{
	struct settle *s = userdata;
	int r = attempt(s);

	if (r < 0) {
		struct once_response none = {
			.error = r, .outcome = ONCE_NOT_APPLIED, .endpoint = ""};

		(void)strncpy(none.message, once_strerror(r), sizeof(none.message) - 1);
		on_answer(s, &none);
	}
}

static bool copy_bytes(struct settle *s, struct once_bytes *bytes)
{
	void *copy = arena_copy(&s->arena, bytes->data, bytes->size);

	if (bytes->size == 0)
		return true;
	bytes->data = copy;
	return copy != NULL;
}

static const struct once_op *copy_ops(struct settle *s, const struct once_op *ops, size_t n)
{
	struct once_op *copies = arena_array(&s->arena, n, sizeof(*ops));

	for (size_t i = 0; copies && i < n; i++) {
		copies[i] = ops[i];
		if (!copy_bytes(s, &copies[i].key) || !copy_bytes(s, &copies[i].range_end) ||
			!copy_bytes(s, &copies[i].value))
			return NULL;
	}
	return copies;
}

static int copy_txn(struct settle *s, const struct once_txn *txn)
{
	struct once_compare *compares = arena_array(&s->arena, txn->n_compares, sizeof(*compares));

	s->txn = *txn;
	for (size_t i = 0; compares && i < txn->n_compares; i++) {
		compares[i] = txn->compares[i];
		if (!copy_bytes(s, &compares[i].key) || !copy_bytes(s, &compares[i].range_end) ||
			!copy_bytes(s, &compares[i].value))
			return -ENOMEM;
	}
	s->txn.compares = compares;
	s->txn.success = copy_ops(s, txn->success, txn->n_success);
	s->txn.failure = copy_ops(s, txn->failure, txn->n_failure);
	return compares && s->txn.success && s->txn.failure ? 0 : -ENOMEM;
}

static bool nests(const struct once_op *ops, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (ops[i].kind == ONCE_OP_TXN)
			return true;
	}
	return false;
}

int once_settle(struct once_records *records, struct once_task **ret_task,
	const struct once_txn *txn, int64_t timeout_ns, once_done_fn *done, void *userdata)
{
	struct settle *s;
	int r;

	if (nests(txn->success, txn->n_success) || nests(txn->failure, txn->n_failure))
		return -EINVAL;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	task_init(&s->base, records, settle_free);
	arena_init(&s->arena);
	s->records = records;
	s->since = records->loop->ops->now(records->loop);
	s->timeout_ns = timeout_ns > 0 ? timeout_ns : records->settle_timeout_ns;
	s->pause_ns = pause_first_ns;
	s->done = done;
	s->userdata = userdata;
	s->timer = records->loop->ops->timer_new(records->loop, on_timer, s);
	r = s->timer ? copy_txn(s, txn) : -ENOMEM;
	r = r ? r : attempt(s);
	if (r < 0) {
		settle_free(&s->base);
		return r;
	}
	if (ret_task)
		*ret_task = &s->base;
	return 0;
}
