/* What --check prints: a configuration file that means the same, and the timing as comments. */
#include "daemon/config-internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/duration.h"
#include "base/escape.h"
#include "daemon/timing.h"
#include "daemon/words.h"

/* types: bit of the job's type; keys that other types have are left out. */
static void print_keys(const struct config_table *table, const void *base, unsigned types, FILE *out)
{
	const char *section = "";

	for (size_t i = 0; i < table->n_keys; i++) {
		const struct config_key *key = &table->keys[i];

		if (!key->type->print || (key->types && !(key->types & types)))
			continue;
		if (strcmp(section, key->section) != 0)
			fprintf(out, "%s[%s]\n", *section ? "\n" : "", key->section);
		section = key->section;
		fprintf(out, "%s=", key->name);
		key->type->print(out, (const char *)base + key->offset);
		fputc('\n', out);
	}
}

/* ---- timing ---------------------------------------------------------------------------------- */

static void print_rule(const struct once_timing *t, FILE *out)
{
	char h[DURATION_TEXT_MAX], r[DURATION_TEXT_MAX], tenth[DURATION_TEXT_MAX];
	char v[DURATION_TEXT_MAX], g[DURATION_TEXT_MAX], k[DURATION_TEXT_MAX];
	char left[DURATION_TEXT_MAX], right[DURATION_TEXT_MAX];

	fprintf(out,
		"# Rule: H + 2R + V/10 <= V - G - K: %s + 2 * %s + %s = %s <= %s - %s - %s = %s\n",
		duration_format(h, t->beat_interval_ns), duration_format(r, t->request_timeout_ns),
		duration_format(tenth, t->fence_after_ns / 10),
		duration_format(left,
			t->beat_interval_ns + 2 * t->request_timeout_ns + t->fence_after_ns / 10),
		duration_format(v, t->fence_after_ns), duration_format(g, t->stop_grace_ns),
		duration_format(k, t->kill_budget_ns),
		duration_format(right, t->fence_after_ns - t->stop_grace_ns - t->kill_budget_ns));
}

static void print_failover(const struct once_timing *t, FILE *out)
{
	struct timing_fault faults[TIMING_FAULTS];
	char text[DURATION_TEXT_MAX];

	timing_faults(t, faults);
	fputs("#\n# From a fault to the next leader's job, at most, with etcd answering within "
	      "R:\n",
		out);
	for (size_t i = 0; i < TIMING_FAULTS; i++)
		fprintf(out, "#   %-46s %8s  %s\n", faults[i].fault,
			duration_format(text, faults[i].at_most_ns), faults[i].how);
}

/* ---- jobs ------------------------------------------------------------------------------------ */

/* The names only: values are where people keep passwords. */
static void print_environment(const struct config_job *job, FILE *out)
{
	if (job->n_environment == 0)
		return;
	fputs("# Environment= (values not shown):", out);
	for (char **word = job->environment; *word; word++)
		fprintf(out, " %.*s", (int)strcspn(*word, "="), *word);
	fputc('\n', out);
}

/* As written, or as near to it as words come; NULL for none. -ENOMEM. */
static int words_text(char **ret, char *const *words)
{
	size_t size = 0;
	FILE *out;

	*ret = NULL;
	if (!words)
		return 0;
	out = open_memstream(ret, &size);
	if (!out)
		return -ENOMEM;
	words_print(out, words);
	return fclose(out) == 0 && *ret ? 0 : -ENOMEM;
}

static void print_step(const char *key, const char *name, char *const *words, FILE *out)
{
	if (!words)
		return;
	fprintf(out, "%s=%s: ", key, name);
	words_print(out, words);
	fputc('\n', out);
}

static void print_steps(const struct config_job *job, FILE *out)
{
	for (size_t i = 0; i < job->n_steps; i++)
		print_step("Step", job->steps[i].name, job->steps[i].argv, out);
	for (size_t i = 0; i < job->n_steps; i++)
		print_step("Undo", job->steps[i].name, job->steps[i].undo, out);
}

static void print_program(const char *key, char *const *argv, FILE *out)
{
	if (argv && argv[0][0] == '/' && access(argv[0], X_OK) < 0)
		fprintf(out, "# warning: %s= cannot be run here now: %s\n", key, strerror(errno));
}

static int print_commands(struct config_job_draft *draft, FILE *out)
{
	const struct config_job *job = &draft->job;
	int r = words_text(&draft->exec, job->unit ? NULL : job->argv);

	r = r ? r : words_text(&draft->probe, job->probe);
	r = r ? r : words_text(&draft->runner, job->runner);
	if (r == 0)
		print_keys(&config_job_table, draft, 1u << job->type, out);
	free(draft->exec);
	free(draft->probe);
	free(draft->runner);
	return r;
}

static int print_job(const struct config_job *job, FILE *out)
{
	struct config_job_draft draft = {.job = *job};

	draft.job.shell = false; /* the words name the shell */
	draft.user = job->user.name;
	fprintf(out, "\n# jobs.d/%s.job\n", job->name);
	if (print_commands(&draft, out) < 0)
		return -ENOMEM;
	print_steps(job, out);
	print_environment(job, out);
	print_program("Exec", job->unit ? NULL : job->argv, out);
	print_program("Probe", job->probe, out);
	print_program("Runner", job->runner, out);
	for (size_t i = 0; i < job->n_steps; i++)
		print_program("Step", job->steps[i].argv, out);
	for (size_t i = 0; i < job->n_steps; i++)
		print_program("Undo", job->steps[i].undo, out);
	return 0;
}

int config_print(const struct config *config, FILE *out)
{
	char source[CONFIG_QUOTE_MAX * 2];

	(void)escape_line(source, sizeof(source), config->source, strlen(config->source));
	fprintf(out, "# The effective configuration of %s\n", source);
	print_keys(&config_main_table, config, 0, out);
	if (config->password)
		fprintf(out, "# password: (set)\n");
	fputc('\n', out);
	print_rule(&config->timing, out);
	print_failover(&config->timing, out);
	if (config->n_jobs == 0)
		fprintf(out, "\n# no job: this node would lead and run nothing\n");
	for (size_t i = 0; i < config->n_jobs; i++) {
		if (print_job(&config->jobs[i], out) < 0)
			return -ENOMEM;
	}
	return 0;
}
