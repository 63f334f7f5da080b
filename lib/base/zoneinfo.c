/* Time zone files; see zoneinfo.h. The name comes from a configuration or a command line, so it is
 * checked before it becomes a path; links are followed, because tzdata has many. */
#include "base/zoneinfo.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_inner(char c)
{
	return is_letter(c) || (c >= '0' && c <= '9') || c == '_' || c == '+' || c == '-';
}

bool zoneinfo_name_valid(const char *name, size_t size)
{
	bool begins = true; /* a part does */

	if (size == 0 || size >= ZONEINFO_NAME_MAX)
		return false;
	for (size_t i = 0; i < size; i++) {
		if (begins ? !is_letter(name[i]) : name[i] != '/' && !is_inner(name[i]))
			return false;
		begins = name[i] == '/';
	}
	return !begins;
}

static int read_file(int fd, char *out, size_t *ret_size)
{
	size_t size = 0;
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode))
		return -ENOENT; /* "Europe" names no zone */
	if (!S_ISREG(st.st_mode) || st.st_size > ZONEINFO_FILE_MAX)
		return -EFBIG;
	while (size < ZONEINFO_FILE_MAX) {
		ssize_t n = read(fd, out + size, ZONEINFO_FILE_MAX - size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		size += (size_t)n;
	}
	*ret_size = size;
	return 0;
}

int zoneinfo_read(const char *directory, const char *name, void *out, size_t *ret_size)
{
	char path[4096];
	int fd, r;

	if (!zoneinfo_name_valid(name, strlen(name)))
		return -EINVAL;
	r = snprintf(path, sizeof(path), "%s/%s", directory ? directory : ZONEINFO_DIRECTORY, name);
	if (r < 0 || (size_t)r >= sizeof(path))
		return -ENAMETOOLONG;
	/* not blocked by a FIFO in its place */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return errno == ENOTDIR ? -ENOENT : -errno;
	r = read_file(fd, out, ret_size);
	(void)close(fd);
	return r;
}
