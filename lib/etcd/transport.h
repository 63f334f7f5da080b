/* The seam between the client and HTTP: one exchange is a POST and its answer.
 *
 * A *generation* is everything that is open to one endpoint: a connection (or, on plaintext, a few)
 * for each lane. It is thrown away as a whole, because a connection that has gone bad cannot be
 * told from one that has not while requests are in flight on it.
 *
 * Rules: start() never calls back; done() comes exactly once unless the exchange was cancelled or
 * its generation freed; a callback is the transport's last touch of everything, so that it may free
 * exchange, generation and transport. */
#ifndef ETCD_TRANSPORT_H
#define ETCD_TRANSPORT_H

#include <once/loop.h>
#include <stdbool.h>
#include <stddef.h>

enum transport_lane { TRANSPORT_CONTROL, TRANSPORT_BULK, TRANSPORT_WATCH, TRANSPORT_LANES };

struct transport;
struct transport_gen;
struct transport_exchange;

struct transport_request {
	enum transport_lane lane;
	const char *path;
	const char *const *headers; /* "Name: value", NULL at the end */
	const void *body;	    /* borrowed until the exchange is over */
	size_t size;
	size_t cap;	    /* largest answer taken; a stream: largest unread rest */
	int64_t timeout_ns; /* 0: none, for streams */
	bool stream;	    /* data() instead of a body */
};

struct transport_result {
	int error;	     /* 0: an answer arrived whole, whatever its status */
	bool sent;	     /* some of the body left this process, so it may take effect */
	bool connected;	     /* the failure was not one of reaching the endpoint */
	int status;	     /* HTTP; 0: none */
	int http_version;    /* 11, 20; 0: not known */
	const char *message; /* of an error; never NULL */
	const void *body;
	size_t size;
};

struct transport_handler {
	/* A stream's next bytes, borrowed. */
	void (*data)(void *userdata, const void *data, size_t size);
	void (*done)(void *userdata, const struct transport_result *result);
};

struct pem;

struct transport_ops {
	/* All generations must be gone. */
	void (*free)(struct transport *transport);
	/* Opens nothing yet. */
	int (*gen_new)(struct transport *transport, struct transport_gen **ret, const char *url);
	/* Ends what is in flight, without callbacks, so that unsent bytes are never delivered. */
	void (*gen_free)(struct transport_gen *gen);
	int (*start)(struct transport_gen *gen, struct transport_exchange **ret,
		const struct transport_request *request, const struct transport_handler *handler,
		void *userdata);
	/* Tells whether some of the body left. */
	bool (*cancel)(struct transport_exchange *exchange);
	/* These certificates for generations that are made from now on. It counts them. */
	void (*use)(struct transport *transport, struct pem *pem);
};

struct transport {
	const struct transport_ops *ops;
};

/* Over libcurl. */
int transport_curl_new(struct transport **ret, struct once_loop *loop,
	struct pem *pem, int64_t connect_timeout_ns);

#endif
