/* What the daemon tells people: one line per event, on stderr or as fields in the journal.
 *
 * Nothing here ever blocks or allocates: a log reader that stopped reading costs lines (counted,
 * and told with the next line that gets through), never time. Bytes of others in a message come out
 * escaped, whatever the caller passed, so a line is always one line. Guardian and agent both use
 * it; after a fork the child may go on at once. */
#ifndef ONCED_LOG_H
#define ONCED_LOG_H

#include <once/elect.h> /* enum once_log_level: the levels are syslog's */
#include <stdbool.h>
#include <stdint.h>

enum {
	LOG_TEXT_MAX = 1024, /* bytes of a message after escaping; more is cut and marked */
	LOG_FIELDS_MAX = 12,
	LOG_FIELD_NAME_MAX = 24,
	LOG_FIELD_VALUE_MAX = 128,
};

/* Finds out where lines go: fields to the journal when stderr is the journal's stream, "<N>"
 * prefixes under a service manager that reads stderr by a pipe, else time and level, coloured on a
 * terminal. Before it, lines go plainly to stderr. Never fails. */
void log_init(void);

/* Shown are messages of this level and the more important ones. Default ONCE_LOG_INFO. */
void log_set_level(enum once_log_level level);
enum once_log_level log_get_level(void);

/* Sets a field that every later event of this process carries in the journal ("ONCED_NODE", "n1");
 * NULL removes it. Copied; cut to its maximum. -EINVAL: no name of capital letters, digits and _.
 * -ENOSPC: too many fields. */
int log_field(const char *name, const char *value);

/* Every line that is shown, escaped, also goes there; NULL: not any more. fn may not log. */
typedef void log_listen_fn(
	void *userdata, enum once_log_level level, const char *event, const char *text);
void log_listen(log_listen_fn *fn, void *userdata);

/* Lines lost so far because nobody read them. */
uint64_t log_dropped(void);

/* event is a word for machines, constant in the source ("term-begin"); the rest is printf's. errno
 * is kept. */
void log_event(enum once_log_level level, const char *event, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Arguments are not evaluated when the level is not shown. */
#define log_at(level, event, ...)                                                                  \
	((level) <= log_get_level() ? log_event((level), (event), __VA_ARGS__) : (void)0)
#define log_err(event, ...) log_at(ONCE_LOG_ERR, event, __VA_ARGS__)
#define log_warning(event, ...) log_at(ONCE_LOG_WARNING, event, __VA_ARGS__)
#define log_info(event, ...) log_at(ONCE_LOG_INFO, event, __VA_ARGS__)
#define log_debug(event, ...) log_at(ONCE_LOG_DEBUG, event, __VA_ARGS__)

#endif
