/* The configuration of a program that only talks to etcd, such as oncectl: the connection, the keys
 * and the timing of a configuration file, of flags and of the environment; no job, no directory.
 *
 * Happy path: the file's assignments, then for each key that a setting names what the file said is
 * forgotten and the setting assigned; the rules between keys are those of the daemon. */
#include "daemon/config-internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/words.h"

/* A setting goes before the file, which may say the key only once. */
static void forget(struct config_draft *draft, const struct options *options)
{
	for (size_t i = 0; i < options->n_settings; i++) {
		const struct options_setting *setting = &options->settings[i];
		const struct config_key *key =
			config_find(&config_main_table, setting->section, setting->key);

		if (!key)
			continue;
		draft->origins[key - config_main_table.keys] = (struct config_origin){0};
		if (key->list) {
			char ***field = (char ***)((char *)&draft->config + key->offset);
			*field = words_free(*field);
		}
	}
}

static int collect(struct config_draft *draft, const struct options *options)
{
	struct config_reader reader = {
		draft, &config_main_table, &draft->config, draft->origins, options->file};

	if (options->file && !config_read_file(&reader))
		return 0;
	forget(draft, options);
	config_apply_settings(draft, options);
	/* Only a daemon's own name must be good. */
	if (!draft->config.node && config_set_string(&draft->config.node, "-") < 0)
		return -ENOMEM;
	return config_finish(draft, options->file ? NULL : options, options->file);
}

int config_load_client(
	const struct options *options, const char *program, struct config *ret, FILE *errors)
{
	struct config_draft draft = {.errors = errors, .program = program};
	int r = collect(&draft, options);

	*ret = (struct config){0};
	if (r == 0)
		r = config_set_string(
			&draft.config.source, options->file ? options->file : program);
	if (r < 0)
		fprintf(errors, "%s: out of memory while reading the configuration\n", program);
	if (r < 0 || draft.n_errors > 0) {
		config_free(&draft.config);
		return options->file ? EXIT_CONFIG_FILE : EXIT_USAGE;
	}
	*ret = draft.config;
	return 0;
}
