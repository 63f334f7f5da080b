/* Preloaded into a daemon: its CLOCK_REALTIME is as many nanoseconds off as the file that $CLOCKSTEP
 * names holds, an int64_t that the nemesis changes at any time. The other clocks stay as they are. */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t *offset;

__attribute__((constructor)) static void open_offset(void)
{
	const char *path = getenv("CLOCKSTEP");
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	void *page = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof(*offset), PROT_READ, MAP_SHARED, fd, 0);

	if (page != MAP_FAILED)
		offset = page;
	if (fd >= 0)
		(void)close(fd);
}

static int64_t realtime_ns(void)
{
	struct timespec t = {0};

	(void)syscall(SYS_clock_gettime, CLOCK_REALTIME, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec + (offset ? *offset : 0);
}

__attribute__((visibility("default"))) int clock_gettime(clockid_t clock, struct timespec *ret)
{
	int64_t ns;

	if (clock != CLOCK_REALTIME && clock != CLOCK_REALTIME_COARSE)
		return (int)syscall(SYS_clock_gettime, clock, ret);
	ns = realtime_ns();
	*ret = (struct timespec){.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
	return 0;
}

__attribute__((visibility("default"))) int gettimeofday(struct timeval *restrict ret, void *restrict zone)
{
	int64_t ns = realtime_ns();

	(void)zone;
	*ret = (struct timeval){.tv_sec = ns / 1000000000, .tv_usec = ns % 1000000000 / 1000};
	return 0;
}

__attribute__((visibility("default"))) time_t time(time_t *ret)
{
	time_t now = realtime_ns() / 1000000000;

	if (ret)
		*ret = now;
	return now;
}
