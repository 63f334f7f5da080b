/* The runs that are alive. See runs.h.
 *
 * Happy path: launch -> (report: exec'd) STARTED -> first process reaped, ENDED -> kill of the rest
 * -> tree proven empty, EMPTY -> slot free. Failures: before exec, REFUSED once the tree is proven
 * empty (a refused run left nothing); after 5 s without proof EMPTY{-ETIMEDOUT}, and the kill is
 * repeated every 100 ms until it is proven. */
#include "runs.h"
#include "link-io.h"
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define EMPTY_TIMEOUT_NS (5 * ONCE_NSEC_PER_SEC)
#define KILL_AGAIN_NS (100 * ONCE_NSEC_PER_MSEC)
#define LOOK_AT_SLICE_NS (5 * ONCE_NSEC_PER_MSEC) /* nothing tells that systemd has removed a cgroup */

static struct run *take_slot(struct runs *runs)
{
	struct run *run = NULL;

	for (unsigned i = 0; i < runs->high && !run; i++)
		if (!runs->slot[i].used)
			run = &runs->slot[i];
	if (!run && runs->high < LINK_RUNS_MAX)
		run = &runs->slot[runs->high++];
	if (run)
		memset(run, 0, sizeof(*run));
	return run;
}

static void free_slot(struct runs *runs, struct run *run)
{
	run->used = false;
	while (runs->high > 0 && !runs->slot[runs->high - 1].used)
		runs->high--;
}

static void close_report(struct run *run)
{
	if (run->report_fd >= 0)
		(void)close(run->report_fd);
	run->report_fd = -1;
}

static void kill_run(struct runs *runs, struct run *run, struct once_instant now)
{
	tree_run_kill(runs->tree, &run->tree);
	if (run->slice)
		slice_end(runs->slices.root, run->slice);
	if (!run->killed) {
		run->killed = true;
		run->killed_at_ns = now.boot_ns;
		run->deadline->unkilled--;
	}
	run->kill_at_ns = now.boot_ns + (run->slice ? LOOK_AT_SLICE_NS : KILL_AGAIN_NS);
}

static int check_launch(const struct runs *runs, const struct deadline *deadline,
	const struct link_launch *packet, const char *slice, const char **ret_what)
{
	*ret_what = "deadline";
	if (!deadline || deadline->token != packet->token)
		return -ESTALE;
	if (deadline_left(deadline, once_instant_now()) < deadline->grace_ns + deadline->kill_ns)
		return -ESTALE;
	*ret_what = "stopping";
	if (runs->hurry)
		return -ESHUTDOWN;
	for (unsigned i = 0; i < runs->high; i++) {
		const struct run *run = &runs->slot[i];

		*ret_what = "number";
		if (run->used && run->id == packet->run)
			return -EEXIST;
		*ret_what = "former term";
		if (run->used && !run->empty && run->deadline == deadline &&
			run->token != packet->token)
			return -EBUSY;
		*ret_what = "slice";
		if (run->used && !run->empty && slice && run->slice == slice)
			return -EBUSY;
	}
	return 0;
}

static void start_tracking(struct runs *runs, struct run *run, struct deadline *deadline)
{
	run->used = true;
	run->deadline = deadline;
	run->token = deadline->token;
	run->report_fd = -1;
	deadline->live++;
	deadline->unkilled++;
	runs->live++;
}

static bool is_empty(struct runs *runs, struct run *run)
{
	return tree_run_is_empty(runs->tree, &run->tree) &&
	       (!run->slice || slice_is_empty(runs->slices.root, run->slice));
}

static void stop_tracking(struct runs *runs, struct run *run)
{
	tree_run_release(runs->tree, &run->tree);
	close_report(run);
	if (!run->killed)
		run->deadline->unkilled--;
	run->deadline->live--;
	runs->live--;
}

int runs_launch(struct runs *runs, struct deadline *deadline, const struct link_launch *packet,
	size_t size, const char *slice, const int fds[LINK_FDS_MAX], void (*arm)(void *arg), void *arg,
	const char **ret_what)
{
	struct spawn_request request = {
		.isolate = packet->flags & LINK_LAUNCH_ISOLATE,
		.keep_stdin = packet->flags & LINK_LAUNCH_STDIN,
		.user = packet->flags & LINK_LAUNCH_USER ? packet : NULL,
		.out_fd = fds[0],
		.err_fd = fds[1],
		.result_fd = packet->flags & LINK_LAUNCH_RESULT ? fds[2] : -1,
		.nofile = runs->nofile,
	};
	struct run *run;
	int r = check_launch(runs, deadline, packet, slice, ret_what);

	if (r < 0)
		return r;
	*ret_what = "packet";
	r = spawn_parse(packet, size, &request);
	if (r < 0)
		return r;
	*ret_what = "runs";
	run = take_slot(runs);
	if (!run)
		return -EAGAIN;
	start_tracking(runs, run, deadline);
	run->id = packet->run;
	request.proved = deadline->proved;
	request.start_within_ns = deadline->valid_ns - deadline->kill_ns - deadline->grace_ns;
	*ret_what = "cgroup";
	r = tree_run_prepare(runs->tree, &run->tree);
	if (r == 0) {
		request.init = run->tree.init;
		request.cgroup_fd = run->tree.dir_fd;
		run->tree.init |= request.isolate;
		arm(arg);
		*ret_what = "slice";
		r = slice ? slice_open(runs->slices.root, slice) : 0;
	}
	if (r == 0) {
		run->slice = slice;
		r = spawn_start(&request, &run->tree.first, &run->report_fd, ret_what);
	}
	if (r < 0) {
		if (run->slice)
			slice_end(runs->slices.root, run->slice);
		stop_tracking(runs, run);
		free_slot(runs, run);
	}
	return r;
}

static void stop_run(struct runs *runs, struct run *run, int64_t grace_ns, struct once_instant now)
{
	int64_t kill_at_ns = now.boot_ns + grace_ns;

	if (run->killed)
		return;
	if (grace_ns <= 0 || runs->hurry) {
		kill_run(runs, run, now);
		return;
	}
	if (!run->kill_at_ns || kill_at_ns < run->kill_at_ns)
		run->kill_at_ns = kill_at_ns;
	if (run->stopping)
		return;
	run->stopping = true;
	tree_run_signal(runs->tree, &run->tree, SIGTERM);
	tree_run_signal(runs->tree, &run->tree, SIGCONT);
}

void runs_stop(
	struct runs *runs, uint32_t group, uint64_t id, int64_t grace_ns, struct once_instant now)
{
	for (unsigned i = 0; i < runs->high; i++) {
		struct run *run = &runs->slot[i];

		if (run->used && !run->empty && run->deadline->group == group &&
			(!id || run->id == id))
			stop_run(runs, run, grace_ns, now);
	}
}

void runs_kill_group(struct runs *runs, const struct deadline *deadline, int64_t keep_token,
	struct once_instant now)
{
	for (unsigned i = 0; i < runs->high; i++) {
		struct run *run = &runs->slot[i];

		if (run->used && !run->empty && !run->killed && run->deadline == deadline &&
			run->token != keep_token)
			kill_run(runs, run, now);
	}
}

void runs_kill_all(struct runs *runs, struct once_instant now)
{
	for (unsigned i = 0; i < runs->high; i++)
		if (runs->slot[i].used && !runs->slot[i].empty && !runs->slot[i].killed)
			kill_run(runs, &runs->slot[i], now);
}

static void set_started(struct runs *runs, struct run *run)
{
	run->started = true;
	run->owes |= RUN_OWES_STARTED;
	/* A stop that came before the init had its command found nobody to signal. */
	if (run->stopping && run->tree.init)
		tree_run_signal(runs->tree, &run->tree, SIGTERM);
}

static void set_ended(struct run *run, int status, const struct rusage *usage)
{
	if (run->ended)
		return;
	run->ended = true;
	run->told = run->stopping || run->killed;
	run->status = status;
	run->usage = *usage;
	if (run->started)
		run->owes |= RUN_OWES_ENDED;
}

static void read_report(struct runs *runs, struct run *run)
{
	struct spawn_report report;
	ssize_t n;

	while (run->report_fd >= 0) {
		n = read(run->report_fd, &report, sizeof(report));
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n != (ssize_t)sizeof(report)) {
			close_report(run);
			if (!run->started && !run->error)
				set_started(runs, run);
		} else if (report.kind == SPAWN_REFUSED) {
			run->error = report.value;
			memcpy(run->what, report.what, sizeof(run->what));
			run->what[sizeof(run->what) - 1] = '\0';
		} else if (report.kind == SPAWN_STARTED) {
			set_started(runs, run);
		} else if (report.kind == SPAWN_ENDED) {
			set_ended(run, report.value, &report.usage);
		}
	}
}

bool runs_on_reaped(struct runs *runs, pid_t pid, int status, const struct rusage *usage)
{
	for (unsigned i = 0; i < runs->high; i++) {
		struct run *run = &runs->slot[i];

		if (!run->used || run->tree.reaped || run->tree.first != pid)
			continue;
		run->tree.reaped = true;
		/* The pipe was written before the end, and the init's word on its command counts.
		 */
		read_report(runs, run);
		close_report(run);
		if (!run->started && !run->error)
			set_started(runs, run);
		set_ended(run, status, usage);
		return true;
	}
	return false;
}

bool runs_is_known(const struct runs *runs, pid_t pid)
{
	for (unsigned i = 0; i < runs->high; i++)
		if (runs->slot[i].used && !runs->slot[i].tree.reaped &&
			runs->slot[i].tree.first == pid)
			return true;
	return false;
}

static void set_empty(struct runs *runs, struct run *run)
{
	run->empty = true;
	run->owes |= RUN_OWES_EMPTY;
	stop_tracking(runs, run);
}

static void advance_run(struct runs *runs, struct run *run, struct once_instant now)
{
	read_report(runs, run);
	if (!run->killed && (run->ended || run->error))
		kill_run(runs, run, now);
	if (run->kill_at_ns && now.boot_ns >= run->kill_at_ns)
		kill_run(runs, run, now);
	if (!run->killed)
		return;
	if (is_empty(runs, run)) {
		set_empty(runs, run);
	} else if (!run->timed_out && now.boot_ns - run->killed_at_ns >= EMPTY_TIMEOUT_NS) {
		run->timed_out = true;
		if (run->started)
			run->owes |= RUN_OWES_TIMEOUT;
	}
}

void runs_advance(struct runs *runs, struct once_instant now)
{
	if (!runs->live)
		return;
	tree_sweep(runs->tree);
	for (unsigned i = 0; i < runs->high; i++)
		if (runs->slot[i].used && !runs->slot[i].empty)
			advance_run(runs, &runs->slot[i], now);
}

int64_t runs_next_wake(const struct runs *runs, struct once_instant now)
{
	int64_t wake = DEADLINE_NEVER;

	for (unsigned i = 0; i < runs->high; i++) {
		const struct run *run = &runs->slot[i];

		if (run->used && !run->empty && run->kill_at_ns &&
			run->kill_at_ns - now.boot_ns < wake)
			wake = run->kill_at_ns - now.boot_ns;
	}
	return wake;
}

unsigned runs_poll(const struct runs *runs, struct pollfd *pfds)
{
	unsigned n = 0;

	for (unsigned i = 0; i < runs->high; i++) {
		const struct run *run = &runs->slot[i];

		if (!run->used || run->empty)
			continue;
		if (run->report_fd >= 0)
			pfds[n++] = (struct pollfd){.fd = run->report_fd, .events = POLLIN};
		if (run->killed && run->tree.events_fd >= 0)
			pfds[n++] = (struct pollfd){.fd = run->tree.events_fd, .events = POLLPRI};
	}
	return n;
}

static int send_one(const struct run *run, enum run_owes what, int fd)
{
	struct link_started started = {LINK_STARTED, run->tree.first, run->id};
	struct link_ended ended = {LINK_ENDED, run->status, run->id, run->told, 0, run->usage};
	struct link_empty empty = {LINK_EMPTY, what == RUN_OWES_TIMEOUT ? -ETIMEDOUT : 0, run->id};
	struct link_refused refused = {.type = LINK_REFUSED, .error = run->error, .run = run->id};

	if (what == RUN_OWES_STARTED)
		return link_send(fd, &started, sizeof(started));
	if (what == RUN_OWES_ENDED)
		return link_send(fd, &ended, sizeof(ended));
	if (run->started)
		return link_send(fd, &empty, sizeof(empty));
	memcpy(refused.what, run->what, sizeof(run->what));
	return link_send(fd, &refused, sizeof(refused));
}

int runs_flush(struct runs *runs, int fd)
{
	for (unsigned i = 0; i < runs->high; i++) {
		struct run *run = &runs->slot[i];

		for (unsigned what = 1; run->used && what <= RUN_OWES_EMPTY; what <<= 1) {
			int r;

			if (!(run->owes & what))
				continue;
			r = fd >= 0 ? send_one(run, (enum run_owes)what, fd) : 0;
			if (r == -EAGAIN)
				return r;
			run->owes &= (uint8_t)~what;
		}
		if (run->used && run->empty && !run->owes)
			free_slot(runs, run);
	}
	return 0;
}
