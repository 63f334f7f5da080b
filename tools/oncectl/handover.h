/* Asking a leader to give leadership away: oncectl switchover and oncectl resign. */
#ifndef ONCECTL_HANDOVER_H
#define ONCECTL_HANDOVER_H

#include "tools/oncectl/cluster.h"

#include <once/control.h>

/* The group and its leader, for a request about it. 0, or the exit code: nobody leads, or the key
 * is not onced's. */
int ctl_handover_begin(struct ctl *ctl, struct ctl_cluster *cluster, struct ctl_group **ret_group);
/* Asks, and with --wait waits until another term leads; prints what happened. */
int ctl_handover_ask(
	struct ctl *ctl, const struct ctl_group *group, struct once_handover *handover);

#endif
