/* oncectl endpoint hashkv, as etcdctl's: members that agree have the same. */
#include <inttypes.h>
#include <stdio.h>

#include "tools/oncectl/kv/endpoint.h"

static int hash_table(struct ctl *ctl, const struct kv_endpoints *all)
{
	static const char *const heads[] = {"ENDPOINT", "HASH", NULL};
	const char **cells = arena_array(&ctl->arena, all->n * 2, sizeof(*cells));
	struct kv_table table = {heads, cells, 0};

	if (!cells)
		return ctl_out_of_memory();
	for (size_t i = 0; i < all->n; i++) {
		cells[table.n_cells++] = all->items[i].url;
		cells[table.n_cells++] =
			kv_text(ctl_printf(ctl, "%" PRIu32, all->items[i].response->hash));
	}
	kv_table_print(ctl, &table);
	return CTL_OK;
}

static void hash_json(struct kv_json *json, const struct kv_endpoint *e)
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
	struct kv_endpoints all;
	int64_t revision;
	int code = kv_flag_number(ctl, "--rev", &revision), printed = CTL_OK;

	if (code != CTL_OK)
		return code;
	code = kv_endpoints_ask(ctl, KV_HASH, revision, "hash", &all);
	if (ctl->json)
		kv_endpoints_json(ctl, &all, hash_json);
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

static const struct ctl_flag flags[] = {KV_ENDPOINT_CLUSTER,
	{"--rev", "N", "up to that revision [0: the latest]"}, {NULL, NULL, NULL}};

const struct ctl_command ctl_command_endpoint_hashkv = {
	.name = "endpoint hashkv",
	.words = "",
	.etcdctl = true,
	.table = true,
	.summary = "hash of all keys of each endpoint: the same on all",
	.flags = flags,
	.run = run_hash,
};
