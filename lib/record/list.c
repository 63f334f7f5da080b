/* Records read back: page by page in order of their keys, or the latest few in one page.
 *
 * Moments within a second come as their texts sort: "...:00.123Z" before "...:00Z". So a range by
 * time is asked for by whole seconds, and each row is looked at again. */
#include "record/records.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PAGE = 200, LAST_MAX = 1000, SECOND_SIZE = sizeof("2026-11-22T18:30:00") - 1 };

struct lister {
	struct once_task base; /* first */
	struct once_records *records;
	struct once_call *call;
	struct once_list list; /* name is not kept */
	int64_t left;	       /* of list.last */
	bool busy, dead;
	once_row_fn *row;
	once_list_fn *done;
	void *userdata;
};

static void lister_free(struct once_task *task)
{
	struct lister *l = (struct lister *)task;

	if (!l->dead) {
		l->call = once_call_cancel(l->call);
		task_fini(&l->base);
		l->dead = true;
	}
	if (!l->busy)
		free(l);
}

static bool wanted(const struct lister *l, const struct once_row *row)
{
	if (row->error == 0 && l->list.kind == ONCE_KEY_RUN &&
		((l->list.from_ms && row->key.at_ms < l->list.from_ms) ||
			(l->list.until_ms && row->key.at_ms >= l->list.until_ms)))
		return false;
	if (l->list.states == 0)
		return true;
	return row->run && (l->list.states >> row->run->state & 1);
}

/* 0, or what row() said. Without memory to read it a record is not one that nobody can read: whoever looks for
 * runs without an end would pass over it. */
static int tell(struct lister *l, const struct once_kv *kv)
{
	struct once_row row = {.text = kv->key,
		.value = kv->value,
		.create_revision = kv->create_revision,
		.mod_revision = kv->mod_revision};
	struct once_run *run = NULL;
	int r = 0;

	row.error = once_key_parse(&row.key, l->records->prefix, kv->key);
	if (row.error == 0 && row.key.kind != l->list.kind)
		row.error = -EINVAL;
	if (row.error == 0)
		row.error = once_run_decode(&run, kv->value);
	if (row.error == -ENOMEM)
		return -ENOMEM;
	row.run = run;
	if (wanted(l, &row)) {
		l->left--;
		r = l->row(l->userdata, &row);
	}
	run = once_run_free(run);
	return r;
}

/* The rows of a page; the owner may cancel in each. */
static int tell_all(struct lister *l, const struct once_response *page)
{
	int r = 0;

	l->busy = true;
	for (size_t i = 0; i < page->op.n_kvs && r == 0 && !l->dead; i++) {
		if (l->list.last == 0 || l->left > 0)
			r = tell(l, &page->op.kvs[i]);
	}
	l->busy = false;
	return r;
}

static void finish(struct lister *l, int error, const struct once_response *response)
{
	once_list_fn *done = l->done;
	void *userdata = l->userdata;

	lister_free(&l->base);
	done(userdata, error, response->revision,
		error ? (response->error ? response->message : once_strerror(error)) : "");
}

static int on_page(void *userdata, const struct once_response *page)
{
	struct lister *l = userdata;
	int r = tell_all(l, page);

	if (!l->dead)
		return r;
	lister_free(&l->base);
	return -ECANCELED;
}

static void on_pages_done(void *userdata, const struct once_response *response)
{
	struct lister *l = userdata;

	l->call = NULL;
	finish(l, response->error, response);
}

static void on_last(void *userdata, const struct once_response *response)
{
	struct lister *l = userdata;
	int r = response->error;

	l->call = NULL;
	if (r == 0)
		r = tell_all(l, response);
	if (l->dead)
		lister_free(&l->base);
	else
		finish(l, r, response);
}

/* The bound of a moment: the text of its second, which all keys within it begin with. */
static int bound(char out[ONCE_KEY_SIZE], const char *prefix, int64_t ms)
{
	char moment[ONCE_UTC_SIZE];
	int n;

	if (once_utc_format(moment, ms)[0] == '\0')
		return -EINVAL;
	n = snprintf(out, ONCE_KEY_SIZE, "%s%.*s", prefix, (int)SECOND_SIZE, moment);
	return n < 0 || n >= ONCE_KEY_SIZE ? -EINVAL : 0;
}

/* Writes both ends of the range. */
static int range_of(const struct once_records *records, const struct once_list *list,
	char first[ONCE_KEY_SIZE], char end[ONCE_KEY_SIZE], size_t *ret_end)
{
	char prefix[ONCE_KEY_SIZE];
	bool single = list->kind == ONCE_KEY_ONCE && list->name;
	int r;

	if (list->kind != ONCE_KEY_RUN && list->kind != ONCE_KEY_ONCE &&
		list->kind != ONCE_KEY_STEP && list->kind != ONCE_KEY_UNDO)
		return -EINVAL;
	if ((list->from_ms || list->until_ms) && (list->kind != ONCE_KEY_RUN || !list->name))
		return -EINVAL;
	if (single) {
		*ret_end = 0;
		return once_key_make(first, records->prefix, list->kind, list->name, NULL, 0);
	}
	r = once_key_prefix(prefix, records->prefix, list->kind, list->name);
	if (r < 0)
		return r;
	memcpy(first, prefix, sizeof(prefix));
	*ret_end = once_prefix_end(once_str(prefix), end);
	if (list->from_ms)
		r = bound(first, prefix, list->from_ms);
	if (r == 0 && list->until_ms) {
		r = bound(end, prefix, list->until_ms + 1000);
		*ret_end = strlen(end);
	}
	return r;
}

static int ask(struct lister *l, const struct once_list *list)
{
	struct once_call_options options = {ONCE_LANE_BULK, l->records->attempt_timeout_ns * 5};
	char first[ONCE_KEY_SIZE], end[ONCE_KEY_SIZE];
	struct once_op op = {.kind = ONCE_OP_RANGE, .revision = list->revision};
	size_t n_end = 0;
	int r = range_of(l->records, list, first, end, &n_end);

	if (r < 0)
		return r;
	op.key = once_str(first);
	op.range_end = (struct once_bytes){end, n_end};
	if (list->last == 0)
		return once_range_pages(l->records->client, &l->call, &options, &op, PAGE, on_page,
			on_pages_done, l);
	op.limit = list->states || list->from_ms || list->until_ms ? LAST_MAX : list->last;
	op.sort_order = ONCE_SORT_DESCEND;
	return once_kv(l->records->client, &l->call, &options, &op, on_last, l);
}

int once_ledger_list(struct once_records *records, struct once_task **ret_task,
	const struct once_list *list, once_row_fn *row, once_list_fn *done, void *userdata)
{
	struct lister *l;
	int r;

	if (list->last < 0 || list->last > LAST_MAX || list->revision < 0)
		return -EINVAL;
	l = calloc(1, sizeof(*l));
	if (!l)
		return -ENOMEM;
	task_init(&l->base, records, lister_free);
	l->records = records;
	l->list = *list;
	l->list.name = NULL;
	l->left = list->last;
	l->row = row;
	l->done = done;
	l->userdata = userdata;
	r = ask(l, list);
	if (r < 0) {
		lister_free(&l->base);
		return r;
	}
	if (ret_task)
		*ret_task = &l->base;
	return 0;
}
