/* The members of the etcd cluster, each asked by a connection of its own. */
#ifndef ONCECTL_MEMBERS_H
#define ONCECTL_MEMBERS_H

#include "tools/oncectl/ctl.h"

struct ctl_member {
	const char *name, *url; /* in the arena; url: the first one it advertises */
	uint64_t id;
	bool is_learner;
	/* NULL: it was not reached, why says how so */
	const struct once_response *status;
	const char *why;
	int http_version;
	int64_t round_trip_ns; /* of the second request; 0: none came back */
	bool leads;
};

struct ctl_members {
	struct ctl_member *members;
	size_t n;
};

/* Asks all at once, for at most timeout_ns. 0, or the exit code when not even their list can be
 * had. */
int ctl_members_probe(struct ctl *ctl, int64_t timeout_ns, struct ctl_members *ret);
/* The table of status and doctor. */
void ctl_members_print(struct ctl *ctl, const struct ctl_members *members);
void ctl_members_json(struct ctl_json *json, const struct ctl_members *members);

#endif
