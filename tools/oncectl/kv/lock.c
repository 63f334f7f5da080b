/* oncectl lock NAME [COMMAND...], as etcdctl's, with which it shares its locks.
 *
 * Happy path: in line (session.h); when it is our turn, the key is printed and kept until SIGINT or
 * SIGTERM; or COMMAND run, with ETCD_LOCK_KEY and ETCD_LOCK_REV in its environment, and its exit
 * code is ours. Then the key is deleted.
 *
 * The lease is trusted: who holds the lock is known to etcd, not to what COMMAND writes to. When the
 * lease ends, or is not renewed in time, COMMAND is killed; etcdctl's goes on. Should oncectl itself
 * be stopped, the kernel kills both at the same time (child.h). */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "tools/oncectl/child.h"
#include "tools/oncectl/kv/session.h"

enum { TTL_S = 10, SESSION_TTL_S = 60 /* of etcd's clients, for a TTL that is none */, LOST = 125 };

struct lock {
	struct ctl *ctl;
	struct kv_session session;
	struct child child;
};

/* ---- the command ----------------------------------------------------------------------------- */

static void on_signal(void *userdata, int signo)
{
	struct lock *l = userdata;

	if (signo == SIGINT || signo == SIGTERM)
		kv_session_interrupt(&l->session);
	else
		signals_default(signo);
}

static void on_ended(void *userdata)
{
	struct lock *l = userdata;

	l->session.woken = true;
}

static void set_fuse(void *userdata)
{
	struct lock *l = userdata;

	if (l->child.pid)
		child_fuse(&l->child, l->session.proved,
			l->session.ttl_s * ONCE_NSEC_PER_SEC / 100 * 95);
}

static void on_lost(void *userdata)
{
	struct lock *l = userdata;

	child_kill(&l->child);
}

/* How it ended, as etcdctl tells it: 3.4's exits with 1 for all that is not well. */
static int code_of(struct lock *l)
{
	const struct once_run *run = &l->child.run;
	int code = run->exited ? run->exit_code : 255;

	if (run->state == ONCE_RUN_OK)
		return CTL_OK;
	if (strcmp(run->reason, "exec") == 0)
		return kv_error(
			CTL_FAILED, "%s", kv_exec_text(l->ctl, l->ctl->words[1], run->detail));
	ctl_round_time(l->ctl);
	return kv_error(kv_is_34(l->ctl) ? CTL_FAILED : code, "%s",
		kv_exit_text(l->ctl, run->exit_code, run->exit_signal));
}

static int run_command(struct lock *l)
{
	char *environment[3] = {0};
	int r;

	environment[0] = (char *)ctl_printf(l->ctl, "ETCD_LOCK_KEY=%s", l->session.key);
	environment[1] =
		(char *)ctl_printf(l->ctl, "ETCD_LOCK_REV=%" PRId64, l->session.held_revision);
	if (!environment[0] || !environment[1])
		return ctl_out_of_memory();
	l->child.plain = true;
	r = child_start(&l->child, l->ctl->words + 1, environment);
	if (r < 0)
		return kv_error(CTL_FAILED, "%s: %s", l->ctl->words[1], strerror(-r));
	set_fuse(l);
	if (l->session.lost)
		child_kill(&l->child);
	while (l->child.pid)
		kv_line_hold(&l->session);
	child_fuse(&l->child, (struct once_instant){0}, 0);
	if (l->child.stopped)
		return kv_error(LOST,
			"lock %s: its lease ended or its key was deleted: the command was killed",
			l->session.key);
	return code_of(l);
}

/* ---- the lock -------------------------------------------------------------------------------- */

static int show_and_hold(struct lock *l)
{
	struct once_op get = {.kind = ONCE_OP_RANGE, .key = once_str(l->session.key)};
	struct kv_request request = {.kind = KV_OP, .op = &get};
	const struct once_response *response = kv_ask(l->ctl, &request);

	if (response->error < 0)
		return kv_refused(CTL_FAILED, response);
	if (response->op.n_kvs == 0)
		return kv_error(CTL_FAILED, "lock lost on init");
	(void)kv_print_op(l->ctl, response);
	(void)fflush(stdout);
	while (!l->session.lost && !l->session.interrupted)
		kv_line_hold(&l->session);
	return l->session.lost ? kv_error(CTL_FAILED, "session expired") : CTL_OK;
}

static int run(struct ctl *ctl)
{
	struct lock l = {.ctl = ctl};
	int64_t ttl_s = TTL_S;
	int code = CTL_OK, closed;

	if (ctl->n_words == 0)
		return kv_error(CTL_BAD_ARGS,
			"lock takes a lock name argument and an optional command to execute");
	if (ctl_flag(ctl, "--ttl"))
		code = kv_flag_number(ctl, "--ttl", &ttl_s);
	if (code == CTL_OK)
		code = child_init(&l.child, ctl, on_ended, &l);
	if (code != CTL_OK)
		return code;
	l.child.interrupted = on_signal;
	code = kv_session_open(&l.session, ctl, ttl_s > 0 ? ttl_s : SESSION_TTL_S);
	l.session.renewed = set_fuse;
	l.session.on_lost = on_lost;
	l.session.userdata = &l;
	if (code == CTL_OK)
		code = kv_line_join(&l.session, ctl->words[0], "");
	if (code == CTL_OK)
		code = kv_line_wait(&l.session);
	if (code == CTL_OK)
		code = ctl->n_words > 1 ? run_command(&l) : show_and_hold(&l);
	closed = kv_session_close(&l.session);
	child_fini(&l.child);
	return code == CTL_OK ? closed : code;
}

static const struct ctl_flag flags[] = {
	{"--ttl", "SECONDS", "of the lease [10]"},
	{NULL, NULL, NULL},
};

const struct ctl_command ctl_command_lock = {
	.name = "lock",
	.words = "NAME [COMMAND...]",
	.etcdctl = true,
	.summary = "hold a lock, or run a command under it",
	.details =
		"Flags of COMMAND go behind --. It has ETCD_LOCK_KEY and ETCD_LOCK_REV in its "
		"environment.\nThe lock is a lease: a holder that stands still for longer has lost "
		"it. 125: it was lost\nand COMMAND killed. For work that may never be done twice, "
		"onced.\n",
	.flags = flags,
	.run = run,
};
