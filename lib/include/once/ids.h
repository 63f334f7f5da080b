/* Numbers that are given out once in the whole cluster. Since 0.1.
 *
 * P/ids/<name> holds the next free number; a block is taken by moving it on with compare-and-swap.
 * Any number of allocators at once; no leader needed. Numbers start at 1. Gaps there are: what is
 * left of a block when its holder ends, and each block whose taking had no answer. Duplicates there
 * are never, as long as the key is not deleted or set back by hand.
 *
 *	once_ids_alloc()	one block, straight from etcd
 *	once_ids_new(), once_ids_take()	from a block in memory; the next one is fetched when half is
 * used */
#ifndef ONCE_IDS_H
#define ONCE_IDS_H

#include <once/ledger.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { ONCE_IDS_MAX = 1000000000 }; /* numbers in one block or take */

/* error: 0: first to first + count - 1 are the caller's, for ever. -EOVERFLOW: fewer are left below
 * 2^63; -EBADMSG: what the key holds is no counter; -ESTALE: the counter went back behind what this
 * allocator was given, nothing was taken. Else of <once/client.h>; then numbers may be lost, never
 * given twice. */
typedef void once_ids_fn(
	void *userdata, int error, int64_t first, int64_t count, const char *message);

/* -EINVAL: the name or the count; -ENOMEM. timeout_ns 0: settle_timeout_ns of the records. */
int once_ids_alloc(struct once_records *records, struct once_task **ret_task, const char *name,
	int64_t count, int64_t timeout_ns, once_ids_fn *fn, void *userdata);

struct once_ids;

/* block: numbers fetched at a time. The first block is fetched when the first number is asked for.
 * -EINVAL: the name or the block; -ENOMEM. */
int once_ids_new(
	struct once_ids **ret, struct once_records *records, const char *name, int64_t block);
/* Cancels what was asked for; the rest of the block is lost. Returns NULL; NULL is fine. */
struct once_ids *once_ids_free(struct once_ids *ids);

/* count numbers in a row. In order of asking; without a request to etcd while the block lasts.
 * -EINVAL: the count; -ENOMEM. */
int once_ids_take(struct once_ids *ids, struct once_task **ret_task, int64_t count, once_ids_fn *fn,
	void *userdata);

#ifdef __cplusplus
}
#endif

#endif
