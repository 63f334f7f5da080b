/* Base64 in the one form etcd 3.4 takes: standard alphabet, padded, no blanks. Strict both ways:
 * one text per value, so the bits that padding leaves over must be zero. */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include <stddef.h>

/* The size of the text of size bytes, without a NUL. size must be below SIZE_MAX / 2. */
static inline size_t base64_encoded_size(size_t size)
{
	return (size + 2) / 3 * 4;
}

/* Enough for the bytes of a text of size characters. */
static inline size_t base64_decoded_max(size_t size)
{
	return size / 4 * 3;
}

/* Writes base64_encoded_size(size) characters and no NUL. */
void base64_encode(char *out, const void *data, size_t size);
/* Writes at most base64_decoded_max(size) bytes. -EBADMSG: not such a text. out may be text. */
int base64_decode(void *out, size_t *ret_size, const char *text, size_t size);

#endif
