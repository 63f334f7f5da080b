/* Words of a configuration value, quoted as systemd quotes: separated by blanks, "..." and '...'
 * around what holds blanks, C escapes everywhere (\n \t \s \\ \" \' \xHH \OOO \uXXXX \UXXXXXXXX).
 * Nothing else is special: no variable, no wildcard, no % specifier. */
#ifndef ONCED_WORDS_H
#define ONCED_WORDS_H

#include <stddef.h>
#include <stdio.h>

enum { WORDS_MAX = 1024 };

/* *ret is an array of owned strings that ends with NULL; no word at all is an empty array. -EINVAL:
 * *ret_why is a static text, "a quote is not closed". -E2BIG: too many words. -ENOMEM. */
int words_split(const char *text, char ***ret, size_t *ret_n, const char **ret_why);

/* Frees such an array. NULL is fine; returns NULL. */
char **words_free(char **words);

/* Writes the words so that words_split() reads the same ones back. */
void words_print(FILE *out, char *const *words);

#endif
