/* Golden traces: fixed scripts without randomness, whose traces are compared as text. */
#ifndef SIM_GOLDEN_H
#define SIM_GOLDEN_H

#include <stdbool.h>

struct sim;

/* Plays every script; the exit code. update: writes the traces instead of comparing them. */
int golden_all(struct sim *s, const char *directory, bool update);

#endif
