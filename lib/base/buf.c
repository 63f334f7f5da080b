/* Growable byte buffer; see buf.h. Capacity doubles up to the maximum, so appending is linear in
 * total and a peer cannot make it grow beyond what its owner allowed. */
#include "base/buf.h"

#include "base/number.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void buf_init(struct buf *buf, size_t max)
{
	*buf = (struct buf){.max = max};
}

void buf_fini(struct buf *buf)
{
	if (buf->secret && buf->data)
		explicit_bzero(buf->data, buf->cap);
	free(buf->data);
	*buf = (struct buf){.max = buf->max};
}

void buf_reset(struct buf *buf)
{
	if (buf->secret && buf->data)
		explicit_bzero(buf->data, buf->cap);
	buf->size = 0;
	buf->error = 0;
}

static char *move_secret(struct buf *buf, size_t cap)
{
	/* realloc() would leave the old block behind as it was */
	char *data = malloc(cap);

	if (!data)
		return NULL;
	if (buf->data) {
		memcpy(data, buf->data, buf->size);
		explicit_bzero(buf->data, buf->cap);
		free(buf->data);
	}
	return data;
}

static int grow(struct buf *buf, size_t need)
{
	size_t cap = buf->cap ? buf->cap : 64;
	char *data;

	while (cap < need)
		cap = cap > SIZE_MAX / 2 ? need : cap * 2;
	data = buf->secret ? move_secret(buf, cap) : realloc(buf->data, cap);
	if (!data)
		return buf->error = -ENOMEM;
	buf->data = data;
	buf->cap = cap;
	return 0;
}

void *buf_extend(struct buf *buf, size_t size)
{
	char *at;

	if (buf->error)
		return NULL;
	/* One byte more than max may ever hold: the NUL. SIZE_MAX has no place for it. */
	if (size > buf->max - buf->size || buf->size + size == SIZE_MAX) {
		buf->error = -E2BIG;
		return NULL;
	}
	if (buf->size + size + 1 > buf->cap && grow(buf, buf->size + size + 1) < 0)
		return NULL;
	at = buf->data + buf->size;
	buf->size += size;
	buf->data[buf->size] = '\0';
	return at;
}

int buf_append(struct buf *buf, const void *data, size_t size)
{
	char *at = buf_extend(buf, size);

	if (at && size > 0)
		memcpy(at, data, size);
	return buf->error;
}

int buf_puts(struct buf *buf, const char *text)
{
	return buf_append(buf, text, strlen(text));
}

int buf_putc(struct buf *buf, char c)
{
	return buf_append(buf, &c, 1);
}

int buf_put_i64(struct buf *buf, int64_t value)
{
	char text[NUMBER_TEXT_MAX];

	return buf_append(buf, text, number_format_i64(text, value));
}

int buf_put_u64(struct buf *buf, uint64_t value)
{
	char text[NUMBER_TEXT_MAX];

	return buf_append(buf, text, number_format_u64(text, value));
}

int buf_printf(struct buf *buf, const char *format, ...)
{
	va_list ap;
	int r;

	va_start(ap, format);
	r = buf_vprintf(buf, format, ap);
	va_end(ap);
	return r;
}

int buf_vprintf(struct buf *buf, const char *format, va_list ap)
{
	va_list again;
	char *at;
	int n;

	if (buf->error)
		return buf->error;
	va_copy(again, ap);
	n = vsnprintf(NULL, 0, format, again);
	va_end(again);
	if (n < 0)
		return buf->error = -EINVAL;
	at = buf_extend(buf, (size_t)n);
	if (at)
		(void)vsnprintf(at, (size_t)n + 1, format, ap);
	return buf->error;
}

void buf_consume(struct buf *buf, size_t size)
{
	if (size > buf->size)
		size = buf->size;
	if (size == 0)
		return;
	memmove(buf->data, buf->data + size, buf->size - size);
	buf->size -= size;
	buf->data[buf->size] = '\0';
}
