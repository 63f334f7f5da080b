/* Reads everything under the prefix, page by page at one revision, makes each item again from the
 * number in its key, and compares. In any order of keys, so it only counts which were right: a
 * number has one key, and keys are unique. */
#include "tools/etcd-faker/faker.h"

#include <string.h>

struct verify {
	struct faker *f;
	struct progress progress;
	struct buf key, value;
	bool done;
	int error;
	char message[256];
};

static void check(struct verify *v, const struct once_kv *kv)
{
	struct faker *f = v->f;
	size_t n = strlen(f->prefix);
	uint64_t number;

	if (fake_number(kv->key.data, kv->key.size, &number) < 0 || number >= (uint64_t)f->n) {
		f->foreign++;
		return;
	}
	buf_reset(&v->key);
	buf_reset(&v->value);
	(void)buf_append(&v->key, f->prefix, n);
	fake_item(&f->mix, number, &v->key, &v->value);
	if (v->key.size != kv->key.size || memcmp(v->key.data, kv->key.data, kv->key.size) != 0)
		f->foreign++;
	else if (v->value.size != kv->value.size ||
		 (v->value.size > 0 && memcmp(v->value.data, kv->value.data, v->value.size) != 0))
		f->wrong++;
	else
		f->verified++;
}

static int on_rows(void *userdata, const struct once_response *page)
{
	struct verify *v = userdata;

	for (size_t i = 0; i < page->op.n_kvs; i++)
		check(v, &page->op.kvs[i]);
	progress_show(&v->progress, v->f->verified + v->f->wrong, "verifying");
	return 0;
}

static void on_done(void *userdata, const struct once_response *response)
{
	struct verify *v = userdata;

	v->done = true;
	v->error = response->error;
	(void)snprintf(v->message, sizeof(v->message), "%s", response->message);
}

int faker_verify(struct faker *f)
{
	struct verify v = {.f = f};
	struct once_call_options options = {ONCE_LANE_BULK, f->timeout_ns};
	char end[4096];
	struct once_op op = {.kind = ONCE_OP_RANGE,
		.key = once_str(f->prefix),
		.range_end = {end, once_prefix_end(once_str(f->prefix), end)}};
	int r;

	buf_init(&v.key, 8192);
	buf_init(&v.value, 64 << 20);
	progress_init(&v.progress, "keys", (uint64_t)f->n);
	r = once_range_pages(f->ctl.client, NULL, &options, &op, 0, on_rows, on_done, &v);
	while (r == 0 && !v.done)
		(void)ctl_wait(&f->ctl, &v.done, ONCE_NSEC_PER_SEC);
	progress_end(&v.progress);
	buf_fini(&v.key);
	buf_fini(&v.value);
	if (r < 0 || v.error < 0)
		return ctl_error(
			CTL_UNREACHABLE, "verify: %s", v.error < 0 ? v.message : once_strerror(r));
	f->missing = (uint64_t)f->n - f->verified - f->wrong;
	return 0;
}
