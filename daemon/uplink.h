/* The agent's end of the link: packets to the guardian, its packets as calls. */
#ifndef ONCED_UPLINK_H
#define ONCED_UPLINK_H

#include "base/list.h"
#include "daemon/link.h"

#include <once/loop.h>
#include <stddef.h>

/* One packet of the guardian, its size checked against its type. */
typedef void uplink_fn(void *userdata, const void *packet);

struct uplink {
	int fd; /* borrowed */
	const struct link_page *page;
	struct once_io *io;
	struct once_loop *loop;
	uplink_fn *fn;
	void *userdata;
	bool gone; /* the guardian does not take packets any more: this process has no business left */
	uint64_t extends; /* sent */
	struct once_instant unseen_since; /* first extension that the guardian has not acted on */
	uint64_t unseen;
	struct list owed; /* orders to stop that did not fit */
};

/* An order to stop, of whoever gives it. */
struct uplink_stop {
	struct list node; /* of uplink->owed, or of no list */
	struct link_stop packet;
	struct once_instant given;
};

int uplink_init(struct uplink *u, int fd, const struct link_page *page, struct once_loop *loop,
	uplink_fn *fn, void *userdata);
void uplink_fini(struct uplink *u);

/* 0; -EAGAIN: full, nothing was sent; other negative errno: u->gone. */
int uplink_send(struct uplink *u, const void *packet, size_t size);
/* With descriptors beside it, at most LINK_FDS_MAX, which stay the caller's. */
int uplink_send_fds(
	struct uplink *u, const void *packet, size_t size, const int *fds, unsigned n_fds);

int uplink_hello(struct uplink *u, const char *instance, const char *runtime_dir);
/* Stop a run (link_stop) within grace. An order that does not fit now is owed, and given as soon as the
 * guardian takes packets again, with the grace that is left by then; another one for the same run meanwhile
 * replaces it, unless it leaves more time. uplink_stop_forget() before *stop goes, or is used anew. */
void uplink_stop_init(struct uplink_stop *stop);
void uplink_stop(struct uplink *u, struct uplink_stop *stop, uint32_t group, uint64_t run, int64_t grace_ns);
void uplink_stop_forget(struct uplink_stop *stop);
int uplink_extend(struct uplink *u, const struct link_extend *extend);
int uplink_notify(struct uplink *u, const char *format, ...) __attribute__((format(printf, 2, 3)));
int uplink_quit(struct uplink *u, int code);

/* How long the guardian has not acted on an extension that was sent; 0 when it has acted on all. */
int64_t uplink_guardian_silent_ns(struct uplink *u);

#endif
