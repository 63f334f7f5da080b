/* INI files to assignments.
 *
 * inih splits lines and keeps the section; this file hands it one whole line at a time and so knows
 * the line number. What inih would take in silence is refused before it sees it: a line without =,
 * a colon for the =, text behind a section's bracket, a line longer than its buffer. A line that
 * ends with a backslash goes on in the next one, as in systemd's files; comments in between are
 * skipped. */
#include "daemon/config-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <ini.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 16 * 1024 }; /* with its continuations */

struct source {
	const struct config_reader *to;
	const char *at, *end; /* rest of the text */
	int line;	      /* of what was handed out last, its first one */
	int lines_taken;
	bool in_known_section;
};

static void report(const struct source *source, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void report(const struct source *source, const char *format, ...)
{
	struct config_origin origin = {.file = source->to->file, .line = source->line};
	char why[CONFIG_WHY_MAX];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(why, sizeof(why), format, args);
	va_end(args);
	config_report(source->to->draft, &origin, NULL, "%s", why);
}

/* ---- one logical line ------------------------------------------------------------------------ */

static bool is_comment(const char *line, size_t size)
{
	size_t blank = 0;

	while (blank < size && (line[blank] == ' ' || line[blank] == '\t'))
		blank++;
	return blank < size && (line[blank] == '#' || line[blank] == ';');
}

/* The next physical line without its end; false at the end of the text. */
static bool next_physical(struct source *source, const char **ret_line, size_t *ret_size)
{
	const char *end;

	if (source->at == source->end)
		return false;
	end = memchr(source->at, '\n', (size_t)(source->end - source->at));
	*ret_line = source->at;
	*ret_size = (size_t)((end ? end : source->end) - source->at);
	source->at = end ? end + 1 : source->end;
	source->lines_taken++;
	if (*ret_size > 0 && (*ret_line)[*ret_size - 1] == '\r')
		(*ret_size)--;
	return true;
}

/* Joins what a backslash continues. 1: a line in out; 0: the end; -E2BIG: longer than out. */
static int next_logical(struct source *source, char *out, size_t cap)
{
	const char *part;
	size_t size, used = 0;
	bool more = true, too_long = false, any = false;

	source->line = source->lines_taken + 1;
	while (more && next_physical(source, &part, &size)) {
		bool comment = is_comment(part, size);

		if (any && comment)
			continue;
		any = true;
		more = !comment && size > 0 && part[size - 1] == '\\';
		if (more)
			size--;
		too_long = too_long || size + 2 > cap - used;
		if (too_long)
			continue;
		memcpy(out + used, part, size);
		used += size;
		if (more)
			out[used++] = ' ';
	}
	out[used] = '\0';
	return too_long ? -E2BIG : any;
}

/* ---- what inih would not refuse -------------------------------------------------------------- */

static void check_section(struct source *source, const char *line, char *out)
{
	char quote[CONFIG_QUOTE_MAX], name[64];
	size_t n = strcspn(line + 1, "]");

	source->in_known_section = false;
	if (line[1 + n] != ']' || line[2 + n + strspn(line + 2 + n, " \t")] != '\0') {
		report(source, "bad section %s, expected [Name]", config_quote(quote, line));
		*out = '\0';
		return;
	}
	(void)snprintf(name, sizeof(name), "%.*s", (int)(n < 63 ? n : 63), line + 1);
	source->in_known_section = config_has_section(source->to->table, name);
	if (!source->in_known_section)
		report(source, "unknown section %s", config_quote(quote, name));
}

/* Empties the line when it has been reported. */
static void check_line(struct source *source, char *out)
{
	const char *line = out + strspn(out, " \t");
	char quote[CONFIG_QUOTE_MAX];

	if (*line == '\0' || *line == '#' || *line == ';')
		return;
	if (*line == '[') {
		check_section(source, line, out);
		return;
	}
	if (line[strcspn(line, "=:")] != '=' || *line == '=') {
		report(source, "%s is not understood, expected Key=value",
			config_quote(quote, line));
		*out = '\0';
	}
}

/* inih's idea of fgets(). */
static char *read_line(char *out, int size, void *userdata)
{
	struct source *source = userdata;
	int r = next_logical(source, out, (size_t)size - 1);

	if (r == 0)
		return NULL;
	if (r < 0) {
		report(source, "a line of more than %d bytes", LINE_MAX_BYTES);
		*out = '\0';
	}
	check_line(source, out);
	memcpy(out + strlen(out), "\n", 2);
	return out;
}

/* ---- assignments ----------------------------------------------------------------------------- */

static int on_pair(void *userdata, const char *section, const char *name, const char *value)
{
	struct source *source = userdata;
	const struct config_reader *to = source->to;
	struct config_origin from = {.file = to->file, .line = source->line};
	const struct config_key *key;

	if (*section == '\0') {
		config_report(to->draft, &from, name,
			"stands before the first section, expected "
			"[%s] above it",
			to->table->keys[0].section);
		return 1;
	}
	if (!source->in_known_section)
		return 1; /* told once, at its head */
	key = config_find(to->table, section, name);
	if (!key)
		config_report(to->draft, &from, name, "unknown key in section [%s]", section);
	else
		config_assign(to->draft, to->table, to->base, to->origins, key, &from, value);
	return 1;
}

bool config_read_text(const struct config_reader *reader, const char *text, size_t size)
{
	struct source source = {.to = reader, .at = text, .end = text + size};

	if (memchr(text, '\0', size)) {
		report(&source, "holds a NUL byte, expected text");
		return false;
	}
	if (size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		source.at += 3;
	/* Debian's inih has these as variables of the process; nobody else here uses it. */
	ini_use_stack = false;
	ini_allow_realloc = false;
	ini_max_line = ini_initial_alloc = LINE_MAX_BYTES + 4;
	ini_allow_multiline = false;
	ini_allow_inline_comments = false;
	ini_stop_on_first_error = false;
	if (ini_parse_stream(read_line, &source, on_pair, &source) >= 0)
		return true;
	report(&source, "out of memory");
	return false;
}

static int open_config(const char *file, struct stat *ret_st)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	if (fd >= 0 && fstat(fd, ret_st) < 0) {
		(void)close(fd);
		return -1;
	}
	return fd;
}

/* The file's text, or NULL after a report. */
static char *slurp(struct source *source, int fd, const struct stat *st)
{
	size_t size = (size_t)st->st_size;
	char *text = NULL;
	ssize_t n;

	if (!S_ISREG(st->st_mode))
		report(source, "not a regular file");
	else if (st->st_mode & 002) /* commands come from here */
		report(source, "has mode %04o, expected one that not everybody may write",
			(unsigned)st->st_mode & 07777);
	else if (size > CONFIG_FILE_MAX)
		report(source, "larger than %d bytes", CONFIG_FILE_MAX);
	else if (!(text = malloc(size + 1)))
		report(source, "out of memory");
	if (!text)
		return NULL;
	n = read(fd, text, size);
	if (n >= 0 && (size_t)n == size)
		return text;
	report(source, "cannot be read: %s", n < 0 ? strerror(errno) : "it changed meanwhile");
	free(text);
	return NULL;
}

bool config_read_file(const struct config_reader *reader)
{
	struct source source = {.to = reader};
	struct stat st;
	int fd = open_config(reader->file, &st);
	char *text;
	bool ok;

	if (fd < 0) {
		report(&source, "%s, expected a configuration file", strerror(errno));
		return false;
	}
	text = slurp(&source, fd, &st);
	(void)close(fd);
	if (!text)
		return false;
	ok = config_read_text(reader, text, (size_t)st.st_size);
	free(text);
	return ok;
}
