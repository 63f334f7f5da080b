/* What doctor wants to know of a certificate. */
#ifndef ONCECTL_CERTIFICATE_H
#define ONCECTL_CERTIFICATE_H

#include <stdbool.h>

struct certificate {
	char common_name[128]; /* of its subject; "": none */
	int days_left;	       /* until it ends; negative: it has ended */
	bool for_clients;      /* its extended usage, if it says one, allows clients */
};

/* The first certificate of a PEM file. -ENOENT, -EACCES; -EBADMSG: there is none that can be read. */
int certificate_read(struct certificate *ret, const char *path);

#endif
