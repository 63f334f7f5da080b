/* What the parts of etcd-faker share: main.c reads the flags and prints the report, load.c writes,
 * verify.c reads back. */
#ifndef FAKER_H
#define FAKER_H

#include "tools/common/histogram.h"
#include "tools/common/progress.h"
#include "tools/etcd-faker/generate.h"
#include "tools/oncectl/ctl.h"

struct faker {
	struct ctl ctl;
	/* flags */
	const char *prefix;
	int64_t n, c, batch, rate, seed, json, text, binary, blob_bytes, value_bytes, timeout_ns;
	int64_t verify;
	struct fake_mix mix;
	/* what happened */
	uint64_t created, there, other, refused, unknown, bytes;
	int error; /* of the first that was refused */
	char message[256];
	int64_t took_ns;
	struct histogram latency; /* us */
	uint64_t verified, missing, wrong, foreign;
};

/* 0, or the exit code after its line. */
int faker_load(struct faker *faker);
int faker_verify(struct faker *faker);

#endif
