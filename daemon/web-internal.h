/* What the server (web.c: sockets, connections, turns), its paths (web-paths.c) and its streams
 * (web-stream.c) share. */
#ifndef ONCED_WEB_INTERNAL_H
#define ONCED_WEB_INTERNAL_H

#include "base/list.h"
#include "daemon/listen.h"
#include "daemon/web.h"

#include <microhttpd.h>

/* A client's connection; of the list, until MHD says that it has ended. */
struct web_connection {
	struct list list;
	struct MHD_Connection *mhd; /* borrowed */
	struct once_instant since;  /* connected, or last answered */
	bool busy;		    /* a request is being answered */
	bool streams;		    /* its answer is a stream: it may stay */
};

struct web_stream {
	struct list list;
	struct web *web;
	struct MHD_Connection *mhd; /* borrowed */
	struct buf out;		    /* not yet taken by MHD */
	uint64_t line;		    /* number of the latest line of the log it got */
	bool suspended, over;
};

/* A text that is costly to make, kept for those who ask in the same moment. */
struct web_kept {
	struct MHD_Response *response;
	struct once_instant made;
};

enum { WEB_KEPT_STATUS, WEB_KEPT_METRICS, WEB_KEPT_CLASSIC, WEB_KEPT };

struct web {
	const struct config *config; /* borrowed, as these */
	struct facts *facts;
	struct once_loop *loop;
	struct web_owner owner;
	struct listen_address address;
	struct MHD_Daemon *mhd; /* NULL: not listening yet */
	int listen_fd;		/* MHD's */
	struct once_io *io;
	struct once_timer *timer; /* the next turn that is due without a client's doing */
	struct once_timer
		*pulse; /* once in a while: lag, streams, time-outs; and soon after a change */
	struct once_instant pulse_due, listened, pinged;
	struct once_instant starved; /* when that was last said */
	bool resting;
	struct list connections, streams;
	size_t n_streams;
	struct MHD_Response *page;
	struct web_kept kept[WEB_KEPT];
};

/* web.c */
/* MHD has something to do. */
void web_turn_soon(struct web *web);
/* The facts are to be as new as they can be without asking anybody. */
void web_refresh(struct web *web);
/* NULL: no memory was left for it. */
struct web_connection *web_connection_of(struct MHD_Connection *mhd);

/* web-paths.c */
enum MHD_Result web_answer(void *userdata, struct MHD_Connection *connection, const char *url,
	const char *method, const char *version, const char *upload, size_t *upload_size,
	void **request);
int web_paths_init(struct web *web);
void web_paths_fini(struct web *web);

/* web-stream.c */
/* NULL: there are too many, or no memory is left. */
struct MHD_Response *web_stream_new(
	struct web *web, struct MHD_Connection *connection, uint64_t after);
/* What is new goes to every stream; pulse: with what changes all the time. */
void web_stream_feed(struct web *web, bool pulse);
/* Each ends at the next turn. */
void web_stream_end_all(struct web *web);

#endif
