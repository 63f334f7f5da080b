/* lifejob FILE NODE [options]: a job that writes down its own life.
 *
 * One line per period, each a single O_APPEND write, the first at once:
 *   BOOTTIME-NS KIND NODE TOKEN PID SEQ
 * KIND: life; child (a descendant that left the session); term (SIGTERM came); end (about to exit by
 * itself); clash (another job holds the lock on FILE.lock, so two live now: the kernel says so, not a
 * clock). TOKEN is $ONCED_TOKEN or $ETCD_LOCK_REV, 0 without them. checker.py reads it.
 *
 * With --sink it also works: every fifth period it writes to a resource that checks tokens, FILE, and
 * refuses one that is smaller than what it has seen (FILE.max). A line of FILE is
 *   BOOTTIME-NS accept|reject TOKEN NODE PID GREATEST
 * With --late that is all it does, once: work that was handed to others and comes after its term.
 *
 * With --storm it forks without end meanwhile (storm_lane), STORM_LANES processes and as many again at
 * most, for STORM_MS at most: whoever ends them one by one is always one pid late.
 *
 * With --then COMMAND... it writes one line of life and becomes that command: when that was started.
 * With --beside COMMAND... that runs as a child meanwhile.
 *
 * Ends by itself after MAX seconds: nothing of it is left behind by a broken test. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

struct options {
	const char *file, *node, *token, *sink;
	char **then, **beside;
	int64_t period_ms, max_ms, exit_after_ms;
	int exit_code;
	bool ignore_term, daemonise, storm, late;
};

enum { STORM_LANES = 5, STORM_HOP_NS = 20000000, STORM_SAID = 10, STORM_LEAF = 5, STORM_MS = 60000 };

static volatile sig_atomic_t terminated;

static void on_term(int signo)
{
	terminated = 1;
}

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static void write_line(int fd, const struct options *o, const char *kind, int64_t seq)
{
	char line[256];
	int size = snprintf(line, sizeof(line), "%lld %s %s %s %d %lld\n", (long long)now_ns(), kind,
		o->node, o->token, (int)getpid(), (long long)seq);

	if (size < 0 || (size_t)size >= sizeof(line) || write(fd, line, (size_t)size) != size)
		_exit(3);
}

/* Held by this process and what it forks, until the last of them is dead. */
static void take_lock(int fd, const struct options *o)
{
	char path[4096];
	int lock;

	snprintf(path, sizeof(path), "%s.lock", o->file);
	lock = open(path, O_RDWR | O_CREAT, 0666);
	if (lock < 0) {
		fprintf(stderr, "lifejob: %s: %s\n", path, strerror(errno));
		exit(3);
	}
	if (flock(lock, LOCK_EX | LOCK_NB) < 0)
		write_line(fd, o, "clash", 0);
}

/* The resource decides under a lock of its own, and with nothing but the tokens it has seen. */
static void write_sink(const struct options *o)
{
	long long token = strtoll(o->token, NULL, 10), greatest = 0;
	char path[4096], text[32] = "", line[256];
	int fd, log = open(o->sink, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666), size;

	snprintf(path, sizeof(path), "%s.max", o->sink);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
	if (fd < 0 || log < 0) {
		fprintf(stderr, "lifejob: %s: %s\n", path, strerror(errno));
		exit(3);
	}
	if (flock(fd, o->late ? LOCK_EX : LOCK_EX | LOCK_NB) == 0) {
		if (pread(fd, text, sizeof(text) - 1, 0) > 0)
			greatest = strtoll(text, NULL, 10);
		size = snprintf(line, sizeof(line), "%lld %s %lld %s %d %lld\n", (long long)now_ns(),
			token < greatest ? "reject" : "accept", token, o->node, (int)getpid(), greatest);
		if (token > greatest) {
			snprintf(text, sizeof(text), "%-20lld", token);
			if (pwrite(fd, text, strlen(text), 0) < 0)
				exit(3);
		}
		if (write(log, line, (size_t)size) != size)
			exit(3);
	}
	close(fd);
	close(log);
}

static void sleep_until(int64_t ns)
{
	struct timespec t = {ns / 1000000000, ns % 1000000000};

	clock_nanosleep(CLOCK_BOOTTIME, TIMER_ABSTIME, &t, NULL);
}

static int live(int fd, const struct options *o, bool child)
{
	int64_t start = now_ns(), next = start, seq = 0;
	bool said = false;

	for (;;) {
		if (o->sink && seq % 5 == 0)
			write_sink(o);
		write_line(fd, o, child ? "child" : "life", seq++);
		next += o->period_ms * 1000000;
		if (next < now_ns())
			next = now_ns();
		sleep_until(next);
		if (terminated && !said && !child)
			write_line(fd, o, "term", seq++);
		said = terminated;
		if (terminated && !o->ignore_term) {
			write_line(fd, o, "end", seq);
			return 0;
		}
		if (o->exit_after_ms >= 0 && now_ns() - start >= o->exit_after_ms * 1000000) {
			write_line(fd, o, "end", seq);
			return o->exit_code;
		}
		if (now_ns() - start >= o->max_ms * 1000000)
			return 4;
	}
}

/* Forks twice and leaves the session, as a badly behaved service does. */
static void leave_child(int fd, const struct options *o)
{
	struct options child = *o;
	pid_t pid = fork();

	if (pid != 0)
		return;
	setsid();
	prctl(PR_SET_PDEATHSIG, 0);
	if (fork() != 0)
		_exit(0);
	child.ignore_term = true;
	child.exit_after_ms = -1;
	_exit(live(fd, &child, true));
}

/* Each process lives for a moment, in a session of its own, and goes on in its child; some leave
 * another one behind. One line in STORM_SAID generations, the lock in all of them. */
static void storm_lane(int fd, const struct options *o)
{
	int64_t end = now_ns() + STORM_MS * INT64_C(1000000);

	for (int64_t generation = 0; now_ns() < end; generation++) {
		pid_t pid = fork();

		if (pid > 0)
			_exit(0);
		if (pid == 0) {
			setsid();
			prctl(PR_SET_PDEATHSIG, 0);
		}
		if (generation % STORM_SAID == 0)
			write_line(fd, o, "child", generation);
		if (generation % STORM_LEAF == 0 && fork() == 0) {
			sleep_until(now_ns() + STORM_LEAF * STORM_HOP_NS);
			_exit(0);
		}
		sleep_until(now_ns() + STORM_HOP_NS);
	}
	_exit(0);
}

static void start_storm(int fd, const struct options *o)
{
	signal(SIGCHLD, SIG_IGN); /* those that come to us leave nothing behind */
	for (int i = 0; i < STORM_LANES; i++)
		if (fork() == 0)
			storm_lane(fd, o);
}

/* Ends with us at the latest. */
static void start_beside(const struct options *o)
{
	pid_t pid = fork();

	if (pid != 0)
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	execv(o->beside[0], o->beside);
	fprintf(stderr, "lifejob: %s: %s\n", o->beside[0], strerror(errno));
	_exit(127);
}

static int usage(void)
{
	fprintf(stderr, "usage: lifejob FILE NODE [--period MS] [--max S] [--ignore-term] [--daemonise]"
			" [--storm] [--exit CODE AFTER-MS] [--sink FILE] [--late] [--then COMMAND...]"
			" [--beside COMMAND...]\n");
	return 2;
}

static bool parse(struct options *o, int argc, char **argv)
{
	const char *token = getenv("ONCED_TOKEN");

	if (!token)
		token = getenv("ETCD_LOCK_REV"); /* under etcdctl lock, to which onced is compared */
	*o = (struct options){.period_ms = 10, .max_ms = 300000, .exit_after_ms = -1};
	o->token = token && *token ? token : "0";
	if (argc < 3)
		return false;
	o->file = argv[1];
	o->node = argv[2];
	for (int i = 3; i < argc; i++) {
		if (!strcmp(argv[i], "--ignore-term")) {
			o->ignore_term = true;
		} else if (!strcmp(argv[i], "--daemonise")) {
			o->daemonise = true;
		} else if (!strcmp(argv[i], "--storm")) {
			o->storm = true;
		} else if (!strcmp(argv[i], "--then") && i + 1 < argc) {
			o->then = &argv[i + 1];
			break;
		} else if (!strcmp(argv[i], "--late")) {
			o->late = true;
		} else if (!strcmp(argv[i], "--sink") && i + 1 < argc) {
			o->sink = argv[++i];
		} else if (!strcmp(argv[i], "--period") && i + 1 < argc) {
			o->period_ms = atoll(argv[++i]);
		} else if (!strcmp(argv[i], "--max") && i + 1 < argc) {
			o->max_ms = 1000 * atoll(argv[++i]);
		} else if (!strcmp(argv[i], "--exit") && i + 2 < argc) {
			o->exit_code = atoi(argv[++i]);
			o->exit_after_ms = atoll(argv[++i]);
		} else if (!strcmp(argv[i], "--beside") && i + 1 < argc) {
			o->beside = &argv[i + 1];
			break;
		} else {
			return false;
		}
	}
	return o->period_ms > 0 && (o->sink || !o->late);
}

int main(int argc, char **argv)
{
	struct sigaction action = {.sa_handler = on_term};
	struct options o;
	int fd;

	if (!parse(&o, argc, argv))
		return usage();
	if (o.late) {
		write_sink(&o);
		return 0;
	}
	sigaction(SIGTERM, &action, NULL);
	fd = open(o.file, O_WRONLY | O_CREAT | O_APPEND, 0666);
	if (fd < 0) {
		fprintf(stderr, "lifejob: %s: %s\n", o.file, strerror(errno));
		return 3;
	}
	if (o.then) {
		write_line(fd, &o, "life", -1);
		execvp(o.then[0], o.then);
		perror(o.then[0]);
		return 127;
	}
	/* First the line, then the lock: its time is what failover is measured by. */
	write_line(fd, &o, "life", -1);
	take_lock(fd, &o);
	if (o.beside)
		start_beside(&o);
	if (o.daemonise)
		leave_child(fd, &o);
	if (o.storm)
		start_storm(fd, &o);
	return live(fd, &o, false);
}
