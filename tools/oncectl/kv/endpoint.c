/* oncectl endpoint status, health and hashkv, as etcdctl's: each member asked by itself.
 *
 * Who does not answer is told on standard error, the others are printed, and the exit code is 1. */
#include "tools/oncectl/kv/kv.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct endpoint {
	const char *url; /* as it was given */
	const struct once_response *response;
	int64_t took_ns;
	const char *error; /* of health; "": fine */
};

struct endpoints {
	struct endpoint *items;
	size_t n;
};

static int from_members(struct ctl *ctl, struct endpoints *ret)
{
	struct kv_request request = {.kind = KV_MEMBERS, .flag = true};
	const struct once_response *response = kv_ask(ctl, &request);
	size_t n = 0;

	if (response->error < 0)
		return kv_error(CTL_FAILED,
			"failed to fetch endpoints from etcd cluster member list: %s",
			response->message);
	for (size_t i = 0; i < response->n_members; i++)
		n += response->members[i].n_client_urls;
	ret->items = arena_array(&ctl->arena, n, sizeof(*ret->items));
	if (!ret->items)
		return ctl_out_of_memory();
	for (size_t i = 0; i < response->n_members; i++)
		for (size_t k = 0; k < response->members[i].n_client_urls; k++)
			ret->items[ret->n++].url = response->members[i].client_urls[k];
	return CTL_OK;
}

/* The endpoint as the user wrote it, who may have left out http://. */
static const char *as_said(struct ctl *ctl, const char *url)
{
	static const char scheme[] = "http://";
	const char *bare = url + sizeof(scheme) - 1;

	if (strncmp(url, scheme, sizeof(scheme) - 1) != 0 || !ctl->endpoints_said)
		return url;
	return strstr(ctl->endpoints_said, scheme) ? url : bare;
}

static int find(struct ctl *ctl, struct endpoints *ret)
{
	*ret = (struct endpoints){0};
	if (ctl_flag(ctl, "--cluster"))
		return from_members(ctl, ret);
	ret->items = arena_array(&ctl->arena, ctl->config.n_endpoints, sizeof(*ret->items));
	if (!ret->items)
		return ctl_out_of_memory();
	for (; ret->n < ctl->config.n_endpoints; ret->n++)
		ret->items[ret->n].url = as_said(ctl, ctl->config.endpoints[ret->n]);
	return CTL_OK;
}

/* Its answer, always; each has the whole --command-timeout. */
static void ask(struct ctl *ctl, struct endpoint *e, struct kv_request *request)
{
	static const struct once_response unusable = {
		.error = -EINVAL, .message = "cannot be used as an endpoint"};
	struct once_instant began;

	ctl->began = began = ctl->loop->ops->now(ctl->loop);
	e->response = &unusable;
	if (ctl_client_of(ctl, e->url, &request->client) == CTL_OK)
		e->response = kv_ask(ctl, request);
	e->took_ns = once_elapsed_max(began, ctl->loop->ops->now(ctl->loop));
}

static const char *text_of(const char *text)
{
	return text ? text : "";
}

/* ---- status and hash ------------------------------------------------------------------------- */

/* Keeps those that answered. The exit code. */
static int ask_all(
	struct ctl *ctl, enum kv_kind kind, int64_t number, const char *what, struct endpoints *ret)
{
	int code = find(ctl, ret), failed = CTL_OK;
	size_t n = 0;

	for (size_t i = 0; code == CTL_OK && i < ret->n; i++) {
		struct kv_request request = {.kind = kind, .number = number};
		struct endpoint e = ret->items[i];

		ask(ctl, &e, &request);
		request.client = once_client_free(request.client);
		if (e.response->error == 0) {
			ret->items[n++] = e;
			continue;
		}
		failed = CTL_FAILED;
		fprintf(stderr, "Failed to get the %s of endpoint %s (%s)\n", what, e.url,
			e.response->message);
	}
	ret->n = n;
	return code == CTL_OK ? failed : code;
}

/* As etcdctl writes sizes: 25 kB, 1.2 MB. */
static const char *size_text(struct ctl *ctl, int64_t bytes)
{
	static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};
	double value = (double)bytes;
	size_t i = 0;

	if (bytes < 10)
		return text_of(ctl_printf(ctl, "%d B", (int)bytes));
	for (; value >= 1000 && i + 1 < sizeof(units) / sizeof(units[0]); i++)
		value /= 1000;
	value = (double)(int64_t)(value * 10 + 0.5) / 10;
	return text_of(ctl_printf(ctl, value < 10 ? "%.1f %s" : "%.0f %s", value, units[i]));
}

static const char *join(struct ctl *ctl, const char *const *texts, size_t n)
{
	const char *all = n ? texts[0] : "";

	for (size_t i = 1; i < n; i++)
		all = text_of(ctl_printf(ctl, "%s, %s", all, texts[i]));
	return all;
}

static int status_table(struct ctl *ctl, const struct endpoints *all)
{
	static const char *const heads[] = {"ENDPOINT", "ID", "VERSION", "DB SIZE", "IS LEADER",
		"IS LEARNER", "RAFT TERM", "RAFT INDEX", "RAFT APPLIED INDEX", "ERRORS", NULL};
	const char **cells = arena_array(&ctl->arena, all->n * 10, sizeof(*cells));
	struct kv_table table = {heads, cells, 0};

	if (!cells)
		return ctl_out_of_memory();
	for (size_t i = 0; i < all->n; i++) {
		const struct once_response *r = all->items[i].response;

		cells[table.n_cells++] = all->items[i].url;
		cells[table.n_cells++] = text_of(ctl_printf(ctl, "%" PRIx64, r->member_id));
		cells[table.n_cells++] = r->version;
		cells[table.n_cells++] = size_text(ctl, r->db_size);
		cells[table.n_cells++] = r->leader == r->member_id ? "true" : "false";
		cells[table.n_cells++] = r->is_learner ? "true" : "false";
		cells[table.n_cells++] = text_of(ctl_printf(ctl, "%" PRIu64, r->raft_term));
		cells[table.n_cells++] = text_of(ctl_printf(ctl, "%" PRIu64, r->raft_index));
		cells[table.n_cells++] =
			text_of(ctl_printf(ctl, "%" PRIu64, r->raft_applied_index));
		cells[table.n_cells++] = join(ctl, r->errors, r->n_errors);
	}
	kv_table_print(ctl, &table);
	return CTL_OK;
}

static void status_fields(const struct endpoint *e)
{
	const struct once_response *r = e->response;

	kv_fields_header(r);
	fputs("\"Version\" : ", stdout);
	kv_put_quoted(once_str(r->version));
	printf("\n\"DBSize\" : %" PRId64 "\n\"Leader\" : %" PRIu64 "\n\"IsLearner\" : %s\n"
	       "\"RaftIndex\" : %" PRIu64 "\n\"RaftTerm\" : %" PRIu64
	       "\n\"RaftAppliedIndex\" : %" PRIu64 "\n\"Errors\" : [",
		r->db_size, r->leader, r->is_learner ? "true" : "false", r->raft_index,
		r->raft_term, r->raft_applied_index);
	for (size_t i = 0; i < r->n_errors; i++)
		printf("%s%s", i ? " " : "", r->errors[i]);
	fputs("]\n\"Endpoint\" : ", stdout);
	kv_put_quoted(once_str(e->url));
	fputs("\n\n", stdout);
}

static void status_json(struct kv_json *json, const struct endpoint *e)
{
	const struct once_response *r = e->response;

	kv_json_open(json, NULL, '{');
	kv_json_text(json, "Endpoint", e->url);
	kv_json_open(json, "Status", '{');
	kv_json_header(json, "header", r);
	kv_json_text(json, "version", r->version);
	kv_json_number(json, "dbSize", r->db_size);
	kv_json_unsigned(json, "leader", r->leader);
	kv_json_unsigned(json, "raftIndex", r->raft_index);
	kv_json_unsigned(json, "raftTerm", r->raft_term);
	kv_json_unsigned(json, "raftAppliedIndex", r->raft_applied_index);
	if (r->n_errors > 0) {
		kv_json_open(json, "errors", '[');
		for (size_t i = 0; i < r->n_errors; i++)
			kv_json_text(json, NULL, r->errors[i]);
		kv_json_close(json, ']');
	}
	kv_json_number(json, "dbSizeInUse", r->db_size_in_use);
	kv_json_true(json, "isLearner", r->is_learner);
	kv_json_close(json, '}');
	kv_json_close(json, '}');
}

static void print_json(struct ctl *ctl, const struct endpoints *all,
	void (*one)(struct kv_json *json, const struct endpoint *e))
{
	struct kv_json json = {.ctl = ctl};

	kv_json_open(&json, NULL, '[');
	for (size_t i = 0; i < all->n; i++)
		one(&json, &all->items[i]);
	kv_json_close(&json, ']');
	putchar('\n');
}

static int run_status(struct ctl *ctl)
{
	struct endpoints all;
	int code = ask_all(ctl, KV_STATUS, 0, "status", &all), printed = CTL_OK;

	if (ctl->json)
		print_json(ctl, &all, status_json);
	else if (ctl->format != CTL_FIELDS)
		printed = status_table(ctl, &all);
	for (size_t i = 0; i < all.n && ctl->format == CTL_FIELDS; i++)
		status_fields(&all.items[i]);
	return code == CTL_OK ? printed : code;
}

static int hash_table(struct ctl *ctl, const struct endpoints *all)
{
	static const char *const heads[] = {"ENDPOINT", "HASH", NULL};
	const char **cells = arena_array(&ctl->arena, all->n * 2, sizeof(*cells));
	struct kv_table table = {heads, cells, 0};

	if (!cells)
		return ctl_out_of_memory();
	for (size_t i = 0; i < all->n; i++) {
		cells[table.n_cells++] = all->items[i].url;
		cells[table.n_cells++] =
			text_of(ctl_printf(ctl, "%" PRIu32, all->items[i].response->hash));
	}
	kv_table_print(ctl, &table);
	return CTL_OK;
}

static void hash_json(struct kv_json *json, const struct endpoint *e)
{
	kv_json_open(json, NULL, '{');
	kv_json_text(json, "Endpoint", e->url);
	kv_json_open(json, "HashKV", '{');
	kv_json_header(json, "header", e->response);
	kv_json_number(json, "hash", e->response->hash);
	kv_json_number(json, "compact_revision", e->response->compact_revision);
	kv_json_close(json, '}');
	kv_json_close(json, '}');
}

static int run_hash(struct ctl *ctl)
{
	struct endpoints all;
	int64_t revision;
	int code = kv_flag_number(ctl, "--rev", &revision), printed = CTL_OK;

	if (code != CTL_OK)
		return code;
	code = ask_all(ctl, KV_HASH, revision, "hash", &all);
	if (ctl->json)
		print_json(ctl, &all, hash_json);
	else if (ctl->format != CTL_FIELDS)
		printed = hash_table(ctl, &all);
	for (size_t i = 0; i < all.n && ctl->format == CTL_FIELDS; i++) {
		kv_fields_header(all.items[i].response);
		fputs("\"Endpoint\" : ", stdout);
		kv_put_quoted(once_str(all.items[i].url));
		printf("\n\"Hash\" : %" PRIu32 "\n\n", all.items[i].response->hash);
	}
	return code == CTL_OK ? printed : code;
}

/* ---- health ---------------------------------------------------------------------------------- */

/* A linearizable read goes through the quorum; who may not read has been through it all the same. */
static void check(struct ctl *ctl, struct endpoint *e)
{
	struct once_op op = {.kind = ONCE_OP_RANGE, .key = once_str("health")};
	struct kv_request request = {.kind = KV_OP, .op = &op};
	struct kv_request alarms = {.kind = KV_ALARMS};
	const struct once_response *raised;

	ask(ctl, e, &request);
	e->error = "";
	if (e->response->error < 0 && e->response->error != -EPERM) {
		e->error = e->response->message;
	} else {
		alarms.client = request.client;
		raised = kv_ask(ctl, &alarms);
		if (raised->n_alarms > 0)
			e->error = "Active Alarm(s): ";
		for (size_t i = 0; i < raised->n_alarms; i++)
			e->error = text_of(ctl_printf(ctl, "%s%s ", e->error,
				raised->alarms[i].kind == ONCE_ALARM_NOSPACE ? "NOSPACE"
									     : "CORRUPT"));
	}
	request.client = once_client_free(request.client);
}

/* Go's way of writing a duration. */
static const char *took_text(struct ctl *ctl, int64_t ns)
{
	if (ns < ONCE_NSEC_PER_MSEC)
		return text_of(ctl_printf(ctl, "%.9gµs", (double)ns / 1e3));
	if (ns < ONCE_NSEC_PER_SEC)
		return text_of(ctl_printf(ctl, "%.9gms", (double)ns / 1e6));
	return text_of(ctl_printf(ctl, "%.12gs", (double)ns / 1e9));
}

static void health_json(struct kv_json *json, const struct endpoint *e)
{
	kv_json_open(json, NULL, '{');
	kv_json_text(json, "endpoint", e->url);
	printf(",\"health\":%s", *e->error ? "false" : "true");
	kv_json_text(json, "took", took_text(json->ctl, e->took_ns));
	if (*e->error)
		kv_json_text(json, "error", e->error);
	kv_json_close(json, '}');
}

static int health_table(struct ctl *ctl, const struct endpoints *all)
{
	static const char *const heads[] = {"ENDPOINT", "HEALTH", "TOOK", "ERROR", NULL};
	const char **cells = arena_array(&ctl->arena, all->n * 4, sizeof(*cells));
	struct kv_table table = {heads, cells, 0};

	if (!cells)
		return ctl_out_of_memory();
	for (size_t i = 0; i < all->n; i++) {
		cells[table.n_cells++] = all->items[i].url;
		cells[table.n_cells++] = *all->items[i].error ? "false" : "true";
		cells[table.n_cells++] = took_text(ctl, all->items[i].took_ns);
		cells[table.n_cells++] = all->items[i].error;
	}
	kv_table_print(ctl, &table);
	return CTL_OK;
}

static void health_lines(struct ctl *ctl, const struct endpoint *e, FILE *good)
{
	if (*e->error)
		fprintf(stderr, "%s is unhealthy: failed to commit proposal: %s\n", e->url,
			e->error);
	else
		fprintf(good, "%s is healthy: successfully committed proposal: took = %s\n", e->url,
			took_text(ctl, e->took_ns));
}

static int run_health(struct ctl *ctl)
{
	struct endpoints all;
	int code = find(ctl, &all);
	bool bad = false;
	FILE *good = stdout;

	for (size_t i = 0; code == CTL_OK && i < all.n; i++) {
		check(ctl, &all.items[i]);
		bad = bad || *all.items[i].error;
	}
	if (code != CTL_OK)
		return code;
	/* 3.4's tells even the good news there */
	if (ctl->format == CTL_SIMPLE && all.n > 0 && !*all.items[0].error && kv_is_34(ctl))
		good = stderr;
	if (ctl->json)
		print_json(ctl, &all, health_json);
	else if (ctl->format == CTL_TABLE)
		code = health_table(ctl, &all);
	for (size_t i = 0; i < all.n && !ctl->json && ctl->format != CTL_TABLE; i++) {
		const struct endpoint *e = &all.items[i];

		if (ctl->format == CTL_SIMPLE) {
			health_lines(ctl, e, good);
			continue;
		}
		fputs("\"Endpoint\" : ", stdout);
		kv_put_quoted(once_str(e->url));
		printf("\n\"Health\" : %s\n\"Took\" : %s\n\"Error\" : %s\n\n",
			*e->error ? "false" : "true", took_text(ctl, e->took_ns), e->error);
	}
	return bad ? kv_error(CTL_FAILED, "unhealthy cluster") : code;
}

/* ---- commands -------------------------------------------------------------------------------- */

#define CLUSTER                                                                                    \
	{                                                                                          \
		"--cluster", NULL, "every member, not only those of --endpoints"                   \
	}
static const struct ctl_flag flags[] = {CLUSTER, {NULL, NULL, NULL}};
static const struct ctl_flag hash_flags[] = {
	CLUSTER, {"--rev", "N", "up to that revision [0: the latest]"}, {NULL, NULL, NULL}};

const struct ctl_command ctl_command_endpoint_status = {
	.name = "endpoint status",
	.words = "",
	.etcdctl = true,
	.table = true,
	.summary = "what each endpoint says of itself",
	.flags = flags,
	.run = run_status,
};

const struct ctl_command ctl_command_endpoint_health = {
	.name = "endpoint health",
	.words = "",
	.etcdctl = true,
	.table = true,
	.summary = "whether each endpoint can commit",
	.flags = flags,
	.run = run_health,
};

const struct ctl_command ctl_command_endpoint_hashkv = {
	.name = "endpoint hashkv",
	.words = "",
	.etcdctl = true,
	.table = true,
	.summary = "hash of all keys of each endpoint: the same on all",
	.flags = hash_flags,
	.run = run_hash,
};
