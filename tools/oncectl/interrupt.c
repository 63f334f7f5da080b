/* See interrupt.h. */
#include "tools/oncectl/interrupt.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

static volatile sig_atomic_t last;
static volatile sig_atomic_t wake_fd = -1;

static void on_signal(int signo)
{
	uint64_t one = 1;
	int saved = errno;

	last = signo;
	if (write(wake_fd, &one, sizeof(one)) < 0)
		abort(); /* an eventfd takes 2^64 - 2 of them */
	errno = saved;
}

static void handle(void (*handler)(int))
{
	struct sigaction action = {.sa_handler = handler}; /* without SA_RESTART */

	sigemptyset(&action.sa_mask);
	(void)sigaction(SIGINT, &action, NULL);
	(void)sigaction(SIGTERM, &action, NULL);
}

int interrupt_open(void)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	if (fd < 0)
		return -errno;
	last = 0;
	wake_fd = fd;
	handle(on_signal);
	return fd;
}

void interrupt_close(int fd)
{
	if (fd < 0)
		return;
	handle(SIG_DFL);
	(void)close(fd);
}

int interrupt_signal(void)
{
	return last;
}
