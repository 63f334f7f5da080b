/* The state file. "onced-state 1 BOOT-ID cgroup|subreaper\nDATA\n" */
#include "daemon/state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char *contain_name(enum link_contain contain)
{
	return contain == LINK_CONTAIN_CGROUP ? "cgroup" : "subreaper";
}

static ssize_t read_file(const char *path, char *out, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, out, size - 1);
	(void)close(fd);
	out[n > 0 ? n : 0] = '\0';
	return n;
}

void state_init(
	struct state *state, const char *runtime_dir, const char *instance, const char *group)
{
	memset(state, 0, sizeof(*state));
	if (read_file("/proc/sys/kernel/random/boot_id", state->boot_id, sizeof(state->boot_id)) < 36)
		return;
	state->boot_id[36] = '\0';
	if (runtime_dir && runtime_dir[0])
		(void)snprintf(state->path, sizeof(state->path), "%s/%s%s%s.state", runtime_dir,
			instance, group ? "~" : "", group ? group : "");
}

size_t state_load(const struct state *state, char data[STATE_DATA_MAX], enum link_contain *ret_contain)
{
	char text[STATE_DATA_MAX + 128], head[128], *line;
	size_t n;

	if (state->path[0] == '\0' || read_file(state->path, text, sizeof(text)) <= 0)
		return 0;
	for (enum link_contain c = LINK_CONTAIN_CGROUP; c <= LINK_CONTAIN_SUBREAPER; c++) {
		n = (size_t)snprintf(head, sizeof(head), "onced-state 1 %s %s\n", state->boot_id,
			contain_name(c));
		if (strncmp(text, head, n) != 0)
			continue;
		line = strchr(text + n, '\n');
		if (!line || (size_t)(line - text) - n >= STATE_DATA_MAX)
			return 0;
		memcpy(data, text + n, (size_t)(line - text) - n);
		data[(size_t)(line - text) - n] = '\0';
		*ret_contain = c;
		return (size_t)(line - text) - n;
	}
	return 0;
}

int state_save(const struct state *state, enum link_contain contain, const void *data, size_t size)
{
	char text[STATE_DATA_MAX + 128], temporary[sizeof(state->path) + 8];
	int fd, n, r = 0;

	if (state->path[0] == '\0')
		return 0;
	if (size == 0)
		return unlink(state->path) < 0 && errno != ENOENT ? -errno : 0;
	if (size >= STATE_DATA_MAX)
		return -E2BIG;
	if (memchr(data, '\n', size) || memchr(data, '\0', size))
		return -EINVAL;
	n = snprintf(text, sizeof(text), "onced-state 1 %s %s\n%.*s\n", state->boot_id,
		contain_name(contain), (int)size, (const char *)data);
	(void)snprintf(temporary, sizeof(temporary), "%s.new", state->path);
	fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	/* No fsync: the file has to outlive this process, not this boot. */
	if (write(fd, text, (size_t)n) != n)
		r = -EIO;
	if (close(fd) < 0 && r == 0)
		r = -errno;
	if (r == 0 && rename(temporary, state->path) < 0)
		r = -errno;
	if (r < 0)
		(void)unlink(temporary);
	return r;
}
