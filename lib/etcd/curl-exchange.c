/* One request over libcurl and its answer: options, bytes in and out, what its end means.
 *
 * libcurl would silently repeat a POST whose connection died without an answer, which must not be:
 *
 * - Under TLS the body is handed out by a read function and cannot be rewound once its first byte was:
 *   it fails with CURLE_SEND_FAIL_REWIND instead.
 * - On plaintext the body goes out in one piece with the headers, which takes a quarter of the time off
 *   a small request; libcurl asks before each attempt, and the second one is refused, as is a new
 *   socket for it.
 *
 * The same flag, offset, tells "never sent" from "may have happened". */
#include "etcd/curl.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	SPARE_MAX = 64, /* exchanges kept for reuse: an easy handle costs 10 us to set up */
	REFUSAL_MAX = 64 * 1024, /* body of a stream that was refused */
};

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

/* Connected, and about to send. A certificate may still be refused then, and is told by nothing sent. */
static int on_attempt(
	void *userdata, char *remote_ip, char *local_ip, int remote_port, int local_port)
{
	struct transport_exchange *ex = userdata;
	if (ex->lane->gen->tls) {
		return CURL_PREREQFUNC_OK;
	}
	if (ex->offset) {
		return CURL_PREREQFUNC_ABORT;
	}
	ex->offset = ex->size;
	return CURL_PREREQFUNC_OK;
}

void exchange_make_ready(struct transport_exchange *ex)
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
		ex->lane->answered = true;
		if (ex->stream && status != 200) {
			ex->stream = false;
			ex->in.max = REFUSAL_MAX;
		}
	}
	if (buf_append(&ex->in, data, size * n) < 0) {
		return 0;
	}
	if (ex->stream) {
		exchange_make_ready(ex);
	}
	return size * n;
}

void exchange_destroy(struct transport_curl *transport, struct transport_exchange *ex)
{
	transport->loop->ops->timer_free(ex->timer);
	curl_easy_cleanup(ex->easy);
	ex->pem = pem_unref(ex->pem);
	curl_slist_free_all(ex->headers);
	free(ex);
}

void exchange_free(struct transport_exchange *ex)
{
	struct transport_curl *transport = ex->lane->gen->transport;
	lane_detach(ex);
	transport->loop->ops->timer_set(ex->timer, -1);
	buf_fini(&ex->in);
	list_remove(&ex->in_ready);
	list_remove(&ex->in_gen);
	if (transport->n_spare < SPARE_MAX) {
		list_append(&transport->spare, &ex->in_gen);
		transport->n_spare++;
		return;
	}
	exchange_destroy(transport, ex);
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
		exchange_make_ready(ex);
		transport->loop->ops->timer_set(transport->deliver, 0);
	}
	ex->handler->data(ex->userdata, buf_text(&in), in.size);
	buf_fini(&in);
}

void exchange_deliver(struct transport_curl *transport)
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

static int map_code(CURLcode code, bool sent)
{
	switch (code) {
	case CURLE_OK:
		return 0;
	case CURLE_OUT_OF_MEMORY:
		return -ENOMEM;
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_CONNECT:
		return sent ? -ECONNRESET : -EHOSTUNREACH; /* sent: see lane's on_open() */
	case CURLE_SSL_CONNECT_ERROR: /* also a peer that dies in the handshake; see exchange_end_with() */
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

void exchange_end_with(struct transport_exchange *ex, CURLcode code)
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
	if (result->sent && (code == CURLE_COULDNT_CONNECT || code == CURLE_ABORTED_BY_CALLBACK)) {
		(void)snprintf(ex->message, sizeof(ex->message), "%s",
			"the connection ended without an answer");
	}
	if (code == CURLE_COULDNT_CONNECT && ex->no_socket) {
		(void)snprintf(ex->message, sizeof(ex->message), "no socket: %s",
			strerror(ex->no_socket));
	}
	if (code != CURLE_OK && !ex->message[0]) {
		(void)snprintf(ex->message, sizeof(ex->message), "%s", curl_easy_strerror(code));
	}
	if (code == CURLE_WRITE_ERROR) {
		(void)snprintf(ex->message, sizeof(ex->message),
			"the answer is larger than %zu bytes", ex->in.max);
	}
	if (result->status) {
		ex->lane->answered = true;
	}
	if (code != CURLE_OK) {
		refusal_explain(ex, code);
	}
	result->connected = result->sent && result->error != -EKEYREJECTED;
	ex->ended = true;
	lane_detach(ex);
	exchange_make_ready(ex);
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
	(void)curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_attempt);
	(void)curl_easy_setopt(easy, CURLOPT_PREREQDATA, ex);
	(void)curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_write);
	(void)curl_easy_setopt(easy, CURLOPT_WRITEDATA, ex);
	lane_set_sockets(ex);
	(void)curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
		(long)(transport->connect_timeout_ns / ONCE_NSEC_PER_MSEC));
	(void)curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
	(void)curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
	/* A session taken up again is judged by the certificate of its first handshake. */
	(void)curl_easy_setopt(easy, CURLOPT_SSL_SESSIONID_CACHE, 0L);
	(void)curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
}

/* Not copied: the exchange keeps a reference until it is told otherwise. */
static void set_blob(CURL *easy, CURLoption option, const struct buf *text)
{
	struct curl_blob blob = {text->data, text->size, CURL_BLOB_NOCOPY};
	(void)curl_easy_setopt(easy, option, &blob);
}

static void set_files(const struct transport_curl *transport, struct transport_exchange *ex)
{
	if (ex->pem == transport->pem) {
		return;
	}
	if (ex->pem) {
		/* There is no other way back to libcurl's own defaults. */
		curl_easy_reset(ex->easy);
		set_common(transport, ex);
		ex->told.gen = 0;
	}
	ex->pem = pem_unref(ex->pem);
	ex->pem = pem_ref(transport->pem);
	if (ex->pem->cacert.size) {
		/* Only this CA: libcurl would trust the system's directory beside it. */
		set_blob(ex->easy, CURLOPT_CAINFO_BLOB, &ex->pem->cacert);
		(void)curl_easy_setopt(ex->easy, CURLOPT_CAINFO, NULL);
		(void)curl_easy_setopt(ex->easy, CURLOPT_CAPATH, NULL);
	}
	if (ex->pem->cert.size) {
		set_blob(ex->easy, CURLOPT_SSLCERT_BLOB, &ex->pem->cert);
		set_blob(ex->easy, CURLOPT_SSLKEY_BLOB, &ex->pem->key);
	}
}

struct transport_exchange *exchange_new(struct transport_curl *transport)
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

/* One more header: the same as last time, or else the list ends before it and grows. */
static int add_header(struct curl_slist ***at, const char *header)
{
	if (**at && strcmp((**at)->data, header) != 0) {
		curl_slist_free_all(**at);
		**at = NULL;
	}
	if (!**at && !(**at = curl_slist_append(NULL, header))) {
		return -ENOMEM;
	}
	*at = &(**at)->next;
	return 0;
}

static int set_headers(struct transport_exchange *ex, const char *const *headers)
{
	struct curl_slist **at = &ex->headers;
	int r = add_header(&at, "Content-Type: application/json");
	r = r ? r : add_header(&at, "Expect:");
	for (; !r && headers && *headers; headers++) {
		r = add_header(&at, *headers);
	}
	curl_slist_free_all(*at);
	*at = NULL;
	(void)curl_easy_setopt(ex->easy, CURLOPT_HTTPHEADER, ex->headers);
	return r;
}

/* What is the same for most requests in a row. */
static int set_place(
	struct transport_exchange *ex, struct lane *lane, const struct transport_request *request)
{
	char url[512];
	CURL *easy = ex->easy;
	if (ex->told.gen == lane->gen->serial && ex->told.lane == lane->which &&
		ex->told.stream == request->stream && ex->told.path == request->path) {
		return 0;
	}
	ex->told.gen = 0;
	if (snprintf(url, sizeof(url), "%s%s", lane->gen->url, request->path) >= (int)sizeof(url)) {
		return -EINVAL;
	}
	(void)curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, lane->gen->tls ? "https" : "http");
	(void)curl_easy_setopt(easy, CURLOPT_PIPEWAIT, lane->gen->tls ? 1L : 0L);
	/* libcurl fills up to 100 of them before a stream's bytes are handed out. */
	(void)curl_easy_setopt(easy, CURLOPT_BUFFERSIZE,
		request->stream			? 4L * 1024
		: lane->which == TRANSPORT_BULK ? 64L * 1024
						: 16L * 1024);
	(void)curl_easy_setopt(easy, CURLOPT_SOCKOPTDATA, lane);
	(void)curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, lane);
	if (curl_easy_setopt(easy, CURLOPT_URL, url) != CURLE_OK) {
		return -ENOMEM;
	}
	ex->told.gen = lane->gen->serial;
	ex->told.lane = lane->which;
	ex->told.stream = request->stream;
	ex->told.path = request->path;
	return 0;
}

int exchange_prepare(
	struct transport_exchange *ex, struct lane *lane, const struct transport_request *request)
{
	CURL *easy = ex->easy;
	set_files(lane->gen->transport, ex);
	int r = set_headers(ex, request->headers);
	r = r ? r : set_place(ex, lane, request);
	(void)curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->size);
	(void)curl_easy_setopt(
		easy, CURLOPT_POSTFIELDS, lane->gen->tls ? NULL : (const char *)request->body);
	(void)curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE,
		request->size > 16 * 1024 ? 64L * 1024 : 16L * 1024);
	return r;
}

int exchange_add(struct transport_exchange *ex)
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
