/* See seats.h. */
#include "tests/unit/seats.h"

int64_t now_of(const struct world *w)
{
	return w->crowd.loop.now_ns;
}

static void on_extend(void *userdata, int64_t token, struct once_instant proved)
{
	struct seat *s = userdata;
	int64_t until =
		proved.boot_ns + s->world->timing.fence_after_ns - s->world->timing.kill_budget_ns;

	assert_true(proved.boot_ns <= now_of(s->world));
	if (s->token == token && until - s->until > s->gap)
		s->gap = until - s->until;
	s->token = token;
	s->until = until;
	if (s->world->free_node) {
		s->world->free_node = false;
		node_kill(s->world, s->node);
	}
}

static void on_lead(void *userdata, int64_t token, struct once_instant proved)
{
	struct seat *s = userdata;

	on_extend(s, token, proved);
	s->alive = true;
	s->gap = 0;
	s->leads++;
	s->lead_at = now_of(s->world);
}

static void on_stop(void *userdata, int64_t token, enum once_stop_reason reason, int64_t grace_ns)
{
	struct seat *s = userdata;

	s->stopped = reason;
	if (s->world->free_at_stop) {
		s->world->free_at_stop = false;
		node_kill(s->world, s->node);
		return;
	}
	if (s->stuck)
		return;
	s->alive = false;
	once_elector_stopped(s->elector);
}

static void on_stopped(void *userdata, int error)
{
	struct seat *s = userdata;

	s->elector = once_elector_free(s->elector);
}

static void on_save(void *userdata, const void *data, size_t size)
{
	struct seat *s = userdata;

	assert_true(size < sizeof(s->saved));
	memcpy(s->saved, data, size);
	s->saved[size] = '\0';
}

static void on_log(void *userdata, enum once_log_level level, const char *event, const char *text)
{
	struct seat *s = userdata;

	s->world->errors += level == ONCE_LOG_ERR;
	if (getenv("GROUPS_LOG"))
		print_message("%8lld %c g%u %s: %s\n", (long long)(now_of(s->world) / MS),
			'a' + (int)s->node, s->group, event, text);
}

void node_start(struct world *w, unsigned node)
{
	static const struct once_elector_callbacks callbacks = {.on_lead = on_lead,
		.on_extend = on_extend,
		.on_stop = on_stop,
		.on_log = on_log,
		.on_save = on_save,
		.on_stopped = on_stopped};
	char name[2] = {(char)('a' + node), 0};
	struct once_node_config config = {
		.key = "/leader", .prefix = "/onced", .node = name, .timing = w->timing};

	assert_int_equal(once_node_new(&w->node[node], w->crowd.member[node].client,
				 &w->crowd.loop.loop, &config, NULL, 0),
		0);
	for (unsigned g = 0; g < w->n_groups; g++) {
		struct seat *s = &w->seat[node][g];
		char group[16];
		struct seat before = *s;
		struct once_elector_config elector = {.group = group,
			.recovered = before.saved,
			.recovered_size = w->recover ? strlen(before.saved) : 0,
			.recovered_empty = w->recover};

		(void)snprintf(group, sizeof(group), g == 0 ? "default" : "g%u", g);
		*s = (struct seat){.world = w, .node = node, .group = g};
		assert_int_equal(once_elector_new_on(&s->elector, w->node[node], &elector,
					 &callbacks, s, NULL, 0),
			0);
		assert_int_equal(once_elector_start(s->elector), 0);
	}
}

void node_kill(struct world *w, unsigned node)
{
	w->node[node] = once_node_free(w->node[node]);
	for (unsigned g = 0; g < w->n_groups; g++) {
		w->seat[node][g].alive = false;
		w->seat[node][g].elector = NULL;
	}
}

void world_init(struct world *w, unsigned nodes, unsigned groups, uint64_t seed, int faults)
{
	memset(w, 0, sizeof(*w));
	crowd_init(&w->crowd, nodes, seed, faults);
	assert_int_equal(once_timing_profile(&w->timing, "normal"), 0);
	w->n_nodes = nodes;
	w->n_groups = groups;
	for (unsigned n = 0; n < nodes; n++)
		node_start(w, n);
}

void world_fini(struct world *w)
{
	for (unsigned n = 0; n < w->n_nodes; n++)
		w->node[n] = once_node_free(w->node[n]);
	crowd_fini(&w->crowd);
	assert_int_equal(w->overlaps, 0);
}

bool lives(const struct world *w, unsigned node, unsigned group)
{
	const struct seat *s = &w->seat[node][group];
	return s->alive && now_of(w) < s->until;
}

static void check(struct world *w)
{
	for (unsigned g = 0; g < w->n_groups; g++) {
		unsigned alive = 0;

		for (unsigned n = 0; n < w->n_nodes; n++)
			alive += lives(w, n, g);
		if (alive > 1 && w->overlaps++ == 0)
			print_message("group %u: %u at once at %lld ms\n", g, alive,
				(long long)(now_of(w) / MS));
	}
}

void run(struct world *w, int64_t ns)
{
	int64_t end = now_of(w) + ns;

	while (now_of(w) < end) {
		crowd_step(&w->crowd);
		check(w);
	}
}

unsigned owned_by(const struct world *w, unsigned node)
{
	unsigned n = 0;

	for (unsigned g = 0; g < w->n_groups; g++)
		n += lives(w, node, g);
	return n;
}

unsigned owned(const struct world *w)
{
	unsigned n = 0;

	for (unsigned i = 0; i < w->n_nodes; i++)
		n += owned_by(w, i);
	return n;
}
