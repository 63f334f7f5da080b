/* The elector's life: feeds the core with moments, asks and answers, and tells the owner what follows.
 *
 * Everything happens in elector_step(): one event in, the core's actions performed in their order.
 * Steps come from answers, from the watch and from one timer; what the owner asks for (stop, resign,
 * stopped) is noted and taken up by that timer, so that no callback comes from inside a call.
 */
#include "elect/elector.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

void elector_say(struct once_elector *e, enum once_log_level level, const char *event,
	const char *format, ...)
{
	char text[512];
	va_list ap;

	if (!e->callbacks.on_log)
		return;
	va_start(ap, format);
	(void)vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	e->callbacks.on_log(e->userdata, level, event, text);
}

/* ---- what was saved by an earlier process ---- */

static void save(struct once_elector *e, const struct election_saved *saved)
{
	char text[128];
	int n;

	if (!e->callbacks.on_save)
		return;
	n = snprintf(text, sizeof(text), "1 %lld %lld %016llx %d", (long long)saved->token,
		(long long)saved->lease, (unsigned long long)saved->incarnation, saved->ready ? 1 : 0);
	e->callbacks.on_save(e->userdata, text, saved->token ? (size_t)n : 0);
}

static void recover(struct once_elector *e, const struct once_elector_config *config)
{
	char text[128] = "";
	long long token, lease;
	unsigned long long incarnation;
	int ready;

	if (!config->recovered || config->recovered_size >= sizeof(text))
		return;
	memcpy(text, config->recovered, config->recovered_size);
	/* NOLINTNEXTLINE(cert-err34-c): the guardian's own words */
	if (sscanf(text, "1 %lld %lld %llx %d", &token, &lease, &incarnation, &ready) != 4)
		return;
	e->recovered.token = token;
	e->recovered.lease = lease;
	e->recovered.ready = ready == 1;
	e->recovered.dead = config->recovered_empty;
}

/* ---- stepping ---- */

/* Safety rests on the guards of these: they wait until the guard is tested. */
static bool is_guarded(enum election_action_kind kind)
{
	return kind == ELECTION_ACQUIRE || kind == ELECTION_SEIZE || kind == ELECTION_RELEASE ||
		kind == ELECTION_BEAT;
}

/* Nothing of it is on its way or waits any more. */
static void leave_all(struct once_elector *e)
{
	elector_cancel_flights(e);
	list_remove(&e->in_lease);
	list_remove(&e->in_list);
	list_remove(&e->in_shard);
	list_remove(&e->in_waiting);
	e->n_owed = 0;
}

static void act(struct once_elector *e, const struct election_action *a)
{
	const struct once_elector_callbacks *cb = &e->callbacks;

	switch (a->kind) {
	case ELECTION_LEAD:
		cb->on_lead(e->userdata, a->token, a->proved);
		break;
	case ELECTION_EXTEND:
		cb->on_extend(e->userdata, a->token, a->proved);
		break;
	case ELECTION_STOP_WORK:
		cb->on_stop(e->userdata, a->token, (enum once_stop_reason)a->reason, a->grace);
		break;
	case ELECTION_SAVE:
		save(e, &a->saved);
		break;
	case ELECTION_NOTE:
		elector_note(e, a);
		break;
	case ELECTION_ENDED:
		leave_all(e);
		if (node_alone(e))
			node_quiet(e->node);
		if (cb->on_stopped)
			cb->on_stopped(e->userdata, e->error);
		break;
	default:
		if (!e->node->tested && is_guarded(a->kind))
			e->held = *a;
		else
			elector_do(e, a);
		break;
	}
}

static enum once_elector_state state_of(enum election_role role)
{
	switch (role) {
	case ELECTION_WAIT:
		return ONCE_ELECTOR_WAITING;
	case ELECTION_LEADING:
		return ONCE_ELECTOR_LEADING;
	case ELECTION_STOPPING:
	case ELECTION_RELEASING:
	case ELECTION_REVOKING:
		return ONCE_ELECTOR_STOPPING;
	case ELECTION_OVER:
		return ONCE_ELECTOR_STOPPED;
	default:
		return ONCE_ELECTOR_FOLLOWING;
	}
}

static void tell_state(struct once_elector *e)
{
	enum once_elector_state state = state_of(e->core.role);

	if (!e->callbacks.on_state || (state == e->state && strcmp(e->leader, e->told_leader) == 0))
		return;
	e->state = state;
	memcpy(e->told_leader, e->leader, sizeof(e->told_leader));
	e->callbacks.on_state(e->userdata, state, e->leader);
}

/* A new stream waits for a claim and its answer: its connection would take time from them. */
static bool may_watch(const struct once_elector *e)
{
	const struct election *core = &e->core;
	bool about_to_claim = core->role == ELECTION_FOLLOW && core->view.leader.create == 0 &&
		core->lease.id == 0 && core->lease.op != 0;

	return !e->node->shared && e->node->watch_due && !about_to_claim && core->role != ELECTION_CLAIM &&
		core->role != ELECTION_OVER;
}

/* Until a term of a shared node whose work does not die is given up; negative: there is none. */
static int64_t abandon_in(const struct once_elector *e, struct once_instant now)
{
	const struct once_timing *t = &e->timing;
	int64_t since_proof, since_last;

	if (!e->node->shared || e->core.role != ELECTION_STOPPING ||
		e->core.reason == ELECTION_REASON_LOST)
		return -1;
	since_proof = t->fence_after_ns - once_elapsed_min(e->core.proved, now);
	since_last = t->request_timeout_ns - once_elapsed_min(e->abandoned, now);
	if (e->abandoned.boot_ns != 0 && since_last > since_proof)
		since_proof = since_last;
	return since_proof > 0 ? since_proof : 0;
}

static void schedule(struct once_elector *e)
{
	bool asked = e->ask_start || e->ask_stop || e->ask_resign || e->ask_dead || e->ask_relist ||
		     e->ask_suspend || e->ask_resume || e->n_owed != 0;
	struct once_instant now = e->loop->ops->now(e->loop);
	int64_t in = election_wake_in(&e->core, now), abandon = abandon_in(e, now);

	if (abandon == 0) {
		elector_abandon(e);
		abandon = e->timing.request_timeout_ns;
	}
	if (abandon > 0 && (in < 0 || abandon < in))
		in = abandon;
	e->loop->ops->timer_set(e->timer, asked || may_watch(e) ? 0 : in);
}

/* A leader has only its own beats to see: its stream goes on without them. A follower wants them, from a
 * list on: those in between are of no use. */
static void watch_fit(struct once_elector *e)
{
	struct once_node *n = e->node;

	if (!n->watch || n->shared)
		return;
	if (e->core.role == ELECTION_LEADING && n->watch_beats)
		n->watch_due = true;
	if (state_of(e->core.role) == ONCE_ELECTOR_FOLLOWING && !n->watch_beats && !e->relisting)
		e->ask_relist = true;
}

void elector_step(struct once_elector *e, struct election_event *event)
{
	struct election_actions actions;
	bool freed = false, *outer = e->freed;

	e->freed = &freed;
	event->now = e->loop->ops->now(e->loop);
	ring_step(e->ring, &e->core, event, &actions);
	for (unsigned i = 0; i < actions.n && !freed; i++)
		act(e, &actions.v[i]);
	if (!freed)
		tell_state(e);
	if (freed) {
		if (outer)
			*outer = true;
		return;
	}
	e->freed = outer;
	register_check(e);
	watch_fit(e);
	if (e->node->plan_due)
		node_turn(e->node);
	if (e->core.role != ELECTION_OVER)
		schedule(e);
	else
		e->loop->ops->timer_set(e->timer, -1);
}

/* To be answered from the loop. */
void elector_owe(struct once_elector *e, const struct election_event *event)
{
	if (e->n_owed == ELECTOR_FLIGHTS_MAX)
		return;
	e->owed[e->n_owed++] = *event;
	e->loop->ops->timer_set(e->timer, 0);
}

static bool step_kind(struct once_elector *e, enum election_event_kind kind)
{
	struct election_event event = {.kind = kind};
	bool freed = false;

	e->freed = &freed;
	elector_step(e, &event);
	if (!freed)
		e->freed = NULL;
	return !freed;
}

static bool answer_owed(struct once_elector *e)
{
	while (e->n_owed != 0) {
		struct election_event event = e->owed[--e->n_owed];
		bool freed = false;

		e->freed = &freed;
		elector_step(e, &event);
		if (freed)
			return false;
		e->freed = NULL;
	}
	return true;
}

/* Streams begin here, never in a callback of the one before. False: freed. */
static bool watch_turn(struct once_elector *e)
{
	if (may_watch(e)) {
		e->node->watch_due = e->relisting = false;
		if (look_watch(e->node, e->core.role != ELECTION_LEADING) < 0)
			return step_kind(e, ELECTION_UNWATCHED);
	}
	if (e->ask_relist) {
		e->ask_relist = false;
		e->relisting = true;
		return step_kind(e, ELECTION_UNWATCHED);
	}
	return true;
}

/* False: freed. */
static bool suspend_turn(struct once_elector *e)
{
	if (e->ask_suspend) {
		e->ask_suspend = false;
		leave_all(e);
		e->held.kind = 0;
		node_suspend(e->node);
		return step_kind(e, ELECTION_SUSPEND);
	}
	if (e->ask_resume) {
		e->ask_resume = false;
		e->node->suspended = false;
		e->given = 0;
		return step_kind(e, ELECTION_RESUME);
	}
	return true;
}

static void on_timer(void *userdata)
{
	struct once_elector *e = userdata;

	if (!suspend_turn(e))
		return;
	if (e->ask_start) {
		struct election_event event = {.kind = ELECTION_START};
		e->ask_start = false;
		event.start.recovered = e->recovered;
		elector_step(e, &event);
		return;
	}
	if (!answer_owed(e))
		return;
	if (!watch_turn(e))
		return;
	if (e->ask_dead) {
		e->ask_dead = false;
		if (!step_kind(e, ELECTION_WORK_DEAD))
			return;
	}
	if (e->ask_resign) {
		struct election_event event = {.kind = ELECTION_RESIGN};
		e->ask_resign = false;
		event.resign.to_other = e->reserve_to[0] != '\0';
		event.resign.stay_away = e->stay_away_ns;
		e->stay_away_ns = 0;
		elector_step(e, &event);
		return;
	}
	if (e->ask_stop) {
		e->ask_stop = false;
		(void)step_kind(e, ELECTION_STOP);
		return;
	}
	(void)step_kind(e, ELECTION_TICK);
}

/* ---- start ---- */

/* The guard holds: what waited for that goes. */
void elector_tested(struct once_elector *e)
{
	if (e->held.kind != 0 && e->held.op == e->core.request.op) /* else it was given up */
		elector_do(e, &e->held);
	e->held.kind = 0;
	if (e->started)
		schedule(e);
}

int once_elector_start(struct once_elector *e)
{
	if (e->started)
		return -EALREADY;
	e->started = true;
	node_test(e->node);
	e->ask_start = true;
	e->loop->ops->timer_set(e->timer, 0);
	return 0;
}

/* ---- asked from outside ---- */

void once_elector_stop(struct once_elector *e)
{
	e->ask_stop = true;
	e->loop->ops->timer_set(e->timer, 0);
}

int once_elector_resign(struct once_elector *e, const char *to)
{
	if (e->core.role != ELECTION_LEADING && e->core.role != ELECTION_WAIT)
		return -ENOTCONN;
	if (to && !once_name_valid(to))
		return -EINVAL;
	(void)snprintf(e->reserve_to, sizeof(e->reserve_to), "%s", to ? to : "");
	e->ask_resign = true;
	e->loop->ops->timer_set(e->timer, 0);
	return 0;
}

void once_elector_stay_away(struct once_elector *e, int64_t ns)
{
	if (!e->ask_resign)
		e->reserve_to[0] = '\0';
	e->stay_away_ns = ns;
	e->ask_resign = true;
	e->loop->ops->timer_set(e->timer, 0);
}

void once_elector_suspend(struct once_elector *e)
{
	e->ask_resume = false;
	e->ask_suspend = true;
	e->loop->ops->timer_set(e->timer, 0);
}

void once_elector_resume(struct once_elector *e)
{
	e->ask_resume = true;
	e->loop->ops->timer_set(e->timer, 0);
}

void once_elector_stopped(struct once_elector *e)
{
	e->ask_dead = true;
	e->loop->ops->timer_set(e->timer, 0);
}

int64_t once_elector_may_launch_ns(const struct once_elector *e)
{
	return election_may_launch(&e->core, e->loop->ops->now(e->loop));
}

enum once_elector_state once_elector_state(const struct once_elector *e)
{
	return state_of(e->core.role);
}

int64_t once_elector_token(const struct once_elector *e)
{
	return e->core.token;
}

int64_t once_elector_lease(const struct once_elector *e)
{
	return e->core.lease.id;
}

int64_t once_elector_leader_token(const struct once_elector *e)
{
	return e->core.view.leader.create;
}

struct once_instant once_elector_beat_seen(const struct once_elector *e)
{
	return e->core.view.leader.create != 0 && e->core.view.beat.mod != 0 ? e->core.beat_seen
									     : (struct once_instant){0};
}

/* ---- life ---- */

/* One line, within the limits that every value in etcd has room for. */
static bool is_text(const char *text, size_t max, bool blanks)
{
	for (const char *at = text; *at; at++)
		if ((unsigned char)*at < ' ' || *at == 0x7f || (*at == ' ' && !blanks))
			return false;
	return strlen(text) <= max;
}

int elector_config_check(const struct once_elector_config *config, char *message, size_t size)
{
	const char *wrong = NULL;

	if (!config->key || config->key[0] == '\0' || !is_text(config->key, KEYS_PATH_MAX, true))
		wrong = "key: expected 1 to 200 printable bytes";
	else if (!config->prefix || config->prefix[0] != '/' ||
		!is_text(config->prefix, KEYS_PATH_MAX, false))
		wrong = "prefix: expected a path like /onced, at most 200 bytes, no blanks";
	else if (config->address && !is_text(config->address, KEYS_ADDRESS_MAX, true))
		wrong = "address: expected one line of at most 255 bytes";
	else if (!once_name_valid(config->group))
		wrong = "group: expected [a-z0-9][a-z0-9._-]{0,63}";
	else if (!once_name_valid(config->node))
		wrong = "node: expected [a-z0-9][a-z0-9._-]{0,63}";
	if (wrong) {
		(void)snprintf(message, size, "%s", wrong);
		return -EINVAL;
	}
	return once_timing_check(&config->timing, message, size);
}

static int core_init(struct once_elector *e, const struct once_timing *t)
{
	struct election_config core = {
		.lease_ttl = t->lease_ttl_s * ONCE_NSEC_PER_SEC,
		.fence_after = t->fence_after_ns,
		.beat_interval = t->beat_interval_ns,
		.request_timeout = t->request_timeout_ns,
		.stop_grace = t->stop_grace_ns,
		.kill_budget = t->kill_budget_ns,
		.drift_ppm = t->clock_drift_ppm,
		.incarnation = e->node->incarnation,
		.seize = true,
		/* until it is known who else is there */
		.stand_back = e->named ? SPREAD_SETTLE_MAX + ONCE_NSEC_PER_SEC : 0,
	};

	if (getrandom(&core.seed, sizeof(core.seed), 0) != (ssize_t)sizeof(core.seed))
		return -EIO;
	election_init(&e->core, &core);
	return 0;
}

static int elector_init(struct once_elector *e, const struct once_elector_config *config)
{
	int r = keys_init(&e->keys, config);

	if (r < 0)
		return r;
	e->timing = config->timing;
	e->value = strdup(config->value ? config->value : config->node);
	e->group = strdup(config->group);
	e->named = e->node->shared && strcmp(config->group, "default") != 0;
	e->timer = e->loop->ops->timer_new(e->loop, on_timer, e);
	if (!e->value || !e->group || !e->timer)
		return -ENOMEM;
	if (e->named) { /* until it has a shard */
		free(e->keys.beat);
		e->keys.beat = NULL;
	}
	HASH_ADD_KEYPTR(hh_key, e->node->by_key, e->keys.leader, strlen(e->keys.leader), e);
	HASH_ADD_KEYPTR(hh_group, e->node->by_group, e->group, strlen(e->group), e);
	if (!e->hh_key.tbl || !e->hh_group.tbl)
		return -ENOMEM;
	recover(e, config);
	if (config->record)
		recorder_init(e);
	return core_init(e, &config->timing);
}

/* By name, but the default group first, which speaks for the node. Every node deals out the groups in this
 * order. */
static void in_order(struct once_elector *e, const char *group)
{
	struct list *before = e->node->electors.prev;

	if (strcmp(group, "default") == 0)
		before = &e->node->electors;
	while (before != &e->node->electors) {
		const char *other = list_entry(before, struct once_elector, in_node)->group;
		if (strcmp(other, group) < 0 || strcmp(other, "default") == 0)
			break;
		before = before->prev;
	}
	list_insert_between(&e->in_node, before, before->next);
}

static int elector_make(struct once_elector **ret, struct once_node *node,
	const struct once_elector_config *config, const struct once_elector_callbacks *callbacks,
	void *userdata, char *message, size_t size)
{
	struct once_elector *e = calloc(1, sizeof(*e));
	int r;

	if (!e) {
		if (!node->shared)
			(void)once_node_free(node);
		return -ENOMEM;
	}
	e->node = node;
	e->loop = node->loop;
	e->callbacks = *callbacks;
	e->userdata = userdata;
	list_init(&e->in_lease);
	list_init(&e->in_list);
	list_init(&e->in_shard);
	list_init(&e->in_waiting);
	in_order(e, config->group);
	r = elector_init(e, config);
	if (r < 0) {
		(void)snprintf(message, size, "%s", strerror(-r));
		(void)once_elector_free(e);
		return r;
	}
	*ret = e;
	return 0;
}

int once_elector_new(struct once_elector **ret, struct once_client *client, struct once_loop *loop,
	const struct once_elector_config *config, const struct once_elector_callbacks *callbacks,
	void *userdata, char *message, size_t size)
{
	struct once_node *node;
	char ignored[1];
	int r;

	if (!message) {
		message = ignored;
		size = sizeof(ignored);
	}
	r = elector_config_check(config, message, size);
	if (r < 0)
		return r;
	node = node_new_lone(client, loop, config);
	if (!node)
		return -ENOMEM;
	return elector_make(ret, node, config, callbacks, userdata, message, size);
}

int once_elector_new_on(struct once_elector **ret, struct once_node *node,
	const struct once_elector_config *given, const struct once_elector_callbacks *callbacks,
	void *userdata, char *message, size_t size)
{
	struct once_elector_config config = *given;
	char key[KEYS_PATH_MAX + ONCE_NAME_MAX + 2], ignored[1];
	int r;

	if (!message) {
		message = ignored;
		size = sizeof(ignored);
	}
	config.key = node->key;
	config.prefix = node->prefix;
	config.node = node->name;
	config.address = node->address;
	config.timing = node->timing;
	if (config.group && strcmp(config.group, "default") != 0) {
		(void)snprintf(key, sizeof(key), "%s/%s", node->key, config.group);
		config.key = key;
	}
	r = elector_config_check(&config, message, size);
	if (r < 0)
		return r;
	if (node_by_key(node, once_str(config.key))) {
		(void)snprintf(message, size, "group %s: there already", config.group);
		return -EEXIST;
	}
	return elector_make(ret, node, &config, callbacks, userdata, message, size);
}

/* What is left of a freed elector, once nobody goes through the node's electors any more. */
void elector_destroy(struct once_elector *e)
{
	list_remove(&e->in_node);
	keys_fini(&e->keys);
	free(e->value);
	free(e->group);
	free(e);
}

struct once_elector *once_elector_free(struct once_elector *e)
{
	struct once_node *n;

	if (!e || e->gone)
		return NULL;
	n = e->node;
	if (e->freed)
		*e->freed = true;
	leave_all(e);
	shard_leave(e);
	if (e->hh_key.tbl)
		HASH_DELETE(hh_key, n->by_key, e);
	if (e->hh_group.tbl)
		HASH_DELETE(hh_group, n->by_group, e);
	if (e->timer)
		e->loop->ops->timer_free(e->timer);
	recorder_fini(e);
	node_enter(n);
	e->gone = true;
	if (!n->shared)
		(void)once_node_free(n);
	node_leave(n);
	return NULL;
}
