/* Every key of the configuration files, once: what parses, checks, completes and prints it, what
 * the man pages list and what the flags of onced run stand for. */
#include "daemon/config-internal.h"

#include <string.h>

#define MS ONCE_NSEC_PER_MSEC
#define SEC ONCE_NSEC_PER_SEC
#define MAIN(member) offsetof(struct config, member)
#define JOB(member) offsetof(struct config_job_draft, member)
#define BY_PROFILE "by Profile="

static const struct config_key main_keys[] = {
	{"Etcd", "Endpoints", NULL, NULL, &config_type_endpoints, MAIN(endpoints), 0, 0, true,
		"The members of the etcd cluster, as URLs or host:port, separated by blanks or "
		"commas. "
		"Required."},
	{"Etcd", "CACert", NULL, NULL, &config_type_path, MAIN(cacert), 0, 0, false,
		"PEM file of the authorities to trust; without it the system's."},
	{"Etcd", "Cert", NULL, NULL, &config_type_path, MAIN(cert), 0, 0, false,
		"PEM file of the client certificate; needs Key=."},
	{"Etcd", "Key", NULL, NULL, &config_type_path, MAIN(key_file), 0, 0, false,
		"PEM file of the client certificate's key; mode 0600 or 0400."},
	{"Etcd", "User", NULL, NULL, &config_type_user, MAIN(user), 0, 0, false,
		"etcd user to log in as; needs PasswordFile=."},
	{"Etcd", "PasswordFile", NULL, NULL, &config_type_path, MAIN(password_file), 0, 0, false,
		"File that holds the user's password; mode 0600 or 0400."},
	{"Etcd", "AllowPlaintext", "no", NULL, &config_type_bool, MAIN(allow_plaintext), 0, 0,
		false, "Allow http:// to other hosts than this one."},

	{"Node", "Name", NULL, "the host name in lower case", &config_type_name, MAIN(node), 0, 0,
		false, "This node's name, unique in the cluster."},
	{"Node", "Address", NULL, NULL, &config_type_text, MAIN(address), 0, 255, false,
		"Shown to others as where this node can be reached."},

	{"Election", "Key", "/leader", NULL, &config_type_etcd_key, MAIN(key), 0, 0, false,
		"The key that the leader holds."},
	{"Election", "Value", NULL, "the node's name", &config_type_text, MAIN(value), 0, 1024,
		false, "What the key holds while this node leads."},
	{"Election", "Prefix", "/onced", NULL, &config_type_etcd_key, MAIN(prefix), 0, 0, false,
		"Where the election's other keys live."},
	{"Election", "Profile", "normal", NULL, &config_type_profile, MAIN(profile), 0, 0, false,
		"A set of timings: normal, fast or wan."},
	{"Election", "LeaseTTL", NULL, BY_PROFILE, &config_type_seconds, MAIN(timing.lease_ttl_s),
		1, 86400, false, "TTL of the leader key's lease, in whole seconds."},
	{"Election", "FenceAfter", NULL, BY_PROFILE, &config_type_duration,
		MAIN(timing.fence_after_ns), 100 * MS, 86400 * SEC, false,
		"Jobs are dead this long after the last proof of leadership was sent (V)."},
	{"Election", "BeatInterval", NULL, BY_PROFILE, &config_type_duration,
		MAIN(timing.beat_interval_ns), 20 * MS, 3600 * SEC, false,
		"Time between two proofs of leadership (H)."},
	{"Election", "RequestTimeout", NULL, BY_PROFILE, &config_type_duration,
		MAIN(timing.request_timeout_ns), 10 * MS, 3600 * SEC, false,
		"How long a request to etcd may take (R)."},
	{"Election", "StopGrace", NULL, BY_PROFILE, &config_type_duration,
		MAIN(timing.stop_grace_ns), 1 * MS, 3600 * SEC, false,
		"Time between SIGTERM and SIGKILL to a job (G)."},
	{"Election", "KillBudget", NULL, BY_PROFILE, &config_type_duration,
		MAIN(timing.kill_budget_ns), 20 * MS, 60 * SEC, false,
		"Time kept for SIGKILL to be proven (K)."},
	{"Election", "ClockDrift", NULL, BY_PROFILE, &config_type_percent,
		MAIN(timing.clock_drift_ppm), 10000, 1000000, false,
		"How much two nodes' clocks may differ in speed."},

	{"Daemon", "RuntimeDirectory", "/run/onced", NULL, &config_type_path, MAIN(runtime_dir), 0,
		255, false, "Lock and state of the running daemon."},
	{"Daemon", "LogLevel", "info", NULL, &config_type_level, MAIN(log_level), 0, 0, false,
		"error, warning, info or debug."},
	{"Daemon", "Isolate", "no", NULL, &config_type_bool, MAIN(isolate), 0, 0, false,
		"Run every job in a PID namespace of its own, unless the job says otherwise."},
};

static const struct config_key job_keys[] = {
	{"Job", "Type", "service", NULL, &config_type_job_type, JOB(job.type), 0, 0, false,
		"service: runs as long as this node leads."},
	{"Job", "Description", NULL, NULL, &config_type_text, JOB(job.description), 0, 1024, false,
		"For people."},
	{"Job", "Exec", NULL, NULL, &config_type_raw, JOB(exec), 0, 0, false,
		"The command and its arguments. Required."},
	{"Job", "Shell", "no", NULL, &config_type_bool, JOB(shell), 0, 0, false,
		"Give Exec= as it is to /bin/sh -c."},
	{"Job", "WorkingDirectory", "/", NULL, &config_type_path, JOB(job.directory), 0, 255, false,
		"Where the command starts."},
	{"Job", "Environment", NULL, NULL, &config_type_environment, JOB(job.environment), 0, 0,
		true, "NAME=value, or NAME to hand on the daemon's own."},
	{"Job", "Restart", "always", NULL, &config_type_restart, JOB(job.restart), 0, 0, false,
		"When to start it again: always, on-failure or no."},
	{"Job", "RestartDelay", "1s", NULL, &config_type_duration, JOB(job.restart_delay_ns), 0,
		86400 * SEC, false, "How long after its end."},
	{"Job", "StopGrace", NULL, "StopGrace= of onced.conf", &config_type_duration,
		JOB(job.stop_grace_ns), 1 * MS, 3600 * SEC, false,
		"Time between SIGTERM and SIGKILL, at most that of onced.conf."},
	{"Job", "Isolate", NULL, "Isolate= of onced.conf", &config_type_bool, JOB(job.isolate), 0,
		0, false, "Run it in a PID namespace of its own."},
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
_Static_assert(COUNT(main_keys) <= CONFIG_KEYS_MAX, "origins[] is too small");
_Static_assert(COUNT(job_keys) <= CONFIG_KEYS_MAX, "origins[] is too small");

const struct config_table config_main_table = {main_keys, COUNT(main_keys)};
const struct config_table config_job_table = {job_keys, COUNT(job_keys)};

const struct config_key *config_find(
	const struct config_table *table, const char *section, const char *name)
{
	for (size_t i = 0; i < table->n_keys; i++)
		if (strcmp(table->keys[i].section, section) == 0 &&
			strcmp(table->keys[i].name, name) == 0)
			return &table->keys[i];
	return NULL;
}

bool config_has_section(const struct config_table *table, const char *section)
{
	for (size_t i = 0; i < table->n_keys; i++)
		if (strcmp(table->keys[i].section, section) == 0)
			return true;
	return false;
}

size_t config_index(const struct config_table *table, size_t offset)
{
	for (size_t i = 0; i < table->n_keys; i++)
		if (table->keys[i].offset == offset)
			return i;
	__builtin_trap(); /* a rule names a member that no key sets */
}

static void dump_table(FILE *out, const char *kind, const struct config_table *table)
{
	for (size_t i = 0; i < table->n_keys; i++) {
		const struct config_key *key = &table->keys[i];

		fprintf(out, "%s\t%s\t%s\t%s\t%s\n", kind, key->section, key->name,
			key->fallback ? key->fallback : (key->computed ? key->computed : ""),
			key->help);
	}
}

void config_dump_keys(FILE *out)
{
	dump_table(out, "main", &config_main_table);
	dump_table(out, "job", &config_job_table);
}
