/* The files of a configuration, onced.conf and at most one job, from texts, and what comes of loading them. */
#ifndef TESTS_LOADED_H
#define TESTS_LOADED_H

#include "tests/daemon/scratch.h"

#include "daemon/config-internal.h"

/* The least that is accepted. */
#define ETCD "[Etcd]\nEndpoints=https://a:2379\n[Node]\nName=n1\n"
#define JOB "[Job]\nExec=/bin/true\n"
#define CRON JOB "Type=cron\n"
#define MIGRATE "[Job]\nType=migrate\nDirectory=/var/lib/m\n"

struct outcome {
	int code;
	char errors[8192];
	size_t n_lines;
	struct config config;
};

/* onced.conf as it lies there. */
static inline void load(struct outcome *out)
{
	struct options options = {0};
	char path[256], *text = NULL;
	size_t size = 0;
	FILE *errors = open_memstream(&text, &size);

	(void)snprintf(path, sizeof(path), "%s/onced.conf", scratch);
	options.file = path;
	*out = (struct outcome){0};
	out->code = config_load(&options, &out->config, errors);
	assert_int_equal(fclose(errors), 0);
	assert_true(size < sizeof(out->errors));
	memcpy(out->errors, text, size);
	for (size_t i = 0; i < size; i++)
		out->n_lines += text[i] == '\n';
	free(text);
}

/* Loads these texts; NULL: no job. */
static inline void load_texts(struct outcome *out, const char *conf, const char *job)
{
	char path[256];
	const char *text = scratch_fill(conf);

	scratch_write("onced.conf", text, strlen(text), 0644);
	(void)snprintf(path, sizeof(path), "%s/jobs.d/j.job", scratch);
	(void)unlink(path);
	if (job) {
		text = scratch_fill(job);
		scratch_write("jobs.d/j.job", text, strlen(text), 0644);
	}
	load(out);
}

#endif
