/* oncectl migrate status and dry-run: what was applied, what would be. */
#include "tools/oncectl/ledger.h"
#include "tools/oncectl/migration.h"

#include <stdio.h>

/* ---- status ---------------------------------------------------------------------------------- */

static size_t count(const struct migration *m, enum migration_state state)
{
	size_t n = 0;

	for (size_t i = 0; i < m->items.n; i++)
		n += migration_state(m, &m->items.items[i]) == state;
	return n;
}

static const char *when(struct ctl *ctl, const struct once_run *run)
{
	return run ? ctl_moment(ctl, run->end_ms ? run->end_ms : run->start_ms) : NULL;
}

static const char *why(struct ctl *ctl, const struct migration *m, const struct flow_item *item)
{
	const struct once_run *run = item->run;

	if (!run)
		return NULL;
	if (migration_state(m, item) == MIGRATION_CHANGED)
		return ctl_printf(ctl, "applied as sha256 %.12s, now %.12s", run->hash, item->hash);
	if (migration_state(m, item) == MIGRATION_MISSING)
		return ctl_printf(
			ctl, "was %s, and there is no such file", once_run_state_name(run->state));
	if (run->detail[0])
		return ctl_text(ctl, once_str(run->detail));
	if (run->state == ONCE_RUN_FAILED && run->exited)
		return ctl_printf(ctl, "exit %d", (int)run->exit_code);
	if (run->state == ONCE_RUN_FAILED && run->exit_signal)
		return ctl_printf(ctl, "signal %d", (int)run->exit_signal);
	return ctl_run_reason_text(run);
}

static void add_row(
	struct ctl_table *table, const struct migration *m, const struct flow_item *item)
{
	struct ctl *ctl = table->ctl;
	const struct once_run *run = item->run;

	ctl_table_add(table, item->name);
	ctl_table_add(table, migration_state_name(migration_state(m, item)));
	ctl_table_add(table, when(ctl, run));
	ctl_table_add(table, run ? ctl_text(ctl, once_str(run->node)) : NULL);
	ctl_table_add(
		table, run && run->token ? ctl_printf(ctl, "%lld", (long long)run->token) : NULL);
	ctl_table_add(table, run && run->attempt ? ctl_printf(ctl, "%u", run->attempt) : NULL);
	ctl_table_add(table, run && run->id[0] ? ctl_printf(ctl, "%.8s", run->id) : NULL);
	ctl_table_add(table, why(ctl, m, item));
}

static void print(struct ctl *ctl, const struct migration *m)
{
	static const char *const heads[] = {
		"FILE", "STATE", "WHEN", "NODE", "TOKEN", "ATTEMPT", "RUN", "WHY", NULL};
	const struct flow_item *next = flow_items_next(&m->items);
	struct ctl_table table;
	char refused[1024];

	ctl_table_init(&table, ctl, heads);
	for (size_t i = 0; i < m->items.n; i++)
		add_row(&table, m, &m->items.items[i]);
	for (size_t i = 0; i < m->items.n_gone; i++)
		add_row(&table, m, &m->items.gone[i]);
	ctl_table_print(&table);
	printf("%zu of %zu are applied%s%s\n", count(m, MIGRATION_APPLIED), m->items.n,
		next ? "; next: " : "", next ? next->name : "");
	if (flow_items_refused(&m->items, &m->job, refused, sizeof(refused)))
		printf("nothing will be applied: %s\n", ctl_text(ctl, once_str(refused)));
}

static void text_if(struct ctl_json *json, const char *key, const char *text)
{
	if (text && *text)
		ctl_json_text(json, key, text);
}

static void file_json(struct ctl *ctl, struct ctl_json *json, const struct migration *m,
	const struct flow_item *item)
{
	const struct once_run *run = item->run;

	ctl_json_object(json, NULL);
	ctl_json_text(json, "file", item->name);
	ctl_json_text(json, "state", migration_state_name(migration_state(m, item)));
	text_if(json, "sha256", item->hash);
	if (run) {
		text_if(json, "recorded_sha256", run->hash);
		text_if(json, "record", once_run_state_name(run->state));
		text_if(json, "node", run->node);
		text_if(json, "start", ctl_moment(ctl, run->start_ms));
		text_if(json, "end", ctl_moment(ctl, run->end_ms));
		text_if(json, "run", run->id);
		ctl_json_number(json, "token", run->token);
		ctl_json_number(json, "attempt", run->attempt);
		if (run->exited)
			ctl_json_number(json, "exit_code", run->exit_code);
		text_if(json, "reason", run->reason);
		text_if(json, "detail", run->detail);
		text_if(json, "closed_by", run->closed_by);
	}
	ctl_json_end_object(json);
}

static void print_json(struct ctl *ctl, const struct migration *m)
{
	const struct flow_item *next = flow_items_next(&m->items);
	struct ctl_json json = {0};
	char refused[1024];

	ctl_json_object(&json, NULL);
	ctl_json_text(&json, "job", m->job.name);
	ctl_json_text(&json, "id", m->job.id);
	ctl_json_text(&json, "directory", m->job.files);
	ctl_json_array(&json, "files");
	for (size_t i = 0; i < m->items.n; i++)
		file_json(ctl, &json, m, &m->items.items[i]);
	for (size_t i = 0; i < m->items.n_gone; i++)
		file_json(ctl, &json, m, &m->items.gone[i]);
	ctl_json_end_array(&json);
	ctl_json_number(&json, "applied", (int64_t)count(m, MIGRATION_APPLIED));
	ctl_json_text(&json, "next", next ? next->name : NULL);
	ctl_json_text(&json, "refused",
		flow_items_refused(&m->items, &m->job, refused, sizeof(refused)) ? refused : NULL);
	ctl_json_end_object(&json);
}

static int run_status(struct ctl *ctl)
{
	struct migration m;
	int code = migration_read(ctl, &m);

	if (code == CTL_OK && ctl->json)
		print_json(ctl, &m);
	else if (code == CTL_OK)
		print(ctl, &m);
	migration_free(&m);
	return code;
}

/* ---- dry-run --------------------------------------------------------------------------------- */

static bool is_before_baseline(const struct migration *m, const struct flow_item *item)
{
	return !item->run && m->job.baseline && strcmp(item->name, m->job.baseline) <= 0;
}

/* What a leader would wait for at this file; NULL: nothing. */
static const char *held(struct ctl *ctl, const struct migration *m, const struct flow_item *item)
{
	const char *state = migration_state_name(migration_state(m, item));
	bool hold = true;

	if (migration_state(m, item) == MIGRATION_INTERRUPTED && item->run->state == ONCE_RUN_BEGUN)
		hold = m->job.on_interrupt != POLICY_INTERRUPT_RERUN;
	else if (migration_state(m, item) != MIGRATION_INTERRUPTED &&
		 migration_state(m, item) != MIGRATION_FAILED)
		hold = false;
	if (!hold)
		return NULL;
	return ctl_printf(ctl,
		"%s, number %zu of %zu, is %s on %s%s%s; look, then \"oncectl trigger %s\" runs it "
		"again, or \"oncectl migrate force\" says what it came to",
		item->name, (size_t)(item - m->items.items) + 1, m->items.n, state,
		ctl_text(ctl, once_str(item->run->node)), item->run->detail[0] ? ": " : "",
		ctl_text(ctl, once_str(item->run->detail)), m->job.name);
}

/* The command line, words in quotes where a shell would want them. */
static const char *command(struct ctl *ctl, const struct flow_item *item)
{
	const char *line = "";

	for (size_t i = 0; i < item->argc; i++) {
		bool plain = item->argv[i][0] && !strpbrk(item->argv[i], " \t\n\"'\\$`|&;<>()*?");

		line = ctl_printf(ctl, "%s%s%s%s%s", line, i ? " " : "", plain ? "" : "'",
			item->argv[i], plain ? "" : "'");
	}
	return ctl_text(ctl, once_str(line));
}

static const char *what_happens(
	struct ctl *ctl, const struct migration *m, const struct flow_item *item)
{
	if (is_before_baseline(m, item))
		return "is recorded and not run: Baseline=";
	if (migration_state(m, item) == MIGRATION_RUNNING)
		return ctl_printf(ctl, "runs now on %s", ctl_text(ctl, once_str(item->run->node)));
	return command(ctl, item);
}

static void print_plan(struct ctl *ctl, const struct migration *m, const struct flow_item *first)
{
	size_t n = first ? (size_t)(m->items.items + m->items.n - first) : 0;
	struct ctl_json json = {0};

	if (ctl->json)
		ctl_json_array(&json, NULL);
	for (size_t i = 0; i < n; i++) {
		if (ctl->json)
			file_json(ctl, &json, m, &first[i]);
		else
			printf("%s: %s\n", first[i].name, what_happens(ctl, m, &first[i]));
	}
	if (ctl->json)
		ctl_json_end_array(&json);
	else
		printf("%zu of %zu would be done\n", n, m->items.n);
}

static int run_dry(struct ctl *ctl)
{
	struct migration m;
	const struct flow_item *first;
	const char *at;
	char refused[1024];
	int code = migration_read(ctl, &m);

	if (code == CTL_OK && flow_items_refused(&m.items, &m.job, refused, sizeof(refused)))
		code = ctl_error(CTL_FAILED, "%s", refused);
	if (code == CTL_OK) {
		first = flow_items_next(&m.items);
		at = first ? held(ctl, &m, first) : NULL;
		if (at)
			code = ctl_error(CTL_FAILED, "%s", at);
		else
			print_plan(ctl, &m, first);
	}
	migration_free(&m);
	return code;
}

/* ---------------------------------------------------------------------------------------------- */

static const struct ctl_flag flags[] = {
	MIGRATION_FLAGS,
	{NULL, NULL, NULL},
};

const struct ctl_command ctl_command_migrate_status = {
	.name = "migrate status",
	.words = "JOB",
	.min_words = 1,
	.max_words = 1,
	.summary = "files of a migration: which are applied, by whom, when",
	.details = "The job file and the directory it names are read here, the records in etcd.\n",
	.flags = flags,
	.run = run_status,
};

const struct ctl_command ctl_command_migrate_dry_run = {
	.name = "migrate dry-run",
	.words = "JOB",
	.min_words = 1,
	.max_words = 1,
	.summary = "what a leader with these files would apply, in order",
	.details =
		"Nothing is changed. What a leader would refuse or wait for is told, exit code 1: "
		"a changed\nfile, a missing one, one that comes too late, one that failed or was "
		"interrupted.\n",
	.flags = flags,
	.run = run_dry,
};
