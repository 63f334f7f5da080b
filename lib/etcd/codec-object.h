/* One flat JSON object, as the value of a key: how lib/record writes and reads its records. Reading
 * believes nothing: one whole object, valid UTF-8, no member twice, each of the type and within the
 * bounds that are asked for. Errors stick, so only the end is checked. */
#ifndef ETCD_CODEC_OBJECT_H
#define ETCD_CODEC_OBJECT_H

#include "base/buf.h"

/* ---- writing: object_begin, members, object_end -> buf_error() ------------------------------- */

void object_begin(struct buf *out);
/* Nothing when it is 0. As a number where a double holds it exactly, else as a string. */
void object_put_i64(struct buf *out, const char *name, int64_t value);
/* Nothing when it is empty. Must be UTF-8 without NUL, else the buffer's error is -EINVAL. */
void object_put_text(struct buf *out, const char *name, const char *text);
/* Nothing when it is empty. As text, or base64 under name + "64" when it is none or shorter so. */
void object_put_bytes(struct buf *out, const char *name, const void *data, size_t size);
void object_put_true(struct buf *out, const char *name, bool value);
int object_end(struct buf *out);

/* ---- reading --------------------------------------------------------------------------------- */

struct object;

/* -EBADMSG: not one such object; -ENOMEM. */
int object_read(struct object **ret, const void *data, size_t size);
struct object *object_free(struct object *object);
/* The first error of all below: -EBADMSG, -ENOMEM. */
int object_error(const struct object *object);
void object_fail(struct object *object);

bool object_has(const struct object *object, const char *name);
/* Absent: 0, which need not be within the bounds. */
int64_t object_i64(struct object *object, const char *name, int64_t min, int64_t max);
bool object_bool(struct object *object, const char *name);
/* Absent: "". Longer than size - 1: an error. */
void object_text(struct object *object, const char *name, char *out, size_t size);
/* What object_put_bytes() wrote, as long as the object lives; absent: empty. */
const void *object_bytes(struct object *object, const char *name, size_t max, size_t *ret_size);

#endif
