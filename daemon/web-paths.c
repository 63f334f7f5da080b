/* What is answered to which path. Only GET and HEAD, only these paths, nothing of a request's body; every
 * answer forbids whatever a page of somebody else could do with it. */
#include "daemon/web-internal.h"

#include "base/number.h"
#include "daemon/page.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* So long an answer that is costly to make serves everybody. */
static const int64_t KEEP = 200 * ONCE_NSEC_PER_MSEC;

#define OPENMETRICS "application/openmetrics-text; version=1.0.0; charset=utf-8"
#define CLASSIC "text/plain; version=0.0.4; charset=utf-8"
#define JSON "application/json; charset=utf-8"
#define TEXT "text/plain; charset=utf-8"

/* ---- responses ------------------------------------------------------------------------------- */

static struct MHD_Response *dress(
	struct MHD_Response *response, const char *type, const char *policy)
{
	static const char *const headers[][2] = {
		{MHD_HTTP_HEADER_CACHE_CONTROL, "no-store"},
		{"X-Content-Type-Options", "nosniff"},
		{"X-Frame-Options", "DENY"},
		{"Referrer-Policy", "no-referrer"},
		{"Cross-Origin-Resource-Policy", "same-origin"},
	};

	if (!response)
		return NULL;
	(void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	(void)MHD_add_response_header(response, "Content-Security-Policy", policy);
	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++)
		(void)MHD_add_response_header(response, headers[i][0], headers[i][1]);
	return response;
}

#define NOTHING_ALLOWED "default-src 'none'; frame-ancestors 'none'"

/* Takes the buffer's memory. NULL: it holds no whole text. */
static struct MHD_Response *take(struct buf *out, const char *type)
{
	struct MHD_Response *response = NULL;

	if (buf_error(out) == 0 && out->size > 0)
		response = MHD_create_response_from_buffer(
			out->size, out->data, MHD_RESPMEM_MUST_FREE);
	if (response)
		buf_init(out, 0);
	else
		buf_fini(out);
	return dress(response, type, NOTHING_ALLOWED);
}

static enum MHD_Result reply(struct MHD_Connection *c, int status, struct MHD_Response *response)
{
	enum MHD_Result r;

	if (!response)
		return MHD_NO; /* no memory for an answer: the connection ends */
	r = MHD_queue_response(c, (unsigned int)status, response);
	MHD_destroy_response(response);
	return r;
}

static enum MHD_Result refuse(struct web *w, struct MHD_Connection *c, int status, const char *why)
{
	struct MHD_Response *response =
		dress(MHD_create_response_from_buffer(
			      strlen(why), (void *)(uintptr_t)why, MHD_RESPMEM_PERSISTENT),
			TEXT, NOTHING_ALLOWED);

	w->facts->refused++;
	if (response && status == MHD_HTTP_METHOD_NOT_ALLOWED)
		(void)MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
	if (response && status == MHD_HTTP_SERVICE_UNAVAILABLE)
		(void)MHD_add_response_header(response, MHD_HTTP_HEADER_RETRY_AFTER, "1");
	return reply(c, status, response);
}

/* ---- paths ----------------------------------------------------------------------------------- */

typedef void render_fn(struct facts *facts, struct buf *out, struct once_instant now);

static void render_metrics(struct facts *f, struct buf *out, struct once_instant now)
{
	facts_metrics(f, out, false, now);
}

static void render_classic(struct facts *f, struct buf *out, struct once_instant now)
{
	facts_metrics(f, out, true, now);
}

/* A text of a moment ago, or made now. */
static enum MHD_Result serve_kept(struct web *w, struct MHD_Connection *c, int which)
{
	static const struct {
		render_fn *render;
		const char *type;
	} texts[WEB_KEPT] = {[WEB_KEPT_STATUS] = {facts_status, JSON},
		[WEB_KEPT_METRICS] = {render_metrics, OPENMETRICS},
		[WEB_KEPT_CLASSIC] = {render_classic, CLASSIC}};
	struct web_kept *kept = &w->kept[which];
	struct once_instant now = w->loop->ops->now(w->loop);
	struct buf out;

	if (!kept->response || once_elapsed_max(kept->made, now) >= KEEP) {
		if (kept->response)
			MHD_destroy_response(kept->response);
		buf_init(&out, WEB_METRICS_MAX);
		web_refresh(w);
		texts[which].render(w->facts, &out, now);
		kept->response = take(&out, texts[which].type);
		kept->made = now;
	}
	if (!kept->response)
		return refuse(w, c, MHD_HTTP_SERVICE_UNAVAILABLE, "out of memory\n");
	return MHD_queue_response(c, MHD_HTTP_OK, kept->response);
}

/* Prometheus names what it understands; whoever names only the older form gets that. */
static int metrics_form(struct MHD_Connection *c)
{
	const char *accept =
		MHD_lookup_connection_value(c, MHD_HEADER_KIND, MHD_HTTP_HEADER_ACCEPT);

	return accept && strstr(accept, "text/plain") && !strstr(accept, "openmetrics")
		       ? WEB_KEPT_CLASSIC
		       : WEB_KEPT_METRICS;
}

static enum MHD_Result serve_events(struct web *w, struct MHD_Connection *c)
{
	const char *last = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Last-Event-ID");
	struct web_connection *connection = web_connection_of(c);
	struct MHD_Response *response;
	uint64_t after = 0;

	if (last && number_parse_u64(last, strlen(last), &after) < 0)
		after = 0;
	response = dress(
		web_stream_new(w, c, after), "text/event-stream; charset=utf-8", NOTHING_ALLOWED);
	if (!response)
		return refuse(w, c, MHD_HTTP_SERVICE_UNAVAILABLE, "too many streams of events\n");
	if (connection)
		connection->streams = true;
	return reply(c, MHD_HTTP_OK, response);
}

static enum MHD_Result serve_health(struct web *w, struct MHD_Connection *c, const char *path)
{
	const char *name = MHD_lookup_connection_value(c, MHD_GET_ARGUMENT_KIND, "group");
	struct facts_group *group = name ? facts_group(w->facts, name) : w->facts->groups[0];
	struct buf out;
	int status;

	if (!group)
		return refuse(w, c, MHD_HTTP_NOT_FOUND, "this node has no such group\n");
	buf_init(&out, 4096);
	web_refresh(w);
	status = facts_health(w->facts, path, group, w->loop->ops->now(w->loop), &out);
	if (status == 0) {
		buf_fini(&out);
		return refuse(w, c, MHD_HTTP_NOT_FOUND,
			"no such path, expected / /status /events /metrics /health /leader "
			"/follower "
			"/readiness or /liveness\n");
	}
	return reply(c, status, take(&out, JSON));
}

/* ---- who asks -------------------------------------------------------------------------------- */

/* A page of somebody else whose name leads here (DNS rebinding) shows by that name. Where only this host
 * can come from, names other than localhost are nobody's. */
static bool host_is_ours(struct web *w, struct MHD_Connection *c)
{
	const char *host = MHD_lookup_connection_value(c, MHD_HEADER_KIND, MHD_HTTP_HEADER_HOST);
	size_t n;

	if (!host || !w->address.local || w->address.storage.ss_family == AF_UNIX)
		return true;
	if (host[0] == '[')
		return true;
	n = strcspn(host, ":");
	return strspn(host, "0123456789.") == n ||
	       (n == 9 && strncasecmp(host, "localhost", 9) == 0);
}

enum MHD_Result web_answer(void *userdata, struct MHD_Connection *c, const char *url,
	const char *method, const char *version, const char *upload, size_t *upload_size,
	void **request)
{
	struct web *w = userdata;

	if (!*request) { /* the headers are there; an answer now would end the connection */
		*request = w;
		w->facts->requests++;
		if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
			return refuse(w, c, MHD_HTTP_METHOD_NOT_ALLOWED, "GET and HEAD only\n");
		return MHD_YES;
	}
	if (*upload_size > 0) { /* a body that nobody asked for */
		*upload_size = 0;
		return MHD_YES;
	}
	if (!host_is_ours(w, c))
		return refuse(w, c, MHD_HTTP_FORBIDDEN,
			"the Host header names another host, expected localhost or an address\n");
	if (strcmp(url, "/metrics") == 0)
		return serve_kept(w, c, metrics_form(c));
	if (strcmp(url, "/") != 0 && strcmp(url, "/status") != 0 && strcmp(url, "/events") != 0)
		return serve_health(w, c, url);
	web_refresh(w);
	if (w->owner.looked)
		w->owner.looked(w->owner.userdata);
	if (strcmp(url, "/status") == 0)
		return serve_kept(w, c, WEB_KEPT_STATUS);
	if (strcmp(url, "/events") == 0)
		return serve_events(w, c);
	return MHD_queue_response(c, MHD_HTTP_OK, w->page);
}

/* ---- life ------------------------------------------------------------------------------------ */

int web_paths_init(struct web *w)
{
	w->page = dress(MHD_create_response_from_buffer(
				page_size, (void *)(uintptr_t)page_text, MHD_RESPMEM_PERSISTENT),
		"text/html; charset=utf-8",
		"default-src 'none'; connect-src 'self'; img-src data:; base-uri 'none'; "
		"form-action 'none'; "
		"frame-ancestors 'none'; script-src " PAGE_SCRIPT_HASH
		"; style-src " PAGE_STYLE_HASH);
	return w->page ? 0 : -ENOMEM;
}

void web_paths_fini(struct web *w)
{
	if (w->page)
		MHD_destroy_response(w->page);
	for (size_t i = 0; i < WEB_KEPT; i++)
		if (w->kept[i].response)
			MHD_destroy_response(w->kept[i].response);
}
