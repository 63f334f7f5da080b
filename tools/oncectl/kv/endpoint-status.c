/* oncectl endpoint status, as etcdctl's. */
#include <inttypes.h>
#include <stdio.h>

#include "tools/oncectl/kv/endpoint.h"

/* As etcdctl writes sizes: 25 kB, 1.2 MB. */
static const char *size_text(struct ctl *ctl, int64_t bytes)
{
	static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};
	double value = (double)bytes;
	size_t i = 0;

	if (bytes < 10)
		return kv_text(ctl_printf(ctl, "%d B", (int)bytes));
	for (; value >= 1000 && i + 1 < sizeof(units) / sizeof(units[0]); i++)
		value /= 1000;
	value = (double)(int64_t)(value * 10 + 0.5) / 10;
	return kv_text(ctl_printf(ctl, value < 10 ? "%.1f %s" : "%.0f %s", value, units[i]));
}

static const char *join(struct ctl *ctl, const char *const *texts, size_t n)
{
	const char *all = n ? texts[0] : "";

	for (size_t i = 1; i < n; i++)
		all = kv_text(ctl_printf(ctl, "%s, %s", all, texts[i]));
	return all;
}

static int status_table(struct ctl *ctl, const struct kv_endpoints *all)
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
		cells[table.n_cells++] = kv_text(ctl_printf(ctl, "%" PRIx64, r->member_id));
		cells[table.n_cells++] = r->version;
		cells[table.n_cells++] = size_text(ctl, r->db_size);
		cells[table.n_cells++] = r->leader == r->member_id ? "true" : "false";
		cells[table.n_cells++] = r->is_learner ? "true" : "false";
		cells[table.n_cells++] = kv_text(ctl_printf(ctl, "%" PRIu64, r->raft_term));
		cells[table.n_cells++] = kv_text(ctl_printf(ctl, "%" PRIu64, r->raft_index));
		cells[table.n_cells++] =
			kv_text(ctl_printf(ctl, "%" PRIu64, r->raft_applied_index));
		cells[table.n_cells++] = join(ctl, r->errors, r->n_errors);
	}
	kv_table_print(ctl, &table);
	return CTL_OK;
}

static void status_fields(const struct kv_endpoint *e)
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

static void status_json(struct kv_json *json, const struct kv_endpoint *e)
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

static int run_status(struct ctl *ctl)
{
	struct kv_endpoints all;
	int code = kv_endpoints_ask(ctl, KV_STATUS, 0, "status", &all), printed = CTL_OK;

	if (ctl->json)
		kv_endpoints_json(ctl, &all, status_json);
	else if (ctl->format != CTL_FIELDS)
		printed = status_table(ctl, &all);
	for (size_t i = 0; i < all.n && ctl->format == CTL_FIELDS; i++)
		status_fields(&all.items[i]);
	return code == CTL_OK ? printed : code;
}

static const struct ctl_flag flags[] = {KV_ENDPOINT_CLUSTER, {NULL, NULL, NULL}};

const struct ctl_command ctl_command_endpoint_status = {
	.name = "endpoint status",
	.words = "",
	.etcdctl = true,
	.table = true,
	.summary = "what each endpoint says of itself",
	.flags = flags,
	.run = run_status,
};
