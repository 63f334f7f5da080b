/* /events: server-sent events. Each stream has a bounded buffer that MHD takes from; an empty one is
 * suspended until there is something new. Who does not keep up loses the stream and may come again with the
 * number of the last line it got. */
#include "daemon/web-internal.h"

#include <stdlib.h>
#include <string.h>

enum { OUT_MAX = 128 * 1024, BLOCK = 4096 };

/* ---- what MHD takes -------------------------------------------------------------------------- */

static ssize_t on_take(void *userdata, uint64_t position, char *out, size_t max)
{
	struct web_stream *s = userdata;
	size_t n = s->out.size < max ? s->out.size : max;

	if (n == 0 && (s->over || buf_error(&s->out)))
		return MHD_CONTENT_READER_END_OF_STREAM;
	if (n == 0) {
		MHD_suspend_connection(s->mhd);
		s->suspended = true;
		return 0;
	}
	memcpy(out, s->out.data, n);
	buf_consume(&s->out, n);
	return (ssize_t)n;
}

static void on_gone(void *userdata)
{
	struct web_stream *s = userdata;

	list_remove(&s->list);
	s->web->n_streams--;
	buf_fini(&s->out);
	free(s);
}

static void resume(struct web_stream *s)
{
	if (!s->suspended || (s->out.size == 0 && !s->over && !buf_error(&s->out)))
		return;
	s->suspended = false;
	MHD_resume_connection(s->mhd);
}

/* ---- what goes in ---------------------------------------------------------------------------- */

static void put_line(struct web_stream *s, const struct facts_line *line)
{
	(void)buf_printf(
		&s->out, "id: %llu\nevent: line\ndata: ", (unsigned long long)line->number);
	facts_line_json(line, &s->out);
	(void)buf_puts(&s->out, "\n\n");
	s->line = line->number;
}

static void put_lines(struct web_stream *s)
{
	const struct facts_line *line;
	size_t i = 0;

	while ((line = facts_line_at(s->web->facts, i++)))
		if (line->number > s->line)
			put_line(s, line);
}

static void put_pulse(struct web_stream *s, struct once_instant now)
{
	(void)buf_puts(&s->out, "event: pulse\ndata: ");
	facts_pulse(s->web->facts, &s->out, now);
	(void)buf_puts(&s->out, "\n\n");
}

void web_stream_feed(struct web *w, bool pulse)
{
	struct once_instant now = w->loop->ops->now(w->loop);
	struct list *i;

	list_foreach (i, &w->streams) {
		struct web_stream *s = list_entry(i, struct web_stream, list);

		put_lines(s);
		if (pulse)
			put_pulse(s, now);
		resume(s);
	}
	if (w->n_streams > 0)
		web_turn_soon(w);
}

void web_stream_end_all(struct web *w)
{
	struct list *i;

	list_foreach (i, &w->streams) {
		struct web_stream *s = list_entry(i, struct web_stream, list);

		s->over = true;
		resume(s);
	}
}

struct MHD_Response *web_stream_new(
	struct web *w, struct MHD_Connection *connection, uint64_t after)
{
	struct web_stream *s;
	struct MHD_Response *response;

	if (w->n_streams >= WEB_STREAMS_MAX)
		return NULL;
	s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	s->web = w;
	s->mhd = connection;
	s->line = after <= w->facts->n_lines ? after : 0; /* else of an earlier process */
	buf_init(&s->out, OUT_MAX);
	response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK, on_take, s, on_gone);
	if (!response) {
		buf_fini(&s->out);
		free(s);
		return NULL;
	}
	list_append(&w->streams, &s->list);
	w->n_streams++;
	(void)buf_puts(&s->out, "retry: 1000\n\n");
	put_lines(s);
	put_pulse(s, w->loop->ops->now(w->loop));
	return response;
}
