/* Inside lib/record: the context, and what every operation that an owner can cancel begins with. */
#ifndef RECORD_RECORDS_H
#define RECORD_RECORDS_H

#include "base/list.h"
#include <once/ids.h>

struct once_records {
	struct once_client *client; /* borrowed */
	struct once_loop *loop;	    /* borrowed */
	char prefix[ONCE_PREFIX_MAX + 1];
	enum once_lane lane;
	int64_t attempt_timeout_ns, settle_timeout_ns;
	struct list tasks;
};

struct once_task {
	struct list in_records; /* once_records.tasks, or the owner's own list */
	void (*free)(struct once_task *task);
};

void task_init(struct once_task *task, struct once_records *records,
	void (*free_fn)(struct once_task *task));
void task_fini(struct once_task *task);

/* How a read or a page travels. */
struct once_call_options records_options(const struct once_records *records);

/* What a write is guarded by and does; all borrowed by the start. The record's own key and the
 * leader's are ranged by the failure branch, so that one round trip tells which guard it was. */
struct ledger_write {
	const char *key;
	struct once_bytes value;
	int64_t mod_revision; /* the record must have it; 0: must be absent */
	const struct once_term *term;
	const struct once_compare
		*compare;	   /* one more, or NULL: false makes it ONCE_LEDGER_WITHDRAWN */
	const struct once_op *ops; /* done with it */
	size_t n_ops;
};
int ledger_write(struct once_records *records, struct once_task **ret_task,
	const struct ledger_write *write, int64_t timeout_ns, once_ledger_fn *fn, void *userdata);

/* As once_ids_alloc(); a counter below floor is -ESTALE. */
int ids_alloc(struct once_records *records, struct once_task **ret_task, const char *name,
	int64_t count, int64_t timeout_ns, int64_t floor, once_ids_fn *fn, void *userdata);

#endif
