/* What etcd holds for the groups that lead here, beside their keys: one list and one stream for all of
 * them, given to the control that each key is for.
 *
 * Happy path: a term begins -> one list of all of it -> ready -> a watch from there on -> each event to whom it
 * is for. The next term to begin has a list of its own, the stream goes on. A stream that ends for good
 * (compaction) begins it all anew. Without a term nothing is asked for. */
#ifndef ONCED_FEED_H
#define ONCED_FEED_H

#include "base/list.h"
#include "daemon/config.h"

#include <once/client.h>

struct control;

struct feed {
	const struct config *config; /* borrowed, as the next two */
	struct once_client *client;
	struct once_loop *loop;
	bool many; /* there are other groups than the default one */
	/* Whose keys of that job are; NULL: of a group that does not lead here. */
	struct control *(*control_of)(void *userdata, const char *job);
	/* A node says that it knows a later etcd than this one: nothing that is read here counts. */
	void (*alarm)(void *userdata, struct once_bytes key);
	void *userdata;
	struct once_timer *timer; /* owned: the next list */
	struct once_call *call;
	struct once_watch *watch;
	struct list members;	     /* controls whose term lasts */
	int64_t revision;	     /* of the latest list: what is older is known */
	int64_t streamed;	     /* the latest event */
	bool renew;		     /* the next list brings a new stream, too */
	struct once_instant listed; /* when the latest list was asked for */
	struct once_instant said;   /* when it was last said that there is none */
	bool unread;		    /* it was, and none came since */
};

int feed_init(struct feed *feed, const struct config *config, struct once_client *client,
	struct once_loop *loop, struct control *(*control_of)(void *userdata, const char *job),
	void (*alarm)(void *userdata, struct once_bytes key), void *userdata);
void feed_fini(struct feed *feed);

/* The control's term begins, ends. Joining twice is leaving before. */
void feed_join(struct feed *feed, struct control *control);
void feed_leave(struct feed *feed, struct control *control);

#endif
