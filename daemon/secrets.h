/* Files with keys and passwords: whose they may be, who may read them, and what must be in them. */
#ifndef ONCED_SECRETS_H
#define ONCED_SECRETS_H

#include <stddef.h>

enum { SECRETS_WHY_MAX = 256 };

/* A readable PEM file with a certificate in it. Negative errno with why on failure, as below. */
int secrets_check_cert(const char *path, char why[SECRETS_WHY_MAX]);

/* A PEM file with a private key that needs no passphrase, that nobody but its owner may read. The
 * owner is this user or root, the file no link, the directory not open to others. In
 * $CREDENTIALS_DIRECTORY, which the service manager guards, a group's read bit is its ACL's mask
 * and allowed. */
int secrets_check_key(const char *path, char why[SECRETS_WHY_MAX]);

/* The same rules; *ret is the file's one line, to be freed by secrets_free(). */
int secrets_read_password(const char *path, char **ret, char why[SECRETS_WHY_MAX]);

/* Zeroes and frees. NULL is fine; returns NULL. */
char *secrets_free(char *secret);

#endif
