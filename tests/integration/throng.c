/* A throng of nodes in one process, each with a client and an elector of its own, for test_throng.py:
 * throng COUNT PROFILE ENDPOINT.
 *
 * All are started in one turn of the loop. What happens is a line on standard output, times in nanoseconds of
 * CLOCK_BOOTTIME: "lead NODE TOKEN NOW", "work NODE TOKEN NOW" again and again while NODE leads by its own view (its
 * last proof is younger than FenceAfter), "stop NODE TOKEN REASON NOW". What is asked for is a line on standard input:
 *   show    "show LEADING FOLLOWING TOKEN SEIZED LATE": how many lead, how many follow; the token of the term that
 *           all of them see, 0 if they do not agree; how many seizures were tried so far; how many nodes etcd has
 *           left without an answer
 *   crash   who leads is freed without a word to etcd: "crash NODE TOKEN PROVED NOW", or "crash none"
 *   resign  who leads gives it away in order: "resign NODE TOKEN NOW", or "resign none"
 * It ends at the end of its input, as a crash would. Exit 2: it was called wrongly; 1: it cannot start. */
#include <once/elect.h>
#include <once/ev.h>

#include <ev.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static const double WORK_EVERY = 0.02;

struct one {
	unsigned number;
	struct once_client *client;
	struct once_elector *elector; /* NULL: it has crashed, or has ended */
	bool leads, late;
	int64_t token;
	struct once_instant proved;
};

static struct one *nodes;
static unsigned n_nodes;
static unsigned long seized;
static int64_t fence_after;

/* ---- what the electors say ---- */

static void say(const char *what, const struct one *o, int64_t token)
{
	printf("%s n%u %lld %lld\n", what, o->number, (long long)token,
		(long long)once_instant_now().boot_ns);
}

static void on_lead(void *userdata, int64_t token, struct once_instant proved)
{
	struct one *o = userdata;

	o->leads = true;
	o->token = token;
	o->proved = proved;
	say("lead", o, token);
}

static void on_extend(void *userdata, int64_t token, struct once_instant proved)
{
	struct one *o = userdata;

	(void)token;
	o->proved = proved;
}

static void on_stop(void *userdata, int64_t token, enum once_stop_reason reason, int64_t grace_ns)
{
	struct one *o = userdata;

	(void)grace_ns;
	o->leads = false;
	printf("stop n%u %lld %d %lld\n", o->number, (long long)token, (int)reason,
		(long long)once_instant_now().boot_ns);
	once_elector_stopped(o->elector);
}

static void on_stopped(void *userdata, int error)
{
	struct one *o = userdata;

	(void)fprintf(stderr, "n%u has ended: %s\n", o->number, strerror(-error));
	o->elector = once_elector_free(o->elector);
}

static void on_log(void *userdata, enum once_log_level level, const char *event, const char *text)
{
	struct one *o = userdata;

	seized += strcmp(event, "seizing") == 0;
	o->late |= strcmp(event, "etcd-silent") == 0 || strcmp(event, "unknown-outcome") == 0;
	if (level <= ONCE_LOG_INFO)
		(void)fprintf(stderr, "n%u %s: %s\n", o->number, event, text);
}

/* ---- what is asked ---- */

static void show(void)
{
	unsigned leading = 0, following = 0, late = 0;
	int64_t token = -1;

	for (unsigned i = 0; i < n_nodes; i++) {
		const struct once_elector *e = nodes[i].elector;
		enum once_elector_state state = e ? once_elector_state(e) : ONCE_ELECTOR_STOPPED;
		int64_t seen;

		late += nodes[i].late;
		if (!e)
			continue;
		leading += state == ONCE_ELECTOR_LEADING;
		following += state == ONCE_ELECTOR_FOLLOWING;
		seen = state == ONCE_ELECTOR_LEADING ? once_elector_token(e)
						     : once_elector_leader_token(e);
		token = token < 0 || token == seen ? seen : 0;
	}
	printf("show %u %u %lld %lu %u\n", leading, following, (long long)token, seized, late);
}

static struct one *leader(void)
{
	for (unsigned i = 0; i < n_nodes; i++)
		if (nodes[i].leads)
			return &nodes[i];
	return NULL;
}

static void crash(void)
{
	struct one *o = leader();

	if (!o) {
		puts("crash none");
		return;
	}
	o->leads = false;
	printf("crash n%u %lld %lld %lld\n", o->number, (long long)o->token,
		(long long)o->proved.boot_ns, (long long)once_instant_now().boot_ns);
	o->elector = once_elector_free(o->elector);
	o->client = once_client_free(o->client);
}

static void resign(void)
{
	const struct one *o = leader();

	if (o && once_elector_resign(o->elector, NULL) == 0)
		say("resign", o, o->token);
	else
		puts("resign none");
}

static void on_input(struct ev_loop *loop, ev_io *io, int events)
{
	static char line[64];
	static size_t size;
	ssize_t n = read(io->fd, line + size, sizeof(line) - 1 - size);
	char *end;

	(void)events;
	if (n <= 0) {
		ev_break(loop, EVBREAK_ALL);
		return;
	}
	size += (size_t)n;
	line[size] = '\0';
	while ((end = strchr(line, '\n')) != NULL) {
		*end++ = '\0';
		if (strcmp(line, "show") == 0)
			show();
		else if (strcmp(line, "crash") == 0)
			crash();
		else if (strcmp(line, "resign") == 0)
			resign();
		size -= (size_t)(end - line);
		memmove(line, end, size + 1);
	}
}

static void on_work(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)loop;
	(void)timer;
	(void)events;
	for (unsigned i = 0; i < n_nodes; i++) {
		struct one *o = &nodes[i];
		if (o->leads && once_elapsed_max(o->proved, once_instant_now()) < fence_after)
			say("work", o, o->token);
	}
}

/* ---- life ---- */

static int make(struct one *o, struct once_loop *loop, const struct once_timing *timing,
	const char *endpoint)
{
	static const struct once_elector_callbacks callbacks = {.on_lead = on_lead,
		.on_extend = on_extend,
		.on_stop = on_stop,
		.on_log = on_log,
		.on_stopped = on_stopped};
	struct once_client_config client = {.endpoints = &endpoint,
		.n_endpoints = 1,
		.prefer_leader = true,
		.request_timeout_ns = timing->request_timeout_ns};
	char name[16], text[256] = "";
	struct once_elector_config config = {.key = "/leader",
		.prefix = "/onced",
		.group = "default",
		.node = name,
		.timing = *timing};
	const char *message = "";

	(void)snprintf(name, sizeof(name), "n%u", o->number);
	if (once_client_new(&o->client, loop, &client, NULL, NULL, &message) < 0) {
		(void)fprintf(stderr, "throng: %s\n", message);
		return -1;
	}
	if (once_elector_new(
		    &o->elector, o->client, loop, &config, &callbacks, o, text, sizeof(text)) < 0) {
		(void)fprintf(stderr, "throng: %s\n", text);
		return -1;
	}
	return 0;
}

static void more_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static void run(struct ev_loop *ev)
{
	ev_io input;
	ev_timer work;

	ev_io_init(&input, on_input, STDIN_FILENO, EV_READ);
	ev_io_start(ev, &input);
	ev_timer_init(&work, on_work, WORK_EVERY, WORK_EVERY);
	ev_timer_start(ev, &work);
	for (unsigned i = 0; i < n_nodes; i++)
		(void)once_elector_start(nodes[i].elector);
	ev_run(ev, 0);
	ev_timer_stop(ev, &work);
	ev_io_stop(ev, &input);
}

int main(int argc, char **argv)
{
	struct ev_loop *ev = ev_default_loop(0);
	struct once_loop *loop = ev ? once_loop_ev_new(ev) : NULL;
	struct once_timing timing;
	int code = 0;

	if (argc != 4 || !loop || sscanf(argv[1], "%u", &n_nodes) != 1 || n_nodes == 0 ||
		once_timing_profile(&timing, argv[2]) < 0) {
		(void)fprintf(stderr, "usage: throng COUNT PROFILE ENDPOINT\n");
		return 2;
	}
	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	more_descriptors();
	fence_after = timing.fence_after_ns;
	nodes = calloc(n_nodes, sizeof(*nodes));
	for (unsigned i = 0; nodes && i < n_nodes && code == 0; i++) {
		nodes[i].number = i;
		code = make(&nodes[i], loop, &timing, argv[3]) < 0;
	}
	if (nodes && code == 0)
		run(ev);
	for (unsigned i = 0; nodes && i < n_nodes; i++) {
		nodes[i].elector = once_elector_free(nodes[i].elector);
		nodes[i].client = once_client_free(nodes[i].client);
	}
	free(nodes);
	loop = once_loop_ev_free(loop);
	return nodes ? code : 1;
}
