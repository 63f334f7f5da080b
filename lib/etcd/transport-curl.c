/* The transport over libcurl's multi_socket interface: the only file that knows curl.h.
 *
 * - A generation has one multi handle, and so one connection pool, per lane: a large upload or a
 *   watch's history cannot delay a lease, and throwing away a multi handle is the only way in
 *   libcurl to be rid of a connection that still has streams.
 * - libcurl's callbacks only append bytes, hand out bytes, and record sockets and timers. After
 * each action lane_collect() moves what has ended to the ready list; deliver() hands out one item
 * per turn of the loop as its last touch, so that a callback may free everything.
 * - Deadlines are timers of our own: libcurl's come late for transfers that wait for a connection.
 * - The body is handed out by a read function and cannot be rewound once its first byte was:
 * libcurl would silently repeat a POST whose connection died without an answer. It fails with
 *   CURLE_SEND_FAIL_REWIND instead. The same flag tells "never sent" from "may have happened".
 * - Sockets of what is given up, a transfer or a generation, are closed with a reset. Otherwise the
 * kernel would go on sending what a dead peer has not taken, and a write given up long ago would
 * happen when it comes back.
 *
 * Failures: all end in transport_result, mapped in map_code(). A result of 0 does not say that the
 * answer is whole (libcurl 7.88 can take an aborted HTTP/2 stream for complete): the decoder does.
 */
#include "base/buf.h"
#include "base/list.h"
#include "etcd/resolve.h"
#include "etcd/transport.h"
#include <curl/curl.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	SPARE_MAX = 4,	       /* exchanges kept for reuse: an easy handle costs 10 us to set up */
	STREAMS_MAX = 250,     /* Go's HTTP/2 server takes that many */
	PLAIN_CONTROL_MAX = 8, /* HTTP/1.1 connections */
	PLAIN_BULK_MAX = 16,
	REFUSAL_MAX = 64 * 1024, /* body of a stream that was refused */
};

struct transport_curl {
	struct transport base; /* first */
	struct once_loop *loop;
	char *cacert, *cert, *key_file;
	unsigned files; /* counts how often these were changed */
	int64_t connect_timeout_ns;
	struct list ready; /* exchanges that have something to hand out */
	struct once_timer *deliver;
	struct list spare;
	size_t n_spare;
};

struct lane {
	struct transport_gen *gen; /* up */
	enum transport_lane which;
	CURLM *multi; /* made at first use */
	bool reset;   /* what is closed now is given up */
	struct once_timer *timer;
	struct list sockets;
};

struct lane_socket {
	struct list in_lane;
	struct lane *lane;
	struct once_io *io;
};

struct transport_gen {
	struct transport_curl *transport; /* up */
	char *url;			  /* scheme://host:port */
	char *host, *port;
	bool tls, known;	   /* known: libcurl needs no name service */
	struct resolve *resolve;   /* while the question is out */
	struct curl_slist *answer; /* CURLOPT_RESOLVE */
	bool abandoned;
	struct lane lanes[TRANSPORT_LANES];
	struct list exchanges;
};

struct transport_exchange {
	struct list in_gen, in_ready; /* in_gen: also of the spare list */
	struct lane *lane;
	CURL *easy;
	unsigned files; /* which ones it was told */
	struct curl_slist *headers;
	struct once_timer *timer;
	const char *body; /* borrowed */
	size_t size, offset;
	struct buf in;
	bool stream, added, ended;
	const struct transport_handler *handler;
	void *userdata;
	struct transport_result result;
	char message[CURL_ERROR_SIZE];
};

/* ---- libcurl's callbacks --------------------------------------------------------------------- */

static size_t on_read(char *out, size_t size, size_t n, void *userdata)
{
	struct transport_exchange *ex = userdata;
	size_t room = size * n, rest = ex->size - ex->offset;
	size_t take = room < rest ? room : rest;
	if (take) {
		memcpy(out, ex->body + ex->offset, take);
	}
	ex->offset += take;
	return take;
}

static int on_seek(void *userdata, curl_off_t offset, int origin)
{
	struct transport_exchange *ex = userdata;
	return ex->offset || offset || origin != SEEK_SET ? CURL_SEEKFUNC_FAIL : CURL_SEEKFUNC_OK;
}

static void make_ready(struct transport_exchange *ex)
{
	if (list_empty(&ex->in_ready)) {
		list_append(&ex->lane->gen->transport->ready, &ex->in_ready);
	}
}

static size_t on_write(char *data, size_t size, size_t n, void *userdata)
{
	struct transport_exchange *ex = userdata;
	if (!ex->result.status) {
		long status = 0;
		(void)curl_easy_getinfo(ex->easy, CURLINFO_RESPONSE_CODE, &status);
		ex->result.status = (int)status;
		if (ex->stream && status != 200) {
			ex->stream = false;
			ex->in.max = REFUSAL_MAX;
		}
	}
	if (buf_append(&ex->in, data, size * n) < 0) {
		return 0;
	}
	if (ex->stream) {
		make_ready(ex);
	}
	return size * n;
}

static curl_socket_t on_open(void *userdata, curlsocktype purpose, struct curl_sockaddr *address)
{
	return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
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

/* ---- multi_socket ---------------------------------------------------------------------------- */

static void deliver(struct transport_curl *transport);
static void end_with(struct transport_exchange *ex, CURLcode code);

static void detach(struct transport_exchange *ex)
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
			end_with(ex, CURLE_RECV_ERROR);
		}
	}
}

static void lane_collect(struct lane *lane)
{
	CURLMsg *msg;
	int left;
	while ((msg = curl_multi_info_read(lane->multi, &left))) {
		struct transport_exchange *ex = NULL;
		CURLcode code = msg->data.result; /* msg dies with the handle's removal */
		if (msg->msg == CURLMSG_DONE &&
			curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, (char **)&ex) ==
				CURLE_OK) {
			end_with(ex, code);
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
	deliver(transport);
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

static int lane_open(struct lane *lane)
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
	(void)curl_multi_setopt(lane->multi, CURLMOPT_MAXCONNECTS, lane->gen->tls ? 2L : 16L);
	return 0;
}

static void lane_close(struct lane *lane)
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

/* ---- exchanges ------------------------------------------------------------------------------- */

static void exchange_free(struct transport_exchange *ex)
{
	struct transport_curl *transport = ex->lane->gen->transport;
	detach(ex);
	transport->loop->ops->timer_set(ex->timer, -1);
	curl_slist_free_all(ex->headers);
	ex->headers = NULL;
	buf_fini(&ex->in);
	list_remove(&ex->in_ready);
	list_remove(&ex->in_gen);
	if (transport->n_spare < SPARE_MAX) {
		list_append(&transport->spare, &ex->in_gen);
		transport->n_spare++;
		return;
	}
	transport->loop->ops->timer_free(ex->timer);
	curl_easy_cleanup(ex->easy);
	free(ex);
}

/* Hands out the result; the last touch. */
static void exchange_done(struct transport_exchange *ex)
{
	const struct transport_handler *handler = ex->handler;
	void *userdata = ex->userdata;
	struct transport_result result = ex->result;
	struct buf in = ex->in;
	char message[CURL_ERROR_SIZE];
	(void)snprintf(message, sizeof(message), "%s", ex->message);
	buf_init(&ex->in, 0);
	exchange_free(ex);
	result.message = message;
	result.body = buf_text(&in);
	result.size = in.size;
	handler->done(userdata, &result);
	buf_fini(&in);
}

static void exchange_data(struct transport_exchange *ex)
{
	struct transport_curl *transport = ex->lane->gen->transport;
	struct buf in = ex->in;
	buf_init(&ex->in, in.max);
	if (ex->ended) {
		make_ready(ex);
		transport->loop->ops->timer_set(transport->deliver, 0);
	}
	ex->handler->data(ex->userdata, buf_text(&in), in.size);
	buf_fini(&in);
}

static void deliver(struct transport_curl *transport)
{
	if (list_empty(&transport->ready)) {
		return;
	}
	struct transport_exchange *ex =
		list_first(&transport->ready, struct transport_exchange, in_ready);
	list_remove(&ex->in_ready);
	if (!list_empty(&transport->ready)) {
		transport->loop->ops->timer_set(transport->deliver, 0);
	}
	if (ex->stream && ex->in.size) {
		exchange_data(ex);
	} else {
		exchange_done(ex);
	}
}

static void on_deliver(void *userdata)
{
	deliver(userdata);
}

static int map_code(CURLcode code, bool sent)
{
	switch (code) {
	case CURLE_OK:
		return 0;
	case CURLE_OUT_OF_MEMORY:
		return -ENOMEM;
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_CONNECT:
		return -EHOSTUNREACH;
	case CURLE_SSL_CONNECT_ERROR: /* also a peer that dies in the handshake; see end_with() */
		return -EHOSTUNREACH;
	case CURLE_OPERATION_TIMEDOUT:
		return sent ? -ETIMEDOUT : -EHOSTUNREACH;
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CIPHER:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_ISSUER_ERROR:
	case CURLE_SSL_INVALIDCERTSTATUS:
	case CURLE_USE_SSL_FAILED:
		return -EKEYREJECTED;
	case CURLE_UNSUPPORTED_PROTOCOL: /* HTTP/0.9: not HTTP at all */
	case CURLE_WEIRD_SERVER_REPLY:
	case CURLE_WRITE_ERROR: /* our own cap */
	case CURLE_BAD_CONTENT_ENCODING:
		return -EBADMSG;
	default:
		return sent ? -ECONNRESET : -EHOSTUNREACH;
	}
}

/* Under TLS 1.3 a server refuses a client's certificate after the handshake, when the request may
 * be under way; OpenSSL's text is all that tells. */
static bool is_tls_alert(const char *message)
{
	return strstr(message, "alert") &&
	       (strstr(message, "certificate") || strstr(message, "unknown ca") ||
		       strstr(message, "access denied"));
}

/* A server that refuses a certificate may close so fast that its alert is lost; then only the
 * moment tells: connected, nothing sent. */
static bool maybe_certificate(const struct transport_exchange *ex, CURLcode code)
{
	return ex->lane->gen->tls && !ex->result.sent &&
	       (code == CURLE_SEND_ERROR || code == CURLE_RECV_ERROR || code == CURLE_HTTP2 ||
		       code == CURLE_GOT_NOTHING);
}

static void end_with(struct transport_exchange *ex, CURLcode code)
{
	struct transport_result *result = &ex->result;
	long number = 0;
	result->sent = ex->offset > 0;
	result->error = map_code(code, result->sent);
	(void)curl_easy_getinfo(ex->easy, CURLINFO_RESPONSE_CODE, &number);
	result->status = (int)number;
	number = 0;
	(void)curl_easy_getinfo(ex->easy, CURLINFO_HTTP_VERSION, &number);
	result->http_version = number == CURL_HTTP_VERSION_2_0	 ? 20
			       : number == CURL_HTTP_VERSION_1_1 ? 11
								 : 0;
	if (code != CURLE_OK && !ex->message[0]) {
		(void)snprintf(ex->message, sizeof(ex->message), "%s", curl_easy_strerror(code));
	}
	if (code == CURLE_WRITE_ERROR) {
		(void)snprintf(ex->message, sizeof(ex->message),
			"the answer is larger than %zu bytes", ex->in.max);
	}
	if (code != CURLE_OK && is_tls_alert(ex->message)) {
		result->sent = false;
		result->error = -EKEYREJECTED;
	} else if (code == CURLE_SSL_CONNECT_ERROR && strstr(ex->message, "wrong version number")) {
		result->error = -EKEYREJECTED;
	}
	if (maybe_certificate(ex, code)) {
		size_t n = strlen(ex->message);
		(void)snprintf(ex->message + n, sizeof(ex->message) - n,
			" (does the server accept this certificate?)");
	}
	result->connected = result->sent && result->error != -EKEYREJECTED;
	ex->ended = true;
	detach(ex);
	make_ready(ex);
}

static void on_deadline(void *userdata)
{
	struct transport_exchange *ex = userdata;
	if (!ex->ended) {
		ex->result.sent = ex->offset > 0;
		ex->result.connected = ex->result.sent;
		ex->result.error = ex->result.sent ? -ETIMEDOUT : -EHOSTUNREACH;
		(void)snprintf(ex->message, sizeof(ex->message), "%s",
			ex->result.sent ? "no answer in time" : "not connected in time");
	}
	ex->stream = false;
	exchange_done(ex);
}

/* What is the same for every exchange of a transport; see curl_easy_setopt(3) for each. */
static void set_common(const struct transport_curl *transport, struct transport_exchange *ex)
{
	CURL *easy = ex->easy;
	(void)curl_easy_setopt(easy, CURLOPT_PRIVATE, (char *)ex);
	(void)curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, ex->message);
	(void)curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	(void)curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
	(void)curl_easy_setopt(easy, CURLOPT_PROXY, ""); /* not the environment's */
	(void)curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	(void)curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	(void)curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
	(void)curl_easy_setopt(easy, CURLOPT_POST, 1L);
	(void)curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_read);
	(void)curl_easy_setopt(easy, CURLOPT_READDATA, ex);
	(void)curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, on_seek);
	(void)curl_easy_setopt(easy, CURLOPT_SEEKDATA, ex);
	(void)curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_write);
	(void)curl_easy_setopt(easy, CURLOPT_WRITEDATA, ex);
	(void)curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open);
	(void)curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, on_sockopt);
	(void)curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, on_close);
	(void)curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
		(long)(transport->connect_timeout_ns / ONCE_NSEC_PER_MSEC));
	(void)curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
	(void)curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
	(void)curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
}

static void set_files(const struct transport_curl *transport, struct transport_exchange *ex)
{
	if (ex->files == transport->files) {
		return;
	}
	if (ex->files) {
		/* There is no other way back to libcurl's own defaults. */
		curl_easy_reset(ex->easy);
		set_common(transport, ex);
	}
	ex->files = transport->files;
	if (transport->cacert) {
		/* Only this CA: libcurl would trust the system's directory beside it. */
		(void)curl_easy_setopt(ex->easy, CURLOPT_CAINFO, transport->cacert);
		(void)curl_easy_setopt(ex->easy, CURLOPT_CAPATH, NULL);
	}
	if (transport->cert) {
		(void)curl_easy_setopt(ex->easy, CURLOPT_SSLCERT, transport->cert);
		(void)curl_easy_setopt(ex->easy, CURLOPT_SSLKEY, transport->key_file);
	}
}

static struct transport_exchange *exchange_new(struct transport_curl *transport)
{
	if (!list_empty(&transport->spare)) {
		struct transport_exchange *ex =
			list_first(&transport->spare, struct transport_exchange, in_gen);
		list_remove(&ex->in_gen);
		transport->n_spare--;
		return ex;
	}
	struct transport_exchange *ex = calloc(1, sizeof(*ex));
	if (!ex) {
		return NULL;
	}
	ex->timer = transport->loop->ops->timer_new(transport->loop, on_deadline, ex);
	ex->easy = ex->timer ? curl_easy_init() : NULL;
	if (!ex->easy) {
		transport->loop->ops->timer_free(ex->timer);
		free(ex);
		return NULL;
	}
	list_init(&ex->in_gen);
	list_init(&ex->in_ready);
	set_common(transport, ex);
	return ex;
}

static int add_header(struct transport_exchange *ex, const char *header)
{
	struct curl_slist *grown = curl_slist_append(ex->headers, header);
	if (!grown) {
		return -ENOMEM;
	}
	ex->headers = grown;
	return 0;
}

static int exchange_prepare(
	struct transport_exchange *ex, struct lane *lane, const struct transport_request *request)
{
	char url[512];
	CURL *easy = ex->easy;
	int r = add_header(ex, "Content-Type: application/json");
	r = r ? r : add_header(ex, "Expect:");
	for (const char *const *h = request->headers; !r && h && *h; h++) {
		r = add_header(ex, *h);
	}
	if (r || snprintf(url, sizeof(url), "%s%s", lane->gen->url, request->path) >=
			 (int)sizeof(url)) {
		return r ? r : -EINVAL;
	}
	set_files(lane->gen->transport, ex);
	(void)curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, lane->gen->tls ? "https" : "http");
	(void)curl_easy_setopt(easy, CURLOPT_PIPEWAIT, lane->gen->tls ? 1L : 0L);
	(void)curl_easy_setopt(easy, CURLOPT_HTTPHEADER, ex->headers);
	(void)curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->size);
	(void)curl_easy_setopt(
		easy, CURLOPT_BUFFERSIZE, lane->which == TRANSPORT_BULK ? 64L * 1024 : 16L * 1024);
	(void)curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE,
		lane->which == TRANSPORT_BULK ? 64L * 1024 : 16L * 1024);
	(void)curl_easy_setopt(easy, CURLOPT_SOCKOPTDATA, lane);
	(void)curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, lane);
	return curl_easy_setopt(easy, CURLOPT_URL, url) == CURLE_OK ? 0 : -ENOMEM;
}

static int exchange_add(struct transport_exchange *ex)
{
	int r = lane_open(ex->lane);
	if (r < 0) {
		return r;
	}
	(void)curl_easy_setopt(ex->easy, CURLOPT_RESOLVE, ex->lane->gen->answer);
	if (curl_multi_add_handle(ex->lane->multi, ex->easy) != CURLM_OK) {
		return -ENOMEM;
	}
	ex->added = true;
	return 0;
}

/* ---- names ----------------------------------------------------------------------------------- */

static int gen_answer(struct transport_gen *gen, const char *addresses)
{
	char line[RESOLVE_MAX + 300];
	(void)snprintf(line, sizeof(line), "%s:%s:%s", gen->host, gen->port, addresses);
	gen->answer = curl_slist_append(NULL, line);
	gen->known = gen->answer;
	return gen->answer ? 0 : -ENOMEM;
}

static void on_resolved(void *userdata, const char *addresses, const char *message)
{
	struct transport_gen *gen = userdata;
	struct list *i;
	gen->resolve = NULL;
	int r = addresses ? gen_answer(gen, addresses) : -EHOSTUNREACH;
	list_foreach (i, &gen->exchanges) {
		struct transport_exchange *ex = list_entry(i, struct transport_exchange, in_gen);
		int error = r < 0 ? r : exchange_add(ex);
		if (error < 0) {
			ex->result.error = error;
			ex->ended = true;
			(void)snprintf(ex->message, sizeof(ex->message), "%s",
				message ? message : strerror(-error));
			make_ready(ex);
		}
	}
	deliver(gen->transport);
}

static int gen_begin(struct transport_gen *gen, struct transport_exchange *ex)
{
	if (gen->known) {
		return exchange_add(ex);
	}
	if (gen->resolve) {
		return 0;
	}
	return resolve_start(&gen->resolve, gen->transport->loop, gen->host,
		gen->transport->connect_timeout_ns, on_resolved, gen);
}

/* ---- the seam -------------------------------------------------------------------------------- */

static int tc_start(struct transport_gen *gen, struct transport_exchange **ret,
	const struct transport_request *request, const struct transport_handler *handler,
	void *userdata)
{
	struct transport_exchange *ex = exchange_new(gen->transport);
	if (!ex) {
		return -ENOMEM;
	}
	list_append(&gen->exchanges, &ex->in_gen);
	ex->lane = &gen->lanes[request->lane];
	ex->body = request->body;
	ex->size = request->size;
	ex->offset = 0;
	ex->stream = request->stream;
	ex->added = false;
	ex->ended = false;
	ex->handler = handler;
	ex->userdata = userdata;
	ex->result = (struct transport_result){0};
	ex->message[0] = 0;
	buf_init(&ex->in, request->cap);
	int r = exchange_prepare(ex, ex->lane, request);
	r = r ? r : gen_begin(gen, ex);
	if (r < 0) {
		exchange_free(ex);
		return r;
	}
	if (request->timeout_ns) {
		gen->transport->loop->ops->timer_set(ex->timer, request->timeout_ns);
	}
	*ret = ex;
	return 0;
}

static bool tc_cancel(struct transport_exchange *ex)
{
	bool sent = ex->offset > 0;
	exchange_free(ex);
	return sent;
}

static void tc_gen_free(struct transport_gen *gen)
{
	gen->abandoned = true;
	while (!list_empty(&gen->exchanges)) {
		exchange_free(list_first(&gen->exchanges, struct transport_exchange, in_gen));
	}
	for (size_t i = 0; i < TRANSPORT_LANES; i++) {
		lane_close(&gen->lanes[i]);
	}
	gen->resolve = resolve_cancel(gen->resolve);
	curl_slist_free_all(gen->answer);
	free(gen->url);
	free(gen->host);
	free(gen->port);
	free(gen);
}

/* url is the client's normal form: scheme://host:port, an IPv6 host in brackets. */
static int gen_split(struct transport_gen *gen, const char *url)
{
	const char *host = strstr(url, "://"), *port = strrchr(url, ':');
	if (!host || port <= host) {
		return -EINVAL;
	}
	host += 3;
	gen->tls = !strncmp(url, "https:", 6);
	gen->url = strdup(url);
	gen->host = strndup(host, (size_t)(port - host));
	gen->port = strdup(port + 1);
	return gen->url && gen->host && gen->port ? 0 : -ENOMEM;
}

static int tc_gen_new(struct transport *base, struct transport_gen **ret, const char *url)
{
	struct transport_gen *gen = calloc(1, sizeof(*gen));
	char addresses[RESOLVE_MAX];
	if (!gen) {
		return -ENOMEM;
	}
	gen->transport = (struct transport_curl *)base;
	list_init(&gen->exchanges);
	for (size_t i = 0; i < TRANSPORT_LANES; i++) {
		gen->lanes[i].gen = gen;
		gen->lanes[i].which = (enum transport_lane)i;
		list_init(&gen->lanes[i].sockets);
	}
	int r = gen_split(gen, url);
	if (!r && resolve_literal(gen->host, addresses)) {
		gen->known = true;
		/* A literal needs no help, localhost does: libcurl would ask its own thread. */
		r = strcmp(addresses, gen->host) ? gen_answer(gen, addresses) : 0;
	}
	if (r < 0) {
		tc_gen_free(gen);
		return r;
	}
	*ret = gen;
	return 0;
}

static void tc_free(struct transport *base)
{
	struct transport_curl *transport = (struct transport_curl *)base;
	while (!list_empty(&transport->spare)) {
		struct transport_exchange *ex = exchange_new(transport);
		transport->loop->ops->timer_free(ex->timer);
		curl_easy_cleanup(ex->easy);
		free(ex);
	}
	transport->loop->ops->timer_free(transport->deliver);
	free(transport->cacert);
	free(transport->cert);
	free(transport->key_file);
	free(transport);
	curl_global_cleanup();
}

static int copy(char **ret, const char *text)
{
	*ret = text ? strdup(text) : NULL;
	return text && !*ret ? -ENOMEM : 0;
}

static int tc_use(struct transport *base, const struct transport_tls *tls)
{
	struct transport_curl *transport = (struct transport_curl *)base;
	char *cacert = NULL, *cert = NULL, *key_file = NULL;
	if (copy(&cacert, tls->cacert) || copy(&cert, tls->cert) ||
		copy(&key_file, tls->key_file)) {
		free(cacert);
		free(cert);
		free(key_file);
		return -ENOMEM;
	}
	free(transport->cacert);
	free(transport->cert);
	free(transport->key_file);
	transport->cacert = cacert;
	transport->cert = cert;
	transport->key_file = key_file;
	transport->files++;
	return 0;
}

static const struct transport_ops tc_ops = {
	.free = tc_free,
	.gen_new = tc_gen_new,
	.gen_free = tc_gen_free,
	.start = tc_start,
	.cancel = tc_cancel,
	.use = tc_use,
};

int transport_curl_new(struct transport **ret, struct once_loop *loop,
	const struct transport_tls *tls, int64_t connect_timeout_ns)
{
	if (curl_global_init(CURL_GLOBAL_SSL) != CURLE_OK) {
		return -ENOMEM;
	}
	struct transport_curl *transport = calloc(1, sizeof(*transport));
	if (!transport) {
		curl_global_cleanup();
		return -ENOMEM;
	}
	transport->base.ops = &tc_ops;
	transport->loop = loop;
	transport->connect_timeout_ns = connect_timeout_ns;
	list_init(&transport->ready);
	list_init(&transport->spare);
	transport->deliver = loop->ops->timer_new(loop, on_deliver, transport);
	if (!transport->deliver || tc_use(&transport->base, tls) < 0) {
		tc_free(&transport->base);
		return -ENOMEM;
	}
	*ret = &transport->base;
	return 0;
}
