/* What a job of Type=once, steps or migrate consists of: things done one after the other, each one
 * time ever; and what the ledger says of each. The daemon goes by it, and oncectl migrate shows it:
 * both refuse the same. */
#ifndef ONCED_FLOW_ITEMS_H
#define ONCED_FLOW_ITEMS_H

#include "daemon/config.h"

#include <once/ledger.h>
#include <string.h>

/* Reasons of records that an operator decided. */
#define FLOW_FORCED "forced"
#define FLOW_REMOVED "removed"

enum { FLOW_FILE_MAX = 64 << 20, FLOW_FILES_MAX = 10000 };

struct flow_item {
	char name[ONCE_ID_MAX + 1];
	char key[ONCE_KEY_SIZE];
	char hash[ONCE_HASH_SIZE]; /* of what is to be done */
	char **argv;		   /* owned when owns_argv */
	size_t argc;
	bool owns_argv;
	char *path;	      /* of a file; owned */
	struct once_run *run; /* the record; NULL: none. Owned */
	int64_t mod_revision;
};

struct flow_items {
	struct flow_item *items;
	size_t n;
	struct flow_item
		*gone; /* have a record, and are no item any more: name, run, mod_revision */
	size_t n_gone;
	char list_hash[ONCE_HASH_SIZE]; /* of steps: of their names and commands in order */
};

/* -EINVAL: why says what is wrong with which file; -ENOMEM. */
int flow_items_load(struct flow_items *items, const struct config *config,
	const struct config_job *job, char *why, size_t size);
/* Of a flow that is undone: of the steps that are done and have one their Undo= commands, the last
 * step first. -ENOMEM. */
int flow_items_load_undo(struct flow_items *undo, const struct flow_items *steps,
	const struct config *config, const struct config_job *job);
void flow_items_free(struct flow_items *items);

struct flow_item *flow_items_find(const struct flow_items *items, const char *name);

/* Forgets all records, to be told anew. */
void flow_items_forget(struct flow_items *items);
/* The record of the item of that name, or of one that is gone. Copied without its tail. -ENOMEM. */
int flow_items_take(struct flow_items *items, const char *name, const struct once_run *run,
	int64_t mod_revision);
/* Whether nothing of it may be done, as records and items disagree; why says which. */
bool flow_items_refused(
	const struct flow_items *items, const struct config_job *job, char *why, size_t size);

/* Done, or said to have been done before. */
static inline bool flow_item_done(const struct flow_item *item)
{
	return item->run &&
	       (item->run->state == ONCE_RUN_OK || item->run->state == ONCE_RUN_SKIPPED);
}

/* What was done is not what there is. */
static inline bool flow_item_changed(const struct flow_item *item)
{
	return flow_item_done(item) && item->run->hash[0] &&
	       strcmp(item->run->hash, item->hash) != 0;
}

/* Of an attempt that failed, or was put back by an operator: the next one waits to begin, and
 * nothing of it lives. */
static inline bool flow_item_waits(const struct flow_item *item)
{
	return item->run && item->run->state == ONCE_RUN_BEGUN && item->run->exited;
}

/* An operator said that its file is gone for good. */
static inline bool flow_item_removed(const struct flow_item *item)
{
	return item->run && item->run->state == ONCE_RUN_SKIPPED &&
	       strcmp(item->run->reason, FLOW_REMOVED) == 0;
}

/* The first that is not done; NULL: all are. */
struct flow_item *flow_items_next(const struct flow_items *items);
/* "2 of 7 are done: a, b". Returns out. */
char *flow_items_progress(const struct flow_items *items, char *out, size_t size);

#endif
