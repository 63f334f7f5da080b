/* Numbers from a block in memory; see once/ids.h.
 *
 *	takes wait in order -> pump(): from the block, then from the spare one
 *				    -> neither has them: fetch a block that has enough for all who
 * wait
 *			    -> the spare is fetched when half of the block is used
 *
 * A number is given out after its block is the caller's in etcd, never before. A fetch that fails
 * is told to all who wait; the next take tries again. */
#include "record/records.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct block {
	int64_t next, end; /* equal: empty */
};

struct once_ids {
	struct once_records *records;
	struct once_timer *timer; /* the next turn: pump */
	struct once_task *fetch;
	char name[ONCE_ID_MAX + 1];
	struct block block, spare;
	int64_t size, floor;
	struct list takes;
	bool *freed; /* set by free during a callback */
};

struct take {
	struct once_task base; /* first; in ids->takes */
	int64_t count;
	once_ids_fn *fn;
	void *userdata;
};

static int64_t left(const struct block *block)
{
	return block->end - block->next;
}

static void take_free(struct once_task *task)
{
	struct take *take = (struct take *)task;

	task_fini(&take->base);
	free(take);
}

/* Hands an answer out. False: the owner has freed all. */
static bool answer(
	struct once_ids *ids, struct take *take, int error, int64_t first, const char *message)
{
	struct take copy = *take;
	bool freed = false, *outer = ids->freed;

	take_free(&take->base);
	ids->freed = &freed;
	copy.fn(copy.userdata, error, first, error ? 0 : copy.count, message);
	if (freed) {
		if (outer)
			*outer = true;
		return false;
	}
	ids->freed = outer;
	return true;
}

static void soon(struct once_ids *ids)
{
	ids->records->loop->ops->timer_set(ids->timer, 0);
}

static void on_fetched(void *userdata, int error, int64_t first, int64_t count, const char *message)
{
	struct once_ids *ids = userdata;

	ids->fetch = NULL;
	if (error == 0) {
		ids->spare = (struct block){first, first + count};
		ids->floor = first + count;
	} else {
		while (!list_empty(&ids->takes)) {
			if (!answer(ids, list_first(&ids->takes, struct take, base.in_records),
				    error, 0, message))
				return;
		}
	}
	soon(ids);
}

/* Enough for all who wait, so that many of them cost one request. */
static void fetch(struct once_ids *ids)
{
	int64_t count = 0;
	struct list *i;
	int r;

	list_foreach (i, &ids->takes) {
		int64_t one = list_entry(i, struct take, base.in_records)->count;

		if (count + one > ONCE_IDS_MAX)
			break;
		count += one;
	}
	count = count > ids->size ? count : ids->size;
	r = ids_alloc(ids->records, &ids->fetch, ids->name, count, 0, ids->floor, on_fetched, ids);
	if (r < 0)
		on_fetched(ids, r, 0, 0, once_strerror(r));
}

static void pump(void *userdata)
{
	struct once_ids *ids = userdata;

	while (!list_empty(&ids->takes)) {
		struct take *take = list_first(&ids->takes, struct take, base.in_records);
		int64_t first;

		if (left(&ids->block) < take->count && left(&ids->spare) >= take->count) {
			ids->block = ids->spare; /* what was left is a gap */
			ids->spare = (struct block){0, 0};
		}
		if (left(&ids->block) < take->count) {
			ids->spare = (struct block){0, 0};
			break;
		}
		first = ids->block.next;
		ids->block.next += take->count;
		if (!answer(ids, take, 0, first, ""))
			return;
	}
	if (!ids->fetch && (!list_empty(&ids->takes) ||
				   (left(&ids->spare) == 0 && left(&ids->block) < ids->size / 2 &&
					   ids->floor)))
		fetch(ids);
}

int once_ids_new(
	struct once_ids **ret, struct once_records *records, const char *name, int64_t block)
{
	struct once_ids *ids;

	if (!once_id_valid(name) || block < 1 || block > ONCE_IDS_MAX)
		return -EINVAL;
	ids = calloc(1, sizeof(*ids));
	if (!ids)
		return -ENOMEM;
	ids->records = records;
	ids->size = block;
	memcpy(ids->name, name, strlen(name) + 1);
	list_init(&ids->takes);
	ids->timer = records->loop->ops->timer_new(records->loop, pump, ids);
	if (!ids->timer) {
		free(ids);
		return -ENOMEM;
	}
	*ret = ids;
	return 0;
}

struct once_ids *once_ids_free(struct once_ids *ids)
{
	if (!ids)
		return NULL;
	if (ids->freed)
		*ids->freed = true;
	ids->fetch = once_task_cancel(ids->fetch);
	while (!list_empty(&ids->takes))
		take_free(&list_first(&ids->takes, struct take, base.in_records)->base);
	ids->records->loop->ops->timer_free(ids->timer);
	free(ids);
	return NULL;
}

int once_ids_take(struct once_ids *ids, struct once_task **ret_task, int64_t count, once_ids_fn *fn,
	void *userdata)
{
	struct take *take;

	if (count < 1 || count > ONCE_IDS_MAX)
		return -EINVAL;
	take = calloc(1, sizeof(*take));
	if (!take)
		return -ENOMEM;
	take->base.free = take_free;
	take->count = count;
	take->fn = fn;
	take->userdata = userdata;
	list_append(&ids->takes, &take->base.in_records);
	soon(ids);
	if (ret_task)
		*ret_task = &take->base;
	return 0;
}
