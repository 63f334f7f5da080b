/* A command for an event, with ETCD_WATCH_KEY and so on in its environment, quoted as Go does.
 *
 * The watch stands still while it runs. An error of exec comes through a pipe that exec closes. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tools/oncectl/kv/watch.h"

static int set_quoted(const char *name, struct once_bytes bytes)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	int r = -ENOMEM;

	if (out) {
		kv_write_quoted(out, bytes);
		if (fclose(out) == 0)
			r = setenv(name, text, 1);
	}
	free(text);
	return r;
}

static void become(char **command, int error_fd, const struct once_watch_report *report,
	const struct once_event *event)
{
	bool put = event->kind == ONCE_EVENT_PUT;
	char revision[32];
	int error;

	(void)snprintf(revision, sizeof(revision), "%" PRId64, report->revision);
	if (setenv("ETCD_WATCH_REVISION", revision, 1) == 0 &&
		set_quoted("ETCD_WATCH_EVENT_TYPE", once_str(put ? "PUT" : "DELETE")) == 0 &&
		set_quoted("ETCD_WATCH_KEY", event->kv.key) == 0 &&
		set_quoted("ETCD_WATCH_VALUE", event->kv.value) == 0)
		(void)execvp(command[0], command);
	error = errno;
	(void)!write(error_fd, &error, sizeof(error));
	_exit(127);
}

static int tell(char **command, const char *why)
{
	fputs("command [", stderr);
	for (char **word = command; *word; word++) {
		fputs(word == command ? "" : " ", stderr);
		kv_write_quoted(stderr, once_str(*word));
	}
	fprintf(stderr, "] error (%s)\n", why);
	return CTL_FAILED;
}

int kv_watch_run(struct ctl *ctl, char **command, const struct once_watch_report *report,
	const struct once_event *event)
{
	int status = 0, error = 0, fds[2];
	pid_t pid;

	(void)fflush(stdout);
	if (pipe2(fds, O_CLOEXEC) < 0)
		return tell(command, strerror(errno));
	pid = fork();
	if (pid == 0)
		become(command, fds[1], report, event);
	close(fds[1]);
	if (pid < 0)
		error = errno;
	else if (read(fds[0], &error, sizeof(error)) != (ssize_t)sizeof(error))
		error = 0;
	close(fds[0]);
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (error)
		return tell(command, kv_exec_text(ctl, command[0], strerror(error)));
	if (status == 0)
		return CTL_OK;
	return tell(command, kv_exit_text(ctl, WIFEXITED(status) ? WEXITSTATUS(status) : 0,
				     WIFSIGNALED(status) ? WTERMSIG(status) : 0));
}
