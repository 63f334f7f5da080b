/* A job's history, kept short.
 *
 *	list -> which are too many -> delete them in batches, guarded -> done()
 *
 * Each delete compares the leader's key and the revision that was read, as every write of a leader:
 * a predecessor's clean-up that comes late must not reach what its successor wrote. A batch that is
 * refused because a record changed meanwhile ends the trim; the next one sees it. */
#include "record/records.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH = 50 };

enum class { OK, FAILED, SKIPPED, CLASSES };

struct item {
	int64_t at_ms, mod_revision;
	enum class class;
};

struct trim {
	struct once_task base; /* first */
	struct once_records *records;
	struct once_task *task; /* list or settle */
	char job[ONCE_NAME_MAX + 1];
	char *leader; /* owned */
	int64_t token;
	struct once_history keep;
	struct item *items; /* owned */
	size_t n_items, cap_items, at, batch;
	int64_t deleted;
	once_trim_fn *done;
	void *userdata;
};

static void trim_free(struct once_task *task)
{
	struct trim *t = (struct trim *)task;

	t->task = once_task_cancel(t->task);
	task_fini(&t->base);
	free(t->leader);
	free(t->items);
	free(t);
}

static void finish(struct trim *t, int error, const char *message)
{
	once_trim_fn *done = t->done;
	void *userdata = t->userdata;
	int64_t deleted = t->deleted;

	trim_free(&t->base);
	done(userdata, error, deleted, message);
}

static int on_row(void *userdata, const struct once_row *row)
{
	struct trim *t = userdata;
	struct item item = {row->key.at_ms, row->mod_revision, FAILED};

	if (!row->run || row->run->state == ONCE_RUN_BEGUN)
		return 0;
	if (row->run->state == ONCE_RUN_OK)
		item.class = OK;
	else if (row->run->state == ONCE_RUN_SKIPPED)
		item.class = SKIPPED;
	if (t->n_items == t->cap_items) {
		size_t cap = t->cap_items ? t->cap_items * 2 : 64;
		struct item *items = reallocarray(t->items, cap, sizeof(*items));

		if (!items)
			return -ENOMEM;
		t->items = items;
		t->cap_items = cap;
	}
	t->items[t->n_items++] = item;
	return 0;
}

/* Leaves only what goes, oldest first. */
static void choose(struct trim *t)
{
	uint32_t keep[CLASSES] = {
		[OK] = t->keep.ok, [FAILED] = t->keep.failed, [SKIPPED] = t->keep.failed};
	size_t seen[CLASSES] = {0}, n = t->n_items;

	/* from the latest on; what goes is moved to the end */
	for (size_t i = t->n_items; i-- > 0;) {
		struct item item = t->items[i];

		if (++seen[item.class] > keep[item.class])
			t->items[--n] = item;
	}
	t->at = n;
}

static void next_batch(struct trim *t);

static void on_deleted(void *userdata, const struct once_response *response)
{
	struct trim *t = userdata;
	const struct once_op_result *leader = response->op.results;

	t->task = NULL;
	if (response->error < 0 || response->outcome != ONCE_APPLIED) {
		finish(t, response->error ? response->error : -ETIMEDOUT, response->message);
	} else if (response->op.succeeded) {
		t->deleted += (int64_t)t->batch;
		t->at += t->batch;
		next_batch(t);
	} else if (response->op.n_results != 1 || leader->n_kvs != 1 ||
		   leader->kvs[0].create_revision != t->token) {
		finish(t, ONCE_LEDGER_FENCED, "the term is over: another leads, or nobody");
	} else {
		finish(t, 0, "");
	}
}

static int start_batch(struct trim *t)
{
	struct once_bytes leader = once_str(t->leader);
	struct once_compare compares[BATCH + 1];
	struct once_op deletes[BATCH], failure = {.kind = ONCE_OP_RANGE, .key = leader};
	struct once_txn txn = {compares, 1, deletes, 0, &failure, 1};
	char keys[BATCH][ONCE_KEY_SIZE];

	compares[0] = (struct once_compare){
		.target = ONCE_COMPARE_CREATE, .key = leader, .number = t->token};
	while (txn.n_success < BATCH && t->at + txn.n_success < t->n_items) {
		const struct item *item = &t->items[t->at + txn.n_success];
		char *key = keys[txn.n_success];
		int r = once_key_make(
			key, t->records->prefix, ONCE_KEY_RUN, t->job, NULL, item->at_ms);

		if (r < 0)
			return r;
		compares[txn.n_compares++] = (struct once_compare){.target = ONCE_COMPARE_MOD,
			.key = once_str(key),
			.number = item->mod_revision};
		deletes[txn.n_success++] =
			(struct once_op){.kind = ONCE_OP_DELETE, .key = once_str(key)};
	}
	t->batch = txn.n_success;
	return once_settle(t->records, &t->task, &txn, 0, on_deleted, t);
}

static void next_batch(struct trim *t)
{
	int r;

	if (t->at == t->n_items) {
		finish(t, 0, "");
		return;
	}
	r = start_batch(t);
	if (r < 0)
		finish(t, r, once_strerror(r));
}

static void on_listed(void *userdata, int error, int64_t revision, const char *message)
{
	struct trim *t = userdata;

	(void)revision;
	t->task = NULL;
	if (error) {
		finish(t, error, message);
		return;
	}
	choose(t);
	next_batch(t);
}

int once_ledger_trim(struct once_records *records, struct once_task **ret_task, const char *job,
	const struct once_history *keep, const struct once_term *term, once_trim_fn *done,
	void *userdata)
{
	struct once_list list = {.kind = ONCE_KEY_RUN, .name = job};
	struct trim *t;
	int r;

	if (!once_name_valid(job) || term->token <= 0)
		return -EINVAL;
	t = calloc(1, sizeof(*t));
	if (!t)
		return -ENOMEM;
	task_init(&t->base, records, trim_free);
	t->records = records;
	memcpy(t->job, job, strlen(job) + 1);
	t->leader = strdup(term->key);
	t->token = term->token;
	t->keep = *keep;
	t->done = done;
	t->userdata = userdata;
	r = t->leader ? once_ledger_list(records, &t->task, &list, on_row, on_listed, t) : -ENOMEM;
	if (r < 0) {
		trim_free(&t->base);
		return r;
	}
	if (ret_task)
		*ret_task = &t->base;
	return 0;
}
