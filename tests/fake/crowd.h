/* Many clients of one little etcd, in virtual time, under faults drawn from a seed. */
#ifndef FAKE_CROWD_H
#define FAKE_CROWD_H

#include "etcd/internal.h"
#include "tests/fake/etcd.h"

#include <once/ledger.h>

enum { CROWD_MAX = 12 };

struct crowd {
	struct fake_loop loop;
	struct fake_etcd *etcd;
	size_t n;
	struct {
		struct transport_fake *transport; /* the client's */
		struct once_client *client;
		struct once_records *records;
		bool cut; /* nothing passes */
	} member[CROWD_MAX];
	uint64_t random;
	int faults; /* of a hundred requests meet one */
};

void crowd_init(struct crowd *crowd, size_t n, uint64_t seed, int faults);
/* Members may have been freed with crowd_leave(). */
void crowd_fini(struct crowd *crowd);
void crowd_leave(struct crowd *crowd, size_t i);
/* Some requests are served, one late copy may arrive, time passes: at most 20 ms. */
void crowd_step(struct crowd *crowd);
/* From 0 to below n. */
uint64_t crowd_random(struct crowd *crowd, uint64_t n);

#endif
