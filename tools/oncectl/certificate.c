/* See certificate.h. OpenSSL reads it, as it does for libcurl. */
#include "tools/oncectl/certificate.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

static int load(X509 **ret, const char *path)
{
	FILE *file = fopen(path, "re");

	if (!file)
		return errno == ENOENT ? -ENOENT : -EACCES;
	*ret = PEM_read_X509(file, NULL, NULL, NULL);
	(void)fclose(file);
	ERR_clear_error();
	return *ret ? 0 : -EBADMSG;
}

int certificate_read(struct certificate *ret, const char *path)
{
	X509 *x509 = NULL;
	int days = 0, seconds = 0, r = load(&x509, path);

	memset(ret, 0, sizeof(*ret));
	if (r < 0)
		return r;
	(void)X509_NAME_get_text_by_NID(X509_get_subject_name(x509), NID_commonName,
		ret->common_name, sizeof(ret->common_name));
	if (ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(x509)) != 1)
		r = -EBADMSG;
	ret->days_left = days == 0 && seconds < 0 ? -1 : days;
	ret->for_clients = X509_check_purpose(x509, X509_PURPOSE_SSL_CLIENT, 0) == 1;
	X509_free(x509);
	ERR_clear_error();
	return r;
}
