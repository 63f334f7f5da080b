/* One unary RPC.
 *
 *	start -> AWAIT_TURN -> [AWAIT_LOGIN] -> AWAIT_ANSWER -> done()
 *	             ^______________|________________|   never sent, or the token was refused
 *	cut while AWAIT_ANSWER -> ENDING -> done()
 *
 * - AWAIT_TURN takes one turn of the loop (done() never comes from inside a start), or the time
 *   until endpoints may be tried again.
 * - An attempt that was surely not sent goes to the next endpoint, each endpoint once. One whose
 *   token was refused logs in again, once. Every other end is the call's end, so the outcome of the
 *   last attempt is the outcome of the call.
 *
 * - A range may tell its keys while they come (call_in_parts()): what its last attempt told is never
 *   told again, since an answer that has begun ends the call, well or not.
 *
 * Failures: the deadline holds in every state, by the timer of the call or of the exchange. `sent`
 * is taken before the body is given away. An answer of another history of etcd tells nothing: unknown. */
#include "base/escape.h"
#include "etcd/internal.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum unary_state { AWAIT_TURN, AWAIT_LOGIN, AWAIT_ANSWER, ENDING };

struct unary {
	struct once_call base; /* first */
	enum unary_state state;
	struct list in_gen;
	struct client_gen *gen; /* AWAIT_ANSWER */
	struct transport_exchange *exchange;
	struct auth_waiter waiter;
	struct once_timer *timer; /* all states but AWAIT_ANSWER */
	struct codec_request request;
	struct codec_rows *rows; /* owned; NULL: the answer is told at once */
	call_part_fn *part;
	enum transport_lane lane;
	int flags;
	int64_t timeout_ns;
	struct once_instant started, sent;
	int64_t known; /* revision, when it was sent; 0: does not matter */
	size_t attempts;
	bool logged_in_again, paused;
	uint64_t token;
	int error; /* ENDING */
	enum once_outcome outcome;
	char message[256];
	size_t endpoint;
	once_done_fn *done;
	void *userdata;
};

static void unary_advance(struct unary *u);

void call_init(
	struct once_call *call, struct once_client *client, void (*free_fn)(struct once_call *call))
{
	call->client = client;
	call->free = free_fn;
	list_append(&client->calls, &call->in_client);
}

void call_fini(struct once_call *call)
{
	list_remove(&call->in_client);
}

struct once_call *once_call_cancel(struct once_call *call)
{
	if (call) {
		call->free(call);
	}
	return NULL;
}

static int64_t time_left(const struct unary *u)
{
	struct once_loop *loop = u->base.client->loop;
	return u->timeout_ns - once_elapsed_max(u->started, loop->ops->now(loop));
}

/* Takes the call off its generation. */
static void leave_gen(struct unary *u)
{
	struct client_gen *gen = u->gen;
	if (gen) {
		list_remove(&u->in_gen);
		u->gen = NULL;
		client_gen_unused(gen);
	}
}

static void unary_free(struct once_call *call)
{
	struct unary *u = (struct unary *)call;
	if (u->exchange) {
		(void)u->base.client->transport->ops->cancel(u->exchange);
	}
	leave_gen(u);
	list_remove(&u->waiter.in_auth);
	u->base.client->loop->ops->timer_free(u->timer);
	codec_request_fini(&u->request);
	if (u->rows) {
		codec_rows_fini(u->rows);
		free(u->rows);
	}
	call_fini(&u->base);
	free(u);
}

/* Who answered, and when; a copy, since the callback may free the client. */
static void sign(struct unary *u, struct codec_reply *reply)
{
	struct once_client *client = u->base.client;
	struct once_response *response = &reply->response;
	const char *url = client->endpoints[u->endpoint].url;
	response->endpoint = arena_copy(&reply->arena, url, strlen(url));
	response->endpoint = response->endpoint ? response->endpoint : "";
	response->sent = u->sent;
	response->received = client->loop->ops->now(client->loop);
}

/* The last touch. */
static void finish(struct unary *u, struct codec_reply *reply)
{
	once_done_fn *done = u->done;
	void *userdata = u->userdata;
	sign(u, reply);
	unary_free(&u->base);
	done(userdata, &reply->response);
	codec_reply_fini(reply);
}

static void finish_failed(
	struct unary *u, int error, enum once_outcome outcome, const char *message)
{
	struct codec_reply reply;
	codec_reply_init(&reply);
	codec_reply_fail(&reply, error, outcome, message);
	finish(u, &reply);
}

/* To be told in the next turn, when the present caller must not call out. */
static void end_soon(struct unary *u, int error, enum once_outcome outcome, const char *message)
{
	u->state = ENDING;
	u->error = error;
	u->outcome = outcome;
	(void)snprintf(u->message, sizeof(u->message), "%s", message);
	u->base.client->loop->ops->timer_set(u->timer, 0);
}

static void again(struct unary *u, int64_t in_ns)
{
	u->state = AWAIT_TURN;
	u->base.client->loop->ops->timer_set(u->timer, in_ns);
}

void call_cut(struct list *in_gen, const char *why)
{
	struct unary *u = list_entry(in_gen, struct unary, in_gen);
	bool sent = u->base.client->transport->ops->cancel(u->exchange);
	u->exchange = NULL;
	list_remove(&u->in_gen);
	u->gen = NULL;
	if (sent) {
		end_soon(u, -ECONNRESET, ONCE_UNKNOWN, why);
	} else if (u->attempts < u->base.client->n_endpoints) {
		again(u, 0);
	} else {
		end_soon(u, -EHOSTUNREACH, ONCE_NOT_APPLIED, why);
	}
}

static void on_timer(void *userdata)
{
	unary_advance(userdata);
}

static void on_login(struct auth_waiter *waiter, int error, const char *message)
{
	struct unary *u = list_entry(waiter, struct unary, waiter);
	if (!error || (error == -EHOSTUNREACH && ++u->attempts < u->base.client->n_endpoints)) {
		again(u, 0);
	} else {
		end_soon(u, error, ONCE_NOT_APPLIED, message);
	}
}

static bool wants_new_login(struct unary *u, const struct once_response *response)
{
	if (response->error != -EACCES || !u->base.client->auth.user || u->flags & CALL_LOGIN ||
		u->logged_in_again) {
		return false;
	}
	u->logged_in_again = true;
	auth_refused(&u->base.client->auth, u->token);
	return true;
}

/* The answer is of another history: whether what it answers was done in ours, nobody knows. */
static void disown(struct unary *u, struct client_gen *gen, uint64_t cluster_id, int64_t revision)
{
	struct once_client *client = u->base.client;
	char message[160];
	if (cluster_id != client->history.cluster_id) {
		(void)snprintf(message, sizeof(message),
			"the answer is of another etcd cluster than before (%" PRIx64
			", not %" PRIx64 ")",
			cluster_id, client->history.cluster_id);
	} else {
		(void)snprintf(message, sizeof(message),
			"the answer is of an older history of etcd (revision %" PRId64
			" after %" PRId64 ")",
			revision, u->known);
	}
	client_retire(gen, client_next(client), "it is of another history of etcd");
	leave_gen(u);
	finish_failed(u, -EREMCHG, ONCE_UNKNOWN, message);
}

static void on_answer(
	struct unary *u, struct client_gen *gen, const struct transport_result *result)
{
	struct once_client *client = u->base.client;
	struct codec_reply reply;
	struct once_response *response = &reply.response;
	bool rest = u->rows && result->status == 200;
	codec_reply_init(&reply);
	(void)codec_decode(&reply, &u->request, result->status,
		rest ? buf_text(&u->rows->around) : result->body,
		rest ? u->rows->around.size : result->size);
	if (!client_believes(client, response->cluster_id, response->revision, u->known)) {
		disown(u, gen, response->cluster_id, response->revision);
		codec_reply_fini(&reply);
		return;
	}
	client_note_header(gen, response->member_id, response->raft_term);
	client_note_answer(gen, u->lane, result->http_version);
	if ((response->error == -EHOSTUNREACH || response->error == -ETIMEDOUT) &&
		u->lane == TRANSPORT_CONTROL && client->n_endpoints > 1) {
		client_retire(gen, client_next(client), response->message);
	}
	leave_gen(u);
	if (wants_new_login(u, response)) {
		codec_reply_fini(&reply);
		again(u, 0);
		return;
	}
	finish(u, &reply);
}

static void on_done(void *userdata, const struct transport_result *result)
{
	struct unary *u = userdata;
	struct client_gen *gen = u->gen;
	char message[256];
	u->exchange = NULL;
	if (!result->error) {
		on_answer(u, gen, result);
		return;
	}
	(void)escape_line(message, sizeof(message), result->message, strlen(result->message));
	/* Off the generation first: noting the failure cuts whatever is still on it. */
	list_remove(&u->in_gen);
	u->gen = NULL;
	client_note_failure(gen, u->lane, result);
	if (!result->sent && result->error == -EHOSTUNREACH &&
		u->attempts < u->base.client->n_endpoints && time_left(u) > 0) {
		again(u, 0);
		return;
	}
	finish_failed(u, result->error, result->sent ? ONCE_UNKNOWN : ONCE_NOT_APPLIED, message);
}

static void tell_part(struct unary *u, struct codec_reply *reply)
{
	struct once_response *response = &reply->response;
	struct once_kv *kvs = u->rows->kvs;
	response->outcome = ONCE_APPLIED;
	response->cluster_id = u->rows->cluster_id;
	response->member_id = u->rows->member_id;
	response->raft_term = u->rows->raft_term;
	response->revision = u->rows->revision;
	response->op =
		(struct once_op_result){.kind = ONCE_OP_RANGE, .kvs = kvs, .n_kvs = u->rows->n_kvs};
	/* Ours for now: the callback may free the call. */
	u->rows->kvs = NULL;
	u->rows->n_kvs = u->rows->cap = 0;
	sign(u, reply);
	u->part(u->userdata, response);
	free(kvs);
}

static void on_data(void *userdata, const void *data, size_t size)
{
	struct unary *u = userdata;
	struct once_client *client = u->base.client;
	struct codec_reply reply;
	codec_reply_init(&reply);
	int r = codec_rows_push(u->rows, data, size, &reply.arena);
	bool some = u->rows->n_kvs, foreign;
	if (r == 0 && some && !u->rows->revision) {
		r = -EBADMSG;
	}
	foreign = r == 0 && some &&
		  !client_believes(client, u->rows->cluster_id, u->rows->revision, u->known);
	if (r < 0 || foreign) {
		(void)client->transport->ops->cancel(u->exchange);
		u->exchange = NULL;
		if (foreign) {
			disown(u, u->gen, u->rows->cluster_id, u->rows->revision);
		} else {
			finish_failed(u, r, ONCE_UNKNOWN,
				r == -ENOMEM ? NULL : "the answer (HTTP 200) is not etcd's");
		}
	} else if (some) {
		tell_part(u, &reply);
	}
	codec_reply_fini(&reply);
}

static const struct transport_handler handler = {.done = on_done, .data = on_data};

/* 0, or a negative errno when nothing was sent. */
static int attempt(struct unary *u, int64_t left_ns)
{
	struct once_client *client = u->base.client;
	/* The server gives up a little earlier than we do, so that its answer arrives. */
	int64_t margin =
		left_ns / 10 < 50 * ONCE_NSEC_PER_MSEC ? left_ns / 10 : 50 * ONCE_NSEC_PER_MSEC;
	int64_t ms = (left_ns - margin) / ONCE_NSEC_PER_MSEC;
	char timeout[64];
	const char *headers[4] = {timeout};
	size_t n = 1;
	(void)snprintf(timeout, sizeof(timeout), "Grpc-Timeout: %" PRId64 "m",
		ms < 1		? 1
		: ms > 99999999 ? 99999999
				: ms);
	if (!(u->flags & CALL_STALE)) {
		headers[n++] = "Grpc-Metadata-hasleader: true";
	}
	if (client->auth.header && !(u->flags & CALL_LOGIN)) {
		headers[n++] = client->auth.header;
	}
	struct transport_request request = {
		.lane = u->lane,
		.path = u->request.path,
		.headers = headers,
		.body = u->request.body.data,
		.size = u->request.body.size,
		.cap = u->lane == TRANSPORT_BULK ? ANSWER_BULK_MAX : ANSWER_CONTROL_MAX,
		.timeout_ns = left_ns,
		.stream = u->rows,
	};
	struct client_gen *gen;
	int r = client_gen(client, &gen);
	if (r < 0) {
		return r;
	}
	u->token = client->auth.serial;
	u->endpoint = gen->endpoint;
	u->attempts++;
	u->sent = client->loop->ops->now(client->loop);
	u->known = u->flags & CALL_LINEAR ? client->history.revision : 0;
	r = client->transport->ops->start(gen->transport, &u->exchange, &request, &handler, u);
	if (r < 0) {
		return r;
	}
	u->gen = gen;
	list_append(&gen->calls, &u->in_gen);
	u->state = AWAIT_ANSWER;
	return 0;
}

/* Runs from the call's timer only, so it may finish the call. */
static void unary_advance(struct unary *u)
{
	struct once_client *client = u->base.client;
	int64_t left_ns = time_left(u), pause_ns = client_pause_ns(client);
	int r = 0;
	switch (u->state) {
	case AWAIT_TURN:
		if (left_ns <= 0) {
			finish_failed(u, -EHOSTUNREACH, ONCE_NOT_APPLIED,
				"no endpoint could be reached in time");
			return;
		}
		/* A pause protects servers that come back; a call with little time cannot wait it
		 * out. */
		pause_ns = pause_ns < u->timeout_ns / 4 ? pause_ns : u->timeout_ns / 4;
		if (pause_ns > 0 && !u->paused) {
			u->paused = true;
			again(u, pause_ns < left_ns ? pause_ns : left_ns);
			return;
		}
		if (!(u->flags & CALL_LOGIN) && !auth_ready(&client->auth)) {
			u->state = AWAIT_LOGIN;
			client->loop->ops->timer_set(u->timer, left_ns);
			r = auth_wait(client, &u->waiter);
		} else {
			r = attempt(u, left_ns);
		}
		if (r < 0) {
			finish_failed(u, r, ONCE_NOT_APPLIED, once_strerror(r));
		}
		return;
	case AWAIT_LOGIN:
		finish_failed(
			u, -ETIMEDOUT, ONCE_NOT_APPLIED, "the login was not answered in time");
		return;
	case AWAIT_ANSWER:
		return;
	case ENDING:
		finish_failed(u, u->error, u->outcome, u->message);
		return;
	}
}

int call_start(struct once_client *client, struct once_call **ret,
	const struct once_call_options *options, struct codec_request *request, int flags,
	once_done_fn *done, void *userdata)
{
	struct unary *u = calloc(1, sizeof(*u));
	struct once_timer *timer = client->loop->ops->timer_new(client->loop, on_timer, u);
	if (!u || !timer) {
		client->loop->ops->timer_free(timer);
		free(u);
		codec_request_fini(request);
		return -ENOMEM;
	}
	call_init(&u->base, client, unary_free);
	list_init(&u->in_gen);
	list_init(&u->waiter.in_auth);
	u->waiter.fn = on_login;
	u->timer = timer;
	u->request = *request;
	u->flags = flags;
	u->lane = options && options->lane == ONCE_LANE_BULK ? TRANSPORT_BULK : TRANSPORT_CONTROL;
	u->timeout_ns =
		options && options->timeout_ns ? options->timeout_ns : client->request_timeout_ns;
	u->started = client->loop->ops->now(client->loop);
	u->endpoint = client->current;
	u->done = done;
	u->userdata = userdata;
	again(u, 0);
	if (ret) {
		*ret = &u->base;
	}
	return 0;
}

int call_in_parts(struct once_call *call, call_part_fn *part)
{
	struct unary *u = (struct unary *)call;
	u->rows = calloc(1, sizeof(*u->rows));
	if (!u->rows) {
		return -ENOMEM;
	}
	codec_rows_init(u->rows);
	u->part = part;
	return 0;
}
