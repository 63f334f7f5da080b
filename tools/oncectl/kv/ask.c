/* One request and its answer.
 *
 * Happy path: the call is started, the loop turns until its callback has copied the answer. An
 * answer that another member or the next moment may mend is asked for again while there is time,
 * but a write only if it certainly had no effect: a put done twice is another version of the key.
 */
#include "tools/oncectl/kv/kv.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/escape.h"

static const int64_t PAUSE = 50 * ONCE_NSEC_PER_MSEC;

int kv_error(int code, const char *format, ...)
{
	char why[1024], line[2048];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(why, sizeof(why), format, args);
	va_end(args);
	(void)escape_line(line, sizeof(line), why, strlen(why));
	(void)fflush(stdout);
	fprintf(stderr, "Error: %s\n", line);
	return code;
}

int kv_refused(int code, const struct once_response *response)
{
	if (response->message[0])
		return kv_error(code, "%s", response->message);
	return kv_error(code, "%s", once_strerror(response->error));
}

struct waiter {
	struct ctl *ctl;
	bool done;
	const struct once_response *response;
};

static void on_done(void *userdata, const struct once_response *response)
{
	struct waiter *w = userdata;

	w->response = ctl_copy(&w->ctl->arena, response);
	w->done = true;
}

static int start(
	struct waiter *w, const struct kv_request *q, int64_t left_ns, struct once_call **ret_call)
{
	struct once_client *client = q->client ? q->client : w->ctl->client;
	struct once_call_options options = {ONCE_LANE_CONTROL, left_ns};

	switch (q->kind) {
	case KV_OP:
		/* whole prefixes are more than the control lane takes */
		options.lane = ONCE_LANE_BULK;
		return once_kv(client, ret_call, &options, q->op, on_done, w);
	case KV_TXN:
		options.lane = ONCE_LANE_BULK;
		return once_txn(client, ret_call, &options, q->txn, on_done, w);
	case KV_COMPACT:
		return once_compact(client, ret_call, &options, q->number, q->flag, on_done, w);
	case KV_LEASE_GRANT:
		return once_lease_grant(
			client, ret_call, &options, q->number, q->lease, on_done, w);
	case KV_LEASE_REVOKE:
		return once_lease_revoke(client, ret_call, &options, q->lease, on_done, w);
	case KV_LEASE_KEEPALIVE:
		return once_lease_keepalive(client, ret_call, &options, q->lease, on_done, w);
	case KV_LEASE_TIME_TO_LIVE:
		return once_lease_time_to_live(
			client, ret_call, &options, q->lease, q->flag, on_done, w);
	case KV_LEASE_LIST:
		return once_lease_list(client, ret_call, &options, on_done, w);
	case KV_MEMBERS:
		return once_member_list(client, ret_call, &options, q->flag, on_done, w);
	case KV_STATUS:
		return once_status(client, ret_call, &options, on_done, w);
	case KV_HASH:
		return once_hash_kv(client, ret_call, &options, q->number, on_done, w);
	case KV_ALARMS:
		return once_alarm_list(client, ret_call, &options, on_done, w);
	case KV_DISARM:
		return once_alarm_disarm(client, ret_call, &options, q->alarm, on_done, w);
	}
	return -EINVAL;
}

static bool is_write(const struct kv_request *q)
{
	return q->kind == KV_TXN || q->kind == KV_LEASE_GRANT ||
	       (q->kind == KV_OP && q->op->kind != ONCE_OP_RANGE);
}

/* Another member, or the next moment, may know better. */
static bool is_passing(const struct kv_request *q, const struct once_response *response)
{
	if (is_write(q) && !q->repeatable && response->outcome != ONCE_NOT_APPLIED)
		return false;
	return response->error == -ETIMEDOUT || response->error == -EHOSTUNREACH ||
	       response->error == -ECONNRESET || response->error == -EAGAIN;
}

static const struct once_response *failed(struct ctl *ctl, int error)
{
	static struct once_response none = {.error = -ENOMEM, .message = "out of memory"};
	struct once_response *response = arena_alloc(&ctl->arena, sizeof(*response));

	if (!response)
		return &none;
	response->error = error;
	(void)snprintf(response->message, sizeof(response->message), "%s",
		error == -ETIMEDOUT ? "context deadline exceeded" : once_strerror(error));
	return response;
}

const struct once_response *kv_ask(struct ctl *ctl, const struct kv_request *request)
{
	const struct once_response *last = NULL;

	for (;;) {
		struct waiter w = {.ctl = ctl};
		struct once_call *call = NULL;
		int64_t left = ctl_time_left(ctl);
		bool never = false;
		int r;

		if (left <= 0)
			return last ? last : failed(ctl, -ETIMEDOUT);
		r = start(&w, request, left, &call);
		if (r < 0)
			return failed(ctl, r);
		/* The call has its own deadline; this one is for what should not be. */
		if (!ctl_wait(ctl, &w.done, left + ONCE_NSEC_PER_SEC)) {
			(void)once_call_cancel(call);
			return last ? last : failed(ctl, -ETIMEDOUT);
		}
		if (!w.response)
			return failed(ctl, -ENOMEM);
		last = w.response;
		if (last->error == 0 || !is_passing(request, last))
			return last;
		(void)ctl_wait(ctl, &never, PAUSE);
	}
}

bool kv_is_34(struct ctl *ctl)
{
	struct kv_request status = {.kind = KV_STATUS};
	const struct once_response *response = kv_ask(ctl, &status);

	/* who may not ask gets what is newer: 3.4 lets everybody */
	return response->error == 0 && strncmp(response->version, "3.4.", 4) == 0;
}
