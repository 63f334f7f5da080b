/* See result.h. */
#include "daemon/result.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8u /* Linux 6.3 */
#endif

int result_open(void)
{
	int fd = memfd_create("onced-result", MFD_CLOEXEC | MFD_NOEXEC_SEAL);

	if (fd < 0 && errno == EINVAL)
		fd = memfd_create("onced-result", MFD_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

void result_close(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
	*fd = -1;
}

static int read_all(int fd, char *data, size_t size)
{
	for (size_t at = 0; at < size;) {
		ssize_t n = pread(fd, data + at, size - at, (off_t)at);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n == 0)
			return -EIO; /* nobody is left who could have shortened it */
		at += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

int result_read(int fd, char **ret, size_t *ret_size)
{
	struct stat st;
	char *data;
	int r;

	*ret = NULL;
	*ret_size = 0;
	if (fd < 0)
		return 0;
	if (fstat(fd, &st) < 0)
		return -errno;
	*ret_size = (size_t)st.st_size;
	if (st.st_size == 0)
		return 0;
	if (st.st_size > ONCE_RESULT_MAX)
		return -EMSGSIZE;
	data = malloc(*ret_size);
	r = data ? read_all(fd, data, *ret_size) : -ENOMEM;
	if (r < 0)
		free(data);
	else
		*ret = data;
	return r;
}
