/* Decimal integers from spans of text, strictly: the whole span, one spelling per number (no sign
 * but '-', no leading zeros, no blanks, no "-0"). */
#ifndef BASE_NUMBER_H
#define BASE_NUMBER_H

#include <stddef.h>
#include <stdint.h>

/* -EINVAL: not such a number; -ERANGE: one that does not fit. *ret is untouched then. */
int number_parse_i64(const char *text, size_t size, int64_t *ret);
int number_parse_u64(const char *text, size_t size, uint64_t *ret);

/* Writes the digits without a NUL, returns how many. */
enum { NUMBER_TEXT_MAX = 20 };
size_t number_format_i64(char out[NUMBER_TEXT_MAX], int64_t value);
size_t number_format_u64(char out[NUMBER_TEXT_MAX], uint64_t value);

#endif
