/* The client: endpoints, which of them is used, and when it is left.
 *
 * - There is one current generation: everything open to the current endpoint. It is made when the
 *   first call needs it.
 * - Reached nobody: the generation is thrown away and the next endpoint is tried at once; when all
 *   have refused, nobody tries for a while (50 ms, growing to 1 s).
 * - The connection broke or a deadline passed on the control lane: the generation is thrown away at
 *   once, since a bad connection takes every later request with it. Calls that were sent there are
 *   unknown, the rest go to the next endpoint. With one endpoint: a fresh generation to the same.
 * - Left politely (a watch ended, the leader is elsewhere, no leader there): the generation is
 *   retired. Its calls end by themselves, new ones go to the next endpoint.
 * - Answers of another cluster than the first one's are not believed, nor, once once_client_trust() was called,
 *   those of an older revision than etcd has shown.
 *
 * The listener hears of it in a turn of its own, because it may free the client. */
#include "etcd/internal.h"
#include "etcd/pem.h"
#include <errno.h>
#include <once/time.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BACKOFF_MIN_NS (50 * ONCE_NSEC_PER_MSEC)
#define BACKOFF_MAX_NS ONCE_NSEC_PER_SEC
/* How long a generation is kept at least before answers without a leader move it: in an election of
 * etcd's all endpoints answer so. */
#define RETIRE_MIN_NS (200 * ONCE_NSEC_PER_MSEC)
#define CONNECT_TIMEOUT_NS (2 * ONCE_NSEC_PER_SEC)
#define REQUEST_TIMEOUT_NS (5 * ONCE_NSEC_PER_SEC)

struct note {
	struct list in_client;
	size_t endpoint;
	int http_version;
	char why[160];
};

/* ---- the listener ---------------------------------------------------------------------------- */

static void on_note(void *userdata)
{
	struct once_client *client = userdata;
	struct once_lineage disowned = client->disowned;
	if (disowned.cluster_id) {
		client->disowned = (struct once_lineage){0};
		if (!list_empty(&client->notes)) {
			client->loop->ops->timer_set(client->note_timer, 0);
		}
		client->listener->disowned(client->userdata, &disowned);
		return;
	}
	struct note *n = list_first(&client->notes, struct note, in_client);
	struct note note = *n;
	char *url = strdup(client->endpoints[n->endpoint].url);
	list_remove(&n->in_client);
	free(n);
	if (!list_empty(&client->notes)) {
		client->loop->ops->timer_set(client->note_timer, 0);
	}
	client->listener->endpoint(client->userdata, url ? url : "", note.http_version, note.why);
	free(url);
}

static void tell(struct once_client *client, size_t endpoint, int http_version, const char *why)
{
	struct note *n;
	if (!client->listener || !client->listener->endpoint || !(n = calloc(1, sizeof(*n)))) {
		return;
	}
	n->endpoint = endpoint;
	n->http_version = http_version;
	(void)snprintf(n->why, sizeof(n->why), "%s", why);
	list_append(&client->notes, &n->in_client);
	client->loop->ops->timer_set(client->note_timer, 0);
}

/* ---- generations ----------------------------------------------------------------------------- */

size_t client_next(const struct once_client *client)
{
	return (client->current + 1) % client->n_endpoints;
}

int64_t client_pause_ns(const struct once_client *client)
{
	if (!client->backoff_ns || client->gen) {
		return 0;
	}
	int64_t gone =
		once_elapsed_max(client->backoff_since, client->loop->ops->now(client->loop));
	return gone < client->backoff_ns ? client->backoff_ns - gone : 0;
}

int client_gen(struct once_client *client, struct client_gen **ret)
{
	if (client->gen) {
		*ret = client->gen;
		return 0;
	}
	struct client_gen *gen = calloc(1, sizeof(*gen));
	if (!gen) {
		return -ENOMEM;
	}
	int r = client->transport->ops->gen_new(
		client->transport, &gen->transport, client->endpoints[client->current].url);
	if (r < 0) {
		free(gen);
		return r;
	}
	gen->client = client;
	gen->endpoint = client->current;
	gen->since = client->loop->ops->now(client->loop);
	list_init(&gen->calls);
	list_init(&gen->in_client);
	client->gen = gen;
	*ret = gen;
	return 0;
}

static void gen_free(struct client_gen *gen)
{
	list_remove(&gen->in_client);
	gen->client->transport->ops->gen_free(gen->transport);
	free(gen);
}

static void move_watches(struct client_gen *gen, const char *why)
{
	struct list *i;
	list_foreach (i, &gen->client->watches) {
		watch_move(watch_of(i), gen, why);
	}
}

/* Makes gen no longer the current one. */
static void leave(struct client_gen *gen, size_t endpoint, const char *why)
{
	struct once_client *client = gen->client;
	if (gen->http_version) {
		tell(client, gen->endpoint, 0, why);
	}
	client->gen = NULL;
	client->current = endpoint;
	move_watches(gen, why);
}

static void throw_away(struct client_gen *gen, const char *why)
{
	leave(gen, client_next(gen->client), why);
	while (!list_empty(&gen->calls)) {
		call_cut(gen->calls.next, why);
	}
	gen_free(gen);
}

void client_retire(struct client_gen *gen, size_t endpoint, const char *why)
{
	struct once_client *client = gen->client;
	if (client->gen != gen) {
		return;
	}
	leave(gen, endpoint, why);
	list_append(&client->retired, &gen->in_client);
	client_gen_unused(gen);
}

void client_gen_unused(struct client_gen *gen)
{
	if (gen->client->gen != gen && list_empty(&gen->calls)) {
		gen_free(gen);
	}
}

static void note_refusal(struct once_client *client)
{
	if (++client->refusals % client->n_endpoints) {
		return;
	}
	client->backoff_ns = client->backoff_ns ? client->backoff_ns * 2 : BACKOFF_MIN_NS;
	client->backoff_ns =
		client->backoff_ns < BACKOFF_MAX_NS ? client->backoff_ns : BACKOFF_MAX_NS;
	client->backoff_since = client->loop->ops->now(client->loop);
}

void client_note_failure(
	struct client_gen *gen, enum transport_lane lane, const struct transport_result *result)
{
	if (gen->client->gen != gen) {
		client_gen_unused(gen);
		return;
	}
	if (!result->connected) {
		note_refusal(gen->client);
	}
	if (lane == TRANSPORT_WATCH) {
		/* The control lane has its own deadlines and will notice by itself. */
		client_retire(gen, client_next(gen->client), result->message);
		return;
	}
	if (result->connected && lane == TRANSPORT_BULK && !gen->bulk_misses++) {
		/* A large request may be slow where a small one is not; the second in a row is
		 * one too many. */
		return;
	}
	throw_away(gen, result->message);
}

void client_note_answer(struct client_gen *gen, enum transport_lane lane, int http_version)
{
	struct once_client *client = gen->client;
	client->refusals = 0;
	client->backoff_ns = 0;
	if (lane == TRANSPORT_BULK) {
		gen->bulk_misses = 0;
		return;
	}
	if (!gen->http_version && client->gen == gen) {
		gen->http_version = http_version;
		tell(client, gen->endpoint, http_version, "connected");
		leader_poke(client);
	}
}

static void tell_disowned(struct once_client *client, uint64_t cluster_id, int64_t revision)
{
	if (!client->listener || !client->listener->disowned) {
		return;
	}
	client->disowned = (struct once_lineage){cluster_id, revision};
	client->loop->ops->timer_set(client->note_timer, 0);
}

bool client_believes(
	struct once_client *client, uint64_t cluster_id, int64_t revision, int64_t since)
{
	struct once_lineage *known = &client->history;
	if (!cluster_id) {
		return true; /* a refusal, which has no header */
	}
	if (!known->cluster_id) {
		known->cluster_id = cluster_id;
	}
	if (cluster_id != known->cluster_id || (client->guarded && revision < since)) {
		tell_disowned(client, cluster_id, revision);
		return false;
	}
	if (revision > known->revision) {
		known->revision = revision;
	}
	return true;
}

void once_client_trust(struct once_client *client, const struct once_lineage *history)
{
	client->history = *history;
	client->guarded = true;
}

struct once_lineage once_client_lineage(const struct once_client *client)
{
	return client->history;
}

void client_note_header(struct client_gen *gen, uint64_t member_id, uint64_t raft_term)
{
	struct once_client *client = gen->client;
	if (member_id) {
		client->endpoints[gen->endpoint].member_id = member_id;
	}
	if (raft_term > client->raft_term) {
		client->raft_term = raft_term;
		leader_poke(client);
	}
}

/* ---- public ---------------------------------------------------------------------------------- */

static int copy_endpoints(struct once_client *client, const struct once_client_config *config,
	const char **ret_message)
{
	bool tls = config->cacert || config->cert;
	client->endpoints = calloc(config->n_endpoints, sizeof(*client->endpoints));
	if (!client->endpoints) {
		return -ENOMEM;
	}
	for (size_t i = 0; i < config->n_endpoints; i++) {
		int r = endpoint_parse(&client->endpoints[i].url, config->endpoints[i], tls,
			config->allow_plaintext, ret_message);
		if (r < 0) {
			return r;
		}
		client->n_endpoints++;
	}
	return 0;
}

static int client_init(struct once_client *client, const struct once_client_config *config,
	const char **ret_message)
{
	struct pem *pem = NULL;
	int r = copy_endpoints(client, config, ret_message);
	r = r ? r : pem_read(&pem, config, ret_message);
	r = r ? r : auth_init(&client->auth, config->user, config->password);
	r = r ? r : leader_init(client, config->prefer_leader);
	client->note_timer = client->loop->ops->timer_new(client->loop, on_note, client);
	r = r || client->note_timer ? r : -ENOMEM;
	if (!r && !client->transport) {
		r = transport_curl_new(&client->transport, client->loop, pem,
			config->connect_timeout_ns > 0 ? config->connect_timeout_ns : CONNECT_TIMEOUT_NS);
	}
	pem = pem_unref(pem);
	return r;
}

int once_client_new(struct once_client **ret, struct once_loop *loop,
	const struct once_client_config *config, const struct once_client_listener *listener,
	void *userdata, const char **ret_message)
{
	return client_new_on(ret, loop, config, listener, userdata, ret_message, NULL);
}

int client_new_on(struct once_client **ret, struct once_loop *loop,
	const struct once_client_config *config, const struct once_client_listener *listener,
	void *userdata, const char **ret_message, struct transport *transport)
{
	const char *ignored;
	ret_message = ret_message ? ret_message : &ignored;
	*ret_message = "out of memory";
	if (!config->n_endpoints) {
		*ret_message = "no endpoint";
		if (transport) {
			transport->ops->free(transport);
		}
		return -EINVAL;
	}
	struct once_client *client = calloc(1, sizeof(*client));
	if (!client) {
		if (transport) {
			transport->ops->free(transport);
		}
		return -ENOMEM;
	}
	client->loop = loop;
	client->transport = transport;
	client->listener = listener;
	client->userdata = userdata;
	client->request_timeout_ns =
		config->request_timeout_ns > 0 ? config->request_timeout_ns : REQUEST_TIMEOUT_NS;
	list_init(&client->retired);
	list_init(&client->calls);
	list_init(&client->watches);
	list_init(&client->notes);
	list_init(&client->auth.waiters);
	int r = client_init(client, config, ret_message);
	if (r < 0) {
		(void)once_client_free(client);
		return r;
	}
	*ret_message = NULL;
	*ret = client;
	return 0;
}

struct once_client *once_client_free(struct once_client *client)
{
	if (!client) {
		return NULL;
	}
	/* These own calls of their own, which must not be cancelled twice. */
	leader_fini(client);
	auth_fini(&client->auth);
	while (!list_empty(&client->calls)) {
		(void)once_call_cancel(list_first(&client->calls, struct once_call, in_client));
	}
	while (!list_empty(&client->watches)) {
		(void)once_watch_cancel(watch_of(client->watches.next));
	}
	while (!list_empty(&client->notes)) {
		struct note *n = list_first(&client->notes, struct note, in_client);
		list_remove(&n->in_client);
		free(n);
	}
	client->loop->ops->timer_free(client->note_timer);
	if (client->gen) {
		gen_free(client->gen);
	}
	while (!list_empty(&client->retired)) {
		gen_free(list_first(&client->retired, struct client_gen, in_client));
	}
	if (client->transport) {
		client->transport->ops->free(client->transport);
	}
	for (size_t i = 0; i < client->n_endpoints; i++) {
		free(client->endpoints[i].url);
	}
	free(client->endpoints);
	free(client);
	return NULL;
}

void once_client_rotate(struct once_client *client, const char *why)
{
	if (client->gen) {
		throw_away(client->gen, why ? why : "asked to");
	} else {
		client->current = client_next(client);
	}
}

int once_client_reload(struct once_client *client, const struct once_client_config *config,
	const char **ret_message)
{
	struct pem *pem = NULL;
	const char *ignored;
	ret_message = ret_message ? ret_message : &ignored;
	*ret_message = "out of memory";
	int r = pem_read(&pem, config, ret_message);
	if (!r && pem->cert_fault) {
		client_say(ret_message, "%s: the certificate %s", config->cert, pem->cert_fault);
		r = -EKEYREJECTED;
	}
	r = r ? r : auth_change(&client->auth, config->user, config->password);
	if (r < 0) {
		pem = pem_unref(pem);
		return r;
	}
	client->transport->ops->use(client->transport, pem);
	pem = pem_unref(pem);
	*ret_message = NULL;
	if (client->gen) {
		client_retire(
			client->gen, client->current, "certificates and password are read again");
	}
	return 0;
}

const char *once_client_endpoint(const struct once_client *client)
{
	return client->endpoints[client->current].url;
}
