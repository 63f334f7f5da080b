/* Endpoints, each asked by itself.
 *
 *	endpoint.c		which they are, and their answers
 *	endpoint-status.c	what they say of themselves
 *	endpoint-hash.c		the hash of what they hold
 *	endpoint-health.c	whether they can commit */
#ifndef ONCECTL_KV_ENDPOINT_H
#define ONCECTL_KV_ENDPOINT_H

#include "tools/oncectl/kv/kv.h"

struct kv_endpoint {
	const char *url; /* as it was given */
	const struct once_response *response;
	int64_t took_ns;
	const char *error; /* of health; "": fine */
};

struct kv_endpoints {
	struct kv_endpoint *items;
	size_t n;
};

#define KV_ENDPOINT_CLUSTER                                                                        \
	{                                                                                          \
		"--cluster", NULL, "every member, not only those of --endpoints"                   \
	}

/* Those of --endpoints, or of all members. 0, or the exit code after its line. */
int kv_endpoints_find(struct ctl *ctl, struct kv_endpoints *ret);
/* Its answer, always; each has the whole --command-timeout. request->client is the caller's. */
void kv_endpoint_ask(struct ctl *ctl, struct kv_endpoint *e, struct kv_request *request);
/* Finds and asks all, and keeps those that answered; the others are told. The exit code. */
int kv_endpoints_ask(struct ctl *ctl, enum kv_kind kind, int64_t number, const char *what,
	struct kv_endpoints *ret);
void kv_endpoints_json(struct ctl *ctl, const struct kv_endpoints *all,
	void (*one)(struct kv_json *json, const struct kv_endpoint *e));
/* "" for NULL, which is out of memory. */
const char *kv_text(const char *text);

#endif
