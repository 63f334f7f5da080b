/* Every command, in the order of help: one line each. struct ctl_command ctl_command_NAME stands in
 * cmd-NAME.c, or in kv/. */
#ifndef ONCECTL_COMMANDS_H
#define ONCECTL_COMMANDS_H

#define CTL_COMMANDS(X)                                                                            \
	X(status)                                                                                  \
	X(leaders)                                                                                 \
	X(jobs)                                                                                    \
	X(runs)                                                                                    \
	X(why)                                                                                     \
	X(trigger)                                                                                 \
	X(kill)                                                                                    \
	X(pause)                                                                                   \
	X(resume)                                                                                  \
	X(switchover)                                                                              \
	X(resign)                                                                                  \
	X(calendar)                                                                                \
	X(timing)                                                                                  \
	X(doctor)                                                                                  \
	X(new_generation)                                                                                  \
	X(rbac)                                                                                    \
	X(fence)                                                                                   \
	X(get)                                                                                     \
	X(put)                                                                                     \
	X(del)                                                                                     \
	X(once)                                                                                    \
	X(step)                                                                                    \
	X(flow_status)                                                                             \
	X(flow_undo)                                                                               \
	X(result_put)                                                                              \
	X(result_get)                                                                              \
	X(ids)                                                                                     \
	X(migrate_status)                                                                          \
	X(migrate_dry_run)                                                                         \
	X(migrate_force)                                                                           \
	X(confirm)                                                                                 \
	X(txn)                                                                                     \
	X(watch)                                                                                   \
	X(compaction)                                                                              \
	X(lease_grant)                                                                             \
	X(lease_revoke)                                                                            \
	X(lease_timetolive)                                                                        \
	X(lease_list)                                                                              \
	X(lease_keep_alive)                                                                        \
	X(lock)                                                                                    \
	X(elect)                                                                                   \
	X(member_list)                                                                             \
	X(endpoint_status)                                                                         \
	X(endpoint_health)                                                                         \
	X(endpoint_hashkv)                                                                         \
	X(alarm_list)                                                                              \
	X(alarm_disarm)                                                                            \
	X(help)

#endif
