/* oncectl lease grant, revoke, timetolive, list and keep-alive, as etcdctl's. */
#include "tools/oncectl/kv/kv.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

static int one_word(struct ctl *ctl, const char *missing)
{
	return ctl->n_words == 1 ? CTL_OK : kv_error(CTL_BAD_ARGS, "%s", missing);
}

static int read_lease(struct ctl *ctl, int64_t *ret)
{
	const char *why = kv_number(ctl, ctl->words[0], 16, ret);

	if (why)
		return kv_error(CTL_BAD_ARGS, "bad lease ID arg (%s), expecting ID in Hex", why);
	return CTL_OK;
}

/* Answers about one lease: header and numbers side by side. */
static void print_lease(struct ctl *ctl, const struct once_response *response, bool granted)
{
	struct kv_json json = {.ctl = ctl};

	if (ctl->format == CTL_FIELDS) {
		kv_fields_header(response);
		printf("\"ID\" : %" PRId64 "\n\"TTL\" : %" PRId64 "\n", response->lease,
			response->ttl_s);
		return;
	}
	kv_json_open(&json, NULL, '{');
	kv_json_header_fields(&json, response);
	kv_json_name(&json, "ID");
	printf("%" PRId64 ",\"TTL\":%" PRId64, response->lease, response->ttl_s);
	puts(granted ? ",\"Error\":\"\"}" : "}");
}

/* ---- grant, revoke --------------------------------------------------------------------------- */

static int run_grant(struct ctl *ctl)
{
	struct kv_request request = {.kind = KV_LEASE_GRANT};
	const struct once_response *response;
	const char *why;
	int code = one_word(ctl, "lease grant command needs TTL argument");

	if (code != CTL_OK)
		return code;
	why = kv_number(ctl, ctl->words[0], 10, &request.number);
	if (why)
		return kv_error(CTL_BAD_ARGS, "bad TTL (%s)", why);
	response = kv_ask(ctl, &request);
	if (response->error < 0)
		return kv_error(CTL_FAILED, "failed to grant lease (%s)", response->message);
	if (ctl->format != CTL_SIMPLE)
		print_lease(ctl, response, true);
	else
		printf("lease %016" PRIx64 " granted with TTL(%" PRId64 "s)\n",
			(uint64_t)response->lease, response->ttl_s);
	return CTL_OK;
}

static int run_revoke(struct ctl *ctl)
{
	struct kv_request request = {.kind = KV_LEASE_REVOKE};
	struct kv_json json = {.ctl = ctl};
	const struct once_response *response;
	int code = one_word(ctl, "lease revoke command needs 1 argument");

	if (code == CTL_OK)
		code = read_lease(ctl, &request.lease);
	if (code != CTL_OK)
		return code;
	response = kv_ask(ctl, &request);
	if (response->error < 0)
		return kv_error(CTL_FAILED, "failed to revoke lease (%s)", response->message);
	if (ctl->json) {
		kv_json_open(&json, NULL, '{');
		kv_json_header(&json, "header", response);
		puts("}");
	} else if (ctl->format == CTL_FIELDS) {
		kv_fields_header(response);
	} else {
		printf("lease %016" PRIx64 " revoked\n", (uint64_t)request.lease);
	}
	return CTL_OK;
}

/* ---- timetolive ------------------------------------------------------------------------------ */

static void ttl_json(struct ctl *ctl, const struct once_response *response)
{
	struct kv_json json = {.ctl = ctl};

	kv_json_open(&json, NULL, '{');
	kv_json_header_fields(&json, response);
	kv_json_name(&json, "id");
	printf("%" PRId64 ",\"ttl\":%" PRId64 ",\"granted-ttl\":%" PRId64 ",\"keys\":",
		response->lease, response->ttl_s, response->granted_ttl_s);
	if (response->n_keys == 0) {
		puts("null}");
		return;
	}
	kv_json_open(&json, NULL, '[');
	for (size_t i = 0; i < response->n_keys; i++)
		kv_json_bytes(&json, NULL, response->keys[i]);
	puts("]}");
}

static void ttl_fields(const struct once_response *response)
{
	kv_fields_header(response);
	printf("\"ID\" : %" PRId64 "\n\"TTL\" : %" PRId64 "\n\"GrantedTTL\" : %" PRId64 "\n",
		response->lease, response->ttl_s, response->granted_ttl_s);
	for (size_t i = 0; i < response->n_keys; i++) {
		fputs("\"Key\" : ", stdout);
		kv_put_quoted(response->keys[i]);
		putchar('\n');
	}
}

static void ttl_simple(const struct once_response *response, bool keys)
{
	printf("lease %016" PRIx64, (uint64_t)response->lease);
	if (response->granted_ttl_s == 0 && response->ttl_s == -1) {
		puts(" already expired");
		return;
	}
	printf(" granted with TTL(%" PRId64 "s), remaining(%" PRId64 "s)", response->granted_ttl_s,
		response->ttl_s);
	if (keys)
		fputs(", attached keys([", stdout);
	for (size_t i = 0; i < response->n_keys && keys; i++) {
		if (i > 0)
			putchar(' ');
		kv_put_raw(response->keys[i]);
	}
	puts(keys ? "])" : "");
}

static int run_ttl(struct ctl *ctl)
{
	struct kv_request request = {
		.kind = KV_LEASE_TIME_TO_LIVE, .flag = ctl_flag(ctl, "--keys")};
	const struct once_response *response;
	int code = one_word(ctl, "lease timetolive command needs lease ID as argument");

	if (code == CTL_OK)
		code = read_lease(ctl, &request.lease);
	if (code != CTL_OK)
		return code;
	response = kv_ask(ctl, &request);
	if (response->error < 0)
		return kv_refused(CTL_BAD_CONNECTION, response);
	if (ctl->json)
		ttl_json(ctl, response);
	else if (ctl->format == CTL_FIELDS)
		ttl_fields(response);
	else
		ttl_simple(response, request.flag);
	return CTL_OK;
}

/* ---- list ------------------------------------------------------------------------------------ */

static void list_json(struct ctl *ctl, const struct once_response *response)
{
	struct kv_json json = {.ctl = ctl};

	kv_json_open(&json, NULL, '{');
	kv_json_header_fields(&json, response);
	kv_json_open(&json, "leases", '[');
	for (size_t i = 0; i < response->n_leases; i++) {
		kv_json_open(&json, NULL, '{');
		kv_json_number(&json, "id", response->leases[i]);
		kv_json_close(&json, '}');
	}
	puts("]}");
}

static int run_list(struct ctl *ctl)
{
	struct kv_request request = {.kind = KV_LEASE_LIST};
	const struct once_response *response = kv_ask(ctl, &request);

	if (response->error < 0)
		return kv_refused(CTL_BAD_CONNECTION, response);
	if (ctl->json) {
		list_json(ctl, response);
		return CTL_OK;
	}
	if (ctl->format == CTL_FIELDS)
		kv_fields_header(response);
	else
		printf("found %zu leases\n", response->n_leases);
	for (size_t i = 0; i < response->n_leases; i++) {
		if (ctl->format == CTL_FIELDS)
			printf("\"ID\" : %" PRId64 "\n", response->leases[i]);
		else
			printf("%016" PRIx64 "\n", (uint64_t)response->leases[i]);
	}
	return CTL_OK;
}

/* ---- keep-alive ------------------------------------------------------------------------------ */

static void print_alive(struct ctl *ctl, const struct once_response *response)
{
	if (ctl->format != CTL_SIMPLE)
		print_lease(ctl, response, false);
	else
		printf("lease %016" PRIx64 " keepalived with TTL(%" PRId64 ")\n",
			(uint64_t)response->lease, response->ttl_s);
	(void)fflush(stdout);
}

/* Every third of the TTL, until the lease is gone. */
static int run_alive(struct ctl *ctl)
{
	struct kv_request request = {.kind = KV_LEASE_KEEPALIVE};
	const struct once_response *response;
	bool once = ctl_flag(ctl, "--once");
	int64_t lease = 0;
	int code = one_word(ctl, "lease keep-alive command needs lease ID as argument");

	if (code == CTL_OK)
		code = read_lease(ctl, &lease);
	for (; code == CTL_OK;) {
		request.lease = lease;
		response = kv_ask(ctl, &request);
		if (response->error < 0)
			return kv_refused(CTL_BAD_CONNECTION, response);
		if (response->ttl_s <= 0 && once)
			return kv_error(
				CTL_BAD_CONNECTION, "etcdserver: requested lease not found");
		if (response->ttl_s <= 0)
			break;
		print_alive(ctl, response);
		if (once)
			return CTL_OK;
		ctl_sleep(ctl, response->ttl_s * ONCE_NSEC_PER_SEC / 3);
		ctl_round(ctl);
	}
	if (code == CTL_OK && ctl->format == CTL_SIMPLE)
		printf("lease %016" PRIx64 " expired or revoked.\n", (uint64_t)lease);
	return code;
}

/* ---- commands -------------------------------------------------------------------------------- */

const struct ctl_command ctl_command_lease_grant = {
	.name = "lease grant",
	.words = "TTL",
	.etcdctl = true,
	.summary = "make a lease of so many seconds",
	.run = run_grant,
};

const struct ctl_command ctl_command_lease_revoke = {
	.name = "lease revoke",
	.words = "ID",
	.etcdctl = true,
	.summary = "end a lease and delete its keys",
	.run = run_revoke,
};

static const struct ctl_flag ttl_flags[] = {
	{"--keys", NULL, "and the keys attached to it"},
	{NULL, NULL, NULL},
};

const struct ctl_command ctl_command_lease_timetolive = {
	.name = "lease timetolive",
	.words = "ID",
	.etcdctl = true,
	.summary = "how long a lease still lives",
	.flags = ttl_flags,
	.run = run_ttl,
};

const struct ctl_command ctl_command_lease_list = {
	.name = "lease list",
	.words = "",
	.etcdctl = true,
	.summary = "all leases",
	.run = run_list,
};

static const struct ctl_flag alive_flags[] = {
	{"--once", NULL, "renew it once"},
	{NULL, NULL, NULL},
};

const struct ctl_command ctl_command_lease_keep_alive = {
	.name = "lease keep-alive",
	.words = "ID",
	.etcdctl = true,
	.summary = "renew a lease until interrupted",
	.flags = alive_flags,
	.run = run_alive,
};
