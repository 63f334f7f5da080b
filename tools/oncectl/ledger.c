/* See ledger.h. The records are those of <once/ledger.h>; one that cannot be read is shown as such
 * and hides no other. */
#include "tools/oncectl/ledger.h"

#include <stdlib.h>
#include <string.h>

#include "tools/oncectl/ask.h"

enum { TXN_JOBS = 32 }; /* ranges of one txn; etcd takes 128 ops */

static struct once_bytes keep(struct ctl *ctl, struct once_bytes bytes)
{
	const char *copy = arena_copy(&ctl->arena, bytes.data, bytes.size);

	return (struct once_bytes){copy, copy ? bytes.size : 0};
}

bool ctl_run_read(struct ctl *ctl, const struct once_kv *kv, struct ctl_run *ret)
{
	struct once_run *run = NULL;

	memset(ret, 0, sizeof(*ret));
	if (once_key_parse(&ret->key, ctl->config.prefix, kv->key) < 0 ||
		(ret->key.kind != ONCE_KEY_RUN && ret->key.kind != ONCE_KEY_ONCE &&
			ret->key.kind != ONCE_KEY_STEP && ret->key.kind != ONCE_KEY_UNDO))
		return false;
	ret->create_revision = kv->create_revision;
	ret->mod_revision = kv->mod_revision;
	if (once_run_decode(&run, kv->value) == 0) {
		ret->run = *run;
		ret->run.tail = keep(ctl, run->tail);
		ret->run.result = keep(ctl, run->result);
	}
	once_run_free(run);
	return true;
}

static int take_runs(struct ctl *ctl, const struct once_op_result *result, struct ctl_runs *ret)
{
	ret->n = 0;
	ret->runs = arena_array(&ctl->arena, result->n_kvs, sizeof(*ret->runs));
	if (!ret->runs)
		return ctl_out_of_memory();
	for (size_t i = 0; i < result->n_kvs; i++)
		ret->n += ctl_run_read(ctl, &result->kvs[i], &ret->runs[ret->n]);
	ret->more = result->more;
	return CTL_OK;
}

/* From the moment from_ms (0: the first) to before until_ms (0: the last). */
static int read_runs(struct ctl *ctl, const char *job, int64_t from_ms, int64_t until_ms,
	bool latest, int64_t limit, struct ctl_runs *ret)
{
	char first[ONCE_KEY_SIZE], end[ONCE_KEY_SIZE];
	const char *prefix = ctl->config.prefix;
	struct once_op op = {.kind = ONCE_OP_RANGE,
		.limit = limit,
		.sort_order = latest ? ONCE_SORT_DESCEND : ONCE_SORT_ASCEND,
		.sort_target = ONCE_SORT_KEY};
	const struct once_response *response;

	if (once_key_prefix(first, prefix, ONCE_KEY_RUN, job) < 0)
		return ctl_error(
			CTL_USAGE, "job: bad name \"%s\", expected %s", job, ONCE_NAME_RULE);
	op.range_end = (struct once_bytes){end, once_prefix_end(once_str(first), end)};
	if (from_ms > 0 && once_key_make(first, prefix, ONCE_KEY_RUN, job, NULL, from_ms) < 0)
		return ctl_error(CTL_USAGE, "that moment cannot be");
	op.key = once_str(first);
	if (until_ms > 0) {
		if (once_key_make(end, prefix, ONCE_KEY_RUN, job, NULL, until_ms) < 0)
			return ctl_error(CTL_USAGE, "that moment cannot be");
		op.range_end = once_str(end);
	}
	response = ctl_op(ctl, &op);
	return response ? take_runs(ctl, &response->op, ret) : CTL_UNREACHABLE;
}

int ctl_runs_latest(
	struct ctl *ctl, const char *job, int64_t before_ms, int64_t limit, struct ctl_runs *ret)
{
	return read_runs(ctl, job, 0, before_ms, true, limit, ret);
}

int ctl_runs_next(struct ctl *ctl, const char *job, int64_t from_ms, struct ctl_runs *ret)
{
	return read_runs(ctl, job, from_ms, 0, false, 1, ret);
}

int ctl_runs_exact(struct ctl *ctl, const char *job, int64_t at_ms, struct ctl_runs *ret)
{
	char key[ONCE_KEY_SIZE];
	const struct once_response *response;

	*ret = (struct ctl_runs){0};
	if (once_key_make(key, ctl->config.prefix, ONCE_KEY_RUN, job, NULL, at_ms) < 0)
		return ctl_error(CTL_USAGE, "that moment cannot be");
	response = ctl_get(ctl, key);
	return response ? take_runs(ctl, &response->op, ret) : CTL_UNREACHABLE;
}

struct ended {
	struct ctl *ctl;
	struct ctl_run *run;
};

static bool is_ended(void *userdata, const struct once_event *event)
{
	struct ended *ended = userdata;

	return event->kind == ONCE_EVENT_PUT && ctl_run_read(ended->ctl, &event->kv, ended->run) &&
	       ended->run->run.state != ONCE_RUN_BEGUN;
}

bool ctl_run_await(
	struct ctl *ctl, const struct ctl_run *begun, int64_t timeout_ns, struct ctl_run *ret)
{
	struct ended ended = {ctl, ret};
	char key[ONCE_KEY_SIZE];

	return once_key_format(key, ctl->config.prefix, &begun->key) >= 0 &&
	       ctl_await(ctl, key, begun->mod_revision, timeout_ns, is_ended, &ended);
}

int ctl_run_words(struct ctl *ctl, int64_t *ret_at_ms)
{
	char *slash = strchr(ctl->words[0], '/');
	const char *time = ctl->n_words == 2 ? ctl->words[1] : slash ? slash + 1 : NULL;
	int64_t ns = 0;
	int code;

	if (slash && ctl->n_words == 1)
		*slash = '\0';
	code = ctl_check_name("job", ctl->words[0]);
	if (code == CTL_OK && time)
		code = ctl_parse_time("TIME", time, &ns);
	*ret_at_ms = ns / ONCE_NSEC_PER_MSEC;
	return code;
}

/* ---- jobs ------------------------------------------------------------------------------------ */

static void take_pause(struct ctl_job *job, const struct once_op_result *result, bool all)
{
	struct once_pause pause;
	int r;

	if (result->n_kvs == 0)
		return;
	r = once_pause_decode(&pause, result->kvs[0].value);
	if (r == 0 && !once_pause_holds(&pause, once_utc_now()))
		return;
	job->paused = true;
	job->all_paused = all;
	job->pause_unreadable = r < 0;
	if (r == 0)
		job->pause = pause;
}

/* Five ranges each: cursor, pause of all, its pause, triggers, latest run. */
enum { RANGES = 5 };

struct job_ranges {
	char keys[RANGES][ONCE_KEY_SIZE], ends[RANGES][ONCE_KEY_SIZE];
};

static void job_ranges(
	struct ctl *ctl, const char *job, struct job_ranges *keys, struct once_op ops[RANGES])
{
	const char *prefix = ctl->config.prefix;

	(void)once_key_make(keys->keys[0], prefix, ONCE_KEY_CURSOR, job, NULL, 0);
	(void)once_key_make(keys->keys[1], prefix, ONCE_KEY_PAUSE, NULL, NULL, 0);
	(void)once_key_make(keys->keys[2], prefix, ONCE_KEY_JOB_PAUSE, job, NULL, 0);
	(void)once_key_prefix(keys->keys[3], prefix, ONCE_KEY_TRIGGER, job);
	(void)once_key_prefix(keys->keys[4], prefix, ONCE_KEY_RUN, job);
	for (size_t i = 0; i < RANGES; i++)
		ops[i] = (struct once_op){.kind = ONCE_OP_RANGE, .key = once_str(keys->keys[i])};
	for (size_t i = 3; i < RANGES; i++)
		ops[i].range_end = (struct once_bytes){
			keys->ends[i], once_prefix_end(ops[i].key, keys->ends[i])};
	ops[3].count_only = true;
	ops[4].limit = 1;
	ops[4].sort_order = ONCE_SORT_DESCEND;
	ops[4].sort_target = ONCE_SORT_KEY;
}

static int take_job(struct ctl *ctl, struct ctl_job *job, const struct once_op_result *results)
{
	struct ctl_runs runs;
	int code = take_runs(ctl, &results[4], &runs);

	if (results[0].n_kvs > 0)
		job->has_cursor = once_cursor_decode(&job->cursor, results[0].kvs[0].value) == 0;
	take_pause(job, &results[1], true);
	take_pause(job, &results[2], false);
	job->triggers = (size_t)results[3].count;
	job->last = code == CTL_OK && runs.n > 0 ? &runs.runs[0] : NULL;
	job->known = job->has_cursor || job->last;
	return code;
}

static int read_jobs(struct ctl *ctl, struct ctl_job *jobs, size_t n)
{
	enum { AT_ONCE = TXN_JOBS / RANGES };
	struct job_ranges *keys = arena_array(&ctl->arena, AT_ONCE, sizeof(*keys));
	struct once_op ops[AT_ONCE * RANGES];

	if (!keys)
		return ctl_out_of_memory();
	for (size_t first = 0; first < n; first += AT_ONCE) {
		size_t count = n - first < AT_ONCE ? n - first : AT_ONCE;
		struct once_txn txn = {.success = ops, .n_success = count * RANGES};
		const struct once_response *response;

		for (size_t i = 0; i < count; i++)
			job_ranges(ctl, jobs[first + i].name, &keys[i], &ops[i * RANGES]);
		response = ctl_txn(ctl, &txn);
		if (!response)
			return CTL_UNREACHABLE;
		if (response->op.n_results != count * RANGES)
			return ctl_error(CTL_UNREACHABLE, "etcd at %s: an answer without its parts",
				response->endpoint);
		for (size_t i = 0; i < count; i++)
			if (take_job(ctl, &jobs[first + i], &response->op.results[i * RANGES]) !=
				CTL_OK)
				return CTL_FAILED;
	}
	return CTL_OK;
}

int ctl_job_read(struct ctl *ctl, const char *name, struct ctl_job *ret)
{
	*ret = (struct ctl_job){.name = name};
	return read_jobs(ctl, ret, 1);
}

static int by_name(const void *a, const void *b)
{
	const struct ctl_job *x = a, *y = b;

	return strcmp(x->name, y->name);
}

/* Adds the names in these keys to jobs, which has room; keys come in order, so equal ones are near.
 */
static void add_names(
	struct ctl *ctl, const struct once_response *keys, struct ctl_job *jobs, size_t *n)
{
	struct once_key key;

	for (size_t i = 0; i < keys->op.n_kvs; i++) {
		if (once_key_parse(&key, ctl->config.prefix, keys->op.kvs[i].key) < 0 ||
			(*n > 0 && strcmp(jobs[*n - 1].name, key.name) == 0))
			continue;
		jobs[*n].name = arena_copy(&ctl->arena, key.name, strlen(key.name));
		*n += jobs[*n].name != NULL;
	}
}

int ctl_jobs_read(struct ctl *ctl, struct ctl_job **ret, size_t *ret_n)
{
	const struct once_response *cursors = ctl_range_keys(ctl, ctl_key(ctl, "job/"));
	const struct once_response *runs =
		cursors ? ctl_range_keys(ctl, ctl_key(ctl, "run/")) : NULL;
	struct ctl_job *jobs;
	size_t n = 0, different = 0;

	if (!runs)
		return CTL_UNREACHABLE;
	jobs = arena_array(&ctl->arena, cursors->op.n_kvs + runs->op.n_kvs + 1, sizeof(*jobs));
	if (!jobs)
		return ctl_out_of_memory();
	add_names(ctl, cursors, jobs, &n);
	add_names(ctl, runs, jobs, &n);
	if (n > 0)
		qsort(jobs, n, sizeof(*jobs), by_name);
	for (size_t i = 0; i < n; i++)
		if (different == 0 || strcmp(jobs[different - 1].name, jobs[i].name) != 0)
			jobs[different++] = jobs[i];
	*ret = jobs;
	*ret_n = different;
	return read_jobs(ctl, jobs, different);
}
