/* The client on real etcd, driven by lines: tests/integration/test_client.py says what to do and
 * checks what comes back.
 *
 *	etcd-client-test [--tls CA CERT KEY] [--user NAME PASSWORD] [--leader] [--connect MS] URL...
 *
 * Each command line is answered by "N {json}" (N counts the commands) when its call is done; notes
 * of the listener are "* {json}", of a watch "~NAME {json}". `quit` frees the client and ends. */
#include <ev.h>
#include <fcntl.h>
#include <once/client.h>
#include <once/ev.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_WORDS = 64 };

struct program {
	struct ev_loop *ev;
	struct once_loop *loop;
	struct once_client *client;
	struct once_call_options options;
	struct ev_io input;
	char line[1 << 16];
	size_t used;
	int n;
	struct once_watch *watches[16];
	struct once_call *last;
	struct pending *last_pending;
};

struct pending {
	struct program *program;
	int n;
	size_t rows, pages;
};

static void print_bytes(const char *name, struct once_bytes b)
{
	printf(",\"%s\":\"", name);
	for (size_t i = 0; i < b.size && i < 200; i++) {
		unsigned char c = ((const unsigned char *)b.data)[i];
		printf(c < 32 || c > 126 || c == '"' || c == '\\' ? "\\u%04x" : "%c", c);
	}
	printf("\"");
}

static void print_kv(const struct once_kv *kv)
{
	printf("{\"mod\":%ld,\"create\":%ld,\"version\":%ld,\"lease\":%ld,\"size\":%zu",
		kv->mod_revision, kv->create_revision, kv->version, kv->lease, kv->value.size);
	print_bytes("key", kv->key);
	print_bytes("value", kv->value);
	printf("}");
}

static void print_op(const struct once_op_result *op)
{
	printf("{\"kind\":%d,\"count\":%ld,\"more\":%d,\"succeeded\":%d,\"kvs\":[", op->kind,
		op->count, op->more, op->succeeded);
	for (size_t i = 0; i < op->n_kvs && i < 100; i++) {
		printf(i ? "," : "");
		print_kv(&op->kvs[i]);
	}
	printf("],\"results\":[");
	for (size_t i = 0; i < op->n_results; i++) {
		printf(i ? "," : "");
		print_op(&op->results[i]);
	}
	printf("]}");
}

static void print_response(const struct pending *p, const struct once_response *r)
{
	printf("%d "
	       "{\"error\":%d,\"outcome\":%d,\"http\":%d,\"grpc\":%d,\"endpoint\":\"%s\",\"us\":%"
	       "ld,"
	       "\"cluster\":%lu,\"member\":%lu,\"revision\":%ld,\"term\":%lu,\"lease\":%ld,\"ttl\":"
	       "%ld,"
	       "\"granted\":%ld,\"leader\":%lu,\"db_size\":%ld,\"rows\":%zu,\"pages\":%zu",
		p->n, r->error, r->outcome, r->http_status, r->grpc_code, r->endpoint,
		(r->received.boot_ns - r->sent.boot_ns) / 1000, r->cluster_id, r->member_id,
		r->revision, r->raft_term, r->lease, r->ttl_s, r->granted_ttl_s, r->leader,
		r->db_size, p->rows, p->pages);
	print_bytes("message", once_str(r->message));
	print_bytes("version", once_str(r->version));
	printf(",\"leases\":[");
	for (size_t i = 0; i < r->n_leases; i++) {
		printf("%s%ld", i ? "," : "", r->leases[i]);
	}
	printf("],\"keys\":%zu,\"members\":[", r->n_keys);
	for (size_t i = 0; i < r->n_members; i++) {
		printf("%s\"%s\"", i ? "," : "",
			r->members[i].n_client_urls ? r->members[i].client_urls[0] : "");
	}
	printf("],\"op\":");
	print_op(&r->op);
	printf("}\n");
}

static void on_done(void *userdata, const struct once_response *response)
{
	struct pending *p = userdata;
	if (p->program->last_pending == p) {
		p->program->last = NULL;
		p->program->last_pending = NULL;
	}
	print_response(p, response);
	free(p);
}

static int on_rows(void *userdata, const struct once_response *page)
{
	struct pending *p = userdata;
	p->rows += page->op.n_kvs;
	p->pages += page->op.count > 0;
	return 0;
}

static void on_note(void *userdata, const char *url, int http_version, const char *why)
{
	printf("* {\"url\":\"%s\",\"version\":%d", url, http_version);
	print_bytes("why", once_str(why));
	printf("}\n");
}

static void on_watch(void *userdata, const struct once_watch_report *report)
{
	static const char *const names[] = {
		"started", "events", "progress", "broken", "compacted", "failed"};
	struct once_watch **slot = userdata;
	printf("~ {\"note\":\"%s\",\"revision\":%ld,\"term\":%lu,\"error\":%d", names[report->note],
		report->revision, report->raft_term, report->error);
	print_bytes("message", once_str(report->message));
	printf(",\"events\":[");
	for (size_t i = 0; i < report->n_events; i++) {
		const struct once_event *e = &report->events[i];
		printf("%s{\"kind\":%d,\"kv\":", i ? "," : "", e->kind);
		print_kv(&e->kv);
		if (e->has_prev) {
			printf(",\"prev\":");
			print_kv(&e->prev);
		}
		printf("}");
	}
	printf("]}\n");
	if (report->note == ONCE_WATCH_COMPACTED || report->note == ONCE_WATCH_FAILED) {
		*slot = NULL;
	}
}

static struct once_bytes word(char **words, int i)
{
	static const char nul = 0;
	/* "@0" is the NUL byte: the end of all keys. */
	if (words[i] && !strcmp(words[i], "@0")) {
		return (struct once_bytes){&nul, 1};
	}
	return once_str(words[i] ? words[i] : "");
}

static int64_t number(char **words, int i)
{
	return words[i] ? strtoll(words[i], NULL, 0) : 0;
}

static int start_watch(struct program *p, char **w)
{
	/* watch SLOT START SILENCE_MS FLAGS KEY END [KEY END]... */
	struct once_watch_range ranges[8] = {{.key = {NULL, 0}}};
	struct once_watch_config config = {.ranges = ranges,
		.start_revision = number(w, 2),
		.silence_ns = number(w, 3) * ONCE_NSEC_PER_MSEC,
		.progress_notify = strchr(w[4], 'n')};
	for (int i = 5; w[i] && w[i + 1]; i += 2) {
		struct once_watch_range *range = &ranges[config.n_ranges++];
		range->key = word(w, i);
		range->range_end =
			strcmp(w[i + 1], "-") ? word(w, i + 1) : (struct once_bytes){NULL, 0};
		range->prev_kv = strchr(w[4], 'p');
		range->no_put = strchr(w[4], 'x');
		range->no_delete = strchr(w[4], 'd');
	}
	struct once_watch **slot = &p->watches[number(w, 1)];
	return once_watch_start(p->client, slot, &config, on_watch, slot);
}

static char *filled(size_t size)
{
	char *value = malloc(size + 1);
	memset(value, 'v', size);
	value[size] = 0;
	return value;
}

static int start_kv(struct program *p, struct pending *pending, char **w)
{
	struct once_op op = {.key = word(w, 1), .range_end = word(w, 2)};
	char *value = NULL;
	if (!strcmp(w[0], "put")) {
		op = (struct once_op){.kind = ONCE_OP_PUT,
			.key = word(w, 1),
			.value = word(w, 2),
			.lease = number(w, 3),
			.prev_kv = true};
	} else if (!strcmp(w[0], "fill")) {
		value = filled((size_t)number(w, 2));
		op = (struct once_op){
			.kind = ONCE_OP_PUT, .key = word(w, 1), .value = once_str(value)};
	} else if (!strcmp(w[0], "del")) {
		op.kind = ONCE_OP_DELETE;
		op.prev_kv = true;
	} else if (!strcmp(w[0], "getat")) {
		op = (struct once_op){.key = word(w, 1), .revision = number(w, 2)};
	} else if (!strcmp(w[0], "stale")) {
		op.serializable = true;
	}
	int r = once_kv(p->client, &p->last, &p->options, &op, on_done, pending);
	free(value);
	return r;
}

static int start_create(struct program *p, struct pending *pending, char **w)
{
	struct once_compare guard = {.target = ONCE_COMPARE_CREATE, .key = word(w, 1)};
	struct once_op put = {.kind = ONCE_OP_PUT, .key = word(w, 1), .value = word(w, 2)};
	struct once_op get = {.kind = ONCE_OP_RANGE, .key = word(w, 1)};
	struct once_txn txn = {&guard, 1, &put, 1, &get, 1};
	return once_txn(p->client, &p->last, &p->options, &txn, on_done, pending);
}

static int start_bulk(struct program *p, struct pending *pending, char **w)
{
	/* bulk PREFIX FIRST COUNT: one txn of COUNT puts */
	struct once_op puts[128] = {{.kind = ONCE_OP_PUT}};
	char keys[128][32];
	struct once_txn txn = {.success = puts, .n_success = (size_t)number(w, 3)};
	for (size_t i = 0; i < txn.n_success; i++) {
		(void)snprintf(
			keys[i], sizeof(keys[i]), "%s%06ld", w[1], number(w, 2) + (int64_t)i);
		puts[i] = (struct once_op){
			.kind = ONCE_OP_PUT, .key = once_str(keys[i]), .value = once_str("v")};
	}
	return once_txn(p->client, &p->last, &p->options, &txn, on_done, pending);
}

static int start_call(struct program *p, struct pending *pending, char **w)
{
	struct once_client *c = p->client;
	struct once_call_options *o = &p->options;
	static const char *const kv[] = {"put", "get", "del", "getat", "stale", "fill"};
	for (size_t i = 0; i < sizeof(kv) / sizeof(*kv); i++) {
		if (!strcmp(w[0], kv[i])) {
			return start_kv(p, pending, w);
		}
	}
	if (!strcmp(w[0], "create")) {
		return start_create(p, pending, w);
	} else if (!strcmp(w[0], "bulk")) {
		return start_bulk(p, pending, w);
	} else if (!strcmp(w[0], "compact")) {
		return once_compact(c, &p->last, o, number(w, 1), true, on_done, pending);
	} else if (!strcmp(w[0], "grant")) {
		return once_lease_grant(
			c, &p->last, o, number(w, 1), number(w, 2), on_done, pending);
	} else if (!strcmp(w[0], "keepalive")) {
		return once_lease_keepalive(c, &p->last, o, number(w, 1), on_done, pending);
	} else if (!strcmp(w[0], "revoke")) {
		return once_lease_revoke(c, &p->last, o, number(w, 1), on_done, pending);
	} else if (!strcmp(w[0], "ttl")) {
		return once_lease_time_to_live(
			c, &p->last, o, number(w, 1), true, on_done, pending);
	} else if (!strcmp(w[0], "leases")) {
		return once_lease_list(c, &p->last, o, on_done, pending);
	} else if (!strcmp(w[0], "status")) {
		return once_status(c, &p->last, o, on_done, pending);
	} else if (!strcmp(w[0], "members")) {
		return once_member_list(c, &p->last, o, number(w, 1), on_done, pending);
	} else if (!strcmp(w[0], "selftest")) {
		return once_self_test(c, &p->last, o, word(w, 1), on_done, pending);
	} else if (!strcmp(w[0], "pages")) {
		struct once_op op = {
			.key = word(w, 1), .range_end = word(w, 2), .limit = number(w, 4)};
		return once_range_pages(
			c, &p->last, o, &op, number(w, 3), on_rows, on_done, pending);
	}
	return -1000;
}

/* True: it was a command that needs no call. */
static bool run_now(struct program *p, char **w)
{
	if (!strcmp(w[0], "timeout")) {
		p->options.timeout_ns = number(w, 1) * ONCE_NSEC_PER_MSEC;
	} else if (!strcmp(w[0], "lane")) {
		p->options.lane = strcmp(w[1], "bulk") ? ONCE_LANE_CONTROL : ONCE_LANE_BULK;
	} else if (!strcmp(w[0], "watch")) {
		printf("%d {\"error\":%d}\n", p->n, start_watch(p, w));
	} else if (!strcmp(w[0], "unwatch")) {
		p->watches[number(w, 1)] = once_watch_cancel(p->watches[number(w, 1)]);
	} else if (!strcmp(w[0], "rotate")) {
		once_client_rotate(p->client, "the test wants it");
	} else if (!strcmp(w[0], "endpoint")) {
		printf("%d {\"endpoint\":\"%s\"}\n", p->n, once_client_endpoint(p->client));
	} else if (!strcmp(w[0], "cancel")) {
		p->last = once_call_cancel(p->last);
		free(p->last_pending);
		p->last_pending = NULL;
	} else if (!strcmp(w[0], "turns")) {
		printf("%d {\"turns\":%u}\n", p->n, ev_iteration(p->ev));
	} else if (!strcmp(w[0], "quit")) {
		ev_break(p->ev, EVBREAK_ALL);
	} else {
		return false;
	}
	return true;
}

static void run_line(struct program *p, char *line)
{
	char *words[MAX_WORDS + 1] = {NULL}, *save = NULL;
	int n = 0;
	for (char *w = strtok_r(line, " ", &save); w && n < MAX_WORDS;
		w = strtok_r(NULL, " ", &save)) {
		words[n++] = w;
	}
	if (!n) {
		return;
	}
	p->n++;
	if (run_now(p, words)) {
		return;
	}
	struct pending *pending = calloc(1, sizeof(*pending));
	pending->program = p;
	pending->n = p->n;
	int r = start_call(p, pending, words);
	p->last_pending = r < 0 ? p->last_pending : pending;
	if (r < 0) {
		printf("%d {\"start\":%d}\n", p->n, r);
		free(pending);
	}
}

static void on_input(struct ev_loop *ev, struct ev_io *io, int revents)
{
	struct program *p = io->data;
	ssize_t n = read(io->fd, p->line + p->used, sizeof(p->line) - p->used - 1);
	if (n <= 0) {
		ev_break(ev, EVBREAK_ALL);
		return;
	}
	p->used += (size_t)n;
	p->line[p->used] = 0;
	char *at = p->line, *end;
	while ((end = strchr(at, '\n'))) {
		*end = 0;
		run_line(p, at);
		at = end + 1;
	}
	p->used -= (size_t)(at - p->line);
	memmove(p->line, at, p->used);
}

static int configure(struct once_client_config *config, int argc, char **argv)
{
	int i = 1;
	for (; i < argc && argv[i][0] == '-'; i++) {
		if (!strcmp(argv[i], "--tls")) {
			config->cacert = argv[++i];
			config->cert = argv[++i];
			config->key_file = argv[++i];
		} else if (!strcmp(argv[i], "--ca")) {
			config->cacert = argv[++i];
		} else if (!strcmp(argv[i], "--user")) {
			config->user = argv[++i];
			config->password = argv[++i];
		} else if (!strcmp(argv[i], "--leader")) {
			config->prefer_leader = true;
		} else if (!strcmp(argv[i], "--connect")) {
			config->connect_timeout_ns = atol(argv[++i]) * ONCE_NSEC_PER_MSEC;
		}
	}
	config->endpoints = (const char *const *)(argv + i);
	config->n_endpoints = (size_t)(argc - i);
	return i;
}

int main(int argc, char **argv)
{
	static struct program p;
	struct once_client_config config = {0};
	const struct once_client_listener listener = {.endpoint = on_note};
	const char *message = NULL;
	(void)configure(&config, argc, argv);
	setvbuf(stdout, NULL, _IOLBF, 1 << 16);
	p.ev = ev_loop_new(EVBACKEND_EPOLL | EVFLAG_NOENV);
	p.loop = once_loop_ev_new(p.ev);
	int r = once_client_new(&p.client, p.loop, &config, &listener, &p, &message);
	if (r < 0) {
		printf("! {\"error\":%d", r);
		print_bytes("message", once_str(message));
		printf("}\n");
	} else {
		ev_io_init(&p.input, on_input, STDIN_FILENO, EV_READ);
		p.input.data = &p;
		ev_io_start(p.ev, &p.input);
		ev_run(p.ev, 0);
		ev_io_stop(p.ev, &p.input);
		p.client = once_client_free(p.client);
	}
	p.loop = once_loop_ev_free(p.loop);
	ev_loop_destroy(p.ev);
	return r < 0;
}
