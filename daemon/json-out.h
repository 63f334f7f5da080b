/* JSON into a buffer. Names are the source's own; values are anybody's: what is no UTF-8 comes out
 * escaped as in the log, and <, > and & as \u00XX, so that the text may stand anywhere. */
#ifndef ONCED_JSON_OUT_H
#define ONCED_JSON_OUT_H

#include "base/buf.h"

#include <once/time.h>

/* name NULL: an element of an array, or the whole. */
void jout_open(struct buf *out, const char *name, char bracket);
void jout_close(struct buf *out, char bracket);
/* text NULL: null */
void jout_text(struct buf *out, const char *name, const char *text);
void jout_i64(struct buf *out, const char *name, int64_t value);
void jout_bool(struct buf *out, const char *name, bool value);
void jout_null(struct buf *out, const char *name);
/* With three decimals. */
void jout_seconds(struct buf *out, const char *name, int64_t ns);
/* "2026-11-22T18:30:00Z"; 0: null */
void jout_moment(struct buf *out, const char *name, int64_t ms);

#endif
