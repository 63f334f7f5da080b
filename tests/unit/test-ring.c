/* core/ring.h: an event comes out as it went in, and at any moment a dump is a good one. The
 * election's step is wrapped: in it, as in a signal handler, a dump is taken. */
#include "core/ring-code.h"
#include "core/ring.h"
#include "unit.h"

enum { DUMP_MAX = 1 << 20 };

static const struct election_config config = {
	.lease_ttl = 3000000000,
	.fence_after = 1500000000,
	.beat_interval = 150000000,
	.request_timeout = 300000000,
	.stop_grace = 300000000,
	.kill_budget = 200000000,
	.drift_ppm = 100000,
	.incarnation = UINT64_C(0xfedcba9876543210),
	.seed = 7,
	.seize = true,
};

static struct event_ring *looked_at; /* NULL: no dump within the step */
static unsigned char within[DUMP_MAX];
static size_t within_size;

static size_t dump(const struct event_ring *ring, unsigned char *out)
{
	size_t at = 0;

	for (unsigned i = 0; i < ring_pieces(ring); i++) {
		const void *piece;
		size_t size = ring_piece(ring, i, &piece);

		assert_true(at + size <= DUMP_MAX);
		memcpy(out + at, piece, size);
		at += size;
	}
	return at;
}

void __real_election_step(
	struct election *e, const struct election_event *event, struct election_actions *ret);
void __wrap_election_step(
	struct election *e, const struct election_event *event, struct election_actions *ret);

void __wrap_election_step(
	struct election *e, const struct election_event *event, struct election_actions *ret)
{
	if (looked_at)
		within_size = dump(looked_at, within);
	__real_election_step(e, event, ret);
}

/* ---- events as bytes ---- */

static uint64_t drawn = 1;

static uint64_t draw(void)
{
	static const uint64_t odd[] = {0, 1, UINT64_MAX, INT64_MAX, (uint64_t)INT64_MIN, 127, 128,
		UINT32_MAX, UINT64_C(1) << 32};

	drawn = drawn * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	if (drawn >> 60 < 4)
		return odd[(drawn >> 32) % LENGTH(odd)];
	return (drawn >> 33) << (drawn >> 57 & 31);
}

static void draw_view(struct election_view *v)
{
	v->leader.create = (int64_t)draw();
	v->leader.lease = (int64_t)draw();
	v->epoch.mod = (int64_t)draw();
	v->epoch.incarnation = draw();
	v->beat.mod = (int64_t)draw();
	v->beat.incarnation = draw();
	v->clean = (int64_t)draw();
	v->config = draw() % 3;
	v->reserve = draw() % 3;
}

static struct once_instant draw_instant(void)
{
	return (struct once_instant){(int64_t)draw(), (int64_t)draw()};
}

static void draw_event(struct election_event *ev, enum election_event_kind kind)
{
	memset(ev, 0, sizeof(*ev));
	ev->kind = kind;
	ev->now = draw_instant();
	if (kind == ELECTION_START) {
		ev->start.recovered = (struct election_recovered){
			(int64_t)draw(), (int64_t)draw(), draw() % 2, draw() % 2};
	} else if (kind == ELECTION_LISTED) {
		ev->listed.revision = (int64_t)draw();
		draw_view(&ev->listed.view);
	} else if (kind == ELECTION_SEEN) {
		ev->seen.key = draw() % ELECTION_KEYS;
		ev->seen.revision = (int64_t)draw();
		draw_view(&ev->seen.view);
	} else if (kind == ELECTION_REPLY) {
		ev->reply.op = (uint32_t)draw();
		ev->reply.outcome = 1 + draw() % 3;
		ev->reply.refusal = draw() % 3;
		ev->reply.sent = draw_instant();
		ev->reply.succeeded = draw() % 2;
		ev->reply.revision = (int64_t)draw();
		ev->reply.lease = (int64_t)draw();
		ev->reply.ttl = (int64_t)draw();
		if (draw() % 4)
			draw_view(&ev->reply.view);
	} else if (kind == ELECTION_RESIGN) {
		ev->resign.to_other = draw() % 2;
		ev->resign.stay_away = (int64_t)draw();
	} else if (kind == ELECTION_STAND_BACK) {
		ev->stand_back.duration = (int64_t)draw();
	}
}

static bool same_view(const struct election_view *a, const struct election_view *b)
{
	return memcmp(a, b, sizeof(*a)) == 0; /* no padding: see the assertion below */
}
_Static_assert(sizeof(struct election_view) == 7 * 8 + 2 * sizeof(int), "a view without padding");

static bool same_instant(struct once_instant a, struct once_instant b)
{
	return a.boot_ns == b.boot_ns && a.raw_ns == b.raw_ns;
}

static bool same_event(const struct election_event *a, const struct election_event *b)
{
	if (a->kind != b->kind || !same_instant(a->now, b->now))
		return false;
	switch (a->kind) {
	case ELECTION_START:
		return a->start.recovered.token == b->start.recovered.token &&
		       a->start.recovered.lease == b->start.recovered.lease &&
		       a->start.recovered.ready == b->start.recovered.ready &&
		       a->start.recovered.dead == b->start.recovered.dead;
	case ELECTION_LISTED:
		return a->listed.revision == b->listed.revision &&
		       same_view(&a->listed.view, &b->listed.view);
	case ELECTION_SEEN:
		return a->seen.key == b->seen.key && a->seen.revision == b->seen.revision &&
		       same_view(&a->seen.view, &b->seen.view);
	case ELECTION_REPLY:
		return a->reply.op == b->reply.op && a->reply.outcome == b->reply.outcome &&
		       a->reply.refusal == b->reply.refusal &&
		       same_instant(a->reply.sent, b->reply.sent) &&
		       a->reply.succeeded == b->reply.succeeded &&
		       a->reply.revision == b->reply.revision && a->reply.lease == b->reply.lease &&
		       a->reply.ttl == b->reply.ttl && same_view(&a->reply.view, &b->reply.view);
	case ELECTION_RESIGN:
		return a->resign.to_other == b->resign.to_other &&
		       a->resign.stay_away == b->resign.stay_away;
	case ELECTION_STAND_BACK:
		return a->stand_back.duration == b->stand_back.duration;
	default:
		return true;
	}
}

static void test_events_come_out_as_they_went_in(void **state)
{
	unsigned char bytes[RING_EVENT_MAX];
	struct election e;
	struct election_event ev, back;
	size_t longest = 0;

	election_init(&e, &config);
	for (unsigned i = 0; i < 50000; i++) {
		size_t n;

		draw_event(&ev, 1 + i % ELECTION_RESUME);
		e.now = draw_instant();
		e.last_op = (uint32_t)draw();
		draw_view(&e.view);
		n = ring_encode(bytes, &e, &ev);
		assert_true(n <= sizeof(bytes));
		assert_int_equal(ring_decode(bytes, n, &e, &back), n);
		assert_true(same_event(&ev, &back));
		/* nothing is read that is not there */
		for (size_t cut = 0; cut < n; cut++)
			assert_int_equal(ring_decode(bytes, cut, &e, &back), 0);
		longest = n > longest ? n : longest;
	}
	assert_true(longest > RING_EVENT_MAX / 2);
}

static void test_any_bytes_are_an_event_or_none(void **state)
{
	unsigned char bytes[RING_EVENT_MAX];
	struct election e;
	struct election_event ev;
	unsigned good = 0;

	election_init(&e, &config);
	for (unsigned i = 0; i < 100000; i++) {
		for (size_t k = 0; k < sizeof(bytes); k++)
			bytes[k] = (unsigned char)(draw() % 3 ? draw() % 12 : draw());
		if (ring_decode(bytes, sizeof(bytes), &e, &ev) == 0)
			continue;
		good++;
		assert_in_range(ev.kind, ELECTION_START, ELECTION_RESUME);
	}
	assert_true(good > 1000);
}

/* ---- the hash ---- */

static void test_every_part_of_a_decision_counts(void **state)
{
	struct election_actions a = {.n = 1};
	struct election e;
	uint32_t hash;

	election_init(&e, &config);
	a.v[0].kind = ELECTION_BEAT;
	hash = ring_hash(&e, &a);
#define counts(field)                                                                              \
	do {                                                                                       \
		field++;                                                                           \
		check_case(#field, ring_hash(&e, &a) != hash);                                     \
		field--;                                                                           \
		check_case(#field, ring_hash(&e, &a) == hash);                                     \
	} while (0)
#define counts_bool(field)                                                                         \
	do {                                                                                       \
		field = true;                                                                      \
		check_case(#field, ring_hash(&e, &a) != hash);                                     \
		field = false;                                                                     \
	} while (0)
	counts(a.n);
	counts(a.v[0].kind);
	counts(a.v[0].op);
	counts(a.v[0].token);
	counts(a.v[0].lease);
	counts(a.v[0].beat_mod);
	counts(a.v[0].clean_before);
	counts_bool(a.v[0].fresh);
	counts_bool(a.v[0].as_delete);
	counts_bool(a.v[0].clean);
	counts_bool(a.v[0].reserve);
	counts_bool(a.v[0].rewatch);
	counts(a.v[0].reason);
	counts(a.v[0].grace);
	counts(a.v[0].proved.boot_ns);
	counts(a.v[0].proved.raw_ns);
	counts(a.v[0].saved.token);
	counts(a.v[0].saved.lease);
	counts(a.v[0].saved.incarnation);
	counts_bool(a.v[0].saved.ready);
	counts(a.v[0].note);
	counts(a.v[0].duration);
	counts(e.role);
	counts(e.last_op);
	counts(e.token);
	counts(e.random);
	counts(e.request.op);
	counts(e.lease.op);
	counts(e.list.op);
}

/* ---- the ring ---- */

/* Replays a dump; the number of events, or fails. */
static uint64_t replay(const unsigned char *data, size_t size, bool unfinished, uint64_t *ret_first)
{
	struct ring_reader reader;
	struct ring_record record;
	struct election_actions actions;
	struct election e;
	uint64_t n = 0;
	int r;

	assert_null(ring_open(&reader, data, size));
	*ret_first = reader.next;
	e = reader.start;
	while ((r = ring_next(&reader, &e, &record)) > 0) {
		assert_int_equal(record.number, *ret_first + n++);
		__real_election_step(&e, &record.event, &actions);
		if (record.hash != 0)
			assert_int_equal(record.hash, ring_hash(&e, &actions));
	}
	assert_int_equal(r, 0);
	assert_int_equal(record.hash == 0, unfinished);
	return n;
}

/* Something happens to a node that has nobody to talk to. */
static void feed(struct event_ring *ring, struct election *e, unsigned i)
{
	struct election_event ev = {.kind = i == 0 ? ELECTION_START : ELECTION_TICK};
	struct election_actions actions;

	if (i % 7 == 3) {
		ev.kind = ELECTION_LISTED;
		ev.listed.revision = i;
	}
	if (i % 5 == 2) {
		ev.kind = ELECTION_REPLY;
		ev.reply.op = e->last_op;
		ev.reply.outcome = ELECTION_UNKNOWN;
		ev.reply.sent = (struct once_instant){(int64_t)i * 1000, (int64_t)i * 1000};
	}
	ev.now = (struct once_instant){(int64_t)(i + 1) * 50000000, (int64_t)(i + 1) * 50000321};
	ring_step(ring, e, &ev, &actions);
}

static void ring_of(struct ring_shape shape, unsigned n)
{
	static unsigned char after[DUMP_MAX];
	struct event_ring *ring = ring_init(calloc(1, ring_size(&shape)), &shape);
	struct election e;
	uint64_t first, kept;

	election_init(&e, &config);
	for (unsigned i = 0; i < n; i++) {
		looked_at = ring;
		feed(ring, &e, i);
		looked_at = NULL;
		kept = replay(after, dump(ring, after), false, &first);
		assert_int_equal(kept, ring_events(ring));
		assert_int_equal(first + kept - 1, i + 1);
		/* and while it happened */
		kept = replay(within, within_size, true, &first);
		assert_int_equal(first + kept - 1, i + 1);
	}
	free(ring);
}

static void test_a_dump_is_good_at_any_moment(void **state)
{
	ring_of((struct ring_shape){.segments = 2, .events = 1, .segment_size = 4096}, 50);
	ring_of((struct ring_shape){.segments = 3, .events = 16, .segment_size = 4096}, 500);
	/* segments that are full before their time */
	ring_of((struct ring_shape){.segments = 3, .events = 100000, .segment_size = 4096}, 600);
}

static void test_a_ring_keeps_what_it_promises(void **state)
{
	struct ring_shape shape = RING_SHAPE_DEFAULT;
	struct event_ring *ring = ring_init(calloc(1, ring_size(&shape)), &shape);
	struct election e;

	election_init(&e, &config);
	for (unsigned i = 0; i < 200000; i++) {
		feed(ring, &e, i);
		if (i >= 65536)
			assert_true(ring_events(ring) > 65536);
		else
			assert_int_equal(ring_events(ring), i + 1);
	}
	assert_true(ring_size(&shape) <= 2700000);
	free(ring);
}

/* ---- what is no dump ---- */

static size_t small_dump(unsigned char *out)
{
	struct ring_shape shape = {.segments = 4, .events = 16, .segment_size = 4096};
	struct event_ring *ring = ring_init(calloc(1, ring_size(&shape)), &shape);
	struct election e;
	size_t size;

	election_init(&e, &config);
	for (unsigned i = 0; i < 40; i++)
		feed(ring, &e, i);
	size = dump(ring, out);
	free(ring);
	return size;
}

/* True when every event was read and decided the same. */
static bool is_whole(const unsigned char *data, size_t size)
{
	struct ring_reader reader;
	struct ring_record record;
	struct election_actions actions;
	struct election e;
	unsigned n = 0;
	int r;

	if (ring_open(&reader, data, size) != NULL)
		return false;
	e = reader.start;
	while ((r = ring_next(&reader, &e, &record)) > 0) {
		n++;
		__real_election_step(&e, &record.event, &actions);
		if (record.hash != ring_hash(&e, &actions))
			return false;
	}
	return r == 0 && n == 40;
}

static void test_damage_is_noticed(void **state)
{
	static unsigned char whole[DUMP_MAX], damaged[DUMP_MAX];
	size_t size = small_dump(whole);
	unsigned unnoticed = 0;

	assert_true(is_whole(whole, size));
	for (size_t cut = 0; cut < size; cut++)
		assert_false(is_whole(whole, cut));
	for (size_t i = 0; i < size; i++) {
		memcpy(damaged, whole, size);
		damaged[i] ^= 0x55;
		unnoticed += is_whole(damaged, size);
	}
	/* the ring's own counters, padding, and fields that decided nothing */
	assert_true(unnoticed < size / 8);
	memcpy(damaged, whole, size);
	damaged[16] ^= 1; /* of the layout */
	assert_false(is_whole(damaged, size));
}

static void test_an_empty_ring(void **state)
{
	struct ring_shape shape = {.segments = 2, .events = 16, .segment_size = 4096};
	struct event_ring *ring = ring_init(calloc(1, ring_size(&shape)), &shape);
	struct ring_reader reader;
	const void *piece;

	assert_int_equal(ring_pieces(ring), 1);
	assert_int_equal(ring_events(ring), 0);
	assert_string_equal(
		ring_open(&reader, ring, ring_piece(ring, 0, &piece)), "holds no events");
	free(ring);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_events_come_out_as_they_went_in),
		cmocka_unit_test(test_any_bytes_are_an_event_or_none),
		cmocka_unit_test(test_every_part_of_a_decision_counts),
		cmocka_unit_test(test_a_dump_is_good_at_any_moment),
		cmocka_unit_test(test_a_ring_keeps_what_it_promises),
		cmocka_unit_test(test_damage_is_noticed),
		cmocka_unit_test(test_an_empty_ring),
	};

	return cmocka_run_group_tests_name("ring", tests, NULL, NULL);
}
