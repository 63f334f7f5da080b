/* Asking a leader to give leadership away: oncectl switchover and oncectl resign. */
#ifndef ONCECTL_HANDOVER_H
#define ONCECTL_HANDOVER_H

#include "tools/oncectl/cluster.h"

#include <once/control.h>

/* The group and its leader, for a request about it. 0, or the exit code: nobody leads, or the key
 * is not onced's. */
int ctl_handover_begin(struct ctl *ctl, struct ctl_cluster *cluster, struct ctl_group **ret_group);
/* Whether there is a node that may lead instead, told if not: one that is there, is not from, and does
 * not stay away. */
int ctl_handover_other(
	struct ctl *ctl, const struct ctl_cluster *cluster, const struct ctl_group *group);
/* Asks, and with --wait waits until another term leads; prints what happened. With stay_away_s its
 * present leader's key says so for as long; that of the node it names is deleted. */
int ctl_handover_ask(
	struct ctl *ctl, const struct ctl_group *group, struct once_handover *handover);

#endif
