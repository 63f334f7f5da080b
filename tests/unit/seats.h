/* Many groups on each of a few nodes, on a little etcd in virtual time, and the work of each: where it lives,
 * and that it never lives on two nodes at once. With GROUPS_LOG=1 all that the nodes say is printed. */
#ifndef UNIT_SEATS_H
#define UNIT_SEATS_H

#include "tests/unit/unit.h"

#include "elect/elector.h"
#include "tests/fake/crowd.h"

#include <once/elect.h>

#define SEC ONCE_NSEC_PER_SEC
#define MS ONCE_NSEC_PER_MSEC

enum { GROUPS_MAX = 70, NODES = 3 };

struct world;

/* A group on a node, and its work: it lives until it is stopped or its deadline comes. */
struct seat {
	struct world *world;
	struct once_elector *elector;
	unsigned node, group;
	bool alive, stuck; /* stuck: work that never ends by itself */
	int64_t token, until, gap, lead_at;
	unsigned leads;
	enum once_stop_reason stopped;
	char saved[128]; /* outlives the seat's node */
};

struct world {
	bool free_node;	   /* the next proof's callback does it */
	bool free_at_stop; /* the next stop's */
	bool recover;	   /* nodes start with what was saved, and their work is dead */
	struct crowd crowd;
	struct once_node *node[NODES];
	struct seat seat[NODES][GROUPS_MAX];
	struct once_timing timing;
	unsigned n_nodes, n_groups, overlaps, errors;
};

void world_init(struct world *w, unsigned nodes, unsigned groups, uint64_t seed, int faults);
/* Fails the test when two works of a group lived at once. */
void world_fini(struct world *w);

void node_start(struct world *w, unsigned node);
/* As a crash would, its work with it. */
void node_kill(struct world *w, unsigned node);

int64_t now_of(const struct world *w);
void run(struct world *w, int64_t ns);

bool lives(const struct world *w, unsigned node, unsigned group);
unsigned owned_by(const struct world *w, unsigned node);
unsigned owned(const struct world *w);

#endif
