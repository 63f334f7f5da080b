/* The ring: where records go, what a dump is made of. See ring.h.
 *
 * A segment on disk is its head and as much of its data as is used; the dump is the ring's head and
 * the segments from the oldest on. All of it in native layout: a dump is read where the daemon was
 * built, and the head says when it is not. */
#include "core/ring.h"

#include "core/ring-code.h"

#include <string.h>

enum { RING_VERSION = 1, HASH_SIZE = sizeof(uint32_t) };

/* "onceRing" */
#define RING_MAGIC UINT64_C(0x676e695265636e6f)
#define HASH_START UINT64_C(0xcbf29ce484222325)

struct segment {
	uint64_t number;	/* of the first event; 0: there is none */
	uint64_t check;		/* of the state */
	uint32_t n, used;	/* events, bytes of data */
	struct election before; /* the state before the first event */
	unsigned char data[];
};

/* In a dump, the first piece. */
struct event_ring {
	uint64_t magic;
	uint32_t version, head_size;
	uint64_t layout;
	struct ring_shape shape;
	uint32_t touched; /* segments that hold or held anything */
	uint32_t current;
	uint64_t next; /* number of the next event */
};

static uint64_t mix(uint64_t h, uint64_t x)
{
	h = (h ^ x) * UINT64_C(0x9e3779b97f4a7c15);
	return h ^ h >> 29;
}

/* Changes with every change of what a dump holds as it is in memory. */
static uint64_t layout(void)
{
	static const size_t parts[] = {
		sizeof(struct event_ring),
		sizeof(struct segment),
		sizeof(struct election),
		sizeof(struct election_event),
		sizeof(struct election_action),
		offsetof(struct election, role),
		offsetof(struct election, random),
		offsetof(struct election, revisions),
		offsetof(struct election, last),
		offsetof(struct election, list),
		offsetof(struct election, complained),
		offsetof(struct election, lease),
		offsetof(struct election, request),
		offsetof(struct election, token),
		offsetof(struct election, ready),
		offsetof(struct election, reason),
		offsetof(struct election, stop),
		offsetof(struct election, recovered),
		ELECTION_KEYS,
		ELECTION_NOTES,
		ELECTION_OVER,
		ELECTION_ENDED,
		ELECTION_RESUME,
		offsetof(struct election, suspended),
	};
	uint64_t h = HASH_START;

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		h = mix(h, parts[i]);
	return h;
}

static uint64_t check_of(const struct election *e)
{
	const unsigned char *bytes = (const unsigned char *)e;
	uint64_t h = HASH_START;

	for (size_t i = 0; i < sizeof(*e); i++)
		h = (h ^ bytes[i]) * UINT64_C(0x100000001b3);
	return h;
}

/* What comes before is in memory before what comes after: a signal handler may look at any moment.
 */
static inline void settle(void)
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

static size_t head_size(void)
{
	return (sizeof(struct event_ring) + 63) & ~(size_t)63;
}

static struct segment *segment_at(const struct event_ring *r, uint32_t i)
{
	unsigned char *base = (unsigned char *)(uintptr_t)r;
	return (struct segment *)(void *)(base + head_size() + (size_t)i * r->shape.segment_size);
}

size_t ring_size(const struct ring_shape *shape)
{
	return head_size() + (size_t)shape->segments * shape->segment_size;
}

struct event_ring *ring_init(void *memory, const struct ring_shape *shape)
{
	struct event_ring *r = memory;

	memset(r, 0, sizeof(*r));
	r->magic = RING_MAGIC;
	r->version = RING_VERSION;
	r->head_size = sizeof(*r);
	r->layout = layout();
	r->shape = *shape;
	r->next = 1;
	return r;
}

/* ---- recording ---- */

static struct segment *segment_begin(struct event_ring *r, const struct election *e)
{
	uint32_t i = r->touched == 0 ? 0 : (r->current + 1) % r->shape.segments;
	struct segment *s = segment_at(r, i);

	s->number = 0;
	settle();
	s->n = s->used = 0;
	s->before = *e;
	s->check = check_of(&s->before);
	settle();
	s->number = r->next;
	if (r->touched <= i)
		r->touched = i + 1;
	settle();
	r->current = i;
	return s;
}

/* Where the hash of the step goes. */
static unsigned char *record(
	struct event_ring *r, const struct election *e, const struct election_event *event)
{
	struct segment *s = segment_at(r, r->current);
	size_t room = r->shape.segment_size - sizeof(*s), size;
	unsigned char *at;

	if (r->touched == 0 || s->n >= r->shape.events ||
		room - s->used < HASH_SIZE + RING_EVENT_MAX)
		s = segment_begin(r, e);
	at = s->data + s->used;
	memset(at, 0, HASH_SIZE);
	size = ring_encode(at + HASH_SIZE, e, event);
	settle();
	s->used += (uint32_t)(HASH_SIZE + size); /* now it is in the ring */
	s->n++;
	r->next++;
	return at;
}

static uint64_t mix_action(uint64_t h, const struct election_action *a)
{
	unsigned flags = (a->fresh ? 1U : 0) | (a->as_delete ? 2U : 0) | (a->clean ? 4U : 0) |
			 (a->reserve ? 8U : 0) | (a->rewatch ? 16U : 0) |
			 (a->saved.ready ? 32U : 0);

	h = mix(h, (uint64_t)a->kind | (uint64_t)a->reason << 8 | (uint64_t)a->note << 16 |
			   (uint64_t)flags << 24 | (uint64_t)a->op << 32);
	h = mix(h, (uint64_t)a->token);
	h = mix(h, (uint64_t)a->lease);
	h = mix(h, (uint64_t)a->beat_mod);
	h = mix(h, (uint64_t)a->clean_before);
	h = mix(h, (uint64_t)a->grace);
	h = mix(h, (uint64_t)a->proved.boot_ns);
	h = mix(h, (uint64_t)a->proved.raw_ns);
	h = mix(h, (uint64_t)a->saved.token);
	h = mix(h, (uint64_t)a->saved.lease);
	h = mix(h, a->saved.incarnation);
	return mix(h, (uint64_t)a->duration);
}

uint32_t ring_hash(const struct election *e, const struct election_actions *actions)
{
	uint64_t h = mix(HASH_START, (uint64_t)e->role | (uint64_t)e->last_op << 8);

	h = mix(h, (uint64_t)e->token);
	h = mix(h, e->random);
	h = mix(h, e->request.op | (uint64_t)e->list.op << 32);
	h = mix(h, e->lease.op | (uint64_t)actions->n << 32);
	for (unsigned i = 0; i < actions->n; i++)
		h = mix_action(h, &actions->v[i]);
	h ^= h >> 32;
	return (uint32_t)h ? (uint32_t)h : 1;
}

void ring_step(struct event_ring *ring, struct election *e, const struct election_event *event,
	struct election_actions *ret_actions)
{
	unsigned char *at = ring ? record(ring, e, event) : NULL;
	uint32_t hash;

	election_step(e, event, ret_actions);
	if (!at)
		return;
	hash = ring_hash(e, ret_actions);
	memcpy(at, &hash, sizeof(hash));
}

/* ---- a dump ---- */

static bool is_good(const struct event_ring *r, const struct segment *s)
{
	return s->number != 0 && s->used != 0 && s->used <= r->shape.segment_size - sizeof(*s);
}

/* The i-th from the oldest. */
static const struct segment *by_age(const struct event_ring *r, unsigned i)
{
	return segment_at(r, (r->current + 1 + i) % r->touched);
}

uint64_t ring_events(const struct event_ring *r)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < r->touched; i++)
		if (is_good(r, by_age(r, i)))
			n += by_age(r, i)->n;
	return n;
}

unsigned ring_pieces(const struct event_ring *r)
{
	return 1 + r->touched;
}

size_t ring_piece(const struct event_ring *r, unsigned i, const void **ret)
{
	const struct segment *s;

	*ret = r;
	if (i == 0)
		return sizeof(*r);
	s = by_age(r, i - 1);
	*ret = s;
	return is_good(r, s) ? sizeof(*s) + s->used : 0;
}

/* ---- reading ---- */

/* NULL, or what is wrong. */
static const char *segment_enter(struct ring_reader *reader, struct segment *head)
{
	if ((size_t)(reader->end - reader->at) < sizeof(*head))
		return "the file ends within a segment";
	memcpy(head, reader->at, sizeof(*head));
	reader->at += sizeof(*head);
	if (head->used > (size_t)(reader->end - reader->at))
		return "the file ends within a segment";
	if (check_of(&head->before) != head->check || head->used == 0)
		return "a segment is damaged";
	reader->segment_end = reader->at + head->used;
	return NULL;
}

const char *ring_open(struct ring_reader *reader, const void *data, size_t size)
{
	struct event_ring head;
	struct segment first;
	const char *wrong;

	memset(reader, 0, sizeof(*reader));
	if (size < sizeof(head))
		return "too short to be a dump of an event ring";
	memcpy(&head, data, sizeof(head));
	if (head.magic != RING_MAGIC)
		return "not a dump of an event ring";
	if (head.version != RING_VERSION || head.head_size != sizeof(head) ||
		head.layout != layout())
		return "of another version: replay it with the sim of the daemon's build";
	reader->at = (const unsigned char *)data + sizeof(head);
	reader->end = (const unsigned char *)data + size;
	if (reader->at == reader->end)
		return "holds no events";
	wrong = segment_enter(reader, &first);
	if (wrong)
		return wrong;
	reader->start = first.before;
	reader->start.out = NULL;
	reader->next = first.number;
	return NULL;
}

int ring_next(struct ring_reader *reader, const struct election *e, struct ring_record *ret)
{
	struct segment head;
	size_t size;

	if (reader->at == reader->segment_end) {
		if (reader->at == reader->end)
			return 0;
		if (segment_enter(reader, &head) || head.number != reader->next)
			return -1;
	}
	if ((size_t)(reader->segment_end - reader->at) < HASH_SIZE)
		return -1;
	memcpy(&ret->hash, reader->at, HASH_SIZE);
	reader->at += HASH_SIZE;
	size = ring_decode(reader->at, (size_t)(reader->segment_end - reader->at), e, &ret->event);
	if (size == 0)
		return -1;
	reader->at += size;
	ret->number = reader->next++;
	return 1;
}
