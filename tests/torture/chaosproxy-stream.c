/* Connections and the bytes in them: read, held back as long as the link says, written. */
#include "chaosproxy.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- connections ---- */

static void pipe_discard(struct pipe *p)
{
	while (p->head) {
		struct chunk *c = p->head;

		p->head = c->next;
		free(c);
	}
	p->tail = &p->head;
	p->queued = 0;
}

void conn_free(struct conn *c, bool reset)
{
	struct linger linger = {.l_onoff = 1};

	for (struct conn **at = &conns; *at; at = &(*at)->next) {
		if (*at == c) {
			*at = c->next;
			break;
		}
	}
	for (int i = 0; i < 2; i++) {
		struct pipe *p = &c->pipe[i];

		ev_io_stop(loop, &p->reader);
		ev_io_stop(loop, &p->writer);
		ev_timer_stop(loop, &p->timer);
		pipe_discard(p);
		if (reset)
			(void)setsockopt(p->from, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
		(void)close(p->from);
	}
	stats.resets += reset;
	free(c->request.text);
	free(c);
	conns_count--;
}

static void pipe_push(struct pipe *p, const char *data, size_t size)
{
	struct link *l = p->conn->link;
	struct chunk *c = allocate(sizeof(*c) + size);

	memcpy(c->data, data, size);
	c->size = size;
	c->due = ev_now(loop) + (l->delay_min + chance() * (l->delay_max - l->delay_min)) / 1e3;
	if (c->due < p->last_due)
		c->due = p->last_due;
	p->last_due = c->due;
	*p->tail = c;
	p->tail = &c->next;
	p->queued += size;
}

/* False: the connection is gone. */
static bool pass_on(struct pipe *p, char *data, size_t size)
{
	struct conn *c = p->conn;
	struct link *l = c->link;

	if (c->mute)
		return true;
	if (p->direction == DOWN && !spoil_answer(p, data, size))
		return false;
	if (p->direction == UP)
		note_request(c, data, size);
	if (l->drop[p->direction] || p->lossy) {
		p->lossy = true;
		stats.dropped += size;
		return true;
	}
	pipe_push(p, data, size);
	return pipe_flush(p);
}

/* ---- moving bytes ---- */

/* False: the connection is gone. */
static bool pipe_end(struct pipe *p)
{
	struct conn *c = p->conn;

	if (!p->end_sent) {
		p->end_sent = true;
		(void)shutdown(p->to, SHUT_WR);
	}
	if (!c->pipe[!p->direction].end_sent)
		return true;
	conn_free(c, false);
	return false;
}

/* Nobody is left to write to. What the other direction still holds is delivered all the same. */
static bool pipe_dead(struct pipe *p)
{
	struct pipe *other = &p->conn->pipe[!p->direction];

	pipe_discard(p);
	p->ended = p->end_sent = true;
	ev_io_stop(loop, &p->reader);
	ev_io_stop(loop, &p->writer);
	ev_timer_stop(loop, &p->timer);
	if (!other->ended) {
		other->ended = true;
		ev_io_stop(loop, &other->reader);
	}
	if (!other->end_sent)
		return pipe_flush(other);
	conn_free(p->conn, true);
	return false;
}

static void wake_at(struct pipe *p, ev_tstamp at)
{
	ev_timer_stop(loop, &p->timer);
	ev_timer_set(&p->timer, at > ev_now(loop) ? at - ev_now(loop) : 0, 0);
	ev_timer_start(loop, &p->timer);
}

/* Writes what is due. False: the connection is gone. */
bool pipe_flush(struct pipe *p)
{
	struct link *l = p->conn->link;
	bool drip = l->drip_bytes && p->direction == DOWN;

	ev_io_stop(loop, &p->writer);
	if (l->hold[p->direction] || p->conn->mute)
		return true;
	while (p->head) {
		struct chunk *c = p->head;
		ev_tstamp due = drip && p->drip_next > c->due ? p->drip_next : c->due;
		size_t size = c->size - c->at;
		ssize_t n;

		if (due > ev_now(loop)) {
			wake_at(p, due);
			return true;
		}
		if (drip && size > l->drip_bytes)
			size = l->drip_bytes;
		n = send(p->to, c->data + c->at, size, MSG_NOSIGNAL);
		if (n < 0 && (errno == EAGAIN || errno == ENOTCONN)) {
			ev_io_start(loop, &p->writer);
			return true;
		}
		if (n < 0)
			return pipe_dead(p);
		p->drip_next = ev_now(loop) + l->drip_period / 1e3;
		c->at += (size_t)n;
		p->queued -= (size_t)n;
		if (c->at == c->size) {
			p->head = c->next;
			if (!p->head)
				p->tail = &p->head;
			free(c);
		}
	}
	if (!p->ended && p->queued < QUEUE_MAX)
		ev_io_start(loop, &p->reader);
	return p->ended ? pipe_end(p) : true;
}

static void on_readable(struct ev_loop *unused, ev_io *w, int revents)
{
	struct pipe *p = w->data;
	char data[READ_SIZE];
	ssize_t n = recv(p->from, data, sizeof(data), 0);

	if (n < 0 && errno == EAGAIN)
		return;
	if (n > 0) {
		if (pass_on(p, data, (size_t)n) && p->queued >= QUEUE_MAX)
			ev_io_stop(loop, &p->reader);
		return;
	}
	ev_io_stop(loop, &p->reader);
	p->ended = true;
	if (n < 0 && !p->conn->link->hold[p->direction] && !p->head) {
		conn_free(p->conn, true); /* a reset is passed on as one */
		return;
	}
	if (!p->head)
		(void)pipe_flush(p);
}

static void on_writable(struct ev_loop *unused, ev_io *w, int revents)
{
	(void)pipe_flush(w->data);
}

static void on_due(struct ev_loop *unused, ev_timer *w, int revents)
{
	(void)pipe_flush(w->data);
}

static void pipe_open(struct conn *c, enum direction direction, int from, int to)
{
	struct pipe *p = &c->pipe[direction];

	p->conn = c;
	p->direction = direction;
	p->from = from;
	p->to = to;
	p->tail = &p->head;
	ev_io_init(&p->reader, on_readable, from, EV_READ);
	ev_io_init(&p->writer, on_writable, to, EV_WRITE);
	ev_timer_init(&p->timer, on_due, 0, 0);
	p->reader.data = p->writer.data = p->timer.data = p;
	ev_io_start(loop, &p->reader);
}

void conn_open(struct link *l, int fd, int up)
{
	struct conn *c = allocate(sizeof(*c));

	c->link = l;
	c->mute = l->halfopen;
	c->next = conns;
	conns = c;
	conns_count++;
	pipe_open(c, UP, fd, up);
	pipe_open(c, DOWN, up, fd);
}
