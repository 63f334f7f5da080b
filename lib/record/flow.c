/* Which list of steps a flow has; see once/flow.h. */
#include "record/code.h"
#include "record/records.h"
#include <once/flow.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { VALUE_SIZE = 1024 };

struct flow {
	struct once_task base; /* first */
	struct once_records *records;
	struct once_task *task;
	char name[ONCE_ID_MAX + 1], key[ONCE_KEY_SIZE];
	char hash[ONCE_HASH_SIZE];
	int64_t token; /* 0: not guarded */
	int64_t begun; /* steps */
	bool force, undoing;
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

/* undo NULL: of a flow that is not. */
static int encode(char out[VALUE_SIZE], const char *hash, const struct once_undo *undo)
{
	struct buf buf;
	int r;

	buf_init(&buf, VALUE_SIZE - 1);
	code_begin(&buf);
	object_put_text(&buf, "hash", hash);
	if (undo) {
		code_put_utc(&buf, "undo", undo->at_ms);
		object_put_text(&buf, "by", undo->by);
		object_put_text(&buf, "reason", undo->reason);
	}
	r = object_end(&buf);
	if (r == 0)
		memcpy(out, buf.data, buf.size + 1);
	buf_fini(&buf);
	return r;
}

int once_flow_decode(
	char ret_hash[ONCE_HASH_SIZE], struct once_undo *ret_undo, struct once_bytes value)
{
	struct object *object;
	int r = code_read(&object, value, VALUE_SIZE);

	if (r < 0)
		return r;
	*ret_undo = (struct once_undo){0};
	code_hex(object, "hash", ret_hash, ONCE_HASH_SIZE);
	ret_undo->at_ms = code_utc(object, "undo");
	code_text(object, "by", ret_undo->by, sizeof(ret_undo->by));
	code_text(object, "reason", ret_undo->reason, sizeof(ret_undo->reason));
	r = object_error(object);
	object = object_free(object);
	return r;
}

/* What the flow's key holds, after a compare that failed. */
static void tell_open(struct flow *f, const struct once_op_result *results)
{
	struct once_undo undo;
	char hash[ONCE_HASH_SIZE] = "";

	if (!results[0].n_kvs || once_flow_decode(hash, &undo, results[0].kvs[0].value) < 0)
		finish(f, -EBADMSG, "", "the key holds no flow");
	else if (strcmp(hash, f->hash) != 0)
		finish(f, ONCE_LEDGER_CHANGED, hash, "it was opened with another list of steps");
	else if (undo.at_ms && !f->undoing)
		finish(f, ONCE_LEDGER_UNDONE, hash, "it is being undone, or was");
	else if (undo.at_ms || !f->undoing)
		finish(f, ONCE_LEDGER_DONE, hash, f->undoing ? "it is undone" : "it was open");
	else
		finish(f, -EBADMSG, "", "the server refuses a guard that holds");
}

static void on_opened(void *userdata, const struct once_response *response)
{
	struct flow *f = userdata;
	const struct once_op_result *results = response->op.results;

	f->task = NULL;
	if (response->outcome != ONCE_APPLIED || response->error < 0)
		finish(f, response->error ? response->error : -ETIMEDOUT, "", response->message);
	else if (response->op.succeeded)
		finish(f, ONCE_LEDGER_DONE, f->hash, f->undoing ? "it is undone" : "opened");
	else if (response->op.n_results < (f->token ? 2 : 1))
		finish(f, -EBADMSG, "", once_strerror(-EBADMSG));
	else if (f->token && (!results[1].n_kvs || results[1].kvs[0].create_revision != f->token))
		finish(f, ONCE_LEDGER_FENCED, "", "the term is over: another leads, or nobody");
	else if (f->undoing && !results[0].n_kvs)
		finish(f, ONCE_LEDGER_CHANGED, "", "it is not open");
	else
		tell_open(f, results);
}

/* compare: what the flow's key must be, beside the leader's; value: what it becomes. */
static int write_start(struct flow *f, struct once_compare compare, const char *value,
	const struct once_term *term)
{
	struct once_bytes key = once_str(f->key);
	struct once_compare compares[2] = {compare};
	struct once_op put = {.kind = ONCE_OP_PUT, .key = key, .value = once_str(value)};
	struct once_op ranges[2] = {{.kind = ONCE_OP_RANGE, .key = key}};
	struct once_txn txn = {compares, 1, &put, 1, ranges, 1};

	compares[0].key = key;
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

static int open_start(struct flow *f, const struct once_term *term)
{
	struct once_compare absent = {.target = ONCE_COMPARE_CREATE};
	char value[VALUE_SIZE];
	int r = encode(value, f->hash, NULL);

	return r < 0 ? r : write_start(f, absent, value, term);
}

/* It must be open, and as open_start() wrote it. */
static int undo_start(struct flow *f, const struct once_undo *undo, const struct once_term *term)
{
	struct once_compare open = {.target = ONCE_COMPARE_VALUE};
	char before[VALUE_SIZE], value[VALUE_SIZE];
	int r = encode(before, f->hash, NULL);

	if (r == 0)
		r = encode(value, f->hash, undo);
	open.value = once_str(before);
	return r < 0 ? r : write_start(f, open, value, term);
}

static int started(struct flow *f, struct once_task **ret_task, int r)
{
	if (r < 0)
		flow_free(&f->base);
	else if (ret_task)
		*ret_task = &f->base;
	return r;
}

static struct flow *with_hash(struct once_records *records, const char *name, const char *hash,
	const struct once_term *term, once_flow_fn *fn, void *userdata, int *ret)
{
	struct flow *f = NULL;

	*ret = -EINVAL;
	if (!once_id_valid(name) || !hash || !hash[0] || !code_hex_valid(hash, ONCE_HASH_SIZE) ||
		(term && term->token <= 0))
		return NULL;
	f = flow_new(records, name, fn, userdata);
	*ret = f ? 0 : -ENOMEM;
	if (f)
		memcpy(f->hash, hash, strlen(hash) + 1);
	return f;
}

int once_flow_open(struct once_records *records, struct once_task **ret_task, const char *flow,
	const char *hash, const struct once_term *term, once_flow_fn *fn, void *userdata)
{
	int r;
	struct flow *f = with_hash(records, flow, hash, term, fn, userdata, &r);

	return f ? started(f, ret_task, open_start(f, term)) : r;
}

int once_flow_undo(struct once_records *records, struct once_task **ret_task, const char *flow,
	const char *hash, const struct once_undo *undo, const struct once_term *term,
	once_flow_fn *fn, void *userdata)
{
	struct flow *f;
	int r;

	if (undo->at_ms <= 0 || !code_utc_valid(undo->at_ms) ||
		!code_text_valid(undo->by, sizeof(undo->by)) ||
		!code_text_valid(undo->reason, sizeof(undo->reason)))
		return -EINVAL;
	f = with_hash(records, flow, hash, term, fn, userdata, &r);
	if (!f)
		return r;
	f->undoing = true;
	return started(f, ret_task, undo_start(f, undo, term));
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

/* Deletes all if no step has changed since the lists. The same txn again finds nothing: that is
 * done, too. */
static int forget_all(struct flow *f)
{
	static const enum once_key_kind kinds[] = {ONCE_KEY_STEP, ONCE_KEY_UNDO};
	char first[2][ONCE_KEY_SIZE], end[2][ONCE_KEY_SIZE];
	struct once_compare compares[2];
	struct once_op deletes[3] = {{.kind = ONCE_OP_DELETE, .key = once_str(f->key)}};
	struct once_txn txn = {compares, 2, deletes, 3, NULL, 0};

	for (size_t i = 0; i < 2; i++) {
		int r = once_key_prefix(first[i], f->records->prefix, kinds[i], f->name);
		struct once_bytes from = once_str(first[i]), until;

		if (r < 0)
			return r;
		until = (struct once_bytes){end[i], once_prefix_end(from, end[i])};
		compares[i] = (struct once_compare){.target = ONCE_COMPARE_MOD,
			.result = ONCE_LESS,
			.key = from,
			.range_end = until,
			.number = f->revision + 1};
		deletes[i + 1] =
			(struct once_op){.kind = ONCE_OP_DELETE, .key = from, .range_end = until};
	}
	return once_settle(f->records, &f->task, &txn, 0, on_forgotten, f);
}

/* After the steps their undoing, at the same revision. */
static void on_steps(void *userdata, int error, int64_t revision, const char *message)
{
	struct once_list undone = {.kind = ONCE_KEY_UNDO, .revision = revision};
	struct flow *f = userdata;
	bool first = f->revision == 0;
	int r = error;

	f->task = NULL;
	if (first) /* an answer tells what is now, whatever it was asked for */
		f->revision = revision;
	undone.name = f->name;
	if (r == 0 && first)
		r = once_ledger_list(f->records, &f->task, &undone, on_step, on_steps, f);
	else if (r == 0 && (!f->begun || f->force))
		r = forget_all(f);
	else if (r == 0)
		finish(f, ONCE_LEDGER_CHANGED, "", "a step was begun and has no end");
	if (r < 0)
		finish(f, r, "", error ? message : once_strerror(r));
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
