/* A client of the ledger on a little etcd where one node leads, and what its last operation said;
 * and a run that has begun. */
#ifndef UNIT_LEDGER_H
#define UNIT_LEDGER_H

#include "tests/unit/unit.h"

#include "tests/fake/etcd.h"
#include "tests/fake/rig.h"

#include <once/ledger.h>

#define LEADER "/leader"
#define MOMENT INT64_C(1795372200000)
#define RUN "/onced/run/j/2026-11-22T18:30:00Z"

/* Attempt 1 of the run at MOMENT. */
extern const struct once_run begun;

struct world {
	struct rig rig;
	struct fake_etcd *etcd;
	struct once_records *records;
	struct once_task *task;
	struct once_term term;
	/* what the last operation said */
	int n_done, result;
	enum once_outcome outcome;
	int64_t mod, deleted;
	enum once_run_state shown; /* 0: none */
	uint32_t shown_attempt;
	char rows[4096];
	int stop_after; /* rows; 0: never */
	bool cancel_in_row;
};

void begin_world(struct world *w);
void end_world(struct world *w);
/* Serves one request with this fate, when it comes. */
void serve(struct world *w, enum fake_fate fate);
/* Answers everything until the operation is done. */
void serve_all(struct world *w);
/* Another term begins. */
void new_leader(struct world *w);

#endif
