/* Certificates and keys: read once, looked at before the first connection, then kept.
 *
 * Happy path: each file is read whole, the certificate and the key are seen to belong together, and every
 * connection is made with these bytes. What happens to the files afterwards, a certificate replaced while its
 * key is not yet, or a disk that is gone, is nobody's trouble until they are read again.
 *
 * Failures: libcurl would say that one is wrong only when it connects, and then not which. The same
 * OpenSSL reads them here as there. */
#include "etcd/internal.h"
#include "etcd/pem.h"

#include <errno.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILE_MAX = 4 << 20 }; /* a whole system's bundle of authorities is a twentieth */

/* ---- files ------------------------------------------------------------------------------------- */

static int read_whole(struct buf *buf, FILE *file)
{
	char part[4096];
	size_t n;

	while (buf_error(buf) == 0 && (n = fread(part, 1, sizeof(part), file)) > 0)
		(void)buf_append(buf, part, n);
	explicit_bzero(part, sizeof(part));
	return !ferror(file) ? buf_error(buf) : errno ? -errno : -EIO;
}

static int read_file(struct buf *buf, const char *path, const char *what, const char **ret_message)
{
	FILE *file = fopen(path, "re");
	int r = file ? read_whole(buf, file) : -errno;

	if (file)
		(void)fclose(file);
	if (r == 0 || r == -ENOMEM)
		return r;
	if (r == -ENOENT || r == -E2BIG)
		client_say(ret_message, "%s: %s %s", path, what,
			r == -ENOENT ? "does not exist" : "is larger than 4 MiB");
	else
		client_say(ret_message, "%s: %s cannot be read: %s", path, what, strerror(-r));
	return r == -ENOENT ? r : r == -E2BIG ? -EKEYREJECTED : -EACCES;
}

/* ---- what is in them --------------------------------------------------------------------------- */

/* The first certificate. */
static X509 *parse_certificate(const struct buf *text)
{
	BIO *bio = BIO_new_mem_buf(buf_text(text), (int)text->size);
	X509 *found = bio ? PEM_read_bio_X509_AUX(bio, NULL, NULL, NULL) : NULL;

	BIO_free(bio);
	return found;
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

static EVP_PKEY *parse_key(const struct buf *text)
{
	BIO *bio = BIO_new_mem_buf(buf_text(text), (int)text->size);
	EVP_PKEY *found = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL) : NULL;

	BIO_free(bio);
	return found;
}

static int check_authority(const struct pem *pem, const char **ret_message)
{
	X509 *authority = parse_certificate(&pem->cacert);

	if (!authority) {
		client_say(ret_message, "%s: the CA file is no PEM file with a CERTIFICATE",
			pem->cacert_path);
		return -EKEYREJECTED;
	}
	X509_free(authority);
	return 0;
}

/* What a server may hold against the certificate, for the message when one refuses it. */
static void note_faults(struct pem *pem, X509 *certificate)
{
	if (X509_cmp_current_time(X509_get0_notBefore(certificate)) > 0)
		pem->cert_fault = "is not valid yet";
	else if (X509_cmp_current_time(X509_get0_notAfter(certificate)) < 0)
		pem->cert_fault = "has expired";
	else if ((X509_get_extension_flags(certificate) & EXFLAG_XKUSAGE) &&
		 !(X509_get_extended_key_usage(certificate) & XKU_SSL_CLIENT))
		pem->cert_fault = "is not for clients (no clientAuth in its extended key usage)";
}

static int check_pair(struct pem *pem, const char *key_file, const char **ret_message)
{
	X509 *certificate = parse_certificate(&pem->cert);
	EVP_PKEY *key = parse_key(&pem->key);
	int r = -EKEYREJECTED;

	if (!certificate) {
		client_say(ret_message, "%s: the certificate is no PEM file with a CERTIFICATE",
			pem->cert_path);
	} else if (!key) {
		client_say(ret_message,
			"%s: the key is no PEM file with a PRIVATE KEY, or is encrypted", key_file);
	} else if (X509_check_private_key(certificate, key) != 1) {
		client_say(ret_message, "%s: is not the key of the certificate %s", key_file,
			pem->cert_path);
	} else {
		note_faults(pem, certificate);
		r = 0;
	}
	X509_free(certificate);
	EVP_PKEY_free(key);
	return r;
}

/* ---- life -------------------------------------------------------------------------------------- */

struct pem *pem_unref(struct pem *pem)
{
	if (!pem || --pem->refs > 0)
		return NULL;
	buf_fini(&pem->cacert);
	buf_fini(&pem->cert);
	buf_fini(&pem->key);
	free(pem->cacert_path);
	free(pem->cert_path);
	free(pem);
	return NULL;
}

static int read_all(
	struct pem *pem, const struct once_client_config *config, const char **ret_message)
{
	int r = 0;

	if (config->cacert)
		r = read_file(&pem->cacert, config->cacert, "the CA file", ret_message);
	if (r == 0 && config->cacert)
		r = check_authority(pem, ret_message);
	if (r == 0 && config->cert)
		r = read_file(&pem->cert, config->cert, "the certificate", ret_message);
	if (r == 0 && config->cert)
		r = read_file(&pem->key, config->key_file, "the key", ret_message);
	if (r == 0 && config->cert)
		r = check_pair(pem, config->key_file, ret_message);
	return r;
}

int pem_read(struct pem **ret, const struct once_client_config *config, const char **ret_message)
{
	struct pem *pem;
	int r;

	if (!config->cert != !config->key_file) {
		client_say(ret_message, config->cert ? "a certificate without its key"
						     : "a key without its certificate");
		return -EINVAL;
	}
	pem = calloc(1, sizeof(*pem));
	if (!pem)
		return -ENOMEM;
	pem->refs = 1;
	buf_init(&pem->cacert, FILE_MAX);
	buf_init(&pem->cert, FILE_MAX);
	buf_init(&pem->key, FILE_MAX);
	pem->key.secret = true;
	pem->cacert_path = config->cacert ? strdup(config->cacert) : NULL;
	pem->cert_path = config->cert ? strdup(config->cert) : NULL;
	if ((config->cacert && !pem->cacert_path) || (config->cert && !pem->cert_path))
		r = -ENOMEM;
	else
		r = read_all(pem, config, ret_message);
	ERR_clear_error(); /* libcurl reads the same thread's queue */
	if (r < 0)
		pem = pem_unref(pem);
	*ret = pem;
	return r;
}
