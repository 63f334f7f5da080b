/* What is known of versions of etcd that matters to onced. Pure. */
#ifndef ONCECTL_VERSIONS_H
#define ONCECTL_VERSIONS_H

#include <stdbool.h>
#include <stddef.h>

enum { VERSION_RISKS_MAX = 10 };

struct version_risk {
	bool refuse; /* else a warning */
	const char *text;
};

/* The risks of a version, "3.5.16"; how many. n_members: of the whole cluster. One that cannot be
 * read is a risk itself. */
size_t version_risks(
	const char *version, size_t n_members, struct version_risk ret[VERSION_RISKS_MAX]);

#endif
