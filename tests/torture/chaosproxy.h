/* What the parts of chaosproxy share: chaosproxy.c starts and obeys, chaosproxy-stream.c moves
 * bytes, chaosproxy-faults.c spoils them. */
#pragma once

#include <ev.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	LINKS_MAX = 16,
	CONNS_MAX = 256,
	READ_SIZE = 16384,
	QUEUE_MAX = 1 << 20,
	MESSAGE_MAX = 65536
};
enum direction { UP, DOWN };

struct chunk {
	struct chunk *next;
	ev_tstamp due;
	size_t size, at;
	char data[];
};

/* What clients send, followed just far enough to know where a message ends. */
struct message {
	char *text;
	size_t size, body_left;
	bool in_body, post, stream;
};

struct conn;

struct pipe {
	struct conn *conn;
	enum direction direction;
	int from, to;
	ev_io reader, writer;
	ev_timer timer;
	struct chunk *head, **tail;
	size_t queued;
	ev_tstamp last_due, drip_next;
	bool ended, end_sent, lossy;
};

struct link {
	int number, fd;
	ev_io acceptor;
	struct sockaddr_in target;
	double delay_min, delay_max, drip_period, replay_delay;
	size_t drip_bytes, cut_bytes, noreply_bytes;
	int cut, noreply, replay, garble;
	bool drop[2], hold[2], halfopen, refuse;
};

struct conn {
	struct conn *next;
	struct link *link;
	struct pipe pipe[2];
	struct message request;
	size_t sent_up, cut_left;
	unsigned matched; /* bytes of the blank line that ends a response's header */
	bool swallow, cutting, mute;
};

struct stats {
	unsigned long accepted, resets, cut, swallowed, replayed, garbled, dropped;
};

extern struct ev_loop *loop;
extern struct conn *conns;
extern int conns_count;
extern bool http;
extern uint64_t prng_state;
extern struct stats stats;

double chance(void);
void *allocate(size_t size);
int connect_to(const struct link *l);

/* chaosproxy-stream.c */
void conn_open(struct link *l, int fd, int up);
void conn_free(struct conn *c, bool reset);
bool pipe_flush(struct pipe *p);

/* chaosproxy-faults.c. spoil_answer: false when the connection is gone. */
void note_request(struct conn *c, const char *data, size_t size);
bool spoil_answer(struct pipe *p, char *data, size_t size);
