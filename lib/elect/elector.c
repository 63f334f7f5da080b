/* The elector's life: feeds the core with moments, asks and answers, and tells the owner what follows.
 *
 * Everything happens in elector_step(): one event in, the core's actions performed in their order.
 * Steps come from answers, from the watch and from one timer; what the owner asks for (stop, resign,
 * stopped) is noted and taken up by that timer, so that no callback comes from inside a call.
 *
 * Beside the first steps the guard is tested: a txn whose compare is false must come back refused. Until
 * etcd has shown that, no guarded write is sent. */
#include "elect/elector.h"

#include "base/duration.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

static const int64_t SAY_AGAIN = 60 * ONCE_NSEC_PER_SEC;

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

/* Says once when etcd stops answering, each minute while it does not, and once when it is back. */
void elector_answered(struct once_elector *e, const struct once_response *response)
{
	struct once_instant now = e->loop->ops->now(e->loop);

	if (response->outcome == ONCE_APPLIED) {
		if (e->unreachable)
			elector_say(e, ONCE_LOG_INFO, "etcd-answers", "etcd answers again: %s",
				response->endpoint ? response->endpoint : "");
		e->unreachable = false;
		return;
	}
	if (response->error == 0 || response->error == -ENOENT || response->error == -ENOSPC)
		return;
	if (e->unreachable && once_elapsed_max(e->unreachable_at, now) < SAY_AGAIN)
		return;
	e->unreachable = true;
	e->unreachable_at = now;
	elector_say(e, ONCE_LOG_WARNING, "etcd-silent", "etcd does not serve us: %s: %s",
		response->endpoint ? response->endpoint : "",
		response->message[0] ? response->message : once_strerror(response->error));
}

/* ---- the core's notes in words ---- */

static void say_note(struct once_elector *e, const struct election_action *a)
{
	const char *event = election_note_name(a->note);
	long long token = (long long)a->token;
	char d[DURATION_TEXT_MAX];
	double s = (double)a->duration / 1e9;

	switch (a->note) {
	case ELECTION_NOTE_FOLLOWING:
		elector_say(e, ONCE_LOG_INFO, event, "following %s (token %lld)", e->leader, token);
		break;
	case ELECTION_NOTE_VACANT:
		elector_say(e, ONCE_LOG_DEBUG, event, "nobody leads");
		break;
	case ELECTION_NOTE_ACQUIRED:
		elector_say(e, ONCE_LOG_INFO, event, "holding %s, token %lld", e->keys.leader, token);
		break;
	case ELECTION_NOTE_WAITING:
		elector_say(e, ONCE_LOG_INFO, event,
			"waiting %.3f s: work of the term before may still live", s);
		break;
	case ELECTION_NOTE_READY:
		elector_say(e, ONCE_LOG_DEBUG, event, "the wait is over");
		break;
	case ELECTION_NOTE_SEIZING:
		elector_say(e, ONCE_LOG_WARNING, event,
			"leader %s (token %lld) has been silent for %.3f s: taking over", e->leader, token, s);
		break;
	case ELECTION_NOTE_SEIZED:
		elector_say(e, ONCE_LOG_INFO, event, "ended the silent term %lld", token);
		break;
	case ELECTION_NOTE_LOST:
		elector_say(e, ONCE_LOG_WARNING, event,
			"lost leadership (token %lld): %s is not ours any more", token, e->keys.leader);
		break;
	case ELECTION_NOTE_DEADLINE:
		elector_say(e, ONCE_LOG_WARNING, event,
			"leadership (token %lld) could not be proven in time: stopping", token);
		break;
	case ELECTION_NOTE_RELEASED:
		elector_say(e, ONCE_LOG_INFO, event, "released token %lld: its work is dead", token);
		break;
	case ELECTION_NOTE_RECOVERED:
		elector_say(e, ONCE_LOG_INFO, event,
			"released token %lld of an earlier process: its work is dead", token);
		break;
	case ELECTION_NOTE_PHANTOM:
		elector_say(e, ONCE_LOG_INFO, event,
			"a request given up was applied late (token %lld): undoing it", token);
		break;
	case ELECTION_NOTE_CONFIG_OTHER:
		elector_say(e, ONCE_LOG_ERR, event,
			"not campaigning: %s in etcd is not this node's timing (%s). To change the timing, "
			"stop every node, then delete the keys under %s",
			e->keys.config, e->keys.config_value, e->keys.group);
		break;
	case ELECTION_NOTE_CONFIG_ABSENT:
		elector_say(e, ONCE_LOG_ERR, event,
			"not campaigning: %s is missing though there were terms. To begin anew, stop every "
			"node, then delete the keys under %s",
			e->keys.config, e->keys.group);
		break;
	case ELECTION_NOTE_RESERVED:
		elector_say(e, ONCE_LOG_INFO, event, "leadership is reserved for another node");
		break;
	case ELECTION_NOTE_NOSPACE:
		elector_say(e, ONCE_LOG_ERR, event,
			"etcd has no space (NOSPACE alarm): still leading, but nothing can be written");
		break;
	case ELECTION_NOTE_SPACE:
		elector_say(e, ONCE_LOG_INFO, event, "etcd takes writes again");
		break;
	case ELECTION_NOTE_TTL_SHORT:
		elector_say(e, ONCE_LOG_ERR, event,
			"not campaigning: etcd granted a lease of %s, FenceAfter is longer",
			duration_format(d, a->duration));
		break;
	case ELECTION_NOTE_UNKNOWN:
		elector_say(e, ONCE_LOG_DEBUG, event, "an answer was lost; asking again");
		break;
	case ELECTION_NOTE_FOREIGN:
		elector_say(e, ONCE_LOG_ERR, event,
			"not campaigning: %s was put by something else and is on no lease, so it never "
			"ends. Delete it when nothing relies on it",
			e->keys.leader);
		break;
	case ELECTION_NOTES:
		break;
	}
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

static void perform(struct once_elector *e, const struct election_action *a)
{
	if (elector_perform(e, a) < 0 && e->n_refused < ELECTOR_FLIGHTS_MAX)
		e->refused[e->n_refused++] = *a;
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
		say_note(e, a);
		break;
	case ELECTION_ENDED:
		e->watch = once_watch_cancel(e->watch);
		e->self_test = once_call_cancel(e->self_test);
		e->loop->ops->timer_set(e->test_timer, -1);
		e->register_call = once_call_cancel(e->register_call);
		elector_cancel_flights(e);
		if (cb->on_stopped)
			cb->on_stopped(e->userdata, e->error);
		break;
	default:
		if (!e->tested && is_guarded(a->kind))
			e->held = *a;
		else
			perform(e, a);
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

	return e->watch_due && !about_to_claim && core->role != ELECTION_CLAIM &&
		core->role != ELECTION_OVER;
}

static void schedule(struct once_elector *e)
{
	bool asked = e->ask_start || e->ask_stop || e->ask_resign || e->ask_dead || e->ask_relist || e->n_refused != 0;

	e->loop->ops->timer_set(e->timer,
		asked || may_watch(e) ? 0 : election_wake_in(&e->core, e->loop->ops->now(e->loop)));
}

/* A leader has only its own beats to see: its stream goes on without them. A follower wants them, from a
 * list on: those in between are of no use. */
static void watch_fit(struct once_elector *e)
{
	if (!e->watch)
		return;
	if (e->core.role == ELECTION_LEADING && e->watch_beats)
		e->watch_due = true;
	if (state_of(e->core.role) == ONCE_ELECTOR_FOLLOWING && !e->watch_beats && !e->relisting)
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
	schedule(e);
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

/* An operation that could not be started has no effect and never will have. */
static bool answer_refused(struct once_elector *e)
{
	while (e->n_refused != 0) {
		struct election_action a = e->refused[--e->n_refused];
		struct election_event event = {.kind = ELECTION_LIST_FAILED};
		bool freed = false;

		if (a.kind != ELECTION_LIST) {
			event.kind = ELECTION_REPLY;
			event.reply.op = a.op;
			event.reply.outcome = ELECTION_REFUSED;
		}
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
		e->watch_due = e->relisting = false;
		if (elector_watch(e, e->core.role != ELECTION_LEADING) < 0)
			return step_kind(e, ELECTION_UNWATCHED);
	}
	if (e->ask_relist) {
		e->ask_relist = false;
		e->relisting = true;
		return step_kind(e, ELECTION_UNWATCHED);
	}
	return true;
}

static void on_timer(void *userdata)
{
	struct once_elector *e = userdata;

	if (e->ask_start) {
		struct election_event event = {.kind = ELECTION_START};
		e->ask_start = false;
		event.start.recovered = e->recovered;
		elector_step(e, &event);
		return;
	}
	if (!answer_refused(e))
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

static void on_self_test(void *userdata, const struct once_response *response)
{
	struct once_elector *e = userdata;

	e->self_test = NULL;
	elector_answered(e, response);
	if (response->outcome != ONCE_APPLIED) {
		e->loop->ops->timer_set(e->test_timer, e->timing.request_timeout_ns / 2);
		return;
	}
	e->tested = true;
	if (e->held.kind != 0 && e->held.op == e->core.request.op) /* else it was given up */
		perform(e, &e->held);
	schedule(e);
}

static void self_test(void *userdata)
{
	struct once_elector *e = userdata;
	struct once_call_options options = {ONCE_LANE_CONTROL, e->timing.request_timeout_ns};

	if (once_self_test(e->client, &e->self_test, &options, once_str(e->keys.leader), on_self_test,
		    e) < 0)
		e->loop->ops->timer_set(e->test_timer, e->timing.request_timeout_ns);
}

int once_elector_start(struct once_elector *e)
{
	if (e->started)
		return -EALREADY;
	e->started = true;
	self_test(e);
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

/* ---- life ---- */

/* One line, within the limits that every value in etcd has room for. */
static bool is_text(const char *text, size_t max, bool blanks)
{
	for (const char *at = text; *at; at++)
		if ((unsigned char)*at < ' ' || *at == 0x7f || (*at == ' ' && !blanks))
			return false;
	return strlen(text) <= max;
}

static int config_check(const struct once_elector_config *config, char *message, size_t size)
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
		.seize = true,
	};
	uint64_t random[2];

	if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
		return -EIO;
	core.incarnation = random[0] ? random[0] : 1;
	core.seed = random[1];
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
	e->node = strdup(config->node);
	e->address = strdup(config->address ? config->address : "");
	e->timer = e->loop->ops->timer_new(e->loop, on_timer, e);
	e->test_timer = e->loop->ops->timer_new(e->loop, self_test, e);
	if (!e->value || !e->node || !e->address || !e->timer || !e->test_timer)
		return -ENOMEM;
	r = register_init(e);
	if (r < 0)
		return r;
	recover(e, config);
	if (config->record)
		recorder_init(e);
	return core_init(e, &config->timing);
}

int once_elector_new(struct once_elector **ret, struct once_client *client, struct once_loop *loop,
	const struct once_elector_config *config, const struct once_elector_callbacks *callbacks,
	void *userdata, char *message, size_t size)
{
	struct once_elector *e;
	char ignored[1];
	int r;

	if (!message) {
		message = ignored;
		size = sizeof(ignored);
	}
	r = config_check(config, message, size);
	if (r < 0)
		return r;
	e = calloc(1, sizeof(*e));
	if (!e)
		return -ENOMEM;
	e->client = client;
	e->loop = loop;
	e->callbacks = *callbacks;
	e->userdata = userdata;
	r = elector_init(e, config);
	if (r < 0) {
		(void)snprintf(message, size, "%s", strerror(-r));
		(void)once_elector_free(e);
		return r;
	}
	*ret = e;
	return 0;
}

struct once_elector *once_elector_free(struct once_elector *e)
{
	if (!e)
		return NULL;
	if (e->freed)
		*e->freed = true;
	e->self_test = once_call_cancel(e->self_test);
	elector_cancel_flights(e);
	e->watch = once_watch_cancel(e->watch);
	if (e->timer)
		e->loop->ops->timer_free(e->timer);
	if (e->test_timer)
		e->loop->ops->timer_free(e->test_timer);
	register_fini(e);
	recorder_fini(e);
	keys_fini(&e->keys);
	free(e->value);
	free(e->node);
	free(e->address);
	free(e);
	return NULL;
}
