/* oncectl confirm: ids from standard input into a writer, confirmed ones to standard output.
 *
 * Happy path: read while the writer takes more and --rate allows; each result is printed, in the order
 * of the input unless --unordered, in whole lines with each answer, so that what is printed is
 * confirmed and nothing else is claimed, whenever this process ends.
 *
 * Failures: duplicates are told on standard error and counted; the first id that is refused, fenced
 * or unknown ends the reading, and its reason is told at the end. SIGINT and SIGTERM end the reading,
 * too; what was given by then is settled for a moment, and a second one ends that. */
#include "tools/oncectl/confirm.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "tools/common/histogram.h"
#include "tools/common/pace.h"
#include "tools/common/progress.h"
#include "tools/oncectl/interrupt.h"
#include "tools/oncectl/lines.h"

enum { LINE_MAX_BYTES = 4 << 20, READ_BYTES = 64 * 1024 };

static const int64_t grace_ns = 2 * ONCE_NSEC_PER_SEC; /* for what is in flight, when interrupted */

/* An id that was given and not yet printed. */
struct line {
	uint64_t at; /* its text, from the first id on */
	uint32_t size;
	bool settled, confirmed;
};

struct stream {
	struct confirm *c;
	struct once_writer *writer;
	struct once_io *io, *interrupts;
	struct once_timer *timer; /* the next moment that --rate allows; the end of the grace */
	int interrupt_fd;
	struct buf in; /* not yet given */
	size_t at;
	struct buf texts; /* of the ids from text_base on */
	uint64_t text_base;
	struct line *lines; /* a ring of cap, a power of two */
	size_t cap;
	uint64_t first, next; /* numbers of the writer: oldest not printed, next to give */
	struct idset given;   /* packed: the ids of this run */
	struct lines out;
	struct pace pace;
	struct progress progress;
	struct histogram latency;
	uint64_t input_size,
		consumed; /* of standard input, when it is a file; what was given of it */
	bool ended, stopped, interrupted, done;
	uint64_t confirmed, duplicates, bad;
	enum once_confirm_state worst;
	char why[256];
};

/* ---- what is told ---------------------------------------------------------------------------- */

static void print_id(struct stream *s, const char *text, size_t size)
{
	s->confirmed++;
	lines_add(&s->out, text, size);
}

static void told_duplicate(struct stream *s, const char *text, size_t size)
{
	s->duplicates++;
	progress_end(&s->progress);
	(void)ctl_error(CTL_FAILED, "duplicate: %.*s", size > 200 ? 200 : (int)size, text);
}

/* How many ids a file holds is known from those that were read. */
static void show_progress(struct stream *s)
{
	uint64_t done = s->confirmed + s->duplicates, given;
	char more[64], p50[24], p99[24];

	if (!s->writer || !progress_due(&s->progress))
		return;
	given = done + once_writer_pending(s->writer);
	if (s->input_size > 0 && s->consumed > 0)
		s->progress.total =
			(uint64_t)((double)given * (double)s->input_size / (double)s->consumed);
	histogram_time(p50, sizeof(p50), histogram_quantile(&s->latency, 0.5));
	histogram_time(p99, sizeof(p99), histogram_quantile(&s->latency, 0.99));
	(void)snprintf(more, sizeof(more), "p50 %s, p99 %s", p50, p99);
	progress_show(&s->progress, done, more);
}

static void stop(struct stream *s, const char *why)
{
	if (s->bad++ == 0)
		(void)snprintf(s->why, sizeof(s->why), "%s", why);
	s->stopped = true;
}

/* ---- results --------------------------------------------------------------------------------- */

static struct line *line_of(struct stream *s, uint64_t number)
{
	return &s->lines[number & (s->cap - 1)];
}

static const char *text_of(const struct stream *s, const struct line *l)
{
	return s->texts.data + (l->at - s->text_base);
}

static void print_settled(struct stream *s)
{
	uint64_t printed = s->text_base;

	while (s->first < s->next && line_of(s, s->first)->settled) {
		struct line *l = line_of(s, s->first++);

		if (l->confirmed && !s->c->unordered)
			print_id(s, text_of(s, l), l->size);
		printed = l->at + l->size;
	}
	/* Now and then, for all behind it moves. */
	if (printed - s->text_base > s->texts.size / 2) {
		buf_consume(&s->texts, (size_t)(printed - s->text_base));
		s->text_base = printed;
	}
}

static bool knows_confirmed(const struct stream *s)
{
	return s->c->config.mode == ONCE_CONFIRM_PACKED && s->c->resume;
}

static void settle(struct stream *s, const struct once_confirmation *result, const char *message)
{
	struct line *l = line_of(s, result->number);

	l->settled = true;
	if (result->state == ONCE_CONFIRMED ||
		(result->state == ONCE_CONFIRM_DUPLICATE && s->c->resume)) {
		l->confirmed = true;
		if (s->c->unordered)
			print_id(s, text_of(s, l), l->size);
		if (knows_confirmed(s) &&
			idset_add(&s->c->ids, (struct once_bytes){text_of(s, l), l->size}) == 0)
			stop(s, "out of memory");
	} else if (result->state == ONCE_CONFIRM_DUPLICATE) {
		told_duplicate(s, text_of(s, l), l->size);
	} else {
		s->worst = s->worst == ONCE_CONFIRM_FENCED ? s->worst : result->state;
		stop(s, *message ? message : once_strerror(result->error));
	}
}

static void give(struct stream *s);

static void on_results(void *userdata, const struct once_confirmation *results, size_t n,
	int64_t took_ns, const char *message)
{
	struct stream *s = userdata;

	for (size_t i = 0; i < n; i++)
		settle(s, &results[i], message);
	histogram_add(&s->latency, (uint64_t)(took_ns / 1000), n);
	print_settled(s);
	lines_flush(&s->out);
	give(s);
	show_progress(s);
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

enum before { IS_NEW, WAS_TOLD, IN_FLIGHT };

/* Packed blocks do not know of each other: whether an id was given before is known here. With --resume
 * an id that is still in flight is not confirmed yet: what comes after waits for its result. */
static enum before given_before(struct stream *s, const char *id, size_t size)
{
	struct once_bytes bytes = {id, size};

	if (knows_confirmed(s) && idset_count(&s->c->ids, bytes) > 0) {
		print_id(s, id, size);
		return WAS_TOLD;
	}
	if (s->c->config.mode != ONCE_CONFIRM_PACKED || idset_count(&s->given, bytes) == 0)
		return IS_NEW;
	if (s->c->resume)
		return IN_FLIGHT;
	told_duplicate(s, id, size);
	return WAS_TOLD;
}

/* False: not yet; the timer is set. */
static bool may_go(struct stream *s)
{
	struct once_loop *loop = s->c->ctl->loop;
	int64_t wait = s->pace.rate ? pace_wait_ns(&s->pace, s->next, loop->ops->now(loop)) : 0;

	if (wait > 0)
		loop->ops->timer_set(s->timer, wait);
	return wait == 0;
}

/* It is the writer's: here it is kept until it is printed. */
static void keep(struct stream *s, struct once_bytes id)
{
	struct line *l = line_of(s, s->next++);

	*l = (struct line){.at = s->text_base + s->texts.size, .size = (uint32_t)id.size};
	if (buf_append(&s->texts, id.data, id.size) < 0 ||
		(s->c->config.mode == ONCE_CONFIRM_PACKED && idset_add(&s->given, id) == 0)) {
		/* No result of it can be told. */
		s->writer = once_writer_free(s->writer);
		stop(s, "out of memory");
		s->done = true;
	}
}

/* False: not now. */
static bool give_line(struct stream *s, const char *text, size_t size)
{
	const char *tab = memchr(text, '\t', size);
	size_t n = tab ? (size_t)(tab - text) : size;
	struct once_bytes value = {tab ? tab + 1 : NULL, tab ? size - n - 1 : 0};
	enum before before = size == 0 ? WAS_TOLD : given_before(s, text, n);
	int r;

	if (before == WAS_TOLD)
		return true;
	if (before == IN_FLIGHT || !may_go(s))
		return false;
	if (!make_room(s)) {
		stop(s, "out of memory");
		return false;
	}
	r = once_writer_put(s->writer, (struct once_bytes){text, n}, value);
	if (r == 0)
		keep(s, (struct once_bytes){text, n});
	else if (r != -EAGAIN)
		stop(s, r == -EINVAL ? "packed ids have no value" : once_strerror(r));
	return r == 0;
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
		s->consumed += size + 1;
	}
	lines_flush(&s->out); /* what --resume knew */
	s->stopped = s->stopped || s->out.failed;
	if (s->writer && (s->stopped || (s->ended && s->at == s->in.size))) {
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

/* --rate allows the next; or the grace is over. */
static void on_time(void *userdata)
{
	struct stream *s = userdata;

	if (s->interrupted)
		s->done = true;
	else
		give(s);
}

static void on_interrupt(void *userdata, int fd, int events)
{
	struct stream *s = userdata;
	uint64_t count;

	(void)events;
	if (read(fd, &count, sizeof(count)) != (ssize_t)sizeof(count))
		return;
	if (s->interrupted) {
		s->done = true;
		return;
	}
	s->interrupted = s->stopped = true;
	s->c->ctl->loop->ops->timer_set(s->timer, grace_ns);
	give(s);
}

/* ---- the whole ------------------------------------------------------------------------------- */

static int judge(struct stream *s, size_t pending)
{
	if (interrupt_signal())
		return ctl_error(128 + interrupt_signal(),
			"interrupted: %llu ids are confirmed, of %zu it is not known; --resume "
			"goes on",
			(unsigned long long)s->confirmed, pending);
	if (s->bad > 0 && s->worst == ONCE_CONFIRM_FENCED)
		return ctl_error(CTL_FENCED,
			"fenced: the term is over; what is not printed was not written");
	if (s->out.failed)
		return ctl_error(CTL_FAILED, "standard output: cannot be written");
	if (s->bad > 0)
		return ctl_error(CTL_UNREACHABLE,
			"%s; what is not printed is not confirmed, and --resume goes on", s->why);
	return s->duplicates > 0 ? CTL_FAILED : CTL_OK;
}

static int begin(struct stream *s)
{
	struct ctl *ctl = s->c->ctl;
	struct once_loop *loop = ctl->loop;
	struct stat st;
	int r;

	buf_init(&s->in, LINE_MAX_BYTES);
	buf_init(&s->texts, SIZE_MAX / 2);
	idset_init(&s->given, &ctl->arena);
	s->interrupt_fd = interrupt_open();
	r = s->interrupt_fd < 0 ? s->interrupt_fd : lines_init(&s->out);
	r = r ? r : once_writer_new(&s->writer, ctl->client, loop, &s->c->config, on_results, s);
	if (r < 0)
		return r;
	s->io = loop->ops->io_new(loop, STDIN_FILENO, on_input, s);
	s->interrupts = loop->ops->io_new(loop, s->interrupt_fd, on_interrupt, s);
	s->timer = loop->ops->timer_new(loop, on_time, s);
	if (!s->io || !s->interrupts || !s->timer)
		return -ENOMEM;
	loop->ops->io_set(s->io, ONCE_IO_READ);
	loop->ops->io_set(s->interrupts, ONCE_IO_READ);
	if (fstat(STDIN_FILENO, &st) == 0 && S_ISREG(st.st_mode))
		s->input_size = (uint64_t)st.st_size;
	s->pace = (struct pace){s->c->rate, loop->ops->now(loop)};
	progress_init(&s->progress, "ids confirmed", 0);
	s->progress.on = s->progress.on && !isatty(STDOUT_FILENO);
	return 0;
}

static void end(struct stream *s)
{
	struct once_loop *loop = s->c->ctl->loop;

	s->writer = once_writer_free(s->writer);
	if (s->io)
		loop->ops->io_free(s->io);
	if (s->interrupts)
		loop->ops->io_free(s->interrupts);
	loop->ops->timer_free(s->timer);
	interrupt_close(s->interrupt_fd);
	lines_fini(&s->out);
	buf_fini(&s->in);
	buf_fini(&s->texts);
	idset_fini(&s->given);
	free(s->lines);
}

int confirm_stream(struct confirm *c)
{
	struct stream s = {.c = c};
	size_t pending = 0;
	int r = begin(&s);

	/* As long as the input takes; what was given is settled in the writer's time. */
	while (r == 0 && !s.done) {
		(void)ctl_wait(c->ctl, &s.done, ONCE_NSEC_PER_SEC);
		if (!s.done)
			show_progress(&s);
	}
	if (r == 0) {
		progress_end(&s.progress);
		pending = s.writer ? once_writer_pending(s.writer) : 0;
	}
	end(&s);
	return r < 0 ? ctl_error(CTL_FAILED, "confirm: %s", once_strerror(r)) : judge(&s, pending);
}
