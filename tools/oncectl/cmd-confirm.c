/* oncectl confirm: ids through consensus. */
#include "tools/oncectl/confirm.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"

/* ---- what is there --------------------------------------------------------------------------- */

struct reading {
	struct confirm *c;
	once_packed_fn *fn;
	void *userdata;
	bool done;
	int error;
	char message[256];
};

static int read_key(struct reading *r, const struct once_kv *kv)
{
	size_t n = r->c->config.prefix.size;

	if (r->c->config.mode == ONCE_CONFIRM_PACKED)
		return once_packed_decode(kv->value, NULL, r->fn, r->userdata);
	return r->fn(
		r->userdata, (struct once_bytes){(const char *)kv->key.data + n, kv->key.size - n});
}

static int on_rows(void *userdata, const struct once_response *page)
{
	struct reading *r = userdata;
	int code = 0;

	for (size_t i = 0; i < page->op.n_kvs && code == 0; i++)
		code = read_key(r, &page->op.kvs[i]);
	return code;
}

static void on_done(void *userdata, const struct once_response *response)
{
	struct reading *r = userdata;

	r->done = true;
	r->error = response->error;
	(void)snprintf(r->message, sizeof(r->message), "%s", response->message);
}

int confirm_read_all(struct confirm *c, once_packed_fn *fn, void *userdata)
{
	struct reading r = {.c = c, .fn = fn, .userdata = userdata};
	struct once_call_options options = {ONCE_LANE_BULK, c->ctl->timeout_ns};
	struct once_bytes prefix = c->config.prefix;
	char end[ONCE_CONFIRM_ID_MAX];
	struct once_op op = {.kind = ONCE_OP_RANGE,
		.key = prefix,
		.range_end = {end, once_prefix_end(prefix, end)},
		.keys_only = c->config.mode != ONCE_CONFIRM_PACKED};
	/* A packed value may be a MiB. */
	int code = once_range_pages(
		c->ctl->client, NULL, &options, &op, op.keys_only ? 0 : 16, on_rows, on_done, &r);

	while (code == 0 && !r.done)
		(void)ctl_wait(c->ctl, &r.done, ONCE_NSEC_PER_SEC);
	code = code ? code : r.error;
	if (code == -EBADMSG && !op.keys_only)
		return ctl_error(
			CTL_FAILED, "under the prefix is a key that holds no packed block");
	if (code == -ENOMEM)
		return ctl_out_of_memory();
	if (code < 0)
		return ctl_error(CTL_UNREACHABLE, "etcd: %s",
			r.message[0] ? r.message : once_strerror(code));
	return CTL_OK;
}

static int print_one(void *userdata, struct once_bytes id)
{
	(void)userdata;
	(void)fwrite(id.data, 1, id.size, stdout);
	putchar('\n');
	return 0;
}

static int add_one(void *userdata, struct once_bytes id)
{
	return idset_add(userdata, id) ? 0 : -ENOMEM;
}

/* ---- --verify -------------------------------------------------------------------------------- */

static uint64_t count_twice(const struct idset *ids)
{
	uint64_t twice = 0;

	for (size_t i = 0; i < ids->cap; i++)
		if (ids->entries[i].count > 1) {
			twice++;
			(void)ctl_error(0, "twice: %s", ids->entries[i].id);
		}
	return twice;
}

static int verify(struct confirm *c, const char *path)
{
	bool ours = strcmp(path, "-") != 0;
	FILE *file = ours ? fopen(path, "re") : stdin;
	uint64_t read = 0, lost = 0, twice;
	char *line = NULL;
	size_t cap = 0;
	ssize_t n;
	int code;

	if (!file)
		return ctl_error(CTL_USAGE, "--verify: %s: %s", path, strerror(errno));
	code = confirm_read_all(c, add_one, &c->ids);
	while (code == 0 && (n = getline(&line, &cap, file)) > 0) {
		n -= line[n - 1] == '\n';
		read++;
		if (idset_count(&c->ids, (struct once_bytes){line, (size_t)n}) == 0) {
			lost++;
			(void)ctl_error(0, "lost: %.*s", n > 200 ? 200 : (int)n, line);
		}
	}
	free(line);
	if (code == 0 && !feof(file)) /* a directory, a bad disk: nothing is said of what was not read */
		code = ctl_error(CTL_USAGE, "--verify: %s: %s", path, strerror(errno));
	if (ours)
		(void)fclose(file);
	if (code != 0)
		return code;
	twice = count_twice(&c->ids);
	printf("%llu ids in the file, %llu lost; %zu ids in etcd, %llu twice\n",
		(unsigned long long)read, (unsigned long long)lost, c->ids.n,
		(unsigned long long)twice);
	return lost + twice ? CTL_FAILED : CTL_OK;
}

/* ---- flags ----------------------------------------------------------------------------------- */

static int read_mode(struct confirm *c)
{
	static const char *const names[] = {"individual", "txn", "packed"};
	static const char *const prefixes[] = {"/individual/", "/batched/", "/packed/"};
	const char *mode = ctl_flag(c->ctl, "--mode"), *prefix = ctl_flag(c->ctl, "--prefix");

	for (int i = 0; i < 3; i++)
		if (!mode || strcmp(mode, names[i]) == 0) {
			i = mode ? i : 1;
			c->config.mode = (enum once_confirm_mode)i;
			c->config.prefix = once_str(prefix ? prefix : prefixes[i]);
			if (c->config.prefix.size > ONCE_CONFIRM_ID_MAX / 2)
				return ctl_error(CTL_USAGE, "--prefix: too long");
			return 0;
		}
	return ctl_error(
		CTL_USAGE, "--mode: bad mode \"%s\", expected individual, txn or packed", mode);
}

static int read_numbers(struct confirm *c)
{
	const char *batch = ctl_flag(c->ctl, "--batch"), *linger = ctl_flag(c->ctl, "--linger"),
		   *inflight = ctl_flag(c->ctl, "--inflight"), *rate = ctl_flag(c->ctl, "--rate");
	int64_t number = 0;
	int code = 0;

	if (batch) {
		code = ctl_parse_number("--batch", batch, 1, ONCE_CONFIRM_PACK_MAX, &number);
		c->config.batch = (size_t)number;
	}
	if (code == 0 && inflight) {
		code = ctl_parse_number("--inflight", inflight, 1, 1024, &number);
		c->config.inflight = (size_t)number;
	}
	if (code == 0 && rate)
		code = ctl_parse_number("--rate", rate, 1, 1000000000, &c->rate);
	if (code == 0 && linger)
		code = ctl_parse_duration(
			"--linger", linger, 1000, 60 * ONCE_NSEC_PER_SEC, &c->config.linger_ns);
	return code;
}

/* Inside a job every write compares its token. */
static int read_fence(struct confirm *c)
{
	const char *key = getenv("ONCED_KEY"), *token = getenv("ONCED_TOKEN");

	if (!key || !token || !*key)
		return 0;
	if (number_parse_i64(token, strlen(token), &c->config.fence_token) < 0 ||
		c->config.fence_token <= 0)
		return ctl_error(CTL_USAGE, "ONCED_TOKEN: bad token \"%s\"", token);
	c->config.fence_key = once_str(key);
	return 0;
}

static int run(struct ctl *ctl)
{
	struct confirm c = {.ctl = ctl,
		.unordered = ctl_flag(ctl, "--unordered"),
		.resume = ctl_flag(ctl, "--resume")};
	int code = read_mode(&c);

	code = code ? code : read_numbers(&c);
	code = code ? code : read_fence(&c);
	if (code != 0)
		return code;
	idset_init(&c.ids, &ctl->arena);
	if (ctl_flag(ctl, "--list")) {
		code = confirm_read_all(&c, print_one, NULL);
	} else if (ctl_flag(ctl, "--verify")) {
		code = verify(&c, ctl_flag(ctl, "--verify"));
	} else {
		if (c.resume && c.config.mode == ONCE_CONFIRM_PACKED)
			code = confirm_read_all(&c, add_one, &c.ids);
		code = code ? code : confirm_stream(&c);
	}
	idset_fini(&c.ids);
	return code;
}

static const struct ctl_flag flags[] = {
	{"--mode", "MODE", "individual, txn or packed [txn]"},
	{"--prefix", "KEY", "what keys begin with [/individual/, /batched/ or /packed/]"},
	{"--batch", "COUNT", "ids in a request at most"},
	{"--linger", "TIME", "an id waits so long at most for others [5ms]"},
	{"--inflight", "COUNT", "requests in flight [as many as help, 64 individual, else 8 at most]"},
	{"--rate", "COUNT", "ids in a second at most [no limit]"},
	{"--unordered", NULL, "print as they come"},
	{"--resume", NULL, "ids that are there already count as confirmed"},
	{"--list", NULL, "print the ids that are there"},
	{"--verify", "FILE", "is every id of the file there, and none twice?"},
	{0},
};

const struct ctl_command ctl_command_confirm = {
	.name = "confirm",
	.words = "",
	.bulk = true,
	.summary = "write the ids on standard input, print each once etcd holds it",
	.details =
		"A line is an id, or KEY<TAB>VALUE (not packed). What is printed is in etcd, "
		"once;\n"
		"duplicates are told on standard error. Inside a job every write is fenced by its\n"
		"token.\n",
	.flags = flags,
	.run = run,
};
