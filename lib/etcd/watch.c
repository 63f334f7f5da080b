/* A watch: several ranges on one stream that comes back by itself.
 *
 *	AWAIT_TURN -> [AWAIT_LOGIN] -> AWAIT_CREATED -> LIVE
 *	    ^---------------|----------------|-----------'   any end of the stream, silence, a move
 *
 * - One POST carries a create request per range; each range has its own next revision, so a stream
 *   that resumes on another endpoint sends nothing twice and skips nothing. What was seen already
 * is dropped once more here.
 * - Events are reported when their revisions are whole: a fragmented answer is collected until a
 *   line ends on the border of a revision.
 * - The end of the stream is a break, whatever its status: etcd ends watches with success, too.
 * - Only refusals are final: compacted, not permitted, not understood. A refused token logs in
 * anew, once per stream that came to life.
 *
 * Failures: silence_ns without a line (a stopped member says nothing, its kernel goes on
 * acknowledging), and no confirmation in the client's request timeout, are breaks. Waiting before a
 * resume grows to 1 s while streams live for less than that.
 *
 * The callback may cancel the watch or free the client: then the watch is only marked dead, and
 * whoever reported frees it. */
#include "etcd/internal.h"
#include "etcd/split.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	WATCH_LINE_MAX = 64 << 20,
	LOGINS_MAX = 2,
};
#define WAIT_MIN_NS (20 * ONCE_NSEC_PER_MSEC)
#define WAIT_MAX_NS ONCE_NSEC_PER_SEC

enum watch_state { AWAIT_TURN, AWAIT_LOGIN, AWAIT_CREATED, LIVE };

/* A fragment that waits for the rest of its revision. */
struct piece {
	struct list in_range;
	struct codec_watch_line line; /* owned */
};

struct range {
	struct once_watch_range config; /* key and range_end owned */
	int64_t next;			/* revision; 0: now */
	bool created;
	struct list pieces;
};

struct once_watch {
	struct list in_client;
	struct once_client *client;
	enum watch_state state;
	struct range *ranges;
	size_t n_ranges, n_created;
	bool progress_notify, busy, dead, broken_told;
	int64_t silence_ns, wait_ns;
	unsigned int logins;
	uint64_t token;
	struct once_timer *timer; /* turn, login, confirmation, silence: by state */
	struct auth_waiter waiter;
	struct client_gen *gen;
	struct transport_exchange *exchange;
	struct codec_request request;
	struct split split;
	uint64_t raft_term, cluster_id, member_id; /* of the latest line */
	uint64_t stream; /* counts them, so that an old one's lines are told from a new one's */
	struct once_instant live_since;
	char why[256]; /* of a break that is to be told */
	int error;
	once_watch_fn *fn;
	void *userdata;
};

struct once_watch *watch_of(struct list *in_client)
{
	return list_entry(in_client, struct once_watch, in_client);
}

/* ---- life ------------------------------------------------------------------------------------ */

static void drop_pieces(struct range *range)
{
	while (!list_empty(&range->pieces)) {
		struct piece *piece = list_first(&range->pieces, struct piece, in_range);
		list_remove(&piece->in_range);
		codec_watch_line_fini(&piece->line);
		free(piece);
	}
}

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
		w->ranges[i].created = false;
		drop_pieces(&w->ranges[i]);
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

/* False: the watch is gone. */
static bool report(struct once_watch *w, struct once_watch_report *report)
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

/* The end: always false. */
static bool end(struct once_watch *w, enum once_watch_note note, int64_t revision, int error,
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

/* Ends the stream; the break is told, and the next stream tried, from the timer. */
static void break_stream(struct once_watch *w, int error, const char *why)
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

/* The stream's endpoint is not to be trusted with the next one. Always false: the stream is over.
 */
static bool break_and_leave(struct once_watch *w, int error, const char *why)
{
	struct once_client *client = w->client;
	struct client_gen *gen = w->gen;
	break_stream(w, error, why);
	if (gen && gen == client->gen) {
		client_retire(gen, client_next(client), w->why);
	}
	return false;
}

void watch_move(struct once_watch *w, const struct client_gen *gen, const char *why)
{
	if (w->gen == gen) {
		break_stream(w, -ECONNRESET, why);
	}
}

/* ---- lines ----------------------------------------------------------------------------------- */

static bool start_over(struct once_watch *w, const char *message)
{
	auth_refused(&w->client->auth, w->token);
	break_stream(w, -EACCES, message);
	return false;
}

/* The server ended one range, or the stream. Always false. */
static bool refused(struct once_watch *w, const struct codec_watch_line *line)
{
	switch (line->error) {
	case -ESTALE:
		return end(w, ONCE_WATCH_COMPACTED, line->compact_revision, -ESTALE, line->message);
	case -EACCES:
		if (w->client->auth.user && ++w->logins < LOGINS_MAX) {
			return start_over(w, line->message);
		}
		return end(w, ONCE_WATCH_FAILED, line->revision, line->error, line->message);
	case -EPERM:
	case -EINVAL:
	case -E2BIG:
		return end(w, ONCE_WATCH_FAILED, line->revision, line->error, line->message);
	default:
		return break_and_leave(w, line->error ? line->error : -ECONNRESET,
			line->message[0] ? line->message : "the server ended the watch");
	}
}

static struct range *range_of(struct once_watch *w, const struct codec_watch_line *line)
{
	return line->watch_id >= 1 && (uint64_t)line->watch_id <= w->n_ranges
		       ? &w->ranges[line->watch_id - 1]
		       : NULL;
}

static bool created(struct once_watch *w, struct range *range, const struct codec_watch_line *line)
{
	if (range->created) {
		return true;
	}
	range->created = true;
	if (!range->next) {
		range->next = line->revision + 1;
	}
	if (++w->n_created < w->n_ranges) {
		return true;
	}
	w->state = LIVE;
	w->live_since = w->client->loop->ops->now(w->client->loop);
	w->logins = 0;
	w->broken_told = false;
	struct once_watch_report r = {.note = ONCE_WATCH_STARTED, .revision = line->revision};
	return report(w, &r);
}

/* Copies the events of revision next and later to out and tells how many; out may be NULL. */
static size_t gather(const struct codec_watch_line *line, int64_t next, struct once_event *out)
{
	size_t n = 0;
	for (size_t i = 0; i < line->n_events; i++) {
		if (line->events[i].kv.mod_revision >= next) {
			if (out) {
				out[n] = line->events[i];
			}
			n++;
		}
	}
	return n;
}

/* Reports the collected pieces and then line (either may be nothing). */
static bool flush(struct once_watch *w, struct range *range, const struct codec_watch_line *line)
{
	struct list pieces, *i;
	struct once_event *events = NULL;
	size_t n = line ? gather(line, range->next, NULL) : 0, at = 0;
	int64_t revision = line ? line->revision : 0, last = 0;
	list_foreach (i, &range->pieces) {
		n += gather(&list_entry(i, struct piece, in_range)->line, range->next, NULL);
	}
	/* Off the range: the callback may cancel the watch. */
	list_init(&pieces);
	list_splice(&pieces, &range->pieces);
	if (n) {
		events = calloc(n, sizeof(*events));
	}
	bool alive = true;
	if (n && !events) {
		alive = break_and_leave(w, -ENOMEM, "out of memory");
	} else if (n) {
		list_foreach (i, &pieces) {
			const struct piece *piece = list_entry(i, struct piece, in_range);
			at += gather(&piece->line, range->next, events + at);
			revision = line ? revision : piece->line.revision;
		}
		at += line ? gather(line, range->next, events + at) : 0;
		for (size_t k = 0; k < n; k++) {
			last = events[k].kv.mod_revision > last ? events[k].kv.mod_revision : last;
		}
		range->next = last + 1;
		struct once_watch_report r = {.note = ONCE_WATCH_EVENTS,
			.events = events,
			.n_events = n,
			.revision = revision};
		alive = report(w, &r);
	}
	free(events);
	struct range rest = {.pieces = {NULL, NULL}};
	list_init(&rest.pieces);
	list_splice(&rest.pieces, &pieces);
	drop_pieces(&rest);
	return alive;
}

/* Takes the line over; nothing is owed to it then. */
static int keep(struct range *range, struct codec_watch_line *line)
{
	struct piece *piece = calloc(1, sizeof(*piece));
	if (!piece) {
		return -ENOMEM;
	}
	piece->line = *line;
	arena_init(&line->arena);
	list_append(&range->pieces, &piece->in_range);
	return 0;
}

static bool is_border(const struct range *range, const struct codec_watch_line *line)
{
	const struct codec_watch_line *before =
		&list_entry(range->pieces.prev, struct piece, in_range)->line;
	return !list_empty(&range->pieces) && before->n_events && line->n_events &&
	       before->events[before->n_events - 1].kv.mod_revision <
		       line->events[0].kv.mod_revision;
}

static bool events(struct once_watch *w, struct range *range, struct codec_watch_line *line)
{
	/* What came so far is whole when the next line begins another revision: a long history
	 * does not pile up. */
	if (is_border(range, line) && !flush(w, range, NULL)) {
		return false;
	}
	if (!line->fragment) {
		return flush(w, range, line);
	}
	return keep(range, line) == 0 || break_and_leave(w, -ENOMEM, "out of memory");
}

static bool progress(struct once_watch *w, struct range *range, const struct codec_watch_line *line)
{
	if (line->revision >= range->next) {
		range->next = line->revision + 1;
	}
	struct once_watch_report r = {.note = ONCE_WATCH_PROGRESS, .revision = line->revision};
	return report(w, &r);
}

static void arm_silence(struct once_watch *w)
{
	struct once_loop *loop = w->client->loop;
	loop->ops->timer_set(w->timer, w->state != LIVE ? w->client->request_timeout_ns
				       : w->silence_ns	? w->silence_ns
							: -1);
}

/* False: the watch is gone, or its stream is. */
static bool understand(struct once_watch *w, struct codec_watch_line *line)
{
	struct range *range = range_of(w, line);
	if (!client_check_cluster(w->client, line->cluster_id)) {
		return break_and_leave(
			w, -EREMCHG, "the answer is of another etcd cluster than before");
	}
	w->raft_term = line->raft_term ? line->raft_term : w->raft_term;
	w->cluster_id = line->cluster_id;
	w->member_id = line->member_id;
	if (line->raft_term && w->gen) {
		client_note_header(w->gen, line->member_id, line->raft_term);
	}
	switch (line->what) {
	case CODEC_WATCH_ERROR:
	case CODEC_WATCH_CANCELED:
		return refused(w, line);
	case CODEC_WATCH_CREATED:
		return !range || created(w, range, line);
	case CODEC_WATCH_EVENTS:
		return !range || events(w, range, line);
	case CODEC_WATCH_PROGRESS:
		return !range || progress(w, range, line);
	}
	return true;
}

static bool take_lines(struct once_watch *w)
{
	const char *text;
	size_t size;
	uint64_t stream = w->stream;
	int r;
	while ((r = split_next(&w->split, &text, &size)) > 0) {
		struct codec_watch_line line;
		r = codec_watch_line(&line, text, size);
		bool go_on = r == 0 && understand(w, &line);
		codec_watch_line_fini(&line);
		if (r < 0) {
			break;
		}
		/* A callback may have thrown the stream away under us. */
		if (!go_on || w->stream != stream) {
			return false;
		}
	}
	return r == 0 || break_and_leave(w, r, once_strerror(r));
}

static void on_data(void *userdata, const void *data, size_t size)
{
	struct once_watch *w = userdata;
	(void)split_push(&w->split, data, size);
	if (take_lines(w)) {
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
		break_stream(w, result->error, why);
		client_note_failure(gen, TRANSPORT_WATCH, result);
		return;
	}
	if (result->status != 200) {
		struct codec_watch_line line;
		(void)codec_watch_refusal(&line, result->status, result->body, result->size);
		(void)refused(w, &line);
		codec_watch_line_fini(&line);
		return;
	}
	split_end(&w->split);
	if (take_lines(w)) {
		(void)break_and_leave(w, -ECONNRESET, "the server ended the stream");
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
	r = r ? r : client_gen(client, &gen);
	if (r < 0) {
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
		w->logins = error == -EACCES ? LOGINS_MAX : w->logins;
		break_stream(w, error, message);
	} else {
		resume_in(w, 0);
	}
}

static void next_stream(struct once_watch *w)
{
	struct once_client *client = w->client;
	int64_t pause_ns = client_pause_ns(client);
	int r;
	if (w->logins >= LOGINS_MAX) {
		(void)end(w, ONCE_WATCH_FAILED, 0, -EACCES, w->why);
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
		break_stream(w, r, once_strerror(r));
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
			if (report(w, &r) && w->state == AWAIT_TURN) {
				resume_in(w, w->wait_ns);
			}
			return;
		}
		next_stream(w);
		return;
	case AWAIT_LOGIN:
		break_stream(w, -ETIMEDOUT, "the login was not answered in time");
		return;
	case AWAIT_CREATED:
		(void)break_and_leave(w, -ETIMEDOUT, "the watch was not confirmed in time");
		return;
	case LIVE:
		(void)break_and_leave(w, -ETIMEDOUT, "the stream was silent for too long");
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

static int copy_range(struct range *range, const struct once_watch_range *from, int64_t start)
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
