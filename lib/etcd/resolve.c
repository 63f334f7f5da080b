/* getaddrinfo() in a thread of its own.
 *
 * - The thread owns its job (the name and one end of a socket pair), shares no memory with the
 * loop, writes one datagram ("+addresses" or "-reason") and ends.
 * - The loop holds the other end, and a deadline. Who no longer waits closes that end; the thread's
 *   answer then goes nowhere.
 *
 * libcurl's own resolver thread is not used: cancelling a look-up joins it, which stops the loop
 * for as long as the name server is silent.
 *
 * Failures: no thread, no descriptors: a negative errno of the start. No answer in time and a name
 * that does not exist are a NULL answer. */
#include "etcd/resolve.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

struct job {
	int fd; /* owned */
	char host[256];
};

struct resolve {
	struct once_loop *loop;
	struct once_io *io;
	struct once_timer *timer;
	int fd;
	resolve_done_fn *done;
	void *userdata;
};

static void append(char *out, size_t size, const char *address, bool v6)
{
	size_t len = strlen(out), need = strlen(address) + 4;
	if (len + need < size) {
		(void)snprintf(
			out + len, size - len, v6 ? "%s[%s]" : "%s%s", len > 1 ? "," : "", address);
	}
}

static void look_up(const char *host, char *out, size_t size)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG},
			*list = NULL;
	int r = getaddrinfo(host, NULL, &hints, &list);
	if (r) {
		(void)snprintf(out, size, "-%s: %s", host, gai_strerror(r));
		return;
	}
	(void)snprintf(out, size, "+");
	for (struct addrinfo *a = list; a; a = a->ai_next) {
		char text[NI_MAXHOST];
		if (!getnameinfo(a->ai_addr, a->ai_addrlen, text, sizeof(text), NULL, 0,
			    NI_NUMERICHOST)) {
			append(out, size, text, a->ai_family == AF_INET6);
		}
	}
	freeaddrinfo(list);
}

static void *run(void *arg)
{
	struct job *job = arg;
	char answer[RESOLVE_MAX] = "";
	look_up(job->host, answer, sizeof(answer));
	/* A loop that has given up has closed its end; that is no error, and no SIGPIPE. */
	(void)send(job->fd, answer, strlen(answer), MSG_NOSIGNAL);
	(void)close(job->fd);
	free(job);
	return NULL;
}

/* Signals belong to the program's threads: the new one blocks them all. */
static int start_thread(struct job *job)
{
	pthread_attr_t attr;
	pthread_t thread;
	sigset_t all, old;
	int r = pthread_attr_init(&attr);
	if (r) {
		return -r;
	}
	(void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	(void)pthread_attr_setstacksize(&attr, 512 << 10); /* NSS modules want some */
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &old);
	r = pthread_create(&thread, &attr, run, job);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	(void)pthread_attr_destroy(&attr);
	return -r;
}

static void finish(struct resolve *resolve, const char *addresses, const char *message)
{
	resolve_done_fn *done = resolve->done;
	void *userdata = resolve->userdata;
	(void)resolve_cancel(resolve);
	done(userdata, addresses, message);
}

static void on_answer(void *userdata, int fd, int events)
{
	char answer[RESOLVE_MAX + 1] = "";
	ssize_t n = recv(fd, answer, sizeof(answer) - 1, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
		return;
	}
	if (n > 1 && answer[0] == '+') {
		finish(userdata, answer + 1, NULL);
	} else {
		finish(userdata, NULL, n > 1 ? answer + 1 : "the name has no address");
	}
}

static void on_deadline(void *userdata)
{
	finish(userdata, NULL, "no answer from the name service in time");
}

bool resolve_literal(const char *host, char ret[static RESOLVE_MAX])
{
	unsigned char address[16];
	size_t len = strlen(host);
	if (len && host[len - 1] == '.') {
		len--;
	}
	if (len == 9 && !strncasecmp(host, "localhost", 9)) {
		(void)snprintf(ret, RESOLVE_MAX, "127.0.0.1,[::1]");
		return true;
	}
	if (inet_pton(AF_INET, host, address) == 1 || host[0] == '[') {
		(void)snprintf(ret, RESOLVE_MAX, "%s", host);
		return true;
	}
	return false;
}

static int resolve_new(struct resolve **ret, struct once_loop *loop, int fd)
{
	struct resolve *resolve = calloc(1, sizeof(*resolve));
	if (!resolve) {
		(void)close(fd);
		return -ENOMEM;
	}
	resolve->loop = loop;
	resolve->fd = fd;
	resolve->io = loop->ops->io_new(loop, fd, on_answer, resolve);
	resolve->timer = loop->ops->timer_new(loop, on_deadline, resolve);
	if (!resolve->io || !resolve->timer) {
		(void)resolve_cancel(resolve);
		return -ENOMEM;
	}
	*ret = resolve;
	return 0;
}

int resolve_start(struct resolve **ret, struct once_loop *loop, const char *host,
	int64_t timeout_ns, resolve_done_fn *done, void *userdata)
{
	int fds[2], r;
	if (strlen(host) >= sizeof(((struct job *)0)->host)) {
		return -EINVAL;
	}
	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, fds) < 0) {
		return -errno;
	}
	struct resolve *resolve;
	r = resolve_new(&resolve, loop, fds[0]);
	if (r < 0) {
		(void)close(fds[1]);
		return r;
	}
	struct job *job = calloc(1, sizeof(*job));
	if (job) {
		job->fd = fds[1];
		(void)snprintf(job->host, sizeof(job->host), "%s", host);
	}
	r = job ? start_thread(job) : -ENOMEM;
	if (r < 0) {
		free(job);
		(void)close(fds[1]);
		(void)resolve_cancel(resolve);
		return r;
	}
	resolve->done = done;
	resolve->userdata = userdata;
	loop->ops->io_set(resolve->io, ONCE_IO_READ);
	loop->ops->timer_set(resolve->timer, timeout_ns);
	*ret = resolve;
	return 0;
}

struct resolve *resolve_cancel(struct resolve *resolve)
{
	if (resolve) {
		resolve->loop->ops->io_free(resolve->io);
		resolve->loop->ops->timer_free(resolve->timer);
		(void)close(resolve->fd);
		free(resolve);
	}
	return NULL;
}
