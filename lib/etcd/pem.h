/* Certificates and key as they were when they were read; see pem.c. */
#ifndef ETCD_PEM_H
#define ETCD_PEM_H

#include "base/buf.h"
#include <once/client.h>

struct pem {
	unsigned refs;
	struct buf cacert, cert,
		key; /* empty: no such file was named; the key is zeroed at the end */
	char *cacert_path, *cert_path; /* for messages; NULL: none */
	const char *
		cert_fault; /* why a server may refuse it, as it was when read; NULL: nothing seen */
};

/* With one reference. Errors as once_client_new() has them, with *ret_message except for -ENOMEM. */
int pem_read(struct pem **ret, const struct once_client_config *config, const char **ret_message);

static inline struct pem *pem_ref(struct pem *pem)
{
	pem->refs++;
	return pem;
}

/* Returns NULL; NULL is fine. */
struct pem *pem_unref(struct pem *pem);

#endif
