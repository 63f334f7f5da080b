/* delayproxy DELAY_US PORT=PORT...: TCP on loopback, from the first port to the second, every byte so
 * many microseconds late in each direction, order kept.
 *
 * Happy path: what is read is queued with the time it is due; one timerfd fires for the oldest.
 * Failures: an end of either side ends both once what was on its way has been delivered. A full
 * receiver is waited for: its bytes stay queued and nothing more is read for it. It ends with its
 * parent. It stands for netem, which not every kernel has: connecting is not delayed, and nothing is
 * lost. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { PIECE = 64 * 1024, DOORS_MAX = 16, SLACK_NS = 20000, WAITING_MAX = 16 << 20 };

struct piece {
	struct piece *next;
	int64_t due_ns;
	size_t size, sent; /* size 0: the end */
	char data[];
};

/* One direction of a connection. */
struct flow {
	struct flow *next, *back; /* of all; the other direction */
	int from, to;
	struct piece *first, **last;
	size_t waiting;
	bool ended, blocked;
};

static int epoll_fd, timer_fd;
static int64_t delay_ns;
static struct flow *flows;

static void die(const char *what)
{
	fprintf(stderr, "delayproxy: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int64_t now_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

/* A descriptor's events belong to the flow that reads it; its back writes it. */
static void watch(struct flow *f, int op)
{
	struct epoll_event event = {.data.ptr = f};

	event.events = (f->ended || f->waiting > WAITING_MAX ? 0 : EPOLLIN) |
		       (f->back->blocked ? EPOLLOUT : 0);
	if (epoll_ctl(epoll_fd, op, f->from, &event) < 0)
		die("epoll");
}

static void arm(void)
{
	struct itimerspec at = {0};
	int64_t due = INT64_MAX;

	for (struct flow *f = flows; f; f = f->next)
		if (f->first && !f->blocked && f->first->due_ns < due)
			due = f->first->due_ns;
	if (due < INT64_MAX) {
		at.it_value.tv_sec = due / 1000000000;
		at.it_value.tv_nsec = due % 1000000000;
	}
	(void)timerfd_settime(timer_fd, TFD_TIMER_ABSTIME, &at, NULL);
}

static void drop(struct flow *f)
{
	struct piece *p;

	while ((p = f->first)) {
		f->first = p->next;
		free(p);
	}
	f->last = &f->first;
	f->waiting = 0;
}

static void flow_free(struct flow *f)
{
	struct flow *both[] = {f, f->back};

	(void)close(f->from);
	(void)close(f->to);
	for (int i = 0; i < 2; i++) {
		for (struct flow **at = &flows; *at; at = &(*at)->next)
			if (*at == both[i]) {
				*at = both[i]->next;
				break;
			}
		drop(both[i]);
		free(both[i]);
	}
}

static bool queue(struct flow *f, const char *data, size_t size)
{
	struct piece *p = malloc(sizeof(*p) + size);

	if (!p)
		return false;
	*p = (struct piece){.due_ns = now_ns() + delay_ns, .size = size};
	memcpy(p->data, data, size);
	*f->last = p;
	f->last = &p->next;
	f->waiting += size;
	return true;
}

static bool read_from(struct flow *f)
{
	static char data[PIECE];
	ssize_t n = recv(f->from, data, sizeof(data), 0);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	f->ended = n == 0;
	if (!queue(f, data, (size_t)n))
		return false;
	watch(f, EPOLL_CTL_MOD);
	return true;
}

/* What is due; false: the connection is over. */
static bool deliver(struct flow *f, int64_t now)
{
	bool was_blocked = f->blocked, was_full = f->waiting > WAITING_MAX;

	f->blocked = false;
	while (f->first && f->first->due_ns <= now + SLACK_NS) {
		struct piece *p = f->first;
		ssize_t n;

		if (p->size == 0) {
			if (f->back->ended && !f->back->first)
				return false;
			(void)shutdown(f->to, SHUT_WR);
		} else {
			n = send(f->to, p->data + p->sent, p->size - p->sent, MSG_NOSIGNAL);
			if (n < 0 && errno != EAGAIN)
				return false;
			p->sent += n > 0 ? (size_t)n : 0;
			f->waiting -= n > 0 ? (size_t)n : 0;
			f->blocked = p->sent < p->size;
			if (f->blocked)
				break;
		}
		f->first = p->next;
		f->last = f->first ? f->last : &f->first;
		free(p);
	}
	if (was_blocked != f->blocked)
		watch(f->back, EPOLL_CTL_MOD);
	if (was_full)
		watch(f, EPOLL_CTL_MOD);
	return true;
}

static void deliver_all(void)
{
	struct flow *next;
	int64_t now = now_ns();

	for (struct flow *f = flows; f; f = next) {
		next = f->next == f->back && f->next ? f->next->next : f->next;
		if (!f->blocked && !deliver(f, now)) {
			flow_free(f);
			continue;
		}
		if (f->next == f->back && f->back && !f->back->blocked && !deliver(f->back, now))
			flow_free(f);
	}
}

static struct flow *flow_new(int from, int to)
{
	struct flow *f = calloc(1, sizeof(*f));

	if (!f)
		die("memory");
	f->from = from;
	f->to = to;
	f->last = &f->first;
	return f;
}

static struct sockaddr_in loopback(int port)
{
	return (struct sockaddr_in){.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static void set_up(int fd)
{
	int one = 1;

	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	(void)fcntl(fd, F_SETFL, O_NONBLOCK);
}

static void take_in(int listener, int port)
{
	struct sockaddr_in address = loopback(port);
	int from = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	int to = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct flow *up, *down;

	if (from < 0 || to < 0 || connect(to, (struct sockaddr *)&address, sizeof(address)) < 0) {
		(void)close(from);
		(void)close(to);
		return;
	}
	set_up(from);
	set_up(to);
	up = flow_new(from, to);
	down = flow_new(to, from);
	up->back = down;
	down->back = up;
	/* Neighbours, so that a walk can free both. */
	down->next = flows;
	up->next = down;
	flows = up;
	watch(up, EPOLL_CTL_ADD);
	watch(down, EPOLL_CTL_ADD);
}

struct door {
	int fd, port;
};

static struct door doors[DOORS_MAX];
static int n_doors;

static void open_door(const char *text)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = &doors[n_doors]};
	struct sockaddr_in address;
	int listen_port, one = 1;
	struct door *d = &doors[n_doors++];

	if (sscanf(text, "%d=%d", &listen_port, &d->port) != 2) {
		fprintf(stderr, "delayproxy: bad ports \"%s\", expected FROM=TO\n", text);
		exit(2);
	}
	address = loopback(listen_port);
	d->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	(void)setsockopt(d->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(d->fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
		listen(d->fd, 64) < 0 || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, d->fd, &event) < 0)
		die(text);
}

static bool is_door(const void *ptr)
{
	return (const struct door *)ptr >= doors && (const struct door *)ptr < doors + n_doors;
}

static void handle(const struct epoll_event *event)
{
	struct flow *f = event->data.ptr;

	if (event->data.ptr == &timer_fd) {
		uint64_t count;

		(void)!read(timer_fd, &count, sizeof(count));
	} else if (is_door(event->data.ptr)) {
		const struct door *d = event->data.ptr;

		take_in(d->fd, d->port);
	} else {
		if (event->events & EPOLLOUT)
			f->back->blocked = false, watch(f, EPOLL_CTL_MOD);
		if (event->events & (EPOLLIN | EPOLLHUP | EPOLLERR) && !f->ended && !read_from(f))
			flow_free(f);
	}
}

int main(int argc, char **argv)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = &timer_fd};

	if (argc < 3 || argc > 2 + DOORS_MAX) {
		fprintf(stderr, "usage: delayproxy DELAY_US PORT=PORT...\n");
		return 2;
	}
	(void)prctl(PR_SET_PDEATHSIG, 9);
	(void)prctl(PR_SET_TIMERSLACK, 1000);
	delay_ns = atoi(argv[1]) * INT64_C(1000);
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (epoll_fd < 0 || timer_fd < 0 ||
		epoll_ctl(epoll_fd, EPOLL_CTL_ADD, timer_fd, &event) < 0)
		die("start");
	for (int i = 2; i < argc; i++)
		open_door(argv[i]);
	for (;;) {
		/* One at a time: handling one may free another's flow. */
		if (epoll_wait(epoll_fd, &event, 1, -1) == 1)
			handle(&event);
		deliver_all();
		arm();
	}
}
