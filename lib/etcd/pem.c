/* Certificates and keys, looked at before the first connection: libcurl would say that one is wrong only
 * when it connects, and then not which. The same OpenSSL reads them here as there. */
#include "etcd/internal.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>

static int open_file(FILE **ret, const char *path, const char *what, const char **ret_message)
{
	int r;

	*ret = fopen(path, "re");
	if (*ret)
		return 0;
	r = -errno;
	client_say(ret_message, "%s: %s %s", path, what,
		r == -ENOENT ? "does not exist" : "cannot be read");
	return r == -ENOENT || r == -EACCES || r == -ENOMEM ? r : -EACCES;
}

/* The first certificate of a file. */
static int read_certificate(X509 **ret, const char *path, const char *what, const char **ret_message)
{
	FILE *file;
	int r = open_file(&file, path, what, ret_message);

	if (r < 0)
		return r;
	*ret = PEM_read_X509(file, NULL, NULL, NULL);
	if (!*ret)
		*ret = (rewind(file), PEM_read_X509_AUX(file, NULL, NULL, NULL));
	(void)fclose(file);
	if (*ret)
		return 0;
	client_say(ret_message, "%s: %s is no PEM file with a CERTIFICATE", path, what);
	return -EKEYREJECTED;
}

/* An encrypted key would need somebody to ask. */
static int no_passphrase(char *buf, int size, int writing, void *userdata)
{
	(void)buf;
	(void)size;
	(void)writing;
	(void)userdata;
	return -1;
}

static int read_key(EVP_PKEY **ret, const char *path, const char **ret_message)
{
	FILE *file;
	int r = open_file(&file, path, "the key", ret_message);

	if (r < 0)
		return r;
	*ret = PEM_read_PrivateKey(file, NULL, no_passphrase, NULL);
	(void)fclose(file);
	if (*ret)
		return 0;
	client_say(ret_message, "%s: the key is no PEM file with a PRIVATE KEY, or is encrypted", path);
	return -EKEYREJECTED;
}

static int check_pair(const struct once_client_config *config, const char **ret_message)
{
	X509 *certificate = NULL;
	EVP_PKEY *key = NULL;
	int r = read_certificate(&certificate, config->cert, "the certificate", ret_message);

	r = r < 0 ? r : read_key(&key, config->key_file, ret_message);
	if (r == 0 && X509_check_private_key(certificate, key) != 1) {
		client_say(ret_message, "%s: is not the key of the certificate %s", config->key_file,
			config->cert);
		r = -EKEYREJECTED;
	}
	X509_free(certificate);
	EVP_PKEY_free(key);
	return r;
}

int pem_check_files(const struct once_client_config *config, const char **ret_message)
{
	X509 *authority = NULL;
	int r = 0;

	if (!config->cert != !config->key_file) {
		client_say(ret_message,
			config->cert ? "a certificate without its key" : "a key without its certificate");
		return -EINVAL;
	}
	if (config->cacert)
		r = read_certificate(&authority, config->cacert, "the CA file", ret_message);
	X509_free(authority);
	if (r == 0 && config->cert)
		r = check_pair(config, ret_message);
	ERR_clear_error(); /* libcurl reads the same thread's queue */
	return r;
}
