/* See world.h. */
#include "world.h"
#include <dirent.h>
#include <sched.h>
#include <sys/syscall.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>

enum { CASE_TIMEOUT_S = 40, HEAR_MS = 15000 };

static struct world *current;

int64_t now_ms(void)
{
	return once_instant_now().boot_ns / MSEC;
}

void sleep_ms(int ms)
{
	struct timespec ts = {ms / 1000, (ms % 1000) * 1000000L};

	while (nanosleep(&ts, &ts) < 0 && errno == EINTR)
		;
}

/* ---- ending what a case made ---- */

int children_of(pid_t pid, pid_t *ret, int max)
{
	char name[64];
	FILE *f;
	int n = 0;

	(void)snprintf(name, sizeof(name), "/proc/%d/task/%d/children", pid, pid);
	f = fopen(name, "re");
	while (f && n < max && fscanf(f, "%d", &ret[n]) == 1)
		n++;
	if (f)
		(void)fclose(f);
	return n;
}

static void end_children(void)
{
	pid_t pids[512];
	int64_t until = now_ms() + 5000;
	int n;

	while ((n = children_of(getpid(), pids, 512)) > 0 && now_ms() < until) {
		for (int i = 0; i < n; i++)
			(void)kill(pids[i], SIGKILL);
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		sleep_ms(2);
	}
}

/* Whether nothing is left of it. */
static bool remove_leaf(const char *instance)
{
	static const char *const roots[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"};
	char path[512], sub[800];
	bool gone = true;

	for (size_t i = 0; i < 2; i++) {
		DIR *d;
		struct dirent *e;

		(void)snprintf(path, sizeof(path), "%s/onced-%s", roots[i], instance);
		d = opendir(path);
		while (d && (e = readdir(d)))
			if (e->d_type == DT_DIR && e->d_name[0] != '.') {
				(void)snprintf(sub, sizeof(sub), "%s/%s", path, e->d_name);
				(void)rmdir(sub);
			}
		if (d)
			(void)closedir(d);
		gone &= rmdir(path) == 0 || errno == ENOENT;
	}
	return gone;
}

bool world_remove_leaf(const struct world *w, int ms)
{
	int64_t end = now_ms() + ms;

	while (!remove_leaf(w->instance) && now_ms() < end)
		sleep_ms(5);
	return remove_leaf(w->instance);
}

static void world_end(struct world *w)
{
	char path[400];
	struct dirent *e;
	DIR *d;

	end_children();
	remove_leaf(w->instance);
	d = opendir(w->dir);
	while (d && (e = readdir(d))) {
		(void)snprintf(path, sizeof(path), "%s/%s", w->dir, e->d_name);
		(void)unlink(path);
	}
	if (d)
		(void)closedir(d);
	(void)rmdir(w->dir);
}

void world_fail(const char *file, int line, const char *what)
{
	(void)fprintf(stderr, "%s:%d: %s\n", file, line, what);
	if (current)
		world_end(current);
	_exit(1);
}

static void on_alarm(int signo)
{
	(void)signo;
	world_fail(__FILE__, __LINE__, "the case took too long");
}

/* ---- the puppet ---- */

static int puppet(int link_fd, const struct link_page *page, void *arg)
{
	struct puppet_packet own = {.type = PUPPET_BORN, .value = getpid()};
	static char packet[LINK_PACKET_MAX];
	struct world *w = arg;
	int ctl = w->ctl, fds[LINK_FDS_MAX];
	bool mute = false;
	ssize_t n;

	(void)link_send(ctl, &own, sizeof(own));
	for (;;) {
		struct pollfd pfds[2] = {{mute ? -1 : link_fd, POLLIN, 0}, {ctl, POLLIN, 0}};
		struct puppet_packet *command = (void *)packet;

		if (poll(pfds, 2, -1) < 0)
			continue;
		if (pfds[0].revents) {
			n = link_receive(link_fd, packet, sizeof(packet), fds);
			if (n <= 0)
				return 99;
			if (send(ctl, packet, (size_t)n, 0) < 0)
				return 98;
		}
		if (!pfds[1].revents)
			continue;
		n = link_receive(ctl, packet, sizeof(packet), fds);
		if (n <= 0)
			return 97;
		if (command->type == PUPPET_EXIT)
			return command->value;
		if (command->type == PUPPET_MUTE) {
			mute = command->value;
			continue;
		}
		if (command->type == PUPPET_PAGE) {
			command->seen = atomic_load(&page->extends_seen);
			(void)link_send(ctl, command, sizeof(*command));
			continue;
		}
		(void)link_send_fds(link_fd, packet, (size_t)n, fds,
			(unsigned)((fds[0] >= 0) + (fds[1] >= 0) + (fds[2] >= 0)));
		for (int i = 0; i < LINK_FDS_MAX; i++)
			if (fds[i] >= 0)
				(void)close(fds[i]);
		if (command->type == LINK_QUIT && !w->agent_stays)
			return 0;
	}
}

static void make_untidy(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGCHLD, SIG_IGN);
	CHECK(dup(STDERR_FILENO) > 0 && dup(STDERR_FILENO) > 0);
}

void world_start(struct world *w)
{
	int fds[2];

	CHECK(link_open(fds) == 0);
	(void)fcntl(fds[0], F_SETFL, 0);
	w->guardian = w->as_process_one
			      ? (pid_t)syscall(SYS_clone, CLONE_NEWPID | SIGCHLD, 0, 0, 0, 0)
			      : fork();
	CHECK(w->guardian >= 0);
	if (w->guardian == 0) {
		(void)close(fds[0]);
		w->ctl = fds[1];
		(void)alarm(0);
		if (w->untidy)
			make_untidy();
		guardian_force_contain(w->contain);
		_exit(guardian_run(puppet, w));
	}
	(void)close(fds[1]);
	w->ctl = fds[0];
	wait_born(w);
}

void begin(struct world *w)
{
	world_start(w);
	w->welcome = hello(w);
	CHECK(w->welcome.error == 0);
}

void world_start_other(const struct world *w, struct world *ret)
{
	*ret = *w;
	world_start(ret);
}

/* ---- talking ---- */

void say(struct world *w, const void *packet, size_t size)
{
	CHECK(send(w->ctl, packet, size, MSG_NOSIGNAL) == (ssize_t)size);
}

static bool ctl_is_readable(struct world *w, int ms)
{
	struct pollfd pfd = {.fd = w->ctl, .events = POLLIN};

	return poll(&pfd, 1, ms) == 1;
}

uint32_t hear_any(struct world *w, void *ret, size_t size)
{
	static char packet[LINK_PACKET_MAX];
	uint32_t type;
	ssize_t n;

	if (!ctl_is_readable(w, HEAR_MS))
		world_fail(__FILE__, __LINE__, "nothing was said");
	n = recv(w->ctl, packet, sizeof(packet), 0);
	CHECK(n >= (ssize_t)sizeof(type));
	memcpy(&type, packet, sizeof(type));
	memset(ret, 0, size);
	memcpy(ret, packet, (size_t)n < size ? (size_t)n : size);
	return type;
}

void hear(struct world *w, uint32_t type, void *ret, size_t size)
{
	uint32_t got = hear_any(w, ret, size);

	if (got != type) {
		(void)fprintf(stderr, "heard packet %u, expected %u\n", got, type);
		world_fail(__FILE__, __LINE__, "packet type");
	}
}

void hear_until(struct world *w, uint32_t type, void *ret, size_t size)
{
	while (hear_any(w, ret, size) != type)
		;
}

bool hears_nothing(struct world *w, int for_ms)
{
	return !ctl_is_readable(w, for_ms);
}

void wait_born(struct world *w)
{
	struct puppet_packet born;

	hear_until(w, PUPPET_BORN, &born, sizeof(born));
	w->agent = born.value;
}

struct link_welcome hello(struct world *w)
{
	struct link_hello packet = {.type = LINK_HELLO};
	struct link_welcome welcome;

	strcpy(packet.instance, w->instance);
	strcpy(packet.runtime_dir, w->dir);
	say(w, &packet, sizeof(packet));
	hear(w, LINK_WELCOME, &welcome, sizeof(welcome));
	return welcome;
}

void extend(struct world *w, uint32_t group, int64_t token, int valid_ms, int grace_ms, int kill_ms)
{
	struct link_extend packet = {LINK_EXTEND, group, token, once_instant_now(), valid_ms * MSEC,
		grace_ms * MSEC, kill_ms * MSEC};

	say(w, &packet, sizeof(packet));
}

static void add_string(struct link_launch *packet, const char *s)
{
	strcpy(packet->strings + packet->strings_size, s);
	packet->strings_size += (uint32_t)strlen(s) + 1;
}

void launch_argv(struct world *w, uint32_t group, int64_t token, uint64_t run, uint32_t flags,
	const char *directory, const char *const *argv, const int *fds, unsigned n_fds)
{
	static union {
		struct link_launch packet;
		char bytes[65536];
	} u;

	u.packet = (struct link_launch){
		.type = LINK_LAUNCH, .group = group, .run = run, .token = token, .flags = flags};
	if (w->slice)
		strcpy(u.packet.slice, w->slice);
	add_string(&u.packet, directory);
	for (; *argv; argv++, u.packet.argc++)
		add_string(&u.packet, *argv);
	add_string(&u.packet, "PATH=/etc:/usr/bin:/bin");
	add_string(&u.packet, "ONCED_TEST=yes");
	u.packet.envc = 2;
	CHECK(link_send_fds(w->ctl, &u, sizeof(u.packet) + u.packet.strings_size, fds, n_fds) == 0);
}

void launch(struct world *w, uint32_t group, int64_t token, uint64_t run, uint32_t flags,
	const char *script)
{
	const char *argv[] = {"sh", "-c", script, NULL};

	launch_argv(w, group, token, run, flags, w->dir, argv, NULL, 0);
}

pid_t launched(struct world *w, uint32_t group, int64_t token, uint64_t run, uint32_t flags,
	const char *script)
{
	struct link_started started;

	launch(w, group, token, run, flags, script);
	hear(w, LINK_STARTED, &started, sizeof(started));
	CHECK(started.run == run);
	return started.pid;
}

void stop(struct world *w, uint32_t group, uint64_t run, int grace_ms)
{
	struct link_stop packet = {LINK_STOP, group, run, grace_ms * MSEC};

	say(w, &packet, sizeof(packet));
}

void quit(struct world *w, int code)
{
	struct link_quit packet = {LINK_QUIT, code};

	say(w, &packet, sizeof(packet));
}

int hear_ended(struct world *w, uint64_t run)
{
	struct link_ended ended;

	hear(w, LINK_ENDED, &ended, sizeof(ended));
	CHECK(ended.run == run);
	return ended.status;
}

void hear_empty(struct world *w, uint64_t run)
{
	struct link_empty empty;

	hear(w, LINK_EMPTY, &empty, sizeof(empty));
	CHECK(empty.run == run);
	CHECK(empty.error == 0);
}

int hear_refused(struct world *w, uint64_t run, const char *what)
{
	struct link_refused refused;

	hear(w, LINK_REFUSED, &refused, sizeof(refused));
	CHECK(refused.run == run);
	if (strcmp(refused.what, what)) {
		(void)fprintf(stderr, "refused: %s, expected %s\n", refused.what, what);
		world_fail(__FILE__, __LINE__, "reason");
	}
	return refused.error;
}

/* ---- looking ---- */

int guardian_end(struct world *w)
{
	int64_t until = now_ms() + HEAR_MS;
	int status;
	pid_t r;

	while ((r = waitpid(w->guardian, &status, WNOHANG)) == 0 && now_ms() < until)
		sleep_ms(1);
	CHECK(r == w->guardian);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static FILE *open_file(struct world *w, const char *file)
{
	char path[400];

	(void)snprintf(path, sizeof(path), "%s/%s", w->dir, file);
	return fopen(path, "re");
}

bool file_appears(struct world *w, const char *file, int ms)
{
	int64_t until = now_ms() + ms;
	FILE *f;

	while (!(f = open_file(w, file)) && now_ms() < until)
		sleep_ms(2);
	if (f)
		(void)fclose(f);
	return f != NULL;
}

void read_pids(struct world *w, const char *file, pid_t *ret, int n)
{
	int64_t until = now_ms() + HEAR_MS;
	int got;

	do {
		FILE *f = open_file(w, file);

		for (got = 0; f && got < n && fscanf(f, "%d", &ret[got]) == 1; got++)
			;
		if (f)
			(void)fclose(f);
		if (got < n)
			sleep_ms(2);
	} while (got < n && now_ms() < until);
	CHECK(got == n);
}

pid_t read_ns_pid(struct world *w, const char *file)
{
	char name[300], line[256];
	pid_t inner, outer, found = 0;
	struct dirent *e;
	DIR *d;

	read_pids(w, file, &inner, 1);
	d = opendir("/proc");
	while (d && !found && (e = readdir(d))) {
		int last = 0;
		FILE *f;

		outer = atoi(e->d_name);
		(void)snprintf(name, sizeof(name), "/proc/%.20s/status", e->d_name);
		f = outer > 0 ? fopen(name, "re") : NULL;
		while (f && fgets(line, sizeof(line), f))
			if (sscanf(line, "NSpid:\t%d\t%d", &last, &last) == 2 && last == inner)
				found = outer;
		if (f)
			(void)fclose(f);
	}
	if (d)
		(void)closedir(d);
	CHECK(found > 0);
	return found;
}

bool is_dead(pid_t pid)
{
	char name[64], line[256], state = 'X', *at;
	FILE *f;

	(void)snprintf(name, sizeof(name), "/proc/%d/stat", pid);
	f = fopen(name, "re");
	if (!f)
		return true;
	at = fgets(line, sizeof(line), f) ? strrchr(line, ')') : NULL;
	if (at)
		state = at[2];
	(void)fclose(f);
	return state == 'Z' || state == 'X';
}

bool dies_within(pid_t pid, int ms)
{
	int64_t until = now_ms() + ms;

	while (!is_dead(pid))
		if (now_ms() >= until)
			return false;
		else
			sleep_ms(1);
	return true;
}

/* ---- running cases ---- */

static int run_case(const struct test_case *c, enum link_contain contain)
{
	struct world w = {.contain = contain, .dir = "/tmp/onced-test-XXXXXX"};

	(void)prctl(PR_SET_CHILD_SUBREAPER, 1);
	if (!mkdtemp(w.dir))
		return 1;
	(void)snprintf(w.instance, sizeof(w.instance), "test-%d", getpid());
	current = &w;
	(void)signal(SIGALRM, on_alarm);
	(void)alarm(CASE_TIMEOUT_S);
	c->run(&w);
	world_end(&w);
	return 0;
}

static int fork_case(const struct test_case *c, enum link_contain contain)
{
	int64_t began = now_ms();
	int status = 0;
	pid_t pid = fork();

	if (pid == 0)
		_exit(run_case(c, contain));
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	end_children();
	(void)printf("%s %s (%s, %lld ms)\n", pid > 0 && status == 0 ? "ok  " : "FAIL", c->name,
		contain == LINK_CONTAIN_CGROUP ? "cgroup" : "subreaper",
		(long long)(now_ms() - began));
	(void)fflush(stdout);
	return pid < 0 || status != 0;
}

/* Arguments: a backend (cgroup, subreaper), then names of cases; without names all. */
int world_main(const struct test_case *cases, size_t n, int argc, char **argv)
{
	enum link_contain contain = argc > 1 && !strcmp(argv[1], "subreaper")
					    ? LINK_CONTAIN_SUBREAPER
					    : LINK_CONTAIN_CGROUP;
	int failed = 0;

	(void)prctl(PR_SET_CHILD_SUBREAPER, 1);
	for (size_t i = 0; i < n; i++) {
		bool wanted = argc <= 2;

		for (int a = 2; a < argc; a++)
			wanted |= !strcmp(argv[a], cases[i].name);
		if (wanted && cases[i].backends & contain)
			failed += fork_case(&cases[i], contain);
	}
	return failed ? 1 : 0;
}
