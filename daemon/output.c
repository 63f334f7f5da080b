/* What a command writes. See output.h. */
#include "daemon/output.h"

#include "daemon/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PIPE_BYTES = 1 << 20, READ_BYTES = 1 << 16, READS_PER_TURN = 16 };

static void flush_line(struct output *o)
{
	if (o->line_size == 0)
		return;
	(void)log_field("ONCED_JOB", o->job);
	(void)log_field("ONCED_RUN", o->run);
	log_info("output", "%s: %.*s", o->job, (int)o->line_size, o->line);
	(void)log_field("ONCED_RUN", NULL);
	(void)log_field("ONCED_JOB", NULL);
	o->line_size = 0;
}

static void take_lines(struct output *o, const char *data, size_t size)
{
	while (size > 0) {
		const char *newline = memchr(data, '\n', size);
		size_t n = newline ? (size_t)(newline - data) : size;

		if (n > sizeof(o->line) - o->line_size)
			n = sizeof(o->line) - o->line_size;
		memcpy(o->line + o->line_size, data, n);
		o->line_size += n;
		data += n;
		size -= n;
		if (size > 0 && *data == '\n') {
			flush_line(o);
			data++;
			size--;
		} else if (o->line_size == sizeof(o->line)) {
			flush_line(o); /* a long line in parts */
		}
	}
}

static void take_tail(struct output *o, const char *data, size_t size)
{
	size_t at, n;

	if (size > o->tail_max) {
		o->total += (int64_t)(size - o->tail_max);
		data += size - o->tail_max;
		size = o->tail_max;
	}
	if (o->tail_max == 0)
		return;
	at = (size_t)(o->total % (int64_t)o->tail_max);
	n = size < o->tail_max - at ? size : o->tail_max - at;
	memcpy(o->tail + at, data, n);
	memcpy(o->tail, data + n, size - n);
	o->total += (int64_t)size;
}

/* At most so many reads; true: there may be more. */
static bool drain(struct output *o, int reads)
{
	static char buffer[READ_BYTES];

	for (int i = 0; i < reads; i++) {
		ssize_t n = read(o->fd, buffer, sizeof(buffer));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0;
		take_tail(o, buffer, (size_t)n);
		take_lines(o, buffer, (size_t)n);
	}
	return true;
}

static void on_readable(void *userdata, int fd, int events)
{
	struct output *o = userdata;

	if (!drain(o, READS_PER_TURN)) { /* every writer has closed it */
		flush_line(o);
		o->loop->ops->io_set(o->io, 0);
	}
}

int output_open(struct output *o, struct once_loop *loop, const char *job, const char *run,
	size_t tail_max, int *ret_fd)
{
	int fds[2];

	memset(o, 0, sizeof(*o));
	o->fd = -1;
	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	(void)fcntl(fds[0], F_SETFL, O_NONBLOCK);
	(void)fcntl(fds[1], F_SETPIPE_SZ, PIPE_BYTES); /* or what is allowed */
	o->tail = malloc(tail_max + 1);
	o->io = loop->ops->io_new(loop, fds[0], on_readable, o);
	o->fd = fds[0];
	if (!o->tail || !o->io) {
		(void)close(fds[1]);
		o->loop = loop;
		output_fini(o);
		return -ENOMEM;
	}
	o->loop = loop;
	o->job = job;
	o->run = run;
	o->tail_max = tail_max;
	loop->ops->io_set(o->io, ONCE_IO_READ);
	*ret_fd = fds[1];
	return 0;
}

void output_close(struct output *o)
{
	if (o->fd < 0 || !o->loop)
		return;
	(void)drain(o, 2 * PIPE_BYTES / READ_BYTES); /* a full pipe; nobody writes any more */
	flush_line(o);
	if (o->io)
		o->loop->ops->io_free(o->io);
	o->io = NULL;
	(void)close(o->fd);
	o->fd = -1;
}

void output_fini(struct output *o)
{
	if (o->io)
		o->loop->ops->io_free(o->io);
	if (o->loop && o->fd >= 0)
		(void)close(o->fd);
	free(o->tail);
	memset(o, 0, sizeof(*o));
	o->fd = -1;
}

size_t output_tail(const struct output *o, char *out)
{
	size_t size, at, n, cut = 0;

	if (o->tail_max == 0 || !o->tail)
		return 0;
	size = o->total < (int64_t)o->tail_max ? (size_t)o->total : o->tail_max;
	at = o->total > (int64_t)o->tail_max ? (size_t)(o->total % (int64_t)o->tail_max) : 0;
	n = size < o->tail_max - at ? size : o->tail_max - at;
	memcpy(out, o->tail + at, n);
	memcpy(out + n, o->tail, size - n);
	while (cut < size && cut < 3 && ((unsigned char)out[cut] & 0xc0) == 0x80)
		cut++; /* the rest of a character that begins before */
	memmove(out, out + cut, size - cut);
	return size - cut;
}
