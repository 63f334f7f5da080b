/* oncectl status: nodes, leaders, etcd. */
#include "tools/oncectl/ctl.h"

#include <stdio.h>

static int run(struct ctl *ctl)
{
	const struct once_response *leader = ctl_get(ctl, ctl->leader_key);

	if (!leader)
		return CTL_UNREACHABLE;
	if (leader->op.n_kvs == 0)
		printf("nobody leads\n");
	else
		printf("%s leads, token %lld\n", ctl_text(ctl, leader->op.kvs[0].value),
			(long long)leader->op.kvs[0].create_revision);
	return CTL_OK;
}

const struct ctl_command ctl_command_status = {
	.name = "status",
	.words = "",
	.summary = "nodes, leaders, proofs, etcd members",
	.run = run,
};
