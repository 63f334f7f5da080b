/* The term a job runs in, as its environment names it: what fence asks about and put --fenced
 * compares. */
#ifndef ONCECTL_TERM_H
#define ONCECTL_TERM_H

#include "tools/oncectl/ctl.h"

enum { CTL_TERM_COMPARES = 2 };

struct ctl_term {
	const char *key; /* of the leader; borrowed of the environment or the configuration */
	int64_t token;
	bool upper_bound; /* ETCD_LOCK_REV: the store's revision when the key was seen to hold */
};

/* ONCED_KEY and ONCED_TOKEN, else ETCD_LOCK_KEY and ETCD_LOCK_REV; --token goes before them. 0 or
 * CTL_USAGE after its line. */
int ctl_read_term(struct ctl *ctl, struct ctl_term *ret);
/* What holds while the term does; for a txn. */
void ctl_term_compares(const struct ctl_term *term, struct once_compare out[CTL_TERM_COMPARES]);
/* Says that it is over. Returns CTL_FENCED. */
int ctl_fenced(const struct ctl_term *term);

#endif
