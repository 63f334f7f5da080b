/* Whether an operator wants this node to stay away from leadership: a key in etcd, written by oncectl
 * resign --for, on a lease that ends with that time. It outlives the daemon, so a restart changes
 * nothing; who deletes it wants the node back.
 *
 *	away_check() -> absent: fn(-1) the first time, and nothing follows
 *		     -> there: fn(time left), again every few seconds -> gone or over: fn(-1)
 *
 * etcd does not answer: asked again, and what was told last holds for the time it named. */
#ifndef ONCED_AWAY_H
#define ONCED_AWAY_H

#include <once/client.h>
#include <once/loop.h>
#include <once/names.h>

/* left_ns: for so long from now; -1: no longer. */
typedef void away_fn(void *userdata, int64_t left_ns);

struct away {
	struct once_client *client; /* borrowed */
	struct once_loop *loop;	    /* borrowed */
	struct once_timer *timer;
	struct once_call *call;
	enum once_lane lane; /* control, unless said otherwise */
	char key[ONCE_KEY_SIZE];
	bool known, there;
	away_fn *fn;
	void *userdata;
};

/* -EINVAL: a name or the prefix; -ENOMEM. Asks nothing yet. */
int away_init(struct away *away, struct once_client *client, struct once_loop *loop,
	const char *prefix, const char *group, const char *node, away_fn *fn, void *userdata);
/* Idempotent; before the client's end. Of one that is all zero: no effect. */
void away_fini(struct away *away);
/* Looks at the key now. */
void away_check(struct away *away);

#endif
