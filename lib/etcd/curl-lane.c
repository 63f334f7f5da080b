/* The connections of a lane: libcurl's multi_socket interface on our loop.
 *
 * Sockets of what is given up, a transfer or a generation, are closed with a reset. Otherwise the kernel
 * would go on sending what a dead peer has not taken, and a write given up long ago would happen when it
 * comes back. */
#include "etcd/curl.h"
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	STREAMS_MAX = 250,     /* Go's HTTP/2 server takes that many */
	PLAIN_CONTROL_MAX = 8, /* HTTP/1.1 connections */
	PLAIN_BULK_MAX = 64,
};

/* None for a second attempt of what may have been sent: see curl-exchange.c. */
static curl_socket_t on_open(void *userdata, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct transport_exchange *ex = userdata;
	if (ex->offset) {
		return CURL_SOCKET_BAD;
	}
	int fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
	ex->no_socket = fd < 0 ? errno : 0;
	return fd;
}

static int on_sockopt(void *userdata, curl_socket_t fd, curlsocktype purpose)
{
	const struct lane *lane = userdata;
	int64_t ns = lane->gen->transport->connect_timeout_ns;
	int on = 1, idle_s = 2, interval_s = 1, count = 3;
	unsigned int silence_ms = (unsigned int)(ns / ONCE_NSEC_PER_MSEC);
	/* A peer that no longer acknowledges. Bulk waits for full queues on slow links. */
	silence_ms *= lane->which == TRANSPORT_BULK ? 3 : 1;
	/* Only hints: a socket without them works, and is watched by deadlines. */
	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof(idle_s));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval_s, sizeof(interval_s));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof(count));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &silence_ms, sizeof(silence_ms));
	return CURL_SOCKOPT_OK;
}

static int on_close(void *userdata, curl_socket_t fd)
{
	const struct lane *lane = userdata;
	if (lane->reset || lane->gen->abandoned) {
		struct linger reset = {.l_onoff = 1, .l_linger = 0};
		(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	}
	return close(fd);
}

void lane_set_sockets(struct transport_exchange *ex)
{
	CURL *easy = ex->easy;
	(void)curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open);
	(void)curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, ex);
	(void)curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, on_sockopt);
	(void)curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, on_close);
}

/* ---- multi_socket ---------------------------------------------------------------------------- */

void lane_detach(struct transport_exchange *ex)
{
	if (ex->added) {
		/* Removing an HTTP/1.1 transfer closes its connection here and now. */
		ex->lane->reset = !ex->ended;
		(void)curl_multi_remove_handle(ex->lane->multi, ex->easy);
		ex->lane->reset = false;
		ex->added = false;
	}
}

static void lane_fail(struct lane *lane)
{
	struct list *i;
	list_foreach (i, &lane->gen->exchanges) {
		struct transport_exchange *ex = list_entry(i, struct transport_exchange, in_gen);
		if (ex->lane == lane && ex->added && !ex->ended) {
			exchange_end_with(ex, CURLE_RECV_ERROR);
		}
	}
}

void lane_collect(struct lane *lane)
{
	CURLMsg *msg;
	int left;
	while ((msg = curl_multi_info_read(lane->multi, &left))) {
		struct transport_exchange *ex = NULL;
		CURLcode code = msg->data.result; /* msg dies with the handle's removal */
		if (msg->msg == CURLMSG_DONE &&
			curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, (char **)&ex) ==
				CURLE_OK) {
			exchange_end_with(ex, code);
		}
	}
}

static void lane_action(struct lane *lane, curl_socket_t fd, int mask)
{
	struct transport_curl *transport = lane->gen->transport;
	int running;
	CURLMcode code = curl_multi_socket_action(lane->multi, fd, mask, &running);
	if (code != CURLM_OK && code != CURLM_BAD_SOCKET) {
		lane_fail(lane);
	}
	lane_collect(lane);
	exchange_deliver(transport);
}

static void on_io(void *userdata, int fd, int events)
{
	struct lane_socket *s = userdata;
	lane_action(s->lane, fd,
		(events & ONCE_IO_READ ? CURL_CSELECT_IN : 0) |
			(events & ONCE_IO_WRITE ? CURL_CSELECT_OUT : 0) |
			(events & ONCE_IO_ERROR ? CURL_CSELECT_ERR : 0));
}

static void on_lane_timer(void *userdata)
{
	lane_action(userdata, CURL_SOCKET_TIMEOUT, 0);
}

static void socket_free(struct lane_socket *s)
{
	s->lane->gen->transport->loop->ops->io_free(s->io);
	list_remove(&s->in_lane);
	free(s);
}

static struct lane_socket *socket_new(struct lane *lane, curl_socket_t fd)
{
	struct once_loop *loop = lane->gen->transport->loop;
	struct lane_socket *s = calloc(1, sizeof(*s));
	if (!s) {
		return NULL;
	}
	s->lane = lane;
	s->io = loop->ops->io_new(loop, fd, on_io, s);
	if (!s->io) {
		free(s);
		return NULL;
	}
	list_append(&lane->sockets, &s->in_lane);
	(void)curl_multi_assign(lane->multi, fd, s);
	return s;
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *userdata, void *socketp)
{
	struct lane *lane = userdata;
	struct lane_socket *s = socketp;
	if (what == CURL_POLL_REMOVE) {
		if (s) {
			socket_free(s);
		}
		return 0;
	}
	s = s ? s : socket_new(lane, fd);
	if (!s) {
		return -1; /* the transfers of this lane fail by their deadlines */
	}
	lane->gen->transport->loop->ops->io_set(
		s->io, (what & CURL_POLL_IN ? ONCE_IO_READ : 0) |
			       (what & CURL_POLL_OUT ? ONCE_IO_WRITE : 0));
	return 0;
}

static int on_timer(CURLM *multi, long in_ms, void *userdata)
{
	struct lane *lane = userdata;
	lane->gen->transport->loop->ops->timer_set(
		lane->timer, in_ms < 0 ? -1 : in_ms * ONCE_NSEC_PER_MSEC);
	return 0;
}

int lane_open(struct lane *lane)
{
	struct once_loop *loop = lane->gen->transport->loop;
	const long plain[] = {PLAIN_CONTROL_MAX, PLAIN_BULK_MAX, 0};
	long connections = lane->gen->tls ? 1 : plain[lane->which];
	if (lane->multi) {
		return 0;
	}
	lane->timer = lane->timer ? lane->timer : loop->ops->timer_new(loop, on_lane_timer, lane);
	lane->multi = lane->timer ? curl_multi_init() : NULL;
	if (!lane->multi) {
		return -ENOMEM;
	}
	(void)curl_multi_setopt(lane->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	(void)curl_multi_setopt(lane->multi, CURLMOPT_SOCKETDATA, lane);
	(void)curl_multi_setopt(lane->multi, CURLMOPT_TIMERFUNCTION, on_timer);
	(void)curl_multi_setopt(lane->multi, CURLMOPT_TIMERDATA, lane);
	(void)curl_multi_setopt(lane->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_MULTIPLEX);
	(void)curl_multi_setopt(lane->multi, CURLMOPT_MAX_HOST_CONNECTIONS, connections);
	(void)curl_multi_setopt(lane->multi, CURLMOPT_MAX_CONCURRENT_STREAMS, (long)STREAMS_MAX);
	(void)curl_multi_setopt(lane->multi, CURLMOPT_MAXCONNECTS,
		lane->gen->tls	   ? 2L
		: connections > 16 ? connections
				   : 16L);
	return 0;
}

void lane_close(struct lane *lane)
{
	if (lane->multi) {
		/* No callback may bring back a watcher while the pool is emptied. */
		(void)curl_multi_setopt(lane->multi, CURLMOPT_SOCKETFUNCTION, NULL);
		(void)curl_multi_setopt(lane->multi, CURLMOPT_TIMERFUNCTION, NULL);
		while (!list_empty(&lane->sockets)) {
			socket_free(list_first(&lane->sockets, struct lane_socket, in_lane));
		}
		(void)curl_multi_cleanup(lane->multi);
	}
	lane->gen->transport->loop->ops->timer_free(lane->timer);
}
