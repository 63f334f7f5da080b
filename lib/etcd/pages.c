/* A whole range at one revision, page by page.
 *
 *	AWAIT_PAGE -> rows() ... -> rows() with the count -> AWAIT_PAGE ... -> done()
 *
 * - The keys of a page are told as they come, so a page may be larger than memory.
 * - The first page's revision is asked for by all the others (or the one the caller asked for).
 * - The next page begins behind the last key, which is that key and a NUL byte.
 * - etcd counts what is left of the range for each page: with pages of one size the time grows with
 *   the square of the keys. Large ranges want large pages.
 *
 * Failures: of a page, and whatever rows() says, are done()'s. rows() may cancel the call or free
 * the client: then it is only marked dead, and freed when rows() returns. */
#include "etcd/internal.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { PAGE_DEFAULT = 1000, KEY_MAX = 64 << 20 };

struct pages {
	struct once_call base; /* first */
	struct once_call *call;
	struct once_call_options options;
	struct once_op op;     /* range_end owned; key is next */
	struct buf next;       /* where the next page begins */
	int64_t page, left, n; /* n: keys of this page, so far */
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
		buf_fini(&p->next);
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

/* Tells them; the pages may be dead then. */
static int tell(struct pages *p, const struct once_response *page)
{
	p->busy = true;
	int r = p->rows(p->userdata, page);
	p->busy = false;
	return r;
}

/* Makes the next page begin behind the last of these keys. */
static int move_on(struct pages *p, const struct once_op_result *op)
{
	struct once_bytes last = op->kvs[op->n_kvs - 1].key;
	buf_reset(&p->next);
	(void)buf_append(&p->next, last.data, last.size);
	p->n += (int64_t)op->n_kvs;
	p->left -= (int64_t)op->n_kvs;
	return buf_putc(&p->next, 0);
}

static void on_part(void *userdata, const struct once_response *part)
{
	struct pages *p = userdata;
	int r = move_on(p, &part->op);
	p->op.revision = p->op.revision ? p->op.revision : part->revision;
	r = r ? r : tell(p, part);
	if (p->dead) {
		pages_free(&p->base);
	} else if (r) {
		p->call = once_call_cancel(p->call);
		finish(p, part, r);
	}
}

static void on_page(void *userdata, const struct once_response *page)
{
	struct pages *p = userdata;
	int r = 0;
	p->call = NULL;
	if (page->error) {
		finish(p, page, 0);
		return;
	}
	if (page->op.n_kvs) { /* they stood where nobody looks for them while they come */
		r = move_on(p, &page->op);
	}
	if (!r && page->op.count) {
		r = tell(p, page);
	}
	if (p->dead) {
		pages_free(&p->base);
		return;
	}
	p->op.revision = p->op.revision ? p->op.revision : page->revision;
	bool more = !r && page->op.more && p->n && (!p->limited || p->left > 0);
	if (more) {
		r = ask(p);
	}
	if (!more || r) {
		finish(p, page, r);
	}
}

static int ask(struct pages *p)
{
	p->n = 0;
	p->op.key = (struct once_bytes){buf_text(&p->next), p->next.size};
	p->op.limit = p->limited && p->left < p->page ? p->left : p->page;
	int r = once_kv(p->base.client, &p->call, &p->options, &p->op, on_page, p);
	return r ? r : call_in_parts(p->call, on_part);
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
	char *end = malloc(op->range_end.size + 1);
	if (end && op->range_end.size) {
		memcpy(end, op->range_end.data, op->range_end.size);
	}
	p->op.range_end.data = end;
	buf_init(&p->next, KEY_MAX);
	p->page = page ? page : PAGE_DEFAULT;
	p->limited = op->limit > 0;
	p->left = op->limit;
	p->rows = rows;
	p->done = done;
	p->userdata = userdata;
	int r = buf_append(&p->next, op->key.data, op->key.size);
	r = end ? r : -ENOMEM;
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
