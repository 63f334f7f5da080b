/* Certificates, key and password that are replaced on disk while the daemon runs; see renewal.c. */
#ifndef ONCED_RENEWAL_H
#define ONCED_RENEWAL_H

#include "daemon/config.h"
#include <once/client.h>
#include <once/loop.h>
#include <sys/types.h>
#include <time.h>

enum { RENEWAL_FILES = 4 };

/* What tells one state of a file from another; all zero: there is none. */
struct renewal_mark {
	dev_t device;
	ino_t inode;
	off_t size;
	struct timespec modified, changed;
};

struct renewal {
	const struct config *config; /* borrowed */
	struct once_client *client;  /* borrowed */
	struct once_loop *loop;
	struct once_timer *timer;
	struct renewal_mark used[RENEWAL_FILES], seen[RENEWAL_FILES];
};

/* Before the files are read, so that no change is missed. -ENOMEM. */
int renewal_init(struct renewal *r, struct once_loop *loop, const struct config *config);
/* Looks after the files from now on, for this client. */
void renewal_start(struct renewal *r, struct once_client *client);
/* The files that the configuration names now are about to be read by somebody else. */
void renewal_reading(struct renewal *r);
void renewal_fini(struct renewal *r);

#endif
