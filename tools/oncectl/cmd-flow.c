/* oncectl flow status and undo: the steps of a flow, and what takes them back. */
#include "tools/oncectl/ask.h"
#include "tools/oncectl/ledger.h"

#include <once/flow.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct flow {
	struct ctl_run *rows; /* steps, behind them what undoes some */
	size_t n, n_steps;
	size_t n_done, n_undone;
	bool known; /* it was opened, or has a step */
	struct once_undo undo;
};

/* ---- reading --------------------------------------------------------------------------------- */

static int by_start(const void *a, const void *b)
{
	const struct ctl_run *x = a, *y = b;

	if (x->run.start_ms != y->run.start_ms)
		return x->run.start_ms < y->run.start_ms ? -1 : 1;
	return strcmp(x->key.sub, y->key.sub);
}

static int read_rows(
	struct ctl *ctl, const struct once_response *answer, struct flow *f, size_t *ret_ok)
{
	struct ctl_run *rows = f->rows + f->n;

	for (size_t i = 0; i < answer->op.n_kvs; i++) {
		if (!ctl_run_read(ctl, &answer->op.kvs[i], &f->rows[f->n]))
			return ctl_error(CTL_FAILED, "%s: is no step of a flow",
				ctl_text(ctl, answer->op.kvs[i].key));
		*ret_ok += f->rows[f->n].run.state == ONCE_RUN_OK ||
			   f->rows[f->n].run.state == ONCE_RUN_SKIPPED;
		f->n++;
	}
	if (answer->op.n_kvs > 0)
		qsort(rows, answer->op.n_kvs, sizeof(*rows), by_start);
	return CTL_OK;
}

static int read_flow(struct ctl *ctl, const char *name, struct flow *f)
{
	const char *key = ctl_record_key(ctl, ONCE_KEY_FLOW, name, NULL, 0);
	const struct once_response *head = key ? ctl_get(ctl, key) : NULL, *steps, *undo;
	char hash[ONCE_HASH_SIZE];
	int code;

	*f = (struct flow){0};
	steps = head ? ctl_range_prefix(ctl, ctl_key(ctl, "step/%s/", name)) : NULL;
	undo = steps ? ctl_range_prefix(ctl, ctl_key(ctl, "undo/%s/", name)) : NULL;
	if (!undo)
		return key ? CTL_UNREACHABLE : CTL_USAGE;
	f->known = head->op.n_kvs + steps->op.n_kvs > 0;
	if (head->op.n_kvs && once_flow_decode(hash, &f->undo, head->op.kvs[0].value) < 0)
		return ctl_error(CTL_FAILED, "%s: holds no flow", key);
	f->rows = arena_array(&ctl->arena, steps->op.n_kvs + undo->op.n_kvs + 1, sizeof(*f->rows));
	if (!f->rows)
		return ctl_out_of_memory();
	code = read_rows(ctl, steps, f, &f->n_done);
	f->n_steps = f->n;
	return code == CTL_OK ? read_rows(ctl, undo, f, &f->n_undone) : code;
}

/* ---- status ---------------------------------------------------------------------------------- */

static const char *took(struct ctl *ctl, const struct once_run *run)
{
	if (!run->start_ms || run->end_ms < run->start_ms)
		return NULL;
	return ctl_age_text(ctl, (run->end_ms - run->start_ms) * ONCE_NSEC_PER_MSEC);
}

static void print(struct ctl *ctl, const struct flow *f)
{
	static const char *const heads[] = {"STEP", "STATE", "NODE", "TOKEN", "ATTEMPT", "START",
		"TOOK", "RESULT", "WHY", NULL};
	struct ctl_table table;

	ctl_table_init(&table, ctl, heads);
	for (size_t i = 0; i < f->n; i++) {
		const struct once_run *run = &f->rows[i].run;

		ctl_table_add(&table,
			ctl_printf(ctl, "%s%s", i < f->n_steps ? "" : "undo ", f->rows[i].key.sub));
		ctl_table_add(&table, ctl_run_state_text(ctl, &f->rows[i]));
		ctl_table_add(&table, ctl_text(ctl, once_str(run->node)));
		ctl_table_add(
			&table, run->token ? ctl_printf(ctl, "%lld", (long long)run->token) : NULL);
		ctl_table_add(&table, run->attempt ? ctl_printf(ctl, "%u", run->attempt) : NULL);
		ctl_table_add(&table, ctl_moment(ctl, run->start_ms));
		ctl_table_add(&table, took(ctl, run));
		ctl_table_add(&table, ctl_result_text(ctl, run));
		ctl_table_add(&table,
			ctl_text(ctl,
				once_str(run->detail[0] ? run->detail : ctl_run_reason_text(run))));
	}
	ctl_table_print(&table);
	printf("%zu steps are done", f->n_done);
	if (f->n_undone > 0)
		printf(", %zu of them are undone", f->n_undone);
	if (f->undo.at_ms)
		printf("\nundone since %s, by %s%s%s", ctl_moment(ctl, f->undo.at_ms),
			ctl_text(ctl, once_str(f->undo.by)), f->undo.reason[0] ? ": " : "",
			ctl_text(ctl, once_str(f->undo.reason)));
	putchar('\n');
}

static void rows_json(struct ctl *ctl, struct ctl_json *json, const char *key,
	const struct ctl_run *rows, size_t n)
{
	ctl_json_array(json, key);
	for (size_t i = 0; i < n; i++)
		ctl_run_json(ctl, json, &rows[i], true);
	ctl_json_end_array(json);
}

static void print_json(struct ctl *ctl, const struct flow *f)
{
	struct ctl_json json = {0};

	ctl_json_object(&json, NULL);
	ctl_json_text(&json, "flow", ctl->words[0]);
	rows_json(ctl, &json, "steps", f->rows, f->n_steps);
	rows_json(ctl, &json, "undo", f->rows + f->n_steps, f->n - f->n_steps);
	ctl_json_text(&json, "undone_since", ctl_moment(ctl, f->undo.at_ms));
	ctl_json_text(&json, "undone_by", f->undo.at_ms ? f->undo.by : NULL);
	ctl_json_text(&json, "reason", f->undo.at_ms ? f->undo.reason : NULL);
	ctl_json_end_object(&json);
}

static int round_of(struct ctl *ctl)
{
	struct flow f;
	int code = read_flow(ctl, ctl->words[0], &f);

	if (code != CTL_OK)
		return code;
	if (!f.known)
		return ctl_error(CTL_ABSENT, "flow %s has no record", ctl->words[0]);
	if (ctl->json)
		print_json(ctl, &f);
	else
		print(ctl, &f);
	return CTL_OK;
}

static int run_status(struct ctl *ctl)
{
	if (!once_id_valid(ctl->words[0]))
		return ctl_error(CTL_USAGE, "flow: bad name \"%s\", expected %s", ctl->words[0],
			ONCE_ID_RULE);
	return ctl_watch(ctl, round_of);
}

/* ---- undo ------------------------------------------------------------------------------------ */

/* A trigger of another kind: the leader acts on it, and deletes it when that is recorded. */
static int run_undo(struct ctl *ctl)
{
	struct once_trigger trigger = {.at_ms = once_utc_now(), .undo = true};
	char id[ONCE_RUN_ID_SIZE], value[ONCE_CONTROL_SIZE];
	int64_t revision = 0;
	const char *key;
	int code = ctl_check_name("job", ctl->words[0]);

	if (code == CTL_OK)
		code = ctl_reason(ctl, trigger.reason);
	if (code != CTL_OK)
		return code;
	ctl_by(trigger.by);
	if (once_run_id_new(id) < 0 || once_trigger_encode(value, &trigger) < 0)
		return ctl_error(CTL_FAILED, "the request cannot be written");
	key = ctl_record_key(ctl, ONCE_KEY_TRIGGER, ctl->words[0], id, 0);
	code = key ? ctl_put_once(ctl, key, value, &revision) : CTL_USAGE;
	if (code == CTL_OK && !ctl->json)
		printf("%s is to be undone; oncectl flow status shows how far it is\n",
			ctl->words[0]);
	return code;
}

/* ---------------------------------------------------------------------------------------------- */

static const struct ctl_flag status_flags[] = {
	CTL_WATCH_FLAGS,
	{NULL, NULL, NULL},
};

const struct ctl_command ctl_command_flow_status = {
	.name = "flow status",
	.words = "FLOW",
	.min_words = 1,
	.max_words = 1,
	.summary = "steps of a flow: which are done, which are undone",
	.details = "FLOW is Id= of the job, by default its name, or what oncectl step was told.\n",
	.flags = status_flags,
	.run = run_status,
};

static const struct ctl_flag undo_flags[] = {
	{"--reason", "TEXT", "for people"},
	{NULL, NULL, NULL},
};

const struct ctl_command ctl_command_flow_undo = {
	.name = "flow undo",
	.words = "JOB",
	.min_words = 1,
	.max_words = 1,
	.summary = "take back what a job's steps did, the last one first",
	.details = "For a job of Type=steps: Undo= of each step that is done runs, once. A step "
		   "that runs now\nends first. It is for good: the steps are not done again under "
		   "this Id=.\n",
	.flags = undo_flags,
	.run = run_undo,
};
