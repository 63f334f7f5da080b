/* The event ring played again. What was recorded is an event and a hash of what was decided; the
 * state comes from the snapshot at the ring's beginning, and from there on from the core alone.
 *
 * A dump is printed in the words of the traces, so that it reads like the log of a node that writes
 * down everything. The simulator records its own agents too, with rings so small that they wrap all
 * the time, and replays every one of them when it is over. */
#include "replay.h"

#include "sim.h"

#include <core/ring.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct {
	struct ring_shape shape; /* segments 0: nothing is recorded */
	void *memory[SIM_NODES_MAX];
	unsigned char *dump; /* of one ring */
	uint64_t rings, wrapped, events, longest;
} recorder;

struct outcome {
	uint64_t first, events, bytes;
	bool unfinished; /* the last step did not return */
	struct ring_record last;
	char problem[160]; /* empty: the same decisions */
};

/* ---- replaying ---- */

static const char *const kinds[] = {"?", "start", "tick", "listed", "list failed", "seen",
	"unwatched", "reply", "work dead", "stop", "resign"};

static void show_event(struct node *n, const struct election_event *ev)
{
	static const char *const keys[] = {
		"leader", "epoch", "beat", "clean", "config", "reserve", "?"};
	static const char *const outcomes[] = {"?", "applied", "refused", "unknown"};

	if (ev->kind == ELECTION_REPLY)
		trace(n->sim, n, "  < #%" PRIu32 " %s%s", ev->reply.op,
			outcomes[ev->reply.outcome & 3], ev->reply.succeeded ? ", succeeded" : "");
	else if (ev->kind == ELECTION_SEEN)
		trace(n->sim, n, "  < %s at revision %lld", keys[ev->seen.key],
			(long long)ev->seen.revision);
	else if (ev->kind != ELECTION_TICK)
		trace(n->sim, n, "  < %s", kinds[ev->kind]);
}

/* show: the simulator whose node a takes the part of the one that was recorded; NULL: in silence.
 */
static bool replay_one(
	struct sim *show, struct election *e, const struct ring_record *record, struct outcome *ret)
{
	struct election_actions actions;
	struct node *n = show ? &show->nodes[0] : NULL;

	if (show && show->verbose)
		show_event(n, &record->event);
	if (show && record->hash == 0)
		(void)fflush(stdout); /* this one may not return here either */
	election_step(e, &record->event, &actions);
	for (unsigned i = 0; show && i < actions.n; i++)
		trace_action(n, &actions.v[i]);
	if (record->hash == 0 || record->hash == ring_hash(e, &actions))
		return true;
	(void)snprintf(ret->problem, sizeof(ret->problem),
		"first difference: event %" PRIu64
		" (%s) led to %u actions and role %s here, to others "
		"there",
		record->number, kinds[record->event.kind], actions.n, election_role_name(e->role));
	return false;
}

static bool replay_all(struct sim *show, const void *data, size_t size, struct outcome *ret)
{
	struct ring_reader reader;
	struct election e;
	const char *wrong = ring_open(&reader, data, size);
	int64_t since = 0;
	int r;

	memset(ret, 0, sizeof(*ret));
	ret->bytes = size;
	if (wrong)
		(void)snprintf(ret->problem, sizeof(ret->problem), "%s", wrong);
	if (wrong)
		return false;
	e = reader.start;
	ret->first = reader.next;
	while ((r = ring_next(&reader, &e, &ret->last)) > 0 && !ret->unfinished) {
		if (ret->events++ == 0)
			since = ret->last.event.now.boot_ns;
		if (show)
			show->now = ret->last.event.now.boot_ns - since;
		ret->unfinished = ret->last.hash == 0;
		if (!replay_one(show, &e, &ret->last, ret))
			return false;
	}
	if (r != 0)
		(void)snprintf(ret->problem, sizeof(ret->problem), "damaged after event %" PRIu64,
			ret->first + ret->events - 1);
	return r == 0;
}

/* ---- a daemon's dump ---- */

static void print_line(void *userdata, const char *text)
{
	(void)userdata;
	(void)puts(text);
}

static unsigned char *read_file(const char *path, size_t *ret_size)
{
	FILE *f = fopen(path, "rb");
	unsigned char *data = f && fseek(f, 0, SEEK_END) == 0 ? malloc((size_t)ftell(f) + 1) : NULL;
	long size = f ? ftell(f) : -1;

	if (data && size >= 0 && fseek(f, 0, SEEK_SET) == 0)
		*ret_size = fread(data, 1, (size_t)size, f);
	if (f)
		(void)fclose(f);
	return data;
}

int replay_file(struct sim *s, const char *path)
{
	struct outcome o;
	size_t size = 0;
	unsigned char *data = read_file(path, &size);
	bool same;

	if (!data) {
		perror(path);
		return 2;
	}
	s->nodes[0].sim = s;
	s->line = print_line;
	same = replay_all(s, data, size, &o);
	free(data);
	if (!same) {
		(void)printf("%s: %s\n", path, o.problem);
		return 1;
	}
	if (o.unfinished)
		(void)printf("event %" PRIu64 " (%s): the step did not return there; it did here\n",
			o.last.number, kinds[o.last.event.kind]);
	(void)printf("same decisions: %" PRIu64 " events, from event %" PRIu64 " on, %" PRIu64
		     " bytes\n",
		o.events, o.first, o.bytes);
	return 0;
}

/* ---- the simulator's own agents ---- */

bool replay_rings(const char *text)
{
	struct ring_shape *shape = &recorder.shape;
	char end;

	if (sscanf(text, "%" SCNu32 "x%" SCNu32 "x%" SCNu32 "%c", &shape->segments, &shape->events,
		    &shape->segment_size, &end) != 3 ||
		shape->segments < 2 || shape->segments > 1000 || shape->events < 1 ||
		shape->segment_size < RING_SEGMENT_MIN || shape->segment_size > 1 << 20 ||
		shape->segment_size % 8 != 0)
		return false;
	for (unsigned i = 0; i < SIM_NODES_MAX; i++)
		recorder.memory[i] = malloc(ring_size(shape));
	recorder.dump = malloc(ring_size(shape));
	return recorder.dump && recorder.memory[SIM_NODES_MAX - 1];
}

static size_t collect(const struct event_ring *ring)
{
	size_t at = 0;

	for (unsigned i = 0; i < ring_pieces(ring); i++) {
		const void *piece;
		size_t size = ring_piece(ring, i, &piece);

		memcpy(recorder.dump + at, piece, size);
		at += size;
	}
	return at;
}

void replay_detach(struct node *n)
{
	struct outcome o;

	if (!n->ring)
		return;
	if (ring_events(n->ring) != 0) {
		bool same = replay_all(NULL, recorder.dump, collect(n->ring), &o);

		if (!same || o.unfinished)
			check_violation(n->sim, "replay of %c: %s", node_name(n), o.problem);
		else if (o.events != ring_events(n->ring))
			check_violation(n->sim, "replay of %c: %" PRIu64 " events of %" PRIu64,
				node_name(n), o.events, ring_events(n->ring));
		recorder.rings++;
		recorder.wrapped += o.first > 1;
		recorder.events += o.events;
		if (o.bytes > recorder.longest)
			recorder.longest = o.bytes;
	}
	n->ring = NULL;
}

void replay_attach(struct node *n)
{
	replay_detach(n);
	if (recorder.shape.segments != 0)
		n->ring = ring_init(recorder.memory[n->index], &recorder.shape);
}

void replay_end(struct sim *s, const char *dump)
{
	FILE *f = dump ? fopen(dump, "wb") : NULL;

	if (f && s->nodes[0].ring) {
		size_t size = collect(s->nodes[0].ring);

		if (fwrite(recorder.dump, 1, size, f) != size)
			check_violation(s, "simulator: cannot write %s", dump);
	}
	if (f)
		(void)fclose(f);
	for (unsigned i = 0; i < s->n_nodes; i++)
		replay_detach(&s->nodes[i]);
}

void replay_summary(void)
{
	if (recorder.shape.segments == 0)
		return;
	(void)printf("same decisions: %" PRIu64 " events of %" PRIu64 " agents, %" PRIu64
		     " of them wrapped; %" PRIu64 " bytes at most\n",
		recorder.events, recorder.rings, recorder.wrapped, recorder.longest);
}
