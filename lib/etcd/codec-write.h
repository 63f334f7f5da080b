/* What codec-kv.c and codec-request.c write bodies with. Errors stick to the buffer, so only the
 * end is checked. Included by codec-*.c only. */
#ifndef ETCD_CODEC_WRITE_H
#define ETCD_CODEC_WRITE_H

#include "etcd/codec.h"

/* Empties the request for another of this kind, returns its body. */
struct buf *write_begin(struct codec_request *request, enum codec_kind kind);
/* r, or the first error of the buffers; the request is empty then. */
int write_finish(struct codec_request *request, int r);

/* A comma unless this is the first thing in its object or array. */
void write_comma(struct buf *out);
/* All below put the comma themselves. */
void write_name(struct buf *out, const char *name);
void write_bytes(struct buf *out, const char *name, struct once_bytes bytes);
void write_bytes_unless_empty(struct buf *out, const char *name, struct once_bytes bytes);
void write_i64(struct buf *out, const char *name, int64_t value);
void write_i64_unless_0(struct buf *out, const char *name, int64_t value);
/* Nothing when false. */
void write_true(struct buf *out, const char *name, bool value);
/* A string that needs no escapes. */
void write_word(struct buf *out, const char *name, const char *word);
/* Any other; -EINVAL when it is NULL or not UTF-8. */
int write_string(struct buf *out, const char *name, const char *text);
/* The word of an enum's value; -EINVAL when it has none. */
int write_enum(struct buf *out, const char *name, const char *const *words, size_t n, int value);

#endif
