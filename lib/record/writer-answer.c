/* What an answer means for each id of a batch.
 *
 *	applied, compares held		confirmed, all
 *	applied, a compare was false	the same txn again, with a branch that reads every key;
 * then: fence is another	fenced, all but those that are found and ours key found, ours
 * confirmed key found, foreign	duplicate not found		goes again, without the others too
 * large, too many, twice	split in halves; one alone is refused nobody reached, no time
 * again after a pause, until its time is up
 *	unknown				the same, and from then on every answer is examined
 *	anything else			refused; unknown, if an earlier attempt was
 *
 * A false compare names no key, but some key was there: each examination settles one at least. */
#include "record/writer.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static bool passes(int error)
{
	return error == -EHOSTUNREACH || error == -ETIMEDOUT || error == -ECONNRESET ||
	       error == -EAGAIN || error == -ENOMEM;
}

static bool holds(const struct batch *b, const struct item *item, const struct once_kv *kv)
{
	return kv->value.size == item->value_size &&
	       (item->value_size == 0 || memcmp(kv->value.data, batch_bytes(b, item->value, 0).data,
						 item->value_size) == 0);
}

/* The branch that reads every key, and the fence first. */
static bool was_examined(const struct batch *b, const struct once_op_result *op)
{
	size_t n = b->is_packed ? 1 : b->n_items;

	return op->n_results == n + (b->writer->config.fence_token ? 1 : 0);
}

static bool fence_holds(const struct once_writer *w, const struct once_op_result *op)
{
	const struct once_op_result *fence = &op->results[0];

	return fence->n_kvs == 1 && fence->kvs[0].create_revision == w->config.fence_token;
}

/* What was found of the packed block: all or nothing. */
static void examine_block(struct batch *b, const struct once_op_result *found, bool fenced)
{
	if (found->n_kvs > 0 && holds(b, &b->block, &found->kvs[0]))
		batch_settle_all(b, ONCE_CONFIRMED, 0);
	else if (found->n_kvs > 0)
		batch_settle_all(
			b, ONCE_CONFIRM_REFUSED, -EEXIST); /* the tag is not this writer's alone */
	else if (fenced)
		batch_settle_all(b, ONCE_CONFIRM_FENCED, 0);
}

static void examine(struct batch *b, const struct once_op_result *op)
{
	struct once_writer *w = b->writer;
	bool fenced = w->config.fence_token && !fence_holds(w, op);
	const struct once_op_result *found = op->results + (w->config.fence_token ? 1 : 0);
	size_t left = 0;

	w->fenced = w->fenced || fenced;
	if (b->is_packed) {
		examine_block(b, found, fenced);
		return;
	}
	for (size_t i = 0; i < b->n_items; i++) {
		const struct item *item = &b->items[i];
		bool there = found[i].n_kvs > 0;
		bool same = there && holds(b, item, &found[i].kvs[0]);

		if (same && (item->tagged || b->unknown))
			batch_settle(b, i, ONCE_CONFIRMED, 0, true);
		else if (there)
			batch_settle(b, i, ONCE_CONFIRM_DUPLICATE, 0, same);
		else if (fenced)
			batch_settle(b, i, ONCE_CONFIRM_FENCED, 0, false);
		else
			b->items[left++] = *item;
	}
	b->n_items = left;
}

/* The second half of the items into a batch of its own; both are sent again. */
static int split(struct batch *b)
{
	struct once_writer *w = b->writer;
	struct batch *half = batch_get(w);
	size_t at = b->n_items / 2;
	int r = half ? 0 : -ENOMEM;

	for (size_t i = at; i < b->n_items && r == 0; i++)
		r = batch_add_item(half, &b->items[i], b);
	if (r < 0)
		return r;
	half->since = b->since;
	half->unknown = b->unknown;
	half->examines = b->examines;
	b->n_items = at;
	b->is_packed = false;
	batch_requeue(half);
	batch_requeue(b);
	return 0;
}

static bool is_too_large(const struct batch *b, const struct once_response *response)
{
	/* -EINVAL: a key is in it twice, which etcd refuses as a whole.
	 * -EBADMSG: what the keys hold is more than an answer may be. */
	return (response->error == -E2BIG && response->outcome == ONCE_NOT_APPLIED) ||
	       (response->error == -EINVAL && response->outcome == ONCE_NOT_APPLIED &&
		       b->n_items > 1 && !b->is_packed) ||
	       (response->error == -EBADMSG && b->examines && !b->is_packed && b->n_items > 1);
}

/* So many operations are too many: the next batches are smaller. */
static void learn(struct batch *b, const struct once_response *response)
{
	struct once_writer *w = b->writer;
	size_t ops = b->n_items + (w->config.fence_token ? 1 : 0);

	if (!b->is_packed && ops > 1 && strstr(response->message, "too many operations") &&
		w->max_ops > ops / 2)
		w->max_ops = ops / 2;
}

static void refuse(struct batch *b, int error)
{
	batch_settle_all(b, b->unknown ? ONCE_CONFIRM_UNKNOWN : ONCE_CONFIRM_REFUSED, error);
}

/* True: the batch was split or is to be reported; else it goes again. */
static bool failed(struct batch *b, const struct once_response *response)
{
	int error = response->error;

	(void)snprintf(b->message, sizeof(b->message), "%.127s", response->message);
	b->unknown = b->unknown || response->outcome == ONCE_UNKNOWN;
	b->examines = b->examines || b->unknown;
	if (is_too_large(b, response)) {
		learn(b, response);
		if (b->n_items > 1 && !(b->is_packed && b->unknown) && split(b) == 0)
			return true;
		refuse(b, error);
		return true;
	}
	if (batch_out_of_time(b) || (response->outcome == ONCE_NOT_APPLIED && !passes(error))) {
		refuse(b, error);
		return true;
	}
	return false;
}

/* Of keys and values; what was split has only a part of the batch's. */
static size_t request_bytes(const struct batch *b)
{
	const struct item *items = b->is_packed ? &b->block : b->items;
	size_t n = b->is_packed ? 1 : b->n_items, bytes = 0;

	for (size_t i = 0; i < n; i++)
		bytes += items[i].key_size + items[i].value_size;
	return bytes;
}

static void note_time(struct batch *b, const struct once_response *response)
{
	struct window *window = &b->writer->window;

	if (response->outcome == ONCE_UNKNOWN)
		window_lost(window);
	else if (!response->error)
		window_answered(window, once_elapsed_max(response->sent, response->received),
			request_bytes(b));
}

void batch_answered(struct batch *b, const struct once_response *response)
{
	struct once_writer *w = b->writer;
	const struct once_op_result *op = &response->op;

	note_time(b, response);
	if (response->outcome != ONCE_APPLIED || response->error) {
		if (!failed(b, response)) {
			batch_again(b);
			return;
		}
	} else if (op->succeeded) {
		batch_settle_all(b, ONCE_CONFIRMED, 0);
	} else {
		if (was_examined(b, op))
			examine(b, op);
		b->examines = true;
		if (b->n_items > 0)
			batch_requeue(b);
	}
	w->n_sent--;
	batch_report(b);
}
