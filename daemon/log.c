/* The log.
 *
 * Happy path: format into a buffer on the stack, escape into a second one, then one datagram to the
 * journal or one write to stderr. No lock, no allocation, no time-consuming call: log_init() has
 * read the time zone already.
 *
 * Failures: a reader that does not keep up costs the line. sd_journal_sendv() is not used because
 * its socket blocks when journald stops reading, and the guardian may not; journald's own datagram
 * format is public and small (systemd.io, "Native Journal Protocol"). For the same reason a
 * terminal or pipe at stderr is opened anew without blocking where that is allowed: the flag
 * belongs to the open file, which is shared with whoever started us. A regular file cannot block
 * and is written as it is; a second opening would forget O_APPEND and the position. */
#include "daemon/log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/escape.h"

enum log_form { LOG_PLAIN, LOG_COLOUR, LOG_PREFIX, LOG_JOURNAL };

struct field {
	char name[LOG_FIELD_NAME_MAX];
	char value[LOG_FIELD_VALUE_MAX];
};

static struct {
	enum once_log_level level;
	enum log_form form;
	int fd;		  /* where plain lines go */
	int journal_fd;	  /* datagram socket, -1 without */
	bool is_socket;	  /* fd: then MSG_DONTWAIT works, and poll is not needed */
	bool torn;	  /* the last line went out in part */
	uint64_t dropped; /* all lines lost */
	uint64_t told;	  /* of which a reader knows */
	struct field fields[LOG_FIELDS_MAX];
	size_t n_fields;
	log_listen_fn *listen;
	void *listen_userdata;
} log_state = {.level = ONCE_LOG_INFO, .fd = STDERR_FILENO, .journal_fd = -1};

static const char journal_path_default[] = "/run/systemd/journal/socket";

/* ---- where lines go -------------------------------------------------------------------------- */

static int journal_open(void)
{
	/* The variable is for tests; who controls our environment controls our stderr too. */
	const char *path = getenv("ONCED_JOURNAL_SOCKET");
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd;

	if (!path || !*path)
		path = journal_path_default;
	if (strlen(path) >= sizeof(address.sun_path))
		return -1;
	memcpy(address.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -1;
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		(void)close(fd);
		return -1;
	}
	return fd;
}

/* Is stderr the very stream that the service manager connected to the journal? */
static bool is_journal_stream(const struct stat *st)
{
	const char *text = getenv("JOURNAL_STREAM");
	char expected[64];

	if (!text)
		return false;
	(void)snprintf(expected, sizeof(expected), "%llu:%llu", (unsigned long long)st->st_dev,
		(unsigned long long)st->st_ino);
	return strcmp(text, expected) == 0;
}

static void reopen_without_blocking(void)
{
	int fd = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

	if (fd >= 0)
		log_state.fd = fd;
}

static void log_fini(void)
{
	if (log_state.fd != STDERR_FILENO)
		(void)close(log_state.fd);
	if (log_state.journal_fd >= 0)
		(void)close(log_state.journal_fd);
	log_state.fd = STDERR_FILENO;
	log_state.journal_fd = -1;
	log_state.form = LOG_PLAIN;
	log_state.is_socket = false;
}

void log_init(void)
{
	struct stat st;

	log_fini();
	tzset();
	if (fstat(STDERR_FILENO, &st) < 0)
		return;
	log_state.is_socket = S_ISSOCK(st.st_mode);
	if (is_journal_stream(&st))
		log_state.journal_fd = journal_open();
	if (log_state.journal_fd >= 0)
		log_state.form = LOG_JOURNAL;
	else if (!isatty(STDERR_FILENO) && getenv("INVOCATION_ID") && !S_ISREG(st.st_mode))
		log_state.form = LOG_PREFIX;
	else if (isatty(STDERR_FILENO) && !getenv("NO_COLOR"))
		log_state.form = LOG_COLOUR;
	if (S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode))
		reopen_without_blocking();
}

/* ---- level and fields ------------------------------------------------------------------------ */

void log_set_level(enum once_log_level level)
{
	log_state.level = level;
}

enum once_log_level log_get_level(void)
{
	return log_state.level;
}

void log_listen(log_listen_fn *fn, void *userdata)
{
	log_state.listen = fn;
	log_state.listen_userdata = userdata;
}

uint64_t log_dropped(void)
{
	return log_state.dropped;
}

static bool field_name_valid(const char *name)
{
	size_t n = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");

	/* The journal keeps names that begin with _ for itself. */
	return n > 0 && n < LOG_FIELD_NAME_MAX && name[n] == '\0' && name[0] >= 'A' &&
	       name[0] <= 'Z';
}

int log_field(const char *name, const char *value)
{
	size_t i = 0;

	if (!field_name_valid(name))
		return -EINVAL;
	while (i < log_state.n_fields && strcmp(log_state.fields[i].name, name) != 0)
		i++;
	if (!value) {
		if (i < log_state.n_fields)
			log_state.fields[i] = log_state.fields[--log_state.n_fields];
		return 0;
	}
	if (i == LOG_FIELDS_MAX)
		return -ENOSPC;
	if (i == log_state.n_fields)
		log_state.n_fields++;
	(void)snprintf(log_state.fields[i].name, LOG_FIELD_NAME_MAX, "%s", name);
	(void)escape_line(log_state.fields[i].value, LOG_FIELD_VALUE_MAX, value, strlen(value));
	return 0;
}

/* ---- writing --------------------------------------------------------------------------------- */

/* True when the whole line went out. */
static bool put_bytes(const char *data, size_t size)
{
	struct pollfd poller = {.fd = log_state.fd, .events = POLLOUT};
	ssize_t n;

	if (log_state.is_socket) {
		n = send(log_state.fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL);
	} else {
		/* For a descriptor that could not be opened anew: a pipe that is ready takes at
		 * least PIPE_BUF bytes, and no line is longer. Without a reader: no SIGPIPE. */
		if (poll(&poller, 1, 0) != 1 || poller.revents != POLLOUT)
			return false;
		n = write(log_state.fd, data, size);
	}
	log_state.torn = n > 0 && (size_t)n < size;
	return n >= 0 && (size_t)n == size;
}

static const char *level_word(enum once_log_level level)
{
	switch (level) {
	case ONCE_LOG_ERR:
		return "error";
	case ONCE_LOG_WARNING:
		return "warning";
	case ONCE_LOG_INFO:
		return "info";
	case ONCE_LOG_DEBUG:
		return "debug";
	}
	return "?";
}

static const char *level_colour(enum once_log_level level)
{
	switch (level) {
	case ONCE_LOG_ERR:
		return "\033[1;31m";
	case ONCE_LOG_WARNING:
		return "\033[33m";
	case ONCE_LOG_DEBUG:
		return "\033[2m";
	case ONCE_LOG_INFO:
		break;
	}
	return "";
}

static bool put_line(enum once_log_level level, const char *text)
{
	char line[LOG_TEXT_MAX + 96];
	const char *tear = log_state.torn ? "\n" : "";
	const char *colour = log_state.form == LOG_COLOUR ? level_colour(level) : "";
	struct timespec now = {0};
	struct tm tm = {0};
	int n;

	if (log_state.form == LOG_PREFIX) {
		n = snprintf(line, sizeof(line), "%s<%d>%s\n", tear, (int)level, text);
	} else {
		(void)clock_gettime(CLOCK_REALTIME, &now);
		(void)localtime_r(&now.tv_sec, &tm);
		n = snprintf(line, sizeof(line), "%s%s%02d:%02d:%02d.%03d %s %s%s\n", tear, colour,
			tm.tm_hour, tm.tm_min, tm.tm_sec, (int)(now.tv_nsec / 1000000),
			level_word(level), text, *colour ? "\033[0m" : "");
	}
	return n > 0 && put_bytes(line, (size_t)n);
}

/* Values hold no newline, so the format's simple form is enough. */
static bool put_journal(enum once_log_level level, const char *event, const char *text)
{
	char data[LOG_TEXT_MAX + 256 +
		  LOG_FIELDS_MAX * (LOG_FIELD_NAME_MAX + LOG_FIELD_VALUE_MAX + 2)];
	size_t used;
	int n;

	n = snprintf(data, sizeof(data),
		"MESSAGE=%s\nPRIORITY=%d\nSYSLOG_IDENTIFIER=onced\nONCED_EVENT=%.64s\n", text,
		(int)level, event);
	if (n < 0)
		return false;
	used = (size_t)n;
	for (size_t i = 0; i < log_state.n_fields; i++) {
		n = snprintf(data + used, sizeof(data) - used, "%s=%s\n", log_state.fields[i].name,
			log_state.fields[i].value);
		if (n < 0 || (size_t)n >= sizeof(data) - used)
			return false;
		used += (size_t)n;
	}
	if (send(log_state.journal_fd, data, used, MSG_NOSIGNAL) >= 0)
		return true;
	if (errno == EAGAIN)
		return false;
	/* journald is gone or was restarted: once more with a fresh socket, at most. */
	(void)close(log_state.journal_fd);
	log_state.journal_fd = journal_open();
	return log_state.journal_fd >= 0 &&
	       send(log_state.journal_fd, data, used, MSG_NOSIGNAL) >= 0;
}

static bool put(enum once_log_level level, const char *event, const char *text)
{
	if (log_state.form == LOG_JOURNAL)
		return put_journal(level, event, text);
	return put_line(level, text);
}

static void tell_dropped(void)
{
	char text[80];

	if (log_state.dropped == log_state.told)
		return;
	(void)snprintf(text, sizeof(text),
		"%llu lines of this log were lost: its reader was too slow",
		(unsigned long long)(log_state.dropped - log_state.told));
	if (put(ONCE_LOG_WARNING, "log-dropped", text))
		log_state.told = log_state.dropped;
}

void log_event(enum once_log_level level, const char *event, const char *format, ...)
{
	char raw[LOG_TEXT_MAX], text[LOG_TEXT_MAX];
	int saved = errno;
	va_list args;
	int n;

	if (level > log_state.level)
		return;
	va_start(args, format);
	errno = saved; /* for %m */
	n = vsnprintf(raw, sizeof(raw), format, args);
	va_end(args);
	if (n < 0)
		n = snprintf(raw, sizeof(raw), "(a message that cannot be formatted)");
	if ((size_t)n >= sizeof(raw)) {
		n = sizeof(raw) - 1;
		memcpy(raw + n - 3, "...", 3);
	}
	(void)escape_line(text, sizeof(text), raw, (size_t)n);
	tell_dropped();
	if (!put(level, event, text))
		log_state.dropped++;
	if (log_state.listen)
		log_state.listen(log_state.listen_userdata, level, event, text);
	errno = saved;
}
