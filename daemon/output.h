/* What a command writes: line by line into the log, and the end of it kept for the record.
 *
 * A pipe is between the command and the agent. The agent reads all that is there whenever some is,
 * and drops what nobody takes, so that no command waits for a reader of the log. A command that
 * writes while the agent does not run (stopped, say) may wait when the pipe is full, until its
 * deadline. */
#ifndef ONCED_OUTPUT_H
#define ONCED_OUTPUT_H

#include <once/loop.h>
#include <stddef.h>

enum { OUTPUT_LINE_MAX = 800 };

struct output {
	struct once_loop *loop;
	struct once_io *io;
	int fd;		       /* read end; -1: closed */
	const char *job, *run; /* borrowed: named with each line */
	char line[OUTPUT_LINE_MAX];
	size_t line_size;
	char *tail; /* owned, a ring of tail_max bytes */
	size_t tail_max;
	int64_t total; /* bytes so far */
};

/* *ret_fd: the write end, for the caller to hand on and to close. 0, or negative errno. */
int output_open(struct output *output, struct once_loop *loop, const char *job, const char *run,
	size_t tail_max, int *ret_fd);
/* Reads what is there yet and closes. The tail stays until output_fini(). */
void output_close(struct output *output);
/* Zero is fine. */
void output_fini(struct output *output);

/* Copies the tail, not beginning within a character, into out (tail_max bytes); returns its size.
 */
size_t output_tail(const struct output *output, char *out);

#endif
