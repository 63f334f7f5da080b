/* A whole range at one revision, page by page.
 *
 *	AWAIT_PAGE -> rows() -> AWAIT_PAGE ... -> done()
 *
 * - The first page's revision is asked for by all the others (or the one the caller asked for).
 * - The next page begins behind the last key, which is that key and a NUL byte.
 * - etcd counts what is left of the range for each page, so pages should not be small.
 *
 * Failures: of a page, and whatever rows() says, are done()'s. rows() may cancel the call or free
 * the client: then it is only marked dead, and freed when rows() returns. */
#include "etcd/internal.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { PAGE_DEFAULT = 1000 };

struct pages {
	struct once_call base; /* first */
	struct once_call *call;
	struct once_call_options options;
	struct once_op op; /* key and range_end owned */
	int64_t page, left;
	bool limited, busy, dead;
	once_rows_fn *rows;
	once_done_fn *done;
	void *userdata;
};

static void pages_free(struct once_call *call)
{
	struct pages *p = (struct pages *)call;
	if (!p->dead) {
		p->call = once_call_cancel(p->call);
		call_fini(&p->base);
		p->dead = true;
	}
	if (!p->busy) {
		free((void *)p->op.key.data);
		free((void *)p->op.range_end.data);
		free(p);
	}
}

static int ask(struct pages *p);

static void finish(struct pages *p, const struct once_response *from, int error)
{
	once_done_fn *done = p->done;
	void *userdata = p->userdata;
	struct once_response response = *from;
	response.op = (struct once_op_result){.kind = ONCE_OP_RANGE};
	if (error && !from->error) {
		response.error = error;
		strncpy(response.message, once_strerror(error), sizeof(response.message) - 1);
	}
	if (!response.revision) {
		response.revision = p->op.revision;
	}
	pages_free(&p->base);
	done(userdata, &response);
}

/* Makes the next page begin behind the last key of this one. */
static int move_on(struct pages *p, const struct once_response *page)
{
	struct once_bytes last = page->op.kvs[page->op.n_kvs - 1].key;
	char *key = malloc(last.size + 1);
	if (!key) {
		return -ENOMEM;
	}
	memcpy(key, last.data, last.size);
	key[last.size] = 0;
	free((void *)p->op.key.data);
	p->op.key = (struct once_bytes){key, last.size + 1};
	p->op.revision = p->op.revision ? p->op.revision : page->revision;
	p->left -= (int64_t)page->op.n_kvs;
	return 0;
}

static void on_page(void *userdata, const struct once_response *page)
{
	struct pages *p = userdata;
	p->call = NULL;
	if (page->error) {
		finish(p, page, 0);
		return;
	}
	p->busy = true;
	int r = page->op.n_kvs ? p->rows(p->userdata, page) : 0;
	p->busy = false;
	if (p->dead) {
		pages_free(&p->base);
		return;
	}
	bool more = page->op.more && page->op.n_kvs;
	r = r || !more ? r : move_on(p, page);
	if (!r && more && (!p->limited || p->left > 0)) {
		r = ask(p);
		more = r == 0;
	} else {
		more = false;
	}
	if (!more) {
		finish(p, page, r);
	}
}

static int ask(struct pages *p)
{
	p->op.limit = p->limited && p->left < p->page ? p->left : p->page;
	return once_kv(p->base.client, &p->call, &p->options, &p->op, on_page, p);
}

static int copy_bytes(struct once_bytes *ret, struct once_bytes from)
{
	char *data = malloc(from.size + 1);
	if (!data) {
		return -ENOMEM;
	}
	if (from.size) {
		memcpy(data, from.data, from.size);
	}
	*ret = (struct once_bytes){data, from.size};
	return 0;
}

int once_range_pages(struct once_client *client, struct once_call **ret_call,
	const struct once_call_options *options, const struct once_op *op, int64_t page,
	once_rows_fn *rows, once_done_fn *done, void *userdata)
{
	bool by_key = op->sort_order == ONCE_SORT_NONE ||
		      (op->sort_order == ONCE_SORT_ASCEND && op->sort_target == ONCE_SORT_KEY);
	if (op->kind != ONCE_OP_RANGE || op->count_only || !by_key || page < 0) {
		return -EINVAL;
	}
	struct pages *p = calloc(1, sizeof(*p));
	if (!p) {
		return -ENOMEM;
	}
	call_init(&p->base, client, pages_free);
	p->options = options ? *options : (struct once_call_options){0};
	p->op = *op;
	p->op.key = p->op.range_end = (struct once_bytes){NULL, 0};
	p->page = page ? page : PAGE_DEFAULT;
	p->limited = op->limit > 0;
	p->left = op->limit;
	p->rows = rows;
	p->done = done;
	p->userdata = userdata;
	int r = copy_bytes(&p->op.key, op->key);
	r = r ? r : copy_bytes(&p->op.range_end, op->range_end);
	r = r ? r : ask(p);
	if (r < 0) {
		pages_free(&p->base);
		return r;
	}
	if (ret_call) {
		*ret_call = &p->base;
	}
	return 0;
}
