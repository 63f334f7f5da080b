/* oncectl endpoint health, as etcdctl's: a read through the quorum, and no alarms. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "tools/oncectl/kv/endpoint.h"

/* A linearizable read goes through the quorum; who may not read has been through it all the same. */
static void check(struct ctl *ctl, struct kv_endpoint *e)
{
	struct once_op op = {.kind = ONCE_OP_RANGE, .key = once_str("health")};
	struct kv_request request = {.kind = KV_OP, .op = &op};
	struct kv_request alarms = {.kind = KV_ALARMS};
	const struct once_response *raised;
	size_t n;

	kv_endpoint_ask(ctl, e, &request);
	e->error = "";
	if (e->response->error < 0 && e->response->error != -EPERM) {
		e->error = e->response->message;
	} else {
		alarms.client = request.client;
		raised = kv_ask(ctl, &alarms);
		/* 3.4's does not look */
		n = raised->n_alarms > 0 && !kv_is_34(ctl) ? raised->n_alarms : 0;
		if (n > 0)
			e->error = "Active Alarm(s): ";
		for (size_t i = 0; i < n; i++)
			e->error = kv_text(ctl_printf(ctl, "%s%s ", e->error,
				raised->alarms[i].kind == ONCE_ALARM_NOSPACE ? "NOSPACE"
									     : "CORRUPT"));
	}
	request.client = once_client_free(request.client);
}

/* Go's way of writing a duration. */
static const char *took_text(struct ctl *ctl, int64_t ns)
{
	if (ns < ONCE_NSEC_PER_MSEC)
		return kv_text(ctl_printf(ctl, "%.9gµs", (double)ns / 1e3));
	if (ns < ONCE_NSEC_PER_SEC)
		return kv_text(ctl_printf(ctl, "%.9gms", (double)ns / 1e6));
	return kv_text(ctl_printf(ctl, "%.12gs", (double)ns / 1e9));
}

static void health_json(struct kv_json *json, const struct kv_endpoint *e)
{
	kv_json_open(json, NULL, '{');
	kv_json_text(json, "endpoint", e->url);
	printf(",\"health\":%s", *e->error ? "false" : "true");
	kv_json_text(json, "took", took_text(json->ctl, e->took_ns));
	if (*e->error)
		kv_json_text(json, "error", e->error);
	kv_json_close(json, '}');
}

static int health_table(struct ctl *ctl, const struct kv_endpoints *all)
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

static void health_lines(struct ctl *ctl, const struct kv_endpoint *e, FILE *good)
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
	struct kv_endpoints all;
	int code = kv_endpoints_find(ctl, &all);
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
		kv_endpoints_json(ctl, &all, health_json);
	else if (ctl->format == CTL_TABLE)
		code = health_table(ctl, &all);
	for (size_t i = 0; i < all.n && !ctl->json && ctl->format != CTL_TABLE; i++) {
		const struct kv_endpoint *e = &all.items[i];

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

static const struct ctl_flag flags[] = {KV_ENDPOINT_CLUSTER, {NULL, NULL, NULL}};

const struct ctl_command ctl_command_endpoint_health = {
	.name = "endpoint health",
	.words = "",
	.etcdctl = true,
	.table = true,
	.summary = "whether each endpoint can commit",
	.flags = flags,
	.run = run_health,
};
