/* UTF-8, strictly: no overlong form, no surrogate, nothing above U+10FFFF. */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The bytes of the first character (1 to 4), *ret (may be NULL) its code point; 0: none or invalid.
 */
size_t utf8_next(const void *data, size_t size, uint32_t *ret);
bool utf8_valid(const void *data, size_t size);

#endif
