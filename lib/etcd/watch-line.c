/* What a line of a watch's stream means: a confirmation, events, progress, a refusal. The stream may
 * be thrown away under any report, and the watch with it: each step tells whether it goes on.
 *
 * Failures: what is no line of etcd's, another cluster's line and most refusals break the stream;
 * only "compacted", "not permitted" and "not understood" end the watch. */
#include "etcd/watch.h"
#include <errno.h>

static bool start_over(struct once_watch *w, const char *message)
{
	auth_refused(&w->client->auth, w->token);
	watch_break(w, -EACCES, message);
	return false;
}

bool watch_refused(struct once_watch *w, const struct codec_watch_line *line)
{
	switch (line->error) {
	case -ESTALE:
		return watch_end(
			w, ONCE_WATCH_COMPACTED, line->compact_revision, -ESTALE, line->message);
	case -EACCES:
		if (w->client->auth.user && ++w->logins < WATCH_LOGINS_MAX) {
			return start_over(w, line->message);
		}
		return watch_end(w, ONCE_WATCH_FAILED, line->revision, line->error, line->message);
	case -EPERM:
	case -EINVAL:
	case -E2BIG:
		return watch_end(w, ONCE_WATCH_FAILED, line->revision, line->error, line->message);
	default:
		return watch_break_and_leave(w, line->error ? line->error : -ECONNRESET,
			line->message[0] ? line->message : "the server ended the watch");
	}
}

static struct watch_range *range_of(struct once_watch *w, const struct codec_watch_line *line)
{
	return line->watch_id >= 1 && (uint64_t)line->watch_id <= w->n_ranges
		       ? &w->ranges[line->watch_id - 1]
		       : NULL;
}

static bool created(
	struct once_watch *w, struct watch_range *range, const struct codec_watch_line *line)
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
	return watch_report(w, &r);
}

/* Reports what was kept and then line (either may be nothing). */
static bool flush(
	struct once_watch *w, struct watch_range *range, const struct codec_watch_line *line)
{
	struct watch_batch batch;
	bool alive = true;
	if (watch_range_take(range, line, &batch) < 0) {
		alive = watch_break_and_leave(w, -ENOMEM, "out of memory");
	} else if (batch.n) {
		range->next = batch.last + 1;
		struct once_watch_report r = {.note = ONCE_WATCH_EVENTS,
			.events = batch.events,
			.n_events = batch.n,
			.revision = batch.revision};
		alive = watch_report(w, &r);
	}
	watch_batch_fini(&batch);
	return alive;
}

static bool events(struct once_watch *w, struct watch_range *range, struct codec_watch_line *line)
{
	if (watch_range_is_border(range, line) && !flush(w, range, NULL)) {
		return false;
	}
	if (!line->fragment) {
		return flush(w, range, line);
	}
	return watch_range_keep(range, line) == 0 ||
	       watch_break_and_leave(w, -ENOMEM, "out of memory");
}

static bool progress(
	struct once_watch *w, struct watch_range *range, const struct codec_watch_line *line)
{
	if (line->revision >= range->next) {
		range->next = line->revision + 1;
	}
	struct once_watch_report r = {.note = ONCE_WATCH_PROGRESS, .revision = line->revision};
	return watch_report(w, &r);
}

/* False: the watch is gone, or its stream is. */
static bool understand(struct once_watch *w, struct codec_watch_line *line)
{
	struct watch_range *range = range_of(w, line);
	if (!client_believes(w->client, line->cluster_id, line->revision, 0)) {
		return watch_break_and_leave(
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
		return watch_refused(w, line);
	case CODEC_WATCH_CREATED:
		return !range || created(w, range, line);
	case CODEC_WATCH_EVENTS:
		return !range || events(w, range, line);
	case CODEC_WATCH_PROGRESS:
		return !range || progress(w, range, line);
	}
	return true;
}

bool watch_take_lines(struct once_watch *w)
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
	return r == 0 || watch_break_and_leave(w, r, once_strerror(r));
}
