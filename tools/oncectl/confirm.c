/* oncectl confirm: ids from standard input into a writer, confirmed ones to standard output.
 *
 * Happy path: read while the writer takes more; each result is printed, in the order of the input
 * unless --unordered; flushed with each answer, so that what is printed is confirmed and nothing else
 * is claimed, whenever this process ends.
 *
 * Failures: duplicates are told on standard error and counted; the first id that is refused, fenced
 * or unknown ends the reading, and its reason is told at the end. */
#include "tools/oncectl/confirm.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"

enum { LINE_MAX_BYTES = 4 << 20, READ_BYTES = 64 * 1024 };

/* An id that was given and not yet printed. */
struct line {
	char *text;
	size_t size;
	bool settled, confirmed;
};

struct stream {
	struct confirm *c;
	struct once_writer *writer;
	struct once_io *io;
	struct buf in; /* not yet given */
	size_t at;
	struct line *lines; /* a ring of cap, a power of two */
	size_t cap;
	uint64_t first, next; /* numbers of the writer: oldest not printed, next to give */
	bool ended, stopped, done;
	uint64_t duplicates, bad;
	enum once_confirm_state worst;
	char why[256];
};

static void print_id(const char *text, size_t size)
{
	(void)fwrite(text, 1, size, stdout);
	putchar('\n');
}

static int told_duplicate(struct stream *s, const char *text, size_t size)
{
	s->duplicates++;
	return ctl_error(CTL_FAILED, "duplicate: %.*s", size > 200 ? 200 : (int)size, text);
}

/* ---- results --------------------------------------------------------------------------------- */

static struct line *line_of(struct stream *s, uint64_t number)
{
	return &s->lines[number & (s->cap - 1)];
}

static void print_settled(struct stream *s)
{
	while (s->first < s->next && line_of(s, s->first)->settled) {
		struct line *l = line_of(s, s->first++);

		if (l->confirmed && !s->c->unordered)
			print_id(l->text, l->size);
		free(l->text);
		*l = (struct line){0};
	}
}

static void settle(struct stream *s, const struct once_confirmation *result, const char *message)
{
	struct line *l = line_of(s, result->number);

	l->settled = true;
	if (result->state == ONCE_CONFIRMED ||
		(result->state == ONCE_CONFIRM_DUPLICATE && s->c->resume)) {
		l->confirmed = true;
		if (s->c->unordered)
			print_id(l->text, l->size);
	} else if (result->state == ONCE_CONFIRM_DUPLICATE) {
		(void)told_duplicate(s, l->text, l->size);
	} else {
		if (s->bad++ == 0)
			(void)snprintf(s->why, sizeof(s->why), "%s",
				*message ? message : once_strerror(result->error));
		s->worst = s->worst == ONCE_CONFIRM_FENCED ? s->worst : result->state;
		s->stopped = true;
	}
}

static void give(struct stream *s);

static void on_results(void *userdata, const struct once_confirmation *results, size_t n,
	int64_t took_ns, const char *message)
{
	struct stream *s = userdata;

	(void)took_ns;
	for (size_t i = 0; i < n; i++)
		settle(s, &results[i], message);
	print_settled(s);
	(void)fflush(stdout);
	give(s);
}

/* ---- input ----------------------------------------------------------------------------------- */

static bool make_room(struct stream *s)
{
	size_t cap = s->cap ? s->cap * 2 : 1024;
	struct line *lines;

	if (s->next - s->first < s->cap)
		return true;
	lines = calloc(cap, sizeof(*lines));
	if (!lines)
		return false;
	for (uint64_t i = s->first; i < s->next; i++)
		lines[i & (cap - 1)] = *line_of(s, i);
	free(s->lines);
	s->lines = lines;
	s->cap = cap;
	return true;
}

static void stop(struct stream *s, const char *why)
{
	if (s->bad++ == 0)
		(void)snprintf(s->why, sizeof(s->why), "%s", why);
	s->stopped = true;
}

/* Packed blocks do not know of each other: whether an id was given before is known here. */
static bool was_given(struct stream *s, const char *id, size_t size)
{
	struct once_bytes bytes = {id, size};

	if (s->c->config.mode != ONCE_CONFIRM_PACKED || idset_count(&s->c->ids, bytes) == 0)
		return false;
	if (s->c->resume)
		print_id(id, size);
	else
		(void)told_duplicate(s, id, size);
	return true;
}

/* False: not now. */
static bool give_line(struct stream *s, const char *text, size_t size)
{
	const char *tab = memchr(text, '\t', size);
	size_t n = tab ? (size_t)(tab - text) : size;
	struct once_bytes value = {tab ? tab + 1 : NULL, tab ? size - n - 1 : 0};
	int r;

	if (size == 0 || was_given(s, text, n))
		return true;
	if (!make_room(s)) {
		stop(s, "out of memory");
		return false;
	}
	r = once_writer_put(s->writer, (struct once_bytes){text, n}, value);
	if (r == -EAGAIN)
		return false;
	if (r < 0) {
		stop(s, r == -EINVAL ? "packed ids have no value" : once_strerror(r));
		return false;
	}
	*line_of(s, s->next) = (struct line){.text = strndup(text, n), .size = n};
	if (!line_of(s, s->next++)->text ||
		(s->c->config.mode == ONCE_CONFIRM_PACKED &&
			idset_add(&s->c->ids, (struct once_bytes){text, n}) == 0))
		stop(s, "out of memory");
	return true;
}

/* The lines that are there. */
static void give(struct stream *s)
{
	while (!s->stopped && s->at < s->in.size) {
		const char *text = s->in.data + s->at;
		const char *end = memchr(text, '\n', s->in.size - s->at);
		size_t size = end ? (size_t)(end - text) : s->in.size - s->at;

		if (!end && !s->ended)
			break;
		if (!give_line(s, text, size))
			break;
		s->at += size + (end ? 1 : 0);
	}
	if (s->stopped || (s->ended && s->at == s->in.size)) {
		once_writer_flush(s->writer);
		s->done = once_writer_pending(s->writer) == 0;
	}
	/* Read on only when everything was taken but the beginning of a line. */
	s->c->ctl->loop->ops->io_set(
		s->io, !s->stopped && !s->ended &&
				       !memchr(buf_text(&s->in) + s->at, '\n', s->in.size - s->at)
			       ? ONCE_IO_READ
			       : 0);
}

static void on_input(void *userdata, int fd, int events)
{
	struct stream *s = userdata;
	char bytes[READ_BYTES];
	ssize_t n = read(fd, bytes, sizeof(bytes));

	(void)events;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0)
		stop(s, "standard input: cannot be read");
	s->ended = n <= 0;
	buf_consume(&s->in, s->at);
	s->at = 0;
	if (n > 0 && buf_append(&s->in, bytes, (size_t)n) < 0)
		stop(s, "a line is too long, or out of memory");
	give(s);
}

/* ---- the whole ------------------------------------------------------------------------------- */

static int judge(struct stream *s)
{
	if (s->bad > 0 && s->worst == ONCE_CONFIRM_FENCED)
		return ctl_error(CTL_FENCED,
			"fenced: the term is over; what is not printed was not written");
	if (s->bad > 0)
		return ctl_error(CTL_UNREACHABLE,
			"%s; what is not printed is not confirmed, and --resume goes on", s->why);
	return s->duplicates > 0 ? CTL_FAILED : CTL_OK;
}

int confirm_stream(struct confirm *c)
{
	struct ctl *ctl = c->ctl;
	struct stream s = {.c = c};
	int r = once_writer_new(&s.writer, ctl->client, ctl->loop, &c->config, on_results, &s);

	buf_init(&s.in, LINE_MAX_BYTES);
	if (r == 0)
		s.io = ctl->loop->ops->io_new(ctl->loop, STDIN_FILENO, on_input, &s);
	if (r == 0 && s.io)
		ctl->loop->ops->io_set(s.io, ONCE_IO_READ);
	/* As long as the input takes; what was given is settled in the writer's time. */
	while (r == 0 && s.io && !s.done)
		(void)ctl_wait(ctl, &s.done, ONCE_NSEC_PER_SEC);
	s.writer = once_writer_free(s.writer);
	if (s.io)
		ctl->loop->ops->io_free(s.io);
	buf_fini(&s.in);
	for (size_t i = 0; i < s.cap; i++)
		free(s.lines[i].text);
	free(s.lines);
	if (r < 0)
		return ctl_error(CTL_FAILED, "confirm: %s", once_strerror(r));
	return judge(&s);
}
