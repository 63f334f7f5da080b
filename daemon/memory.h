/* What this process keeps mapped. */
#ifndef ONCED_MEMORY_H
#define ONCED_MEMORY_H

#include <stdbool.h>

/* Unmaps the clean pages of code and constants: what start-up touched once in some thirty libraries is
 * not needed to be resident. What is used comes back from the page cache. keep_core: not those of the
 * program itself and of libc. */
void memory_shed(bool keep_core);

#endif
