/* onced unit NAME.service: the command of a job with Unit=. See unit.h.
 *
 * Happy path: look at the unit, write its variables, start it, sleep until it has ended; its result is our
 * exit code, as a shell gives it. SIGTERM: have it stopped, and wait on. Failures: 78 when the unit is not
 * fit, 126 when it cannot be started; a bus that fails in the middle is an end with 1: the guardian, which
 * sees ours, ends the unit. */
#include "daemon/unit.h"
#include "daemon/unit-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <systemd/sd-login.h>
#include <unistd.h>

enum { EXIT_LOST = 1, EXIT_UNFIT = 78, EXIT_NOT_STARTED = 126, LOOK_MS = 2000, UNANSWERED_MAX = 5 };

extern char **environ;

void unit_say(const struct unit *u, const char *format, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	(void)fprintf(stderr, "%s: %s\n", u->name, text);
}

/* ---- variables ---- */

static bool is_for_unit(const char *variable)
{
	return (!strncmp(variable, "ONCED_", 6) && strncmp(variable, UNIT_VARIABLE, strlen(UNIT_VARIABLE)) &&
		       strncmp(variable, "ONCED_RESULT_FD=", 16)) ||
	       !strncmp(variable, "ETCD_LOCK_", 10);
}

/* As EnvironmentFile= reads it: NAME="value". */
static void put_variable(FILE *out, const char *variable)
{
	const char *value = strchr(variable, '=') + 1;

	(void)fprintf(out, "%.*s\"", (int)(value - variable), variable);
	for (; *value; value++) {
		if (strchr("\"\\`$", *value))
			(void)fputc('\\', out);
		(void)fputc(*value, out);
	}
	(void)fputs("\"\n", out);
}

static int write_variables(const struct unit *u, const char *path)
{
	char fresh[UNIT_TEXT_MAX + UNIT_NAME_LIMIT + 16];
	int fd, r = 0;
	FILE *out;

	(void)snprintf(fresh, sizeof(fresh), "%s.new", path);
	fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	out = fd >= 0 ? fdopen(fd, "w") : NULL;
	if (!out)
		r = -errno;
	for (char **v = environ; out && *v; v++)
		if (is_for_unit(*v) && strchr(*v, '='))
			put_variable(out, *v);
	if (out && (ferror(out) | fclose(out)))
		r = -EIO;
	if (r == 0 && rename(fresh, path) < 0)
		r = -errno;
	if (r < 0)
		unit_say(u, "%s: %s", path, strerror(-r));
	return r;
}

/* ---- the end ---- */

/* 1: it has ended and nothing is queued, 0: not yet. */
static int is_over(struct unit *u)
{
	bool idle;
	int r = unit_is_idle(u, &idle);

	return r < 0 ? r : idle;
}

static int exit_code(struct unit *u)
{
	char result[UNIT_TEXT_MAX];
	int64_t status = 0;
	int r = unit_process(u); /* what became of the start was told before what we have asked since */

	if (r == 0)
		r = unit_get_text(u, true, "Result", result);
	if (r == 0)
		r = unit_get_number(u, true, "ExecMainStatus", 'i', &status);
	if (r < 0)
		return EXIT_LOST;
	if (strcmp(result, "success") == 0) {
		if (strcmp(u->started, "done") == 0)
			return 0;
		unit_say(u, "was not started: %s", u->started[0] ? u->started : "nobody says why");
		return EXIT_NOT_STARTED;
	}
	unit_say(u, "ended with Result=%s", result);
	if (strcmp(result, "exit-code") == 0 && status > 0 && status < 256)
		return (int)status;
	if (strcmp(result, "signal") == 0 || strcmp(result, "core-dump") == 0)
		return 128 + (int)(status & 0x7f);
	return EXIT_LOST;
}

static int stop(struct unit *u, int signal_fd, bool *stopping)
{
	struct signalfd_siginfo info;

	if (read(signal_fd, &info, sizeof(info)) != (ssize_t)sizeof(info) || *stopping)
		return 0;
	*stopping = true;
	return unit_stop(u);
}

/* Until the bus or a signal has something. The look every two seconds is for what a systemd that was executed
 * anew has not told. */
static int sleep_until_news(struct unit *u, int signal_fd, bool *stopping)
{
	struct pollfd fds[2] = {{.fd = signal_fd, .events = POLLIN}, {.fd = sd_bus_get_fd(u->bus)}};
	int events = sd_bus_get_events(u->bus); /* not POLLIN as long as something that was read waits */

	if (events < 0)
		return events;
	fds[1].events = (short)events;
	return poll(fds, 2, LOOK_MS) > 0 && fds[0].revents ? stop(u, signal_fd, stopping) : 0;
}

/* Its exit code. */
static int wait_for_end(struct unit *u, int signal_fd)
{
	bool stopping = false;
	int r, unanswered = 0;

	do {
		r = unit_process(u);
		if (r == 0)
			r = is_over(u);
		unanswered = r < 0 ? unanswered + 1 : 0;
		if (r < 0 && sd_bus_is_open(u->bus) > 0 && unanswered <= UNANSWERED_MAX)
			r = 0; /* systemd is being executed anew */
		/* What came with these answers has been read, and would wake nobody. */
		if (r == 0 && sd_bus_process(u->bus, NULL) == 0)
			r = sleep_until_news(u, signal_fd, &stopping);
	} while (r == 0);
	return r < 0 ? EXIT_LOST : exit_code(u);
}

/* ---- life ---- */

static int open_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int find_own(struct unit *u)
{
	char *own = NULL;
	int r = sd_pid_get_unit(0, &own);

	if (r < 0) {
		unit_say(u, "the daemon is no unit of systemd, and only such a one can start units: %s",
			strerror(-r));
		return r;
	}
	(void)snprintf(u->own, sizeof(u->own), "%s", own);
	free(own);
	return 0;
}

static int start_and_wait(struct unit *u, const char *variables, int signal_fd)
{
	int code;

	if (find_own(u) < 0 || unit_connect(u) < 0)
		return EXIT_NOT_STARTED;
	if (unit_check(u) < 0)
		return EXIT_UNFIT;
	if (write_variables(u, variables) < 0)
		return EXIT_NOT_STARTED;
	code = unit_start(u) < 0 ? EXIT_NOT_STARTED : wait_for_end(u, signal_fd);
	(void)unlink(variables);
	return code;
}

int unit_main(int argc, char **argv)
{
	const char *directory = getenv(UNIT_VARIABLE_DIRECTORY), *grace = getenv(UNIT_VARIABLE_GRACE);
	struct unit u = {.name = argc == 2 ? argv[1] : "onced unit"};
	char variables[UNIT_TEXT_MAX + UNIT_NAME_LIMIT];
	int code, signal_fd = open_signals();

	if (argc != 2 || !unit_name_valid(u.name) || !directory || !grace || signal_fd < 0) {
		unit_say(&u, "is run by a job with Unit=, and by nobody else");
		return EXIT_UNFIT;
	}
	(void)prctl(PR_SET_NAME, "onced-unit");
	u.grace_usec = strtoll(grace, NULL, 10);
	(void)snprintf(variables, sizeof(variables), "%s/%s.env", directory, u.name);
	code = start_and_wait(&u, variables, signal_fd);
	unit_disconnect(&u);
	return code;
}
