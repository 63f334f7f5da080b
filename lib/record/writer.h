/* What the parts of the writers share: writer.c collects ids in batches and sends them,
 * writer-window.c says how many at a time, writer-answer.c decides what an answer means for each id,
 * writer-pack.c turns a batch into a block. */
#ifndef RECORD_WRITER_H
#define RECORD_WRITER_H

#include <once/confirm.h>
#include <once/names.h>
#include <stdbool.h>

#include "base/buf.h"
#include "base/list.h"
#include "record/writer-window.h"

struct item {
	size_t key, key_size, value, value_size; /* in the batch's bytes */
	uint64_t number;
	bool tagged; /* the value names this writer and this id: found, it is ours */
};

/* Ids that travel together, from the first put to the last answer. */
struct batch {
	struct list in_writer;
	struct once_writer *writer; /* up */
	struct buf bytes;
	struct item *items;
	size_t n_items, cap;
	struct once_confirmation *results; /* cap of them */
	size_t n_results;
	/* packed: the one pair that is put, in bytes; its items are the ids */
	struct item block;
	bool is_packed;
	struct once_call *call;
	struct once_timer *timer; /* pause before the next attempt */
	struct once_instant since;
	int64_t pause_ns;
	bool unknown;  /* an attempt may have been applied, or still be */
	bool examines; /* a false compare is answered by what the keys hold */
	char message[128];
};

struct once_writer {
	struct once_client *client;
	struct once_loop *loop;
	struct once_confirm_config config; /* prefix, tag, fence key: owned */
	char tag[ONCE_CONFIRM_TAG_MAX + 1];
	struct batch *filling; /* NULL: none */
	struct list waiting;   /* full, or to be sent before all others: what was split */
	struct list sent;
	struct list spare;
	size_t n_sent, n_waiting;
	struct window window;
	size_t max_ops; /* of a txn, as far as known */
	uint64_t number, block_number;
	size_t pending;
	struct once_timer *timer; /* the filling batch's linger time */
	bool flushing, fenced, busy, dead;
	once_confirm_fn *fn;
	void *userdata;
	/* for building a request */
	struct once_compare *compares;
	struct once_op *writes, *reads;
	size_t ops_cap;
};

/* writer.c */
struct batch *batch_get(struct once_writer *w);
int batch_add_item(struct batch *b, const struct item *item, const struct batch *from);
/* To be sent as soon as there is room, before all that waits. */
void batch_requeue(struct batch *b);
/* Another attempt after a pause. */
void batch_again(struct batch *b);
/* Hands out the results; frees the batch when no item is left. The last touch of the writer. */
void batch_report(struct batch *b);
/* Moves items into results. */
void batch_settle(
	struct batch *b, size_t item, enum once_confirm_state state, int error, bool same);
void batch_settle_all(struct batch *b, enum once_confirm_state state, int error);
bool batch_out_of_time(const struct batch *b);
size_t writer_items_max(const struct once_writer *w);

static inline struct once_bytes batch_bytes(const struct batch *b, size_t at, size_t size)
{
	return (struct once_bytes){buf_text(&b->bytes) + at, size};
}

/* writer-answer.c: an attempt ended. */
void batch_answered(struct batch *b, const struct once_response *response);

/* writer-pack.c: fills b->block; duplicates are settled. 0, -ENOMEM, -EINVAL: the batch is as it
 * was. */
int batch_pack(struct batch *b);

#endif
