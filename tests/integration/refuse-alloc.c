/* Preloaded into a program: one allocation of its life is refused, whoever asks, libc and libraries
 * included. REFUSE_AT is its number, from 0; REFUSE_SAID a file that is made when it came so far.
 * What the dynamic linker allocates before main() is not counted. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

/* The C library's own, which the ones below stand before. */
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *old, size_t size);

static long until = -1;
static const char *said;

__attribute__((constructor)) static void begin(void)
{
	const char *at = getenv("REFUSE_AT");

	said = getenv("REFUSE_SAID");
	until = at ? strtol(at, NULL, 10) : -1;
}

static bool refused(void)
{
	/* a program of one thread until it connects; which one counts then does not matter */
	if (until < 0 || until-- > 0)
		return false;
	if (said)
		(void)close(open(said, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	errno = ENOMEM;
	return true;
}

void *malloc(size_t size)
{
	return refused() ? NULL : __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
	return refused() ? NULL : __libc_calloc(n, size);
}

void *realloc(void *old, size_t size)
{
	return refused() ? NULL : __libc_realloc(old, size);
}
