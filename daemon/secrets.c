/* See secrets.h. Checks are made on the opened file, not on the path. */
#include "daemon/secrets.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/utf8.h"

enum {
	PEM_MAX = 4 * 1024 * 1024, /* a whole system's bundle of authorities is a twentieth */
	PASSWORD_MAX = 1024,
};

static int refuse(int r, char *why, const char *format, ...) __attribute__((format(printf, 3, 4)));

static int refuse(int r, char *why, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)vsnprintf(why, SECRETS_WHY_MAX, format, args);
	va_end(args);
	return r;
}

char *secrets_free(char *secret)
{
	if (secret)
		explicit_bzero(secret, strlen(secret));
	free(secret);
	return NULL;
}

static bool is_credential(const char *path)
{
	const char *directory = getenv("CREDENTIALS_DIRECTORY");
	size_t n = directory ? strlen(directory) : 0;

	return n > 0 && strncmp(path, directory, n) == 0 && path[n] == '/' && !strstr(path, "..");
}

/* Who can write the directory can put another file in the place of this one. */
static int check_directory(const char *path, char *why)
{
	char *copy = strdup(path);
	struct stat st;
	int r = 0;

	if (!copy)
		return refuse(-ENOMEM, why, "out of memory");
	if (stat(dirname(copy), &st) < 0)
		r = refuse(-errno, why, "its directory cannot be read: %s", strerror(errno));
	else if ((st.st_mode & 022) && !(st.st_mode & S_ISVTX))
		r = refuse(-EPERM, why,
			"its directory has mode %04o, expected it to be writable by its owner only",
			(unsigned)st.st_mode & 07777);
	free(copy);
	return r;
}

static int check_private(const char *path, const struct stat *st, char *why)
{
	unsigned others = is_credential(path) ? 037 : 077;

	if (st->st_uid != 0 && st->st_uid != geteuid())
		return refuse(-EPERM, why, "it belongs to user %u, expected root or user %u",
			(unsigned)st->st_uid, (unsigned)geteuid());
	if (st->st_mode & others)
		return refuse(-EPERM, why,
			"it has mode %04o, expected 0600 or 0400: others must not read it",
			(unsigned)st->st_mode & 07777);
	return check_directory(path, why);
}

static int open_file(const char *path, bool private, struct stat *ret_st, char *why)
{
	/* Without O_NONBLOCK a named pipe would hold us here. */
	int flags = O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | (private ? O_NOFOLLOW : 0);
	int fd = open(path, flags), r = 0;

	if (fd < 0 && errno == ELOOP && private)
		return refuse(-ELOOP, why, "it is a symbolic link, expected the file itself");
	if (fd < 0)
		return refuse(-errno, why, "%s", strerror(errno));
	if (fstat(fd, ret_st) < 0)
		r = refuse(-errno, why, "%s", strerror(errno));
	else if (!S_ISREG(ret_st->st_mode))
		r = refuse(-EINVAL, why, "it is not a regular file");
	else if (private)
		r = check_private(path, ret_st, why);
	if (r < 0) {
		(void)close(fd);
		return r;
	}
	return fd;
}

/* The whole file and a NUL, from the heap; *ret_size without the NUL. */
static int read_file(
	const char *path, bool private, size_t max, char **ret, size_t *ret_size, char *why)
{
	struct stat st = {0};
	int fd = open_file(path, private, &st, why);
	size_t size = 0;
	ssize_t n = 1;
	char *data;

	if (fd < 0)
		return fd;
	/* As large as the file, a regular one, is now: should it grow meanwhile, the rest is refused. */
	if ((uintmax_t)st.st_size < max)
		max = (size_t)st.st_size;
	data = calloc(1, max + 2);
	while (data && n > 0 && size <= max) {
		n = read(fd, data + size, max + 1 - size);
		size += n > 0 ? (size_t)n : 0;
	}
	(void)close(fd);
	if (data && n >= 0 && size <= max) {
		*ret = data;
		*ret_size = size;
		return 0;
	}
	if (data)
		explicit_bzero(data, size);
	free(data);
	if (!data)
		return refuse(-ENOMEM, why, "out of memory");
	if (n < 0)
		return refuse(-EIO, why, "it cannot be read");
	return refuse(-EFBIG, why, "it is larger than %zu bytes", max);
}

/* Does the block whose first line this is look like DER in base64? A DER structure begins with
 * 0x30, so its text with M. Everything beyond that is for the TLS library to judge. */
static bool is_pem_block(const char *begin)
{
	static const char letters[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=";
	const char *body = begin + strcspn(begin, "\n"), *end = strstr(body, "-----END ");

	body += strspn(body, "\r\n");
	if (!end || *body != 'M')
		return false;
	while (body < end && (strchr(letters, *body) || *body == '\n' || *body == '\r'))
		body++;
	return body == end;
}

static int check_pem(
	const char *path, bool private, const char *const *begins, const char *what, char *why)
{
	char *data = NULL;
	size_t size = 0;
	bool found = false;
	int r = read_file(path, private, PEM_MAX, &data, &size, why);

	if (r < 0)
		return r;
	for (; *begins && !found; begins++) {
		const char *begin = strstr(data, *begins);

		found = begin && is_pem_block(begin);
	}
	if (!found && (strstr(data, "-----BEGIN ENCRYPTED PRIVATE KEY-----") ||
			      strstr(data, "Proc-Type: 4,ENCRYPTED")))
		r = refuse(-EINVAL, why, "its key has a passphrase, expected one without");
	else if (!found)
		r = refuse(-EINVAL, why, "there is no PEM %s in it", what);
	explicit_bzero(data, size);
	free(data);
	return r;
}

int secrets_check_cert(const char *path, char why[SECRETS_WHY_MAX])
{
	static const char *const begins[] = {
		"-----BEGIN CERTIFICATE-----", "-----BEGIN TRUSTED CERTIFICATE-----", NULL};

	return check_pem(path, false, begins, "certificate", why);
}

int secrets_check_key(const char *path, char why[SECRETS_WHY_MAX])
{
	static const char *const begins[] = {"-----BEGIN PRIVATE KEY-----",
		"-----BEGIN RSA PRIVATE KEY-----", "-----BEGIN EC PRIVATE KEY-----", NULL};

	return check_pem(path, true, begins, "private key", why);
}

int secrets_read_password(const char *path, char **ret, char why[SECRETS_WHY_MAX])
{
	char *data = NULL;
	size_t size = 0;
	int r = read_file(path, true, PASSWORD_MAX, &data, &size, why);

	if (r < 0)
		return r;
	if (size > 0 && data[size - 1] == '\n')
		data[--size] = '\0';
	if (size > 0 && data[size - 1] == '\r')
		data[--size] = '\0';
	if (size == 0)
		r = refuse(-EINVAL, why, "it is empty, expected one line with the password");
	else if (strlen(data) != size || strpbrk(data, "\r\n"))
		r = refuse(-EINVAL, why, "it has more than one line, expected the password alone");
	else if (!utf8_valid(data, size)) /* no JSON could carry it */
		r = refuse(-EINVAL, why, "it is not UTF-8, expected one line of text");
	if (r < 0) {
		/* NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker): read_file() gave it */
		explicit_bzero(data, size);
		free(data);
		return r;
	}
	*ret = data;
	return 0;
}
