/* A node of many groups, for tests/bench/groups.py: groups NODE COUNT ENDPOINT. Says "lead G TOKEN", "stop G"
 * and "end" in lines; ends at SIGTERM in order, on SIGKILL as a crash would. */
#include <once/elect.h>
#include <once/ev.h>

#include <ev.h>
#include <stdio.h>
#include <stdlib.h>

struct group {
	struct once_elector *elector;
	unsigned number;
};

static struct once_node *node;
static struct group *groups;
static unsigned n_groups, n_left;

static void on_lead(void *userdata, int64_t token, struct once_instant proved)
{
	const struct group *g = userdata;

	(void)proved;
	printf("lead %u %lld\n", g->number, (long long)token);
}

static void on_extend(void *userdata, int64_t token, struct once_instant proved)
{
	(void)userdata;
	(void)token;
	(void)proved;
}

static void on_stop(
	void *userdata, int64_t token, enum once_stop_reason reason, int64_t grace_ns)
{
	const struct group *g = userdata;

	(void)token;
	(void)grace_ns;
	printf("stop %u %d\n", g->number, (int)reason);
	once_elector_stopped(g->elector);
}

static void on_stopped(void *userdata, int error)
{
	struct group *g = userdata;

	(void)error;
	g->elector = once_elector_free(g->elector);
	if (--n_left == 0)
		ev_break(EV_DEFAULT, EVBREAK_ALL);
}

static void on_log(void *userdata, enum once_log_level level, const char *event, const char *text)
{
	const struct group *g = userdata;

	if (level <= ONCE_LOG_WARNING)
		(void)fprintf(stderr, "g%u %s: %s\n", g->number, event, text);
}

static void on_term(struct ev_loop *loop, ev_signal *w, int events)
{
	(void)loop;
	(void)w;
	(void)events;
	for (unsigned i = 0; i < n_groups; i++)
		if (groups[i].elector)
			once_elector_stop(groups[i].elector);
}

static int start(struct once_client *client, struct once_loop *loop, const char *name)
{
	static const struct once_elector_callbacks callbacks = {.on_lead = on_lead,
		.on_extend = on_extend,
		.on_stop = on_stop,
		.on_log = on_log,
		.on_stopped = on_stopped};
	struct once_node_config config = {.key = "/leader", .prefix = "/onced", .node = name};
	char message[256], group[24];

	(void)once_timing_profile(&config.timing, "normal");
	if (once_node_new(&node, client, loop, &config, message, sizeof(message)) < 0) {
		(void)fprintf(stderr, "groups: %s\n", message);
		return -1;
	}
	for (unsigned i = 0; i < n_groups; i++) {
		struct once_elector_config elector = {.group = group};

		(void)snprintf(group, sizeof(group), "g%u", i);
		groups[i].number = i;
		if (once_elector_new_on(&groups[i].elector, node, &elector, &callbacks, &groups[i],
			    message, sizeof(message)) < 0) {
			(void)fprintf(stderr, "groups: %s\n", message);
			return -1;
		}
		(void)once_elector_start(groups[i].elector);
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct ev_loop *ev = ev_default_loop(0);
	struct once_loop *loop = ev ? once_loop_ev_new(ev) : NULL;
	struct once_client_config config = {.endpoints = (const char *const *)(argv + 3),
		.n_endpoints = argc > 3 ? (size_t)argc - 3 : 0,
		.prefer_leader = true,
		.request_timeout_ns = 900 * ONCE_NSEC_PER_MSEC};
	struct once_client *client = NULL;
	const char *message = "";
	ev_signal term;

	if (argc < 4 || !loop || sscanf(argv[2], "%u", &n_groups) != 1 || n_groups == 0) {
		(void)fprintf(stderr, "usage: groups NODE COUNT ENDPOINT...\n");
		return 2;
	}
	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	groups = calloc(n_groups, sizeof(*groups));
	n_left = n_groups;
	if (!groups || once_client_new(&client, loop, &config, NULL, NULL, &message) < 0) {
		(void)fprintf(stderr, "groups: %s\n", message);
		return 1;
	}
	ev_signal_init(&term, on_term, 15);
	ev_signal_start(ev, &term);
	if (start(client, loop, argv[1]) < 0)
		return 1;
	ev_run(ev, 0);
	printf("end\n");
	node = once_node_free(node);
	client = once_client_free(client);
	loop = once_loop_ev_free(loop);
	free(groups);
	return 0;
}
