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
#include "chaosproxy.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct ev_loop *loop;
struct conn *conns;
int conns_count;
bool http;
uint64_t prng_state = 1;
struct stats stats;

static struct link links[LINKS_MAX];
static int links_count;

double chance(void)
{
	uint64_t z = prng_state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return (double)((z ^ (z >> 31)) >> 11) / 9007199254740992.0;
}

void *allocate(size_t size)
{
	void *p = calloc(1, size);

	if (!p) {
		fprintf(stderr, "chaosproxy: out of memory\n");
		exit(1);
	}
	return p;
}

int connect_to(const struct link *l)
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

static void on_accept(struct ev_loop *unused, ev_io *w, int revents)
{
	struct link *l = w->data;
	struct linger linger = {.l_onoff = 1};
	int one = 1, up, fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

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
	conn_open(l, fd, up);
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
