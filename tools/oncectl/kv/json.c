/* -w json: what Go's encoding/json makes of etcd's messages. Zero fields are left out, bytes are
 * base64, integers are numbers of 64 bits. */
#include "tools/oncectl/kv/kv.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"

static void begin(struct kv_json *json, const char *name)
{
	if (json->comma)
		putchar(',');
	json->comma = true;
	if (name)
		printf("\"%s\":", name);
}

void kv_json_open(struct kv_json *json, const char *name, char bracket)
{
	begin(json, name);
	putchar(bracket);
	json->comma = false;
}

void kv_json_close(struct kv_json *json, char bracket)
{
	putchar(bracket);
	json->comma = true;
}

void kv_json_name(struct kv_json *json, const char *name)
{
	begin(json, name);
	json->comma = false;
}

void kv_json_number(struct kv_json *json, const char *name, int64_t value)
{
	if (value == 0)
		return;
	begin(json, name);
	printf("%" PRId64, value);
}

void kv_json_unsigned(struct kv_json *json, const char *name, uint64_t value)
{
	if (value == 0)
		return;
	begin(json, name);
	printf("%" PRIu64, value);
}

void kv_json_true(struct kv_json *json, const char *name, bool value)
{
	if (!value)
		return;
	begin(json, name);
	fputs("true", stdout);
}

/* Go also escapes what HTML would take for its own. */
void kv_json_text(struct kv_json *json, const char *name, const char *text)
{
	begin(json, name);
	putchar('"');
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '"' || c == '\\')
			printf("\\%c", c);
		else if (c == '\n' || c == '\r' || c == '\t')
			printf("\\%c", c == '\n' ? 'n' : c == '\r' ? 'r' : 't');
		else if (c < ' ' || c == '<' || c == '>' || c == '&')
			printf("\\u%04x", c);
		else
			putchar(c);
	}
	putchar('"');
}

void kv_json_bytes(struct kv_json *json, const char *name, struct once_bytes bytes)
{
	size_t size = base64_encoded_size(bytes.size);
	char *text;

	begin(json, name);
	text = malloc(size + 1);
	if (text)
		base64_encode(text, bytes.data, bytes.size);
	printf("\"%.*s\"", text ? (int)size : 0, text ? text : "");
	free(text);
}

static void put_bytes(struct kv_json *json, const char *name, struct once_bytes bytes)
{
	if (bytes.size > 0)
		kv_json_bytes(json, name, bytes);
}

void kv_json_header_fields(struct kv_json *json, const struct once_response *response)
{
	kv_json_unsigned(json, "cluster_id", response->cluster_id);
	kv_json_unsigned(json, "member_id", response->member_id);
	kv_json_number(json, "revision", response->revision);
	kv_json_unsigned(json, "raft_term", response->raft_term);
}

void kv_json_header(struct kv_json *json, const char *name, const struct once_response *response)
{
	kv_json_open(json, name, '{');
	kv_json_header_fields(json, response);
	kv_json_close(json, '}');
}

void kv_json_kv(struct kv_json *json, const char *name, const struct once_kv *kv)
{
	kv_json_open(json, name, '{');
	put_bytes(json, "key", kv->key);
	kv_json_number(json, "create_revision", kv->create_revision);
	kv_json_number(json, "mod_revision", kv->mod_revision);
	kv_json_number(json, "version", kv->version);
	put_bytes(json, "value", kv->value);
	kv_json_number(json, "lease", kv->lease);
	kv_json_close(json, '}');
}

static void put_kvs(struct kv_json *json, const char *name, const struct once_op_result *op)
{
	if (op->n_kvs == 0)
		return;
	kv_json_open(json, name, '[');
	for (size_t i = 0; i < op->n_kvs; i++)
		kv_json_kv(json, NULL, &op->kvs[i]);
	kv_json_close(json, ']');
}

/* 3.4 has Go's names of the fields here, later ones those of the protocol. */
static const char *name_of(enum once_op_kind kind, bool is_34)
{
	switch (kind) {
	case ONCE_OP_RANGE:
		return is_34 ? "ResponseRange" : "response_range";
	case ONCE_OP_PUT:
		return is_34 ? "ResponsePut" : "response_put";
	case ONCE_OP_DELETE:
		return is_34 ? "ResponseDeleteRange" : "response_delete_range";
	case ONCE_OP_TXN:
		break;
	}
	return is_34 ? "ResponseTxn" : "response_txn";
}

static void put_results(struct kv_json *json, const struct once_op_result *op)
{
	bool is_34 = op->n_results > 0 && kv_is_34(json->ctl);

	if (op->n_results == 0)
		return;
	kv_json_open(json, "responses", '[');
	for (size_t i = 0; i < op->n_results; i++) {
		const struct once_op_result *result = &op->results[i];

		kv_json_open(json, NULL, '{');
		kv_json_open(json, "Response", '{');
		kv_json_open(json, name_of(result->kind, is_34), '{');
		kv_json_open(json, "header", '{');
		kv_json_number(json, "revision", result->revision);
		kv_json_close(json, '}');
		kv_json_op(json, result);
		kv_json_close(json, '}');
		kv_json_close(json, '}');
		kv_json_close(json, '}');
	}
	kv_json_close(json, ']');
}

void kv_json_op(struct kv_json *json, const struct once_op_result *op)
{
	switch (op->kind) {
	case ONCE_OP_RANGE:
		put_kvs(json, "kvs", op);
		kv_json_true(json, "more", op->more);
		kv_json_number(json, "count", op->count);
		break;
	case ONCE_OP_PUT:
		if (op->n_kvs > 0)
			kv_json_kv(json, "prev_kv", &op->kvs[0]);
		break;
	case ONCE_OP_DELETE:
		kv_json_number(json, "deleted", op->count);
		put_kvs(json, "prev_kvs", op);
		break;
	case ONCE_OP_TXN:
		kv_json_true(json, "succeeded", op->succeeded);
		put_results(json, op);
		break;
	}
}
