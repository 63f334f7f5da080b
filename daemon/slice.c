/* Slices of units. See slice.h. */
#include "slice.h"
#include "cgroup.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define ABOVE "onced.slice"

enum { FINISH_MS = 5000, LOOK_MS = 5 };

void slices_init(struct slices *slices, const char *own_cgroup)
{
	const char *at = own_cgroup, *end;

	slices->n = 0;
	slices->root[0] = '\0';
	for (; (at = strchr(at, '/')); at = end) {
		end = at + 1 + strcspn(at + 1, "/");
		if (end - at <= 7 || strncmp(end - 6, ".slice", 6) != 0)
			continue;
		(void)snprintf(slices->root, sizeof(slices->root), "%.*s", (int)(at - own_cgroup), own_cgroup);
		return;
	}
}

bool slice_name_is_sane(const char *name)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.";
	size_t n = strnlen(name, LINK_SLICE_MAX);

	return n < LINK_SLICE_MAX && n > 12 && !strncmp(name, "onced-", 6) && !strcmp(name + n - 6, ".slice") &&
	       strspn(name + 6, allowed) == n - 6;
}

/* The slice's directory, made if it is missing. */
static int open_slice(const char *root, const char *name)
{
	char path[LINK_PATH_MAX + LINK_SLICE_MAX + sizeof(ABOVE) + 2];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/" ABOVE, root);
	(void)mkdir(path, 0755);
	(void)snprintf(path, sizeof(path), "%s/" ABOVE "/%s", root, name);
	if (mkdir(path, 0755) < 0 && errno != EEXIST)
		return -errno;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	return fd < 0 ? -errno : fd;
}

static int shut(int dir_fd)
{
	return cgroup_write(dir_fd, "cgroup.max.descendants", "0");
}

static bool says(int dir_fd, const char *file, const char *line)
{
	char text[1024], *at;
	size_t n = strlen(line);

	if (cgroup_read(dir_fd, file, text, sizeof(text)) <= 0)
		return false;
	for (at = text; at; at = strchr(at, '\n') ? strchr(at, '\n') + 1 : NULL)
		if (!strncmp(at, line, n) && (at[n] == '\n' || !at[n]))
			return true;
	return false;
}

static bool is_empty(int dir_fd)
{
	return says(dir_fd, "cgroup.max.descendants", "0") && says(dir_fd, "cgroup.stat", "nr_descendants 0") &&
	       says(dir_fd, "cgroup.events", "populated 0");
}

int slice_open(const char *root, const char *name)
{
	int fd = open_slice(root, name), r;

	if (fd < 0)
		return fd;
	r = shut(fd);
	if (r == 0 && faccessat(fd, "cgroup.kill", W_OK, 0) < 0)
		r = -errno;
	if (r == 0 && !is_empty(fd))
		r = -EBUSY;
	if (r == 0)
		r = cgroup_write(fd, "cgroup.max.descendants", "max");
	(void)close(fd);
	return r;
}

void slice_end(const char *root, const char *name)
{
	int fd = open_slice(root, name);

	if (fd < 0)
		return;
	(void)shut(fd);
	(void)cgroup_write(fd, "cgroup.kill", "1");
	(void)close(fd);
}

bool slice_is_empty(const char *root, const char *name)
{
	int fd = open_slice(root, name);
	bool empty = fd >= 0 && is_empty(fd);

	if (fd >= 0)
		(void)close(fd);
	return empty;
}

/* Calls slice_end() for each named; the number of those that are not empty, -1: of an unknown root. */
static int end_all(char *text, const char *root)
{
	int left = 0;

	for (char *line = text, *end; (end = strchr(line, '\n')); line = end + 1) {
		char name[LINK_SLICE_MAX];

		if (strncmp(line, "slice ", 6) != 0 || (size_t)(end - line) >= 6 + sizeof(name))
			continue;
		(void)snprintf(name, sizeof(name), "%.*s", (int)(end - line - 6), line + 6);
		if (!slice_name_is_sane(name))
			continue;
		if (!root[0])
			return -1;
		slice_end(root, name);
		left += !slice_is_empty(root, name);
	}
	return left;
}

static bool is_of(const char *text, uint64_t incarnation)
{
	char number[24];
	const char *at;

	(void)snprintf(number, sizeof(number), " %016llx", (unsigned long long)incarnation);
	at = strstr(text, number);
	return !incarnation || (at && at < text + strcspn(text, "\n"));
}

int slices_finish(int fd, const char *root, uint64_t incarnation)
{
	static char text[SLICES_MAX * (LINK_SLICE_MAX + 8) + 1024];
	const struct timespec pause = {.tv_nsec = LOOK_MS * 1000000L};
	int left = 0;

	for (int waited_ms = 0; waited_ms < FINISH_MS; waited_ms += LOOK_MS) {
		ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

		if (n < 0)
			return -errno;
		text[n] = '\0';
		if (!is_of(text, incarnation))
			return 0;
		left = end_all(text, root);
		if (left <= 0)
			break;
		(void)nanosleep(&pause, NULL);
	}
	return left < 0 ? -ENOENT : left > 0 ? -ETIMEDOUT : 0;
}
