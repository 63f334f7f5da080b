/* A program of your own that does a thing once in a cluster, on its own libev loop:
 *
 *	cc ledger.c $(pkg-config --cflags --libs once) -lev
 *	./ledger http://127.0.0.1:2379 node1 invoice-2026-11
 *
 * Start it on as many hosts as you like: one takes ten invoice numbers, writes the first of them to etcd
 * together with the end of its record, and all print how it ended. The work here is asynchronous and of this
 * process, so "stopped" is simply "cancelled". */
#include <ev.h>
#include <once/claim.h>
#include <once/ev.h>
#include <once/ids.h>
#include <stdio.h>
#include <string.h>

struct program {
	struct ev_loop *loop;
	struct once_records *records;
	struct once_claim *claim;
	struct once_task *work; /* NULL: none */
	int code;
};

/* The claim's answer comes in on_done(). */
static void end(
	struct program *p, enum once_run_state state, const struct once_op *results, size_t n)
{
	struct once_run run = {.state = state};

	if (once_claim_end(p->claim, &run, results, n) < 0) {
		p->code = 1;
		ev_break(p->loop, EVBREAK_ALL);
	}
}

static void on_numbers(void *userdata, int error, int64_t first, int64_t count, const char *message)
{
	struct program *p = userdata;
	char text[32];
	struct once_op result = {.kind = ONCE_OP_PUT, .key = once_str("/example/first-invoice")};

	p->work = NULL;
	if (error) {
		fprintf(stderr, "ledger: %s\n", message);
		end(p, ONCE_RUN_FAILED, NULL, 0);
		return;
	}
	printf("took %lld to %lld\n", (long long)first, (long long)(first + count - 1));
	(void)snprintf(text, sizeof(text), "%lld", (long long)first);
	result.value = once_str(text);
	/* with the end of the record or not at all: exactly once */
	end(p, ONCE_RUN_OK, &result, 1);
}

static void on_run(void *userdata, const struct once_run *run, struct once_instant proved)
{
	struct program *p = userdata;

	(void)proved;
	printf("mine, attempt %u\n", run->attempt);
	if (once_ids_alloc(p->records, &p->work, "invoices", 10, 0, on_numbers, p) < 0)
		end(p, ONCE_RUN_FAILED, NULL, 0);
}

static void on_stop(void *userdata)
{
	struct program *p = userdata;

	if (p->work) {
		p->work = once_task_cancel(p->work);
		end(p, ONCE_RUN_INTERRUPTED, NULL, 0);
	}
}

static void on_done(void *userdata, int result, const struct once_run *run, const char *message)
{
	struct program *p = userdata;

	if (run)
		printf("%s on %s\n", once_run_state_name(run->state), run->node);
	else
		fprintf(stderr, "ledger: %s\n", message);
	p->code = result < 0 || result == ONCE_CLAIM_CONFLICT || !run || run->state != ONCE_RUN_OK;
	ev_break(p->loop, EVBREAK_ALL);
}

int main(int argc, char **argv)
{
	static const struct once_claim_callbacks callbacks = {
		.on_run = on_run, .on_stop = on_stop, .on_done = on_done};
	const char *endpoints[] = {argc > 1 ? argv[1] : "http://127.0.0.1:2379"};
	struct once_client_config client_config = {.endpoints = endpoints, .n_endpoints = 1};
	struct once_records_config records_config = {.prefix = "/example/state"};
	struct once_claim_config config = {
		.node = argc > 2 ? argv[2] : "node1", .on_interrupt = ONCE_INTERRUPT_RERUN};
	struct program p = {.loop = ev_default_loop(0), .code = 1};
	struct once_loop *loop = once_loop_ev_new(p.loop);
	struct once_client *client = NULL;
	char key[ONCE_KEY_SIZE] = "";
	const char *why = "out of memory";
	int r;

	r = once_client_new(&client, loop, &client_config, NULL, NULL, &why);
	if (r == 0)
		r = once_records_new(&p.records, client, loop, &records_config, &why);
	if (r == 0) {
		(void)once_key_make(key, records_config.prefix, ONCE_KEY_ONCE,
			argc > 3 ? argv[3] : "invoice", NULL, 0);
		config.key = key;
		r = once_claim_new(&p.claim, p.records, &config, &callbacks, &p, &why);
	}
	if (r == 0)
		ev_run(p.loop, 0);
	else
		fprintf(stderr, "ledger: %s\n", why);
	/* in this order: what is made of another is freed before it */
	p.claim = once_claim_free(p.claim);
	p.records = once_records_free(p.records);
	client = once_client_free(client);
	loop = once_loop_ev_free(loop);
	return p.code;
}
