/* A transport whose server is the test: it sees what was posted and says what comes back. */
#ifndef FAKE_TRANSPORT_H
#define FAKE_TRANSPORT_H

#include "base/list.h"
#include "etcd/transport.h"
#include "tests/fake/loop.h"

struct transport_exchange {
	struct list in_gen, in_transport;
	struct transport_gen *gen;
	enum transport_lane lane;
	char path[64];
	char *body; /* as text */
	char headers[512];
	int64_t timeout_ns;
	struct once_timer *timer;
	bool stream, sent;
	int64_t mark; /* the server's own: see etcd.c */
	const struct transport_handler *handler;
	void *userdata;
};

struct transport_gen {
	struct transport_fake *transport;
	char url[128];
	struct list exchanges;
};

struct transport_fake {
	struct transport base; /* first */
	struct fake_loop *loop;
	struct list exchanges; /* waiting for an answer, oldest first */
	size_t n_started, n_gens, n_cut;
	bool refuse_start; /* the next start fails with -ENOMEM */
	size_t piece;	   /* bytes of a stream's answer that come at once; 0: all */
	bool *dead;	   /* while one is handed out: set when all is freed */
};

struct transport_fake *fake_transport_new(struct fake_loop *loop);
/* The oldest one that waits, optionally with this path; NULL: none. */
struct transport_exchange *fake_pending(struct transport_fake *transport, const char *path);
/* A stream's with status 200 comes as data. */
void fake_answer(struct transport_exchange *exchange, int status, const char *body);
/* Some bytes of a stream. */
void fake_data(struct transport_exchange *exchange, const char *data);
void fake_fail(struct transport_exchange *exchange, int error, bool sent, bool connected);

#endif
