/* chaosproxy [--seed N] [--http] LISTEN=TARGET...: a TCP proxy that misbehaves when told to.
 *
 * Each LISTEN=TARGET (ADDRESS:PORT, IPv4) is a link, numbered from 0. Commands are lines on
 * standard input, answered by "ok" or "error ..."; its end is the end of the proxy. LINK is a
 * number or *.
 *
 *   pass LINK                     heal; what was held flows, streams that lost bytes are reset
 *   delay LINK MIN MAX            hold every read back for so many ms, order kept
 *   drop LINK up|down             swallow one direction ("up" is towards the target)
 *   blackhole LINK [up|down]      hold everything back, ends of connections too, until `pass`
 *   drip LINK BYTES MS            so many bytes at a time towards the client, every so many ms
 *   halfopen LINK                 accept new connections and never serve them
 *   refuse LINK                   reset new connections
 *   close LINK                    reset all connections there are
 *   cut LINK COUNT BYTES          end so many responses after so many bytes of body
 *   noreply LINK COUNT [BYTES]    deliver a request, swallow its answer, reset
 *   replay LINK COUNT MS          deliver a request again, so many ms later, on its own connection
 *   garble LINK COUNT             flip bits of so many pieces of responses
 *   stats                         what was done so far
 *
 * With --http the streams are HTTP/1.1 in plaintext: cut, noreply and replay then go by messages,
 * and act on POST alone. Without, cut counts bytes of the stream, and noreply waits for a
 * connection that has sent BYTES (default 1500, past the handshake of TLS); replay is refused.
 *
 * What is held back is delivered even if the sender has given up meanwhile: so a request that timed
 * out is applied late, which is what clients are worst at. */
#include <arpa/inet.h>
#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	LINKS_MAX = 16,
	CONNS_MAX = 256,
	READ_SIZE = 16384,
	QUEUE_MAX = 1 << 20,
	MESSAGE_MAX = 65536
};
enum direction { UP, DOWN };

struct chunk {
	struct chunk *next;
	ev_tstamp due;
	size_t size, at;
	char data[];
};

/* What clients send, followed just far enough to know where a message ends. */
struct message {
	char *text;
	size_t size, body_left;
	bool in_body, post, stream;
};

struct conn;

struct pipe {
	struct conn *conn;
	enum direction direction;
	int from, to;
	ev_io reader, writer;
	ev_timer timer;
	struct chunk *head, **tail;
	size_t queued;
	ev_tstamp last_due, drip_next;
	bool ended, end_sent, lossy;
};

struct link {
	int number, fd;
	ev_io acceptor;
	struct sockaddr_in target;
	double delay_min, delay_max, drip_period, replay_delay;
	size_t drip_bytes, cut_bytes, noreply_bytes;
	int cut, noreply, replay, garble;
	bool drop[2], hold[2], halfopen, refuse;
};

struct conn {
	struct conn *next;
	struct link *link;
	struct pipe pipe[2];
	struct message request;
	size_t sent_up, cut_left;
	unsigned matched; /* bytes of the blank line that ends a response's header */
	bool swallow, cutting, mute;
};

/* A request that is sent again, on a connection of its own whose answer nobody reads. */
struct copy {
	ev_timer timer;
	struct link *link;
	int fd;
	size_t size;
	char data[];
};

static struct ev_loop *loop;
static struct link links[LINKS_MAX];
static int links_count, conns_count;
static struct conn *conns;
static bool http;
static uint64_t prng_state = 1;
static struct {
	unsigned long accepted, resets, cut, swallowed, replayed, garbled, dropped;
} stats;

static double chance(void)
{
	uint64_t z = prng_state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return (double)((z ^ (z >> 31)) >> 11) / 9007199254740992.0;
}

static void *allocate(size_t size)
{
	void *p = calloc(1, size);

	if (!p) {
		fprintf(stderr, "chaosproxy: out of memory\n");
		exit(1);
	}
	return p;
}

static bool pipe_flush(struct pipe *p);

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

static void conn_free(struct conn *c, bool reset)
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

/* ---- HTTP ---- */

static int connect_to(const struct link *l)
{
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (connect(fd, (const struct sockaddr *)&l->target, sizeof(l->target)) < 0 &&
		errno != EINPROGRESS) {
		(void)close(fd);
		return -1;
	}
	return fd;
}

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
static bool spoil_answer(struct pipe *p, char *data, size_t size)
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

/* False: the connection is gone. */
static bool pass_on(struct pipe *p, char *data, size_t size)
{
	struct conn *c = p->conn;
	struct link *l = c->link;

	if (c->mute)
		return true;
	if (p->direction == DOWN && !spoil_answer(p, data, size))
		return false;
	if (p->direction == UP) {
		c->sent_up += size;
		if (http)
			follow_request(c, data, size);
		else
			arm_raw(c);
	}
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
static bool pipe_flush(struct pipe *p)
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

static void on_accept(struct ev_loop *unused, ev_io *w, int revents)
{
	struct link *l = w->data;
	struct linger linger = {.l_onoff = 1};
	int one = 1, up, fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct conn *c;

	if (fd < 0)
		return;
	stats.accepted++;
	up = l->refuse || conns_count >= CONNS_MAX ? -1 : connect_to(l);
	if (up < 0) {
		(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
		(void)close(fd);
		return;
	}
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	c = allocate(sizeof(*c));
	c->link = l;
	c->mute = l->halfopen;
	c->next = conns;
	conns = c;
	conns_count++;
	pipe_open(c, UP, fd, up);
	pipe_open(c, DOWN, up, fd);
}

/* ---- commands ---- */

static void reset_all(struct link *l, bool lossy_only)
{
	struct conn *next;

	for (struct conn *c = conns; c; c = next) {
		bool lost = c->mute || c->pipe[UP].lossy || c->pipe[DOWN].lossy;

		next = c->next;
		if (c->link == l && (!lossy_only || lost))
			conn_free(c, true);
	}
}

static void heal(struct link *l)
{
	struct conn *next;

	l->delay_min = l->delay_max = 0;
	l->drip_bytes = 0;
	l->cut = l->noreply = l->replay = l->garble = 0;
	l->drop[UP] = l->drop[DOWN] = l->hold[UP] = l->hold[DOWN] = false;
	l->halfopen = l->refuse = false;
	reset_all(l, true);
	/* One end after the other: flushing may free the connection. */
	for (int direction = UP; direction <= DOWN; direction++) {
		for (struct conn *c = conns; c; c = next) {
			next = c->next;
			if (c->link == l)
				(void)pipe_flush(&c->pipe[direction]);
		}
	}
}

/* Which of the two directions a word names; without one, both. */
static bool set_directions(bool *flags, const char *word)
{
	bool up = !*word || !strcmp(word, "up"), down = !*word || !strcmp(word, "down");

	flags[UP] |= up;
	flags[DOWN] |= down;
	return up || down;
}

static bool command(struct link *l, const char *verb, const char *word, double a, double b)
{
	if (!strcmp(verb, "pass")) {
		heal(l);
	} else if (!strcmp(verb, "delay")) {
		l->delay_min = a;
		l->delay_max = b > a ? b : a;
	} else if (!strcmp(verb, "drop") && *word) {
		return set_directions(l->drop, word);
	} else if (!strcmp(verb, "blackhole")) {
		return set_directions(l->hold, word);
	} else if (!strcmp(verb, "drip") && a >= 1) {
		l->drip_bytes = (size_t)a;
		l->drip_period = b;
	} else if (!strcmp(verb, "halfopen")) {
		l->halfopen = true;
	} else if (!strcmp(verb, "refuse")) {
		l->refuse = true;
	} else if (!strcmp(verb, "close")) {
		reset_all(l, false);
	} else if (!strcmp(verb, "cut")) {
		l->cut = (int)a;
		l->cut_bytes = (size_t)b;
	} else if (!strcmp(verb, "noreply")) {
		l->noreply = (int)a;
		l->noreply_bytes = b > 0 ? (size_t)b : 1500;
	} else if (!strcmp(verb, "replay") && http) {
		l->replay = (int)a;
		l->replay_delay = b;
	} else if (!strcmp(verb, "garble")) {
		l->garble = (int)a;
	} else {
		return false;
	}
	return true;
}

static void run_line(const char *line)
{
	char verb[16] = "", which[8] = "", word[16] = "";
	double a = 0, b = 0;
	bool ok = false;

	if (!strcmp(line, "stats")) {
		printf("ok accepted %lu resets %lu cut %lu swallowed %lu replayed %lu garbled %lu"
		       " dropped %lu\n",
			stats.accepted, stats.resets, stats.cut, stats.swallowed, stats.replayed,
			stats.garbled, stats.dropped);
		return;
	}
	if (sscanf(line, "%15s %7s %lf %lf", verb, which, &a, &b) < 3)
		(void)sscanf(line, "%*s %*s %15s", word);
	for (int i = 0; i < links_count; i++) {
		if (which[0] == '*' || (which[0] && atoi(which) == i))
			ok = command(&links[i], verb, word, a, b);
	}
	printf("%s %s\n", ok ? "ok" : "error:", line);
}

static void on_input(struct ev_loop *unused, ev_io *w, int revents)
{
	static char text[4096];
	static size_t size;
	ssize_t n = read(STDIN_FILENO, text + size, sizeof(text) - 1 - size);
	char *end;

	if (n <= 0) {
		ev_break(loop, EVBREAK_ALL);
		return;
	}
	size += (size_t)n;
	text[size] = '\0';
	while ((end = memchr(text, '\n', size))) {
		*end = '\0';
		run_line(text);
		size -= (size_t)(end + 1 - text);
		memmove(text, end + 1, size + 1);
	}
	(void)fflush(stdout);
}

/* ---- start ---- */

static bool parse_address(struct sockaddr_in *ret, const char *text, size_t size)
{
	char copy[64];
	char *colon;

	if (size >= sizeof(copy))
		return false;
	memcpy(copy, text, size);
	copy[size] = '\0';
	colon = strchr(copy, ':');
	if (!colon)
		return false;
	*colon = '\0';
	*ret = (struct sockaddr_in){.sin_family = AF_INET};
	ret->sin_port = htons((uint16_t)atoi(colon + 1));
	return inet_pton(AF_INET, copy, &ret->sin_addr) == 1;
}

static bool add_link(const char *text)
{
	const char *equals = strchr(text, '=');
	struct link *l = &links[links_count];
	struct sockaddr_in address;
	int one = 1;

	if (!equals || links_count == LINKS_MAX ||
		!parse_address(&address, text, (size_t)(equals - text)) ||
		!parse_address(&l->target, equals + 1, strlen(equals + 1)))
		return false;
	l->number = links_count++;
	l->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	(void)setsockopt(l->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (l->fd < 0 || bind(l->fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
		listen(l->fd, 128) < 0) {
		fprintf(stderr, "chaosproxy: %s: %s\n", text, strerror(errno));
		exit(1);
	}
	ev_io_init(&l->acceptor, on_accept, l->fd, EV_READ);
	l->acceptor.data = l;
	ev_io_start(loop, &l->acceptor);
	return true;
}

int main(int argc, char **argv)
{
	ev_io input;

	loop = ev_default_loop(EVFLAG_AUTO);
	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--http")) {
			http = true;
		} else if (!strcmp(argv[i], "--seed") && i + 1 < argc) {
			prng_state = strtoull(argv[++i], NULL, 10);
		} else if (!add_link(argv[i])) {
			fprintf(stderr, "usage: chaosproxy [--seed N] [--http] LISTEN=TARGET...\n");
			return 2;
		}
	}
	ev_io_init(&input, on_input, STDIN_FILENO, EV_READ);
	ev_io_start(loop, &input);
	printf("ok %d links\n", links_count);
	(void)fflush(stdout);
	ev_run(loop, 0);
	while (conns)
		conn_free(conns, true);
	return 0;
}
