/* Writers: ids in, batches out. See once/confirm.h.
 *
 *	put -> filling -> (full, lingered, or nothing is in flight) -> waiting -> sent -> results
 *	                                                   ^______________|  split, or again
 *
 * - A batch that is sent again is the same batch with fewer ids, never another mixture: what an
 *   unknown attempt may still do concerns only keys whose value tells whose they are.
 * - What was split waits in front, so that nothing is overtaken for long.
 *
 * Failures: all decided in writer-answer.c. The callback may free the writer; then it is only
 * marked dead, and freed when the callback returns. */
#include "record/writer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"

enum {
	TXN_BATCH = 1024,
	PACKED_BATCH = 65536,
	BATCH_BYTES = 1 << 20,
	PACKED_BYTES = 16 << 20, /* before they are packed */
	BUF_MAX = 64 << 20,
	VALUE_MAX = 16 << 20, /* etcd takes 1.5 MiB unless told otherwise */
};

static const int64_t pause_first_ns = 20 * ONCE_NSEC_PER_MSEC, pause_most_ns = ONCE_NSEC_PER_SEC;

static void pump(struct once_writer *w);

/* ---- batches --------------------------------------------------------------------------------- */

static void on_pause_over(void *userdata);

struct batch *batch_get(struct once_writer *w)
{
	struct batch *b;

	if (!list_empty(&w->spare)) {
		b = list_first(&w->spare, struct batch, in_writer);
		list_remove(&b->in_writer);
	} else {
		b = calloc(1, sizeof(*b));
		if (!b)
			return NULL;
		list_init(&b->in_writer);
		buf_init(&b->bytes, BUF_MAX);
		b->writer = w;
		b->timer = w->loop->ops->timer_new(w->loop, on_pause_over, b);
		if (!b->timer) {
			free(b);
			return NULL;
		}
	}
	b->pause_ns = pause_first_ns;
	b->since = w->loop->ops->now(w->loop);
	return b;
}

static void batch_free(struct batch *b)
{
	b->call = once_call_cancel(b->call);
	b->writer->loop->ops->timer_free(b->timer);
	list_remove(&b->in_writer);
	buf_fini(&b->bytes);
	free(b->items);
	free(b->results);
	free(b);
}

static void batch_put_away(struct batch *b)
{
	list_remove(&b->in_writer);
	list_prepend(&b->writer->spare, &b->in_writer);
	buf_reset(&b->bytes);
	b->n_items = b->n_results = 0;
	b->unknown = b->examines = b->is_packed = false;
	b->message[0] = '\0';
}

static int batch_grow(struct batch *b)
{
	size_t cap = b->cap ? b->cap * 2 : 64;
	struct item *items;
	struct once_confirmation *results;

	if (b->n_items < b->cap)
		return 0;
	items = realloc(b->items, cap * sizeof(*items));
	if (!items)
		return -ENOMEM;
	b->items = items;
	results = realloc(b->results, cap * sizeof(*results));
	if (!results)
		return -ENOMEM;
	b->results = results;
	b->cap = cap;
	return 0;
}

/* Appends an id and its value; nothing is changed when that fails. */
static int batch_append(struct batch *b, struct once_bytes key, struct once_bytes value,
	uint64_t number, bool tagged)
{
	size_t before = b->bytes.size;
	int r = batch_grow(b);

	if (r < 0)
		return r;
	(void)buf_append(&b->bytes, key.data, key.size);
	if (value.size > 0)
		(void)buf_append(&b->bytes, value.data, value.size);
	r = buf_error(&b->bytes);
	if (r < 0) {
		b->bytes.error = 0;
		b->bytes.size = before;
		return -ENOMEM;
	}
	b->items[b->n_items++] =
		(struct item){before, key.size, before + key.size, value.size, number, tagged};
	return 0;
}

int batch_add_item(struct batch *b, const struct item *item, const struct batch *from)
{
	return batch_append(b, batch_bytes(from, item->key, item->key_size),
		batch_bytes(from, item->value, item->value_size), item->number, item->tagged);
}

void batch_settle(struct batch *b, size_t item, enum once_confirm_state state, int error, bool same)
{
	b->results[b->n_results++] = (struct once_confirmation){.number = b->items[item].number,
		.state = state,
		.error = error,
		.same_value = same};
}

void batch_settle_all(struct batch *b, enum once_confirm_state state, int error)
{
	for (size_t i = 0; i < b->n_items; i++)
		batch_settle(b, i, state, error, false);
	b->n_items = 0;
}

bool batch_out_of_time(const struct batch *b)
{
	struct once_loop *loop = b->writer->loop;

	return once_elapsed_max(b->since, loop->ops->now(loop)) >=
	       b->writer->config.settle_timeout_ns;
}

/* ---- sending --------------------------------------------------------------------------------- */

size_t writer_items_max(const struct once_writer *w)
{
	size_t fence = w->config.fence_token ? 1 : 0, max;

	if (w->config.mode != ONCE_CONFIRM_TXN)
		return w->config.batch;
	max = w->max_ops > fence + 1 ? w->max_ops - fence : 1;
	return w->config.batch < max ? w->config.batch : max;
}

static int make_room(struct once_writer *w, size_t n)
{
	struct once_compare *compares;
	struct once_op *writes, *reads;

	if (n + 1 <= w->ops_cap)
		return 0;
	compares = realloc(w->compares, (n + 1) * sizeof(*compares));
	w->compares = compares ? compares : w->compares;
	writes = realloc(w->writes, (n + 1) * sizeof(*writes));
	w->writes = writes ? writes : w->writes;
	reads = realloc(w->reads, (n + 1) * sizeof(*reads));
	w->reads = reads ? reads : w->reads;
	if (!compares || !writes || !reads)
		return -ENOMEM;
	w->ops_cap = n + 1;
	return 0;
}

/* The fence goes first, in the compares and in the reads. */
static int build(struct batch *b, struct once_txn *txn)
{
	struct once_writer *w = b->writer;
	const struct item *items = b->is_packed ? &b->block : b->items;
	size_t n = b->is_packed ? 1 : b->n_items, fence = w->config.fence_token ? 1 : 0;
	int r = make_room(w, n);

	if (r < 0)
		return r;
	if (fence) {
		w->compares[0] = (struct once_compare){.target = ONCE_COMPARE_CREATE,
			.key = w->config.fence_key,
			.number = w->config.fence_token};
		w->reads[0] = (struct once_op){
			.kind = ONCE_OP_RANGE, .key = w->config.fence_key, .keys_only = true};
	}
	for (size_t i = 0; i < n; i++) {
		struct once_bytes key = batch_bytes(b, items[i].key, items[i].key_size);

		w->compares[fence + i] =
			(struct once_compare){.target = ONCE_COMPARE_CREATE, .key = key};
		w->writes[i] = (struct once_op){.kind = ONCE_OP_PUT,
			.key = key,
			.value = batch_bytes(b, items[i].value, items[i].value_size)};
		w->reads[fence + i] = (struct once_op){.kind = ONCE_OP_RANGE, .key = key};
	}
	*txn = (struct once_txn){
		w->compares, n + fence, w->writes, n, w->reads, b->examines ? n + fence : 0};
	return 0;
}

static void on_answer(void *userdata, const struct once_response *response)
{
	struct batch *b = userdata;

	b->call = NULL;
	batch_answered(b, response);
}

static int batch_attempt(struct batch *b)
{
	struct once_writer *w = b->writer;
	struct once_call_options options = {ONCE_LANE_BULK, w->config.attempt_timeout_ns};
	struct once_txn txn;
	int r = w->config.mode == ONCE_CONFIRM_PACKED && !b->is_packed ? batch_pack(b) : 0;

	r = r ? r : build(b, &txn);
	return r ? r : once_txn(w->client, &b->call, &options, &txn, on_answer, b);
}

static void on_pause_over(void *userdata)
{
	struct batch *b = userdata;
	int r = batch_attempt(b);

	if (r < 0 && !batch_out_of_time(b)) {
		batch_again(b);
	} else if (r < 0) {
		batch_settle_all(b, b->unknown ? ONCE_CONFIRM_UNKNOWN : ONCE_CONFIRM_REFUSED, r);
		b->writer->n_sent--;
		batch_report(b);
	}
}

void batch_again(struct batch *b)
{
	struct once_writer *w = b->writer;

	w->loop->ops->timer_set(b->timer, b->pause_ns);
	b->pause_ns = b->pause_ns * 2 < pause_most_ns ? b->pause_ns * 2 : pause_most_ns;
}

void batch_requeue(struct batch *b)
{
	list_remove(&b->in_writer);
	list_prepend(&b->writer->waiting, &b->in_writer);
	b->writer->n_waiting++;
}

static void batch_send(struct batch *b)
{
	struct once_writer *w = b->writer;

	list_remove(&b->in_writer);
	list_append(&w->sent, &b->in_writer);
	w->n_sent++;
	if (batch_attempt(b) < 0)
		batch_again(b);
}

void batch_report(struct batch *b)
{
	struct once_writer *w = b->writer;
	int64_t took = once_elapsed_max(b->since, w->loop->ops->now(w->loop));

	w->pending -= b->n_results;
	if (b->n_results > 0) {
		bool was_busy = w->busy;

		w->busy = true;
		w->fn(w->userdata, b->results, b->n_results, took, b->message);
		w->busy = was_busy;
		b->n_results = 0;
	}
	if (w->dead && !w->busy) {
		(void)once_writer_free(w);
		return;
	}
	if (w->dead)
		return;
	if (b->n_items == 0)
		batch_put_away(b);
	pump(w);
}

/* ---- filling --------------------------------------------------------------------------------- */

static bool is_full(const struct once_writer *w, const struct batch *b)
{
	return b->n_items >= writer_items_max(w) || b->bytes.size >= w->config.batch_bytes;
}

static bool has_lingered(const struct once_writer *w, const struct batch *b)
{
	return once_elapsed_max(b->since, w->loop->ops->now(w->loop)) >= w->config.linger_ns;
}

/* Sends while there is room. */
static void pump(struct once_writer *w)
{
	struct batch *b;

	while (w->n_sent < w->window.size && w->n_waiting > 0 && !w->dead) {
		w->n_waiting--;
		batch_send(list_first(&w->waiting, struct batch, in_writer));
	}
	b = w->filling;
	if (!b || w->dead || w->n_sent >= w->window.size)
		return;
	if (w->n_sent == 0 || w->flushing || is_full(w, b) || has_lingered(w, b)) {
		w->filling = NULL;
		w->loop->ops->timer_set(w->timer, -1);
		batch_send(b);
	}
}

static void on_linger(void *userdata)
{
	struct once_writer *w = userdata;

	pump(w);
	if (w->dead)
		return;
	if (w->filling && !has_lingered(w, w->filling))
		w->loop->ops->timer_set(w->timer, w->config.linger_ns);
}

/* Makes room in w->filling for so many bytes. */
static int next_batch(struct once_writer *w, size_t bytes)
{
	struct batch *b = w->filling;

	if (b && (is_full(w, b) || b->bytes.size + bytes > w->config.batch_bytes)) {
		/* Others go first: a full batch leaves in the order of its time. */
		if (w->n_waiting > 0 || w->n_sent >= w->window.size)
			return -EAGAIN;
		w->filling = NULL;
		list_append(&w->waiting, &b->in_writer);
		w->n_waiting++;
		pump(w);
	}
	if (w->filling)
		return 0;
	w->filling = batch_get(w);
	if (!w->filling)
		return -ENOMEM;
	/* In a turn of its own: by then more may have come. */
	w->loop->ops->timer_set(w->timer, w->n_sent == 0 ? 0 : w->config.linger_ns);
	return 0;
}

static int check(const struct once_writer *w, struct once_bytes id, struct once_bytes value)
{
	if (w->fenced)
		return -ECANCELED;
	if (id.size == 0 || (value.data && w->config.mode == ONCE_CONFIRM_PACKED))
		return -EINVAL;
	return id.size > ONCE_CONFIRM_ID_MAX || value.size > VALUE_MAX ? -E2BIG : 0;
}

int once_writer_put(struct once_writer *w, struct once_bytes id, struct once_bytes value)
{
	bool packed = w->config.mode == ONCE_CONFIRM_PACKED, tagged = !packed && !value.data;
	char key[2 * ONCE_CONFIRM_ID_MAX], tag[ONCE_CONFIRM_TAG_MAX + 1 + NUMBER_TEXT_MAX];
	size_t n = packed ? 0 : w->config.prefix.size, t = strlen(w->tag);
	int r = check(w, id, value);

	if (r == 0)
		r = next_batch(w, n + id.size + (tagged ? sizeof(tag) : value.size));
	if (r < 0)
		return r;
	if (n > 0)
		memcpy(key, w->config.prefix.data, n);
	memcpy(key + n, id.data, id.size);
	if (tagged) {
		memcpy(tag, w->tag, t);
		tag[t++] = '/';
		t += number_format_u64(tag + t, w->number);
		value = (struct once_bytes){tag, t};
	}
	r = batch_append(w->filling, (struct once_bytes){key, n + id.size},
		packed ? (struct once_bytes){NULL, 0} : value, w->number, tagged);
	if (r < 0)
		return r;
	w->number++;
	w->pending++;
	w->flushing = false;
	if (is_full(w, w->filling))
		pump(w);
	return 0;
}

void once_writer_flush(struct once_writer *w)
{
	w->flushing = true;
	if (w->filling)
		w->loop->ops->timer_set(w->timer, 0);
}

size_t once_writer_pending(const struct once_writer *w)
{
	return w->pending;
}

/* ---- life ------------------------------------------------------------------------------------ */

static int copy(struct once_bytes *ret, struct once_bytes from)
{
	char *data = malloc(from.size + 1);

	if (!data)
		return -ENOMEM;
	if (from.size > 0)
		memcpy(data, from.data, from.size);
	*ret = (struct once_bytes){data, from.size};
	return 0;
}

static int set_tag(struct once_writer *w, const char *tag)
{
	if (!tag)
		return once_run_id_new(w->tag);
	if (strlen(tag) == 0 || strlen(tag) > ONCE_CONFIRM_TAG_MAX)
		return -EINVAL;
	for (const char *at = tag; *at; at++) {
		bool letter = (*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z');

		if (!letter && !strchr("0123456789._-", *at))
			return -EINVAL;
	}
	memcpy(w->tag, tag, strlen(tag) + 1);
	return 0;
}

static int set_config(struct once_writer *w, const struct once_confirm_config *from)
{
	struct once_confirm_config *c = &w->config;
	bool packed = from->mode == ONCE_CONFIRM_PACKED;
	size_t batch = packed ? PACKED_BATCH : TXN_BATCH;

	*c = *from;
	c->prefix = c->fence_key = (struct once_bytes){NULL, 0};
	c->tag = NULL;
	if (from->prefix.size > ONCE_CONFIRM_ID_MAX / 2 ||
		(from->fence_token && !from->fence_key.size))
		return -EINVAL;
	c->batch = from->batch ? from->batch : batch;
	if (packed && c->batch > ONCE_CONFIRM_PACK_MAX)
		c->batch = ONCE_CONFIRM_PACK_MAX;
	c->batch = from->mode == ONCE_CONFIRM_INDIVIDUAL ? 1 : c->batch;
	c->batch_bytes = packed		     ? PACKED_BYTES
			 : from->batch_bytes ? from->batch_bytes
					     : BATCH_BYTES;
	if (!from->inflight)
		c->inflight = from->mode == ONCE_CONFIRM_INDIVIDUAL ? 64 : 8;
	c->linger_ns = from->linger_ns ? from->linger_ns : 5 * ONCE_NSEC_PER_MSEC;
	c->attempt_timeout_ns =
		from->attempt_timeout_ns ? from->attempt_timeout_ns : 5 * ONCE_NSEC_PER_SEC;
	c->settle_timeout_ns =
		from->settle_timeout_ns ? from->settle_timeout_ns : 60 * ONCE_NSEC_PER_SEC;
	w->max_ops = c->batch + 1;
	window_init(&w->window, c->inflight, from->inflight > 0);
	return copy(&c->prefix, from->prefix) || copy(&c->fence_key, from->fence_key) ? -ENOMEM : 0;
}

int once_writer_new(struct once_writer **ret, struct once_client *client, struct once_loop *loop,
	const struct once_confirm_config *config, once_confirm_fn *fn, void *userdata)
{
	struct once_writer *w = calloc(1, sizeof(*w));
	int r;

	if (!w)
		return -ENOMEM;
	w->client = client;
	w->loop = loop;
	w->fn = fn;
	w->userdata = userdata;
	list_init(&w->waiting);
	list_init(&w->sent);
	list_init(&w->spare);
	r = set_config(w, config);
	r = r ? r : set_tag(w, config->tag);
	w->timer = loop->ops->timer_new(loop, on_linger, w);
	r = r || w->timer ? r : -ENOMEM;
	if (r < 0) {
		(void)once_writer_free(w);
		return r;
	}
	*ret = w;
	return 0;
}

static void free_all(struct list *batches)
{
	while (!list_empty(batches))
		batch_free(list_first(batches, struct batch, in_writer));
}

struct once_writer *once_writer_free(struct once_writer *w)
{
	if (!w)
		return NULL;
	w->dead = true;
	if (w->busy)
		return NULL;
	if (w->filling)
		batch_free(w->filling);
	free_all(&w->waiting);
	free_all(&w->sent);
	free_all(&w->spare);
	w->loop->ops->timer_free(w->timer);
	free((void *)w->config.prefix.data);
	free((void *)w->config.fence_key.data);
	free(w->compares);
	free(w->writes);
	free(w->reads);
	free(w);
	return NULL;
}
