/* oncectl migrate force: what became of a file, said by a person who looked.
 *
 * The record is replaced if it is still the one that was read, and holds who decided and why from
 * then on. Nothing is applied here: a leader goes on with its next term, or a trigger. */
#include "tools/oncectl/ask.h"
#include "tools/oncectl/claimed.h"
#include "tools/oncectl/migration.h"

#include <errno.h>
#include <stdio.h>

enum wanted { APPLIED, PENDING, REMOVED };

struct force {
	struct ctl *ctl;
	struct migration m;
	struct flow_item *item;
	enum wanted wanted;
	char by[ONCE_BY_MAX + 1], reason[ONCE_REASON_MAX + 1];
	bool done;
	int code;
};

/* ---- what may not be ------------------------------------------------------------------------- */

static int read_flags(struct force *f)
{
	const char *const all[] = {"--applied", "--pending", "--removed"};
	size_t n = 0;

	for (size_t i = 0; i < 3; i++) {
		if (!ctl_flag(f->ctl, all[i]))
			continue;
		f->wanted = (enum wanted)i;
		n++;
	}
	if (n != 1)
		return ctl_error(CTL_USAGE, "expected one of --applied, --pending, --removed");
	if (!ctl_flag(f->ctl, "--reason"))
		return ctl_error(CTL_USAGE, "--reason: expected what you saw, for the record");
	return ctl_reason(f->ctl, f->reason);
}

static struct flow_item *find(struct force *f, const char *name)
{
	struct flow_item *item = flow_items_find(&f->m.items, name);

	for (size_t i = 0; i < f->m.items.n_gone && !item; i++)
		if (strcmp(f->m.items.gone[i].name, name) == 0)
			item = &f->m.items.gone[i];
	return item;
}

/* A leader would refuse what is done out of order. */
static int check_order(const struct force *f)
{
	const struct flow_items *items = &f->m.items;
	size_t at = (size_t)(f->item - items->items);

	for (size_t i = 0; i < at && f->wanted == APPLIED; i++)
		if (!flow_item_done(&items->items[i]))
			return ctl_error(CTL_FAILED,
				"%s comes before %s and is not applied, expected it to be first",
				items->items[i].name, f->item->name);
	for (size_t i = items->n; i-- > at + 1 && f->wanted == PENDING;)
		if (flow_item_done(&items->items[i]))
			return ctl_error(CTL_FAILED,
				"%s comes after %s and is applied, expected it to be put back "
				"first",
				items->items[i].name, f->item->name);
	return CTL_OK;
}

static int check(const struct force *f)
{
	enum migration_state state = migration_state(&f->m, f->item);
	bool gone = state == MIGRATION_MISSING || state == MIGRATION_REMOVED;

	if (gone != (f->wanted == REMOVED))
		return gone ? ctl_error(CTL_FAILED,
				      "%s: there is no such file in %s, expected --removed",
				      f->item->name, f->m.job.files)
			    : ctl_error(CTL_FAILED,
				      "%s: the file is there, expected --applied or --pending",
				      f->item->name);
	if (f->item->run && f->item->run->state == ONCE_RUN_BEGUN && f->m.token &&
		f->item->run->token == f->m.token)
		return ctl_error(CTL_FAILED,
			"%s: runs under the present term on %s; wait for its end, or oncectl "
			"pause and switchover",
			f->item->name, f->item->run->node);
	return gone ? CTL_OK : check_order(f);
}

static bool is_so_already(const struct force *f)
{
	enum migration_state state = migration_state(&f->m, f->item);

	return state == (f->wanted == APPLIED	       ? MIGRATION_APPLIED
				: f->wanted == PENDING ? MIGRATION_PENDING
						       : MIGRATION_REMOVED);
}

/* ---- the record ------------------------------------------------------------------------------ */

static int make_record(const struct force *f, struct once_run *run)
{
	static const char *const words[] = {"applied", "pending", "removed"};
	int r = 0;

	*run = f->item->run ? *f->item->run : (struct once_run){0};
	if (!run->id[0])
		r = once_run_id_new(run->id);
	run->state = f->wanted == PENDING		    ? ONCE_RUN_BEGUN
		     : f->wanted == APPLIED && f->item->run ? ONCE_RUN_OK
							    : ONCE_RUN_SKIPPED;
	run->end_ms = once_utc_now();
	run->exited = f->wanted == PENDING; /* as of an attempt whose next one waits */
	run->exit_code = run->exit_signal = 0;
	run->attempt += f->wanted == PENDING;
	(void)snprintf(run->reason, sizeof(run->reason), "%s",
		f->wanted == REMOVED ? FLOW_REMOVED : FLOW_FORCED);
	(void)snprintf(run->detail, sizeof(run->detail), "said to be %s by %s: %s",
		words[f->wanted], f->by, f->reason);
	(void)snprintf(
		run->closed_by, sizeof(run->closed_by), "%s", once_id_valid(f->by) ? f->by : "");
	if (f->wanted == APPLIED)
		memcpy(run->hash, f->item->hash, sizeof(run->hash));
	return r;
}

static void on_written(void *userdata, const struct once_ledger_answer *answer)
{
	struct force *f = userdata;

	f->done = true;
	if (answer->result < 0)
		f->code = ctl_error(CTL_UNREACHABLE, "etcd: %s", answer->message);
	else if (answer->result != ONCE_LEDGER_DONE)
		f->code = ctl_error(CTL_FAILED,
			"%s: its record was changed meanwhile, nothing was written: look again",
			f->item->name);
}

static int write_record(struct force *f)
{
	struct once_records *records = claimed_records(f->ctl);
	struct ctl *ctl = f->ctl;
	struct once_run run;
	const char *key = ctl_record_key(ctl, ONCE_KEY_STEP, f->m.job.id, f->item->name, 0);
	struct once_begin begin = {.key = key, .run = &run};
	int r = key && records ? make_record(f, &run) : -ENOMEM;

	if (r == 0 && f->item->run)
		r = once_ledger_decide(
			records, NULL, key, f->item->mod_revision, &run, NULL, 0, on_written, f);
	else if (r == 0)
		r = once_ledger_begin(records, NULL, &begin, 0, on_written, f);
	if (r < 0)
		f->code = ctl_error(CTL_FAILED, "%s", once_strerror(r));
	else if (!ctl_wait(ctl, &f->done, 2 * ctl->timeout_ns + 10 * ONCE_NSEC_PER_SEC))
		f->code = ctl_error(CTL_UNREACHABLE, "etcd: no answer in time");
	records = once_records_free(records);
	return f->code;
}

static int force(struct force *f)
{
	const char *name = f->ctl->words[1];
	int code = read_flags(f);

	if (code == CTL_OK)
		code = migration_read(f->ctl, &f->m);
	if (code != CTL_OK)
		return code;
	f->item = find(f, name);
	if (!f->item)
		return ctl_error(CTL_ABSENT, "%s: no such file in %s, and no record of one", name,
			f->m.job.files);
	if (is_so_already(f)) {
		printf("%s is %s already\n", name,
			migration_state_name(migration_state(&f->m, f->item)));
		return CTL_OK;
	}
	code = check(f);
	if (code != CTL_OK)
		return code;
	ctl_by(f->by);
	code = write_record(f);
	if (code == CTL_OK && !f->ctl->json)
		printf("%s is recorded as %s; oncectl trigger %s lets its leader go on\n", name,
			f->wanted == APPLIED   ? "applied"
			: f->wanted == PENDING ? "pending"
					       : "removed",
			f->m.job.name);
	return code;
}

static int run(struct ctl *ctl)
{
	struct force f = {.ctl = ctl};
	int code = force(&f);

	migration_free(&f.m);
	return code;
}

static const struct ctl_flag flags[] = {
	{"--applied", NULL, "it is there, as a whole; also: its new content is what was applied"},
	{"--pending", NULL, "nothing of it is there: it is to be applied"},
	{"--removed", NULL, "its file is gone for good"},
	{"--reason", "TEXT", "what you saw; required, kept with your name in the record"},
	MIGRATION_FLAGS,
	{NULL, NULL, NULL},
};

const struct ctl_command ctl_command_migrate_force = {
	.name = "migrate force",
	.words = "JOB FILE",
	.min_words = 2,
	.max_words = 2,
	.summary = "say what became of a file, after having looked",
	.details =
		"For a file that was interrupted, failed, changed or is gone. Nothing is applied "
		"here.\n",
	.flags = flags,
	.run = run,
};
