/* A model of etcd as far as the election sees it: revisions, the group's keys, leases, the five
 * transactions, and what goes wrong with them. It answers at once; delay, loss and queueing are
 * net.c's. */
#ifndef SIM_ETCD_MODEL_H
#define SIM_ETCD_MODEL_H

#include <core/election.h>

struct sim;

/* A crowd is built with another number; what its nodes need in common grows with it. */
#ifndef SIM_NODES
#define SIM_NODES 7
#endif
#define SIM_CROWD (SIM_NODES - 7)

enum {
	SIM_NODES_MAX = SIM_NODES,
	ETCD_LEASES = 256 + 4 * SIM_CROWD,
	ETCD_CHANGES = 4096, /* kept; a watch from before is refused as compacted */
	ETCD_STATES = 64,    /* kept for stale lists */
	ETCD_NOBODY = SIM_NODES_MAX,
};

struct etcd_state {
	int64_t revision;
	struct {
		int64_t create, lease;
	} leader;
	struct {
		int64_t mod;
		uint64_t incarnation;
	} epoch, beat[SIM_NODES_MAX];
	struct {
		int64_t mod, token;
	} clean;
	int64_t config; /* create revision */
	struct {
		unsigned node; /* ETCD_NOBODY: none */
		int64_t expires;
	} reserve;
};

struct etcd_lease {
	int64_t id, ttl, expires;
	bool checked; /* an event that looks at it is on its way */
};

struct etcd_change {
	int64_t revision;
	uint32_t key, node;
	int64_t a;
	uint64_t b;
};

struct etcd_request {
	unsigned node;
	uint32_t gen;
	uint64_t incarnation;
	unsigned beat_node; /* whose beat is the epoch's, as the node knows */
	unsigned reserve_for;
	struct election_action action;
};

struct etcd {
	struct etcd_state state;
	struct etcd_lease leases[ETCD_LEASES];
	int64_t last_lease;
	uint32_t line, accepted; /* of its history: which, and which of them nodes may believe */
	int64_t highest;	 /* revision of any line before */
	uint64_t n_changes; /* ever */
	struct etcd_change changes[ETCD_CHANGES];
	unsigned n_states; /* ever */
	struct etcd_state states[ETCD_STATES];
	bool nospace, stale_keepalive, no_quorum;
	int64_t over_quota; /* so many writes are made under NOSPACE, and said to be refused */
	int64_t stale_list_ppm;
};

void etcd_init(struct sim *s);
/* The answer as an event for the core; .now, .op and .sent are the shell's to fill in. */
void etcd_apply(
	struct sim *s, const struct etcd_request *request, struct election_event *ret_answer);
void etcd_view(const struct etcd_state *state, unsigned node, unsigned beat_node,
	struct election_view *ret_view);
void etcd_lease_check(struct sim *s, unsigned slot);
void etcd_reserve_check(struct sim *s);
unsigned etcd_node_of(uint64_t incarnation);

/* Faults and operators */
void etcd_new_leader(struct sim *s);
void etcd_revoke_of_leader(struct sim *s);
void etcd_delete(struct sim *s, enum election_key key);
void etcd_overwrite_leader(struct sim *s);
void etcd_restore_config(struct sim *s);
void etcd_restored(struct sim *s);

#endif
