/* The state file. "onced-state 2 BOOT-ID INCARNATION\nDATA\n" */
#include "daemon/state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

ssize_t state_read(const char *path, char *out, size_t size)
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
	if (state_read("/proc/sys/kernel/random/boot_id", state->boot_id, sizeof(state->boot_id)) < 36)
		return;
	state->boot_id[36] = '\0';
	if (runtime_dir && runtime_dir[0])
		(void)snprintf(state->path, sizeof(state->path), "%s/%s%s%s.state", runtime_dir,
			instance, group ? "~" : "", group ? group : "");
}

static int head_line(const struct state *state, uint64_t incarnation, char *out, size_t size)
{
	return snprintf(out, size, "onced-state 2 %s %016llx\n", state->boot_id,
		(unsigned long long)incarnation);
}

size_t state_load(const struct state *state, const struct state_owner *owner, char data[STATE_DATA_MAX])
{
	const uint64_t trusted[] = {owner->own, owner->proven};
	char text[STATE_DATA_MAX + 128], head[128], *line;
	size_t n;

	if (state->path[0] == '\0' || state_read(state->path, text, sizeof(text)) <= 0)
		return 0;
	for (size_t i = 0; i < sizeof(trusted) / sizeof(trusted[0]); i++) {
		n = (size_t)head_line(state, trusted[i], head, sizeof(head));
		if (trusted[i] == 0 || strncmp(text, head, n) != 0)
			continue;
		line = strchr(text + n, '\n');
		if (!line || (size_t)(line - text) - n >= STATE_DATA_MAX)
			return 0;
		memcpy(data, text + n, (size_t)(line - text) - n);
		data[(size_t)(line - text) - n] = '\0';
		return (size_t)(line - text) - n;
	}
	return 0;
}

int state_save(const struct state *state, const struct state_owner *owner, const void *data, size_t size)
{
	char text[STATE_DATA_MAX + 128];
	int n;

	if (state->path[0] == '\0')
		return 0;
	if (size == 0)
		return unlink(state->path) < 0 && errno != ENOENT ? -errno : 0;
	if (size >= STATE_DATA_MAX)
		return -E2BIG;
	if (memchr(data, '\n', size) || memchr(data, '\0', size))
		return -EINVAL;
	n = head_line(state, owner->own, text, sizeof(text));
	n += snprintf(text + n, sizeof(text) - (size_t)n, "%.*s\n", (int)size, (const char *)data);
	/* No fsync: the file has to outlive this process, not this boot. */
	return state_replace(state->path, text, (size_t)n);
}

int state_replace(const char *path, const char *text, size_t size)
{
	char temporary[sizeof(((struct state *)0)->path) + 8];
	int fd, r = 0;

	if (snprintf(temporary, sizeof(temporary), "%s.new", path) >= (int)sizeof(temporary))
		return -ENAMETOOLONG;
	fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	if (write(fd, text, size) != (ssize_t)size)
		r = -EIO;
	if (close(fd) < 0 && r == 0)
		r = -errno;
	if (r == 0 && rename(temporary, path) < 0)
		r = -errno;
	if (r < 0)
		(void)unlink(temporary);
	return r;
}
