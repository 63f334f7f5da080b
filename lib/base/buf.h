/* A growable byte buffer with a maximum given at init. Errors stick: append as much as you like,
 * then check buf_error() once. While size is not 0 the data is followed by a NUL that is not
 * counted. A secret buffer leaves no copy of its content behind, not when it grows either. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf {
	char *data; /* owned */
	size_t size;
	size_t cap;
	size_t max;
	int error; /* 0, -ENOMEM, -E2BIG (the maximum is passed), -EINVAL (a format that fails) */
	bool secret;
};

void buf_init(struct buf *buf, size_t max);
void buf_fini(struct buf *buf);
/* Empty and without error again; the memory is kept. */
void buf_reset(struct buf *buf);

/* Room for size bytes at the end, counted as used; NULL after an error. */
void *buf_extend(struct buf *buf, size_t size);
/* These return the sticky error. Nothing is appended once it is set. */
int buf_append(struct buf *buf, const void *data, size_t size);
int buf_puts(struct buf *buf, const char *text);
int buf_putc(struct buf *buf, char c);
int buf_put_i64(struct buf *buf, int64_t value);
int buf_put_u64(struct buf *buf, uint64_t value);
__attribute__((format(printf, 2, 3))) int buf_printf(struct buf *buf, const char *format, ...);
__attribute__((format(printf, 2, 0))) int buf_vprintf(
	struct buf *buf, const char *format, va_list ap);
/* Drops the first size bytes (at most all). */
void buf_consume(struct buf *buf, size_t size);

static inline int buf_error(const struct buf *buf)
{
	return buf->error;
}

/* The content as text, never NULL; borrowed until the next change. */
static inline const char *buf_text(const struct buf *buf)
{
	return buf->size ? buf->data : "";
}

#endif
