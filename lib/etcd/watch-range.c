/* The fragments of a range of a watch. etcd cuts a large answer into lines; events are worth
 * nothing before the last of their revision is there, and a long history shall not pile up: what
 * is kept leaves as soon as a line begins a later revision. What was seen already, on the stream
 * before, is left out here.
 *
 * Failures: only memory. */
#include "etcd/watch.h"
#include <errno.h>
#include <stdlib.h>

/* A fragment that waits for the rest of its revision. */
struct piece {
	struct list in_list;
	struct codec_watch_line line; /* owned */
};

static void drop_all(struct list *pieces)
{
	while (!list_empty(pieces)) {
		struct piece *piece = list_first(pieces, struct piece, in_list);
		list_remove(&piece->in_list);
		codec_watch_line_fini(&piece->line);
		free(piece);
	}
}

void watch_range_drop(struct watch_range *range)
{
	drop_all(&range->pieces);
}

bool watch_range_is_border(const struct watch_range *range, const struct codec_watch_line *line)
{
	if (list_empty(&range->pieces) || !line->n_events) {
		return false;
	}
	const struct codec_watch_line *before =
		&list_entry(range->pieces.prev, struct piece, in_list)->line;
	return before->n_events && before->events[before->n_events - 1].kv.mod_revision <
					   line->events[0].kv.mod_revision;
}

int watch_range_keep(struct watch_range *range, struct codec_watch_line *line)
{
	struct piece *piece = calloc(1, sizeof(*piece));
	if (!piece) {
		return -ENOMEM;
	}
	piece->line = *line;
	arena_init(&line->arena);
	list_append(&range->pieces, &piece->in_list);
	return 0;
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

int watch_range_take(
	struct watch_range *range, const struct codec_watch_line *line, struct watch_batch *ret)
{
	struct list *i;
	size_t n = line ? gather(line, range->next, NULL) : 0, at = 0;
	*ret = (struct watch_batch){.revision = line ? line->revision : 0};
	list_init(&ret->pieces);
	list_foreach (i, &range->pieces) {
		n += gather(&list_entry(i, struct piece, in_list)->line, range->next, NULL);
	}
	if (n) {
		ret->events = calloc(n, sizeof(*ret->events));
		if (!ret->events) {
			return -ENOMEM;
		}
	}
	ret->n = n;
	list_splice(&ret->pieces, &range->pieces);
	list_foreach (i, &ret->pieces) {
		const struct codec_watch_line *piece = &list_entry(i, struct piece, in_list)->line;
		at += n ? gather(piece, range->next, ret->events + at) : 0;
		ret->revision = line ? ret->revision : piece->revision;
	}
	if (line && n) {
		(void)gather(line, range->next, ret->events + at);
	}
	for (size_t k = 0; k < n; k++) {
		int64_t revision = ret->events[k].kv.mod_revision;
		ret->last = revision > ret->last ? revision : ret->last;
	}
	return 0;
}

void watch_batch_fini(struct watch_batch *batch)
{
	free(batch->events);
	batch->events = NULL;
	drop_all(&batch->pieces);
}
