/* The agent: the process that talks to etcd and decides when jobs run. It owns the event loop, the
 * client, the elector and the services, and connects them: elector and services do not know each
 * other, the guardian knows neither. */
#ifndef ONCED_AGENT_H
#define ONCED_AGENT_H

#include "daemon/link.h"
#include "daemon/options.h"

/* For guardian_run(); arg is a const struct options *. Returns the process's exit code. */
int agent_main(int link_fd, const struct link_page *page, void *arg);

#endif
