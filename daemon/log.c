/* See log.h. */
#include "daemon/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

static enum once_log_level log_level = ONCE_LOG_INFO;

void log_init(void)
{
}

void log_set_level(enum once_log_level level)
{
	log_level = level;
}

enum once_log_level log_get_level(void)
{
	return log_level;
}

int log_field(const char *name, const char *value)
{
	return 0;
}

uint64_t log_dropped(void)
{
	return 0;
}

void log_event(enum once_log_level level, const char *event, const char *format, ...)
{
	int saved = errno;
	va_list args;

	if (level > log_level)
		return;
	va_start(args, format);
	vdprintf(2, format, args);
	va_end(args);
	dprintf(2, "\n");
	errno = saved;
}
