/* A program of your own that leads or follows, on its own libev loop:
 *
 *	cc elect.c $(pkg-config --cflags --libs once) -lev
 *	./elect http://127.0.0.1:2379 node1
 *
 * It prints a line each second while it leads. The work here is a timer of this process, so "proven
 * dead" is simply "the timer is stopped"; work in other processes has to be waited for. Work that must
 * not outlive a stopped process needs a guard outside of it, as the onced daemon has. */
#include <ev.h>
#include <once/elect.h>
#include <once/ev.h>
#include <stdio.h>
#include <string.h>

struct worker {
	struct ev_loop *loop;
	struct once_elector *elector;
	ev_timer tick;
	int64_t token;
	struct once_instant proved;
	int64_t valid_ns;
	int error; /* why the elector ended */
};

static void on_tick(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct worker *w = timer->data;

	(void)loop;
	(void)events;
	/* Before each thing that must not happen twice: is there time left under the last proof? */
	if (once_elapsed_max(w->proved, once_instant_now()) >= w->valid_ns)
		return;
	printf("working, token %lld\n", (long long)w->token);
	fflush(stdout);
}

static void on_lead(void *userdata, int64_t token, struct once_instant proved)
{
	struct worker *w = userdata;

	w->token = token;
	w->proved = proved;
	ev_timer_start(w->loop, &w->tick);
}

static void on_extend(void *userdata, int64_t token, struct once_instant proved)
{
	struct worker *w = userdata;

	(void)token;
	w->proved = proved;
}

static void on_stop(void *userdata, int64_t token, enum once_stop_reason reason, int64_t grace_ns)
{
	struct worker *w = userdata;

	(void)reason;
	(void)grace_ns;
	ev_timer_stop(w->loop, &w->tick);
	printf("stopped, token %lld\n", (long long)token);
	fflush(stdout);
	once_elector_stopped(w->elector);
}

static void on_log(void *userdata, enum once_log_level level, const char *event, const char *text)
{
	(void)userdata;
	(void)event;
	if (level <= ONCE_LOG_INFO)
		fprintf(stderr, "%s\n", text);
}

static void on_stopped(void *userdata, int error)
{
	struct worker *w = userdata;

	w->error = error;
	ev_break(w->loop, EVBREAK_ALL);
}

static void on_signal(struct ev_loop *loop, ev_signal *signal, int events)
{
	struct worker *w = signal->data;

	(void)loop;
	(void)events;
	once_elector_stop(w->elector);
}

int main(int argc, char **argv)
{
	static const struct once_elector_callbacks callbacks = {
		.on_lead = on_lead,
		.on_extend = on_extend,
		.on_stop = on_stop,
		.on_log = on_log,
		.on_stopped = on_stopped,
	};
	const char *endpoints[] = {argc > 1 ? argv[1] : "http://127.0.0.1:2379"};
	struct once_client_config client_config = {.endpoints = endpoints, .n_endpoints = 1};
	struct once_elector_config config = {.key = "/example/leader",
		.prefix = "/example/state",
		.group = "default",
		.node = argc > 2 ? argv[2] : "node1"};
	struct worker w = {.loop = ev_default_loop(0)};
	struct once_loop *loop = once_loop_ev_new(w.loop);
	struct once_client *client = NULL;
	ev_signal terminate, interrupt;
	char message[256] = "";
	const char *why = NULL;
	int r;

	(void)once_timing_profile(&config.timing, "fast");
	w.valid_ns = config.timing.fence_after_ns;
	ev_timer_init(&w.tick, on_tick, 0., 1.);
	w.tick.data = &w;
	ev_signal_init(&terminate, on_signal, SIGTERM);
	ev_signal_init(&interrupt, on_signal, SIGINT);
	terminate.data = interrupt.data = &w;
	ev_signal_start(w.loop, &terminate);
	ev_signal_start(w.loop, &interrupt);

	r = once_client_new(&client, loop, &client_config, NULL, NULL, &why);
	if (r < 0) {
		fprintf(stderr, "elect: %s\n", why ? why : once_strerror(r));
		return 1;
	}
	r = once_elector_new(&w.elector, client, loop, &config, &callbacks, &w, message, sizeof(message));
	if (r < 0) {
		fprintf(stderr, "elect: %s\n", message);
		return 1;
	}
	r = once_elector_start(w.elector);
	if (r == 0)
		ev_run(w.loop, 0);
	w.elector = once_elector_free(w.elector);
	client = once_client_free(client);
	loop = once_loop_ev_free(loop);
	return r < 0 || w.error < 0;
}
