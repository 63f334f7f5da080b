/* What codec-*.c reads JSON with: parsing that believes nothing, and accessors that keep the first
 * error. Absent and null are 0, false, empty, as in protobuf. Included by codec-*.c only. */
#ifndef ETCD_CODEC_JSON_H
#define ETCD_CODEC_JSON_H

#include "base/arena.h"
#include <once/client.h>

#include <cjson/cJSON.h>

struct json {
	struct arena *arena; /* borrowed: where copies go */
	int error;	     /* 0, -EBADMSG, -ENOMEM; the first one stays */
};

/* Whether data is one JSON document fit for cJSON, in linear time and constant space: RFC 8259 with
 * valid UTF-8, no \u0000, no lone surrogate, at most CODEC_DEPTH_MAX deep. 0 or -EBADMSG. */
int json_check(const char *data, size_t size);

/* An object no key of which comes twice; NULL on error. Freed by json_free(). */
cJSON *json_parse(struct json *json, const char *data, size_t size);
/* The same of what json_check() has let through. */
cJSON *json_parse_checked(struct json *json, const char *data, size_t size);
/* secret: overwrites every string first. NULL is fine. */
void json_free(cJSON *root, bool secret);

void json_fail(struct json *json, int error);

/* The member, NULL when absent or null; of another type: error. */
const cJSON *json_object(struct json *json, const cJSON *object, const char *name);
const cJSON *json_array(struct json *json, const cJSON *object, const char *name);
bool json_bool(struct json *json, const cJSON *object, const char *name);
/* From a string, or from a number below 2^53. */
int64_t json_i64(struct json *json, const cJSON *object, const char *name);
uint64_t json_u64(struct json *json, const cJSON *object, const char *name);
/* Borrowed from the tree; NULL when absent. */
const char *json_text(struct json *json, const cJSON *object, const char *name);
/* Copied into the arena; NULL when absent. */
const char *json_string(struct json *json, const cJSON *object, const char *name);
/* An array of strings, copied; n 0 when absent. */
const char *const *json_strings(
	struct json *json, const cJSON *object, const char *name, size_t *ret_n);
/* base64, decoded into the arena; size 0 when absent, data never NULL without an error. */
struct once_bytes json_bytes(struct json *json, const cJSON *object, const char *name);
struct once_bytes json_decode(struct json *json, const cJSON *item);

/* Room for an element per item of array (NULL: none), *ret_n how many. */
void *json_elements(struct json *json, const cJSON *array, size_t size, size_t *ret_n);

/* Shared by answers and watch lines. */
struct codec_header {
	uint64_t cluster_id, member_id, raft_term;
	int64_t revision;
};
/* False (and an error) when there is none: then it is no answer of etcd. */
bool json_header(struct json *json, const cJSON *object, struct codec_header *ret);
void json_kv(struct json *json, const cJSON *object, struct once_kv *ret);
/* codec-row.c: the same from its text. */
void json_row(struct json *json, const char *text, size_t size, struct once_kv *ret);

/* An error as 3.4 ("error", "message", "code"), 3.5 ("code", "message") or a stream ("error":
 * {...}) puts it. False: object is none. */
struct codec_error {
	int grpc_code;
	const char *message; /* borrowed from the tree, never NULL */
};
bool json_server_error(const cJSON *object, struct codec_error *ret);

#endif
