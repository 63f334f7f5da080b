/* The process lists of the kernel. See pids.h. */
#include "pids.h"
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

int pids_each(int fd, void (*fn)(pid_t pid, void *arg), void *arg)
{
	char text[4096];
	long pid = 0;
	ssize_t n;

	while ((n = read(fd, text, sizeof(text))) > 0)
		for (ssize_t i = 0; i < n; i++) {
			if (text[i] >= '0' && text[i] <= '9') {
				pid = pid * 10 + (text[i] - '0');
				continue;
			}
			if (pid > 1)
				fn((pid_t)pid, arg);
			pid = 0;
		}
	return n < 0 ? -errno : 0;
}

int pids_open_children(void)
{
	int fd = open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}
