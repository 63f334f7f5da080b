/* Packets between guardian and agent, the guardian's side. See link.h.
 *
 * Packets of the agent are trusted in meaning (it is the same program) and checked in form: one
 * that is malformed ends the agent, which is the answer to any agent that lost its mind. An agent
 * that does not read blocks nobody: what it is owed stays owed (runs.h), and only when even a
 * refusal does not fit the link, its requests are not read either until it does. */
#include "guardian-internal.h"
#include "link-io.h"
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static union {
	uint32_t type;
	struct link_hello hello;
	struct link_extend extend;
	struct link_launch launch;
	struct link_stop stop;
	struct link_notify notify;
	struct link_quit quit;
	char bytes[LINK_PACKET_MAX];
} packet;

/* why NULL: it ended the link itself, most likely by ending. */
static void end_agent(struct guardian *g, const char *why)
{
	if (why)
		log_err("link", "%s: the agent is killed", why);
	if (g->agent)
		(void)kill(g->agent, SIGKILL);
	(void)close(g->link_fd);
	g->link_fd = -1;
}

static void on_hello(struct guardian *g)
{
	struct link_welcome *welcome = &g->welcome;
	memset(welcome, 0, sizeof(*welcome));
	welcome->type = LINK_WELCOME;
	welcome->error = lock_open_instance(g, &packet.hello);
	welcome->restarts = g->restarts;
	welcome->watchdog_ns = g->notify.watchdog_ns;
	g->owe_welcome = true;
	if (welcome->error < 0)
		return;
	welcome->contain = g->tree.contain;
	welcome->incarnation = g->incarnation;
	welcome->proven = g->proven;
	memcpy(welcome->cgroup, g->tree.leaf, sizeof(welcome->cgroup));
	g->agent_welcomed = g->ever_welcomed = true;
}

static void on_extend(struct guardian *g)
{
	struct once_instant now = once_instant_now();
	struct deadline *d;
	int r;

	r = deadlines_extend(&g->deadlines, &packet.extend, now);
	if (r == -EINVAL) {
		end_agent(g, "malformed EXTEND");
		return;
	}
	if (r < 0)
		log_err("extend", "group %u: %s", packet.extend.group, strerror(-r));
	lock_before_work(g);
	d = deadlines_find(&g->deadlines, packet.extend.group);
	if (r == DEADLINE_REPLACED && d->live) {
		log_warning("extend", "group %u: runs of a former term are killed", d->group);
		runs_kill_group(&g->runs, d, d->token, now);
	}
	atomic_fetch_add(&g->page->extends_seen, 1);
}

static void arm_for_launch(void *arg)
{
	guardian_arm(arg);
}

static void on_launch(struct guardian *g, size_t size, const int fds[LINK_FDS_MAX])
{
	struct link_launch *launch = &packet.launch;
	const char *what = "slice", *slice = NULL;
	int r = launch->slice[0] ? lock_before_slice(g, launch->slice, &slice) : 0;

	if (r == 0)
		r = runs_launch(&g->runs, deadlines_find(&g->deadlines, launch->group), launch, size, slice, fds,
			arm_for_launch, g, &what);
	if (r == 0)
		return;
	g->refused = (struct link_refused){.type = LINK_REFUSED, .error = r, .run = launch->run};
	strncpy(g->refused.what, what, sizeof(g->refused.what) - 1);
	g->owe_refused = true;
	link_flush(g);
}

static void on_alive(struct guardian *g)
{
	if (g->notify.watchdog_ns)
		(void)notify_send(&g->notify, "WATCHDOG=1");
}

static size_t smallest(uint32_t type)
{
	switch (type) {
	case LINK_HELLO:
		return sizeof(struct link_hello);
	case LINK_EXTEND:
		return sizeof(struct link_extend);
	case LINK_LAUNCH:
		return sizeof(struct link_launch);
	case LINK_STOP:
		return sizeof(struct link_stop);
	case LINK_NOTIFY:
		return sizeof(struct link_notify);
	case LINK_ALIVE:
		return sizeof(struct link_alive);
	case LINK_QUIT:
		return sizeof(struct link_quit);
	default:
		return SIZE_MAX;
	}
}

static void dispatch(struct guardian *g, size_t size, const int fds[LINK_FDS_MAX])
{
	if (size < sizeof(packet.type) || size < smallest(packet.type) ||
		(packet.type != LINK_LAUNCH && size != smallest(packet.type))) {
		end_agent(g, "malformed packet");
		return;
	}
	if (packet.type == LINK_HELLO) {
		on_hello(g);
		return;
	}
	if (packet.type == LINK_QUIT) {
		guardian_quit(g, packet.quit.code);
		return;
	}
	if (packet.type == LINK_NOTIFY) {
		packet.notify.text[sizeof(packet.notify.text) - 1] = '\0';
		(void)notify_send(&g->notify, packet.notify.text);
		return;
	}
	if (packet.type == LINK_ALIVE) {
		on_alive(g);
		return;
	}
	if (!g->agent_welcomed) {
		end_agent(g, "a request before WELCOME");
		return;
	}
	if (packet.type == LINK_EXTEND)
		on_extend(g);
	else if (packet.type == LINK_LAUNCH)
		on_launch(g, size, fds);
	else
		runs_stop(&g->runs, packet.stop.group, packet.stop.run, packet.stop.grace_ns,
			once_instant_now());
}

/* All that is there now, and no more than that: deadlines are judged next, with every proof that has come
 * before, and an agent that goes on sending does not put that off. */
void link_serve(struct guardian *g)
{
	int waiting = 0;

	if (g->owe_refused)
		return;
	(void)ioctl(g->link_fd, FIONREAD, &waiting);
	do { /* at least once: the end of the link is no byte */
		int fds[LINK_FDS_MAX];
		ssize_t n = link_receive(g->link_fd, packet.bytes, sizeof(packet.bytes), fds);

		if (n == -EAGAIN)
			return;
		waiting -= (int)n;
		if (n <= 0)
			end_agent(g, NULL);
		else
			dispatch(g, (size_t)n, fds);
		for (int k = 0; k < LINK_FDS_MAX; k++)
			if (fds[k] >= 0)
				(void)close(fds[k]);
	} while (waiting > 0 && g->link_fd >= 0 && !g->owe_refused);
}

/* The agent is dead: of what it still had said, only that this was meant to be the end counts. */
void link_drain_dead(struct guardian *g)
{
	int fds[LINK_FDS_MAX];
	ssize_t n;

	while (g->link_fd >= 0 &&
		(n = link_receive(g->link_fd, packet.bytes, sizeof(packet.bytes), fds)) > 0) {
		if (n == (ssize_t)sizeof(packet.quit) && packet.type == LINK_QUIT)
			guardian_quit(g, packet.quit.code);
		for (int k = 0; k < LINK_FDS_MAX; k++)
			if (fds[k] >= 0)
				(void)close(fds[k]);
	}
}

static int flush_groups(struct guardian *g)
{
	for (unsigned i = 0; i < g->deadlines.high; i++) {
		struct deadline *d = &g->deadlines.slot[i];
		struct link_fenced fenced = {LINK_FENCED, d->group, d->fenced_token, d->margin_ns};

		if (!d->owe_fenced)
			continue;
		if (g->link_fd >= 0 && link_send(g->link_fd, &fenced, sizeof(fenced)) == -EAGAIN)
			return -EAGAIN;
		d->owe_fenced = false;
	}
	return 0;
}

static int flush_signals(struct guardian *g)
{
	for (int i = 0; i < SIGNALS; i++) {
		struct link_signal told = {LINK_SIGNAL, guardian_signals[i], g->signal_count[i]};

		if (g->signal_told[i] == g->signal_count[i])
			continue;
		if (g->link_fd >= 0 && link_send(g->link_fd, &told, sizeof(told)) == -EAGAIN)
			return -EAGAIN;
		g->signal_told[i] = g->signal_count[i];
	}
	return 0;
}

static int flush_all(struct guardian *g)
{
	int r;

	if (g->owe_welcome && g->link_fd >= 0 &&
		link_send(g->link_fd, &g->welcome, sizeof(g->welcome)) == -EAGAIN)
		return -EAGAIN;
	g->owe_welcome = false;
	if (g->owe_refused && g->link_fd >= 0 &&
		link_send(g->link_fd, &g->refused, sizeof(g->refused)) == -EAGAIN)
		return -EAGAIN;
	g->owe_refused = false;
	r = runs_flush(&g->runs, g->link_fd);
	if (r == 0)
		r = flush_groups(g);
	if (r == 0)
		r = flush_signals(g);
	return r;
}

void link_flush(struct guardian *g)
{
	g->link_full = flush_all(g) == -EAGAIN;
}
