/* Writes n items by a writer (once/confirm.h): create-only, many keys in a txn, many txns in
 * flight.
 *
 * Happy path: fill until the writer has enough, again after each of its answers. An item that is
 * already there with the same value was written by an earlier run with this seed.
 *
 * Failures: after the first item that is refused or unknown no more is begun; what is in flight is
 * waited for, and the first reason is told. */
#include "tools/etcd-faker/faker.h"

#include <errno.h>
#include <once/confirm.h>
#include <string.h>

#include "tools/common/pace.h"

struct load {
	struct faker *f;
	struct once_writer *writer;
	struct once_timer *timer; /* the next moment that -rate allows */
	struct pace pace;
	struct progress progress;
	uint64_t next;
	struct buf key, value; /* of item `next` while it is made */
	bool made, done;
	int r;
};

static bool has_failed(const struct load *l)
{
	return l->r < 0 || l->f->refused + l->f->unknown > 0;
}

/* False: not yet; the timer is set. */
static bool may_go(struct load *l)
{
	struct once_loop *loop = l->f->ctl.loop;
	int64_t wait = pace_wait_ns(&l->pace, l->next, loop->ops->now(loop));

	if (wait > 0)
		loop->ops->timer_set(l->timer, wait);
	return wait == 0;
}

static int put(struct load *l)
{
	struct once_bytes key, value;

	if (!l->made) {
		buf_reset(&l->key);
		buf_reset(&l->value);
		fake_item(&l->f->mix, l->next, &l->key, &l->value);
		if (buf_error(&l->key) || buf_error(&l->value))
			return -ENOMEM;
		l->made = true;
	}
	key = (struct once_bytes){buf_text(&l->key), l->key.size};
	value = (struct once_bytes){buf_text(&l->value), l->value.size};
	return once_writer_put(l->writer, key, value);
}

static void fill(struct load *l)
{
	int r = 0;

	while (l->next < (uint64_t)l->f->n && !has_failed(l) && r == 0 && may_go(l)) {
		r = put(l);
		if (r == 0) {
			l->f->bytes += l->key.size + l->value.size;
			l->made = false;
			l->next++;
		}
	}
	if (r < 0 && r != -EAGAIN)
		l->r = r;
	if (l->next == (uint64_t)l->f->n || has_failed(l))
		once_writer_flush(l->writer);
	l->done = once_writer_pending(l->writer) == 0 &&
		  (has_failed(l) || l->next == (uint64_t)l->f->n);
}

static void on_time(void *userdata)
{
	fill(userdata);
}

static void note_failure(struct faker *f, int error, const char *message)
{
	if (f->error == 0) {
		f->error = error ? error : -EIO;
		(void)snprintf(f->message, sizeof(f->message), "%s",
			*message ? message : once_strerror(f->error));
	}
}

static void on_results(void *userdata, const struct once_confirmation *results, size_t n,
	int64_t took_ns, const char *message)
{
	struct load *l = userdata;
	struct faker *f = l->f;

	for (size_t i = 0; i < n; i++)
		switch (results[i].state) {
		case ONCE_CONFIRMED:
			f->created++;
			break;
		case ONCE_CONFIRM_DUPLICATE:
			*(results[i].same_value ? &f->there : &f->other) += 1;
			break;
		case ONCE_CONFIRM_REFUSED:
		case ONCE_CONFIRM_FENCED:
			f->refused++;
			note_failure(f, results[i].error, message);
			break;
		case ONCE_CONFIRM_UNKNOWN:
			f->unknown++;
			note_failure(f, results[i].error, message);
			break;
		}
	histogram_add(&f->latency, (uint64_t)(took_ns / 1000), n);
	progress_show(&l->progress, f->created + f->there + f->other, NULL);
	fill(l);
}

static int begin(struct load *l)
{
	struct faker *f = l->f;
	struct once_confirm_config config = {.mode = ONCE_CONFIRM_TXN,
		.prefix = once_str(f->prefix),
		.batch = (size_t)f->batch,
		.inflight = (size_t)f->c,
		.settle_timeout_ns = f->timeout_ns};

	if (config.batch == 1)
		config.mode = ONCE_CONFIRM_INDIVIDUAL;
	l->timer = f->ctl.loop->ops->timer_new(f->ctl.loop, on_time, l);
	if (!l->timer)
		return -ENOMEM;
	return once_writer_new(&l->writer, f->ctl.client, f->ctl.loop, &config, on_results, l);
}

int faker_load(struct faker *f)
{
	struct load l = {.f = f};
	bool pending = true;

	buf_init(&l.key, 4096);
	buf_init(&l.value, 64 << 20);
	progress_init(&l.progress, "keys", (uint64_t)f->n);
	l.pace = (struct pace){f->rate, f->ctl.loop->ops->now(f->ctl.loop)};
	l.r = begin(&l);
	if (l.r == 0)
		fill(&l);
	/* The writer settles everything within -timeout. */
	while (l.r == 0 && pending)
		pending = !ctl_wait(&f->ctl, &l.done, ONCE_NSEC_PER_SEC);
	f->took_ns = once_elapsed_max(l.pace.since, f->ctl.loop->ops->now(f->ctl.loop));
	progress_end(&l.progress);
	l.writer = once_writer_free(l.writer);
	f->ctl.loop->ops->timer_free(l.timer);
	buf_fini(&l.key);
	buf_fini(&l.value);
	if (l.r < 0)
		return ctl_error(CTL_FAILED, "%s", once_strerror(l.r));
	return 0;
}
