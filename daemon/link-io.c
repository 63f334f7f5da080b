/* Packets of the link over their socket. See link-io.h. */
#include "link-io.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

union control {
	struct cmsghdr head;
	char bytes[CMSG_SPACE(LINK_FDS_MAX * sizeof(int))];
};

int link_open(int ret_fds[2])
{
	int size = 2 * LINK_PACKET_MAX;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ret_fds) < 0)
		return -errno;
	for (int i = 0; i < 2; i++)
		(void)setsockopt(ret_fds[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	(void)fcntl(ret_fds[0], F_SETFL, O_NONBLOCK);
	return 0;
}

int link_send(int fd, const void *packet, size_t size)
{
	return link_send_fds(fd, packet, size, NULL, 0);
}

int link_send_fds(int fd, const void *packet, size_t size, const int *fds, unsigned n_fds)
{
	struct iovec iov = {.iov_base = (void *)(uintptr_t)packet, .iov_len = size};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	union control control = {0};

	if (n_fds > LINK_FDS_MAX)
		return -EINVAL;
	if (n_fds > 0) {
		struct cmsghdr *head = &control.head;

		msg.msg_control = control.bytes;
		msg.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
		head->cmsg_level = SOL_SOCKET;
		head->cmsg_type = SCM_RIGHTS;
		head->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
		memcpy(CMSG_DATA(head), fds, n_fds * sizeof(int));
	}
	return sendmsg(fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

ssize_t link_receive(int fd, void *buf, size_t size, int ret_fds[LINK_FDS_MAX])
{
	struct iovec iov = {.iov_base = buf, .iov_len = size};
	union control control;
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = CMSG_LEN(LINK_FDS_MAX * sizeof(int)), /* and no padding */
	};
	struct cmsghdr *head;
	ssize_t n;

	for (int i = 0; i < LINK_FDS_MAX; i++)
		ret_fds[i] = -1;
	/* ECONNRESET is told once, and before what is still to be read: the other end has closed with
	 * something of ours unread. Its last word counts. */
	do
		n = recvmsg(fd, &msg, MSG_CMSG_CLOEXEC);
	while (n < 0 && (errno == EINTR || errno == ECONNRESET));
	if (n < 0)
		return -errno;
	head = CMSG_FIRSTHDR(&msg);
	if (head && head->cmsg_level == SOL_SOCKET && head->cmsg_type == SCM_RIGHTS)
		memcpy(ret_fds, CMSG_DATA(head), head->cmsg_len - CMSG_LEN(0));
	return msg.msg_flags & MSG_TRUNC ? -EMSGSIZE : n;
}
