/* Loading the configuration: collect, complete, check, hand over.
 *
 * Happy path: a draft takes the assignments of the file, or of the flags of onced run;
 * config_finish() adds what nothing was said about and checks the rules between keys; job files
 * follow, since their defaults come from the main file. Every mistake on the way is reported and
 * counted; with none the draft's config is moved to the caller, otherwise it is freed. */
#include "daemon/config-internal.h"

#include <errno.h>
#include <stdlib.h>

#include "daemon/secrets.h"
#include "daemon/words.h"

static int load_run(struct config_draft *draft, const struct options *options)
{
	int r;

	config_apply_settings(draft, options);
	r = config_finish(draft, options, "onced run");
	if (r == 0 && options->argc > 0)
		r = config_add_command(draft, options);
	return r < 0 ? r : config_set_string(&draft->config.source, "onced run");
}

static int load_file(struct config_draft *draft, const char *file)
{
	struct config_reader reader = {
		draft, &config_main_table, &draft->config, draft->origins, file};
	int r;

	if (!config_read_file(&reader))
		return 0; /* one line for it, not another for each key it lacks */
	r = config_finish(draft, NULL, file);
	if (r == 0)
		r = config_load_jobs(draft, file);
	return r < 0 ? r : config_set_string(&draft->config.source, file);
}

/* -v and -d and --quiet: steps from the level that is configured. */
static void apply_verbosity(struct config *config, int steps)
{
	static const enum once_log_level levels[] = {
		ONCE_LOG_ERR, ONCE_LOG_WARNING, ONCE_LOG_INFO, ONCE_LOG_DEBUG};
	int i = 0;

	while (i < 3 && levels[i] != config->log_level)
		i++;
	i += steps;
	config->log_level = levels[i < 0 ? 0 : (i > 3 ? 3 : i)];
}

int config_load(const struct options *options, struct config *ret, FILE *errors)
{
	struct config_draft draft = {.errors = errors};
	int r;

	*ret = (struct config){0};
	r = options->run ? load_run(&draft, options) : load_file(&draft, options->file);
	if (r < 0)
		fprintf(errors, "onced: out of memory while reading the configuration\n");
	if (r < 0 || draft.n_errors > 0) {
		config_free(&draft.config);
		return options->run ? EXIT_USAGE : EXIT_CONFIG_FILE;
	}
	apply_verbosity(&draft.config, options->verbose);
	*ret = draft.config;
	return 0;
}

void config_free(struct config *config)
{
	words_free(config->endpoints);
	free(config->cacert);
	free(config->cert);
	free(config->key_file);
	free(config->user);
	secrets_free(config->password);
	free(config->password_file);
	free(config->node);
	free(config->address);
	free(config->key);
	free(config->value);
	free(config->prefix);
	free(config->group);
	free(config->runtime_dir);
	free(config->state_dir);
	free(config->http_listen);
	for (size_t i = 0; i < config->n_jobs; i++)
		config_job_free(&config->jobs[i]);
	free(config->jobs);
	free(config->source);
	*config = (struct config){0};
}

struct once_client_config config_connection(const struct config *config)
{
	return (struct once_client_config){
		.endpoints = (const char *const *)config->endpoints,
		.n_endpoints = config->n_endpoints,
		.cacert = config->cacert,
		.cert = config->cert,
		.key_file = config->key_file,
		.user = config->user,
		.password = config->password,
		.allow_plaintext = config->allow_plaintext,
	};
}

static void swap(char **a, char **b)
{
	char *kept = *a;

	*a = *b;
	*b = kept;
}

void config_swap_credentials(struct config *a, struct config *b)
{
	swap(&a->cacert, &b->cacert);
	swap(&a->cert, &b->cert);
	swap(&a->key_file, &b->key_file);
	swap(&a->user, &b->user);
	swap(&a->password, &b->password);
	swap(&a->password_file, &b->password_file);
}
