/* What a run hands back: it writes into a file in memory, which has no name and goes with it. Only
 * what is there when no process of the run lives any more counts. */
#ifndef ONCED_RESULT_H
#define ONCED_RESULT_H

#include <once/ledger.h>

/* For the command to write to; or negative errno. */
int result_open(void);
/* *fd is -1 then; -1 is fine. */
void result_close(int *fd);

/* What was written, allocated by malloc() for the caller; *ret NULL: nothing. -EMSGSIZE: more than
 * ONCE_RESULT_MAX, *ret_size tells how much; -ENOMEM, or that of read(2). */
int result_read(int fd, char **ret, size_t *ret_size);

#endif
