/* Keeps the rules of etcd/transport.h: one done() unless cancelled, deadlines, callbacks last. */
#include "tests/fake/own.h"
#include "tests/fake/transport.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void exchange_free(struct transport_exchange *ex)
{
	ex->gen->transport->loop->loop.ops->timer_free(ex->timer);
	list_remove(&ex->in_gen);
	list_remove(&ex->in_transport);
	free(ex->body);
	free(ex);
}

static void finish(struct transport_exchange *ex, const struct transport_result *result)
{
	const struct transport_handler *handler = ex->handler;
	void *userdata = ex->userdata;
	exchange_free(ex);
	handler->done(userdata, result);
}

void fake_fail(struct transport_exchange *ex, int error, bool sent, bool connected)
{
	struct transport_result result = {.error = error,
		.sent = sent,
		.connected = connected,
		.message = "the test wants it"};
	finish(ex, &result);
}

static void on_deadline(void *userdata)
{
	fake_fail(userdata, -ETIMEDOUT, true, true);
}

static bool is_there(const struct transport_fake *transport, const struct transport_exchange *ex)
{
	struct list *i;
	list_foreach (i, &transport->exchanges) {
		if (list_entry(i, struct transport_exchange, in_transport) == ex) {
			return true;
		}
	}
	return false;
}

/* A stream's answer comes as data, in pieces. False: that ended the exchange, or all. */
static bool hand_out(struct transport_exchange *ex, const char *body)
{
	struct transport_fake *transport = ex->gen->transport;
	size_t piece = transport->piece ? transport->piece : strlen(body);
	bool dead = false;
	transport->dead = &dead;
	while (*body && !dead && is_there(transport, ex)) {
		char *data = own_strndup(body, piece);
		body += strlen(data);
		fake_data(ex, data);
		free(data);
	}
	if (dead) {
		return false;
	}
	transport->dead = NULL;
	return is_there(transport, ex);
}

void fake_answer(struct transport_exchange *ex, int status, const char *body)
{
	if (ex->stream && status == 200) {
		if (!hand_out(ex, body)) {
			return;
		}
		body = "";
	}
	struct transport_result result = {.sent = true,
		.connected = true,
		.status = status,
		.http_version = 20,
		.message = "",
		.body = body,
		.size = strlen(body)};
	finish(ex, &result);
}

void fake_data(struct transport_exchange *ex, const char *data)
{
	/* A copy that dies at once: whoever keeps pointers into it is found by the sanitizer. */
	char *copy = own_strdup(data);
	ex->handler->data(ex->userdata, copy, strlen(copy));
	free(copy);
}

struct transport_exchange *fake_pending(struct transport_fake *transport, const char *path)
{
	struct list *i;
	list_foreach (i, &transport->exchanges) {
		struct transport_exchange *ex =
			list_entry(i, struct transport_exchange, in_transport);
		if (!path || !strcmp(ex->path, path)) {
			return ex;
		}
	}
	return NULL;
}

static int start(struct transport_gen *gen, struct transport_exchange **ret,
	const struct transport_request *request, const struct transport_handler *handler,
	void *userdata)
{
	struct transport_fake *transport = gen->transport;
	if (transport->refuse_start) {
		transport->refuse_start = false;
		return -ENOMEM;
	}
	struct transport_exchange *ex = calloc(1, sizeof(*ex));
	if (!ex) {
		return -ENOMEM;
	}
	ex->gen = gen;
	ex->lane = request->lane;
	ex->handler = handler;
	ex->userdata = userdata;
	ex->stream = request->stream;
	ex->sent = true;
	ex->timeout_ns = request->timeout_ns;
	(void)snprintf(ex->path, sizeof(ex->path), "%s", request->path);
	for (const char *const *h = request->headers; h && *h; h++) {
		size_t n = strlen(ex->headers);
		(void)snprintf(ex->headers + n, sizeof(ex->headers) - n, "%s\n", *h);
	}
	ex->body = strndup(request->body, request->size);
	ex->timer = transport->loop->loop.ops->timer_new(&transport->loop->loop, on_deadline, ex);
	if (!ex->body || !ex->timer) {
		transport->loop->loop.ops->timer_free(ex->timer);
		free(ex->body);
		free(ex);
		return -ENOMEM;
	}
	if (ex->timeout_ns) {
		transport->loop->loop.ops->timer_set(ex->timer, ex->timeout_ns);
	}
	list_append(&gen->exchanges, &ex->in_gen);
	list_append(&transport->exchanges, &ex->in_transport);
	transport->n_started++;
	*ret = ex;
	return 0;
}

static bool cancel(struct transport_exchange *ex)
{
	bool sent = ex->sent;
	exchange_free(ex);
	return sent;
}

static int gen_new(struct transport *base, struct transport_gen **ret, const char *url)
{
	struct transport_gen *gen = calloc(1, sizeof(*gen));
	if (!gen) {
		return -ENOMEM;
	}
	gen->transport = (struct transport_fake *)base;
	(void)snprintf(gen->url, sizeof(gen->url), "%s", url);
	list_init(&gen->exchanges);
	gen->transport->n_gens++;
	*ret = gen;
	return 0;
}

static void gen_free(struct transport_gen *gen)
{
	while (!list_empty(&gen->exchanges)) {
		gen->transport->n_cut++;
		exchange_free(list_first(&gen->exchanges, struct transport_exchange, in_gen));
	}
	gen->transport->n_gens--;
	free(gen);
}

static void transport_free(struct transport *base)
{
	bool *dead = ((struct transport_fake *)base)->dead;
	if (dead) {
		*dead = true;
	}
	free(base);
}

static void use(struct transport *base, struct pem *pem)
{
}

static const struct transport_ops ops = {
	.free = transport_free,
	.gen_new = gen_new,
	.gen_free = gen_free,
	.start = start,
	.cancel = cancel,
	.use = use,
};

struct transport_fake *fake_transport_new(struct fake_loop *loop)
{
	struct transport_fake *transport = own_calloc(1, sizeof(*transport));
	transport->base.ops = &ops;
	transport->loop = loop;
	list_init(&transport->exchanges);
	return transport;
}
