/* Replays of the event ring: of a daemon's dump, and of the simulator's own agents. */
#ifndef SIM_REPLAY_H
#define SIM_REPLAY_H

#include <stdbool.h>

struct sim;

/* Every agent is recorded from now on; text: SEGMENTSxEVENTSxBYTES of a segment. False: no such
 * text. */
bool replay_rings(const char *text);

/* After a schedule: what is recorded is replayed; a difference is a violation. dump: also written
 * there, for node a. */
void replay_end(struct sim *s, const char *dump);

/* What all replays in this process have seen. */
void replay_summary(void);

/* The exit code: 0 when a dump's every step was decided the same. Prints its trace. */
int replay_file(struct sim *s, const char *path);

#endif
