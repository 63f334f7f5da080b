/* Foreign bytes made fit for one line of a log or terminal: controls, DEL and invalid UTF-8 become
 * \xNN, so the text can neither forge a line nor drive a terminal. The C1 controls (U+0080 to
 * U+009F) and the line separators U+2028 and U+2029 go the same way, byte by byte. */
#ifndef BASE_ESCAPE_H
#define BASE_ESCAPE_H

#include <stddef.h>

/* Writes at most cap - 1 characters and a NUL (cap 0: nothing), returns how many. What does not fit
 * is cut between characters and marked by "..." when there is room for that. */
size_t escape_line(char *out, size_t cap, const void *data, size_t size);

#endif
