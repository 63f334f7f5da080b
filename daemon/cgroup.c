/* Files of cgroups. See cgroup.h. */
#include "cgroup.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

ssize_t cgroup_read(int dir_fd, const char *name, char *buf, size_t size)
{
	int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC);
	ssize_t n = -1, total = 0;

	if (fd < 0)
		return -errno;
	while (total < (ssize_t)size - 1 &&
		(n = read(fd, buf + total, size - 1 - (size_t)total)) > 0)
		total += n;
	if (n < 0)
		total = -errno;
	else
		buf[total] = '\0';
	(void)close(fd);
	return total;
}

int cgroup_write(int dir_fd, const char *name, const char *text)
{
	int fd = openat(dir_fd, name, O_WRONLY | O_CLOEXEC), r = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		r = -errno;
	(void)close(fd);
	return r;
}
