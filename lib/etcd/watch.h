/* What the files of a watch share: watch.c has its life and its streams, watch-line.c what a line of
 * a stream means, watch-range.c the fragments of a range that wait to be whole. */
#ifndef ETCD_WATCH_H
#define ETCD_WATCH_H

#include "etcd/internal.h"
#include "etcd/split.h"

enum watch_state { AWAIT_TURN, AWAIT_LOGIN, AWAIT_CREATED, LIVE };

struct watch_range {
	struct once_watch_range config; /* key and range_end owned */
	int64_t next;			/* revision; 0: now */
	bool created;
	struct list pieces; /* of an answer that is not whole yet */
};

struct once_watch {
	struct list in_client;
	struct once_client *client;
	enum watch_state state;
	struct watch_range *ranges;
	size_t n_ranges, n_created;
	bool progress_notify, busy, dead, broken_told;
	int64_t silence_ns, wait_ns;
	unsigned int logins;
	uint64_t token;
	struct once_timer *timer; /* turn, login, confirmation, silence: by state */
	struct auth_waiter waiter;
	struct client_gen *gen;
	struct transport_exchange *exchange;
	struct codec_request request;
	struct split split;
	uint64_t raft_term, cluster_id, member_id; /* of the latest line */
	uint64_t stream; /* counts them, so that an old one's lines are told from a new one's */
	struct once_instant live_since;
	char why[256]; /* of a break that is to be told */
	int error;
	once_watch_fn *fn;
	void *userdata;
};

/* ---- watch-range.c --------------------------------------------------------------------------- */

/* Events in the order they came, none of them seen before. */
struct watch_batch {
	struct once_event *events;
	size_t n;
	int64_t revision; /* the store's, as the answer told it */
	int64_t last;	  /* revision of the last event */
	struct list pieces;
};

/* True: line, not empty, begins a revision later than those kept, which are whole therefore. */
bool watch_range_is_border(const struct watch_range *range, const struct codec_watch_line *line);

/* Keeps line, a fragment, and takes it over; nothing is owed to it then. -ENOMEM: it does not. */
int watch_range_keep(struct watch_range *range, struct codec_watch_line *line);

/* What was kept and then line, which may be NULL and has to live as long as the batch. What is
 * kept moves into the batch. -ENOMEM: nothing moved. */
int watch_range_take(
	struct watch_range *range, const struct codec_watch_line *line, struct watch_batch *ret);
void watch_batch_fini(struct watch_batch *batch);

void watch_range_drop(struct watch_range *range);

/* ---- watch-line.c ---------------------------------------------------------------------------- */

/* Reads the lines that have come whole and reports them. False: the watch is gone, or its stream. */
bool watch_take_lines(struct once_watch *w);

/* The server ended one range, or the stream. Always false. */
bool watch_refused(struct once_watch *w, const struct codec_watch_line *line);

/* ---- watch.c --------------------------------------------------------------------------------- */

/* Calls the user. False: the watch is gone. */
bool watch_report(struct once_watch *w, struct once_watch_report *report);

/* The last report, and the end. Always false. */
bool watch_end(struct once_watch *w, enum once_watch_note note, int64_t revision, int error,
	const char *message);

/* Ends the stream; the break is told, and the next stream tried, from the timer. */
void watch_break(struct once_watch *w, int error, const char *why);

/* And the stream's endpoint is not to be trusted with the next one. Always false. */
bool watch_break_and_leave(struct once_watch *w, int error, const char *why);

/* Refused too often: the next turn tells it as the end. */
enum { WATCH_LOGINS_MAX = 2 };

#endif
