/* See signals.h. A signalfd: no handler runs in the middle of something else. */
#include "tools/oncectl/signals.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

static const int wanted[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2};

static void on_readable(void *userdata, int fd, int events)
{
	struct signals *s = userdata;
	struct signalfd_siginfo info;

	(void)events;
	if (read(fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		s->fn(s->userdata, (int)info.ssi_signo);
}

int signals_init(
	struct signals *s, struct ctl *ctl, void (*fn)(void *userdata, int signo), void *userdata)
{
	sigset_t set;

	*s = (struct signals){.loop = ctl->loop, .fn = fn, .userdata = userdata, .fd = -1};
	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		sigaddset(&set, wanted[i]);
	if (sigprocmask(SIG_BLOCK, &set, NULL) == 0)
		s->fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (s->fd < 0)
		return ctl_error(CTL_FAILED, "signals: %s", strerror(errno));
	s->io = s->loop->ops->io_new(s->loop, s->fd, on_readable, s);
	if (!s->io)
		return ctl_out_of_memory();
	s->loop->ops->io_set(s->io, ONCE_IO_READ);
	return CTL_OK;
}

void signals_fini(struct signals *s)
{
	if (!s->loop)
		return;
	s->loop->ops->io_free(s->io);
	s->io = NULL;
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
}

void signals_default(int signo)
{
	sigset_t one;

	sigemptyset(&one);
	sigaddset(&one, signo);
	(void)signal(signo, SIG_DFL);
	(void)raise(signo);
	(void)sigprocmask(SIG_UNBLOCK, &one, NULL);
}
