/* What oncectl asks of daemons: a key that the leader reads. Written once, by txns that may be sent
 * twice. */
#ifndef ONCECTL_ASK_H
#define ONCECTL_ASK_H

#include "tools/oncectl/ctl.h"

#include <once/control.h>

/* "user@host", for the record. */
void ctl_by(char out[ONCE_BY_MAX + 1]);
/* --reason; 0 or CTL_USAGE. */
int ctl_reason(struct ctl *ctl, char out[ONCE_REASON_MAX + 1]);
/* Key of a kind under the prefix, in the arena; name and sub have been checked. NULL: out of
 * memory. */
const char *ctl_record_key(
	struct ctl *ctl, enum once_key_kind kind, const char *name, const char *sub, int64_t at_ms);

/* Puts; guard: NULL, or the leader key that must still have been created at token. 0, or the exit
 * code: CTL_FENCED when the guard does not hold. */
int ctl_put(struct ctl *ctl, const char *key, const char *value, const char *guard, int64_t token,
	int64_t *ret_revision);
/* The same for a key that whoever reads it deletes: sent again only when it was surely not put. */
int ctl_put_once(struct ctl *ctl, const char *key, const char *value, int64_t *ret_revision);
/* *ret_deleted: whether there was one. */
int ctl_delete(struct ctl *ctl, const char *key, bool *ret_deleted);

#endif
