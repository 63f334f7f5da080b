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

static void print_keys(const struct config_table *table, const void *base, FILE *out)
{
	const char *section = "";

	for (size_t i = 0; i < table->n_keys; i++) {
		const struct config_key *key = &table->keys[i];

		if (!key->type->print)
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

static void print_job(const struct config_job *job, FILE *out)
{
	struct config_job_draft draft = {.job = *job};
	size_t size = 0;
	FILE *exec = open_memstream(&draft.exec, &size);

	if (exec) {
		words_print(exec, job->argv);
		(void)fclose(exec);
	}
	fprintf(out, "\n# jobs.d/%s.job\n", job->name);
	print_keys(&config_job_table, &draft, out);
	free(draft.exec);
	print_environment(job, out);
	if (job->argv[0][0] == '/' && access(job->argv[0], X_OK) < 0)
		fprintf(out, "# warning: Exec= cannot be run here now: %s\n", strerror(errno));
}

void config_print(const struct config *config, FILE *out)
{
	char source[CONFIG_QUOTE_MAX * 2];

	(void)escape_line(source, sizeof(source), config->source, strlen(config->source));
	fprintf(out, "# The effective configuration of %s\n", source);
	print_keys(&config_main_table, config, out);
	if (config->password)
		fprintf(out, "# password: (set)\n");
	fputc('\n', out);
	print_rule(&config->timing, out);
	print_failover(&config->timing, out);
	if (config->n_jobs == 0)
		fprintf(out, "\n# no job: this node would lead and run nothing\n");
	for (size_t i = 0; i < config->n_jobs; i++)
		print_job(&config->jobs[i], out);
}
