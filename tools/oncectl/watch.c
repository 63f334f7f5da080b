/* Waiting for a change of a key; and --watch, the same round again and again. */
#include "tools/oncectl/ctl.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

struct awaited {
	ctl_seen_fn *seen;
	void *userdata;
	bool yes, ended, done;
};

static void on_watch(void *userdata, const struct once_watch_report *report)
{
	struct awaited *a = userdata;

	if (report->note == ONCE_WATCH_COMPACTED || report->note == ONCE_WATCH_FAILED)
		a->ended = a->done = true;
	for (size_t i = 0; i < report->n_events && !a->yes; i++)
		if (a->seen(a->userdata, &report->events[i]))
			a->yes = a->done = true;
}

bool ctl_await(struct ctl *ctl, const char *key, int64_t revision, int64_t timeout_ns,
	ctl_seen_fn *seen, void *userdata)
{
	struct once_watch_range range = {.key = once_str(key)};
	struct once_watch_config config = {
		.ranges = &range, .n_ranges = 1, .start_revision = revision + 1};
	struct awaited a = {.seen = seen, .userdata = userdata};
	struct once_watch *watch = NULL;

	if (once_watch_start(ctl->client, &watch, &config, on_watch, &a) < 0) {
		(void)ctl_out_of_memory();
		return false;
	}
	(void)ctl_wait(ctl, &a.done, timeout_ns);
	if (!a.ended)
		(void)once_watch_cancel(watch);
	return a.yes;
}

static volatile sig_atomic_t interrupted;

static void on_signal(int signo)
{
	interrupted = signo;
}

int ctl_watch(struct ctl *ctl, int (*round)(struct ctl *ctl))
{
	const char *text = ctl_flag(ctl, "--interval");
	int64_t interval = 2 * ONCE_NSEC_PER_SEC;
	bool screen = isatty(STDOUT_FILENO) && !ctl->json;
	int code = CTL_OK;

	if (text)
		code = ctl_parse_duration("--interval", text, 100 * ONCE_NSEC_PER_MSEC,
			3600 * ONCE_NSEC_PER_SEC, &interval);
	if (code != CTL_OK || !ctl_flag(ctl, "--watch"))
		return code != CTL_OK ? code : round(ctl);
	/* An end on request is a good one. */
	(void)signal(SIGINT, on_signal);
	(void)signal(SIGTERM, on_signal);
	while (!interrupted) {
		if (screen)
			fputs("\033[H\033[2J", stdout);
		code = round(ctl);
		if (fflush(stdout) != 0 || code == CTL_USAGE)
			return code;
		if (!interrupted)
			ctl_sleep(ctl, interval);
		ctl_round(ctl);
	}
	return CTL_OK;
}
