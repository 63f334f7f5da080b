/* Where the status page is served: Listen= of [Http] as text and as a socket address. */
#ifndef ONCED_LISTEN_H
#define ONCED_LISTEN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

struct listen_address {
	struct sockaddr_storage storage;
	socklen_t size;
	bool local; /* nobody beyond this host can reach it: a unix socket, or loopback */
};

/* "/run/onced/http.sock", "127.0.0.1:7780", "[::1]:7780", "localhost:7780". -EINVAL: none of these, with
 * one line in why that says what was expected. */
int listen_parse(struct listen_address *ret, const char *text, char *why, size_t size);

/* A listening socket that never blocks. A unix socket that nobody listens on any more is replaced. Negative
 * errno: -EADDRINUSE when somebody does. *ret_port: the one in use (0 was "any"), for unix sockets 0. */
int listen_open(const struct listen_address *address, int *ret_port);

#endif
