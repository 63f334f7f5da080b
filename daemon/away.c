/* See away.h. */
#include "daemon/away.h"

#include "daemon/log.h"

#include <errno.h>
#include <once/control.h>
#include <string.h>

static const int64_t LOOK_AGAIN = 2 * ONCE_NSEC_PER_SEC;

static void gone(struct away *a)
{
	if (a->known && !a->there)
		return;
	if (a->there)
		log_info("away", "campaigning again: the time to stay away is over");
	a->there = false;
	a->known = true;
	a->fn(a->userdata, -1);
}

static void take(struct away *a, const struct once_kv *kv)
{
	struct once_pause wish;
	int64_t left_ms;

	if (once_pause_decode(&wish, kv->value) < 0 || wish.until_ms == 0) {
		log_warning("away", "%s: not readable: not staying away", a->key);
		gone(a);
		return;
	}
	left_ms = wish.until_ms - once_utc_now();
	if (left_ms <= 0) {
		gone(a);
		return;
	}
	if (!a->there)
		log_info("away", "not campaigning for %lld s: asked for by %s%s%s",
			(long long)(left_ms + 999) / 1000, wish.by, wish.reason[0] ? ": " : "",
			wish.reason);
	a->there = a->known = true;
	a->fn(a->userdata, left_ms * ONCE_NSEC_PER_MSEC);
	a->loop->ops->timer_set(a->timer, LOOK_AGAIN);
}

static void on_answer(void *userdata, const struct once_response *response)
{
	struct away *a = userdata;

	a->call = NULL;
	if (response->error < 0)
		a->loop->ops->timer_set(a->timer, LOOK_AGAIN);
	else if (response->op.n_kvs == 0)
		gone(a);
	else
		take(a, &response->op.kvs[0]);
}

void away_check(struct away *a)
{
	struct once_op op = {.kind = ONCE_OP_RANGE, .key = once_str(a->key)};
	struct once_call_options options = {.lane = a->lane};

	if (!a->timer || a->call)
		return;
	if (once_kv(a->client, &a->call, &options, &op, on_answer, a) < 0)
		a->loop->ops->timer_set(a->timer, LOOK_AGAIN);
}

static void on_timer(void *userdata)
{
	away_check(userdata);
}

int away_init(struct away *a, struct once_client *client, struct once_loop *loop,
	const char *prefix, const char *group, const char *node, away_fn *fn, void *userdata)
{
	memset(a, 0, sizeof(*a));
	a->client = client;
	a->loop = loop;
	a->fn = fn;
	a->userdata = userdata;
	if (once_key_make(a->key, prefix, ONCE_KEY_AWAY, group, node, 0) < 0)
		return -EINVAL;
	a->timer = loop->ops->timer_new(loop, on_timer, a);
	return a->timer ? 0 : -ENOMEM;
}

void away_fini(struct away *a)
{
	a->call = once_call_cancel(a->call);
	if (a->timer)
		a->loop->ops->timer_free(a->timer);
	a->timer = NULL;
}
