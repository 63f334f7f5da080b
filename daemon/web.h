/* The status page, the metrics and the health paths over HTTP, by libmicrohttpd, on the agent's own loop.
 *
 * It must never cost the agent a beat: the server's share of the loop's time is bounded, whatever clients
 * do, and so are their number, their requests' size and time, and what is rendered for them. Reads facts,
 * changes nothing, knows no secret. docs/monitoring.md says why it is no process or thread of its own. */
#ifndef ONCED_WEB_H
#define ONCED_WEB_H

#include "daemon/facts.h"

#include <once/loop.h>

enum {
	WEB_CONNECTIONS_MAX = 64,
	WEB_CONNECTIONS_OF_ONE = 32, /* of one address */
	WEB_STREAMS_MAX = 16,
	WEB_REQUEST_MAX = 8 * 1024, /* bytes of a request's line and headers together, about */
	WEB_METRICS_MAX = 16 << 20, /* bytes; a thousand groups and jobs take a tenth */
};

struct web;

struct web_owner {
	void *userdata;
	/* Facts are about to be read. Optional, as this. */
	void (*refresh)(void *userdata);
	/* Somebody looks: what is not known well enough may be read. */
	void (*looked)(void *userdata);
};

/* Serves on config->http_listen. config and facts are borrowed until web_free(). What cannot be had now (the
 * address is in use) is said in the log and tried again every few seconds. -ENOMEM. */
int web_new(struct web **ret, const struct config *config, struct facts *facts,
	struct once_loop *loop, const struct web_owner *owner);
/* Closes every connection at once. Returns NULL; NULL is fine. */
struct web *web_free(struct web *web);

/* Something changed: whoever has the page open is told soon. NULL is fine. */
void web_changed(struct web *web);

#endif
