/* See migration.h. The files and the comparison are the daemon's own (daemon/flow-items.h), so what
 * is shown here is what a leader with the same files would do. */
#include "tools/oncectl/migration.h"

#include <errno.h>
#include <libgen.h>
#include <stdio.h>

#include "tools/oncectl/ask.h"

static const char *const names[] = {
	[MIGRATION_PENDING] = "pending",
	[MIGRATION_APPLIED] = "applied",
	[MIGRATION_RUNNING] = "running",
	[MIGRATION_WAITING] = "waiting",
	[MIGRATION_FAILED] = "failed",
	[MIGRATION_INTERRUPTED] = "interrupted",
	[MIGRATION_CHANGED] = "changed",
	[MIGRATION_MISSING] = "missing",
	[MIGRATION_REMOVED] = "removed",
};

const char *migration_state_name(enum migration_state state)
{
	return names[state];
}

static bool is_gone(const struct migration *m, const struct flow_item *item)
{
	return item >= m->items.gone && item < m->items.gone + m->items.n_gone;
}

enum migration_state migration_state(const struct migration *m, const struct flow_item *item)
{
	if (m->items.gone && is_gone(m, item))
		return flow_item_removed(item) ? MIGRATION_REMOVED : MIGRATION_MISSING;
	if (!item->run)
		return MIGRATION_PENDING;
	if (flow_item_changed(item))
		return MIGRATION_CHANGED;
	if (flow_item_done(item))
		return MIGRATION_APPLIED;
	if (flow_item_waits(item))
		return strcmp(item->run->reason, FLOW_FORCED) == 0 ? MIGRATION_PENDING
								   : MIGRATION_WAITING;
	if (item->run->state == ONCE_RUN_FAILED || item->run->state == ONCE_RUN_TIMEOUT)
		return MIGRATION_FAILED;
	if (item->run->state == ONCE_RUN_BEGUN && m->token && item->run->token == m->token)
		return MIGRATION_RUNNING;
	return MIGRATION_INTERRUPTED;
}

/* ---- reading --------------------------------------------------------------------------------- */

static int read_job(struct ctl *ctl, struct migration *m)
{
	const char *directory = ctl_flag(ctl, "--dir"), *name = ctl->words[0];
	const char *file = ctl->config_file ? ctl->config_file : CONFIG_FILE_DEFAULT;
	int code = ctl_check_name("job", name);

	if (code == CTL_OK && !directory) {
		char *copy = arena_copy(&ctl->arena, file, strlen(file));

		directory = copy ? ctl_printf(ctl, "%s/jobs.d", dirname(copy)) : NULL;
		if (!directory)
			return ctl_out_of_memory();
	}
	if (code == CTL_OK && config_load_job(directory, name, ctl_program, &m->job, stderr) != 0)
		return CTL_CONFIG;
	if (code == CTL_OK && m->job.type != CONFIG_JOB_MIGRATE)
		return ctl_error(
			CTL_USAGE, "%s/%s.job: expected a job of Type=migrate", directory, name);
	return code;
}

static int read_record(struct ctl *ctl, struct migration *m, const struct once_kv *kv)
{
	struct once_run *run = NULL;
	struct once_key key;
	int r = once_key_parse(&key, ctl->config.prefix, kv->key);

	if (r == 0)
		r = once_run_decode(&run, kv->value);
	if (r == 0)
		r = flow_items_take(&m->items, key.sub, run, kv->mod_revision);
	run = once_run_free(run);
	if (r == -ENOMEM)
		return ctl_out_of_memory();
	if (r < 0)
		return ctl_error(CTL_FAILED, "%s: holds no record of a file, expected one",
			ctl_text(ctl, kv->key));
	return CTL_OK;
}

/* Of the job's group, whatever --group= says. */
static const char *leader_key(struct ctl *ctl, const struct migration *m)
{
	return strcmp(m->job.group, "default") == 0
		       ? ctl->config.key
		       : ctl_printf(ctl, "%s/%s", ctl->config.key, m->job.group);
}

/* The term first: what is begun under it when the records are read cannot be of a former one. */
static int read_records(struct ctl *ctl, struct migration *m)
{
	const char *key = leader_key(ctl, m);
	const struct once_response *leader, *records;
	int code = CTL_OK;

	if (!key)
		return ctl_out_of_memory();
	leader = ctl_get(ctl, key);
	if (!leader)
		return CTL_UNREACHABLE;
	m->token = leader->op.n_kvs ? leader->op.kvs[0].create_revision : 0;
	records = ctl_range_prefix(ctl, ctl_key(ctl, "step/%s/", m->job.id));
	if (!records)
		return CTL_UNREACHABLE;
	for (size_t i = 0; i < records->op.n_kvs && code == CTL_OK; i++)
		code = read_record(ctl, m, &records->op.kvs[i]);
	return code;
}

int migration_read(struct ctl *ctl, struct migration *m)
{
	char why[512];
	int code;

	*m = (struct migration){0};
	code = read_job(ctl, m);
	if (code == CTL_OK &&
		flow_items_load(&m->items, &ctl->config, &m->job, why, sizeof(why)) < 0)
		return ctl_error(CTL_FAILED, "%s", why);
	return code == CTL_OK ? read_records(ctl, m) : code;
}

void migration_free(struct migration *m)
{
	flow_items_free(&m->items);
	config_job_free(&m->job);
}
