/* Unary answers into struct once_response.
 *
 * - HTTP 200: one document with a "header" (keep-alive: inside "result"), of the kind that was
 * asked for. A txn's answer must have, op by op, the shape of the branch it says it took: whoever
 * reads results[0].kvs after that needs no checks of his own.
 * - Any other status: an error of etcd by errors.c.
 * - What is neither is -EBADMSG with ONCE_UNKNOWN: a proxy's page, a cut body, another server. The
 *   request may have reached etcd all the same.
 *
 * Not checked here: the cluster's identity (the client knows it), whether keys are in the range. */
#include "etcd/codec.h"

#include "base/escape.h"
#include "etcd/codec-json.h"
#include "etcd/errors.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

void codec_reply_init(struct codec_reply *reply)
{
	*reply = (struct codec_reply){0};
	arena_init(&reply->arena);
}

void codec_reply_fini(struct codec_reply *reply)
{
	arena_fini(&reply->arena);
	*reply = (struct codec_reply){0};
}

void codec_reply_fail(
	struct codec_reply *reply, int error, enum once_outcome outcome, const char *message)
{
	struct once_response *response = &reply->response;

	response->error = error;
	response->outcome = outcome;
	if (!message)
		message = once_strerror(error);
	escape_line(response->message, sizeof(response->message), message, strlen(message));
}

/* ---- key-value ------------------------------------------------------------------------------- */

static void decode_kvs(struct json *json, const cJSON *array, struct once_op_result *ret)
{
	struct once_kv *kvs = json_elements(json, array, sizeof(*kvs), &ret->n_kvs);
	const cJSON *item;
	size_t i = 0;

	ret->kvs = kvs;
	if (!kvs)
		return;
	cJSON_ArrayForEach (item, array) {
		json_kv(json, item, &kvs[i++]);
	}
}

static void decode_range(struct json *json, const cJSON *object, struct once_op_result *ret)
{
	ret->kind = ONCE_OP_RANGE;
	decode_kvs(json, json_array(json, object, "kvs"), ret);
	ret->count = json_i64(json, object, "count");
	ret->more = json_bool(json, object, "more");
}

static void decode_put(struct json *json, const cJSON *object, struct once_op_result *ret)
{
	const cJSON *prev = json_object(json, object, "prev_kv");
	struct once_kv *kv;

	ret->kind = ONCE_OP_PUT;
	if (!prev)
		return;
	kv = arena_alloc(json->arena, sizeof(*kv));
	if (!kv) {
		json_fail(json, -ENOMEM);
		return;
	}
	json_kv(json, prev, kv);
	ret->kvs = kv;
	ret->n_kvs = 1;
}

static void decode_delete(struct json *json, const cJSON *object, struct once_op_result *ret)
{
	ret->kind = ONCE_OP_DELETE;
	decode_kvs(json, json_array(json, object, "prev_kvs"), ret);
	ret->count = json_i64(json, object, "deleted");
}

/* The keys of a range, which are not part of the tree. */
static void copy_rows(struct json *json, const struct codec_rows *rows, struct once_op_result *ret)
{
	struct once_kv *kvs = arena_array(json->arena, rows->n_kvs, sizeof(*kvs));

	if (!kvs) {
		json_fail(json, -ENOMEM);
		return;
	}
	memcpy(kvs, rows->kvs, rows->n_kvs * sizeof(*kvs));
	ret->kvs = kvs;
	ret->n_kvs = rows->n_kvs;
}

/* Behind the op that begins at shape. */
static const char *skip_op(const char *shape)
{
	int depth = 0;

	do {
		depth += (*shape == '(') - (*shape == ')');
		shape++;
	} while (depth > 0);
	return shape;
}

/* Behind the ops from shape to the '|' or ')' that ends them, *ret_n how many. */
static const char *skip_ops(const char *shape, size_t *ret_n)
{
	*ret_n = 0;
	while (*shape != '|' && *shape != ')') {
		shape = skip_op(shape);
		(*ret_n)++;
	}
	return shape;
}

static void decode_txn(
	struct json *json, const cJSON *object, const char *shape, struct once_op_result *ret);

static void decode_op(
	struct json *json, const cJSON *item, const char *shape, struct once_op_result *ret)
{
	const cJSON *object = NULL;

	switch (*shape) {
	case 'r':
		object = json_object(json, item, "response_range");
		decode_range(json, object, ret);
		break;
	case 'p':
		object = json_object(json, item, "response_put");
		decode_put(json, object, ret);
		break;
	case 'd':
		object = json_object(json, item, "response_delete_range");
		decode_delete(json, object, ret);
		break;
	case '(':
		object = json_object(json, item, "response_txn");
		if (object)
			decode_txn(json, object, shape, ret);
		break;
	}
	if (!object)
		json_fail(json, -EBADMSG);
	ret->revision = json_i64(json, json_object(json, object, "header"), "revision");
}

/* shape is at the '(' of this txn. Recursion is bounded by the encoder's CODEC_TXN_DEPTH_MAX. */
static void decode_txn(
	struct json *json, const cJSON *object, const char *shape, struct once_op_result *ret)
{
	const cJSON *array = json_array(json, object, "responses"), *item;
	struct once_op_result *results;
	size_t n_success, n_failure, i = 0;
	const char *failure;

	ret->kind = ONCE_OP_TXN;
	ret->succeeded = json_bool(json, object, "succeeded");
	failure = skip_ops(++shape, &n_success) + 1;
	skip_ops(failure, &n_failure);
	results = json_elements(json, array, sizeof(*results), &ret->n_results);
	ret->results = results;
	if (!results)
		return;
	if (ret->n_results != (ret->succeeded ? n_success : n_failure)) {
		json_fail(json, -EBADMSG);
		return;
	}
	if (!ret->succeeded)
		shape = failure;
	cJSON_ArrayForEach (item, array) {
		decode_op(json, item, shape, &results[i++]);
		shape = skip_op(shape);
	}
}

/* ---- leases ---------------------------------------------------------------------------------- */

static void decode_lease(
	struct json *json, const cJSON *root, int64_t asked, struct once_response *ret)
{
	ret->lease = json_i64(json, root, "ID");
	ret->ttl_s = json_i64(json, root, "TTL");
	if (ret->lease == 0 || (asked != 0 && ret->lease != asked))
		json_fail(json, -EBADMSG);
}

static void decode_time_to_live(struct json *json, const cJSON *root, struct once_response *ret)
{
	const cJSON *array = json_array(json, root, "keys"), *item;
	struct once_bytes *keys = json_elements(json, array, sizeof(*keys), &ret->n_keys);
	size_t i = 0;

	ret->granted_ttl_s = json_i64(json, root, "grantedTTL");
	ret->keys = keys;
	if (!keys)
		return;
	cJSON_ArrayForEach (item, array) {
		keys[i++] = json_decode(json, item);
	}
}

static void decode_lease_list(struct json *json, const cJSON *root, struct once_response *ret)
{
	const cJSON *array = json_array(json, root, "leases"), *item;
	int64_t *leases = json_elements(json, array, sizeof(*leases), &ret->n_leases);
	size_t i = 0;

	ret->leases = leases;
	if (!leases)
		return;
	cJSON_ArrayForEach (item, array) {
		leases[i] = json_i64(json, item, "ID");
		if (leases[i++] == 0)
			json_fail(json, -EBADMSG);
	}
}

/* ---- cluster and auth ------------------------------------------------------------------------ */

static void decode_status(struct json *json, const cJSON *root, struct once_response *ret)
{
	ret->version = json_string(json, root, "version");
	ret->leader = json_u64(json, root, "leader");
	ret->db_size = json_i64(json, root, "dbSize");
	ret->db_size_in_use = json_i64(json, root, "dbSizeInUse");
	ret->raft_index = json_u64(json, root, "raftIndex");
	ret->raft_applied_index = json_u64(json, root, "raftAppliedIndex");
	/* status has the term of its own too; the header's may be absent here */
	if (ret->raft_term == 0)
		ret->raft_term = json_u64(json, root, "raftTerm");
	ret->is_learner = json_bool(json, root, "isLearner");
	ret->errors = json_strings(json, root, "errors", &ret->n_errors);
	if (!ret->version)
		json_fail(json, -EBADMSG);
}

static void decode_member(struct json *json, const cJSON *item, struct once_member *ret)
{
	ret->id = json_u64(json, item, "ID");
	ret->name = json_string(json, item, "name");
	if (!ret->name)
		ret->name = "";
	ret->peer_urls = json_strings(json, item, "peerURLs", &ret->n_peer_urls);
	ret->client_urls = json_strings(json, item, "clientURLs", &ret->n_client_urls);
	ret->is_learner = json_bool(json, item, "isLearner");
	if (ret->id == 0)
		json_fail(json, -EBADMSG);
}

static void decode_members(struct json *json, const cJSON *root, struct once_response *ret)
{
	const cJSON *array = json_array(json, root, "members"), *item;
	struct once_member *members = json_elements(json, array, sizeof(*members), &ret->n_members);
	size_t i = 0;

	ret->members = members;
	if (!members)
		return;
	cJSON_ArrayForEach (item, array) {
		decode_member(json, item, &members[i++]);
	}
	/* whoever answers is one himself */
	if (ret->n_members == 0)
		json_fail(json, -EBADMSG);
}

static void decode_hash(struct json *json, const cJSON *root, struct once_response *ret)
{
	int64_t hash = json_i64(json, root, "hash");

	ret->hash = (uint32_t)hash;
	ret->compact_revision = json_i64(json, root, "compact_revision");
	if (hash < 0 || hash > UINT32_MAX)
		json_fail(json, -EBADMSG);
}

static void decode_alarms(struct json *json, const cJSON *root, struct once_response *ret)
{
	const cJSON *array = json_array(json, root, "alarms"), *item;
	struct once_alarm *alarms = json_elements(json, array, sizeof(*alarms), &ret->n_alarms);
	size_t i = 0;

	ret->alarms = alarms;
	if (!alarms)
		return;
	cJSON_ArrayForEach (item, array) {
		const char *kind = json_text(json, item, "alarm");

		alarms[i].member = json_u64(json, item, "memberID");
		if (kind && strcmp(kind, "NOSPACE") == 0)
			alarms[i].kind = ONCE_ALARM_NOSPACE;
		else if (kind && strcmp(kind, "CORRUPT") == 0)
			alarms[i].kind = ONCE_ALARM_CORRUPT;
		i++;
	}
}

/* ---- whole answers --------------------------------------------------------------------------- */

static void decode_kind(struct json *json, const cJSON *root, const struct codec_request *request,
	struct codec_reply *reply)
{
	struct once_response *response = &reply->response;

	switch (request->kind) {
	case CODEC_RANGE:
		decode_range(json, root, &response->op);
		break;
	case CODEC_PUT:
		decode_put(json, root, &response->op);
		break;
	case CODEC_DELETE_RANGE:
		decode_delete(json, root, &response->op);
		break;
	case CODEC_TXN:
		decode_txn(json, root, buf_text(&request->shape), &response->op);
		break;
	case CODEC_LEASE_GRANT:
		decode_lease(json, root, request->lease, response);
		if (response->ttl_s <= 0)
			json_fail(json, -EBADMSG);
		break;
	case CODEC_LEASE_KEEPALIVE:
		decode_lease(json, root, request->lease, response);
		break;
	case CODEC_LEASE_TIME_TO_LIVE:
		decode_lease(json, root, request->lease, response);
		decode_time_to_live(json, root, response);
		break;
	case CODEC_LEASE_LIST:
		decode_lease_list(json, root, response);
		break;
	case CODEC_AUTHENTICATE:
		reply->token = json_string(json, root, "token");
		if (!reply->token || !*reply->token)
			json_fail(json, -EBADMSG);
		break;
	case CODEC_STATUS:
		decode_status(json, root, response);
		break;
	case CODEC_MEMBER_LIST:
		decode_members(json, root, response);
		break;
	case CODEC_HASH_KV:
		decode_hash(json, root, response);
		break;
	case CODEC_ALARM:
		decode_alarms(json, root, response);
		break;
	case CODEC_COMPACTION:
	case CODEC_LEASE_REVOKE:
		break;
	case CODEC_NONE:
	case CODEC_WATCH:
		json_fail(json, -EBADMSG);
		break;
	}
}

/* Of these etcd always says at which revision. Without it a writer would not know what it wrote. */
static bool has_revision(enum codec_kind kind)
{
	return kind == CODEC_RANGE || kind == CODEC_PUT || kind == CODEC_DELETE_RANGE ||
	       kind == CODEC_TXN;
}

static void decode_answer(struct json *json, const cJSON *root, const struct codec_request *request,
	struct codec_reply *reply)
{
	struct once_response *response = &reply->response;
	struct codec_header header = {0};
	/* 3.4 answers questions about alarms without one */
	bool bare = request->kind == CODEC_ALARM && !json_object(json, root, "header");

	if (!bare && !json_header(json, root, &header))
		return;
	if (has_revision(request->kind) && header.revision <= 0)
		json_fail(json, -EBADMSG);
	response->cluster_id = header.cluster_id;
	response->member_id = header.member_id;
	response->revision = header.revision;
	response->raft_term = header.raft_term;
	decode_kind(json, root, request, reply);
}

/* Nothing half decoded may look like an answer. */
static int reject(
	struct codec_reply *reply, int error, int http_status, const char *body, size_t size)
{
	const char *named = "CommonName of client sending a request against gateway";
	char text[200];
	int n;

	reply->response = (struct once_response){.http_status = http_status};
	reply->token = NULL;
	if (error == -ENOMEM) {
		codec_reply_fail(reply, error, ONCE_UNKNOWN, NULL);
		return error;
	}
	/* A body with status 200 may hold values and tokens: those stay out of logs. */
	if (http_status == 200)
		size = 0;
	if (size > 0 && memmem(body, size, named, strlen(named)))
		n = snprintf(text, sizeof(text),
			"etcd with auth takes no client certificate with a CommonName: expected "
			"one "
			"without, and a user");
	else
		n = snprintf(text, sizeof(text), "the answer (HTTP %d) is not etcd's%s%.*s",
			http_status, size ? ": " : "", (int)(size < 100 ? size : 100),
			size ? body : "");
	(void)n;
	codec_reply_fail(reply, -EBADMSG, ONCE_UNKNOWN, text);
	return -EBADMSG;
}

static int report_error(struct codec_reply *reply, const struct codec_request *request,
	int http_status, const struct codec_error *error)
{
	struct errors_verdict verdict =
		errors_classify(error->grpc_code, error->message, http_status);

	/* Somebody was faster, or this is the second copy: what was wanted is so. */
	if (request->kind == CODEC_LEASE_REVOKE && verdict.error == -ENOENT)
		verdict.outcome = ONCE_APPLIED;
	reply->response.http_status = http_status;
	reply->response.grpc_code = error->grpc_code;
	codec_reply_fail(reply, verdict.error, verdict.outcome, error->message);
	return verdict.error;
}

static int decode(struct codec_reply *reply, const struct codec_request *request, int http_status,
	const void *body, size_t size, const struct codec_rows *rows)
{
	struct json json = {.arena = &reply->arena};
	bool stream = request->kind == CODEC_LEASE_KEEPALIVE;
	bool secret = request->kind == CODEC_AUTHENTICATE;
	cJSON *root = json_parse(&json, body, size);
	struct codec_error error;
	int r;

	reply->arena.secret = secret;
	reply->response.http_status = http_status;
	if (!root)
		return reject(reply, json.error, http_status, body, size);
	if ((http_status != 200 || stream) && json_server_error(root, &error)) {
		r = report_error(reply, request, http_status, &error);
		json_free(root, secret);
		return r;
	}
	if (http_status != 200)
		json_fail(&json, -EBADMSG);
	else
		decode_answer(
			&json, stream ? json_object(&json, root, "result") : root, request, reply);
	if (rows && rows->n_kvs > 0 && json.error == 0)
		copy_rows(&json, rows, &reply->response.op);
	json_free(root, secret);
	if (json.error < 0)
		return reject(reply, json.error, http_status, body, size);
	reply->response.outcome = ONCE_APPLIED;
	return 0;
}

int codec_decode(struct codec_reply *reply, const struct codec_request *request, int http_status,
	const void *body, size_t size)
{
	struct codec_rows rows;
	int r;

	if (request->kind != CODEC_RANGE || http_status != 200)
		return decode(reply, request, http_status, body, size, NULL);
	/* A tree of a large range would be several times its text. */
	codec_rows_init(&rows);
	r = codec_rows_push(&rows, body, size, &reply->arena);
	r = r < 0 ? reject(reply, r, http_status, body, size)
		  : decode(reply, request, http_status, buf_text(&rows.around), rows.around.size,
			    &rows);
	codec_rows_fini(&rows);
	return r;
}
