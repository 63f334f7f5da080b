/* scribe FILE NODE [options] URL...: keeps the ledger under fire.
 *
 * It is part of the job under test and works as a leader's scheduler does: for each moment of a
 * schedule that all nodes share it begins that moment's run, guarded by $ONCED_TOKEN; only when that
 * is recorded it does the work, which is a line in FILE, and then records the end. Each request is a
 * line before it and a line after it, each a single O_APPEND write:
 *
 *   BOOTTIME-NS SAID OP KEY TOKEN NODE PID RUN-ID MOD-REVISION
 *
 * OP: begin, end. SAID: intent; done; fenced, exists, changed, refused (it was not written and never
 * will be); unknown; work (with OP begin: the work of this run is done now). ledger.py compares it
 * with what etcd was seen to hold. */
#include <ev.h>
#include <errno.h>
#include <fcntl.h>
#include <once/ev.h>
#include <once/ledger.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

enum { SLOTS = 16 };

struct run {
	struct scribe *scribe;
	struct once_task *task;
	bool used;
	char key[ONCE_KEY_SIZE];
	struct once_run record;
};

struct scribe {
	struct once_client *client;
	struct once_records *records;
	const char *file, *node, *tls[3], *user, *password, **urls;
	size_t n_urls;
	int64_t token, period_ms, max_s, ticks, last_ms;
	int fd;
	struct run runs[SLOTS];
	ev_timer tick;
};

static void say(const struct run *run, const char *said, const char *op, int64_t mod)
{
	char line[1024];
	struct timespec t;
	int size;

	clock_gettime(CLOCK_BOOTTIME, &t);
	size = snprintf(line, sizeof(line), "%lld%09ld %s %s %s %lld %s %d %s %lld\n",
		(long long)t.tv_sec, t.tv_nsec, said, op, run->key, (long long)run->scribe->token,
		run->scribe->node, (int)getpid(), run->record.id, (long long)mod);
	if (size < 0 || (size_t)size >= sizeof(line) ||
		write(run->scribe->fd, line, (size_t)size) != size)
		_exit(3);
}

static const char *verdict(const struct once_ledger_answer *answer)
{
	if (answer->outcome == ONCE_UNKNOWN)
		return "unknown";
	switch (answer->result) {
	case ONCE_LEDGER_DONE:
		return "done";
	case ONCE_LEDGER_FENCED:
		return "fenced";
	case ONCE_LEDGER_EXISTS:
		return "exists";
	case ONCE_LEDGER_CHANGED:
		return "changed";
	default:
		return answer->outcome == ONCE_NOT_APPLIED ? "refused" : "unknown";
	}
}

static void on_end(void *userdata, const struct once_ledger_answer *answer)
{
	struct run *run = userdata;

	run->task = NULL;
	run->used = false;
	say(run, verdict(answer), "end", answer->mod_revision);
}

static void on_begin(void *userdata, const struct once_ledger_answer *answer)
{
	struct run *run = userdata;
	const char *said = verdict(answer);

	run->task = NULL;
	run->used = false;
	say(run, said, "begin", answer->mod_revision);
	if (strcmp(said, "done") != 0)
		return;
	say(run, "work", "begin", answer->mod_revision);
	run->record.state = ONCE_RUN_OK;
	run->record.end_ms = once_utc_now();
	run->record.exited = true;
	say(run, "intent", "end", answer->mod_revision);
	run->used = once_ledger_end(run->scribe->records, &run->task, run->key,
			    answer->mod_revision, &run->record, NULL, 0, 0, on_end, run) == 0;
	if (!run->used)
		say(run, "refused", "end", 0);
}

/* The run of a moment; which moments there are does not depend on who asks. */
static void begin(struct scribe *s, int64_t moment)
{
	struct once_term term = {"/leader", s->token};
	struct once_begin begin = {.term = &term};
	struct run *run = NULL;

	for (int i = 0; i < SLOTS && !run; i++)
		run = s->runs[i].used ? NULL : &s->runs[i];
	if (!run)
		return; /* etcd does not answer; the moment is missed */
	*run = (struct run){.scribe = s,
		.record = {.state = ONCE_RUN_BEGUN,
			.token = s->token,
			.attempt = 1,
			.scheduled_ms = moment,
			.start_ms = once_utc_now(),
			.cause = "schedule"}};
	(void)snprintf(run->record.node, sizeof(run->record.node), "%s", s->node);
	if (once_run_id_new(run->record.id) < 0 ||
		once_key_make(run->key, "/onced", ONCE_KEY_RUN, "scribe", NULL, moment) < 0)
		_exit(3);
	begin.key = run->key;
	begin.run = &run->record;
	say(run, "intent", "begin", 0);
	run->used = once_ledger_begin(s->records, &run->task, &begin, 0, on_begin, run) == 0;
	if (!run->used)
		say(run, "refused", "begin", 0);
}

static void on_tick(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct scribe *s = timer->data;
	int64_t moment = once_utc_now() / s->period_ms * s->period_ms;

	(void)events;
	if (moment != s->last_ms)
		begin(s, moment);
	s->last_ms = moment;
	if (++s->ticks * s->period_ms >= s->max_s * 1000)
		ev_break(loop, EVBREAK_ALL);
}

static bool parse(struct scribe *s, int argc, char **argv)
{
	const char *token = getenv("ONCED_TOKEN");

	*s = (struct scribe){.period_ms = 400, .max_s = 7200, .token = token ? atoll(token) : 0};
	if (argc < 4)
		return false;
	s->file = argv[1];
	s->node = argv[2];
	for (int i = 3; i < argc; i++) {
		if (!strcmp(argv[i], "--tls") && i + 3 < argc) {
			for (int j = 0; j < 3; j++)
				s->tls[j] = argv[++i];
		} else if (!strcmp(argv[i], "--user") && i + 1 < argc) {
			s->user = argv[++i];
		} else if (!strcmp(argv[i], "--password") && i + 1 < argc) {
			s->password = argv[++i];
		} else if (!strcmp(argv[i], "--period") && i + 1 < argc) {
			s->period_ms = atoll(argv[++i]);
		} else if (!strcmp(argv[i], "--max") && i + 1 < argc) {
			s->max_s = atoll(argv[++i]);
		} else if (argv[i][0] != '-') {
			s->urls = (const char **)&argv[i];
			s->n_urls = (size_t)(argc - i);
			break;
		} else {
			return false;
		}
	}
	return s->n_urls > 0 && s->period_ms > 0 && s->token > 0;
}

static int setup(struct scribe *s, struct once_loop *loop)
{
	struct once_client_config config = {.endpoints = s->urls,
		.n_endpoints = s->n_urls,
		.cacert = s->tls[0],
		.cert = s->tls[1],
		.key_file = s->tls[2],
		.user = s->user,
		.password = s->password,
		.allow_plaintext = true,
		.connect_timeout_ns = 300000000,
		.request_timeout_ns = 500000000};
	struct once_records_config records = {
		.attempt_timeout_ns = 400000000, .settle_timeout_ns = INT64_C(4000000000)};
	const char *why = NULL;
	int r = once_client_new(&s->client, loop, &config, NULL, NULL, &why);

	if (r == 0)
		r = once_records_new(&s->records, s->client, loop, &records, &why);
	if (r < 0)
		fprintf(stderr, "scribe: %s\n", why ? why : strerror(-r));
	return r;
}

int main(int argc, char **argv)
{
	struct ev_loop *ev = ev_default_loop(0);
	struct once_loop *loop;
	struct scribe s;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (!parse(&s, argc, argv)) {
		fprintf(stderr, "usage: scribe FILE NODE [--tls CA CERT KEY] [--user NAME --password WORD]\n"
			"              [--period MS] [--max S] URL...\n"
			"       with ONCED_TOKEN in the environment\n");
		return 2;
	}
	s.fd = open(s.file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
	loop = once_loop_ev_new(ev);
	if (s.fd < 0 || !loop || setup(&s, loop) < 0)
		return 3;
	ev_timer_init(&s.tick, on_tick, 0., (double)s.period_ms / 1000);
	s.tick.data = &s;
	ev_timer_start(ev, &s.tick);
	ev_run(ev, 0);
	s.records = once_records_free(s.records);
	s.client = once_client_free(s.client);
	once_loop_ev_free(loop);
	return 0;
}
