/* See session.h: the line.
 *
 * Happy path: the key is put and the first of the line read in one txn; when that is another, the
 * one just before us is watched until it is deleted, and the line looked at again.
 *
 * The look compares that our own key is still there, so who holds it was never out of the line. A
 * look is also taken without an event every 10 s: a watch on a stopped member says nothing. Etcd out
 * of reach is waited for as long as the lease can live. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "tools/oncectl/kv/session.h"

static const int64_t LOOK = 10 * ONCE_NSEC_PER_SEC;

/* ---- watching one key ------------------------------------------------------------------------ */

static void on_watch(void *userdata, const struct once_watch_report *report)
{
	struct kv_session *s = userdata;

	if (report->note == ONCE_WATCH_COMPACTED || report->note == ONCE_WATCH_FAILED)
		s->watch = NULL;
	if (report->note == ONCE_WATCH_EVENTS && s->held_revision != 0)
		kv_session_lose(s);
	/* one that is refused is not started again at once, one that fell behind is */
	s->woken = s->woken ||
		   (report->note == ONCE_WATCH_EVENTS || report->note == ONCE_WATCH_COMPACTED);
}

static void watch(struct kv_session *s, struct once_bytes key, int64_t revision)
{
	struct once_watch_range range = {.key = key, .no_put = true};
	struct once_watch_config config = {
		.ranges = &range, .n_ranges = 1, .start_revision = revision};

	s->watch = once_watch_cancel(s->watch);
	/* without it there is still the look every 10 s */
	if (once_watch_start(s->ctl->client, &s->watch, &config, on_watch, s) < 0)
		s->watch = NULL;
}

/* ---- joining --------------------------------------------------------------------------------- */

static struct once_op range_of(const struct kv_session *s, char end[], enum once_sort_order order)
{
	struct once_op op = {.kind = ONCE_OP_RANGE,
		.key = once_str(s->prefix),
		.limit = 1,
		.sort_order = order,
		.sort_target = ONCE_SORT_CREATE};

	op.range_end = (struct once_bytes){end, once_prefix_end(op.key, end)};
	return op;
}

static bool name_keys(struct kv_session *s, const char *name)
{
	const char *prefix = ctl_printf(s->ctl, "%s/", name);
	const char *key =
		prefix ? ctl_printf(s->ctl, "%s%" PRIx64, prefix, (uint64_t)s->lease) : NULL;

	/* the other arena is emptied while we wait */
	s->prefix = key ? arena_copy(&s->ctl->line, prefix, strlen(prefix)) : NULL;
	s->key = key ? arena_copy(&s->ctl->line, key, strlen(key)) : NULL;
	return s->prefix && s->key;
}

int kv_line_join(struct kv_session *s, const char *name, const char *value)
{
	struct once_compare absent = {.target = ONCE_COMPARE_CREATE};
	struct once_op ops[2] = {
		{.kind = ONCE_OP_PUT, .value = once_str(value), .lease = s->lease}};
	struct once_op own = {.kind = ONCE_OP_RANGE};
	struct once_txn txn = {
		.compares = &absent, .n_compares = 1, .success = ops, .n_success = 2};
	/* what was perhaps put is found by the second try */
	struct kv_request request = {.kind = KV_TXN, .txn = &txn, .repeatable = true};
	const struct once_response *response;
	const struct once_op_result *first;
	char *end;

	if (!name_keys(s, name))
		return ctl_out_of_memory();
	end = arena_alloc(&s->ctl->arena, strlen(s->prefix) + 1);
	if (!end)
		return ctl_out_of_memory();
	absent.key = own.key = ops[0].key = once_str(s->key);
	ops[1] = range_of(s, end, ONCE_SORT_ASCEND);
	txn.failure = (struct once_op[]){own, ops[1]};
	txn.n_failure = 2;
	response = kv_ask(s->ctl, &request);
	if (response->error < 0)
		return kv_refused(CTL_FAILED, response);
	s->revision = response->revision;
	if (!response->op.succeeded)
		s->revision = response->op.results[0].kvs[0].create_revision;
	first = &response->op.results[1];
	if (first->n_kvs > 0 && first->kvs[0].create_revision == s->revision)
		s->held_revision = response->revision;
	return CTL_OK;
}

/* ---- waiting --------------------------------------------------------------------------------- */

/* Who stands just before us: op.results[0]. The own key gone: the session is lost. */
static const struct once_response *look(struct kv_session *s)
{
	struct once_compare mine = {
		.target = ONCE_COMPARE_CREATE, .key = once_str(s->key), .number = s->revision};
	struct once_op before;
	struct once_txn txn = {
		.compares = &mine, .n_compares = 1, .success = &before, .n_success = 1};
	struct kv_request request = {.kind = KV_TXN, .txn = &txn, .repeatable = true};
	const struct once_response *response;
	static const struct once_response no_memory = {.error = -ENOMEM};
	char *end;

	ctl_round(s->ctl);
	end = arena_alloc(&s->ctl->arena, strlen(s->prefix) + 1);
	if (!end)
		return &no_memory;
	before = range_of(s, end, ONCE_SORT_DESCEND);
	before.max_create_revision = s->revision - 1;
	response = kv_ask(s->ctl, &request);
	if (response->error == 0 && !response->op.succeeded)
		kv_session_lose(s);
	return response;
}

int kv_line_wait(struct kv_session *s)
{
	const struct once_response *response;

	while (s->held_revision == 0 && !s->lost && !s->interrupted) {
		response = look(s);
		if (s->lost || s->interrupted)
			break;
		if (response->error == -EPERM)
			return kv_refused(CTL_FAILED, response);
		if (response->error < 0) {
			kv_session_turn(s, ONCE_NSEC_PER_SEC / 2);
		} else if (response->op.results[0].n_kvs == 0) {
			s->held_revision = response->revision;
		} else {
			watch(s, response->op.results[0].kvs[0].key, response->revision + 1);
			kv_session_turn(s, LOOK);
		}
	}
	s->watch = once_watch_cancel(s->watch);
	if (s->interrupted)
		return kv_error(CTL_FAILED, "context canceled");
	return s->lost ? kv_error(CTL_FAILED, "session expired") : CTL_OK;
}

void kv_line_hold(struct kv_session *s)
{
	const struct once_response *response;

	if (!s->watch && !s->lost) {
		response = look(s);
		if (response->error == 0 && !s->lost)
			watch(s, once_str(s->key), response->revision + 1);
	}
	kv_session_turn(s, LOOK);
}
