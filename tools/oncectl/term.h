/* The term a job runs in, as its environment names it: what fence asks about and put --fenced
 * compares. */
#ifndef ONCECTL_TERM_H
#define ONCECTL_TERM_H

#include "tools/oncectl/ctl.h"

struct ctl_term {
	const char *key; /* of the leader; borrowed of the environment or the configuration */
	int64_t token;
};

/* ONCED_KEY and ONCED_TOKEN, else ETCD_LOCK_KEY and ETCD_LOCK_REV; --token goes before them. 0 or
 * CTL_USAGE after its line. */
int ctl_read_term(struct ctl *ctl, struct ctl_term *ret);
/* Says that it is over. Returns CTL_FENCED. */
int ctl_fenced(const struct ctl_term *term);

#endif
