/* A watch: several ranges on one stream that comes back by itself.
 *
 *	AWAIT_TURN -> [AWAIT_LOGIN] -> AWAIT_CREATED -> LIVE
 *	    ^---------------|----------------|-----------'   any end of the stream, silence, a move
 *
 * - One POST carries a create request per range; each range has its own next revision, so a stream
 *   that resumes on another endpoint sends nothing twice and skips nothing.
 * - The end of the stream is a break, whatever its status: etcd ends watches with success, too.
 * - A refused token logs in anew, once per stream that came to life.
 *
 * Failures: silence_ns without a line (a stopped member says nothing, its kernel goes on
 * acknowledging), and no confirmation in the client's request timeout, are breaks. Waiting before a
 * resume grows to 1 s while streams live for less than that.
 *
 * The callback may cancel the watch or free the client: then the watch is only marked dead, and
 * whoever reported frees it. */
#include "etcd/watch.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WATCH_LINE_MAX = 64 << 20 };
#define WAIT_MIN_NS (20 * ONCE_NSEC_PER_MSEC)
#define WAIT_MAX_NS ONCE_NSEC_PER_SEC

struct once_watch *watch_of(struct list *in_client)
{
	return list_entry(in_client, struct once_watch, in_client);
}

/* ---- life ------------------------------------------------------------------------------------ */

static void close_stream(struct once_watch *w)
{
	if (w->exchange) {
		(void)w->client->transport->ops->cancel(w->exchange);
		w->exchange = NULL;
	}
	w->gen = NULL;
	w->stream++;
	list_remove(&w->waiter.in_auth);
	for (size_t i = 0; i < w->n_ranges; i++) {
		/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): none without n_ranges */
		w->ranges[i].created = false;
		watch_range_drop(&w->ranges[i]);
	}
	w->n_created = 0;
}

static void watch_free(struct once_watch *w)
{
	for (size_t i = 0; i < w->n_ranges; i++) {
		free((void *)w->ranges[i].config.key.data);
		free((void *)w->ranges[i].config.range_end.data);
	}
	free(w->ranges);
	split_fini(&w->split);
	codec_request_fini(&w->request);
	free(w);
}

struct once_watch *once_watch_cancel(struct once_watch *w)
{
	if (!w || w->dead) {
		return NULL;
	}
	close_stream(w);
	w->client->loop->ops->timer_free(w->timer);
	list_remove(&w->in_client);
	w->dead = true;
	if (!w->busy) {
		watch_free(w);
	}
	return NULL;
}

bool watch_report(struct once_watch *w, struct once_watch_report *report)
{
	report->received = w->client->loop->ops->now(w->client->loop);
	report->raft_term = report->raft_term ? report->raft_term : w->raft_term;
	report->cluster_id = w->cluster_id;
	report->member_id = w->member_id;
	report->message = report->message ? report->message : "";
	w->busy = true;
	w->fn(w->userdata, report);
	w->busy = false;
	if (w->dead) {
		watch_free(w);
		return false;
	}
	return true;
}

bool watch_end(struct once_watch *w, enum once_watch_note note, int64_t revision, int error,
	const char *message)
{
	char text[256];
	once_watch_fn *fn = w->fn;
	void *userdata = w->userdata;
	(void)snprintf(text, sizeof(text), "%s", message);
	struct once_watch_report last = {
		.note = note,
		.revision = revision,
		.raft_term = w->raft_term,
		.cluster_id = w->cluster_id,
		.member_id = w->member_id,
		.received = w->client->loop->ops->now(w->client->loop),
		.error = error,
		.message = text,
	};
	(void)once_watch_cancel(w);
	fn(userdata, &last);
	return false;
}

/* ---- breaks ---------------------------------------------------------------------------------- */

static void resume_in(struct once_watch *w, int64_t in_ns)
{
	w->state = AWAIT_TURN;
	w->client->loop->ops->timer_set(w->timer, in_ns);
}

void watch_break(struct once_watch *w, int error, const char *why)
{
	struct once_instant now = w->client->loop->ops->now(w->client->loop);
	bool lived = w->state == LIVE && once_elapsed_min(w->live_since, now) >= WAIT_MAX_NS;
	close_stream(w);
	w->error = error;
	if (why != w->why) {
		(void)snprintf(w->why, sizeof(w->why), "%s", why);
	}
	if (lived) {
		w->wait_ns = 0;
	} else {
		w->wait_ns = w->wait_ns ? w->wait_ns * 2 : WAIT_MIN_NS;
		w->wait_ns = w->wait_ns < WAIT_MAX_NS ? w->wait_ns : WAIT_MAX_NS;
	}
	resume_in(w, w->broken_told ? w->wait_ns : 0);
}

bool watch_break_and_leave(struct once_watch *w, int error, const char *why)
{
	struct once_client *client = w->client;
	struct client_gen *gen = w->gen;
	watch_break(w, error, why);
	if (gen && gen == client->gen) {
		client_retire(gen, client_next(client), w->why);
	}
	return false;
}

void watch_move(struct once_watch *w, const struct client_gen *gen, const char *why)
{
	if (w->gen == gen) {
		watch_break(w, -ECONNRESET, why);
	}
}

static void arm_silence(struct once_watch *w)
{
	struct once_loop *loop = w->client->loop;
	loop->ops->timer_set(w->timer, w->state != LIVE ? w->client->request_timeout_ns
				       : w->silence_ns	? w->silence_ns
							: -1);
}

static void on_data(void *userdata, const void *data, size_t size)
{
	struct once_watch *w = userdata;
	(void)split_push(&w->split, data, size);
	if (watch_take_lines(w)) {
		arm_silence(w);
	}
}

static void on_done(void *userdata, const struct transport_result *result)
{
	struct once_watch *w = userdata;
	struct client_gen *gen = w->gen;
	w->exchange = NULL;
	if (result->error) {
		char why[256];
		(void)snprintf(why, sizeof(why), "%s", result->message);
		watch_break(w, result->error, why);
		client_note_failure(gen, TRANSPORT_WATCH, result);
		return;
	}
	if (result->status != 200) {
		struct codec_watch_line line;
		(void)codec_watch_refusal(&line, result->status, result->body, result->size);
		(void)watch_refused(w, &line);
		codec_watch_line_fini(&line);
		return;
	}
	split_end(&w->split);
	if (watch_take_lines(w)) {
		(void)watch_break_and_leave(w, -ECONNRESET, "the server ended the stream");
	}
}

static const struct transport_handler handler = {.data = on_data, .done = on_done};

/* ---- streams --------------------------------------------------------------------------------- */

static int encode(struct once_watch *w)
{
	struct once_watch_range *ranges = calloc(w->n_ranges, sizeof(*ranges));
	int64_t *next = calloc(w->n_ranges, sizeof(*next));
	int r = -ENOMEM;
	if (ranges && next) {
		for (size_t i = 0; i < w->n_ranges; i++) {
			ranges[i] = w->ranges[i].config;
			next[i] = w->ranges[i].next;
		}
		r = codec_encode_watch(&w->request, ranges, next, w->n_ranges, w->progress_notify);
	}
	free(ranges);
	free(next);
	return r;
}

static int open_stream(struct once_watch *w)
{
	struct once_client *client = w->client;
	const char *headers[] = {"Grpc-Metadata-hasleader: true", client->auth.header, NULL};
	struct client_gen *gen;
	int r = encode(w);
	if (r == 0) {
		r = client_gen(client, &gen);
	}
	if (r != 0) {
		return r;
	}
	struct transport_request request = {
		.lane = TRANSPORT_WATCH,
		.path = w->request.path,
		.headers = headers,
		.body = w->request.body.data,
		.size = w->request.body.size,
		.cap = WATCH_LINE_MAX,
		.stream = true,
	};
	split_reset(&w->split);
	r = client->transport->ops->start(gen->transport, &w->exchange, &request, &handler, w);
	if (r < 0) {
		return r;
	}
	w->gen = gen;
	w->token = client->auth.serial;
	w->state = AWAIT_CREATED;
	arm_silence(w);
	return 0;
}

static void on_login(struct auth_waiter *waiter, int error, const char *message)
{
	struct once_watch *w = list_entry(waiter, struct once_watch, waiter);
	if (error) {
		w->logins = error == -EACCES ? WATCH_LOGINS_MAX : w->logins;
		watch_break(w, error, message);
	} else {
		resume_in(w, 0);
	}
}

static void next_stream(struct once_watch *w)
{
	struct once_client *client = w->client;
	int64_t pause_ns = client_pause_ns(client);
	int r;
	if (w->logins >= WATCH_LOGINS_MAX) {
		(void)watch_end(w, ONCE_WATCH_FAILED, 0, -EACCES, w->why);
		return;
	}
	if (pause_ns > 0) {
		resume_in(w, pause_ns);
		return;
	}
	if (auth_ready(&client->auth)) {
		r = open_stream(w);
	} else {
		w->state = AWAIT_LOGIN;
		client->loop->ops->timer_set(w->timer, client->request_timeout_ns);
		r = auth_wait(client, &w->waiter);
	}
	if (r < 0) {
		watch_break(w, r, once_strerror(r));
	}
}

static void on_timer(void *userdata)
{
	struct once_watch *w = userdata;
	switch (w->state) {
	case AWAIT_TURN:
		if (w->error && !w->broken_told) {
			struct once_watch_report r = {
				.note = ONCE_WATCH_BROKEN, .error = w->error, .message = w->why};
			w->broken_told = true;
			if (watch_report(w, &r) && w->state == AWAIT_TURN) {
				resume_in(w, w->wait_ns);
			}
			return;
		}
		next_stream(w);
		return;
	case AWAIT_LOGIN:
		watch_break(w, -ETIMEDOUT, "the login was not answered in time");
		return;
	case AWAIT_CREATED:
		(void)watch_break_and_leave(w, -ETIMEDOUT, "the watch was not confirmed in time");
		return;
	case LIVE:
		(void)watch_break_and_leave(w, -ETIMEDOUT, "the stream was silent for too long");
		return;
	}
}

/* ---- public ---------------------------------------------------------------------------------- */

static int copy_bytes(struct once_bytes *ret, struct once_bytes from)
{
	void *data = malloc(from.size ? from.size : 1);
	if (!data) {
		return -ENOMEM;
	}
	if (from.size) {
		memcpy(data, from.data, from.size);
	}
	*ret = (struct once_bytes){data, from.size};
	return 0;
}

static int copy_range(struct watch_range *range, const struct once_watch_range *from, int64_t start)
{
	range->config.prev_kv = from->prev_kv;
	range->config.no_put = from->no_put;
	range->config.no_delete = from->no_delete;
	range->next = start;
	int r = copy_bytes(&range->config.key, from->key);
	return r ? r : copy_bytes(&range->config.range_end, from->range_end);
}

int once_watch_start(struct once_client *client, struct once_watch **ret_watch,
	const struct once_watch_config *config, once_watch_fn *fn, void *userdata)
{
	if (!config->n_ranges || config->start_revision < 0) {
		return -EINVAL;
	}
	struct once_watch *w = calloc(1, sizeof(*w));
	if (!w) {
		return -ENOMEM;
	}
	w->client = client;
	w->fn = fn;
	w->userdata = userdata;
	w->progress_notify = config->progress_notify;
	w->silence_ns = config->silence_ns > 0 ? config->silence_ns : 0;
	w->waiter.fn = on_login;
	list_init(&w->waiter.in_auth);
	list_append(&client->watches, &w->in_client);
	split_init(&w->split, WATCH_LINE_MAX);
	codec_request_init(&w->request, 0);
	w->ranges = calloc(config->n_ranges, sizeof(*w->ranges));
	w->timer = client->loop->ops->timer_new(client->loop, on_timer, w);
	int r = w->ranges && w->timer ? 0 : -ENOMEM;
	for (size_t i = 0; !r && i < config->n_ranges; i++) {
		list_init(&w->ranges[i].pieces);
		w->n_ranges++;
		r = copy_range(&w->ranges[i], &config->ranges[i], config->start_revision);
	}
	r = r ? r : encode(w); /* what cannot be said is refused here */
	if (r < 0) {
		(void)once_watch_cancel(w);
		return r;
	}
	resume_in(w, 0);
	*ret_watch = w;
	return 0;
}
