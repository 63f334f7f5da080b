/* Lines of a watch stream.
 *
 * What may stand in one: {"result":{...}} or {"error":{...}}. A result says what happened to one
 * watch: created, canceled, events, or nothing at all (progress). A refused watch is both created
 * and canceled, so canceled is looked at first. A canceled watch does not end the HTTP answer; the
 * client must. A line that contradicts itself is -EBADMSG: then the stream is given up and resumed
 * after the last event, which loses nothing. */
#include "etcd/codec.h"

#include "base/escape.h"
#include "etcd/codec-json.h"
#include "etcd/errors.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void set_message(struct codec_watch_line *line, const char *text)
{
	escape_line(line->message, sizeof(line->message), text, strlen(text));
}

static void decode_event(struct json *json, const cJSON *item, struct once_event *ret)
{
	const char *type = json_text(json, item, "type");
	const cJSON *kv = json_object(json, item, "kv"), *prev = json_object(json, item, "prev_kv");

	if (!type || strcmp(type, "PUT") == 0)
		ret->kind = ONCE_EVENT_PUT;
	else if (strcmp(type, "DELETE") == 0)
		ret->kind = ONCE_EVENT_DELETE;
	else
		json_fail(json, -EBADMSG);
	json_kv(json, kv, &ret->kv);
	/* The revision is what events are put in order and told apart by. */
	if (ret->kv.mod_revision <= 0)
		json_fail(json, -EBADMSG);
	ret->has_prev = prev != NULL;
	if (prev)
		json_kv(json, prev, &ret->prev);
}

static void decode_events(struct json *json, const cJSON *result, struct codec_watch_line *line)
{
	const cJSON *array = json_array(json, result, "events"), *item;
	struct once_event *events = json_elements(json, array, sizeof(*events), &line->n_events);
	size_t i = 0;

	line->events = events;
	if (!events)
		return;
	cJSON_ArrayForEach (item, array) {
		decode_event(json, item, &events[i++]);
	}
}

/* "rpc error: code = PermissionDenied desc = etcdserver: permission denied", or plain text. */
static void classify_reason(struct codec_watch_line *line, const char *reason)
{
	static const char head[] = "rpc error: code = ", middle[] = " desc = ";
	const char *name = reason, *desc;

	if (strncmp(reason, head, sizeof(head) - 1) == 0) {
		name += sizeof(head) - 1;
		desc = strstr(name, middle);
		if (desc) {
			line->grpc_code = errors_grpc_code(name, (size_t)(desc - name));
			line->error = errors_classify(line->grpc_code, desc + sizeof(middle) - 1, 0)
					      .error;
			return;
		}
	}
	if (strstr(reason, "required revision has been compacted"))
		line->error = -ESTALE;
	else if (strstr(reason, "no leader"))
		line->error = -EHOSTUNREACH;
	else if (*reason)
		line->error = -EINVAL;
	else
		line->error = -EPROTO;
}

static void decode_canceled(struct json *json, const cJSON *result, struct codec_watch_line *line)
{
	const char *reason = json_text(json, result, "cancel_reason");

	line->what = CODEC_WATCH_CANCELED;
	classify_reason(line, reason ? reason : "");
	if (line->compact_revision != 0)
		line->error = -ESTALE;
	set_message(line, reason && *reason ? reason : once_strerror(line->error));
	if (line->n_events > 0)
		json_fail(json, -EBADMSG);
}

static void decode_result(struct json *json, const cJSON *result, struct codec_watch_line *line)
{
	struct codec_header header;
	bool created, canceled;

	if (!json_header(json, result, &header))
		return;
	line->cluster_id = header.cluster_id;
	line->member_id = header.member_id;
	line->revision = header.revision;
	line->raft_term = header.raft_term;
	line->watch_id = json_i64(json, result, "watch_id");
	line->compact_revision = json_i64(json, result, "compact_revision");
	line->fragment = json_bool(json, result, "fragment");
	created = json_bool(json, result, "created");
	canceled = json_bool(json, result, "canceled");
	decode_events(json, result, line);
	if (canceled) {
		decode_canceled(json, result, line);
	} else if (created) {
		line->what = CODEC_WATCH_CREATED;
		if (line->n_events > 0)
			json_fail(json, -EBADMSG);
	} else {
		line->what = line->n_events > 0 ? CODEC_WATCH_EVENTS : CODEC_WATCH_PROGRESS;
	}
}

static void report_error(
	struct codec_watch_line *line, int http_status, const struct codec_error *error)
{
	line->what = CODEC_WATCH_ERROR;
	line->watch_id = -1;
	line->grpc_code = error->grpc_code;
	line->error = errors_classify(error->grpc_code, error->message, http_status).error;
	set_message(line, error->message);
}

int codec_watch_line(struct codec_watch_line *line, const void *data, size_t size)
{
	struct json json = {.arena = &line->arena};
	struct codec_error error;
	const cJSON *result;
	cJSON *root;

	*line = (struct codec_watch_line){0};
	arena_init(&line->arena);
	root = json_parse(&json, data, size);
	if (!root)
		return json.error;
	result = json_object(&json, root, "result");
	if (result)
		decode_result(&json, result, line);
	else if (json_server_error(root, &error))
		report_error(line, 0, &error);
	else
		json_fail(&json, -EBADMSG);
	json_free(root, false);
	return json.error;
}

void codec_watch_line_fini(struct codec_watch_line *line)
{
	arena_fini(&line->arena);
	*line = (struct codec_watch_line){0};
}

int codec_watch_refusal(
	struct codec_watch_line *line, int http_status, const void *body, size_t size)
{
	struct json json = {.arena = &line->arena};
	struct codec_error error;
	char text[64];
	cJSON *root;

	*line = (struct codec_watch_line){0};
	arena_init(&line->arena);
	root = json_parse(&json, body, size);
	if (root && json_server_error(root, &error)) {
		report_error(line, http_status, &error);
		json_free(root, false);
		return 0;
	}
	json_free(root, false);
	if (json.error == -ENOMEM)
		return -ENOMEM;
	(void)snprintf(text, sizeof(text), "the answer (HTTP %d) is not etcd's", http_status);
	line->what = CODEC_WATCH_ERROR;
	line->watch_id = -1;
	line->error = -EBADMSG;
	set_message(line, text);
	return 0;
}
