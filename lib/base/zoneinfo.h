/* Time zone files as tzdata installs them. Reads bytes; core/zone.h knows what they mean. */
#ifndef BASE_ZONEINFO_H
#define BASE_ZONEINFO_H

#include <stdbool.h>
#include <stddef.h>

#define ZONEINFO_DIRECTORY "/usr/share/zoneinfo"

enum {
	ZONEINFO_NAME_MAX = 64,	     /* with the NUL */
	ZONEINFO_FILE_MAX = 1 << 16, /* bytes; the longest in use has under 4 KiB */
};

/* Whether it may be the name of a zone, "Europe/Berlin": parts of letters, digits, '_', '+' and '-'
 * that begin with a letter and are joined by '/'. So it is no absolute path and leaves no
 * directory.
 */
bool zoneinfo_name_valid(const char *name, size_t size);

/* Reads the zone's file under directory (NULL: the system's). Borrowed: nothing; the caller gives
 * ZONEINFO_FILE_MAX bytes. -EINVAL: no valid name; -ENOENT: no such zone, or no tzdata; -EFBIG: not
 * a zone's file, or too long; other errors of open() and read(). */
int zoneinfo_read(const char *directory, const char *name, void *out, size_t *ret_size);

#endif
