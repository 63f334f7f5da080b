/* What the files of the transport over libcurl share; transport-curl.c says how it works. */
#ifndef ETCD_CURL_H
#define ETCD_CURL_H

#include "base/buf.h"
#include "base/list.h"
#include "etcd/pem.h"
#include "etcd/transport.h"
#include <curl/curl.h>

struct transport_curl {
	struct transport base; /* first */
	struct once_loop *loop;
	struct pem *pem; /* a reference */
	int64_t connect_timeout_ns;
	uint64_t n_gens;   /* ever made */
	struct list ready; /* exchanges that have something to hand out */
	struct once_timer *deliver;
	struct list spare;
	size_t n_spare;
};

struct lane {
	struct transport_gen *gen; /* up */
	enum transport_lane which;
	CURLM *multi; /* made at first use */
	bool reset;   /* what is closed now is given up */
	bool answered; /* something came over it */
	struct once_timer *timer;
	struct list sockets;
};

struct lane_socket {
	struct list in_lane;
	struct lane *lane;
	struct once_io *io;
};

struct transport_gen {
	struct transport_curl *transport; /* up */
	uint64_t serial;		  /* from 1 */
	char *url;			  /* scheme://host:port */
	char *host, *port;
	bool tls, known;	   /* known: libcurl needs no name service */
	struct resolve *resolve;   /* while the question is out */
	struct curl_slist *answer; /* CURLOPT_RESOLVE */
	bool abandoned;
	struct lane lanes[TRANSPORT_LANES];
	struct list exchanges;
};

struct transport_exchange {
	struct list in_gen, in_ready; /* in_gen: also of the spare list */
	struct lane *lane;
	CURL *easy;
	struct pem *pem; /* what it was told, a reference; NULL: nothing yet */
	/* What the easy handle was told last, kept with a spare one: to tell it again costs more than
	 * the rest of a small request. */
	struct {
		uint64_t gen; /* 0: nothing */
		enum transport_lane lane;
		bool stream;
		const char *path; /* static */
	} told;
	struct curl_slist *headers;
	struct once_timer *timer;
	const char *body; /* borrowed */
	size_t size, offset;
	struct buf in;
	bool stream, added, ended;
	int no_socket; /* why it got none, an errno */
	const struct transport_handler *handler;
	void *userdata;
	struct transport_result result;
	char message[CURL_ERROR_SIZE];
};

/* ---- curl-lane.c: connections of a lane, driven by the loop ---------------------------------- */

int lane_open(struct lane *lane);
void lane_close(struct lane *lane);
/* Moves what has ended to the ready list; after each call that makes libcurl do something. */
void lane_collect(struct lane *lane);
/* Takes the transfer from libcurl. */
void lane_detach(struct transport_exchange *ex);
/* Options of every transfer: how its sockets are opened and closed. */
void lane_set_sockets(struct transport_exchange *ex);

/* ---- curl-exchange.c: one request and its answer --------------------------------------------- */

/* A spare one or a new one; NULL: no memory. */
struct transport_exchange *exchange_new(struct transport_curl *transport);
/* Frees it, or keeps it as a spare. */
void exchange_free(struct transport_exchange *ex);
/* For good, one that is in no generation. */
void exchange_destroy(struct transport_curl *transport, struct transport_exchange *ex);
int exchange_prepare(
	struct transport_exchange *ex, struct lane *lane, const struct transport_request *request);
/* Gives it to libcurl. */
int exchange_add(struct transport_exchange *ex);
/* It has something to hand out. */
void exchange_make_ready(struct transport_exchange *ex);
/* What ended it, for the ready list. */
void exchange_end_with(struct transport_exchange *ex, CURLcode code);
/* Hands out one item; its last touch of everything. */
void exchange_deliver(struct transport_curl *transport);

/* ---- curl-refusal.c: whose certificate was refused, and why ------------------------------------- */

/* Rewrites the message of a failed exchange, and what it counts as. */
void refusal_explain(struct transport_exchange *ex, CURLcode code);

#endif
