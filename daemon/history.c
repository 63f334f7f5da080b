/* That etcd is still the one it was. See history.h. "onced-history 1 CLUSTER REVISION [lost]\n" */
#include "daemon/history.h"

#include "daemon/log.h"
#include "daemon/state.h"
#include "base/escape.h"
#include "elect/keys.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const int64_t SAVE_EVERY = 60 * ONCE_NSEC_PER_SEC, SAVE_GAP = ONCE_NSEC_PER_SEC,
		     ASK_AGAIN = ONCE_NSEC_PER_SEC;

/* One endpoint is asked, by a client of its own. */
struct history_probe {
	struct history *history;
	struct once_client *client;
	bool answered;
	struct once_lineage is;
	struct keys_generation generation;
	char alarm[128]; /* key of a node that knows a later etcd; empty: none */
};

/* ---- the file -------------------------------------------------------------------------------- */

static bool parse(struct history *h, const char *text)
{
	int end = -1;

	/* NOLINTNEXTLINE(cert-err34-c): a number too large becomes the largest */
	if (sscanf(text, "onced-history 1 %16" SCNx64 " %19" SCNd64 "%n", &h->saved.cluster_id,
		    &h->saved.revision, &end) != 2)
		return false;
	h->older = strcmp(text + end, " lost\n") == 0;
	return (h->older || strcmp(text + end, "\n") == 0) && h->saved.cluster_id != 0 &&
	       h->saved.revision > 0;
}

static void load(struct history *h)
{
	char text[128];
	ssize_t n = h->path[0] ? state_read(h->path, text, sizeof(text)) : -ENOENT;

	if (n >= 0 && parse(h, text))
		return;
	h->saved = (struct once_lineage){0};
	h->older = false;
	if (n == -ENOENT)
		log_info("history", "no history of this etcd is kept in %s: taking it as it is",
			h->path[0] ? h->path : "a file");
	else
		log_warning("history", "%s: %s: taking this etcd as it is", h->path,
			n < 0 ? strerror((int)-n)
			      : "expected one line, \"onced-history 1 CLUSTER REVISION\"");
}

/* No fsync: a disk that hangs must not hold the loop for longer than it has to, and what is lost with the power are
 * the last revisions, which the other nodes have, too. */
static void write_file(struct history *h, const struct once_lineage *now)
{
	char text[128];
	int n, r;

	if (h->path[0] == '\0')
		return;
	n = snprintf(text, sizeof(text), "onced-history 1 %016" PRIx64 " %" PRId64 "%s\n",
		now->cluster_id, now->revision, h->older ? " lost" : "");
	r = state_replace(h->path, text, (size_t)n);
	h->saved_at = h->loop->ops->now(h->loop);
	if (r == 0)
		h->saved = *now;
	else if (!h->complained)
		log_warning("history",
			"%s: %s: after a restart, an etcd that came back older would not be "
			"noticed",
			h->path, strerror(-r));
	h->complained = r < 0;
}

static void save(struct history *h)
{
	struct once_lineage now = once_client_lineage(h->client);

	if (now.cluster_id != 0 &&
		(now.cluster_id != h->saved.cluster_id || now.revision != h->saved.revision))
		write_file(h, &now);
}

/* ---- the endpoints are asked ------------------------------------------------------------------ */

static void ask_in(struct history *h, int64_t in)
{
	h->loop->ops->timer_set(h->timer, in);
}

static void on_forgotten(void *userdata, const struct once_response *response)
{
	(void)userdata, (void)response; /* else people see an alarm that is over */
}

static void settle(struct history *h)
{
	struct once_op op = {.kind = ONCE_OP_DELETE, .key = once_str(h->alarm)};
	bool was_lost = h->state != HISTORY_DOUBTED;

	h->state = HISTORY_KNOWN;
	h->accepted = 0;
	ask_in(h, SAVE_GAP);
	if (!was_lost)
		return;
	if (h->told)
		(void)once_kv(h->client, NULL, NULL, &op, on_forgotten, NULL);
	h->told = false;
	h->owner->found(h->owner->userdata);
}

static void adopt(struct history *h, const struct history_probe *p)
{
	log_warning("history-accepted",
		"etcd is taken as it is now, as an operator said: cluster %016llx, revision %lld, "
		"above %lld",
		(unsigned long long)p->is.cluster_id, (long long)p->is.revision,
		(long long)h->accepted);
	once_client_trust(h->client, &p->is);
	h->older = false;
	write_file(h, &p->is);
	settle(h);
}

/* Nothing is believed from now on, whatever revision etcd may reach; what was known until now is what an operator
 * has to know of. */
static void lose(struct history *h, bool older)
{
	struct once_lineage nothing = {h->known.cluster_id, INT64_MAX};

	h->state = HISTORY_LOST;
	h->older = older;
	once_client_trust(h->client, &nothing);
	if (older)
		write_file(h, &h->known);
	ask_in(h, 0); /* the others are to hear of it */
	h->owner->lost(h->owner->userdata);
}

static void lose_to(struct history *h, const struct history_probe *p)
{
	bool other = p->is.cluster_id != h->known.cluster_id;

	if (other)
		log_err("history-lost",
			"etcd is another cluster (%016llx, not %016llx): nothing runs until "
			"\"oncectl new-generation\", "
			"or until it is back",
			(unsigned long long)p->is.cluster_id,
			(unsigned long long)h->known.cluster_id);
	else
		log_err("history-lost",
			"etcd is older than it was (revision %lld after %lld): nothing runs until "
			"\"oncectl "
			"new-generation\"",
			(long long)p->is.revision, (long long)h->known.revision);
	lose(h, !other);
}

static void lose_by(struct history *h, const char *key)
{
	log_err("history-lost",
		"etcd holds %s, whose node has seen a later etcd than this one: nothing runs until "
		"\"oncectl "
		"new-generation\"",
		key);
	lose(h, true);
}

/* An operator has accepted what is there now, knowing of revisions as high as ours. All work of before is dead when
 * the last proof that the etcd of before may have taken is V(1 + delta) old. */
static void wait_or_adopt(struct history *h, const struct history_probe *p)
{
	const struct once_timing *t = &h->config->timing;
	int64_t wait = t->fence_after_ns + t->fence_after_ns / 1000000 * t->clock_drift_ppm;
	struct once_instant now = h->loop->ops->now(h->loop);

	if (h->state != HISTORY_ACCEPTING || h->accepted != p->generation.above) {
		h->state = HISTORY_ACCEPTING;
		h->accepted = p->generation.above;
		h->accepted_at = now;
		log_info("history-accepted",
			"an operator accepts what etcd is now: beginning in %.3f s, when all work "
			"of before is dead",
			(double)wait / 1e9);
	}
	if (once_elapsed_min(h->accepted_at, now) >= wait)
		adopt(h, p);
}

/* Of a first start everything does. */
static bool continues(const struct history *h, const struct history_probe *p)
{
	return !h->older &&
	       (h->known.cluster_id == 0 || (p->is.cluster_id == h->known.cluster_id &&
						    p->is.revision >= h->known.revision));
}

/* One endpoint that is as it was is enough. */
static void judge_good(struct history *h, const struct history_probe *p)
{
	if (p->alarm[0]) {
		h->known = p->is;
		lose_by(h, p->alarm);
		return;
	}
	if (h->state != HISTORY_DOUBTED) {
		log_info("history-back", "etcd continues what was known: campaigning again");
		once_client_trust(h->client, &h->known);
	}
	settle(h);
}

/* All have answered, or will not. */
static void judge(struct history *h)
{
	const struct history_probe *other = NULL;

	ask_in(h, ASK_AGAIN);
	for (size_t i = 0; i < h->n_probes; i++) {
		const struct history_probe *p = &h->probes[i];

		if (p->answered && continues(h, p)) {
			judge_good(h, p);
			return;
		}
		if (p->answered)
			other = p;
	}
	if (!other)
		return;
	if (h->state == HISTORY_DOUBTED)
		lose_to(h, other);
	if (other->generation.above >= h->known.revision)
		wait_or_adopt(h, other);
	else
		h->state = HISTORY_LOST;
}

static void on_answer(void *userdata, const struct once_response *response)
{
	struct history_probe *p = userdata;
	struct history *h = p->history;
	const struct once_op_result *results = response->op.results;

	p->client = once_client_free(p->client);
	p->answered = response->outcome == ONCE_APPLIED && response->cluster_id != 0;
	if (p->answered) {
		p->is = (struct once_lineage){response->cluster_id, response->revision};
		if (response->op.n_results > 1 && results[0].n_kvs == 1)
			(void)keys_generation_read(&p->generation, &results[0].kvs[0]);
		if (response->op.n_results > 1 && results[1].n_kvs > 0)
			(void)escape_line(p->alarm, sizeof(p->alarm), results[1].kvs[0].key.data,
				results[1].kvs[0].key.size);
		h->told |= h->state == HISTORY_LOST;
	}
	if (--h->n_asked == 0)
		judge(h);
}

/* A write, since reads have been stale in released versions: of the alarm, or of nothing. */
static int ask(struct history_probe *p, const char *endpoint)
{
	struct history *h = p->history;
	char value[KEYS_VALUE_MAX], end[CONFIG_KEY_MAX + 16];
	struct once_op ops[3] = {{.kind = ONCE_OP_RANGE, .key = once_str(h->generation)},
		{.kind = ONCE_OP_RANGE, .key = once_str(h->alarms), .keys_only = true, .limit = 1},
		{.kind = ONCE_OP_DELETE, .key = once_str(h->nothing)}};
	struct once_txn txn = {.success = ops, .n_success = 3};
	struct once_client_config config = config_connection(h->config);
	int r;

	config.endpoints = &endpoint;
	config.n_endpoints = 1;
	config.connect_timeout_ns = config.request_timeout_ns =
		h->config->timing.request_timeout_ns;
	ops[1].range_end = (struct once_bytes){end, once_prefix_end(ops[1].key, end)};
	if (h->state == HISTORY_LOST && !h->told &&
		keys_alarm_write(value, sizeof(value), &h->known) >= 0)
		ops[2] = (struct once_op){
			.kind = ONCE_OP_PUT, .key = once_str(h->alarm), .value = once_str(value)};
	p->answered = false;
	p->alarm[0] = '\0';
	p->generation = (struct keys_generation){0};
	r = once_client_new(&p->client, h->loop, &config, NULL, NULL, NULL);
	if (r == 0)
		r = once_txn(p->client, NULL, NULL, &txn, on_answer, p);
	if (r < 0)
		p->client = once_client_free(p->client);
	return r;
}

static void ask_all(struct history *h)
{
	if (h->n_asked != 0)
		return;
	if (h->state == HISTORY_DOUBTED)
		h->known = once_client_lineage(h->client);
	for (size_t i = 0; i < h->n_probes; i++)
		h->n_asked += ask(&h->probes[i], h->config->endpoints[i]) == 0;
	if (h->n_asked == 0)
		ask_in(h, ASK_AGAIN);
}

static void on_timer(void *userdata)
{
	struct history *h = userdata;

	if (h->state != HISTORY_KNOWN) {
		ask_all(h);
		return;
	}
	save(h);
	ask_in(h, SAVE_EVERY);
}

/* Groups come by the hundred. */
void history_led(struct history *h)
{
	struct once_instant now = h->loop->ops->now(h->loop);

	if (h->state != HISTORY_KNOWN)
		return;
	if (h->saved_at.boot_ns == 0 || once_elapsed_max(h->saved_at, now) >= SAVE_GAP)
		save(h);
	else
		ask_in(h, SAVE_GAP);
}

void history_doubt(struct history *h)
{
	if (h->state != HISTORY_KNOWN)
		return;
	h->state = HISTORY_DOUBTED;
	ask_all(h);
}

void history_heard(struct history *h, struct once_bytes key)
{
	char text[128];

	if (h->state != HISTORY_KNOWN)
		return; /* it is about to be seen, or no news */
	h->known = once_client_lineage(h->client);
	(void)escape_line(text, sizeof(text), key.data, key.size);
	lose_by(h, text);
}

/* ---- life ------------------------------------------------------------------------------------ */

/* As it is said, or the service manager's, or where lock and state are. */
static const char *directory(const struct config *config)
{
	const char *given = config->run ? NULL : getenv("STATE_DIRECTORY");

	if (config->state_dir)
		return config->state_dir;
	if (given && given[0] == '/' && !strchr(given, ':'))
		return given;
	return config->runtime_dir ? config->runtime_dir : "";
}

int history_init(struct history *h, const struct config *config, struct once_client *client,
	struct once_loop *loop, const char *instance, const struct history_owner *owner)
{
	const char *where = directory(config);
	int r = 0;

	*h = (struct history){.config = config, .client = client, .loop = loop, .owner = owner};
	if (where[0] && strlen(where) < LINK_PATH_MAX)
		(void)snprintf(h->path, sizeof(h->path), "%s/%s.history", where, instance);
	r |= asprintf(&h->generation, "%s/generation", config->prefix);
	r |= asprintf(&h->alarm, "%s/history/%s", config->prefix, config->node);
	r |= asprintf(&h->alarms, "%s/history/", config->prefix);
	r |= asprintf(&h->nothing, "%s/history", config->prefix);
	h->probes = calloc(config->n_endpoints, sizeof(*h->probes));
	h->timer = loop->ops->timer_new(loop, on_timer, h);
	if (r < 0 || !h->probes || !h->timer)
		return -ENOMEM;
	h->n_probes = config->n_endpoints;
	for (size_t i = 0; i < h->n_probes; i++)
		h->probes[i].history = h;
	load(h);
	h->known = h->saved;
	once_client_trust(client, &h->known);
	h->state = HISTORY_DOUBTED;
	if (h->older) {
		log_err("history-lost", "etcd was older than it had been, before this start: "
					"nothing runs until \"oncectl "
					"new-generation\"");
		lose(h, true);
	}
	ask_in(h, 0);
	return 0;
}

void history_fini(struct history *h)
{
	if (!h->loop)
		return;
	if (h->state == HISTORY_KNOWN && h->path[0])
		save(h);
	for (size_t i = 0; i < h->n_probes; i++)
		h->probes[i].client = once_client_free(h->probes[i].client);
	if (h->timer)
		h->loop->ops->timer_free(h->timer);
	free(h->probes);
	free(h->generation);
	free(h->alarm);
	free(h->alarms);
	free(h->nothing);
	h->loop = NULL;
}
