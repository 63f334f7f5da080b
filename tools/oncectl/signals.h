/* Signals that ask for an end, as events of the loop. */
#ifndef ONCECTL_SIGNALS_H
#define ONCECTL_SIGNALS_H

#include "tools/oncectl/ctl.h"

struct signals {
	struct once_loop *loop;
	void (*fn)(void *userdata, int signo);
	void *userdata;
	struct once_io *io;
	int fd;
};

/* From here on SIGTERM, SIGINT, SIGHUP, SIGUSR1 and SIGUSR2 are blocked and told to fn. 0 or an exit
 * code after its line. */
int signals_init(struct signals *signals, struct ctl *ctl, void (*fn)(void *userdata, int signo),
	void *userdata);
/* They stay blocked: what comes now waits for the end of the process. */
void signals_fini(struct signals *signals);
/* Does what the signal would have done without this. */
void signals_default(int signo);

#endif
