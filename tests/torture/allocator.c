/* allocator FILE NODE [options] URL...: takes numbers that nobody else may get, under fire.
 *
 * Any number of it at once, without a leader: from the counter "direct" by once_ids_alloc(), from
 * the counter "pool" out of blocks. One request for each at a time; what is left of a block is lost
 * when it ends. Each request is a line before it and one after it, each a single O_APPEND write:
 *
 *   BOOTTIME-NS SAID NAME NODE PID SEQ FIRST COUNT
 *
 * SAID: asked (FIRST is 0); given; refused (nothing was given; FIRST is the error). given.py compares
 * it with what etcd was seen to hold. */
#include <ev.h>
#include <errno.h>
#include <fcntl.h>
#include <once/ev.h>
#include <once/ids.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

enum { BLOCK = 20, MOST = 3 };

struct counter {
	struct allocator *owner;
	const char *name;
	struct once_ids *pool; /* NULL: each request goes to etcd */
	struct once_task *task;
	int64_t seq, wanted;
	ev_timer next;
	double period_s;
};

struct allocator {
	struct once_client *client;
	struct once_records *records;
	const char *file, *node, *tls[3], *user, *password, **urls;
	size_t n_urls;
	int64_t max_s;
	int fd;
	struct counter direct, pool;
};

static void say(const struct counter *c, const char *said, int64_t first, int64_t count)
{
	char line[512];
	struct timespec t;
	int size;

	clock_gettime(CLOCK_BOOTTIME, &t);
	size = snprintf(line, sizeof(line), "%lld%09ld %s %s %s %d %lld %lld %lld\n",
		(long long)t.tv_sec, t.tv_nsec, said, c->name, c->owner->node, (int)getpid(),
		(long long)c->seq, (long long)first, (long long)count);
	if (size < 0 || (size_t)size >= sizeof(line) ||
		write(c->owner->fd, line, (size_t)size) != size)
		_exit(3);
}

static void on_given(void *userdata, int error, int64_t first, int64_t count, const char *message)
{
	struct counter *c = userdata;

	(void)message;
	c->task = NULL;
	if (error == 0)
		say(c, "given", first, count);
	else
		say(c, "refused", error, c->wanted);
	ev_timer_set(&c->next, c->period_s, 0.);
	ev_timer_start(ev_default_loop(0), &c->next);
}

static void on_next(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct counter *c = timer->data;
	int r;

	(void)loop;
	(void)events;
	c->wanted = c->seq++ % MOST + 1;
	say(c, "asked", 0, c->wanted);
	r = c->pool ? once_ids_take(c->pool, &c->task, c->wanted, on_given, c)
		    : once_ids_alloc(
			      c->owner->records, &c->task, c->name, c->wanted, 0, on_given, c);
	if (r < 0)
		_exit(3);
}

static void on_end(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)timer;
	(void)events;
	ev_break(loop, EVBREAK_ALL);
}

static bool parse(struct allocator *a, int argc, char **argv)
{
	*a = (struct allocator){.max_s = 20};
	if (argc < 4)
		return false;
	a->file = argv[1];
	a->node = argv[2];
	for (int i = 3; i < argc; i++) {
		if (!strcmp(argv[i], "--tls") && i + 3 < argc) {
			for (int j = 0; j < 3; j++)
				a->tls[j] = argv[++i];
		} else if (!strcmp(argv[i], "--user") && i + 1 < argc) {
			a->user = argv[++i];
		} else if (!strcmp(argv[i], "--password") && i + 1 < argc) {
			a->password = argv[++i];
		} else if (!strcmp(argv[i], "--max") && i + 1 < argc) {
			a->max_s = atoll(argv[++i]);
		} else if (argv[i][0] != '-') {
			a->urls = (const char **)&argv[i];
			a->n_urls = (size_t)(argc - i);
			break;
		} else {
			return false;
		}
	}
	return a->n_urls > 0 && a->max_s > 0;
}

static void start_counter(struct allocator *a, struct counter *c, const char *name, double period_s)
{
	c->owner = a;
	c->name = name;
	c->period_s = period_s;
	ev_timer_init(&c->next, on_next, period_s, 0.);
	c->next.data = c;
	ev_timer_start(ev_default_loop(0), &c->next);
}

static int setup(struct allocator *a, struct once_loop *loop)
{
	struct once_client_config config = {.endpoints = a->urls,
		.n_endpoints = a->n_urls,
		.cacert = a->tls[0],
		.cert = a->tls[1],
		.key_file = a->tls[2],
		.user = a->user,
		.password = a->password,
		.allow_plaintext = true,
		.connect_timeout_ns = 300000000,
		.request_timeout_ns = 500000000};
	/* short, so that many a request is given up while nobody knows whether it was applied */
	struct once_records_config records = {
		.attempt_timeout_ns = 250000000, .settle_timeout_ns = 700000000};
	const char *why = NULL;
	int r = once_client_new(&a->client, loop, &config, NULL, NULL, &why);

	if (r == 0)
		r = once_records_new(&a->records, a->client, loop, &records, &why);
	if (r == 0)
		r = once_ids_new(&a->pool.pool, a->records, "pool", BLOCK);
	if (r < 0)
		fprintf(stderr, "allocator: %s\n", why ? why : strerror(-r));
	return r;
}

int main(int argc, char **argv)
{
	struct ev_loop *ev = ev_default_loop(0);
	struct once_loop *loop;
	struct allocator a;
	ev_timer end;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (!parse(&a, argc, argv)) {
		fprintf(stderr, "usage: allocator FILE NODE [--tls CA CERT KEY] [--user NAME "
				"--password WORD]\n"
				"                 [--max S] URL...\n");
		return 2;
	}
	a.fd = open(a.file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
	loop = once_loop_ev_new(ev);
	if (a.fd < 0 || !loop || setup(&a, loop) < 0)
		return 3;
	start_counter(&a, &a.direct, "direct", 0.6);
	start_counter(&a, &a.pool, "pool", 0.2);
	ev_timer_init(&end, on_end, (double)a.max_s, 0.);
	ev_timer_start(ev, &end);
	ev_run(ev, 0);
	(void)once_task_cancel(a.direct.task);
	(void)once_ids_free(a.pool.pool);
	a.records = once_records_free(a.records);
	a.client = once_client_free(a.client);
	once_loop_ev_free(loop);
	return 0;
}
