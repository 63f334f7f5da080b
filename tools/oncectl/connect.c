/* The connection, and calls that wait for their answers.
 *
 * Happy path: one loop, one client; a call is started, the loop turns until its callback has copied
 * the answer into the arena. A failure that another member, or a moment, may mend is tried again
 * until the command's time is over; any other is printed. The client's own deadlines end every
 * wait. */
#include "tools/oncectl/ctl.h"

#include <errno.h>
#include <ev.h>
#include <once/ev.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const int64_t PAUSE = 50 * ONCE_NSEC_PER_MSEC;
static const int64_t TRY = 2 * ONCE_NSEC_PER_SEC;

static void on_endpoint(void *userdata, const char *url, int http_version, const char *why)
{
	struct ctl *ctl = userdata;

	(void)why;
	(void)snprintf(ctl->endpoint, sizeof(ctl->endpoint), "%s", url);
	ctl->http_version = http_version;
}

static int make_client(
	struct ctl *ctl, const char *const *endpoints, size_t n_endpoints, struct once_client **ret)
{
	static const struct once_client_listener listener = {.endpoint = on_endpoint};
	struct once_client_config config = config_connection(&ctl->config);
	const char *message = NULL;
	int r;

	config.endpoints = endpoints;
	config.n_endpoints = n_endpoints;
	config.prefer_leader = ctl->prefer_leader || (ctl->command && ctl->command->bulk);
	config.request_timeout_ns = ctl->timeout_ns;
	r = once_client_new(ret, ctl->loop, &config, &listener, ctl, &message);
	if (r < 0)
		return ctl_error(CTL_USAGE, "%s", message && *message ? message : once_strerror(r));
	return CTL_OK;
}

int ctl_client_of(struct ctl *ctl, const char *endpoint, struct once_client **ret)
{
	return make_client(ctl, &endpoint, 1, ret);
}

/* libev would abort() when memory is refused. */
static void *loop_memory(void *data, long size)
{
	if (size == 0) {
		free(data);
		return NULL;
	}
	data = realloc(data, (size_t)size);
	if (!data)
		ctl_end_without_memory();
	return data;
}

int ctl_connect(struct ctl *ctl)
{
	ev_set_allocator(loop_memory);
	/* The default loop would abort() without a descriptor for signals, which nobody here leaves to libev. */
	ctl->ev = ev_loop_new(EVBACKEND_EPOLL | EVFLAG_NOENV);
	if (!ctl->ev)
		return ctl_error(CTL_FAILED, "cannot wait for anything: %s", strerror(errno));
	ctl->loop = once_loop_ev_new(ctl->ev);
	if (!ctl->loop)
		return ctl_out_of_memory();
	ctl->began = ctl->loop->ops->now(ctl->loop);
	return make_client(ctl, (const char *const *)ctl->config.endpoints, ctl->config.n_endpoints,
		&ctl->client);
}

void ctl_disconnect(struct ctl *ctl)
{
	ctl->client = once_client_free(ctl->client);
	ctl->loop = once_loop_ev_free(ctl->loop);
	if (ctl->ev)
		ev_loop_destroy(ctl->ev);
	ctl->ev = NULL;
	config_free(&ctl->config);
}

/* ---- waiting --------------------------------------------------------------------------------- */

struct alarm {
	bool rung;
	struct ev_loop *ev;
};

static void on_alarm(void *userdata)
{
	struct alarm *alarm = userdata;

	alarm->rung = true;
	ev_break(alarm->ev, EVBREAK_ONE);
}

bool ctl_wait(struct ctl *ctl, const bool *done, int64_t timeout_ns)
{
	struct alarm alarm = {.ev = ctl->ev};
	struct once_timer *timer = ctl->loop->ops->timer_new(ctl->loop, on_alarm, &alarm);

	if (!timer)
		return *done;
	ctl->loop->ops->timer_set(timer, timeout_ns > 0 ? timeout_ns : 0);
	while (!*done && !alarm.rung)
		ev_run(ctl->ev, EVRUN_ONCE);
	ctl->loop->ops->timer_free(timer);
	return *done;
}

int64_t ctl_time_left(const struct ctl *ctl)
{
	return ctl->timeout_ns - once_elapsed_max(ctl->began, ctl->loop->ops->now(ctl->loop));
}

void ctl_round_time(struct ctl *ctl)
{
	ctl->began = ctl->loop->ops->now(ctl->loop);
}

void ctl_round(struct ctl *ctl)
{
	ctl_round_time(ctl);
	arena_fini(&ctl->arena);
	arena_init(&ctl->arena);
}

void ctl_sleep(struct ctl *ctl, int64_t ns)
{
	bool never = false;

	(void)ctl_wait(ctl, &never, ns);
}

/* ---- one call -------------------------------------------------------------------------------- */

enum request_kind {
	REQUEST_OP,
	REQUEST_TXN,
	REQUEST_MEMBERS,
	REQUEST_STATUS,
	REQUEST_PREFIX,
	REQUEST_GRANT,
	REQUEST_REVOKE,
	REQUEST_SELF_TEST,
};

struct request {
	struct ctl *ctl;
	enum request_kind kind;
	const struct once_op *op;
	const struct once_txn *txn;
	bool attempt;	/* one, whatever comes of it */
	int64_t number; /* TTL, lease */
	bool once;	/* not to be sent again when it may have been applied */
	int expected;	/* an error that the command reads; 0: none */
	bool done;
	const struct once_response *response; /* NULL: out of memory */
	/* REQUEST_PREFIX: the pages so far */
	struct once_kv *kvs;
	size_t n_kvs, cap;
};

static void on_done(void *userdata, const struct once_response *response)
{
	struct request *q = userdata;

	q->response = ctl_copy(&q->ctl->arena, response);
	q->done = true;
}

static int on_rows(void *userdata, const struct once_response *page)
{
	struct request *q = userdata;
	const struct once_response *copy = ctl_copy(&q->ctl->arena, page);
	size_t n = page->op.n_kvs;

	if (!copy)
		return -ENOMEM;
	if (q->n_kvs + n > q->cap) {
		size_t cap = (q->n_kvs + n) * 2;
		struct once_kv *kvs = arena_array(&q->ctl->arena, cap, sizeof(*kvs));

		if (!kvs)
			return -ENOMEM;
		if (q->n_kvs > 0)
			memcpy(kvs, q->kvs, q->n_kvs * sizeof(*kvs));
		q->kvs = kvs;
		q->cap = cap;
	}
	if (n > 0)
		memcpy(q->kvs + q->n_kvs, copy->op.kvs, n * sizeof(*q->kvs));
	q->n_kvs += n;
	return 0;
}

static int start(struct request *q, struct once_call **ret_call)
{
	struct ctl *ctl = q->ctl;
	int64_t left = ctl_time_left(ctl);
	struct once_call_options options = {ONCE_LANE_CONTROL, left < TRY ? left : TRY};

	q->done = false;
	q->response = NULL;
	q->n_kvs = 0;
	switch (q->kind) {
	case REQUEST_OP:
		return once_kv(ctl->client, ret_call, &options, q->op, on_done, q);
	case REQUEST_TXN:
		return once_txn(ctl->client, ret_call, &options, q->txn, on_done, q);
	case REQUEST_MEMBERS:
		return once_member_list(ctl->client, ret_call, &options, true, on_done, q);
	case REQUEST_STATUS:
		return once_status(ctl->client, ret_call, &options, on_done, q);
	case REQUEST_PREFIX:
		options.timeout_ns = left;
		return once_range_pages(
			ctl->client, ret_call, &options, q->op, 0, on_rows, on_done, q);
	case REQUEST_GRANT:
		return once_lease_grant(ctl->client, ret_call, &options, q->number, 0, on_done, q);
	case REQUEST_REVOKE:
		return once_lease_revoke(ctl->client, ret_call, &options, q->number, on_done, q);
	case REQUEST_SELF_TEST:
		return once_self_test(ctl->client, ret_call, &options, q->op->key, on_done, q);
	}
	return -EINVAL;
}

/* Another member, or the next moment, may know better. */
static bool is_passing(int error)
{
	return error == -ETIMEDOUT || error == -EHOSTUNREACH || error == -ECONNRESET ||
	       error == -EAGAIN;
}

static const struct once_response *give_up(
	struct request *q, int error, const struct once_response *last)
{
	const char *where = last && last->endpoint ? last->endpoint : q->ctl->config.endpoints[0];
	const char *why = last && last->message[0] ? last->message : once_strerror(error);

	if (error == -ENOMEM)
		(void)ctl_out_of_memory();
	else
		(void)ctl_error(CTL_UNREACHABLE, "etcd at %s: %s", where, why);
	return NULL;
}

static const struct once_response *perform(struct request *q)
{
	struct ctl *ctl = q->ctl;
	const struct once_response *last = NULL;

	for (;;) {
		struct once_call *call = NULL;
		int r;

		if (ctl_time_left(ctl) <= 0)
			return give_up(q, last ? last->error : -ETIMEDOUT, last);
		r = start(q, &call);
		if (r < 0)
			return give_up(q, r, NULL);
		/* The call has its own deadline; this one is for what should not be. */
		if (!ctl_wait(ctl, &q->done, ctl_time_left(ctl) + ONCE_NSEC_PER_SEC)) {
			(void)once_call_cancel(call);
			return give_up(q, -ETIMEDOUT, last);
		}
		if (!q->response)
			return give_up(q, -ENOMEM, NULL);
		last = q->response;
		if (last->error == 0 || q->attempt || last->error == q->expected)
			return last;
		if (q->once && last->outcome == ONCE_UNKNOWN) {
			(void)ctl_error(CTL_UNREACHABLE,
				"etcd at %s: %s; it may have been written all the same",
				last->endpoint, last->message);
			return NULL;
		}
		if (!is_passing(last->error))
			return give_up(q, last->error, last);
		ctl_sleep(ctl, PAUSE);
	}
}

const struct once_response *ctl_txn(struct ctl *ctl, const struct once_txn *txn)
{
	struct request q = {.ctl = ctl, .kind = REQUEST_TXN, .txn = txn};
	return perform(&q);
}

const struct once_response *ctl_txn_or(struct ctl *ctl, const struct once_txn *txn, int error)
{
	struct request q = {.ctl = ctl, .kind = REQUEST_TXN, .txn = txn, .expected = error};
	return perform(&q);
}

const struct once_response *ctl_txn_once(struct ctl *ctl, const struct once_txn *txn)
{
	struct request q = {.ctl = ctl, .kind = REQUEST_TXN, .txn = txn, .once = true};
	return perform(&q);
}

const struct once_response *ctl_op(struct ctl *ctl, const struct once_op *op)
{
	struct request q = {.ctl = ctl, .kind = REQUEST_OP, .op = op};
	return perform(&q);
}

const struct once_response *ctl_try_op(struct ctl *ctl, const struct once_op *op)
{
	struct request q = {.ctl = ctl, .kind = REQUEST_OP, .op = op, .attempt = true};
	return perform(&q);
}

const struct once_response *ctl_try_grant(struct ctl *ctl, int64_t ttl_s)
{
	struct request q = {.ctl = ctl, .kind = REQUEST_GRANT, .number = ttl_s, .attempt = true};
	return perform(&q);
}

const struct once_response *ctl_try_revoke(struct ctl *ctl, int64_t lease)
{
	struct request q = {.ctl = ctl, .kind = REQUEST_REVOKE, .number = lease, .attempt = true};
	return perform(&q);
}

const struct once_response *ctl_try_self_test(struct ctl *ctl, const char *key)
{
	struct once_op op = {.key = once_str(key)};
	struct request q = {.ctl = ctl, .kind = REQUEST_SELF_TEST, .op = &op, .attempt = true};
	return perform(&q);
}

const struct once_response *ctl_members(struct ctl *ctl)
{
	struct request q = {.ctl = ctl, .kind = REQUEST_MEMBERS};
	return perform(&q);
}

const struct once_response *ctl_status(struct ctl *ctl)
{
	struct request q = {.ctl = ctl, .kind = REQUEST_STATUS};
	return perform(&q);
}

const struct once_response *ctl_get(struct ctl *ctl, const char *key)
{
	struct once_op op = {.kind = ONCE_OP_RANGE, .key = once_str(key)};
	return ctl_op(ctl, &op);
}

static const struct once_response *pages(struct ctl *ctl, const char *prefix, bool keys_only)
{
	char end[CTL_KEY_MAX];
	struct once_op op = {
		.kind = ONCE_OP_RANGE, .key = once_str(prefix), .keys_only = keys_only};
	struct request q = {.ctl = ctl, .kind = REQUEST_PREFIX, .op = &op};
	const struct once_response *response;
	struct once_response *whole;

	if (op.key.size >= sizeof(end))
		return give_up(&q, -EINVAL, NULL);
	op.range_end = (struct once_bytes){end, once_prefix_end(op.key, end)};
	response = perform(&q);
	whole = response ? arena_alloc(&ctl->arena, sizeof(*whole)) : NULL;
	if (!whole)
		return response ? give_up(&q, -ENOMEM, NULL) : NULL;
	*whole = *response;
	whole->op.kvs = q.kvs;
	whole->op.n_kvs = q.n_kvs;
	whole->op.count = (int64_t)q.n_kvs;
	return whole;
}

const struct once_response *ctl_range_prefix(struct ctl *ctl, const char *prefix)
{
	return pages(ctl, prefix, false);
}

const struct once_response *ctl_range_keys(struct ctl *ctl, const char *prefix)
{
	return pages(ctl, prefix, true);
}

const char *ctl_key(struct ctl *ctl, const char *format, ...)
{
	char rest[CTL_KEY_MAX];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(rest, sizeof(rest), format, args);
	va_end(args);
	return ctl_printf(ctl, "%s/%s", ctl->config.prefix, rest);
}
