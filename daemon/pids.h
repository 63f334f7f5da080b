/* The process lists of the kernel: numbers in decimal, one after another. */
#ifndef ONCED_PIDS_H
#define ONCED_PIDS_H

#include <sys/types.h>

/* Calls fn for every number above 1 in what is left of the file. Negative errno of a read. */
int pids_each(int fd, void (*fn)(pid_t pid, void *arg), void *arg);

/* The children of the calling thread. Owned by the caller; negative errno. */
int pids_open_children(void);

#endif
