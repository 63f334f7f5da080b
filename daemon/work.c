/* One run in the ledger. See work.h. */
#include "daemon/work.h"

#include "daemon/log.h"
#include "daemon/result.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void advance(struct work *w);

static void set_timer(struct work *w, int64_t ns)
{
	w->scene->loop->ops->timer_set(w->timer, ns);
}

static void tell(const struct work *w, const struct once_run *run)
{
	if (w->scene->ran)
		w->scene->ran(w->scene->userdata, w->job, w->name, run);
}

/* Here it is over; whoever leads next decides it. */
static void tell_left(const struct work *w)
{
	struct once_run run = w->run;

	run.state = ONCE_RUN_INTERRUPTED;
	run.end_ms = once_utc_now();
	(void)snprintf(run.reason, sizeof(run.reason), "term");
	if (w->began)
		tell(w, &run);
}

static void drop_result(struct work *w)
{
	free(w->result);
	w->result = NULL;
	w->result_size = 0;
	result_close(&w->process.result_fd);
}

static void finish(struct work *w, enum work_event event)
{
	if (event == WORK_LEFT)
		tell_left(w);
	w->task = once_task_cancel(w->task);
	set_timer(w, -1);
	w->state = WORK_IDLE;
	output_fini(&w->process.output);
	drop_result(w);
	w->fn(w->userdata, w, event);
}

/* Two requests' time for what is left to write when the term ends. */
static void limit(struct work *w)
{
	if (w->stopping)
		set_timer(w, 2 * w->scene->config->timing.request_timeout_ns);
}

/* ---- records --------------------------------------------------------------------------------- */

/* True: final. Else it is sent again after a beat, as long as the term lasts. */
static bool is_final(struct work *w, const struct once_ledger_answer *answer, const char *what)
{
	w->task = NULL;
	if (answer->result >= 0)
		return true;
	log_warning("record", "%s: %s is not recorded yet: %s", w->name, what, answer->message);
	if (!w->stopping)
		set_timer(w, w->scene->config->timing.beat_interval_ns);
	return false;
}

/* The term ends, and nothing was launched, for certain: recorded as an attempt that waits, so that whoever leads
 * next begins it, whatever OnInterrupt= says of those that may have run. */
static void leave_unstarted(struct work *w)
{
	w->run.exited = true;
	(void)snprintf(w->run.detail, sizeof(w->run.detail), "was not started");
	w->state = WORK_RETRYING;
	limit(w);
	advance(w);
}

static void on_begun(void *userdata, const struct once_ledger_answer *answer)
{
	struct work *w = userdata;

	if (!is_final(w, answer, "the begin"))
		return;
	switch (answer->result) {
	case ONCE_LEDGER_DONE:
		w->mod_revision = answer->mod_revision;
		if (w->stopping) {
			leave_unstarted(w);
			return;
		}
		w->state = WORK_RUNNING;
		process_start(&w->process, &w->launch, (size_t)w->job->output_tail);
		tell(w, &w->run);
		if (!w->began)
			w->fn(w->userdata, w, WORK_BEGAN);
		w->began = true;
		return;
	case ONCE_LEDGER_WITHDRAWN:
		finish(w, WORK_WITHDRAWN);
		return;
	case ONCE_LEDGER_FENCED:
		finish(w, WORK_FENCED);
		return;
	default:
		finish(w, WORK_EXISTS);
		return;
	}
}

static int send_begin(struct work *w)
{
	struct once_term term = {w->scene->config->key, w->run.token};
	struct once_begin begin = {.key = w->key,
		.run = &w->run,
		.term = &term,
		.cursor_key = w->cursor_key[0] ? w->cursor_key : NULL,
		.cursor_value = w->cursor_value,
		.trigger_key = w->trigger_key[0] ? w->trigger_key : NULL};

	if (w->taken_up)
		return once_ledger_decide(w->scene->records, &w->task, w->key, w->mod_revision,
			&w->run, &term, 0, on_begun, w);
	return once_ledger_begin(w->scene->records, &w->task, &begin, 0, on_begun, w);
}

static void on_retry(void *userdata, const struct once_ledger_answer *answer)
{
	struct work *w = userdata;

	if (!is_final(w, answer, "a failed attempt"))
		return;
	if (answer->result != ONCE_LEDGER_DONE) {
		finish(w, answer->result == ONCE_LEDGER_FENCED ? WORK_FENCED : WORK_EXISTS);
		return;
	}
	w->mod_revision = answer->mod_revision;
	if (w->stopping) {
		finish(w, WORK_LEFT);
		return;
	}
	w->state = WORK_PAUSED;
	set_timer(w, w->retry_delay_ns);
}

static int send_retry(struct work *w)
{
	struct once_term term = {w->scene->config->key, w->run.token};

	return once_ledger_decide(w->scene->records, &w->task, w->key, w->mod_revision, &w->run,
		&term, 0, on_retry, w);
}

static void on_ended(void *userdata, const struct once_ledger_answer *answer)
{
	struct work *w = userdata;

	if (!is_final(w, answer, "the end"))
		return;
	if (answer->result == ONCE_LEDGER_CHANGED)
		log_warning("late-end", "%s: ended as %s after it had been decided otherwise",
			w->name, once_run_state_name(w->run.state));
	finish(w, WORK_ENDED);
}

static int send_end(struct work *w)
{
	struct once_run run = w->run;
	char *tail = malloc((size_t)w->job->output_tail + 1);
	int r;

	run.output_size = w->process.output.total;
	if (tail)
		run.tail = (struct once_bytes){tail, output_tail(&w->process.output, tail)};
	run.result = (struct once_bytes){w->result, w->result_size};
	r = once_ledger_end(w->scene->records, &w->task, w->key, w->mod_revision, &run, NULL, 0, 0,
		on_ended, w);
	free(tail);
	return r;
}

/* Sends what the state wants recorded. */
static void advance(struct work *w)
{
	int r = w->state == WORK_BEGINNING  ? send_begin(w)
		: w->state == WORK_RETRYING ? send_retry(w)
					    : send_end(w);

	if (r == 0)
		return;
	log_err("record", "%s: cannot be recorded: %s", w->name, strerror(-r));
	set_timer(w, w->scene->config->timing.beat_interval_ns); /* memory may come back */
}

/* ---- what a command came to ------------------------------------------------------------------ */

static void describe(struct work *w, const struct process_result *result)
{
	struct once_run *run = &w->run;

	run->end_ms = once_utc_now();
	run->exited = result->started && result->signal == 0;
	run->exit_code = run->exited ? result->code : 0;
	run->exit_signal = result->signal;
	run->user_us =
		result->usage.ru_utime.tv_sec * INT64_C(1000000) + result->usage.ru_utime.tv_usec;
	run->system_us =
		result->usage.ru_stime.tv_sec * INT64_C(1000000) + result->usage.ru_stime.tv_usec;
	run->max_rss_kib = result->usage.ru_maxrss;
}

static void set_end(struct work *w, enum once_run_state state, const char *reason)
{
	w->run.state = state;
	(void)snprintf(w->run.reason, sizeof(w->run.reason), "%s", reason);
}

static void log_end(const struct work *w)
{
	bool good = w->run.state == ONCE_RUN_OK;

	log_at(good ? ONCE_LOG_INFO : ONCE_LOG_WARNING, "run-ended",
		"%s: %s%s%s, attempt %u, exit code %d%s%s", w->name,
		once_run_state_name(w->run.state), w->run.reason[0] ? ", " : "", w->run.reason,
		w->run.attempt, w->process.result.code, w->run.detail[0] ? ": " : "",
		w->run.detail);
}

static void end(struct work *w)
{
	log_end(w);
	tell(w, &w->run);
	w->state = WORK_ENDING;
	limit(w);
	advance(w);
}

/* The attempt failed. True: there will be another one. */
static bool retry(struct work *w, const struct process_result *result)
{
	int64_t delay_ns =
		policy_retry_ns(&w->job->retry, w->run.attempt, result->code, w->timed_out);

	if (delay_ns < 0 || w->forced)
		return false;
	log_warning("retry", "%s: attempt %u ended with %d%s; the next one begins in %.3g s",
		w->name, w->run.attempt, result->code, w->timed_out ? " at its timeout" : "",
		(double)delay_ns / 1e9);
	w->retry_delay_ns = delay_ns;
	w->run.attempt++;
	w->run.state = ONCE_RUN_BEGUN;
	w->run.exited = true; /* nothing of it lives: a successor may go on */
	w->run.exit_code = result->code;
	w->run.exit_signal = 0;
	w->state = WORK_RETRYING;
	limit(w);
	advance(w);
	return true;
}

/* It ended with 0. What it handed back goes with that, or it has not done what it was for. */
static void succeeded(struct work *w)
{
	int r = result_read(w->process.result_fd, &w->result, &w->result_size);

	if (r == 0) {
		set_end(w, ONCE_RUN_OK, "");
	} else {
		if (r == -EMSGSIZE)
			(void)snprintf(w->run.detail, sizeof(w->run.detail),
				"its result has %zu bytes, at most %d fit", w->result_size,
				ONCE_RESULT_MAX);
		else
			(void)snprintf(w->run.detail, sizeof(w->run.detail),
				"its result cannot be read: %s", strerror(-r));
		w->result_size = 0;
		set_end(w, ONCE_RUN_FAILED, "result");
	}
	end(w);
}

/* It was cut off with its term, or by the guardian at its deadline. */
static void interrupted(struct work *w)
{
	if (w->job->on_interrupt != POLICY_INTERRUPT_SKIP) {
		log_warning("run-cut-off", "%s: cut off; OnInterrupt= decides", w->name);
		finish(w, WORK_LEFT);
		return;
	}
	set_end(w, ONCE_RUN_INTERRUPTED, "term");
	end(w);
}

static void on_process(void *userdata, struct process *process)
{
	struct work *w = userdata;
	const struct process_result *result = &process->result;

	set_timer(w, -1);
	describe(w, result);
	if (w->forced) {
		(void)snprintf(w->run.detail, sizeof(w->run.detail), "%s", w->forced_by);
		set_end(w,
			strcmp(w->forced, "killed") == 0 ? ONCE_RUN_FAILED : ONCE_RUN_INTERRUPTED,
			w->forced);
		end(w);
	} else if (result->told && !w->timed_out) {
		interrupted(w);
	} else if (result->started && result->code == 0 && !w->timed_out) {
		succeeded(w);
	} else if (!result->started && result->error == -ESTALE) {
		leave_unstarted(w); /* the term ended before there was time for it */
	} else if (!retry(w, result)) {
		if (!result->started)
			(void)snprintf(w->run.detail, sizeof(w->run.detail), "%s %s: %s",
				result->what, w->job->unit ? w->job->unit : w->launch.argv[0],
				launch_refused_text(result->error, result->what));
		set_end(w, w->timed_out ? ONCE_RUN_TIMEOUT : ONCE_RUN_FAILED,
			w->timed_out	  ? "time"
			: result->started ? ""
					  : "exec");
		end(w);
	}
}

/* ---- timer ----------------------------------------------------------------------------------- */

static void begin_attempt(struct work *w)
{
	w->taken_up = true;
	w->timed_out = false;
	w->run.exited = false;
	w->run.exit_code = w->run.exit_signal = 0;
	w->run.end_ms = 0;
	w->run.start_ms = once_utc_now();
	w->launch.attempt = w->run.attempt;
	w->launch.reason = "retry";
	(void)snprintf(w->run.cause, sizeof(w->run.cause), "retry");
	w->state = WORK_BEGINNING;
	advance(w);
}

static void on_timer(void *userdata)
{
	struct work *w = userdata;

	switch (w->state) {
	case WORK_IDLE:
		break;
	case WORK_RUNNING:
		log_warning("timeout", "%s: attempt %u takes longer than its Timeout=: stopping it",
			w->name, w->run.attempt);
		w->timed_out = true;
		(void)process_stop(&w->process, w->job->stop_grace_ns);
		break;
	case WORK_PAUSED:
		begin_attempt(w);
		break;
	case WORK_BEGINNING:
	case WORK_RETRYING:
	case WORK_ENDING:
		if (w->stopping)
			finish(w, w->state == WORK_ENDING ? WORK_ENDED : WORK_LEFT);
		else if (!w->task)
			advance(w);
		break;
	}
}

/* ---- what the owner asks --------------------------------------------------------------------- */

int work_init(struct work *w, const struct scene *scene, const struct config_job *job, work_fn *fn,
	void *userdata)
{
	memset(w, 0, sizeof(*w));
	w->scene = scene;
	w->job = job;
	w->fn = fn;
	w->userdata = userdata;
	w->timer = scene->loop->ops->timer_new(scene->loop, on_timer, w);
	if (!w->timer)
		return -ENOMEM;
	return process_init(&w->process, scene, on_process, w);
}

void work_fini(struct work *w)
{
	w->task = once_task_cancel(w->task);
	process_fini(&w->process);
	if (w->timer)
		w->scene->loop->ops->timer_free(w->timer);
	w->timer = NULL;
	free(w->cursor_value);
	w->cursor_value = NULL;
	drop_result(w);
}

static int set_record(struct work *w, const struct work_order *order)
{
	struct once_run *run = &w->run;
	int r = 0;

	if (order->former) {
		*run = *order->former;
		run->tail = run->result = (struct once_bytes){0};
		run->output_size = 0;
		/* Of an attempt that waits to begin it is its own number already. */
		if (run->state != ONCE_RUN_BEGUN || !run->exited)
			run->attempt++;
	} else {
		*run = (struct once_run){.attempt = 1, .scheduled_ms = order->scheduled_ms};
		r = once_run_id_new(run->id);
	}
	run->state = ONCE_RUN_BEGUN;
	run->token = w->scene->term->token;
	run->start_ms = once_utc_now();
	run->end_ms = 0;
	run->exited = false;
	run->exit_code = run->exit_signal = 0;
	run->reason[0] = run->closed_by[0] = '\0';
	(void)snprintf(run->node, sizeof(run->node), "%s", w->scene->config->node);
	(void)snprintf(run->cause, sizeof(run->cause), "%s", order->cause);
	(void)snprintf(run->detail, sizeof(run->detail), "%s", order->detail ? order->detail : "");
	(void)snprintf(run->hash, sizeof(run->hash), "%s", order->hash ? order->hash : "");
	return r;
}

static void set_launch(struct work *w, const struct work_order *order)
{
	w->launch = (struct launch){.config = w->scene->config,
		.job = w->job,
		.argv = order->argv,
		.argc = order->argc,
		.attempt = w->run.attempt,
		.reason = w->run.cause,
		.name = w->name,
		.scheduled = w->scheduled[0] ? w->scheduled : NULL,
		.n_variables = order->n_variables,
		.takes_result = true,
		.out_fd = -1};
	memcpy(w->launch.variables, order->variables, sizeof(w->launch.variables));
}

int work_start(struct work *w, const struct work_order *order)
{
	int r = set_record(w, order);

	if (r < 0)
		return r;
	free(w->cursor_value);
	w->cursor_value = order->cursor_value ? strdup(order->cursor_value) : NULL;
	if (order->cursor_value && !w->cursor_value)
		return -ENOMEM;
	(void)snprintf(w->key, sizeof(w->key), "%s", order->key);
	(void)snprintf(w->name, sizeof(w->name), "%s", order->name);
	(void)snprintf(w->cursor_key, sizeof(w->cursor_key), "%s",
		order->cursor_key ? order->cursor_key : "");
	(void)snprintf(w->trigger_key, sizeof(w->trigger_key), "%s",
		order->trigger_key ? order->trigger_key : "");
	(void)once_utc_format(w->scheduled, w->run.scheduled_ms);
	w->taken_up = order->former;
	w->mod_revision = order->mod_revision;
	w->began = w->stopping = w->timed_out = false;
	w->forced = NULL;
	set_launch(w, order);
	w->state = WORK_BEGINNING;
	advance(w);
	return 0;
}

bool work_stop(struct work *w, int64_t grace_ns)
{
	w->stopping = true;
	switch (w->state) {
	case WORK_IDLE:
		return false;
	case WORK_BEGINNING:
		if (grace_ns > 0) { /* its answer decides what is left */
			limit(w);
			return true;
		}
		break;
	case WORK_PAUSED:
		break;
	case WORK_RUNNING:
		if (process_stop(&w->process, grace_ns))
			return true;
		leave_unstarted(w);
		return true;
	case WORK_RETRYING:
	case WORK_ENDING:
		limit(w);
		return true;
	}
	tell_left(w);
	w->task = once_task_cancel(w->task);
	set_timer(w, -1);
	w->state = WORK_IDLE;
	return false;
}

void work_force(struct work *w, const char *reason, const char *detail)
{
	if (w->forced || (w->state != WORK_RUNNING && w->state != WORK_PAUSED))
		return;
	w->forced = reason;
	(void)snprintf(w->forced_by, sizeof(w->forced_by), "%s", detail ? detail : "");
	if (w->state == WORK_RUNNING && process_stop(&w->process, w->job->stop_grace_ns))
		return;
	(void)snprintf(w->run.detail, sizeof(w->run.detail), "%s", w->forced_by);
	set_end(w, strcmp(reason, "killed") == 0 ? ONCE_RUN_FAILED : ONCE_RUN_INTERRUPTED, reason);
	set_timer(w, -1);
	end(w);
}

void work_packet(struct work *w, const void *packet, uint32_t type)
{
	const struct link_started *started = packet;

	if (type == LINK_STARTED) {
		log_info("started", "%s: started, pid %d, token %lld", w->name, started->pid,
			(long long)w->run.token);
		if (w->job->timeout_ns > 0 && w->state == WORK_RUNNING && !w->timed_out)
			set_timer(w, w->job->timeout_ns);
	}
	process_packet(&w->process, packet, type);
}
