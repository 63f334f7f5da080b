/* The transport over libcurl's multi_socket interface; curl-*.c are its parts, and nobody else knows
 * curl.h.
 *
 * - A generation has one multi handle, and so one connection pool, per lane: a large upload or a
 *   watch's history cannot delay a lease, and throwing away a multi handle is the only way in
 *   libcurl to be rid of a connection that still has streams.
 * - libcurl's callbacks only append bytes, hand out bytes, and record sockets and timers. After
 *   each action lane_collect() moves what has ended to the ready list; exchange_deliver() hands out one
 *   item per turn of the loop as its last touch, so that a callback may free everything.
 * - Deadlines are timers of our own: libcurl's come late for transfers that wait for a connection.
 *
 * Failures: all end in transport_result, mapped in curl-exchange.c. A result of 0 does not say that the
 * answer is whole (libcurl 7.88 can take an aborted HTTP/2 stream for complete): the decoder does.
 */
#include "etcd/curl.h"
#include "etcd/resolve.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- names ----------------------------------------------------------------------------------- */

static int gen_answer(struct transport_gen *gen, const char *addresses)
{
	char line[RESOLVE_MAX + 300];
	(void)snprintf(line, sizeof(line), "%s:%s:%s", gen->host, gen->port, addresses);
	gen->answer = curl_slist_append(NULL, line);
	gen->known = gen->answer;
	return gen->answer ? 0 : -ENOMEM;
}

static void on_resolved(void *userdata, const char *addresses, const char *message)
{
	struct transport_gen *gen = userdata;
	struct list *i;
	gen->resolve = NULL;
	int r = addresses ? gen_answer(gen, addresses) : -EHOSTUNREACH;
	list_foreach (i, &gen->exchanges) {
		struct transport_exchange *ex = list_entry(i, struct transport_exchange, in_gen);
		int error = r < 0 ? r : exchange_add(ex);
		if (error < 0) {
			ex->result.error = error;
			ex->ended = true;
			(void)snprintf(ex->message, sizeof(ex->message), "%s",
				message ? message : strerror(-error));
			exchange_make_ready(ex);
		}
	}
	exchange_deliver(gen->transport);
}

static int gen_begin(struct transport_gen *gen, struct transport_exchange *ex)
{
	if (gen->known) {
		return exchange_add(ex);
	}
	if (gen->resolve) {
		return 0;
	}
	return resolve_start(&gen->resolve, gen->transport->loop, gen->host,
		gen->transport->connect_timeout_ns, on_resolved, gen);
}

/* ---- the seam -------------------------------------------------------------------------------- */

static int tc_start(struct transport_gen *gen, struct transport_exchange **ret,
	const struct transport_request *request, const struct transport_handler *handler,
	void *userdata)
{
	struct transport_exchange *ex = exchange_new(gen->transport);
	if (!ex) {
		return -ENOMEM;
	}
	list_append(&gen->exchanges, &ex->in_gen);
	ex->lane = &gen->lanes[request->lane];
	ex->body = request->body;
	ex->size = request->size;
	ex->offset = 0;
	ex->stream = request->stream;
	ex->added = false;
	ex->ended = false;
	ex->no_socket = 0;
	ex->handler = handler;
	ex->userdata = userdata;
	ex->result = (struct transport_result){0};
	ex->message[0] = 0;
	buf_init(&ex->in, request->cap);
	int r = exchange_prepare(ex, ex->lane, request);
	r = r ? r : gen_begin(gen, ex);
	if (r < 0) {
		exchange_free(ex);
		return r;
	}
	if (request->timeout_ns) {
		gen->transport->loop->ops->timer_set(ex->timer, request->timeout_ns);
	}
	*ret = ex;
	return 0;
}

static bool tc_cancel(struct transport_exchange *ex)
{
	bool sent = ex->offset > 0;
	exchange_free(ex);
	return sent;
}

static void tc_gen_free(struct transport_gen *gen)
{
	gen->abandoned = true;
	while (!list_empty(&gen->exchanges)) {
		exchange_free(list_first(&gen->exchanges, struct transport_exchange, in_gen));
	}
	for (size_t i = 0; i < TRANSPORT_LANES; i++) {
		lane_close(&gen->lanes[i]);
	}
	gen->resolve = resolve_cancel(gen->resolve);
	curl_slist_free_all(gen->answer);
	free(gen->url);
	free(gen->host);
	free(gen->port);
	free(gen);
}

/* url is the client's normal form: scheme://host:port, an IPv6 host in brackets. */
static int gen_split(struct transport_gen *gen, const char *url)
{
	const char *host = strstr(url, "://"), *port = strrchr(url, ':');
	if (!host || port <= host) {
		return -EINVAL;
	}
	host += 3;
	gen->tls = !strncmp(url, "https:", 6);
	gen->url = strdup(url);
	gen->host = strndup(host, (size_t)(port - host));
	gen->port = strdup(port + 1);
	return gen->url && gen->host && gen->port ? 0 : -ENOMEM;
}

static int tc_gen_new(struct transport *base, struct transport_gen **ret, const char *url)
{
	struct transport_gen *gen = calloc(1, sizeof(*gen));
	char addresses[RESOLVE_MAX];
	if (!gen) {
		return -ENOMEM;
	}
	gen->transport = (struct transport_curl *)base;
	gen->serial = ++gen->transport->n_gens;
	list_init(&gen->exchanges);
	for (size_t i = 0; i < TRANSPORT_LANES; i++) {
		gen->lanes[i].gen = gen;
		gen->lanes[i].which = (enum transport_lane)i;
		list_init(&gen->lanes[i].sockets);
	}
	int r = gen_split(gen, url);
	if (!r && resolve_literal(gen->host, addresses)) {
		gen->known = true;
		/* A literal needs no help, localhost does: libcurl would ask its own thread. */
		r = strcmp(addresses, gen->host) ? gen_answer(gen, addresses) : 0;
	}
	if (r < 0) {
		tc_gen_free(gen);
		return r;
	}
	*ret = gen;
	return 0;
}

static void tc_free(struct transport *base)
{
	struct transport_curl *transport = (struct transport_curl *)base;
	while (!list_empty(&transport->spare)) {
		exchange_destroy(transport, exchange_new(transport));
	}
	transport->loop->ops->timer_free(transport->deliver);
	transport->pem = pem_unref(transport->pem);
	free(transport);
	curl_global_cleanup();
}

static void tc_use(struct transport *base, struct pem *pem)
{
	struct transport_curl *transport = (struct transport_curl *)base;
	transport->pem = pem_unref(transport->pem);
	transport->pem = pem_ref(pem);
}

static const struct transport_ops tc_ops = {
	.free = tc_free,
	.gen_new = tc_gen_new,
	.gen_free = tc_gen_free,
	.start = tc_start,
	.cancel = tc_cancel,
	.use = tc_use,
};

static void on_deliver(void *userdata)
{
	exchange_deliver(userdata);
}

int transport_curl_new(struct transport **ret, struct once_loop *loop,
	struct pem *pem, int64_t connect_timeout_ns)
{
	if (curl_global_init(CURL_GLOBAL_SSL) != CURLE_OK) {
		return -ENOMEM;
	}
	struct transport_curl *transport = calloc(1, sizeof(*transport));
	if (!transport) {
		curl_global_cleanup();
		return -ENOMEM;
	}
	transport->base.ops = &tc_ops;
	transport->loop = loop;
	transport->connect_timeout_ns = connect_timeout_ns;
	list_init(&transport->ready);
	list_init(&transport->spare);
	transport->deliver = loop->ops->timer_new(loop, on_deliver, transport);
	tc_use(&transport->base, pem);
	if (!transport->deliver) {
		tc_free(&transport->base);
		return -ENOMEM;
	}
	*ret = &transport->base;
	return 0;
}
