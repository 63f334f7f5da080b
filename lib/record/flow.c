/* Which list of steps a flow has; see once/flow.h. */
#include "record/code.h"
#include "record/records.h"
#include <once/flow.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { VALUE_SIZE = 256 };

struct flow {
	struct once_task base; /* first */
	struct once_records *records;
	struct once_task *task;
	char name[ONCE_ID_MAX + 1], key[ONCE_KEY_SIZE];
	char hash[ONCE_HASH_SIZE];
	int64_t token; /* 0: not guarded */
	int64_t begun; /* steps */
	bool force;
	int64_t revision;
	once_flow_fn *fn;
	void *userdata;
};

static void flow_free(struct once_task *task)
{
	struct flow *f = (struct flow *)task;

	f->task = once_task_cancel(f->task);
	task_fini(&f->base);
	free(f);
}

static void finish(struct flow *f, int result, const char *hash, const char *message)
{
	once_flow_fn *fn = f->fn;
	void *userdata = f->userdata;
	char kept[ONCE_HASH_SIZE];

	memcpy(kept, hash, strlen(hash) + 1);
	flow_free(&f->base);
	fn(userdata, result, kept, message);
}

static struct flow *flow_new(
	struct once_records *records, const char *name, once_flow_fn *fn, void *userdata)
{
	struct flow *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	task_init(&f->base, records, flow_free);
	f->records = records;
	f->fn = fn;
	f->userdata = userdata;
	memcpy(f->name, name, strlen(name) + 1);
	(void)once_key_make(f->key, records->prefix, ONCE_KEY_FLOW, name, NULL, 0);
	return f;
}

/* ---- open ------------------------------------------------------------------------------------ */

static int encode(char out[VALUE_SIZE], const char *hash)
{
	struct buf buf;
	int r;

	buf_init(&buf, VALUE_SIZE - 1);
	code_begin(&buf);
	object_put_text(&buf, "hash", hash);
	r = object_end(&buf);
	if (r == 0)
		memcpy(out, buf.data, buf.size + 1);
	buf_fini(&buf);
	return r;
}

/* False: the value is none of a flow. */
static bool decode(char out[ONCE_HASH_SIZE], struct once_bytes value)
{
	struct object *object;
	bool ok;

	if (code_read(&object, value, VALUE_SIZE) < 0)
		return false;
	code_hex(object, "hash", out, ONCE_HASH_SIZE);
	ok = object_error(object) == 0;
	object = object_free(object);
	return ok;
}

static void on_opened(void *userdata, const struct once_response *response)
{
	struct flow *f = userdata;
	const struct once_op_result *results = response->op.results;
	char hash[ONCE_HASH_SIZE] = "";

	f->task = NULL;
	if (response->outcome != ONCE_APPLIED || response->error < 0)
		finish(f, response->error ? response->error : -ETIMEDOUT, "", response->message);
	else if (response->op.succeeded)
		finish(f, ONCE_LEDGER_DONE, f->hash, "opened");
	else if (response->op.n_results < (f->token ? 2 : 1))
		finish(f, -EBADMSG, "", once_strerror(-EBADMSG));
	else if (f->token && (!results[1].n_kvs || results[1].kvs[0].create_revision != f->token))
		finish(f, ONCE_LEDGER_FENCED, "", "the term is over: another leads, or nobody");
	else if (!results[0].n_kvs || !decode(hash, results[0].kvs[0].value))
		finish(f, -EBADMSG, "", "the key holds no flow");
	else if (strcmp(hash, f->hash) == 0)
		finish(f, ONCE_LEDGER_DONE, hash, "it was open");
	else
		finish(f, ONCE_LEDGER_CHANGED, hash, "it was opened with another list of steps");
}

static int open_start(struct flow *f, const struct once_term *term)
{
	struct once_bytes key = once_str(f->key);
	struct once_compare compares[2] = {{.target = ONCE_COMPARE_CREATE, .key = key}};
	struct once_op put = {.kind = ONCE_OP_PUT, .key = key};
	struct once_op ranges[2] = {{.kind = ONCE_OP_RANGE, .key = key}};
	struct once_txn txn = {compares, 1, &put, 1, ranges, 1};
	char value[VALUE_SIZE];
	int r = encode(value, f->hash);

	if (r < 0)
		return r;
	put.value = once_str(value);
	if (term) {
		compares[txn.n_compares++] = (struct once_compare){.target = ONCE_COMPARE_CREATE,
			.key = once_str(term->key),
			.number = term->token};
		ranges[txn.n_failure++] =
			(struct once_op){.kind = ONCE_OP_RANGE, .key = once_str(term->key)};
		f->token = term->token;
	}
	return once_settle(f->records, &f->task, &txn, 0, on_opened, f);
}

static int started(struct flow *f, struct once_task **ret_task, int r)
{
	if (r < 0)
		flow_free(&f->base);
	else if (ret_task)
		*ret_task = &f->base;
	return r;
}

int once_flow_open(struct once_records *records, struct once_task **ret_task, const char *flow,
	const char *hash, const struct once_term *term, once_flow_fn *fn, void *userdata)
{
	struct flow *f;

	if (!once_id_valid(flow) || !hash || !hash[0] || !code_hex_valid(hash, ONCE_HASH_SIZE) ||
		(term && term->token <= 0))
		return -EINVAL;
	f = flow_new(records, flow, fn, userdata);
	if (!f)
		return -ENOMEM;
	memcpy(f->hash, hash, strlen(hash) + 1);
	return started(f, ret_task, open_start(f, term));
}

/* ---- forget ---------------------------------------------------------------------------------- */

static int on_step(void *userdata, const struct once_row *row)
{
	struct flow *f = userdata;

	f->begun += row->run && row->run->state == ONCE_RUN_BEGUN;
	return 0;
}

static void on_forgotten(void *userdata, const struct once_response *response)
{
	struct flow *f = userdata;

	f->task = NULL;
	if (response->outcome != ONCE_APPLIED || response->error < 0)
		finish(f, response->error ? response->error : -ETIMEDOUT, "", response->message);
	else if (response->op.succeeded)
		finish(f, ONCE_LEDGER_DONE, "", "forgotten");
	else
		finish(f, ONCE_LEDGER_CHANGED, "", "a step was written meanwhile");
}

/* Deletes all if no step has changed since the list. The same txn again finds nothing: that is
 * done, too. */
static int forget_all(struct flow *f)
{
	char first[ONCE_KEY_SIZE], end[ONCE_KEY_SIZE];
	struct once_compare compare = {.target = ONCE_COMPARE_MOD, .result = ONCE_LESS};
	struct once_op deletes[2] = {
		{.kind = ONCE_OP_DELETE, .key = once_str(f->key)}, {.kind = ONCE_OP_DELETE}};
	struct once_txn txn = {&compare, 1, deletes, 2, NULL, 0};
	int r = once_key_prefix(first, f->records->prefix, ONCE_KEY_STEP, f->name);

	if (r < 0)
		return r;
	compare.key = deletes[1].key = once_str(first);
	compare.range_end = deletes[1].range_end =
		(struct once_bytes){end, once_prefix_end(once_str(first), end)};
	compare.number = f->revision + 1;
	return once_settle(f->records, &f->task, &txn, 0, on_forgotten, f);
}

static void on_steps(void *userdata, int error, int64_t revision, const char *message)
{
	struct flow *f = userdata;

	f->task = NULL;
	f->revision = revision;
	if (error) {
		finish(f, error, "", message);
	} else if (f->begun && !f->force) {
		finish(f, ONCE_LEDGER_CHANGED, "", "a step was begun and has no end");
	} else {
		int r = forget_all(f);

		if (r < 0)
			finish(f, r, "", once_strerror(r));
	}
}

int once_flow_forget(struct once_records *records, struct once_task **ret_task, const char *flow,
	bool force, once_flow_fn *fn, void *userdata)
{
	struct once_list list = {.kind = ONCE_KEY_STEP, .name = flow};
	struct flow *f;

	if (!once_id_valid(flow))
		return -EINVAL;
	f = flow_new(records, flow, fn, userdata);
	if (!f)
		return -ENOMEM;
	f->force = force;
	return started(
		f, ret_task, once_ledger_list(records, &f->task, &list, on_step, on_steps, f));
}
