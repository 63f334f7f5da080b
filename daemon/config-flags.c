/* The settings of onced run, as assignments. Of several for one key the last wins, and a flag comes
 * after the environment. */
#include "daemon/config-internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/secrets.h"

static void assign(struct config_draft *draft, const struct options_setting *setting,
	const struct config_key *key, const char *value)
{
	struct config_origin from = {.flag = setting->origin};

	config_assign(draft, &config_main_table, &draft->config, draft->origins, key, &from, value);
}

/* Out of memory shows as no password, which is refused later. */
static void take_password(struct config_draft *draft, const char *password)
{
	if (!draft->config.password && *password) {
		draft->config.password = strdup(password);
		draft->config.password_from_environment = true;
	}
}

/* etcdctl's NAME:PASSWORD, from the environment only. */
static void assign_user(struct config_draft *draft, const struct options_setting *setting,
	const struct config_key *key)
{
	const char *colon = strchr(setting->value, ':');
	char *name;

	if (!colon || strncmp(setting->origin, "ETCDCTL_", 8) != 0) {
		assign(draft, setting, key, setting->value);
		return;
	}
	name = strndup(setting->value, (size_t)(colon - setting->value));
	if (name && *name)
		assign(draft, setting, key, name);
	free(name);
	take_password(draft, colon + 1);
}

/* --key means something else to users of etcdctl. */
static bool is_file_by_mistake(struct config_draft *draft, const struct options_setting *setting)
{
	struct config_origin from = {.flag = setting->origin};

	if (strcmp(setting->section, "Election") != 0 ||
		strcmp(setting->origin, "--key") != 0 || access(setting->value, F_OK) < 0)
		return false;
	config_report(draft, &from, NULL,
		"names a file, expected the leader key in etcd, such as /leader; the client "
		"certificate's key is --key-file");
	return true;
}

void config_apply_settings(struct config_draft *draft, const struct options *options)
{
	for (size_t i = options->n_settings; i-- > 0;) {
		const struct options_setting *setting = &options->settings[i];
		const struct config_key *key =
			config_find(&config_main_table, setting->section, setting->key);

		if (strcmp(setting->key, "Password") == 0) {
			take_password(draft, setting->value);
			continue;
		}
		if (!key || draft->origins[key - config_main_table.keys].said ||
			is_file_by_mistake(draft, setting))
			continue;
		if (strcmp(setting->key, "User") == 0)
			assign_user(draft, setting, key);
		else
			assign(draft, setting, key, setting->value);
	}
}

/* ---- what a run has without a file ----------------------------------------------------------- */

static int default_prefix(struct config *config)
{
	const char *key = config->key ? config->key : "/leader";

	if (strcmp(key, "/leader") == 0)
		return config_set_string(&config->prefix, "/onced");
	free(config->prefix);
	if (asprintf(&config->prefix, "/onced/run%s", key) < 0) {
		config->prefix = NULL;
		return -ENOMEM;
	}
	return 0;
}

/* The directory of services for root, the session's for others. Without one there is no lock. */
static int default_runtime_dir(struct config *config)
{
	const char *session = getenv("XDG_RUNTIME_DIR");

	if (geteuid() == 0 || !session || session[0] != '/' || strlen(session) > 240)
		return geteuid() == 0 ? config_set_string(&config->runtime_dir, "/run/onced") : 0;
	if (asprintf(&config->runtime_dir, "%s/onced", session) < 0) {
		config->runtime_dir = NULL;
		return -ENOMEM;
	}
	return 0;
}

int config_run_defaults(struct config_draft *draft, const struct options *options)
{
	struct config *config = &draft->config;

	config->run = true;
	config->once = options->once;
	config->inherit_environment = true;
	if (!config_main_origin(draft, prefix)->set && default_prefix(config) < 0)
		return -ENOMEM;
	if (!config_main_origin(draft, runtime_dir)->set) {
		free(config->runtime_dir);
		config->runtime_dir = NULL;
		if (default_runtime_dir(config) < 0)
			return -ENOMEM;
	}
	return 0;
}

int config_add_command(struct config_draft *draft, const struct options *options)
{
	struct config_job *job = calloc(1, sizeof(*job));
	char *directory = getcwd(NULL, 0);

	/* A directory that is gone is none; one that memory lacks for is another directory. */
	if (!job || (!directory && errno == ENOMEM)) {
		free(directory);
		free(job);
		return -ENOMEM;
	}
	draft->config.jobs = job;
	draft->config.n_jobs = 1;
	*job = (struct config_job){.directory = directory,
		.restart = CONFIG_RESTART_NO,
		.stop_grace_ns = draft->config.timing.stop_grace_ns,
		.isolate = draft->config.isolate};
	job->argv = calloc((size_t)options->argc + 1, sizeof(*job->argv));
	job->environment = calloc(1, sizeof(*job->environment));
	if (!job->argv || !job->environment || config_set_string(&job->name, "run") < 0 ||
		config_set_string(&job->description, "") < 0 ||
		config_set_string(&job->group, draft->config.group) < 0)
		return -ENOMEM;
	for (; job->argc < (size_t)options->argc; job->argc++)
		if (config_set_string(&job->argv[job->argc], options->argv[job->argc]) < 0)
			return -ENOMEM;
	return 0;
}
