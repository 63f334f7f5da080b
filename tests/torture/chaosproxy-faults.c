/* Faults that need to know what is in a stream: messages of HTTP/1.1, or counts of bytes. */
#include "chaosproxy.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

/* A request that is sent again, on a connection of its own whose answer nobody reads. */
struct copy {
	ev_timer timer;
	struct link *link;
	int fd;
	size_t size;
	char data[];
};

/* ---- HTTP ---- */

static void on_copy(struct ev_loop *unused, ev_timer *w, int revents)
{
	struct copy *copy = w->data;

	if (copy->fd < 0) {
		copy->fd = connect_to(copy->link);
		ev_timer_set(w, 0.05, 0);
		ev_timer_start(loop, w);
		return;
	}
	if (copy->size) { /* connected by now, or it never will be: links are local */
		if (send(copy->fd, copy->data, copy->size, MSG_NOSIGNAL) == (ssize_t)copy->size)
			stats.replayed++;
		copy->size = 0;
		ev_timer_set(w, 2, 0);
		ev_timer_start(loop, w);
		return;
	}
	(void)close(copy->fd);
	free(copy);
}

static void replay(struct link *l, const struct message *m)
{
	struct copy *copy = allocate(sizeof(*copy) + m->size);

	memcpy(copy->data, m->text, m->size);
	copy->size = m->size;
	copy->link = l;
	copy->fd = -1;
	ev_timer_init(&copy->timer, on_copy, l->replay_delay / 1e3, 0);
	copy->timer.data = copy;
	ev_timer_start(loop, &copy->timer);
}

static void on_request(struct conn *c)
{
	struct link *l = c->link;
	struct message *m = &c->request;
	bool plain = m->post && !m->stream;

	c->matched = 0;
	c->cutting = false;
	if (plain && l->replay > 0 && m->size < MESSAGE_MAX) {
		l->replay--;
		replay(l, m);
	}
	if (plain && l->noreply > 0) {
		l->noreply--;
		c->swallow = true;
	} else if (plain && l->cut > 0) {
		l->cut--;
		c->cutting = true;
		c->cut_left = l->cut_bytes;
	}
	m->size = 0;
	m->in_body = false;
}

/* At the end of a header: its method, its path, the length of its body. */
static void read_header(struct message *m)
{
	static const char name[] = "\r\ncontent-length:";

	m->text[m->size] = '\0';
	m->post = strncmp(m->text, "POST ", 5) == 0;
	m->stream = strncmp(m->text, "POST /v3/watch", 14) == 0 ||
		    strncmp(m->text, "POST /v3beta/watch", 18) == 0;
	m->body_left = 0;
	for (char *at = m->text; (at = strstr(at, "\r\n")); at += 2) {
		if (strncasecmp(at, name, sizeof(name) - 1) == 0)
			m->body_left = strtoul(at + sizeof(name) - 1, NULL, 10);
	}
	m->in_body = true;
}

static void follow_request(struct conn *c, const char *data, size_t size)
{
	struct message *m = &c->request;

	if (!m->text)
		m->text = allocate(MESSAGE_MAX + 1);
	for (size_t i = 0; i < size; i++) {
		if (m->size < MESSAGE_MAX)
			m->text[m->size++] = data[i];
		if (m->in_body)
			m->body_left--;
		else if (m->size >= 4 && memcmp(m->text + m->size - 4, "\r\n\r\n", 4) == 0)
			read_header(m);
		if (m->in_body && m->body_left == 0)
			on_request(c);
	}
}

/* Whether the connection is to be cut within what the server sent, and after how much of it. */
static bool cut_within(struct conn *c, const char *data, size_t *size)
{
	size_t i = 0;

	while (http && c->matched < 4 && i < *size) {
		c->matched = data[i] == "\r\n\r\n"[c->matched] ? c->matched + 1 : data[i] == '\r';
		i++;
	}
	if (!c->cutting || (http && c->matched < 4))
		return false;
	if (*size - i < c->cut_left) {
		c->cut_left -= *size - i;
		return false;
	}
	*size = i + c->cut_left;
	return true;
}

/* ---- faults in a stream ---- */

static void arm_raw(struct conn *c)
{
	struct link *l = c->link;

	if (l->noreply > 0 && c->sent_up >= l->noreply_bytes) {
		l->noreply--;
		c->swallow = true;
	} else if (l->cut > 0) {
		l->cut--;
		c->cutting = true;
		c->cut_left = l->cut_bytes;
	}
}

static void garble(struct link *l, char *data, size_t size)
{
	l->garble--;
	stats.garbled++;
	for (int i = 0; i < 4; i++)
		data[(size_t)(chance() * (double)size)] ^= (char)(1 << (int)(chance() * 8));
}

/* What a server sent: swallowed, cut or garbled. False: the connection is gone. */
bool spoil_answer(struct pipe *p, char *data, size_t size)
{
	struct conn *c = p->conn;

	if (c->swallow) {
		stats.swallowed++;
		conn_free(c, true);
		return false;
	}
	if (cut_within(c, data, &size)) {
		stats.cut++;
		if (!p->head && size)
			(void)send(p->to, data, size, MSG_NOSIGNAL);
		conn_free(c, false);
		return false;
	}
	if (c->link->garble > 0)
		garble(c->link, data, size);
	return true;
}

void note_request(struct conn *c, const char *data, size_t size)
{
	c->sent_up += size;
	if (http)
		follow_request(c, data, size);
	else
		arm_raw(c);
}
