/* Memory of the fakes' own. Where every allocation is refused in turn (unit/refuse.h), theirs are not what
 * is under test: they ask once more. */
#ifndef FAKE_OWN_H
#define FAKE_OWN_H

#include "base/buf.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { OWN_ROOM = 1 << 16 };

static inline void *own_calloc(size_t n, size_t size)
{
	void *data = calloc(n, size);

	if (!data)
		data = calloc(n, size);
	assert(data);
	return data;
}

static inline char *own_strndup(const char *text, size_t size)
{
	char *copy = strndup(text, size);

	if (!copy)
		copy = strndup(text, size);
	assert(copy);
	return copy;
}

static inline char *own_strdup(const char *text)
{
	return own_strndup(text, strlen(text));
}

/* A buffer that can take most answers without another allocation. */
static inline void own_buf(struct buf *buf)
{
	buf_init(buf, 1 << 24);
	if (!buf_extend(buf, OWN_ROOM)) {
		buf_reset(buf);
		(void)buf_extend(buf, OWN_ROOM);
	}
	assert(!buf_error(buf));
	buf_reset(buf);
}

#endif
