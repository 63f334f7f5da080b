/* oncectl watch -i: etcdctl's language of watches on standard input.
 *
 *	watch [FLAG...] KEY [END] [-- COMMAND...]	another one, beside those there are
 *	progress					how far each of them is
 *
 * Happy path: the loop reads lines and delivers what the watches report; each line is done before
 * the next is read. The end of input is exit code 3, as etcdctl has it; a bad line is told and
 * forgotten, one with bad flags ends it: 128. A watch that the server refuses ends alone.
 *
 * A watch's stream over etcd's gateway cannot be asked how far it is. So progress asks for the
 * store's revision, and events up to it may still be on their way; as with etcd 3.4's own. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/oncectl/kv/watch.h"

enum { LINE_MAX_SIZE = 1 << 20 };

struct session {
	struct ctl *ctl;
	const struct kv_watch_environment *environment;
	struct kv_watcher *watchers; /* the newest first */
	struct once_io *input;
	char *text; /* read and not yet done; owned */
	size_t size;
	bool eof;
	bool changed;
	int code; /* not 0: it ends with that */
};

/* ---- input ----------------------------------------------------------------------------------- */

static void on_input(void *userdata, int fd, int events)
{
	struct session *s = userdata;
	ssize_t n = read(fd, s->text + s->size, LINE_MAX_SIZE - s->size);

	(void)events;
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n > 0)
		s->size += (size_t)n;
	else
		s->eof = true;
	/* no more until this is done */
	s->ctl->loop->ops->io_set(s->input, 0);
	s->changed = true;
}

/* The next line without its end, which lives until the next is asked for. NULL: none yet. */
static const char *next_line(struct session *s)
{
	char *end = memchr(s->text, '\n', s->size);
	size_t n = end ? (size_t)(end + 1 - s->text) : 0;
	const char *line = end ? arena_copy(&s->ctl->arena, s->text, n - 1) : NULL;

	if (end && !line)
		s->code = ctl_out_of_memory();
	memmove(s->text, s->text + n, s->size - n);
	s->size -= n;
	if (!end && s->size == LINE_MAX_SIZE)
		s->code = kv_error(CTL_BAD_INPUT, "a line of more than %d bytes", LINE_MAX_SIZE);
	return line;
}

static int end_of_input(struct session *s)
{
	ctl_round_time(s->ctl);
	return kv_error(CTL_BAD_INPUT, "%crror reading watch request line: EOF",
		kv_is_34(s->ctl) ? 'E' : 'e');
}

/* ---- watch ----------------------------------------------------------------------------------- */

static char **keep_words(struct ctl *ctl, char **words)
{
	char **kept;
	size_t n = 0;

	while (words[n])
		n++;
	kept = arena_array(&ctl->line, n + 1, sizeof(*kept));
	for (size_t i = 0; kept && i < n; i++) {
		kept[i] = arena_copy(&ctl->line, words[i], strlen(words[i]));
		if (!kept[i])
			return NULL;
	}
	return kept;
}

/* What etcdctl ends for. 0 or the exit code after its line. */
static int check_words(const struct session *s, struct ctl *line, char **words, int n)
{
	const char *why = kv_take_line(line, &ctl_command_watch, words, n), *rev;
	int64_t number;

	if (why)
		return kv_error(CTL_BAD_ARGS, "%s", why);
	rev = ctl_flag(line, "--rev");
	why = rev ? kv_number(line, rev, 10, &number) : NULL;
	if (why)
		return kv_error(
			CTL_BAD_ARGS, "invalid argument \"%s\" for \"--rev\" flag: %s", rev, why);
	if (line->command_argv && !line->command_argv[0])
		return kv_error(CTL_BAD_ARGS,
			"bad number of arguments (found separator --, but no commands)");
	if (*s->environment->key && line->n_words > 0)
		return kv_error(CTL_BAD_ARGS,
			"bad number of arguments (found conflicting environment key)");
	return CTL_OK;
}

static void add_watch(struct session *s, const char *text, char **words, int n)
{
	struct ctl line = *s->ctl;
	struct kv_watcher *w = arena_alloc(&s->ctl->line, sizeof(*w));
	const char *why = NULL;
	int code;

	if (!w) {
		s->code = ctl_out_of_memory();
		return;
	}
	code = check_words(s, &line, words, n);
	if (code == CTL_OK && line.command_argv) {
		w->command = keep_words(s->ctl, line.command_argv);
		why = w->command ? NULL : "out of memory";
	}
	line.line = s->ctl->line;
	if (code == CTL_OK && !why) {
		w->ctl = s->ctl;
		w->changed = &s->changed;
		why = kv_watch_start(w, &line, s->environment);
	}
	/* both have grown in the copy */
	s->ctl->arena = line.arena;
	s->ctl->line = line.line;
	s->code = code;
	if (code != CTL_OK)
		return;
	if (why) {
		fprintf(stderr, "Invalid command %s (%s)\n", text, why);
		return;
	}
	w->next = s->watchers;
	s->watchers = w;
}

/* ---- progress -------------------------------------------------------------------------------- */

static bool is_open(const struct kv_watcher *w)
{
	return w->watch && !w->ended;
}

/* A watch that was asked for in the line before is meant, too. */
static void await_start(struct session *s, const struct kv_watcher *w)
{
	while (is_open(w) && !w->started && ctl_time_left(s->ctl) > 0) {
		s->changed = false;
		(void)ctl_wait(s->ctl, &s->changed, ctl_time_left(s->ctl));
	}
}

static void tell_progress(struct session *s)
{
	for (struct kv_watcher *w = s->watchers; w && s->code == CTL_OK; w = w->next) {
		struct once_op op = {.kind = ONCE_OP_RANGE, .key = w->key, .count_only = true};
		struct kv_request request = {.kind = KV_OP, .op = &op};
		const struct once_response *response;
		struct once_watch_report report = {.note = ONCE_WATCH_PROGRESS};

		await_start(s, w);
		if (!is_open(w))
			continue;
		response = kv_ask(s->ctl, &request);
		report.revision = response->revision;
		report.cluster_id = response->cluster_id;
		report.member_id = response->member_id;
		report.raft_term = response->raft_term;
		if (response->error < 0)
			s->code = kv_refused(CTL_FAILED, response);
		else
			kv_watch_progress(w, &report);
	}
}

/* ---- lines ----------------------------------------------------------------------------------- */

static void do_line(struct session *s, const char *text)
{
	char **words = NULL;
	int n = 0;

	if (kv_split(s->ctl, text, &words, &n) < 0)
		fprintf(stderr, "Invalid command %s (a quoted string is none)\n", text);
	else if (n == 0)
		fprintf(stderr, "Invalid command: %s (watch and progress supported)\n", text);
	else if (strcmp(words[0], "progress") == 0)
		tell_progress(s);
	else if (strcmp(words[0], "watch") != 0)
		fprintf(stderr, "Invalid command %s (only support watch)\n", text);
	else if (n == 1 && !*s->environment->key)
		fprintf(stderr, "Invalid command %s (command type or key is not provided)\n", text);
	else
		add_watch(s, text, words + 1, n - 1);
}

/* A command that failed ends all. */
static void look_for_failure(struct session *s)
{
	for (struct kv_watcher *w = s->watchers; w && s->code == CTL_OK; w = w->next)
		if (w->ended && w->code != CTL_INTERRUPTED)
			s->code = w->code;
}

static void turn(struct session *s)
{
	const char *line = next_line(s);

	s->changed = false;
	look_for_failure(s);
	ctl_round_time(s->ctl);
	if (line && s->code == CTL_OK)
		do_line(s, line);
	else if (!line && s->eof && s->code == CTL_OK)
		s->code = end_of_input(s);
	if (line || s->code != CTL_OK) {
		arena_fini(&s->ctl->arena);
		arena_init(&s->ctl->arena);
		return;
	}
	s->ctl->loop->ops->io_set(s->input, ONCE_IO_READ);
	(void)ctl_wait(s->ctl, &s->changed, 3600 * ONCE_NSEC_PER_SEC);
}

int kv_watch_interactive(struct ctl *ctl, const struct kv_watch_environment *environment)
{
	struct session s = {.ctl = ctl, .environment = environment};

	s.text = malloc(LINE_MAX_SIZE);
	s.input = ctl->loop->ops->io_new(ctl->loop, STDIN_FILENO, on_input, &s);
	if (!s.text || !s.input)
		s.code = ctl_out_of_memory();
	else
		while (s.code == CTL_OK)
			turn(&s);
	for (struct kv_watcher *w = s.watchers; w; w = w->next)
		w->watch = once_watch_cancel(w->watch);
	if (s.input)
		ctl->loop->ops->io_free(s.input);
	free(s.text);
	return s.code;
}
