/* A little etcd behind the fake transport: one store with revisions, leases and watches, in virtual
 * time. Any number of transports may be its clients. What becomes of a request is said by the test:
 * answered, its answer lost, itself lost, delivered late, after the client has given up, or made and
 * said to be refused. */
#ifndef FAKE_ETCD_H
#define FAKE_ETCD_H

#include "tests/fake/transport.h"

enum { FAKE_KEYS = 512, FAKE_EVENTS = 65536, FAKE_LEASES = 1024, FAKE_LATE = 256 };

struct fake_kv {
	char key[256];
	char *value; /* owned, as base64 */
	int64_t create, mod, version, lease;
};

struct fake_event {
	int64_t revision;
	bool put;
	struct fake_kv kv;
};

struct fake_lease {
	int64_t id, ttl_s, expires_ns; /* id 0: gone */
};

enum fake_fate {
	FATE_ANSWERED,
	FATE_ANSWER_LOST,
	FATE_REQUEST_LOST,
	FATE_LATE,	  /* the client hears of a broken connection; the request arrives later */
	FATE_UNREACHABLE, /* never sent */
	FATE_OVER_QUOTA,  /* a write is made, and answered as those that NOSPACE refuses */
	FATES,
};

struct fake_etcd {
	struct fake_loop *loop;
	int64_t revision, last_lease;
	size_t n_kvs, n_events, n_leases, n_late;
	struct fake_kv kvs[FAKE_KEYS];
	struct fake_event *events; /* FAKE_EVENTS of them */
	struct fake_lease leases[FAKE_LEASES];
	struct {
		char path[64];
		char *body;
	} late[FAKE_LATE];
	size_t n_txns; /* applied */
};

struct fake_etcd *fake_etcd_new(struct fake_loop *loop);
void fake_etcd_free(struct fake_etcd *etcd);

/* The oldest unary request of that client; false: none waits. */
bool fake_etcd_serve(struct fake_etcd *etcd, struct transport_fake *client, enum fake_fate fate);
/* Delivers what came late, oldest first; false: nothing does. */
bool fake_etcd_deliver_late(struct fake_etcd *etcd);
/* Ends leases that are due, tells the client's watches what happened. */
void fake_etcd_tick(struct fake_etcd *etcd, struct transport_fake *client);

/* Behind the clients' back. */
void fake_etcd_put(struct fake_etcd *etcd, const char *key, const char *value, int64_t lease);
void fake_etcd_delete(struct fake_etcd *etcd, const char *key);
const struct fake_kv *fake_etcd_get(const struct fake_etcd *etcd, const char *key);
/* Its value as text, freed by the caller; NULL: absent. */
char *fake_etcd_value(const struct fake_etcd *etcd, const char *key);

#endif
