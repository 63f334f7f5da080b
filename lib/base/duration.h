/* Durations as people write them: one number and its unit, "900ms", "1.5s", "2min", "1h". Units: ns
 * us ms s min h d. A number without a unit is refused: nobody can tell what the writer meant. */
#ifndef BASE_DURATION_H
#define BASE_DURATION_H

#include <stddef.h>
#include <stdint.h>

/* -EINVAL: not a duration; -ERANGE: above 292 years. Then *ret_why (may be NULL to be ignored) is a
 * static text that completes "bad duration: ". No sign, no fraction below 1 ns. */
int duration_parse(const char *text, size_t size, int64_t *ret_ns, const char **ret_why);

/* Exact, and read back by duration_parse() when not negative: "1.5s", "90min", "0s". Returns out.
 */
enum { DURATION_TEXT_MAX = 32 };
char *duration_format(char out[DURATION_TEXT_MAX], int64_t ns);

#endif
