/* What the page shows and the agent does not watch: the nodes that are registered, the latest terms and how
 * they ended, runs of the jobs when another node leads. Read from etcd when somebody looks and at no other
 * time, seldom and bounded, on the lane of bulk work. */
#ifndef ONCED_LOOK_H
#define ONCED_LOOK_H

#include "daemon/facts.h"

struct look;

/* All borrowed until look_free(). changed() comes when facts have. -ENOMEM. */
int look_new(struct look **ret, const struct config *config, struct facts *facts,
	struct once_client *client, struct once_loop *loop, void (*changed)(void *userdata),
	void *userdata);
/* Returns NULL; NULL is fine. */
struct look *look_free(struct look *look);

/* Somebody looks now: reads what is older than a few seconds, or about a leader not known yet. */
void look_now(struct look *look);

#endif
