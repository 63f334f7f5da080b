/* oncectl member list, as etcdctl's. */
#include "tools/oncectl/kv/kv.h"

#include <inttypes.h>
#include <stdio.h>

static const char *join(struct ctl *ctl, const char *const *texts, size_t n)
{
	const char *all = n ? texts[0] : "";

	for (size_t i = 1; i < n && all; i++)
		all = ctl_printf(ctl, "%s,%s", all, texts[i]);
	return all ? all : "";
}

static const char *hex(struct ctl *ctl, uint64_t id)
{
	const char *text = ctl_printf(ctl, "%" PRIx64, id);

	return text ? text : "";
}

static int print_table(struct ctl *ctl, const struct once_response *response)
{
	static const char *const heads[] = {
		"ID", "STATUS", "NAME", "PEER ADDRS", "CLIENT ADDRS", "IS LEARNER", NULL};
	const char **cells = arena_array(&ctl->arena, response->n_members * 6, sizeof(*cells));
	struct kv_table table = {heads, cells, 0};

	if (!cells)
		return ctl_out_of_memory();
	for (size_t i = 0; i < response->n_members; i++) {
		const struct once_member *m = &response->members[i];

		cells[table.n_cells++] = hex(ctl, m->id);
		cells[table.n_cells++] = *m->name ? "started" : "unstarted";
		cells[table.n_cells++] = ctl_text(ctl, once_str(m->name));
		cells[table.n_cells++] = join(ctl, m->peer_urls, m->n_peer_urls);
		cells[table.n_cells++] = join(ctl, m->client_urls, m->n_client_urls);
		cells[table.n_cells++] = m->is_learner ? "true" : "false";
	}
	kv_table_print(ctl, &table);
	return CTL_OK;
}

static void put_urls(const char *name, const char *const *urls, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		printf("\"%s\" : ", name);
		kv_put_quoted(once_str(urls[i]));
		putchar('\n');
	}
}

static int print_fields(const struct once_response *response)
{
	kv_fields_header(response);
	for (size_t i = 0; i < response->n_members; i++) {
		const struct once_member *m = &response->members[i];

		printf("\"ID\" : %" PRIu64 "\n\"Name\" : ", m->id);
		kv_put_quoted(once_str(m->name));
		putchar('\n');
		put_urls("PeerURL", m->peer_urls, m->n_peer_urls);
		put_urls("ClientURL", m->client_urls, m->n_client_urls);
		printf("\"IsLearner\" : %s\n\n", m->is_learner ? "true" : "false");
	}
	return CTL_OK;
}

static void json_urls(struct kv_json *json, const char *name, const char *const *urls, size_t n)
{
	if (n == 0)
		return;
	kv_json_open(json, name, '[');
	for (size_t i = 0; i < n; i++)
		kv_json_text(json, NULL, urls[i]);
	kv_json_close(json, ']');
}

/* Since 3.5 --hex writes ids so, as texts; its "clientURLS" is no slip of ours. */
static int print_json(struct ctl *ctl, const struct once_response *response)
{
	struct kv_json json = {.ctl = ctl};
	bool as_hex = ctl->hex && !kv_is_34(ctl);

	kv_json_open(&json, NULL, '{');
	kv_json_open(&json, "header", '{');
	if (as_hex) {
		kv_json_text(&json, "cluster_id", hex(ctl, response->cluster_id));
		kv_json_text(&json, "member_id", hex(ctl, response->member_id));
		kv_json_unsigned(&json, "raft_term", response->raft_term);
	} else {
		kv_json_header_fields(&json, response);
	}
	kv_json_close(&json, '}');
	kv_json_open(&json, "members", '[');
	for (size_t i = 0; i < response->n_members; i++) {
		const struct once_member *m = &response->members[i];

		kv_json_open(&json, NULL, '{');
		if (as_hex)
			kv_json_text(&json, "ID", hex(ctl, m->id));
		else
			kv_json_unsigned(&json, "ID", m->id);
		if (*m->name)
			kv_json_text(&json, "name", m->name);
		json_urls(&json, "peerURLs", m->peer_urls, m->n_peer_urls);
		json_urls(&json, as_hex ? "clientURLS" : "clientURLs", m->client_urls,
			m->n_client_urls);
		kv_json_true(&json, "isLearner", m->is_learner);
		kv_json_close(&json, '}');
	}
	kv_json_close(&json, ']');
	kv_json_close(&json, '}');
	putchar('\n');
	return CTL_OK;
}

static int run(struct ctl *ctl)
{
	struct kv_request request = {.kind = KV_MEMBERS, .flag = true};
	const struct once_response *response = kv_ask(ctl, &request);

	if (response->error < 0)
		return kv_refused(CTL_FAILED, response);
	if (ctl->json)
		return print_json(ctl, response);
	return ctl->format == CTL_FIELDS ? print_fields(response) : print_table(ctl, response);
}

const struct ctl_command ctl_command_member_list = {
	.name = "member list",
	.words = "",
	.etcdctl = true,
	.table = true,
	.summary = "members of the etcd cluster",
	.run = run,
};
