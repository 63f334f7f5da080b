/* oncectl elect NAME PROPOSAL and elect -l NAME, as etcdctl's, whose elections it joins.
 *
 * Happy path: in line (session.h) with the proposal as the key's value; when it is our turn the key
 * is printed and kept until SIGINT or SIGTERM. The listener prints each leader as it comes: the
 * oldest key of the election, and what is written to it, until that is deleted.
 *
 * The lease is trusted, as in lock.c: this is not onced's election. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "tools/oncectl/kv/session.h"
#include "tools/oncectl/signals.h"

enum { SESSION_TTL_S = 60 };

/* ---- taking part ----------------------------------------------------------------------------- */

static void on_signal(void *userdata, int signo)
{
	if (signo == SIGINT || signo == SIGTERM)
		kv_session_interrupt(userdata);
	else
		signals_default(signo);
}

static int lead(struct ctl *ctl, struct kv_session *s)
{
	struct once_op get = {.kind = ONCE_OP_RANGE, .key = once_str(s->key)};
	struct kv_request request = {.kind = KV_OP, .op = &get};
	const struct once_response *response = kv_ask(ctl, &request);

	if (response->error < 0)
		return kv_refused(CTL_FAILED, response);
	(void)kv_print_op(ctl, response);
	(void)fflush(stdout);
	while (!s->lost && !s->interrupted)
		kv_line_hold(s);
	return s->lost ? kv_error(CTL_FAILED, "elect: session expired") : CTL_OK;
}

static int campaign(struct ctl *ctl, const char *name, const char *proposal)
{
	struct kv_session session;
	struct signals signals;
	int code = signals_init(&signals, ctl, on_signal, &session), closed;

	if (code != CTL_OK)
		return code;
	code = kv_session_open(&session, ctl, SESSION_TTL_S);
	if (code == CTL_OK)
		code = kv_line_join(&session, name, proposal);
	if (code == CTL_OK)
		code = kv_line_wait(&session);
	if (code == CTL_OK)
		code = lead(ctl, &session);
	closed = kv_session_close(&session);
	signals_fini(&signals);
	return code == CTL_OK ? closed : code;
}

/* ---- listening ------------------------------------------------------------------------------- */

struct listener {
	struct ctl *ctl;
	struct once_op range; /* of all candidates: the oldest */
	struct once_watch *watch;
	struct once_bytes leader; /* its key; empty: none */
	int64_t count;		  /* of the answer it came by, as etcdctl prints them */
	bool more;
	bool done; /* with this leader, or altogether: */
	bool interrupted, refused;
};

static void on_interrupt(void *userdata, int signo)
{
	struct listener *l = userdata;

	if (signo != SIGINT && signo != SIGTERM)
		signals_default(signo);
	l->interrupted = l->done = true;
}

static void print_leader(
	struct listener *l, const struct once_watch_report *report, const struct once_kv *kv)
{
	struct once_response response = {.cluster_id = report->cluster_id,
		.member_id = report->member_id,
		.revision = report->revision,
		.raft_term = report->raft_term,
		.op = {.kind = ONCE_OP_RANGE,
			.kvs = kv,
			.n_kvs = 1,
			.count = l->count,
			.more = l->more}};

	(void)kv_print_op(l->ctl, &response);
	(void)fflush(stdout);
}

static void on_event(
	struct listener *l, struct once_watch_report report, const struct once_event *event)
{
	bool put = event->kind == ONCE_EVENT_PUT;
	const struct once_bytes *key = &event->kv.key;

	if (l->leader.size == 0 && put) {
		/* nobody was there, so who comes first leads */
		l->leader.data = arena_copy(&l->ctl->arena, key->data, key->size);
		l->leader.size = l->leader.data ? key->size : 0;
		report.revision = event->kv.mod_revision;
		print_leader(l, &report, &event->kv);
	} else if (key->size == l->leader.size &&
		   memcmp(key->data, l->leader.data, key->size) == 0) {
		if (put)
			print_leader(l, &report, &event->kv);
		else
			l->done = true;
	}
}

static void on_report(void *userdata, const struct once_watch_report *report)
{
	struct listener *l = userdata;

	if (report->note == ONCE_WATCH_COMPACTED || report->note == ONCE_WATCH_FAILED) {
		l->watch = NULL;
		l->refused = report->note == ONCE_WATCH_FAILED;
		l->done = true;
	}
	for (size_t i = 0; i < report->n_events && !l->done; i++)
		on_event(l, *report, &report->events[i]);
}

/* One leader, from its beginning to its end. */
static int listen_to_one(struct listener *l)
{
	struct kv_request request = {.kind = KV_OP, .op = &l->range};
	struct once_watch_range all = {.key = l->range.key, .range_end = l->range.range_end};
	struct once_watch_config config = {.ranges = &all, .n_ranges = 1};
	const struct once_response *response;
	struct once_response first;

	ctl_round(l->ctl);
	response = kv_ask(l->ctl, &request);
	if (response->error < 0)
		return kv_refused(CTL_FAILED, response);
	l->leader = (struct once_bytes){0};
	l->count = 0;
	l->more = false;
	if (response->op.n_kvs > 0) {
		l->leader = response->op.kvs[0].key;
		first = *response;
		first.op.more = false;
		first.op.count = 0;
		(void)kv_print_op(l->ctl, &first);
		(void)fflush(stdout);
		l->count = response->op.count;
		l->more = response->op.more;
	}
	l->done = l->interrupted;
	config.start_revision = response->revision + 1;
	if (once_watch_start(l->ctl->client, &l->watch, &config, on_report, l) < 0)
		return ctl_out_of_memory();
	while (!l->done)
		(void)ctl_wait(l->ctl, &l->done, 3600 * ONCE_NSEC_PER_SEC);
	l->watch = once_watch_cancel(l->watch);
	return l->refused ? kv_error(CTL_FAILED, "elect: observer lost") : CTL_OK;
}

static int listen_to(struct ctl *ctl, const char *name)
{
	const char *prefix = ctl_printf(ctl, "%s/", name);
	char *key = prefix ? arena_copy(&ctl->line, prefix, strlen(prefix)) : NULL;
	char *end = key ? arena_alloc(&ctl->line, strlen(key) + 1) : NULL;
	struct listener l = {.ctl = ctl,
		.range = {.kind = ONCE_OP_RANGE,
			.key = once_str(key),
			.limit = 1,
			.sort_order = ONCE_SORT_ASCEND,
			.sort_target = ONCE_SORT_CREATE}};
	struct signals signals;
	int code;

	if (!end)
		return ctl_out_of_memory();
	l.range.range_end = (struct once_bytes){end, once_prefix_end(l.range.key, end)};
	code = signals_init(&signals, ctl, on_interrupt, &l);
	while (code == CTL_OK && !l.interrupted)
		code = listen_to_one(&l);
	signals_fini(&signals);
	return code;
}

/* ---- the command ----------------------------------------------------------------------------- */

static int run(struct ctl *ctl)
{
	bool listening = ctl_flag(ctl, "--listen") || ctl_flag(ctl, "-l");

	if (ctl->n_words != 1 && ctl->n_words != 2)
		return kv_error(CTL_BAD_ARGS, "elect takes one election name argument and an "
					      "optional proposal argument");
	if (ctl->n_words == 1 && !listening)
		return kv_error(CTL_BAD_ARGS, "no proposal argument but -l not set");
	if (ctl->n_words == 2 && listening)
		return kv_error(CTL_BAD_ARGS, "proposal given but -l is set");
	if (listening)
		return listen_to(ctl, ctl->words[0]);
	return campaign(ctl, ctl->words[0], ctl->words[1]);
}

static const struct ctl_flag flags[] = {
	{"--listen", NULL, "print who leads, each time that changes"},
	{"-l", NULL, "the same"},
	{NULL, NULL, NULL},
};

const struct ctl_command ctl_command_elect = {
	.name = "elect",
	.words = "NAME [PROPOSAL]",
	.etcdctl = true,
	.summary = "take part in an election of etcdctl's, or listen to one",
	.details =
		"A leader is who holds a lease, as with lock. The election of onced, which trusts "
		"none, is\nthat of onced run.\n",
	.flags = flags,
	.run = run,
};
