/* oncectl watch KEY [END] [-- COMMAND...], as etcdctl's.
 *
 * Happy path: a watch that resumes by itself; every event is printed, and COMMAND run for it with
 * ETCD_WATCH_KEY and so on in its environment, one after the other.
 *
 * It ends when the server refuses: exit code 5, as after compaction; or when a COMMAND fails: 1. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tools/oncectl/kv/kv.h"

struct watcher {
	struct ctl *ctl;
	struct once_watch *watch;
	char **command; /* NULL: none */
	bool ended;
	int code;
};

/* ---- printing -------------------------------------------------------------------------------- */

static const char *type_of(const struct once_event *event)
{
	return event->kind == ONCE_EVENT_DELETE ? "DELETE" : "PUT";
}

static struct once_response header_of(const struct once_watch_report *report)
{
	return (struct once_response){
		.cluster_id = report->cluster_id,
		.member_id = report->member_id,
		.revision = report->note == ONCE_WATCH_COMPACTED ? 0 : report->revision,
		.raft_term = report->raft_term,
	};
}

static void print_json(struct ctl *ctl, const struct once_watch_report *report)
{
	struct kv_json json = {.ctl = ctl};
	struct once_response header = header_of(report);
	bool compacted = report->note == ONCE_WATCH_COMPACTED;

	kv_json_open(&json, NULL, '{');
	kv_json_header(&json, "Header", &header);
	kv_json_open(&json, "Events", '[');
	for (size_t i = 0; i < report->n_events; i++) {
		const struct once_event *event = &report->events[i];

		kv_json_open(&json, NULL, '{');
		kv_json_number(&json, "type", event->kind == ONCE_EVENT_DELETE);
		kv_json_kv(&json, "kv", &event->kv);
		if (event->has_prev)
			kv_json_kv(&json, "prev_kv", &event->prev);
		kv_json_close(&json, '}');
	}
	printf("],\"CompactRevision\":%" PRId64 ",\"Canceled\":%s,\"Created\":false}\n",
		compacted ? report->revision : 0, compacted ? "true" : "false");
}

static void print(struct ctl *ctl, const struct once_watch_report *report)
{
	struct once_response header = header_of(report);

	if (ctl->json) {
		print_json(ctl, report);
		return;
	}
	if (ctl->format == CTL_FIELDS)
		kv_fields_header(&header);
	for (size_t i = 0; i < report->n_events; i++) {
		const struct once_event *event = &report->events[i];

		if (ctl->format == CTL_FIELDS) {
			printf("\"Type\" : %s\n", type_of(event));
			if (event->has_prev)
				kv_fields_kv("Prev", &event->prev);
			kv_fields_kv("", &event->kv);
			continue;
		}
		puts(type_of(event));
		if (event->has_prev)
			kv_simple_kv(ctl, &event->prev);
		kv_simple_kv(ctl, &event->kv);
	}
}

/* ---- the command ----------------------------------------------------------------------------- */

static int set_quoted(const char *name, struct once_bytes bytes)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	int r = -ENOMEM;

	if (out) {
		kv_write_quoted(out, bytes);
		if (fclose(out) == 0)
			r = setenv(name, text, 1);
	}
	free(text);
	return r;
}

static void run_child(
	char **command, const struct once_watch_report *report, const struct once_event *event)
{
	char revision[32];

	(void)snprintf(revision, sizeof(revision), "%" PRId64, report->revision);
	if (setenv("ETCD_WATCH_REVISION", revision, 1) == 0 &&
		set_quoted("ETCD_WATCH_EVENT_TYPE", once_str(type_of(event))) == 0 &&
		set_quoted("ETCD_WATCH_KEY", event->kv.key) == 0 &&
		set_quoted("ETCD_WATCH_VALUE", event->kv.value) == 0)
		execvp(command[0], command);
	(void)kv_error(1, "%s: %s", command[0], strerror(errno));
	_exit(127);
}

/* Waits for it: the next event's comes after. 0, or 1 after its line. */
static int run_command(
	char **command, const struct once_watch_report *report, const struct once_event *event)
{
	int status = 0;
	pid_t pid;

	(void)fflush(stdout);
	pid = fork();
	if (pid == 0)
		run_child(command, report, event);
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (pid > 0 && status == 0)
		return CTL_OK;
	if (pid < 0)
		return kv_error(CTL_FAILED, "fork: %s", strerror(errno));
	if (WIFEXITED(status))
		return kv_error(CTL_FAILED, "command \"%s\" error (exit status %d)", command[0],
			WEXITSTATUS(status));
	return kv_error(
		CTL_FAILED, "command \"%s\" error (signal %d)", command[0], WTERMSIG(status));
}

/* ---- reports --------------------------------------------------------------------------------- */

static void finish(struct watcher *w, int code)
{
	w->watch = once_watch_cancel(w->watch);
	w->code = code;
	w->ended = true;
}

static void on_refusal(struct watcher *w, const struct once_watch_report *report)
{
	(void)fflush(stdout);
	fprintf(stderr, "watch was canceled (%s)\n",
		report->note == ONCE_WATCH_COMPACTED
			? "etcdserver: mvcc: required revision has been compacted"
			: report->message);
	print(w->ctl, report);
	w->watch = NULL;
	w->code = kv_error(CTL_INTERRUPTED, "watch is canceled by the server");
	w->ended = true;
}

static void on_report(void *userdata, const struct once_watch_report *report)
{
	struct watcher *w = userdata;
	int code = CTL_OK;

	switch (report->note) {
	case ONCE_WATCH_EVENTS:
		print(w->ctl, report);
		(void)fflush(stdout);
		for (size_t i = 0; w->command && i < report->n_events && code == CTL_OK; i++)
			code = run_command(w->command, report, &report->events[i]);
		if (code != CTL_OK)
			finish(w, code);
		return;
	case ONCE_WATCH_PROGRESS:
		printf("progress notify: %" PRId64 "\n", report->revision);
		print(w->ctl, report);
		(void)fflush(stdout);
		return;
	case ONCE_WATCH_COMPACTED:
	case ONCE_WATCH_FAILED:
		on_refusal(w, report);
		return;
	case ONCE_WATCH_STARTED:
	case ONCE_WATCH_BROKEN:
		return;
	}
}

/* ---- starting -------------------------------------------------------------------------------- */

/* words and flags of ctl; where from: environment, too. */
static int start(struct watcher *w, struct ctl *ctl)
{
	const char *key = getenv("ETCDCTL_WATCH_KEY"), *end = getenv("ETCDCTL_WATCH_RANGE_END");
	struct once_watch_range range = {.prev_kv = ctl_flag(ctl, "--prev-kv")};
	struct once_watch_config config = {.ranges = &range,
		.n_ranges = 1,
		.progress_notify = ctl_flag(ctl, "--progress-notify")};
	struct once_op op = {0};
	int code = kv_flag_number(ctl, "--rev", &config.start_revision), r;
	bool prefix = ctl_flag(ctl, "--prefix");

	if (code != CTL_OK)
		return code;
	if (key && *key && ctl->n_words > 0)
		return kv_error(
			CTL_BAD_ARGS, "bad number of arguments (conflicting environment key)");
	if (ctl->n_words > 0) {
		key = ctl->words[0];
		end = ctl->n_words > 1 ? ctl->words[1] : NULL;
	}
	if (!key || (!*key && ctl->n_words == 0))
		return kv_error(CTL_BAD_ARGS, "bad number of arguments");
	if (end && *end && prefix)
		return kv_error(CTL_BAD_ARGS, "`range_end` and `--prefix` are mutually exclusive");
	op.key = *key ? once_str(key) : (struct once_bytes){"", 1};
	if (end)
		op.range_end = once_str(end);
	if (prefix && !*key)
		op.range_end = (struct once_bytes){"", 1};
	else if (prefix && !kv_prefix_end(ctl, &op))
		return ctl_out_of_memory();
	range.key = op.key;
	range.range_end = op.range_end;
	config.start_revision = config.start_revision > 0 ? config.start_revision : 0;
	r = once_watch_start(ctl->client, &w->watch, &config, on_report, w);
	return r < 0 ? kv_error(CTL_BAD_ARGS, "%s", once_strerror(r)) : CTL_OK;
}

static int run_one(struct ctl *ctl)
{
	struct watcher w = {.ctl = ctl, .command = ctl->command_argv};
	int code;

	if (w.command && !w.command[0])
		return kv_error(CTL_BAD_ARGS,
			"bad number of arguments (found separator --, but no commands)");
	code = start(&w, ctl);
	while (code == CTL_OK && !w.ended)
		(void)ctl_wait(ctl, &w.ended, 3600 * ONCE_NSEC_PER_SEC);
	return code == CTL_OK ? w.code : code;
}

static const struct ctl_flag flags[] = {
	{"--prefix", NULL, "all keys that begin with KEY"},
	{"--rev", "N", "from that revision on [0: from now]"},
	{"--prev-kv", NULL, "print what was there before, too"},
	{"--progress-notify", NULL, "print now and then how far the server is"},
	{NULL, NULL, NULL},
};

const struct ctl_command ctl_command_watch = {
	.name = "watch",
	.words = "KEY [END] [-- COMMAND...]",
	.takes_command = true,
	.etcdctl = true,
	.summary = "print every change of keys; run a command for each",
	.details = "COMMAND has ETCD_WATCH_KEY, ETCD_WATCH_VALUE, ETCD_WATCH_EVENT_TYPE and\n"
		   "ETCD_WATCH_REVISION in its environment, quoted as etcdctl does.\n",
	.flags = flags,
	.run = run_one,
};
