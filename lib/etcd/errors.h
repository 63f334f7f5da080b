/* From what etcd says went wrong to the negative errno of once/client.h and to what is known of the
 * request's effect. One table, in errors.c; once_strerror() is there too. */
#ifndef ETCD_ERRORS_H
#define ETCD_ERRORS_H

#include <once/client.h>

enum errors_grpc {
	GRPC_OK = 0,
	GRPC_CANCELLED = 1,
	GRPC_UNKNOWN = 2,
	GRPC_INVALID_ARGUMENT = 3,
	GRPC_DEADLINE_EXCEEDED = 4,
	GRPC_NOT_FOUND = 5,
	GRPC_ALREADY_EXISTS = 6,
	GRPC_PERMISSION_DENIED = 7,
	GRPC_RESOURCE_EXHAUSTED = 8,
	GRPC_FAILED_PRECONDITION = 9,
	GRPC_ABORTED = 10,
	GRPC_OUT_OF_RANGE = 11,
	GRPC_UNIMPLEMENTED = 12,
	GRPC_INTERNAL = 13,
	GRPC_UNAVAILABLE = 14,
	GRPC_DATA_LOSS = 15,
	GRPC_UNAUTHENTICATED = 16,
};

struct errors_verdict {
	int error;		   /* negative errno, never 0 */
	enum once_outcome outcome; /* ONCE_NOT_APPLIED or ONCE_UNKNOWN, of this attempt alone */
};

/* http_status 0: not known (an error inside a stream). Every 5xx is ONCE_UNKNOWN, whatever else it
 * says. The message may be NULL. */
struct errors_verdict errors_classify(int grpc_code, const char *message, int http_status);

/* The code of its name in "rpc error: code = NAME desc = TEXT"; GRPC_UNKNOWN for any other. */
int errors_grpc_code(const char *name, size_t size);

#endif
