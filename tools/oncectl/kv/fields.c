/* -w fields: one "Name" : value in each line. */
#include "tools/oncectl/kv/kv.h"

#include <inttypes.h>
#include <stdio.h>

static void put_number(const char *prefix, const char *name, int64_t value)
{
	printf("\"%s%s\" : %lld\n", prefix, name, (long long)value);
}

void kv_fields_kv(const char *prefix, const struct once_kv *kv)
{
	printf("\"%sKey\" : ", prefix);
	kv_put_quoted(kv->key);
	putchar('\n');
	put_number(prefix, "CreateRevision", kv->create_revision);
	put_number(prefix, "ModRevision", kv->mod_revision);
	put_number(prefix, "Version", kv->version);
	printf("\"%sValue\" : ", prefix);
	kv_put_quoted(kv->value);
	putchar('\n');
	put_number(prefix, "Lease", kv->lease);
}

static void put_header(uint64_t cluster, uint64_t member, int64_t revision, uint64_t term)
{
	printf("\"ClusterID\" : %" PRIu64 "\n\"MemberID\" : %" PRIu64 "\n", cluster, member);
	put_number("", "Revision", revision);
	printf("\"RaftTerm\" : %" PRIu64 "\n", term);
}

void kv_fields_header(const struct once_response *response)
{
	put_header(
		response->cluster_id, response->member_id, response->revision, response->raft_term);
}

static void put_kvs(const char *prefix, const struct once_op_result *op)
{
	for (size_t i = 0; i < op->n_kvs; i++)
		kv_fields_kv(prefix, &op->kvs[i]);
}

void kv_fields_op(const struct once_op_result *op)
{
	switch (op->kind) {
	case ONCE_OP_RANGE:
		put_kvs("", op);
		printf("\"More\" : %s\n", op->more ? "true" : "false");
		put_number("", "Count", op->count);
		break;
	case ONCE_OP_PUT:
		put_kvs("Prev", op);
		break;
	case ONCE_OP_DELETE:
		put_number("", "Deleted", op->count);
		put_kvs("Prev", op);
		break;
	case ONCE_OP_TXN:
		printf("\"Succeeded\" : %s\n", op->succeeded ? "true" : "false");
		for (size_t i = 0; i < op->n_results; i++) {
			put_header(0, 0, op->results[i].revision, 0);
			kv_fields_op(&op->results[i]);
		}
		break;
	}
}
