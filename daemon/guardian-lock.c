/* The instance's lock, and what its file says of the incarnation before. See guardian-internal.h.
 *
 * Happy path: take the lock, open the tree, compare what the file says with where the tree is; then it
 * speaks of this incarnation:
 *	"empty N"	nothing of it lives: at the start, and at an end with every tree proven empty
 *	"held N PLACE"	before its first work, which will be in that cgroup. One that is not there any more
 *			had nothing in it; a service manager removes that of a unit it has killed
 *	nothing		the same, without a cgroup
 *	"slice NAME"	further lines: before something may live in that slice (slice.h)
 * Failures: whatever cannot be read or written is no proof, and the next leader waits. */
#include "guardian-internal.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

enum { LOCK_TRIES = 100 };

static bool name_is_sane(const char *name)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				      "0123456789._~-";

	return name[0] && name[strspn(name, allowed)] == '\0' && strcmp(name, ".") &&
	       strcmp(name, "..");
}

/* A guardian that was killed right after it forked its keeper leaves that one a copy of the lock, until the
 * keeper has closed what it was given: for a moment, and no daemon is behind it. */
static int lock_soon(int fd)
{
	const struct timespec pause = {.tv_nsec = 10000000};

	for (int left = LOCK_TRIES; flock(fd, LOCK_EX | LOCK_NB) < 0; left--) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return -errno;
		if (left == 0)
			return -EBUSY;
		(void)nanosleep(&pause, NULL);
	}
	return 0;
}

static int take_lock(struct guardian *g, const struct link_hello *hello)
{
	char path[LINK_PATH_MAX + LINK_NAME_MAX + 8];
	int r;

	if (!hello->runtime_dir[0] || g->lock_fd >= 0)
		return 0;
	(void)snprintf(path, sizeof(path), "%s/%s.lock", hello->runtime_dir, hello->instance);
	g->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
	if (g->lock_fd < 0)
		return -errno;
	r = lock_soon(g->lock_fd);
	if (r < 0) {
		(void)close(g->lock_fd);
		g->lock_fd = -1;
	}
	return r;
}

static void say(struct guardian *g, const char *word)
{
	if (g->lock_fd >= 0 && ftruncate(g->lock_fd, 0) == 0)
		(void)!pwrite(g->lock_fd, word, strlen(word), 0);
}

static void say_empty(struct guardian *g)
{
	char word[64];

	(void)snprintf(word, sizeof(word), "empty %016llx\n", (unsigned long long)g->incarnation);
	say(g, word);
}

/* The incarnation that the file speaks of, if that is dead; else 0. The tree is open: what had been in the same
 * cgroup is dead. */
static uint64_t read_proven(const struct guardian *g)
{
	char said[TREE_PLACE_MAX + 64], place[TREE_PLACE_MAX + 8], *line_end;
	ssize_t n = g->lock_fd >= 0 ? pread(g->lock_fd, said, sizeof(said) - 1, 0) : 0;
	unsigned long long incarnation = 0;
	int end = 0;

	said[n > 0 ? n : 0] = '\0';
	line_end = strchr(said, '\n');
	if (line_end)
		line_end[1] = '\0';
	/* NOLINTNEXTLINE(cert-err34-c): sixteen digits always fit */
	if (sscanf(said, "empty %16llx%n", &incarnation, &end) == 1 && !strcmp(said + end, "\n"))
		return incarnation;
	(void)snprintf(place, sizeof(place), " %s\n", g->tree.place);
	if (g->tree.contain == LINK_CONTAIN_CGROUP && g->tree.place[0] &&
		/* NOLINTNEXTLINE(cert-err34-c): the same */
		sscanf(said, "held %16llx%n", &incarnation, &end) == 1 &&
		!strcmp(said + end, place))
		return incarnation;
	return 0;
}

int lock_open_instance(struct guardian *g, const struct link_hello *hello)
{
	int r;

	if (!memchr(hello->instance, 0, sizeof(hello->instance)) ||
		!memchr(hello->runtime_dir, 0, sizeof(hello->runtime_dir)) ||
		!name_is_sane(hello->instance))
		return -EINVAL;
	if (g->tree.ops) /* a later agent of this guardian */
		return strcmp(g->instance, hello->instance) ? -EINVAL : 0;
	r = take_lock(g, hello);
	if (r == 0 && getrandom(&g->incarnation, sizeof(g->incarnation), 0) != sizeof(g->incarnation))
		r = -EIO;
	if (r == 0)
		r = tree_open(&g->tree, hello->instance);
	if (r < 0)
		return r;
	memcpy(g->instance, hello->instance, sizeof(g->instance));
	slices_init(&g->runs.slices, g->tree.parent);
	r = g->lock_fd >= 0 ? slices_finish(g->lock_fd, g->runs.slices.root, 0) : 0;
	if (r < 0 && r != -ENOENT)
		return r;
	if (r == 0)
		g->proven = read_proven(g);
	say_empty(g);
	return 0;
}

void lock_before_work(struct guardian *g)
{
	char held[TREE_PLACE_MAX + 64] = "";

	if (g->led)
		return;
	g->led = true;
	if (g->tree.contain == LINK_CONTAIN_CGROUP && g->tree.place[0])
		(void)snprintf(held, sizeof(held), "held %016llx %s\n",
			(unsigned long long)g->incarnation, g->tree.place);
	say(g, held);
}

int lock_before_slice(struct guardian *g, const char *name, const char **ret)
{
	struct slices *slices = &g->runs.slices;
	char line[LINK_SLICE_MAX + 8];
	off_t end;
	int n;

	if (!slice_name_is_sane(name))
		return -EINVAL;
	/* Of what a killed guardian held without a cgroup there is no proof, whatever is listed. */
	if (!slices->root[0] || g->tree.contain != LINK_CONTAIN_CGROUP || g->lock_fd < 0)
		return -EOPNOTSUPP;
	for (unsigned i = 0; i < slices->n; i++)
		if (!strcmp(slices->name[i], name)) {
			*ret = slices->name[i];
			return 0;
		}
	if (slices->n == SLICES_MAX)
		return -ENOSPC;
	n = snprintf(line, sizeof(line), "slice %s\n", name);
	end = lseek(g->lock_fd, 0, SEEK_END);
	if (end < 0 || pwrite(g->lock_fd, line, (size_t)n, end) != n)
		return -EIO;
	*ret = memcpy(slices->name[slices->n++], name, strlen(name) + 1);
	return 0;
}

void lock_last_word(struct guardian *g)
{
	/* Of one that could not open it all, what the file said before still holds. */
	if (g->ever_welcomed && !g->runs.live)
		say_empty(g);
}
