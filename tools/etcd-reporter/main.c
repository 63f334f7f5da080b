/* etcd-reporter: what is in an etcd. Reads a prefix page by page at one revision and counts.
 *
 * Happy path: pages -> stats -> report; the count that etcd gave with the first page must be the count
 * of what came. Keys are counted as they come, so a page costs this process nothing; etcd makes each
 * in memory, and counts the rest of the range for it, so pages are as large as that allows.
 *
 * Failures: a revision that was compacted in the middle: all over again, and said. A member that does
 * not answer: on from the last key, at the same revision; in smaller pages when there was no time. */
#include "base/buf.h"
#include "tools/common/goflags.h"
#include "tools/common/progress.h"
#include "tools/etcd-reporter/report.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum {
	PREFIX_MAX = 1024,
	OVER_MAX = 10,
	TRIES_MAX = 20,
	KEY_MAX = 1 << 21,
	PAGE_FIRST = 100,
	PAGE_LEAST = 1000,
	PAGES = 32,	      /* about so many: then counting takes less time than reading */
	PAGE_BYTES = 8 << 20, /* of keys and values; etcd takes several times that for a page */
};

struct reporter {
	struct ctl ctl;
	const char *prefix;
	int64_t batch, serializable, top, depth, json, timeout_ns;
	struct stats stats;
	struct progress progress;
	int64_t revision, count; /* of the first page */
	struct buf next;	 /* the key behind the last one read */
	int64_t page;		 /* keys in a page */
	uint64_t before;	 /* keys read when this page began */
	bool done, resized, counted;
	int error, tries, over;
	char message[256];
};

/* Keys in a page, from what was seen of them. True: the next pages should be of another size. */
static bool resize(struct reporter *r)
{
	const struct stats *s = &r->stats;
	int64_t each = (int64_t)((s->key_bytes + s->value_bytes) / s->keys) + 1,
		most = PAGE_BYTES / each, page = (r->count - (int64_t)s->keys) / PAGES;

	page = page < PAGE_LEAST ? PAGE_LEAST : page;
	page = page < most ? page : most > 0 ? most : 1;
	if (r->batch || (page < 2 * r->page && r->page < 2 * page))
		return false;
	r->page = page;
	return true;
}

/* The last rows of a page come with the count of what it and all behind it hold. */
static int on_page(struct reporter *r, const struct once_response *page)
{
	if (!r->counted) {
		r->counted = true;
		r->count = (int64_t)r->before + page->op.count;
		r->progress.total = (uint64_t)r->count;
	}
	r->before = r->stats.keys;
	r->tries = 0;
	r->resized = page->op.more && resize(r);
	return r->resized ? -ECANCELED : 0;
}

static int on_rows(void *userdata, const struct once_response *page)
{
	struct reporter *r = userdata;
	size_t n = page->op.n_kvs;

	if (r->revision == 0)
		r->revision = page->revision; /* from then on it is the header that moves */
	for (size_t i = 0; i < n; i++)
		stats_add(&r->stats, &page->op.kvs[i]);
	if (n > 0) {
		buf_reset(&r->next);
		(void)buf_append(
			&r->next, page->op.kvs[n - 1].key.data, page->op.kvs[n - 1].key.size);
		(void)buf_putc(&r->next, '\0');
	}
	progress_show(&r->progress, r->stats.keys, NULL);
	if (buf_error(&r->next))
		return buf_error(&r->next);
	return page->op.count > 0 ? on_page(r, page) : 0;
}

static void on_done(void *userdata, const struct once_response *response)
{
	struct reporter *r = userdata;

	r->done = true;
	r->error = response->error;
	(void)snprintf(r->message, sizeof(r->message), "%s", response->message);
	if (r->error == 0 && r->revision == 0)
		r->revision = response->revision; /* nothing there */
}

static void begin(struct reporter *r)
{
	stats_init(&r->stats, strlen(r->prefix), (size_t)r->top, (size_t)r->depth);
	r->revision = r->count = 0;
	r->counted = false;
	r->page = r->batch ? r->batch : PAGE_FIRST;
	buf_reset(&r->next);
}

/* From where it is to the end, or to an error. */
static void scan(struct reporter *r)
{
	struct once_call_options options = {ONCE_LANE_BULK, r->timeout_ns};
	char end[PREFIX_MAX + 1];
	struct once_bytes prefix = once_str(*r->prefix ? r->prefix : "");
	struct once_bytes first = prefix.size ? prefix : (struct once_bytes){"\0", 1};
	struct once_op op = {.kind = ONCE_OP_RANGE,
		.key = r->next.size ? (struct once_bytes){r->next.data, r->next.size} : first,
		.range_end = {end, once_prefix_end(prefix, end)},
		.revision = r->revision,
		.serializable = r->serializable};
	struct once_call *call = NULL;
	int code;

	r->done = r->resized = false;
	r->before = r->stats.keys;
	code = once_range_pages(r->ctl.client, &call, &options, &op, r->page, on_rows, on_done, r);
	if (code < 0) {
		r->error = code;
		return;
	}
	while (!r->done)
		(void)ctl_wait(&r->ctl, &r->done, ONCE_NSEC_PER_SEC);
}

static bool passes(int error)
{
	return error == -ETIMEDOUT || error == -EHOSTUNREACH || error == -ECONNRESET ||
	       error == -EAGAIN;
}

/* True: once more. */
static bool again(struct reporter *r)
{
	bool never = false;

	if (r->resized)
		return true;
	if (r->error == -ESTALE && r->over++ < OVER_MAX) {
		progress_end(&r->progress);
		fprintf(stderr, "%s: revision %lld was compacted after %llu keys; starting over\n",
			ctl_program, (long long)r->revision, (unsigned long long)r->stats.keys);
		begin(r);
		return true;
	}
	if (!passes(r->error) || ++r->tries * ONCE_NSEC_PER_SEC / 10 > r->timeout_ns ||
		r->tries > TRIES_MAX)
		return false;
	if (r->error == -ETIMEDOUT && !r->batch && r->page > PAGE_FIRST)
		r->page /= 4;
	(void)ctl_wait(&r->ctl, &never, ONCE_NSEC_PER_SEC / 10);
	return true;
}

static int run(struct reporter *r)
{
	int code = ctl_connect(&r->ctl);
	uint64_t others;

	if (code != 0)
		return code;
	buf_init(&r->next, KEY_MAX);
	progress_init(&r->progress, "keys", 0);
	begin(r);
	do
		scan(r);
	while (r->error < 0 && again(r));
	progress_end(&r->progress);
	buf_fini(&r->next);
	if (r->error < 0)
		return ctl_error(CTL_UNREACHABLE, "etcd: %s",
			r->message[0] ? r->message : once_strerror(r->error));
	stats_end(&r->stats);
	report_print(&r->stats, r->prefix, r->revision, r->count, r->json);
	others = r->stats.keys - (uint64_t)r->count;
	if (others != 0)
		return ctl_error(CTL_FAILED,
			"count check: etcd has %lld keys at revision %lld, but %llu were read",
			(long long)r->count, (long long)r->revision,
			(unsigned long long)r->stats.keys);
	return 0;
}

static int parse(struct reporter *r, int argc, char **argv, bool *ret_done)
{
	const struct goflag flags[] = {
		{"prefix", GOFLAG_TEXT, &r->prefix, 0, 0, "KEY", "what to report on [all keys]"},
		{"batch", GOFLAG_NUMBER, &r->batch, 1, 100000, "COUNT",
			"keys in a page [a 32nd of all, at least 1000, at most 8 MiB of them]"},
		{"serializable", GOFLAG_BOOL, &r->serializable, 0, 1, NULL,
			"read without asking the other members"},
		{"top", GOFLAG_NUMBER, &r->top, 0, TOP_MAX, "COUNT",
			"how many of the largest to show [10]"},
		{"depth", GOFLAG_NUMBER, &r->depth, 0, DEPTH_MAX, "COUNT",
			"levels of prefixes to count by [2]"},
		{"json", GOFLAG_BOOL, &r->json, 0, 1, NULL, "print JSON"},
		{"timeout", GOFLAG_DURATION, &r->timeout_ns, ONCE_NSEC_PER_MSEC,
			3600 * ONCE_NSEC_PER_SEC, "TIME",
			"until a page without an answer is given up [10s]"},
		{0},
	};
	const struct goprogram program = {"etcd-reporter",
		"Reads the keys under a prefix at one revision and tells what they hold.", flags};
	int code;

	r->prefix = "";
	r->top = 10;
	r->depth = 2;
	r->timeout_ns = 10 * ONCE_NSEC_PER_SEC;
	code = goflags_parse(&program, &r->ctl, argc, argv, ret_done);
	if (code == 0 && !*ret_done && strlen(r->prefix) > PREFIX_MAX)
		return ctl_error(
			CTL_USAGE, "-prefix: expected at most %d characters", (int)PREFIX_MAX);
	return code;
}

int main(int argc, char **argv)
{
	static struct reporter r;
	bool done = false;
	int code;

	arena_init(&r.ctl.arena);
	code = parse(&r, argc, argv, &done);
	if (code == 0 && !done)
		code = run(&r);
	if (code == 0 && r.ctl.arena.short_of_memory)
		code = ctl_out_of_memory();
	if ((fflush(stdout) != 0 || ferror(stdout)) && code == 0)
		code = ctl_error(CTL_FAILED, "standard output: cannot be written");
	ctl_disconnect(&r.ctl);
	arena_fini(&r.ctl.arena);
	return code;
}
