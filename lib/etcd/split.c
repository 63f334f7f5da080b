/* Lines out of chunks; see split.h. What was given out is dropped at the next push, so each byte is
 * moved at most once per push that finds an unfinished line, and searched once. */
#include "etcd/split.h"

#include <errno.h>
#include <string.h>

void split_init(struct split *split, size_t line_max)
{
	*split = (struct split){.line_max = line_max ? line_max : SPLIT_LINE_MAX};
	buf_init(&split->buf, SIZE_MAX);
}

void split_fini(struct split *split)
{
	buf_fini(&split->buf);
}

void split_reset(struct split *split)
{
	buf_reset(&split->buf);
	split->taken = 0;
	split->scanned = 0;
	split->ended = false;
	split->error = 0;
}

int split_push(struct split *split, const void *data, size_t size)
{
	if (split->error)
		return split->error;
	buf_consume(&split->buf, split->taken);
	split->taken = 0;
	if (buf_append(&split->buf, data, size) < 0)
		split->error = -ENOMEM;
	return split->error;
}

void split_end(struct split *split)
{
	split->ended = true;
}

/* Whether a line begins at split->taken, and its size. */
static bool find_line(struct split *split, size_t *ret_size)
{
	const char *start = buf_text(&split->buf) + split->taken;
	size_t left = split->buf.size - split->taken;
	const char *end = memchr(start + split->scanned, '\n', left - split->scanned);

	split->scanned = end ? (size_t)(end - start) : left;
	*ret_size = split->scanned;
	return end || (split->ended && left > 0);
}

int split_next(struct split *split, const char **ret_line, size_t *ret_size)
{
	if (split->error)
		return split->error;
	while (split->taken < split->buf.size) {
		const char *start = buf_text(&split->buf) + split->taken;
		size_t size;
		bool whole = find_line(split, &size);

		if (size > split->line_max)
			return split->error = -EBADMSG;
		if (!whole)
			return 0;
		split->taken += size + 1;
		if (split->taken > split->buf.size)
			split->taken = split->buf.size;
		split->scanned = 0;
		if (size == 0)
			continue;
		*ret_line = start;
		*ret_size = size;
		return 1;
	}
	return 0;
}
