/* Job files: which there are, and what the keys of each amount to. */
#include "daemon/config-internal.h"

#include <dirent.h>
#include <errno.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/unit.h"
#include "daemon/words.h"

void config_job_free(struct config_job *job)
{
	free(job->name);
	free(job->description);
	free(job->group);
	words_free(job->argv);
	free(job->unit);
	free(job->directory);
	words_free(job->environment);
	free(job->user.name);
	free(job->user.home);
	free(job->user.shell);
	free(job->schedule);
	free(job->time_zone);
	words_free(job->probe);
	free(job->id);
	for (size_t i = 0; i < job->n_steps; i++) {
		free(job->steps[i].name);
		words_free(job->steps[i].argv);
		words_free(job->steps[i].undo);
	}
	free(job->steps);
	free(job->files);
	free(job->baseline);
	words_free(job->runner);
	*job = (struct config_job){0};
}

/* ---- the command ----------------------------------------------------------------------------- */

static int shell_argv(const char *text, char ***ret)
{
	char **argv = calloc(4, sizeof(*argv));

	if (!argv || !(argv[0] = strdup("/bin/sh")) || !(argv[1] = strdup("-c")) ||
		!(argv[2] = strdup(text))) {
		words_free(argv);
		return -ENOMEM;
	}
	*ret = argv;
	return 0;
}

/* What is wrong with the program's name, or NULL. */
static const char *program_problem(const char *program)
{
	if (!program || !*program)
		return "no command in it, expected a program and its arguments";
	if (strchr("-@:+!", program[0]))
		return "begins with one of systemd's prefixes - @ : + !, expected the program "
		       "itself";
	if (program[0] != '/' && strchr(program, '/'))
		return "a program with a relative path, expected an absolute one or a name to be "
		       "found in PATH";
	return NULL;
}

int config_command(struct config_draft *draft, const struct config_origin *origin, const char *key,
	const char *text, bool shell, char ***ret, size_t *ret_n)
{
	const char *problem = NULL;
	int r;

	if (shell) {
		*ret_n = 3;
		return shell_argv(text, ret);
	}
	r = words_split(text, ret, ret_n, &problem);
	if (r == -ENOMEM)
		return r;
	if (r == 0)
		problem = program_problem((*ret)[0]);
	if (problem)
		config_report(draft, origin, key, "%s%s", problem,
			r < 0 ? ", expected words quoted as in systemd, or Shell=yes" : "");
	return 0;
}

/* ---- the rest -------------------------------------------------------------------------------- */

struct config_origin *config_job_origin(struct config_job_draft *job, size_t offset)
{
	return &job->origins[config_index(&config_job_table, offset)];
}

static void complete_grace(struct config_draft *draft, struct config_job_draft *job)
{
	const struct config_origin *origin =
		config_job_origin(job, offsetof(struct config_job_draft, job.stop_grace_ns));
	int64_t most = draft->config.timing.stop_grace_ns;
	char text[32];

	(void)snprintf(text, sizeof(text), "%lldms", (long long)(most / ONCE_NSEC_PER_MSEC));
	if (!origin->set || origin->bad)
		job->job.stop_grace_ns = most;
	else if (job->job.stop_grace_ns > most)
		config_report(draft, origin, "StopGrace",
			"longer than the election's, which is all that a fenced job gets, expected "
			"at "
			"most %s or a longer StopGrace= in onced.conf",
			text);
}

static size_t size_of(char *const *words)
{
	size_t size = 0;

	for (; words && *words; words++)
		size += strlen(*words) + 1;
	return size;
}

static void check_size(struct config_draft *draft, const struct config_job_draft *job)
{
	struct config_origin nowhere = {.file = job->file};
	size_t size = size_of(job->job.argv) + size_of(job->job.environment);

	for (size_t i = 0; i < job->job.n_steps; i++)
		size += size_of(job->job.steps[i].argv) + size_of(job->job.steps[i].undo);
	if (size > CONFIG_STRINGS_MAX)
		config_report(draft, &nowhere, "Exec",
			"command and environment have %zu bytes together, expected at most %d",
			size, CONFIG_STRINGS_MAX);
}

static int complete_job(struct config_draft *draft, struct config_job_draft *job)
{
	struct config_origin *isolate =
		config_job_origin(job, offsetof(struct config_job_draft, job.isolate));

	if (config_apply_fallbacks(&config_job_table, job, job->origins) < 0)
		return -ENOMEM;
	if (!job->job.description && config_set_string(&job->job.description, "") < 0)
		return -ENOMEM;
	if (!job->job.environment &&
		!(job->job.environment = calloc(1, sizeof(*job->job.environment))))
		return -ENOMEM;
	while (job->job.environment[job->job.n_environment])
		job->job.n_environment++;
	if (!isolate->set || isolate->bad)
		job->job.isolate = draft->config.isolate;
	complete_grace(draft, job);
	config_check_group(draft, job);
	if (config_complete_work(draft, job) < 0)
		return -ENOMEM;
	check_size(draft, job);
	return 0;
}

int config_add_job(struct config_draft *draft, struct config_job_draft *job)
{
	struct config *config = &draft->config;
	struct config_job *grown;
	int r = complete_job(draft, job);

	config_work_free(job);
	grown = r < 0 ? NULL
		      : reallocarray(config->jobs, config->n_jobs + 1, sizeof(*config->jobs));
	if (!grown) {
		config_job_free(&job->job);
		return -ENOMEM;
	}
	config->jobs = grown;
	config->jobs[config->n_jobs++] = job->job;
	return 0;
}

/* ---- the directory --------------------------------------------------------------------------- */

static bool is_job_file(const char *name)
{
	size_t n = strlen(name);

	return name[0] != '.' && n > 4 && strcmp(name + n - 4, ".job") == 0;
}

static int load_job(struct config_draft *draft, const char *path, const char *file_name)
{
	struct config_job_draft job = {.file = path};
	struct config_reader reader = {draft, &config_job_table, &job, job.origins, path};
	struct config_origin nowhere = {.file = path};

	job.job.name = strndup(file_name, strlen(file_name) - 4);
	if (!job.job.name)
		return -ENOMEM;
	policy_retry_default(&job.job.retry);
	if (!config_name_valid(job.job.name))
		config_report(draft, &nowhere, NULL,
			"bad job name, expected 1 to %d of a-z 0-9 . _ - beginning with a letter "
			"or "
			"digit, and .job",
			CONFIG_NAME_MAX);
	if (!config_read_file(&reader)) { /* has had its line */
		config_work_free(&job);
		config_job_free(&job.job);
		return 0;
	}
	return config_add_job(draft, &job);
}

int config_load_job(const char *directory, const char *name, const char *program,
	struct config_job *ret, FILE *errors)
{
	/* Any StopGrace= is fine: it is the daemon that compares it with onced.conf. */
	struct config_draft draft = {.errors = errors,
		.program = program,
		.for_reading = true,
		.config.timing.stop_grace_ns = INT64_MAX};
	char *path = NULL, *file = NULL;
	int r = -ENOMEM;

	*ret = (struct config_job){0};
	if (asprintf(&path, "%s/%s.job", directory, name) < 0)
		path = NULL;
	if (asprintf(&file, "%s.job", name) < 0)
		file = NULL;
	if (path && file)
		r = load_job(&draft, path, file);
	if (r == 0 && draft.n_errors == 0) {
		*ret = draft.config.jobs[0];
		draft.config.n_jobs = 0;
	}
	if (r < 0)
		fprintf(errors, "%s: out of memory while reading the configuration\n", program);
	config_free(&draft.config);
	free(path);
	free(file);
	return r < 0 || draft.n_errors > 0 ? EXIT_CONFIG_FILE : 0;
}

static int filter_jobs(const struct dirent *entry)
{
	return is_job_file(entry->d_name);
}

static int load_all(
	struct config_draft *draft, const char *directory, struct dirent **entries, int n)
{
	int r = 0;

	for (int i = 0; i < n; i++) {
		char *path = NULL;

		if (r == 0 && asprintf(&path, "%s/%s", directory, entries[i]->d_name) < 0) {
			path = NULL;
			r = -ENOMEM;
		}
		if (r == 0)
			r = load_job(draft, path, entries[i]->d_name);
		free(path);
		free(entries[i]);
	}
	free(entries);
	return r;
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static const struct config_job *with_slice(const struct config *config, size_t n, const char *slice)
{
	char other[LINK_SLICE_MAX];

	for (size_t i = 0; i < n; i++) {
		if (!config->jobs[i].unit)
			continue;
		unit_slice(config->jobs[i].unit, other);
		if (strcmp(slice, other) == 0)
			return &config->jobs[i];
	}
	return NULL;
}

/* A slice is of one job, or one would end the other's unit. */
static void check_units(struct config_draft *draft, const char *directory)
{
	const struct config *config = &draft->config;

	for (size_t i = 0; i < config->n_jobs && draft->n_errors == 0; i++) {
		char slice[LINK_SLICE_MAX], path[4096];
		struct config_origin nowhere = {.file = path};
		const struct config_job *job = &config->jobs[i], *former;

		if (!job->unit)
			continue;
		unit_slice(job->unit, slice);
		former = with_slice(config, i, slice);
		(void)snprintf(path, sizeof(path), "%s/%s.job", directory, job->name);
		if (former)
			config_report(draft, &nowhere, "Unit", "%s is in %s as %s of the job %s is, expected one of its own",
				job->unit, slice, former->unit, former->name);
	}
}

int config_load_jobs(struct config_draft *draft, const char *file)
{
	struct config_origin nowhere = {0};
	struct dirent **entries = NULL;
	char *copy = strdup(file), *directory = NULL;
	int n, r = -ENOMEM;

	if (!copy || asprintf(&directory, "%s/jobs.d", dirname(copy)) < 0) {
		free(copy);
		return -ENOMEM;
	}
	free(copy);
	nowhere.file = directory;
	n = scandir(directory, &entries, filter_jobs, by_bytes);
	if (n > CONFIG_JOBS_MAX)
		config_report(draft, &nowhere, NULL, "more than %d jobs", CONFIG_JOBS_MAX);
	if (n >= 0) {
		r = load_all(draft, directory, entries, n);
		if (r == 0)
			config_count_groups(draft, directory);
		if (r == 0)
			check_units(draft, directory);
	} else if (errno != ENOMEM) {
		r = 0; /* no directory, no jobs */
		if (errno != ENOENT)
			config_report(draft, &nowhere, NULL,
				"%s, expected a directory of job files", strerror(errno));
	}
	free(directory);
	return r;
}
