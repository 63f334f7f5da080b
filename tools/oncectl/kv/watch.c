/* oncectl watch KEY [END] [-- COMMAND...], as etcdctl's.
 *
 * Happy path: a watch that resumes by itself; every event is printed, and COMMAND run for it with
 * ETCD_WATCH_KEY and so on in its environment, one after the other.
 *
 * It ends when the server refuses: exit code 5, as after compaction; or when a COMMAND fails: 1. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/oncectl/kv/watch.h"

/* ---- reports --------------------------------------------------------------------------------- */

static void change(struct kv_watcher *w)
{
	if (w->changed)
		*w->changed = true;
}

static void finish(struct kv_watcher *w, int code)
{
	w->code = code;
	w->ended = true;
	change(w);
}

static void on_refusal(struct kv_watcher *w, const struct once_watch_report *report)
{
	(void)fflush(stdout);
	fprintf(stderr, "watch was canceled (%s)\n",
		report->note == ONCE_WATCH_COMPACTED
			? "etcdserver: mvcc: required revision has been compacted"
			: report->message);
	kv_watch_print(w->ctl, report);
	(void)fflush(stdout);
	w->watch = NULL;
	finish(w, CTL_INTERRUPTED);
}

static void on_events(struct kv_watcher *w, const struct once_watch_report *report)
{
	int code = CTL_OK;

	kv_watch_print(w->ctl, report);
	(void)fflush(stdout);
	for (size_t i = 0; w->command && i < report->n_events && code == CTL_OK; i++)
		code = kv_watch_run(w->ctl, w->command, report, &report->events[i]);
	if (code == CTL_OK)
		return;
	w->watch = once_watch_cancel(w->watch);
	finish(w, code);
}

void kv_watch_progress(struct kv_watcher *w, const struct once_watch_report *report)
{
	printf("progress notify: %lld\n", (long long)report->revision);
	kv_watch_print(w->ctl, report);
	(void)fflush(stdout);
}

static void on_report(void *userdata, const struct once_watch_report *report)
{
	struct kv_watcher *w = userdata;

	switch (report->note) {
	case ONCE_WATCH_EVENTS:
		on_events(w, report);
		return;
	case ONCE_WATCH_PROGRESS:
		kv_watch_progress(w, report);
		return;
	case ONCE_WATCH_COMPACTED:
	case ONCE_WATCH_FAILED:
		on_refusal(w, report);
		return;
	case ONCE_WATCH_STARTED:
		w->started = true;
		change(w);
		return;
	case ONCE_WATCH_BROKEN:
		return;
	}
}

/* ---- starting -------------------------------------------------------------------------------- */

int kv_watch_environment(struct kv_watch_environment *ret)
{
	const char *key = getenv("ETCDCTL_WATCH_KEY"), *end = getenv("ETCDCTL_WATCH_RANGE_END");

	*ret = (struct kv_watch_environment){key ? key : "", end ? end : ""};
	if (!*ret->key && *ret->range_end)
		return kv_error(CTL_BAD_ARGS,
			"ETCDCTL_WATCH_KEY is empty but got ETCDCTL_WATCH_RANGE_END=\"%s\"",
			ret->range_end);
	return CTL_OK;
}

/* Key and range of the words, or of the environment; the key outlives the line. */
static const char *read_range(
	struct ctl *line, const struct kv_watch_environment *environment, struct once_op *ret)
{
	bool prefix = ctl_flag(line, "--prefix");
	const char *key = environment->key, *end = environment->range_end;

	if (line->n_words > 0) {
		key = line->words[0];
		end = line->n_words == 2 ? line->words[1] : "";
	} else if (!*key) {
		return "bad number of arguments";
	}
	if (*end && prefix)
		return "`range_end` and `--prefix` are mutually exclusive";
	ret->key = *key ? once_str(key) : (struct once_bytes){"", 1};
	ret->key.data = arena_copy(&line->line, ret->key.data, ret->key.size);
	ret->range_end = once_str(end);
	if (prefix && !*key)
		ret->range_end = (struct once_bytes){"", 1};
	else if (prefix && !kv_prefix_end(line, ret))
		return "out of memory";
	return ret->key.data ? NULL : "out of memory";
}

const char *kv_watch_start(
	struct kv_watcher *w, struct ctl *line, const struct kv_watch_environment *environment)
{
	struct once_watch_range range = {.prev_kv = ctl_flag(line, "--prev-kv")};
	struct once_watch_config config = {.ranges = &range,
		.n_ranges = 1,
		.progress_notify = ctl_flag(line, "--progress-notify")};
	struct once_op op = {0};
	const char *why = read_range(line, environment, &op), *rev = ctl_flag(line, "--rev");
	int r;

	if (why)
		return why;
	w->key = range.key = op.key;
	range.range_end = op.range_end;
	/* whoever calls has seen that it is a number */
	if (rev)
		(void)kv_number(line, rev, 10, &config.start_revision);
	config.start_revision = config.start_revision > 0 ? config.start_revision : 0;
	r = once_watch_start(w->ctl->client, &w->watch, &config, on_report, w);
	return r < 0 ? once_strerror(r) : NULL;
}

/* ---- the command ----------------------------------------------------------------------------- */

static int run_one(struct ctl *ctl, const struct kv_watch_environment *environment)
{
	struct kv_watcher w = {.ctl = ctl, .command = ctl->command_argv};
	int64_t revision;
	int code = kv_flag_number(ctl, "--rev", &revision);
	const char *why;

	if (code != CTL_OK)
		return code;
	if (*environment->key && ctl->n_words > 0)
		return kv_error(CTL_BAD_ARGS,
			"bad number of arguments (found conflicting environment key)");
	if (w.command && !w.command[0])
		return kv_error(CTL_BAD_ARGS,
			"bad number of arguments (found separator --, but no commands)");
	why = kv_watch_start(&w, ctl, environment);
	if (why)
		return kv_error(CTL_BAD_ARGS, "%s", why);
	while (!w.ended)
		(void)ctl_wait(ctl, &w.ended, 3600 * ONCE_NSEC_PER_SEC);
	if (w.code == CTL_INTERRUPTED)
		return kv_error(CTL_INTERRUPTED, "watch is canceled by the server");
	return w.code;
}

static int run(struct ctl *ctl)
{
	struct kv_watch_environment environment;
	int code = kv_watch_environment(&environment);

	if (code != CTL_OK)
		return code;
	if (ctl_flag(ctl, "--interactive") || ctl_flag(ctl, "-i"))
		return kv_watch_interactive(ctl, &environment);
	return run_one(ctl, &environment);
}

static const struct ctl_flag flags[] = {
	{"--prefix", NULL, "all keys that begin with KEY"},
	{"--rev", "N", "from that revision on [0: from now]"},
	{"--prev-kv", NULL, "print what was there before, too"},
	{"--progress-notify", NULL, "print now and then how far the server is"},
	{"--interactive", NULL, "read watches from standard input"},
	{"-i", NULL, "the same"},
	{NULL, NULL, NULL},
};

const struct ctl_command ctl_command_watch = {
	.name = "watch",
	.words = "KEY [END] [-- COMMAND...]",
	.takes_command = true,
	.etcdctl = true,
	.summary = "print every change of keys; run a command for each",
	.details = "COMMAND has ETCD_WATCH_KEY, ETCD_WATCH_VALUE, ETCD_WATCH_EVENT_TYPE and\n"
		   "ETCD_WATCH_REVISION in its environment, quoted as etcdctl does.\n"
		   "With -i each line is a watch of its own: watch [FLAG...] KEY [END] [-- "
		   "COMMAND...];\nor progress: how far each watch is.\n",
	.flags = flags,
	.run = run,
};
