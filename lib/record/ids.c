/* One block of numbers, by compare-and-swap.
 *
 *	READ -> SWAP -> ours	      -> fn()
 *		     -> another's -> SWAP from what the failure branch shows
 *
 * A swap whose answer is lost is settled by sending it again: then the branch shows our bytes, or
 * another's. If another's, ours may have been before it or never: its numbers are given up, so there
 * is a gap and never a duplicate. The bytes hold a random id, so two allocators never write the
 * same. */
#include "record/code.h"
#include "record/records.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VALUE_SIZE = 160 };

struct alloc {
	struct once_task base; /* first */
	struct once_records *records;
	struct once_call *call; /* READ */
	struct once_task *swap;
	struct once_timer *timer;
	char key[ONCE_KEY_SIZE], value[VALUE_SIZE];
	int64_t mod_revision, next; /* as last read */
	int64_t floor, count, timeout_ns;
	struct once_instant since;
	once_ids_fn *fn;
	void *userdata;
};

static void alloc_free(struct once_task *task)
{
	struct alloc *a = (struct alloc *)task;

	a->call = once_call_cancel(a->call);
	a->swap = once_task_cancel(a->swap);
	if (a->timer)
		a->records->loop->ops->timer_free(a->timer);
	task_fini(&a->base);
	free(a);
}

static int64_t left_ns(const struct alloc *a)
{
	return a->timeout_ns -
	       once_elapsed_max(a->since, a->records->loop->ops->now(a->records->loop));
}

static void finish(struct alloc *a, int error, const char *message)
{
	once_ids_fn *fn = a->fn;
	void *userdata = a->userdata;
	int64_t first = error ? 0 : a->next, count = error ? 0 : a->count;

	alloc_free(&a->base);
	fn(userdata, error, first, count, message);
}

/* What the key holds: *next, or false. */
static bool counter(struct once_bytes value, int64_t *next)
{
	struct object *object;
	bool ok;

	if (code_read(&object, value, ONCE_KEY_SIZE) < 0)
		return false;
	*next = object_i64(object, "next", 1, INT64_MAX);
	ok = object_error(object) == 0 && *next > 0;
	object = object_free(object);
	return ok;
}

/* Takes over what a range shows. False: finished with an error. */
static bool look(struct alloc *a, const struct once_op_result *range)
{
	const struct once_kv *kv = range->n_kvs ? &range->kvs[0] : NULL;
	int64_t next = 1;

	if (kv && !counter(kv->value, &next)) {
		finish(a, -EBADMSG, "the key holds no counter");
		return false;
	}
	if (next < a->floor) {
		finish(a, -ESTALE,
			"the counter went back: the key was deleted, or etcd was restored");
		return false;
	}
	if (next > INT64_MAX - a->count) {
		finish(a, -EOVERFLOW, "fewer numbers are left");
		return false;
	}
	a->mod_revision = kv ? kv->mod_revision : 0;
	a->next = next;
	return true;
}

static void swap(struct alloc *a);

static void on_swapped(void *userdata, const struct once_response *response)
{
	struct alloc *a = userdata;
	const struct once_op_result *range = response->op.results;

	a->swap = NULL;
	if (response->outcome != ONCE_APPLIED || response->error < 0) {
		finish(a, response->error ? response->error : -ETIMEDOUT, response->message);
		return;
	}
	if (response->op.succeeded) {
		finish(a, 0, "");
		return;
	}
	if (response->op.n_results != 1) {
		finish(a, -EBADMSG, once_strerror(-EBADMSG));
		return;
	}
	if (range->n_kvs && range->kvs[0].value.size == strlen(a->value) &&
		memcmp(range->kvs[0].value.data, a->value, strlen(a->value)) == 0) {
		finish(a, 0, "");
		return;
	}
	if (look(a, range))
		swap(a);
}

static int start_swap(struct alloc *a)
{
	struct once_bytes key = once_str(a->key);
	struct once_compare compare = {
		.target = ONCE_COMPARE_MOD, .key = key, .number = a->mod_revision};
	struct once_op put = {.kind = ONCE_OP_PUT, .key = key},
		       range = {.kind = ONCE_OP_RANGE, .key = key};
	struct once_txn txn = {&compare, 1, &put, 1, &range, 1};
	char id[ONCE_RUN_ID_SIZE];
	struct buf out;
	int64_t left = left_ns(a);
	int r = once_run_id_new(id);

	if (r < 0)
		return r;
	if (left <= 0)
		return -ETIMEDOUT;
	buf_init(&out, sizeof(a->value) - 1);
	code_begin(&out);
	object_put_i64(&out, "next", a->next + a->count);
	object_put_text(&out, "by", id);
	r = object_end(&out);
	if (r == 0)
		memcpy(a->value, out.data, out.size + 1);
	buf_fini(&out);
	put.value = once_str(a->value);
	return r < 0 ? r : once_settle(a->records, &a->swap, &txn, left, on_swapped, a);
}

static void swap(struct alloc *a)
{
	int r = start_swap(a);

	if (r < 0)
		finish(a, r, once_strerror(r));
}

static void on_read(void *userdata, const struct once_response *response)
{
	struct alloc *a = userdata;
	bool again = response->error == -EHOSTUNREACH || response->error == -ETIMEDOUT ||
		     response->error == -ECONNRESET || response->error == -EAGAIN;

	a->call = NULL;
	if (again && left_ns(a) > 0)
		a->records->loop->ops->timer_set(a->timer, 50 * ONCE_NSEC_PER_MSEC);
	else if (response->error < 0)
		finish(a, response->error, response->message);
	else if (look(a, &response->op))
		swap(a);
}

static void on_timer(void *userdata)
{
	struct alloc *a = userdata;
	struct once_call_options options = records_options(a->records);
	struct once_op range = {.kind = ONCE_OP_RANGE, .key = once_str(a->key)};
	int64_t left = left_ns(a);
	int r;

	if (left < options.timeout_ns)
		options.timeout_ns = left > 0 ? left : 1;
	r = once_kv(a->records->client, &a->call, &options, &range, on_read, a);
	if (r < 0)
		finish(a, r, once_strerror(r));
}

int ids_alloc(struct once_records *records, struct once_task **ret_task, const char *name,
	int64_t count, int64_t timeout_ns, int64_t floor, once_ids_fn *fn, void *userdata)
{
	struct alloc *a;

	if (count < 1 || count > ONCE_IDS_MAX || !once_id_valid(name))
		return -EINVAL;
	a = calloc(1, sizeof(*a));
	if (!a)
		return -ENOMEM;
	task_init(&a->base, records, alloc_free);
	a->records = records;
	a->count = count;
	a->timeout_ns = timeout_ns > 0 ? timeout_ns : records->settle_timeout_ns;
	a->since = records->loop->ops->now(records->loop);
	a->floor = floor;
	a->fn = fn;
	a->userdata = userdata;
	a->timer = records->loop->ops->timer_new(records->loop, on_timer, a);
	if (!a->timer || once_key_make(a->key, records->prefix, ONCE_KEY_IDS, name, NULL, 0) < 0) {
		alloc_free(&a->base);
		return -ENOMEM;
	}
	records->loop->ops->timer_set(a->timer, 0);
	if (ret_task)
		*ret_task = &a->base;
	return 0;
}

int once_ids_alloc(struct once_records *records, struct once_task **ret_task, const char *name,
	int64_t count, int64_t timeout_ns, once_ids_fn *fn, void *userdata)
{
	return ids_alloc(records, ret_task, name, count, timeout_ns, 0, fn, userdata);
}
