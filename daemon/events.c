/* Dumps of the event ring. All names are made beforehand: the crash that asks for a dump may have
 * left nothing else in order. */
#include "daemon/events.h"

#include "daemon/link.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
	KEPT = 4,
	PATH_SIZE = LINK_PATH_MAX + LINK_NAME_MAX + 16,
	STACK_SIZE = 32 * 1024, /* the kernel's frame alone takes up to eleven with AVX-512 */
};

static struct {
	char path[KEPT][PATH_SIZE]; /* the newest first; empty: there is no runtime directory */
	char temporary[PATH_SIZE];
	char crash_line[PATH_SIZE + 80];
	events_write_fn *volatile write;
	const void *volatile userdata;
} events;

static char crash_stack[STACK_SIZE] __attribute__((aligned(16)));

void events_init(const char *runtime_dir, const char *instance)
{
	memset(&events, 0, sizeof(events));
	if (runtime_dir[0] == '\0')
		return;
	(void)snprintf(events.path[0], PATH_SIZE, "%s/%s.events", runtime_dir, instance);
	for (unsigned i = 1; i < KEPT; i++)
		(void)snprintf(
			events.path[i], PATH_SIZE, "%s/%s.events.%u", runtime_dir, instance, i);
	(void)snprintf(events.temporary, PATH_SIZE, "%s/%s.events.new", runtime_dir, instance);
	(void)snprintf(events.crash_line, sizeof(events.crash_line),
		"onced: the agent crashed; its last events are in %s\n", events.path[0]);
}

void events_source(events_write_fn *write, const void *userdata)
{
	events.write = NULL; /* a crash between the two lines dumps nothing */
	events.userdata = userdata;
	events.write = write;
}

const char *events_path(void)
{
	return events.path[0];
}

static int write_file(events_write_fn *write_fn)
{
	int fd, r;

	(void)unlink(events.temporary);
	fd = open(events.temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	r = write_fn(events.userdata, fd);
	if (close(fd) < 0 && r == 0)
		r = -errno;
	return r;
}

int events_dump(void)
{
	events_write_fn *write_fn = events.write;
	int r;

	if (!write_fn)
		return -ENODATA;
	if (events.path[0][0] == '\0')
		return -ENOENT;
	r = write_file(write_fn);
	for (unsigned i = KEPT - 1; i > 0 && r == 0; i--)
		(void)rename(events.path[i - 1], events.path[i]); /* one that is missing is none */
	if (r == 0 && rename(events.temporary, events.path[0]) < 0)
		r = -errno;
	if (r < 0)
		(void)unlink(events.temporary);
	return r;
}

/* A reader that is stuck must not keep a crashed process alive. */
static void say(const char *line)
{
	struct pollfd ready = {.fd = STDERR_FILENO, .events = POLLOUT};

	if (poll(&ready, 1, 0) == 1 && ready.revents == POLLOUT)
		(void)!write(STDERR_FILENO, line, strlen(line));
}

/* The signal is blocked and back to its default: raised here, it ends the process on return, if the
 * instruction that faulted does not. */
static void on_crash(int signo)
{
	if (events_dump() == 0)
		say(events.crash_line);
	(void)raise(signo);
}

void events_on_crash(void)
{
	static const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};
	const stack_t stack = {.ss_sp = crash_stack, .ss_size = sizeof(crash_stack)};
	struct sigaction action = {.sa_handler = on_crash, .sa_flags = SA_ONSTACK | SA_RESETHAND};

	if (sigaltstack(&stack, NULL) < 0)
		return;
	sigfillset(&action.sa_mask); /* one dump at a time */
	for (unsigned i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		(void)sigaction(signals[i], &action, NULL);
}
