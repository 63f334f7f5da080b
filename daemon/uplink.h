/* The agent's end of the link: packets to the guardian, its packets as calls. */
#ifndef ONCED_UPLINK_H
#define ONCED_UPLINK_H

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
int uplink_extend(struct uplink *u, const struct link_extend *extend);
int uplink_notify(struct uplink *u, const char *format, ...) __attribute__((format(printf, 2, 3)));
int uplink_quit(struct uplink *u, int code);

/* How long the guardian has not acted on an extension that was sent; 0 when it has acted on all. */
int64_t uplink_guardian_silent_ns(struct uplink *u);

#endif
