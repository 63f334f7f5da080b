/* What libcurl alone takes for a request: the floor under lib/etcd's processor time.
 *
 *	curlfloor URL PREFIX IN-FLIGHT SECONDS [read]
 *
 * Creates one key per request, IN-FLIGHT at a time on as many connections, over the multi_socket
 * interface and libev as the library does, with nothing of the library: no timers of its own, no
 * decoding; options that stay are set once. Prints what wrk's script prints. "read": the body by a read
 * function, as over TLS, else as one with the headers. */
#include <curl/curl.h>
#include <ev.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"

struct flight {
	CURL *easy;
	char body[1024];
	size_t size, offset;
};

static struct ev_loop *loop;
static CURLM *multi;
static ev_timer timer, end;
static const char *prefix;
static unsigned long long n_done, n_errors, next_id;
static bool over;

static size_t on_write(char *data, size_t size, size_t n, void *userdata)
{
	return size * n;
}

static size_t on_read(char *out, size_t size, size_t n, void *userdata)
{
	struct flight *f = userdata;
	size_t rest = f->size - f->offset, take = size * n < rest ? size * n : rest;

	memcpy(out, f->body + f->offset, take);
	f->offset += take;
	return take;
}

static void begin(struct flight *f, bool read)
{
	char key[256], key64[400];
	int n = snprintf(key, sizeof(key), "%s%llu", prefix, next_id++);

	base64_encode(key64, key, (size_t)n);
	key64[base64_encoded_size((size_t)n)] = '\0';
	f->offset = 0;
	f->size = (size_t)snprintf(f->body, sizeof(f->body),
		"{\"compare\":[{\"key\":\"%s\",\"target\":\"CREATE\",\"create_revision\":\"0\"}],"
		"\"success\":[{\"request_put\":{\"key\":\"%s\",\"value\":"
		"\"YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE=\"}}]}",
		key64, key64);
	(void)curl_easy_setopt(f->easy, CURLOPT_POSTFIELDSIZE, (long)f->size);
	if (!read)
		(void)curl_easy_setopt(f->easy, CURLOPT_POSTFIELDS, f->body);
	(void)curl_multi_add_handle(multi, f->easy);
}

static bool by_read;

static void collect(void)
{
	CURLMsg *msg;
	int left;

	while ((msg = curl_multi_info_read(multi, &left))) {
		struct flight *f = NULL;
		CURLcode code = msg->data.result;
		long status = 0;

		(void)curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, (char **)&f);
		(void)curl_easy_getinfo(msg->easy_handle, CURLINFO_RESPONSE_CODE, &status);
		(void)curl_multi_remove_handle(multi, f->easy);
		n_errors += code != CURLE_OK || status != 200;
		n_done++;
		if (!over)
			begin(f, by_read);
	}
}

static void on_io(struct ev_loop *l, ev_io *io, int events)
{
	int running;

	(void)curl_multi_socket_action(multi, io->fd,
		(events & EV_READ ? CURL_CSELECT_IN : 0) |
			(events & EV_WRITE ? CURL_CSELECT_OUT : 0),
		&running);
	collect();
}

static void on_timeout(struct ev_loop *l, ev_timer *t, int events)
{
	int running;

	(void)curl_multi_socket_action(multi, CURL_SOCKET_TIMEOUT, 0, &running);
	collect();
}

static void on_end(struct ev_loop *l, ev_timer *t, int events)
{
	over = true;
	ev_break(l, EVBREAK_ALL);
}

static int on_timer(CURLM *m, long in_ms, void *userdata)
{
	ev_timer_stop(loop, &timer);
	if (in_ms >= 0) {
		ev_timer_set(&timer, (double)in_ms / 1e3, 0.);
		ev_timer_start(loop, &timer);
	}
	return 0;
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *userdata, void *socketp)
{
	ev_io *io = socketp;
	int events = (what & CURL_POLL_IN ? EV_READ : 0) | (what & CURL_POLL_OUT ? EV_WRITE : 0);

	if (what == CURL_POLL_REMOVE) {
		ev_io_stop(loop, io);
		free(io);
		return 0;
	}
	if (!io) {
		io = calloc(1, sizeof(*io));
		ev_io_init(io, on_io, fd, events);
		(void)curl_multi_assign(multi, fd, io);
	} else if (io->events == events) {
		return 0;
	}
	ev_io_stop(loop, io);
	ev_io_set(io, fd, events);
	ev_io_start(loop, io);
	return 0;
}

static CURL *easy_new(struct flight *f, const char *url, struct curl_slist *headers, bool read)
{
	CURL *easy = curl_easy_init();

	(void)curl_easy_setopt(easy, CURLOPT_URL, url);
	(void)curl_easy_setopt(easy, CURLOPT_PRIVATE, (char *)f);
	(void)curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	(void)curl_easy_setopt(easy, CURLOPT_POST, 1L);
	(void)curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
	(void)curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_write);
	if (read) {
		(void)curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_read);
		(void)curl_easy_setopt(easy, CURLOPT_READDATA, f);
	}
	return easy;
}

int main(int argc, char **argv)
{
	struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
	long inflight = argc > 4 ? strtol(argv[3], NULL, 10) : 0;
	struct flight *flights = calloc((size_t)inflight + 1, sizeof(*flights));
	double seconds = argc > 4 ? strtod(argv[4], NULL) : 0, begun;

	if (inflight < 1 || seconds <= 0 || !flights || curl_global_init(CURL_GLOBAL_SSL) != CURLE_OK) {
		fprintf(stderr, "usage: curlfloor URL PREFIX IN-FLIGHT SECONDS [read]\n");
		return 2;
	}
	headers = curl_slist_append(headers, "Expect:");
	headers = curl_slist_append(headers, "Grpc-Timeout: 4950m");
	headers = curl_slist_append(headers, "Grpc-Metadata-hasleader: true");
	loop = ev_default_loop(EVFLAG_NOENV);
	prefix = argv[2];
	by_read = argc > 5;
	multi = curl_multi_init();
	(void)curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	(void)curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timer);
	(void)curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, inflight);
	ev_timer_init(&timer, on_timeout, 0., 0.);
	ev_timer_init(&end, on_end, seconds, 0.);
	ev_timer_start(loop, &end);
	begun = ev_time();
	for (long i = 0; i < inflight; i++) {
		flights[i].easy = easy_new(&flights[i], argv[1], headers, by_read);
		begin(&flights[i], by_read);
	}
	ev_run(loop, 0);
	printf("{\"requests\": %llu, \"seconds\": %.6f, \"errors\": %llu}\n", n_done,
		ev_time() - begun, n_errors);
	for (long i = 0; i < inflight; i++) {
		(void)curl_multi_remove_handle(multi, flights[i].easy);
		curl_easy_cleanup(flights[i].easy);
	}
	(void)curl_multi_cleanup(multi);
	curl_slist_free_all(headers);
	free(flights);
	curl_global_cleanup();
	return n_errors > 0;
}
