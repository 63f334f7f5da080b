/* The server on the agent's loop. See web.h.
 *
 * Happy path: listen -> MHD's epoll descriptor is readable -> web_turn(): MHD accepts, reads, asks
 * web_answer(), writes, all without blocking -> the loop goes on.
 *
 * Failures: a client that sends slowly, reads slowly or keeps silent is cut off by MHD's own idle
 * time-out, or by the sweep, which gives a request and its answer so long in all. A flood: after each turn
 * the server rests for four times as long as that turn took, so that it never has more than a fifth of the
 * loop; clients wait, beats do not. An address in use: tried again. No descriptor for a client: it stays where it
 * is, and the server rests until one may have become free. */
#include "daemon/web-internal.h"

#include "daemon/log.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static const int64_t PULSE = ONCE_NSEC_PER_SEC / 2;
static const int64_t PULSE_SOON = 50 * ONCE_NSEC_PER_MSEC;
static const int64_t LISTEN_AGAIN = 2 * ONCE_NSEC_PER_SEC;
static const int64_t WAIT_MAX = 15 * ONCE_NSEC_PER_SEC;	  /* for a request to be complete */
static const int64_t ANSWER_MAX = 60 * ONCE_NSEC_PER_SEC; /* for its answer to be taken */
static const int64_t TURN_FREE = 50 * 1000;		  /* a turn that short needs no rest */
static const int64_t STARVED_REST = ONCE_NSEC_PER_SEC / 2;
static const int64_t SAY_AGAIN = 60 * ONCE_NSEC_PER_SEC;
enum { IDLE_S = 10, REST = 4 };

static struct once_instant now_of(struct web *w)
{
	return w->loop->ops->now(w->loop);
}

/* ---- turns ----------------------------------------------------------------------------------- */

static void arm(struct web *w)
{
	MHD_UNSIGNED_LONG_LONG ms;

	w->loop->ops->io_set(w->io, ONCE_IO_READ);
	w->loop->ops->timer_set(w->timer,
		MHD_get_timeout(w->mhd, &ms) == MHD_YES ? (int64_t)ms * ONCE_NSEC_PER_MSEC : -1);
}

static void rest(struct web *w, int64_t ns)
{
	w->resting = true;
	w->loop->ops->io_set(w->io, 0);
	w->loop->ops->timer_set(w->timer, ns);
}

/* Whether a client waits for whom the process may open nothing, which MHD does not tell: that client would be
 * there again at once, and at once again. */
static bool is_starved(struct web *w)
{
	struct pollfd client = {.fd = w->listen_fd, .events = POLLIN};
	struct once_instant now = now_of(w);
	int fd;

	if (poll(&client, 1, 0) <= 0)
		return false;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0) {
		(void)close(fd);
		return false;
	}
	if (w->starved.boot_ns == 0 || once_elapsed_max(w->starved, now) >= SAY_AGAIN) {
		log_warning("http", "%s: clients have to wait: %s", w->config->http_listen,
			strerror(errno));
		w->starved = now;
	}
	return true;
}

static void turn(struct web *w)
{
	struct once_instant start = now_of(w);
	int64_t took;

	(void)MHD_run(w->mhd);
	took = once_elapsed_max(start, now_of(w));
	w->resting = false;
	if (is_starved(w))
		rest(w, STARVED_REST);
	else if (took > TURN_FREE)
		rest(w, REST * took);
	else
		arm(w);
}

static void on_ready(void *userdata, int fd, int events)
{
	struct web *w = userdata;

	if (!w->resting)
		turn(w);
}

static void on_timer(void *userdata)
{
	turn(userdata);
}

void web_turn_soon(struct web *w)
{
	if (w->mhd && !w->resting)
		w->loop->ops->timer_set(w->timer, 0);
}

void web_refresh(struct web *w)
{
	if (w->owner.refresh)
		w->owner.refresh(w->owner.userdata);
}

/* ---- connections ----------------------------------------------------------------------------- */

static void on_connection(void *userdata, struct MHD_Connection *mhd, void **context,
	enum MHD_ConnectionNotificationCode code)
{
	struct web *w = userdata;
	struct web_connection *c = *context;

	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		c = calloc(1, sizeof(*c));
		if (!c)
			return; /* it has MHD's time-out alone */
		c->mhd = mhd;
		c->since = now_of(w);
		list_append(&w->connections, &c->list);
		*context = c;
	} else if (c) {
		list_remove(&c->list);
		free(c);
		*context = NULL;
	}
}

struct web_connection *web_connection_of(struct MHD_Connection *mhd)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	return info ? info->socket_context : NULL;
}

static void on_answered(void *userdata, struct MHD_Connection *mhd, void **request,
	enum MHD_RequestTerminationCode code)
{
	struct web *w = userdata;
	struct web_connection *c = web_connection_of(mhd);

	if (!c)
		return;
	c->busy = c->streams = false;
	c->since = now_of(w);
}

static enum MHD_Result on_request(void *userdata, struct MHD_Connection *mhd, const char *url,
	const char *method, const char *version, const char *upload, size_t *upload_size,
	void **request)
{
	struct web *w = userdata;
	struct web_connection *c = web_connection_of(mhd);

	if (c && !c->busy) {
		c->busy = true;
		c->since = now_of(w);
	}
	return web_answer(w, mhd, url, method, version, upload, upload_size, request);
}

/* Whoever holds a connection for too long loses it: MHD finds it closed. */
static void sweep(struct web *w, struct once_instant now)
{
	const union MHD_ConnectionInfo *info;
	struct list *i;

	list_foreach (i, &w->connections) {
		struct web_connection *c = list_entry(i, struct web_connection, list);

		if (c->streams ||
			once_elapsed_max(c->since, now) < (c->busy ? ANSWER_MAX : WAIT_MAX))
			continue;
		info = MHD_get_connection_info(c->mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
		if (info)
			(void)shutdown(info->connect_fd, SHUT_RDWR);
		w->facts->refused++;
		c->since = now;
	}
}

/* ---- listening ------------------------------------------------------------------------------- */

static struct MHD_Daemon *start_mhd(struct web *w, int fd)
{
	unsigned int flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME;

	return MHD_start_daemon(flags, 0, NULL, NULL, on_request, w, MHD_OPTION_LISTEN_SOCKET, fd,
		MHD_OPTION_CONNECTION_LIMIT, (unsigned int)WEB_CONNECTIONS_MAX,
		MHD_OPTION_PER_IP_CONNECTION_LIMIT, (unsigned int)WEB_CONNECTIONS_OF_ONE,
		MHD_OPTION_CONNECTION_TIMEOUT, (unsigned int)IDLE_S,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)WEB_REQUEST_MAX,
		MHD_OPTION_NOTIFY_CONNECTION, on_connection, w, MHD_OPTION_NOTIFY_COMPLETED,
		on_answered, w, MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_STRICT_FOR_CLIENT,
		1, MHD_OPTION_END);
}

static int serve(struct web *w, int fd)
{
	const union MHD_DaemonInfo *info;

	w->mhd = start_mhd(w, fd);
	if (!w->mhd) {
		(void)close(fd);
		return -ENOMEM;
	}
	w->listen_fd = fd;
	info = MHD_get_daemon_info(w->mhd, MHD_DAEMON_INFO_EPOLL_FD);
	w->io = info ? w->loop->ops->io_new(w->loop, info->epoll_fd, on_ready, w) : NULL;
	if (!w->io) {
		MHD_stop_daemon(w->mhd);
		w->mhd = NULL;
		return -ENOMEM;
	}
	arm(w);
	return 0;
}

static void try_to_listen(struct web *w)
{
	const char *text = w->config->http_listen;
	const char *colon = strrchr(text, ':');
	int port = 0, fd = listen_open(&w->address, &port), r;
	bool first = w->listened.boot_ns == 0;

	w->listened = now_of(w);
	r = fd < 0 ? fd : serve(w, fd);
	if (r < 0) {
		if (first)
			log_err("http", "%s: cannot be listened on: %s; trying again every %d s",
				text, strerror(-r), (int)(LISTEN_AGAIN / ONCE_NSEC_PER_SEC));
		return;
	}
	if (port == 0)
		log_info("http", "status page on %s", text);
	else
		log_info("http", "status page on http://%.*s:%d/", (int)(colon - text), text, port);
}

/* ---- the pulse ------------------------------------------------------------------------------- */

static void set_pulse(struct web *w, int64_t in_ns)
{
	struct once_instant now = now_of(w);

	w->pulse_due = (struct once_instant){now.boot_ns + in_ns, now.raw_ns + in_ns};
	w->loop->ops->timer_set(w->pulse, in_ns);
}

static void on_pulse(void *userdata)
{
	struct web *w = userdata;
	struct once_instant now = now_of(w);

	facts_lag(w->facts, once_elapsed_max(w->pulse_due, now), now);
	if (!w->mhd && once_elapsed_max(w->listened, now) >= LISTEN_AGAIN)
		try_to_listen(w);
	if (w->mhd) {
		sweep(w, now);
		if (w->n_streams > 0) {
			web_refresh(w);
			if (w->owner.looked)
				w->owner.looked(w->owner.userdata);
		}
		web_stream_feed(w, true);
	}
	set_pulse(w, PULSE);
}

void web_changed(struct web *w)
{
	if (!w || w->n_streams == 0)
		return;
	if (once_elapsed_max(now_of(w), w->pulse_due) > PULSE_SOON)
		set_pulse(w, PULSE_SOON);
}

/* ---- life ------------------------------------------------------------------------------------ */

int web_new(struct web **ret, const struct config *config, struct facts *facts,
	struct once_loop *loop, const struct web_owner *owner)
{
	struct web *w = calloc(1, sizeof(*w));
	char why[256];

	if (!w)
		return -ENOMEM;
	w->config = config;
	w->facts = facts;
	w->loop = loop;
	w->owner = *owner;
	list_init(&w->connections);
	list_init(&w->streams);
	w->timer = loop->ops->timer_new(loop, on_timer, w);
	w->pulse = loop->ops->timer_new(loop, on_pulse, w);
	if (!w->timer || !w->pulse || web_paths_init(w) < 0 ||
		listen_parse(&w->address, config->http_listen, why, sizeof(why)) < 0) {
		(void)web_free(w);
		return -ENOMEM;
	}
	try_to_listen(w);
	set_pulse(w, PULSE);
	*ret = w;
	return 0;
}

/* Suspended connections must have been resumed, or MHD aborts. */
static void stop_mhd(struct web *w)
{
	web_stream_end_all(w);
	(void)MHD_run(w->mhd);
	w->loop->ops->io_free(w->io);
	MHD_stop_daemon(w->mhd);
	if (w->address.storage.ss_family == AF_UNIX)
		(void)unlink(((struct sockaddr_un *)&w->address.storage)->sun_path);
}

struct web *web_free(struct web *w)
{
	if (!w)
		return NULL;
	if (w->mhd)
		stop_mhd(w);
	web_paths_fini(w);
	if (w->timer)
		w->loop->ops->timer_free(w->timer);
	if (w->pulse)
		w->loop->ops->timer_free(w->pulse);
	free(w);
	return NULL;
}
