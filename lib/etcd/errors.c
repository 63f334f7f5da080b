/* The one table of etcd's errors; see errors.h.
 *
 * The verdict hangs on the gRPC code and the beginning of the message ("etcdserver: " taken off),
 * not on the HTTP status: the gateways of 3.4 and 3.5 translate one code into different statuses.
 * Only what the server checks before it proposes anything to raft is "not applied"; a timeout, a
 * lost leader or a broken connection inside the server is "unknown", and so is all that is not
 * listed. So is NOSPACE: the write that passes the quota is made by every member, and then the one who
 * asked is told that there is no space, in the same words as all those that are refused after it. */
#include "etcd/errors.h"

#include <errno.h>
#include <string.h>

struct row {
	int grpc_code;
	const char *prefix; /* NULL: any message; the rows of a code are tried in order */
	int error;
	enum once_outcome outcome;
};

static const struct row rows[] = {
	{GRPC_CANCELLED, NULL, -EPROTO, ONCE_UNKNOWN},

	{GRPC_UNKNOWN, "context deadline exceeded", -ETIMEDOUT, ONCE_UNKNOWN},
	{GRPC_UNKNOWN, "OK: HTTP status code 200", -ECONNRESET, ONCE_UNKNOWN},
	{GRPC_UNKNOWN, "malformed header: missing HTTP content-type", -ECONNRESET, ONCE_UNKNOWN},
	{GRPC_UNKNOWN, "unexpected HTTP status code received from server", -ECONNRESET,
		ONCE_UNKNOWN},
	{GRPC_UNKNOWN, NULL, -EPROTO, ONCE_UNKNOWN},

	{GRPC_INVALID_ARGUMENT, "too many operations in txn request", -E2BIG, ONCE_NOT_APPLIED},
	{GRPC_INVALID_ARGUMENT, "request is too large", -E2BIG, ONCE_NOT_APPLIED},
	{GRPC_INVALID_ARGUMENT, "user name is empty", -EACCES, ONCE_NOT_APPLIED},
	{GRPC_INVALID_ARGUMENT, "revision of auth store is old", -EACCES, ONCE_NOT_APPLIED},
	{GRPC_INVALID_ARGUMENT, "authentication failed", -EACCES, ONCE_NOT_APPLIED},
	{GRPC_INVALID_ARGUMENT, NULL, -EINVAL, ONCE_NOT_APPLIED},

	{GRPC_DEADLINE_EXCEEDED, NULL, -ETIMEDOUT, ONCE_UNKNOWN},

	{GRPC_NOT_FOUND, "requested lease not found", -ENOENT, ONCE_NOT_APPLIED},
	{GRPC_NOT_FOUND, NULL, -EPROTO, ONCE_UNKNOWN}, /* a path the gateway does not know */

	{GRPC_PERMISSION_DENIED, NULL, -EPERM, ONCE_NOT_APPLIED},

	{GRPC_RESOURCE_EXHAUSTED, "mvcc: database space exceeded", -ENOSPC, ONCE_UNKNOWN},
	{GRPC_RESOURCE_EXHAUSTED, "too many requests", -EAGAIN, ONCE_NOT_APPLIED},
	{GRPC_RESOURCE_EXHAUSTED, "grpc: received message larger than max", -E2BIG,
		ONCE_NOT_APPLIED},
	/* "trying to send message larger than max": the answer to a request that was served */
	{GRPC_RESOURCE_EXHAUSTED, NULL, -E2BIG, ONCE_UNKNOWN},

	{GRPC_FAILED_PRECONDITION, "lease already exists", -EEXIST, ONCE_NOT_APPLIED},
	{GRPC_FAILED_PRECONDITION, "not leader", -EHOSTUNREACH, ONCE_NOT_APPLIED},
	{GRPC_FAILED_PRECONDITION, NULL, -EINVAL, ONCE_NOT_APPLIED},

	{GRPC_OUT_OF_RANGE, "mvcc: required revision has been compacted", -ESTALE,
		ONCE_NOT_APPLIED},
	{GRPC_OUT_OF_RANGE, "mvcc: required revision is a future revision", -ERANGE,
		ONCE_NOT_APPLIED},
	{GRPC_OUT_OF_RANGE, "too large lease TTL", -EINVAL, ONCE_NOT_APPLIED},
	{GRPC_OUT_OF_RANGE, NULL, -EPROTO, ONCE_UNKNOWN},

	{GRPC_INTERNAL, "server closed the stream without sending trailers", -ECONNRESET,
		ONCE_UNKNOWN},
	{GRPC_INTERNAL, "stream terminated by RST_STREAM", -ECONNRESET, ONCE_UNKNOWN},
	{GRPC_INTERNAL, NULL, -EPROTO, ONCE_UNKNOWN},

	{GRPC_UNAVAILABLE, "request timed out", -ETIMEDOUT, ONCE_UNKNOWN},
	{GRPC_UNAVAILABLE, "transport is closing", -ECONNRESET, ONCE_UNKNOWN},
	{GRPC_UNAVAILABLE, "error reading from server", -ECONNRESET, ONCE_UNKNOWN},
	{GRPC_UNAVAILABLE, NULL, -EHOSTUNREACH, ONCE_UNKNOWN},

	{GRPC_UNAUTHENTICATED, NULL, -EACCES, ONCE_NOT_APPLIED},
};

/* 200: an error inside a stream that had begun, or 0 when the caller does not know. */
static bool status_may_refuse(int http_status)
{
	return http_status == 0 || http_status == 200 || (http_status >= 400 && http_status < 500);
}

struct errors_verdict errors_classify(int grpc_code, const char *message, int http_status)
{
	static const char server[] = "etcdserver: ";
	struct errors_verdict verdict = {-EPROTO, ONCE_UNKNOWN};

	if (!message)
		message = "";
	if (strncmp(message, server, sizeof(server) - 1) == 0)
		message += sizeof(server) - 1;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *row = &rows[i];

		if (row->grpc_code != grpc_code)
			continue;
		if (row->prefix && strncmp(message, row->prefix, strlen(row->prefix)) != 0)
			continue;
		verdict.error = row->error;
		verdict.outcome = row->outcome;
		break;
	}
	if (!status_may_refuse(http_status))
		verdict.outcome = ONCE_UNKNOWN;
	return verdict;
}

int errors_grpc_code(const char *name, size_t size)
{
	static const char *const names[] = {
		[GRPC_OK] = "OK",
		[GRPC_CANCELLED] = "Canceled",
		[GRPC_UNKNOWN] = "Unknown",
		[GRPC_INVALID_ARGUMENT] = "InvalidArgument",
		[GRPC_DEADLINE_EXCEEDED] = "DeadlineExceeded",
		[GRPC_NOT_FOUND] = "NotFound",
		[GRPC_ALREADY_EXISTS] = "AlreadyExists",
		[GRPC_PERMISSION_DENIED] = "PermissionDenied",
		[GRPC_RESOURCE_EXHAUSTED] = "ResourceExhausted",
		[GRPC_FAILED_PRECONDITION] = "FailedPrecondition",
		[GRPC_ABORTED] = "Aborted",
		[GRPC_OUT_OF_RANGE] = "OutOfRange",
		[GRPC_UNIMPLEMENTED] = "Unimplemented",
		[GRPC_INTERNAL] = "Internal",
		[GRPC_UNAVAILABLE] = "Unavailable",
		[GRPC_DATA_LOSS] = "DataLoss",
		[GRPC_UNAUTHENTICATED] = "Unauthenticated",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strlen(names[i]) == size && memcmp(names[i], name, size) == 0)
			return (int)i;
	}
	return GRPC_UNKNOWN;
}

const char *once_strerror(int error)
{
	static const struct {
		int error;
		const char *text;
	} texts[] = {
		{0, "no error"},
		{-ENOENT, "lease not found"},
		{-EACCES, "not authenticated"},
		{-EPERM, "permission denied"},
		{-EEXIST, "lease already exists"},
		{-ENOSPC, "etcd has no space left"},
		{-E2BIG, "request too large"},
		{-ESTALE, "revision compacted"},
		{-ERANGE, "future revision"},
		{-EINVAL, "the server refused the request"},
		{-EAGAIN, "too many requests"},
		{-EHOSTUNREACH, "no leader, or not connected"},
		{-ETIMEDOUT, "no answer in time"},
		{-EBADMSG, "the answer is not etcd's"},
		{-ECONNRESET, "the connection broke"},
		{-EPROTO, "the server failed"},
		{-EKEYREJECTED, "TLS verification failed"},
		{-EREMCHG, "another etcd cluster answered"},
		{-ENOMEM, "out of memory"},
		{-ECANCELED, "cancelled"},
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		if (texts[i].error == error)
			return texts[i].text;
	}
	return "unknown error";
}
