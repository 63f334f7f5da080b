/* Packets of the link over their socket. */
#ifndef ONCED_LINK_IO_H
#define ONCED_LINK_IO_H

#include "link.h"
#include <stddef.h>
#include <sys/types.h>

/* A close-on-exec pair: [0] the guardian's end, which never blocks, [1] the agent's, which does
 * until the agent says otherwise. Both hold at least one packet of the largest size. */
int link_open(int ret_fds[2]);

/* 0, -EAGAIN (full), -EPIPE and others (the other end is gone). Never blocks, never signals. */
int link_send(int fd, const void *packet, size_t size);

/* As link_send, with descriptors beside the packet; they stay the caller's. */
int link_send_fds(int fd, const void *packet, size_t size, const int *fds, unsigned n_fds);

/* Bytes of one packet, 0 at the end, -EAGAIN, -EMSGSIZE (longer than the buffer; it is gone).
 * ret_fds: the descriptors that came with it, else -1; the caller closes them. */
ssize_t link_receive(int fd, void *buf, size_t size, int ret_fds[LINK_FDS_MAX]);

#endif
