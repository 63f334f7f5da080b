/* The files of a job of Type=migrate, as this host has them, and what etcd says of each. */
#ifndef ONCECTL_MIGRATION_H
#define ONCECTL_MIGRATION_H

#include "tools/oncectl/ctl.h"

#include "daemon/flow-items.h"

enum migration_state {
	MIGRATION_PENDING,
	MIGRATION_APPLIED,
	MIGRATION_RUNNING,     /* begun under the present term */
	MIGRATION_WAITING,     /* an attempt failed, the next one waits */
	MIGRATION_FAILED,      /* or took too long */
	MIGRATION_INTERRUPTED, /* begun, and nobody knows how far it came */
	MIGRATION_CHANGED,     /* applied with other content */
	MIGRATION_MISSING,     /* has a record, and there is no such file */
	MIGRATION_REMOVED,     /* the same, and an operator said that it is so for good */
};
const char *migration_state_name(enum migration_state state);

struct migration {
	struct config_job job;
	struct flow_items items;
	int64_t token; /* of the present term; 0: nobody leads */
};

/* Flags of all commands that have one. */
#define MIGRATION_FLAGS                                                                            \
	{                                                                                          \
		"--dir", "DIRECTORY", "where NAME.job is [jobs.d beside the configuration file]"   \
	}

/* Reads the job file, the directory it names and the records. 0, or the exit code after its line.
 * Always migration_free(). */
int migration_read(struct ctl *ctl, struct migration *m);
void migration_free(struct migration *m);

enum migration_state migration_state(const struct migration *m, const struct flow_item *item);

#endif
