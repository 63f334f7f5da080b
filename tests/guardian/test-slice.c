/* Slices of units (slice.h): the gate before them, and runs that are not over before their slice is empty. The
 * test plays systemd: it makes the cgroup of the unit, puts a process there, and removes it.
 *
 * The case's process moves to <cgroup2>/<instance>/case.slice/case.service first, as if it were a unit there, so
 * that the slices are below <cgroup2>/<instance>. */
#include "world.h"
#include "daemon/slice.h"
#include <fcntl.h>
#include <sys/stat.h>

#define NAME "onced-u.slice"
#define SLICE "/onced.slice/onced-u.slice"
#define UNIT SLICE "/u.service"

static char root[256];
static char unit[400]; /* the unit's cgroup */

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	CHECK(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	(void)close(fd);
}

static bool gate_is_open(void)
{
	char path[512], text[16] = "";
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s" SLICE "/cgroup.max.descendants", root);
	f = fopen(path, "re");
	CHECK(f && fgets(text, sizeof(text), f));
	(void)fclose(f);
	return strcmp(text, "0\n") != 0;
}

/* False: there is no cgroup here to be had, and so nothing to test. */
static bool enter(struct world *w)
{
	static const char *const mounts[] = {"/sys/fs/cgroup/unified", "/sys/fs/cgroup"};
	char path[400], pid[32];

	for (size_t i = 0; i < 2; i++) {
		(void)snprintf(path, sizeof(path), "%s/cgroup.controllers", mounts[i]);
		if (access(path, F_OK) < 0)
			continue;
		(void)snprintf(root, sizeof(root), "%s/%s", mounts[i], w->instance);
		if (mkdir(root, 0755) < 0)
			return false;
		(void)snprintf(path, sizeof(path), "%s/case.slice", root);
		CHECK(mkdir(path, 0755) == 0);
		(void)snprintf(path, sizeof(path), "%s/case.slice/case.service", root);
		CHECK(mkdir(path, 0755) == 0);
		(void)strcat(path, "/cgroup.procs");
		(void)snprintf(pid, sizeof(pid), "%d", getpid());
		write_file(path, pid);
		(void)snprintf(unit, sizeof(unit), "%s" UNIT, root);
		w->slice = NAME;
		return true;
	}
	return false;
}

static void leave(struct world *w)
{
	static const char *const below[] = {UNIT, SLICE, "/onced.slice",
		"/case.slice/case.service", "/case.slice", ""};
	char path[512], pid[32];
	pid_t children[8];
	int n = children_of(getpid(), children, 8);

	for (int i = 0; i < n; i++)
		(void)kill(children[i], SIGKILL);
	for (int i = 0; i < n; i++)
		(void)waitpid(children[i], NULL, 0);
	(void)snprintf(path, sizeof(path), "%s/../cgroup.procs", root);
	(void)snprintf(pid, sizeof(pid), "%d", getpid());
	write_file(path, pid);
	(void)snprintf(path, sizeof(path), "%s/case.slice/case.service/onced-%s", root, w->instance);
	for (int i = 0; i < 200 && access(path, F_OK) == 0; i++) {
		char run[600];

		(void)snprintf(run, sizeof(run), "%s/run-1", path);
		(void)rmdir(run);
		(void)snprintf(run, sizeof(run), "%s/run-2", path);
		(void)rmdir(run);
		(void)rmdir(path);
		sleep_ms(5);
	}
	for (size_t i = 0; i < sizeof(below) / sizeof(below[0]); i++) {
		(void)snprintf(path, sizeof(path), "%s%s", root, below[i]);
		for (int tries = 0; tries < 200 && rmdir(path) < 0 && errno == EBUSY; tries++)
			sleep_ms(5);
	}
}

/* As systemd does, which is not our child. */
static pid_t start_unit(void)
{
	char path[512], pid[32];
	pid_t child;

	CHECK(mkdir(unit, 0755) == 0);
	child = fork();
	CHECK(child >= 0);
	if (child == 0)
		for (;;)
			(void)pause();
	(void)snprintf(path, sizeof(path), "%s/cgroup.procs", unit);
	(void)snprintf(pid, sizeof(pid), "%d", child);
	write_file(path, pid);
	return child;
}

/* A guardian with one run, number 1, in the slice. False: as enter(). */
static bool enter_with_run(struct world *w)
{
	if (!enter(w))
		return false;
	begin(w);
	extend(w, 0, 5, 30000, 200, 400);
	(void)launched(w, 0, 5, 1, 0, "exec sleep 600");
	return true;
}

static bool is_killed_within(pid_t pid, int ms)
{
	int status = 0;

	return dies_within(pid, ms) && waitpid(pid, &status, 0) == pid && WIFSIGNALED(status);
}

static void test_a_run_is_over_when_its_slice_is(struct world *w)
{
	pid_t process;

	if (!enter_with_run(w))
		return;
	CHECK(gate_is_open());
	process = start_unit();
	launch(w, 0, 5, 2, 0, "exec sleep 600");
	CHECK(hear_refused(w, 2, "slice") == -EBUSY);
	CHECK(gate_is_open());
	stop(w, 0, 1, 0);
	CHECK(hear_ended(w, 1) == SIGKILL);
	CHECK(is_killed_within(process, 3000));
	CHECK(hears_nothing(w, 100)); /* its cgroup is there: systemd may put something in */
	CHECK(rmdir(unit) == 0);
	hear_empty(w, 1);
	CHECK(mkdir(unit, 0755) < 0 && errno == EAGAIN);
	launch(w, 0, 5, 3, 0, "exit 0"); /* and again */
	CHECK(hear_any(w, &(struct link_started){0}, sizeof(struct link_started)) == LINK_STARTED);
	CHECK(hear_ended(w, 3) == 0);
	hear_empty(w, 3);
	quit(w, 0);
	CHECK(guardian_end(w) == 0);
	CHECK(!gate_is_open());
	leave(w);
}

static void test_the_deadline_ends_it(struct world *w)
{
	struct link_fenced fenced;
	pid_t process;

	if (!enter(w))
		return;
	begin(w);
	extend(w, 0, 5, 1500, 100, 1000);
	(void)launched(w, 0, 5, 1, 0, IGNORE_TERM);
	process = start_unit();
	CHECK(is_killed_within(process, 1500));
	CHECK(rmdir(unit) == 0);
	CHECK(hear_ended(w, 1) == SIGKILL);
	hear_empty(w, 1);
	hear(w, LINK_FENCED, &fenced, sizeof(fenced));
	CHECK(fenced.margin_ns >= 0);
	quit(w, 0);
	CHECK(guardian_end(w) == 0);
	leave(w);
}

static void test_the_keeper_ends_it(struct world *w)
{
	pid_t process;

	if (!enter_with_run(w))
		return;
	process = start_unit();
	(void)kill(w->guardian, SIGKILL);
	CHECK(guardian_end(w) == 128 + SIGKILL);
	CHECK(is_killed_within(process, 3000));
	CHECK(!gate_is_open());
	CHECK(rmdir(unit) == 0);
	leave(w);
}

/* Guardian and keeper in one instant; systemd takes its time. */
static void test_the_next_guardian_ends_it(struct world *w)
{
	pid_t process, systemd, children[8];
	struct link_welcome second;
	int n;

	if (!enter_with_run(w))
		return;
	process = start_unit();
	sleep_ms(50); /* for the keeper to be there */
	(void)kill(w->guardian, SIGSTOP);
	n = children_of(w->guardian, children, 8);
	for (int i = 0; i < n; i++)
		(void)kill(children[i], SIGKILL);
	(void)kill(w->guardian, SIGKILL);
	CHECK(guardian_end(w) == 128 + SIGKILL);
	CHECK(!is_dead(process) && gate_is_open());
	systemd = fork();
	if (systemd == 0) {
		while (rmdir(unit) < 0)
			sleep_ms(20);
		_exit(0);
	}
	world_start(w);
	second = hello(w);
	CHECK(second.error == 0 && second.proven == w->welcome.incarnation);
	CHECK(is_killed_within(process, 0));
	CHECK(!gate_is_open() && access(unit, F_OK) < 0);
	quit(w, 0);
	CHECK(guardian_end(w) == 0);
	(void)waitpid(systemd, NULL, 0);
	leave(w);
}

static void test_only_a_unit_has_slices(struct world *w)
{
	begin(w);
	extend(w, 0, 5, 30000, 200, 400);
	w->slice = "onced-u.slice";
	launch(w, 0, 5, 1, 0, "exit 0");
	CHECK(hear_refused(w, 1, "slice") == -EOPNOTSUPP);
	w->slice = "../u.slice";
	launch(w, 0, 5, 2, 0, "exit 0");
	CHECK(hear_refused(w, 2, "slice") == -EINVAL);
}

static void test_where_slices_are(struct world *w)
{
	static const char *const cases[][2] = {{"/sys/fs/cgroup/system.slice/onced.service", "/sys/fs/cgroup"},
		{"/c/system.slice/system-onced.slice/onced@a.service", "/c"}, {"/c/onced.service", ""}, {"", ""},
		{"/c/.slice/x", ""}, {"/c/docker/7/a.slice", "/c/docker/7"}};
	struct slices slices;

	(void)w;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		slices_init(&slices, cases[i][0]);
		CHECK(!strcmp(slices.root, cases[i][1]));
	}
	CHECK(slice_name_is_sane("onced-u.slice") && slice_name_is_sane("onced-A_b.9.slice"));
	CHECK(!slice_name_is_sane("onced-.slice") && !slice_name_is_sane("onced-a-b.slice"));
	CHECK(!slice_name_is_sane("user.slice") && !slice_name_is_sane("onced-a/b.slice") && !slice_name_is_sane(""));
}

#define CASE(name, backends)                                                                       \
	{                                                                                          \
		#name, test_##name, backends                                                       \
	}

int main(int argc, char **argv)
{
	static const struct test_case cases[] = {
		CASE(a_run_is_over_when_its_slice_is, CGROUP),
		CASE(the_deadline_ends_it, CGROUP),
		CASE(the_keeper_ends_it, CGROUP),
		CASE(the_next_guardian_ends_it, CGROUP),
		CASE(only_a_unit_has_slices, CGROUP),
		CASE(where_slices_are, CGROUP),
	};

	return world_main(cases, sizeof(cases) / sizeof(cases[0]), argc, argv);
}
