/* The small files of a cgroup, read and written whole. */
#ifndef ONCED_CGROUP_H
#define ONCED_CGROUP_H

#include <stddef.h>
#include <sys/types.h>

/* Bytes read, at most size - 1 and ended by NUL; negative errno. */
ssize_t cgroup_read(int dir_fd, const char *name, char *buf, size_t size);
int cgroup_write(int dir_fd, const char *name, const char *text);

#endif
