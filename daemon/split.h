/* Words of a configuration value, quoted as systemd quotes: separated by blanks, "..." and '...'
 * around what holds blanks, C escapes everywhere (\n \t \s \\ \" \' \xHH \OOO \uXXXX \UXXXXXXXX).
 * Nothing else is special: no variable, no wildcard, no % specifier. */
#ifndef ONCED_SPLIT_H
#define ONCED_SPLIT_H

#include <stddef.h>
#include <stdio.h>

enum { SPLIT_WORDS_MAX = 1024 };

/* *ret is an array of owned strings that ends with NULL; no word at all is an empty array. -EINVAL:
 * *ret_why is a static text, "a quote is not closed". -E2BIG: too many words. -ENOMEM. */
int split_words(const char *text, char ***ret, size_t *ret_n, const char **ret_why);

/* Frees such an array. NULL is fine; returns NULL. */
char **split_free(char **words);

/* Writes the words so that split_words() reads the same ones back. */
void split_print(FILE *out, char *const *words);

#endif
