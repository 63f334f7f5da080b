/* What lock and elect share: a session, that is a lease kept alive; and the line of those who want
 * the same name.
 *
 *	kv_session_open() -> kv_line_join() -> kv_line_wait() -> held -> kv_session_close()
 *
 * As in the recipes of etcd's own clients, with whom the line is shared: each puts NAME/LEASE, the
 * lease in hexadecimal, and waits for the key that was created just before its own. So one end wakes
 * one, and the order is that of coming.
 *
 * A session is lost when its lease is gone, and 9/10 of its TTL after the last renewal that was
 * answered was sent: before etcd can give the key's name to another. A lost session stays lost. */
#ifndef ONCECTL_KV_SESSION_H
#define ONCECTL_KV_SESSION_H

#include "tools/oncectl/kv/kv.h"

struct kv_session {
	struct ctl *ctl;
	int64_t lease, ttl_s;
	struct once_instant proved; /* when the last renewal that was answered was sent */
	/* Told of each renewal, and of the loss, at once; may be NULL. */
	void (*renewed)(void *userdata);
	void (*on_lost)(void *userdata);
	void *userdata;
	struct once_call *call;
	struct once_timer *renew, *deadline;
	struct once_watch *watch; /* of the key that is waited for, then of the own one */
	const char *prefix, *key; /* NAME/ and NAME/LEASE; owned by the command line's arena */
	int64_t revision;	  /* the key's create_revision */
	int64_t held_revision;	  /* the store's, when the line was found to begin with us */
	bool woken;		  /* something has happened that is worth a look */
	bool lost, interrupted;
};

/* Grants the lease. 0, or the exit code after its line. */
int kv_session_open(struct kv_session *session, struct ctl *ctl, int64_t ttl_s);
/* Sleeps until something has happened to it, or for that long. */
void kv_session_turn(struct kv_session *session, int64_t timeout_ns);
/* Somebody wants it to end. */
void kv_session_interrupt(struct kv_session *session);
void kv_session_lose(struct kv_session *session);
/* Revokes the lease unless that is gone, which deletes the key. 0, or the exit code after its line. */
int kv_session_close(struct kv_session *session);

/* line.c. Each 0, or the exit code after its line. */
int kv_line_join(struct kv_session *session, const char *name, const char *value);
/* Until nobody who came before is there. */
int kv_line_wait(struct kv_session *session);
/* While it is held, instead of kv_session_turn(): who deletes the key ends the session, too. */
void kv_line_hold(struct kv_session *session);

#endif
