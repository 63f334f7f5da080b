/* See lines.h. A write holds whole lines only. One to a pipe is at most PIPE_BUF, which the kernel
 * takes whole or not at all; a longer line, which an id cannot be, goes by itself. A reader that does not read is waited for until
 * a signal comes. */
#include "tools/oncectl/lines.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/oncectl/interrupt.h"

enum { FILE_BYTES = 64 * 1024 };

int lines_init(struct lines *lines)
{
	struct stat st;
	bool file = fstat(STDOUT_FILENO, &st) == 0 && S_ISREG(st.st_mode);

	*lines = (struct lines){.cap = file ? FILE_BYTES : PIPE_BUF};
	lines->text = malloc(lines->cap);
	return lines->text ? 0 : -ENOMEM;
}

void lines_fini(struct lines *lines)
{
	free(lines->text);
	lines->text = NULL;
}

static void write_all(struct lines *lines, const char *text, size_t size)
{
	while (size > 0 && !lines->failed) {
		ssize_t n = write(STDOUT_FILENO, text, size);

		if (n >= 0) {
			text += n;
			size -= (size_t)n;
		} else if (errno == EAGAIN) {
			struct pollfd out = {.fd = STDOUT_FILENO, .events = POLLOUT};

			lines->failed = poll(&out, 1, -1) < 0 && interrupt_signal();
		} else {
			lines->failed = errno != EINTR || interrupt_signal();
		}
	}
}

void lines_flush(struct lines *lines)
{
	write_all(lines, lines->text, lines->size);
	lines->size = 0;
}

void lines_add(struct lines *lines, const char *text, size_t size)
{
	if (size + 1 > lines->cap - lines->size)
		lines_flush(lines);
	if (size + 1 > lines->cap) {
		write_all(lines, text, size);
		write_all(lines, "\n", 1);
		return;
	}
	memcpy(lines->text + lines->size, text, size);
	lines->size += size;
	lines->text[lines->size++] = '\n';
}
