/* See claimed.h. Happy path: a claim, and then either the command here, whose end is told to the
 * claim, or the record of another's run, whose output is printed. All of them exit with the
 * command's status; what is oncectl's own fault is 125, as env(1) has it. */
#include "tools/oncectl/claimed.h"

#include "daemon/result.h"
#include "tools/oncectl/child.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { OWN_FAULT = CLAIMED_OWN_FAULT, LIVE_DEFAULT_S = 10 };

struct claimed {
	struct ctl *ctl;
	const char *what, *key;
	struct child child;
	int result_fd; /* inherited by the command */
	char *result;  /* owned */
	struct once_claim *claim;
	int64_t live_ns;
	bool done, ran;
	int code;
};

struct once_records *claimed_records(struct ctl *ctl)
{
	struct once_records_config config = {.prefix = ctl->config.prefix,
		.attempt_timeout_ns = ctl->timeout_ns < 2 * ONCE_NSEC_PER_SEC ? ctl->timeout_ns : 0,
		.settle_timeout_ns = ctl->timeout_ns};
	struct once_records *records = NULL;
	const char *message = "out of memory";

	if (once_records_new(&records, ctl->client, ctl->loop, &config, &message) < 0)
		(void)ctl_error(CTL_FAILED, "%s", message);
	return records;
}

/* ---- the run here ---------------------------------------------------------------------------- */

/* With what ended well; one that cannot be kept is no good end. */
static void take_result(struct claimed *c)
{
	struct once_run *run = &c->child.run;
	int r = run->state == ONCE_RUN_OK ? result_read(c->result_fd, &c->result, &run->result.size)
					  : 0;

	run->result.data = c->result;
	if (r == 0)
		return;
	(void)snprintf(run->detail, sizeof(run->detail),
		"its result of %zu bytes cannot be kept: %s", run->result.size, strerror(-r));
	run->result.size = 0;
	run->state = ONCE_RUN_FAILED;
	run->exited = false;
	memcpy(run->reason, "result", sizeof("result"));
}

static void on_ended(void *userdata)
{
	struct claimed *c = userdata;
	int r;

	child_fuse(&c->child, (struct once_instant){0}, 0);
	take_result(c);
	r = once_claim_end(c->claim, &c->child.run, NULL, 0);
	if (r < 0) {
		c->code = ctl_error(
			OWN_FAULT, "%s: its end cannot be recorded: %s", c->what, once_strerror(r));
		c->done = true;
	}
}

static void on_run(void *userdata, const struct once_run *run, struct once_instant proved)
{
	struct claimed *c = userdata;
	char *environment[5];
	int r;

	environment[0] = (char *)ctl_printf(c->ctl, "ONCED_RUN=%s", run->id);
	environment[1] = (char *)ctl_printf(c->ctl, "ONCED_ATTEMPT=%u", run->attempt);
	environment[2] = (char *)ctl_printf(c->ctl, "ONCED_KEY=%s", c->key);
	environment[3] = (char *)ctl_printf(c->ctl, "ONCED_RESULT_FD=%d", c->result_fd);
	environment[4] = NULL;
	c->ran = true;
	child_fuse(&c->child, proved, c->live_ns);
	r = child_start(&c->child, c->ctl->command_argv, environment);
	if (r == 0)
		return;
	/* not even a process: that is its end */
	c->child.run = (struct once_run){.state = ONCE_RUN_FAILED, .reason = "exec"};
	(void)snprintf(c->child.run.detail, sizeof(c->child.run.detail), "%s", strerror(-r));
	on_ended(c);
}

static void on_extend(void *userdata, struct once_instant proved)
{
	struct claimed *c = userdata;

	if (c->child.pid)
		child_fuse(&c->child, proved, c->live_ns);
}

static void on_stop(void *userdata)
{
	struct claimed *c = userdata;

	(void)ctl_error(0,
		"%s: etcd was not reached in time, or its key was lost: the command is killed",
		c->what);
	child_kill(&c->child);
}

/* ---- what came of it ------------------------------------------------------------------------- */

static void replay(const struct claimed *c, const struct once_run *run)
{
	if (run->output_size > (int64_t)run->tail.size)
		(void)ctl_error(0, "%s: of its %lld bytes of output the last %zu are recorded",
			c->what, (long long)run->output_size, run->tail.size);
	(void)fwrite(run->tail.data, 1, run->tail.size, stdout);
}

/* The exit code of a run that has ended. */
static int code_of(const struct claimed *c, const struct once_run *run)
{
	if (run->state == ONCE_RUN_OK)
		return run->exit_code;
	if (run->state == ONCE_RUN_FAILED && strcmp(run->reason, "exec") == 0)
		return ctl_error(run->exited ? run->exit_code : OWN_FAULT,
			"%s: the command could not be executed on %s: %s", c->what, run->node,
			run->detail);
	if (run->state == ONCE_RUN_FAILED && strcmp(run->reason, "result") == 0)
		return ctl_error(OWN_FAULT, "%s: %s", c->what, run->detail);
	if (run->state == ONCE_RUN_FAILED && run->exited)
		return run->exit_code;
	if (run->state == ONCE_RUN_FAILED && run->exit_signal)
		return 128 + run->exit_signal;
	return ctl_error(OWN_FAULT, "%s: attempt %u on %s is %s%s%s: how far it came is not known",
		c->what, run->attempt, run->node[0] ? run->node : "?",
		once_run_state_name(run->state), run->reason[0] ? ", " : "", run->reason);
}

static void on_done(void *userdata, int result, const struct once_run *run, const char *message)
{
	struct claimed *c = userdata;

	c->done = true;
	if (result == ONCE_CLAIM_FOUND && run) {
		replay(c, run);
		c->code = code_of(c, run);
	} else if (result == ONCE_CLAIM_RAN && run) {
		c->code = code_of(c, run);
	} else if (result == ONCE_CLAIM_CONFLICT && run) {
		c->code = ctl_error(OWN_FAULT,
			"%s: %s on %s at %s with another content; give it another name, or "
			"--content",
			c->what, run->state == ONCE_RUN_BEGUN ? "runs" : "ran", run->node,
			ctl_time_text(c->ctl, run->start_ms * ONCE_NSEC_PER_MSEC));
	} else if (result == ONCE_CLAIM_OVERTAKEN) {
		c->code = ctl_error(OWN_FAULT,
			"%s: it ran here, but was decided elsewhere meanwhile: %s", c->what,
			run ? once_run_state_name(run->state) : "its record is gone");
	} else if (c->ran) {
		c->code = ctl_error(OWN_FAULT, "%s: it ran here, but its end is not recorded: %s",
			c->what, message);
	} else {
		c->code = ctl_error(OWN_FAULT, "%s: %s", c->what, message);
	}
}

/* ---- the command line ------------------------------------------------------------------------ */

static int read_flags(struct ctl *ctl, struct once_claim_config *config, char hash[ONCE_HASH_SIZE])
{
	const char *content = ctl_flag(ctl, "--content"), *live = ctl_flag(ctl, "--live");
	const char *interrupt = ctl_flag(ctl, "--on-interrupt"), *wait = ctl_flag(ctl, "--wait");
	struct once_bytes parts[256];
	size_t n = 0;
	int64_t ns = LIVE_DEFAULT_S * ONCE_NSEC_PER_SEC;
	int code = 0;

	if (interrupt && strcmp(interrupt, "report") == 0)
		config->on_interrupt = ONCE_INTERRUPT_REPORT;
	else if (interrupt && strcmp(interrupt, "rerun") == 0)
		config->on_interrupt = ONCE_INTERRUPT_RERUN;
	else if (interrupt)
		return ctl_error(CTL_USAGE,
			"--on-interrupt: bad value \"%s\", expected report or rerun", interrupt);
	if (wait)
		code = ctl_parse_duration("--wait", wait, 1, 365 * 86400 * ONCE_NSEC_PER_SEC,
			&config->wait_timeout_ns);
	if (code == 0 && live)
		code = ctl_parse_duration(
			"--live", live, 2 * ONCE_NSEC_PER_SEC, 3600 * ONCE_NSEC_PER_SEC, &ns);
	if (code)
		return code;
	config->live_ms = ns / ONCE_NSEC_PER_MSEC;
	if (content)
		parts[n++] = once_str(content);
	for (char **word = ctl->command_argv; !content && *word; word++) {
		if (n == sizeof(parts) / sizeof(parts[0]))
			return ctl_error(CTL_USAGE, "more than %zu words: give --content", n);
		parts[n++] = once_str(*word);
	}
	return once_hash(hash, parts, n) < 0 ? ctl_out_of_memory() : CTL_OK;
}

int claimed_run(
	struct ctl *ctl, const char *key, const char *what, struct claimed_defaults defaults)
{
	static const struct once_claim_callbacks callbacks = {
		.on_run = on_run, .on_extend = on_extend, .on_stop = on_stop, .on_done = on_done};
	struct once_claim_config config = {
		.key = key, .on_interrupt = defaults.on_interrupt, .rerun = defaults.rerun};
	struct claimed c = {.ctl = ctl, .what = what, .key = key, .result_fd = -1};
	struct once_records *records;
	char host[ONCE_ID_MAX + 1] = "", hash[ONCE_HASH_SIZE];
	const char *message = "out of memory";

	if (!ctl->command_argv)
		return ctl_error(CTL_USAGE, "%s: expected -- COMMAND [ARGUMENT...]", what);
	c.code = read_flags(ctl, &config, hash);
	if (c.code)
		return c.code;
	(void)gethostname(host, sizeof(host) - 1);
	config.node = once_id_valid(host) ? host : "unnamed";
	config.hash = hash;
	c.live_ns = config.live_ms * ONCE_NSEC_PER_MSEC;
	records = claimed_records(ctl);
	c.code = records ? child_init(&c.child, ctl, on_ended, &c) : CTL_FAILED;
	if (c.code == CTL_OK &&
		once_claim_new(&c.claim, records, &config, &callbacks, &c, &message) < 0)
		c.code = ctl_error(CTL_USAGE, "%s: %s", what, message);
	if (c.claim && (c.result_fd = result_open()) >= 0)
		(void)fcntl(c.result_fd, F_SETFD, 0);
	else if (c.claim)
		c.code = ctl_error(OWN_FAULT, "result: %s", strerror(-c.result_fd));
	while (c.claim && c.result_fd >= 0 && !c.done)
		(void)ctl_wait(ctl, &c.done, 3600 * ONCE_NSEC_PER_SEC);
	c.claim = once_claim_free(c.claim);
	result_close(&c.result_fd);
	free(c.result);
	if (records)
		child_fini(&c.child);
	records = once_records_free(records);
	return c.code;
}
