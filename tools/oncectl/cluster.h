/* What etcd shows of the groups and nodes, at one revision. */
#ifndef ONCECTL_CLUSTER_H
#define ONCECTL_CLUSTER_H

#include "tools/oncectl/ctl.h"

#include <once/control.h>

/* Texts are fit for a terminal, in the arena; NULL: not known. */
struct ctl_group {
	const char *name;
	const char *leader_key;
	/* the term that holds the key; token 0: none does */
	int64_t token, lease;
	const char *leader; /* value of the key: the node's name by custom */
	const char *node;   /* that acquired it, by the epoch; NULL: the epoch is not this term's */
	const char *address;
	int64_t since_ms;
	const char *beat_key;
	int64_t last_token;  /* of the last term there was; 0: never one */
	int64_t clean;	     /* the last term that was ended in order, or by a successor */
	const char *reserve; /* who alone may take it now */
	/* timing that all nodes agreed on */
	const char *config;
	int64_t lease_ttl_ns, fence_ns, beat_ns;
	struct once_bytes handover; /* the request, as it is there */
	/* set by ctl_cluster_proofs() */
	bool proof_seen;
	struct once_instant proof;
};

struct ctl_node {
	const char *name, *address;
};

/* A node that is to stay away from leadership of a group. */
struct ctl_away {
	const char *group, *node;
	struct once_pause wish;
};

/* A node that has seen a later etcd than this one. */
struct ctl_alarm {
	const char *node, *cluster, *since; /* never NULL */
	int64_t revision;
};

struct ctl_cluster {
	int64_t revision;
	struct ctl_group *groups; /* by name, the default one first; --group: that one alone */
	size_t n_groups;
	const struct ctl_node *nodes;
	size_t n_nodes;
	struct ctl_away *aways;
	size_t n_aways;
	struct ctl_alarm *alarms;
	size_t n_alarms;
	struct once_instant watched; /* since when proofs were looked for */
};

/* 0, or the exit code. */
int ctl_cluster_read(struct ctl *ctl, bool all_groups, struct ctl_cluster *ret);
/* The group of --group; NULL: nothing is known of it. */
struct ctl_group *ctl_cluster_group(struct ctl *ctl, const struct ctl_cluster *cluster);
const struct ctl_node *ctl_cluster_node(const struct ctl_cluster *cluster, const char *name);
/* NULL: it does not stay away; group NULL: from none of them. */
const struct ctl_away *ctl_cluster_away(
	const struct ctl_cluster *cluster, const char *group, const char *node);

/* What the alarm says, in the arena. */
const char *ctl_alarm_text(struct ctl *ctl, const struct ctl_alarm *alarm);

/* Watches until every leader has given a proof, at most for one and a half beat intervals. */
int ctl_cluster_proofs(struct ctl *ctl, struct ctl_cluster *cluster);

/* The word behind "name=" in a value of ours; NULL: there is none. In the arena. */
const char *ctl_field(struct ctl *ctl, struct once_bytes value, const char *name);

#endif
