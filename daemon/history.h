/* That etcd is still the one it was. What was seen of it, its cluster and a revision, outlives the process and the
 * boot in a file of the state directory; the client refuses answers that do not continue it (once_client_trust()).
 *
 *	start, or an answer was refused -> DOUBTED: every endpoint is asked by a write of its own
 *	      -> one of them continues what is known, and no node says otherwise -> KNOWN: it was an endpoint's
 *	         fault, or a stale read
 *	      -> none does, or a node says that it knows a later etcd -> LOST: the alarm, also for the others, under
 *	         P/history/; the groups are suspended until an operator has accepted what is there by P/generation
 *	         -> ACCEPTING, V(1 + delta) -> KNOWN
 *
 * Another cluster may go as it came, for its id proves it. An older etcd may not: that it has caught up does not
 * make it the one it was. So that is in the file, too.
 *
 * Failures: a file that cannot be read or written is said; what answers first is then taken for what it is. */
#ifndef ONCED_HISTORY_H
#define ONCED_HISTORY_H

#include "daemon/config.h"
#include "daemon/link.h"

#include <once/client.h>

struct history_owner {
	void *userdata;
	/* No endpoint continues what is known: nothing that etcd says counts. */
	void (*lost)(void *userdata);
	/* It does again, or what is there now was accepted. */
	void (*found)(void *userdata);
};

struct history_probe;

struct history {
	const struct config *config; /* borrowed, as these */
	struct once_client *client;
	struct once_loop *loop;
	const struct history_owner *owner;
	char path[LINK_PATH_MAX + LINK_NAME_MAX + 16]; /* empty: there is no directory */
	char *generation, *alarm, *alarms, *nothing;   /* owned: keys */
	enum { HISTORY_KNOWN, HISTORY_DOUBTED, HISTORY_LOST, HISTORY_ACCEPTING } state;
	struct once_lineage saved,
		known;	 /* in the file; when the endpoints were asked, or since the alarm */
	bool older;	 /* LOST for good, until it is accepted */
	bool complained; /* that it cannot be saved */
	struct once_instant saved_at;
	struct once_timer *timer;     /* owned: the next questions, or the next save */
	struct history_probe *probes; /* owned: one for each endpoint */
	size_t n_probes, n_asked;     /* n_asked: have not answered yet */
	bool told;		      /* etcd holds the alarm */
	int64_t accepted;	      /* what P/generation says; 0: nothing that concerns us */
	struct once_instant accepted_at;
};

/* Reads the file, and has the client believe only what continues it. -ENOMEM. */
int history_init(struct history *h, const struct config *config, struct once_client *client,
	struct once_loop *loop, const char *instance, const struct history_owner *owner);
void history_fini(struct history *h);

/* The client has refused an answer. */
void history_doubt(struct history *h);
/* This key, of a node's alarm, is in etcd. */
void history_heard(struct history *h, struct once_bytes key);
/* A term begins, whose token is not to be given out again: what is known is saved, now or within a second of the last
 * time. */
void history_led(struct history *h);

#endif
