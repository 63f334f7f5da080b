/* A directory for one test program, and what the tests of the configuration do with it. */
#ifndef TESTS_SCRATCH_H
#define TESTS_SCRATCH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char scratch[] = "/tmp/onced-test-XXXXXX";

static inline void scratch_write(const char *name, const char *text, size_t size, mode_t mode)
{
	char path[256];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/%s", scratch, name);
	(void)unlink(path);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, size), size);
	assert_int_equal(fchmod(fd, mode), 0);
	assert_int_equal(close(fd), 0);
}

static inline int scratch_remove_one(
	const char *path, const struct stat *st, int kind, struct FTW *walk)
{
	return remove(path);
}

static inline int scratch_setup(void **state)
{
	static const char pem[] = "-----BEGIN %s-----\nMIIBszCCAVmgAwIBAgIU\n-----END %s-----\n";
	static const struct {
		const char *name, *what;
		mode_t mode;
	} files[] = {{"ca.pem", "CERTIFICATE", 0644}, {"cert.pem", "CERTIFICATE", 0644},
		{"key.pem", "PRIVATE KEY", 0600}, {"key-open.pem", "PRIVATE KEY", 0640},
		{"key-world.pem", "PRIVATE KEY", 0604},
		{"key-locked.pem", "ENCRYPTED PRIVATE KEY", 0600}};
	char text[256], path[256];

	assert_non_null(mkdtemp(scratch));
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		(void)snprintf(text, sizeof(text), pem, files[i].what, files[i].what);
		scratch_write(files[i].name, text, strlen(text), files[i].mode);
	}
	scratch_write("garbage.pem",
		"-----BEGIN CERTIFICATE-----\nnotsbase64\n-----END CERTIFICATE-----\n", 65, 0644);
	scratch_write("pw", "s3cr3t-value\n", 13, 0600);
	scratch_write("pw-open", "s3cr3t-value\n", 13, 0644);
	scratch_write("pw-two", "s3cr3t-value\nmore\n", 18, 0600);
	scratch_write("pw-empty", "\n", 1, 0600);
	(void)snprintf(path, sizeof(path), "%s/link", scratch);
	(void)snprintf(text, sizeof(text), "%s/key.pem", scratch);
	assert_int_equal(symlink(text, path), 0);
	(void)snprintf(path, sizeof(path), "%s/jobs.d", scratch);
	assert_int_equal(mkdir(path, 0755), 0);
	(void)snprintf(path, sizeof(path), "%s/open", scratch);
	assert_int_equal(mkdir(path, 0755), 0);
	assert_int_equal(chmod(path, 0777), 0);
	scratch_write("open/key.pem",
		"-----BEGIN PRIVATE KEY-----\nMII\n-----END PRIVATE KEY-----\n", 59, 0600);
	return 0;
}

static inline int scratch_teardown(void **state)
{
	return nftw(scratch, scratch_remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* The template with every ~ replaced by the directory. Static. */
static inline const char *scratch_fill(const char *template)
{
	static char out[8192];
	size_t n = 0;

	for (; *template && n + sizeof(scratch) < sizeof(out); template ++) {
		if (*template == '~')
			n += (size_t)snprintf(out + n, sizeof(out) - n, "%s", scratch);
		else
			out[n++] = *template;
	}
	out[n] = '\0';
	return out;
}

#endif
