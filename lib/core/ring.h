/* The last events of an election and what was decided at each, in a block of memory that never
 * grows. Because the core is pure, whoever feeds the same events to the same state gets the same
 * actions: what a daemon did in the field can be done again on a desk. docs/replay.md has the whole
 * of it.
 *
 * The ring is a row of segments. Each begins with the state before its first event, so that a
 * replay can begin at the oldest one there is; the next to come replaces that. An event takes some
 * twenty bytes: its fields are written as differences from the state, which whoever replays has
 * too. With each goes a hash of the step: its actions, and the state's role, token, operations and
 * random number.
 *
 * Pure like the rest of core: the caller gives the memory and writes the pieces of a dump.
 * Recording keeps the order that a signal handler needs: at any moment the pieces are a good dump,
 * whose last event may lack its hash when the step did not return. */
#ifndef CORE_RING_H
#define CORE_RING_H

#include "core/election.h"

#include <stddef.h>

struct event_ring;

struct ring_shape {
	uint32_t segments;     /* one of them is being replaced: at least 2 */
	uint32_t events;       /* in a segment, at most */
	uint32_t segment_size; /* bytes; RING_SEGMENT_MIN at least. Full before `events`: ends early
				*/
};

enum { RING_SEGMENT_MIN = 4096 };

/* The last 65536 events, when they take less than 38 bytes each: 2.6 MB, touched as they come. */
#define RING_SHAPE_DEFAULT                                                                         \
	((struct ring_shape){.segments = 65, .events = 1024, .segment_size = 40960})

size_t ring_size(const struct ring_shape *shape);

/* An empty ring in this memory (ring_size() bytes, aligned for anything). Only its first bytes are
 * touched. */
struct event_ring *ring_init(void *memory, const struct ring_shape *shape);

/* election_step(), recorded. ring NULL: not recorded. */
void ring_step(struct event_ring *ring, struct election *e, const struct election_event *event,
	struct election_actions *ret_actions);

/* Events that a dump would hold. */
uint64_t ring_events(const struct event_ring *ring);

/* A dump is the ring's pieces one after another; a piece may be empty. May be called in a signal
 * handler. */
unsigned ring_pieces(const struct event_ring *ring);
size_t ring_piece(const struct event_ring *ring, unsigned i, const void **ret);

/* ---- reading a dump ---- */

struct ring_reader {
	const unsigned char *at, *end; /* of the dump */
	const unsigned char *segment_end;
	uint64_t next;	       /* number of the next event; the first ever is 1 */
	struct election start; /* the state before the first event */
};

struct ring_record {
	uint64_t number;
	struct election_event event;
	uint32_t hash; /* of the step; 0: it did not return */
};

/* NULL, or what is wrong with the dump. Keeps pointing into data. */
const char *ring_open(struct ring_reader *reader, const void *data, size_t size);

/* The next event, given the state that those before have led to. 1: there is one; 0: that was all;
 * negative: the dump is damaged here. */
int ring_next(struct ring_reader *reader, const struct election *e, struct ring_record *ret);

/* Of a step that led to this state; never 0. */
uint32_t ring_hash(const struct election *e, const struct election_actions *actions);

#endif
