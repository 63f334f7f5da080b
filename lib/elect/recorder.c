/* The event ring's memory, and its dump. The memory is mapped whole and touched as events come. */
#include "elect/elector.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

void recorder_init(struct once_elector *e)
{
	const struct ring_shape shape = RING_SHAPE_DEFAULT;
	size_t size = ring_size(&shape);
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (memory == MAP_FAILED)
		return; /* the election does not depend on it */
	/* one touched byte must not make two megabytes resident */
	(void)madvise(memory, size, MADV_NOHUGEPAGE);
	e->ring = ring_init(memory, &shape);
	e->ring_size = size;
}

void recorder_fini(struct once_elector *e)
{
	if (e->ring)
		(void)munmap(e->ring, e->ring_size);
	e->ring = NULL;
}

static int write_all(int fd, const char *data, size_t size)
{
	while (size > 0) {
		ssize_t n = write(fd, data, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		data += n;
		size -= (size_t)n;
	}
	return 0;
}

int once_elector_dump(const struct once_elector *e, int fd)
{
	unsigned n = e->ring ? ring_pieces(e->ring) : 0;
	const void *piece;
	int r = n < 2 ? -ENODATA : 0;

	for (unsigned i = 0; i < n && r == 0; i++) {
		size_t size = ring_piece(e->ring, i, &piece);
		r = write_all(fd, piece, size);
	}
	return r;
}
