/* Accessors over cJSON; see codec-json.h. Names are matched exactly, case included: cJSON's short
 * forms do not, and etcd has both "ID" and "id"-like names. */
#include "etcd/codec-json.h"

#include "base/base64.h"
#include "base/number.h"

#include <errno.h>
#include <string.h>

/* etcd's widest object has a dozen members. Below this, comparing all pairs is cheap. */
enum { MEMBERS_MAX = 64 };

void json_fail(struct json *json, int error)
{
	if (json->error == 0)
		json->error = error;
}

/* Recursion is bounded by CODEC_DEPTH_MAX. */
static bool keys_unique(const cJSON *item)
{
	const cJSON *child, *other;
	int n = 0;

	cJSON_ArrayForEach (child, item) {
		if (cJSON_IsObject(item)) {
			if (++n > MEMBERS_MAX)
				return false;
			for (other = item->child; other != child; other = other->next) {
				if (strcmp(other->string, child->string) == 0)
					return false;
			}
		}
		if (child->child && !keys_unique(child))
			return false;
	}
	return true;
}

cJSON *json_parse(struct json *json, const char *data, size_t size)
{
	int r = json_check(data, size);

	if (r < 0) {
		json_fail(json, r);
		return NULL;
	}
	return json_parse_checked(json, data, size);
}

cJSON *json_parse_checked(struct json *json, const char *data, size_t size)
{
	cJSON *root = cJSON_ParseWithLengthOpts(data, size, NULL, 0);

	if (!root) {
		json_fail(json, -ENOMEM);
		return NULL;
	}
	if (!cJSON_IsObject(root) || !keys_unique(root)) {
		json_free(root, true);
		json_fail(json, -EBADMSG);
		return NULL;
	}
	return root;
}

static void overwrite(cJSON *item)
{
	for (; item; item = item->next) {
		if (item->valuestring)
			explicit_bzero(item->valuestring, strlen(item->valuestring));
		overwrite(item->child);
	}
}

void json_free(cJSON *root, bool secret)
{
	if (secret)
		overwrite(root);
	cJSON_Delete(root);
}

static const cJSON *member(const cJSON *object, const char *name)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);

	return cJSON_IsNull(item) ? NULL : item;
}

static const cJSON *member_if(
	struct json *json, const cJSON *object, const char *name, cJSON_bool (*is)(const cJSON *))
{
	const cJSON *item = member(object, name);

	if (!item)
		return NULL;
	if (!is(item)) {
		json_fail(json, -EBADMSG);
		return NULL;
	}
	return item;
}

const cJSON *json_object(struct json *json, const cJSON *object, const char *name)
{
	return member_if(json, object, name, cJSON_IsObject);
}

const cJSON *json_array(struct json *json, const cJSON *object, const char *name)
{
	return member_if(json, object, name, cJSON_IsArray);
}

bool json_bool(struct json *json, const cJSON *object, const char *name)
{
	const cJSON *item = member_if(json, object, name, cJSON_IsBool);

	return item && cJSON_IsTrue(item);
}

/* A number that a double holds exactly. */
static bool exact(const cJSON *item, double least)
{
	double limit = 9007199254740992.0; /* 2^53 */
	double n = item->valuedouble;

	return n > -limit && n < limit && n >= least && n == (double)(int64_t)n;
}

int64_t json_i64(struct json *json, const cJSON *object, const char *name)
{
	const cJSON *item = member(object, name);
	int64_t value = 0;

	if (!item)
		return 0;
	if (cJSON_IsNumber(item) && exact(item, -9007199254740992.0))
		return (int64_t)item->valuedouble;
	if (!cJSON_IsString(item) ||
		number_parse_i64(item->valuestring, strlen(item->valuestring), &value) < 0)
		json_fail(json, -EBADMSG);
	return value;
}

uint64_t json_u64(struct json *json, const cJSON *object, const char *name)
{
	const cJSON *item = member(object, name);
	uint64_t value = 0;

	if (!item)
		return 0;
	if (cJSON_IsNumber(item) && exact(item, 0.0))
		return (uint64_t)item->valuedouble;
	if (!cJSON_IsString(item) ||
		number_parse_u64(item->valuestring, strlen(item->valuestring), &value) < 0)
		json_fail(json, -EBADMSG);
	return value;
}

const char *json_text(struct json *json, const cJSON *object, const char *name)
{
	const cJSON *item = member_if(json, object, name, cJSON_IsString);

	return item ? item->valuestring : NULL;
}

static const char *copy_text(struct json *json, const char *text)
{
	const char *copy = arena_copy(json->arena, text, strlen(text));

	if (!copy)
		json_fail(json, -ENOMEM);
	return copy;
}

const char *json_string(struct json *json, const cJSON *object, const char *name)
{
	const char *text = json_text(json, object, name);

	return text ? copy_text(json, text) : NULL;
}

void *json_elements(struct json *json, const cJSON *array, size_t size, size_t *ret_n)
{
	size_t n = array ? (size_t)cJSON_GetArraySize(array) : 0;
	void *elements = arena_array(json->arena, n, size);

	*ret_n = elements ? n : 0;
	if (!elements)
		json_fail(json, -ENOMEM);
	return elements;
}

const char *const *json_strings(
	struct json *json, const cJSON *object, const char *name, size_t *ret_n)
{
	const cJSON *array = json_array(json, object, name), *item;
	const char **strings = json_elements(json, array, sizeof(*strings), ret_n);
	size_t i = 0;

	if (!strings)
		return NULL;
	cJSON_ArrayForEach (item, array) {
		if (!cJSON_IsString(item)) {
			json_fail(json, -EBADMSG);
			*ret_n = i;
			break;
		}
		strings[i++] = copy_text(json, item->valuestring);
	}
	return strings;
}

struct once_bytes json_decode(struct json *json, const cJSON *item)
{
	struct once_bytes bytes = {"", 0};
	const char *text = "";
	size_t size;
	void *data;

	if (item && !cJSON_IsString(item)) {
		json_fail(json, -EBADMSG);
		return bytes;
	}
	if (item)
		text = item->valuestring;
	size = strlen(text);
	if (size == 0)
		return bytes;
	/* one more: the arena's zero makes text out of it for whoever prints it */
	data = arena_alloc(json->arena, base64_decoded_max(size) + 1);
	if (!data) {
		json_fail(json, -ENOMEM);
		return bytes;
	}
	if (base64_decode(data, &bytes.size, text, size) < 0)
		json_fail(json, -EBADMSG);
	bytes.data = data;
	return bytes;
}

struct once_bytes json_bytes(struct json *json, const cJSON *object, const char *name)
{
	return json_decode(json, member(object, name));
}

bool json_header(struct json *json, const cJSON *object, struct codec_header *ret)
{
	const cJSON *header = json_object(json, object, "header");

	*ret = (struct codec_header){0};
	if (!header) {
		json_fail(json, -EBADMSG);
		return false;
	}
	ret->cluster_id = json_u64(json, header, "cluster_id");
	ret->member_id = json_u64(json, header, "member_id");
	ret->revision = json_i64(json, header, "revision");
	ret->raft_term = json_u64(json, header, "raft_term");
	return json->error == 0;
}

void json_kv(struct json *json, const cJSON *object, struct once_kv *ret)
{
	if (!cJSON_IsObject(object)) {
		json_fail(json, -EBADMSG);
		return;
	}
	ret->key = json_bytes(json, object, "key");
	ret->value = json_bytes(json, object, "value");
	ret->create_revision = json_i64(json, object, "create_revision");
	ret->mod_revision = json_i64(json, object, "mod_revision");
	ret->version = json_i64(json, object, "version");
	ret->lease = json_i64(json, object, "lease");
}

bool json_server_error(const cJSON *object, struct codec_error *ret)
{
	struct json json = {0};
	const cJSON *error = member(object, "error");
	const cJSON *from = cJSON_IsObject(error) ? error : object;
	const char *message = json_text(&json, from, "message");
	int64_t code = json_i64(&json, from, "grpc_code");

	if (code == 0)
		code = json_i64(&json, from, "code");
	if (!message)
		message = cJSON_GetStringValue(error);
	if (json.error < 0 || code < 1 || code > 16)
		return false;
	ret->grpc_code = (int)code;
	ret->message = message ? message : "";
	return true;
}
