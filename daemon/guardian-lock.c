/* The instance's lock, and what its file says of the incarnation before. See guardian-internal.h.
 *
 * Happy path: take the lock, open the tree, compare what the file says with where the tree is; before
 * the first work say where that will be; at the end say that all was seen empty. Failures: whatever
 * cannot be read or written is no proof, and the next leader waits. */
#include "guardian-internal.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

static bool name_is_sane(const char *name)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				      "0123456789._~-";

	return name[0] && name[strspn(name, allowed)] == '\0' && strcmp(name, ".") &&
	       strcmp(name, "..");
}

static int take_lock(struct guardian *g, const struct link_hello *hello)
{
	char path[LINK_PATH_MAX + LINK_NAME_MAX + 8];
	int r = 0;

	if (!hello->runtime_dir[0] || g->lock_fd >= 0)
		return 0;
	(void)snprintf(path, sizeof(path), "%s/%s.lock", hello->runtime_dir, hello->instance);
	g->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
	if (g->lock_fd < 0)
		return -errno;
	if (flock(g->lock_fd, LOCK_EX | LOCK_NB) < 0) {
		r = errno == EWOULDBLOCK ? -EBUSY : -errno;
		(void)close(g->lock_fd);
		g->lock_fd = -1;
	}
	return r;
}

static void held_word(const struct guardian *g, char *out, size_t size)
{
	out[0] = '\0';
	if (g->tree.contain == LINK_CONTAIN_CGROUP && g->tree.place[0])
		(void)snprintf(out, size, GUARDIAN_HELD_WORD, g->tree.place);
}

/* The tree is open, so that what had been in the same cgroup is dead. */
static bool file_proves(const struct guardian *g)
{
	char said[TREE_PLACE_MAX + 8], held[TREE_PLACE_MAX + 8];
	ssize_t n = g->lock_fd >= 0 ? pread(g->lock_fd, said, sizeof(said) - 1, 0) : 0;

	if (n <= 0)
		return false;
	said[n] = '\0';
	held_word(g, held, sizeof(held));
	return !strcmp(said, GUARDIAN_LAST_WORD) || (held[0] && !strcmp(said, held));
}

static void say(struct guardian *g, const char *word)
{
	if (g->lock_fd >= 0 && ftruncate(g->lock_fd, 0) == 0)
		(void)!pwrite(g->lock_fd, word, strlen(word), 0);
}

int lock_open_instance(struct guardian *g, const struct link_hello *hello)
{
	bool leaf_emptied = false;
	int r;

	if (!memchr(hello->instance, 0, sizeof(hello->instance)) ||
		!memchr(hello->runtime_dir, 0, sizeof(hello->runtime_dir)) ||
		!name_is_sane(hello->instance))
		return -EINVAL;
	if (g->tree.ops) /* a later agent of this guardian */
		return strcmp(g->instance, hello->instance) ? -EINVAL : 0;
	r = take_lock(g, hello);
	if (r == 0)
		r = tree_open(&g->tree, hello->instance, &leaf_emptied);
	if (r < 0)
		return r;
	memcpy(g->instance, hello->instance, sizeof(g->instance));
	g->emptied = leaf_emptied || file_proves(g);
	/* The next start would take our word for what it knows of others. */
	if (!g->emptied)
		say(g, "");
	return 0;
}

void lock_before_work(struct guardian *g)
{
	char held[TREE_PLACE_MAX + 8];

	if (g->led)
		return;
	g->led = true;
	held_word(g, held, sizeof(held));
	say(g, held);
}

void lock_last_word(struct guardian *g)
{
	if (g->tree.ops && !g->runs.live)
		say(g, GUARDIAN_LAST_WORD);
}
