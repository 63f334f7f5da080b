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
	{"Daemon", "StateDirectory", NULL, NULL, &config_type_path, MAIN(state_dir), 0, 255, false,
		"Where what was seen of etcd is kept over reboots, so that an older one is noticed."},
	{"Daemon", "LogLevel", "info", NULL, &config_type_level, MAIN(log_level), 0, 0, false,
		"error, warning, info or debug."},
	{"Daemon", "Isolate", "no", NULL, &config_type_bool, MAIN(isolate), 0, 0, false,
		"Run every job in a PID namespace of its own, unless the job says otherwise."},

	{"Http", "Listen", NULL, NULL, &config_type_listen, MAIN(http_listen), 0, 0, false,
		"Where the status page, the metrics and the health paths are served: ADDRESS:PORT, or the "
		"absolute path of a unix socket."},
	{"Http", "AllowRemote", "no", NULL, &config_type_bool, MAIN(http_remote), 0, 0, false,
		"Allow Listen= to be an address that other hosts can reach."},
};

#define FOR(type) (1u << CONFIG_JOB_##type)
#define FOR_COMMAND (FOR(SERVICE) | FOR(CRON) | FOR(ONCE))
#define FOR_WORK (FOR(CRON) | FOR(ONCE) | FOR(STEPS) | FOR(MIGRATE))

static const struct config_key job_keys[] = {
	{"Job", "Type", "service", NULL, &config_type_job_type, JOB(job.type), 0, 0, false,
		"service: runs as long as this node leads. cron: at the instants of Schedule=. once: "
		"one time ever. steps: the commands of Step= in order, each one time ever. migrate: "
		"the files of Directory= in order, each one time ever."},
	{"Job", "Description", NULL, NULL, &config_type_text, JOB(job.description), 0, 1024, false,
		"For people."},
	{"Job", "Group", "default", NULL, &config_type_name, JOB(job.group), 0, 0, false,
		"The group whose leader runs it; each group has a leader of its own."},
	{"Job", "Exec", NULL, NULL, &config_type_raw, JOB(exec), 0, 0, false,
		"The command and its arguments. Required, or Unit=.", FOR_COMMAND},
	{"Job", "Unit", NULL, NULL, &config_type_unit, JOB(job.unit), 0, 0, false,
		"The systemd unit that is started and stopped in place of a command: NAME.service.", FOR_COMMAND},
	{"Job", "Shell", "no", NULL, &config_type_bool, JOB(job.shell), 0, 0, false,
		"Give Exec=, Step= and Undo= as they are to /bin/sh -c.", FOR_COMMAND | FOR(STEPS)},
	{"Job", "User", NULL, NULL, &config_type_name, JOB(user), 0, 0, false,
		"The user to run as, with that user's groups; needs a daemon that runs as root."},
	{"Job", "WorkingDirectory", "/", NULL, &config_type_path, JOB(job.directory), 0, 255, false,
		"Where the command starts."},
	{"Job", "Environment", NULL, NULL, &config_type_environment, JOB(job.environment), 0, 0,
		true, "NAME=value, or NAME to hand on the daemon's own."},
	{"Job", "Restart", "always", NULL, &config_type_restart, JOB(job.restart), 0, 0, false,
		"When to start it again: always, on-failure or no.", FOR(SERVICE)},
	{"Job", "RestartDelay", "1s", NULL, &config_type_duration, JOB(job.restart_delay_ns), 0,
		86400 * SEC, false, "How long after its end.", FOR(SERVICE)},
	{"Job", "StopGrace", NULL, "StopGrace= of onced.conf", &config_type_duration,
		JOB(job.stop_grace_ns), 1 * MS, 3600 * SEC, false,
		"Time between SIGTERM and SIGKILL, at most that of onced.conf."},
	{"Job", "Isolate", NULL, "Isolate= of onced.conf", &config_type_bool, JOB(job.isolate), 0,
		0, false, "Run it in a PID namespace of its own."},

	{"Job", "Schedule", NULL, NULL, &config_type_text, JOB(job.schedule), 0, 255, false,
		"When it runs: five fields of cron, @hourly and the like, @every 90s, or systemd's "
		"OnCalendar. Required.",
		FOR(CRON)},
	{"Job", "TimeZone", "UTC", NULL, &config_type_text, JOB(job.time_zone), 0, 63, false,
		"The time zone of Schedule=, as in /usr/share/zoneinfo.", FOR(CRON)},
	{"Job", "Jitter", "0s", NULL, &config_type_duration, JOB(job.jitter_ns), 0, 86400 * SEC,
		false,
		"Starts are moved by a part of this that follows from the job's name and never "
		"changes.",
		FOR(CRON)},
	{"Job", "Overlap", "skip", NULL, &config_type_overlap, JOB(job.overlap), 0, 0, false,
		"What becomes of an instant while the run before it lives: skip, queue or replace.",
		FOR(CRON)},
	{"Job", "Missed", "latest", NULL, &config_type_missed, JOB(job.missed), 0, 0, false,
		"Which instants that passed while nobody led run afterwards: skip (none), latest or "
		"all.",
		FOR(CRON)},
	{"Job", "StartingDeadline", "0s", NULL, &config_type_duration,
		JOB(job.starting_deadline_ns), 0, 366 * 86400 * SEC, false,
		"how late it may start; 0s: ever so late.", FOR(CRON)},

	{"Job", "Id", NULL, "the job's name", &config_type_id, JOB(job.id), 0, 0, false,
		"What the ledger calls it.", FOR(ONCE) | FOR(STEPS) | FOR(MIGRATE)},
	{"Job", "Step", NULL, NULL, &config_type_steps, JOB(steps), 0, 0, true,
		"A step, as name: command. Required.", FOR(STEPS)},
	{"Job", "Undo", NULL, NULL, &config_type_steps, JOB(undo), 0, 0, true,
		"What takes the step of that name back, as name: command.", FOR(STEPS)},
	{"Job", "OnFailure", NULL, "undo with Undo=, else hold", &config_type_on_failure,
		JOB(job.on_failure), 0, 0, false,
		"What becomes of a flow when a step has failed for good: hold or undo.",
		FOR(STEPS)},
	{"Job", "Directory", NULL, NULL, &config_type_path, JOB(job.files), 0, 4095, false,
		"Where the files are. Required.", FOR(MIGRATE)},
	{"Job", "Runner", NULL, NULL, &config_type_raw, JOB(runner), 0, 0, false,
		"The command that applies one file. Required.", FOR(MIGRATE)},
	{"Job", "Baseline", NULL, NULL, &config_type_id, JOB(job.baseline), 0, 0, false,
		"The last file that was applied before onced was asked to.", FOR(MIGRATE)},

	{"Job", "Timeout", "0s", NULL, &config_type_duration, JOB(job.timeout_ns), 0,
		366 * 86400 * SEC, false, "How long an attempt may take; 0s: as long as it likes.",
		FOR_WORK},
	{"Job", "Retries", "0", NULL, &config_type_count, JOB(job.retry.retries), 0, 1000, false,
		"How often it is tried again after a failure.", FOR_WORK},
	{"Job", "RetryDelay", "1s", NULL, &config_type_duration, JOB(job.retry.delay_ns), 0,
		86400 * SEC, false,
		"How long after the first failure; doubles with each further one, to five minutes.",
		FOR_WORK},
	{"Job", "RetryOn", NULL, "timeout and every code but 0 and 75", &config_type_retry_on,
		JOB(job.retry), 0, 0, false,
		"The exit codes that are worth another try, and timeout; 128+n: signal n.", FOR_WORK},
	{"Job", "OnInterrupt", NULL, "skip; for steps rerun, for migrate hold",
		&config_type_interrupt, JOB(job.on_interrupt), 0, 0, false,
		"What becomes of a run that began and whose end nobody knows: skip, rerun, probe or "
		"hold.",
		FOR_WORK},
	{"Job", "Probe", NULL, NULL, &config_type_raw, JOB(probe), 0, 0, false,
		"The command of OnInterrupt=probe: ends with 0 when the work was done, with 1 when it "
		"was not.",
		FOR_WORK},
	{"Job", "ProbeTimeout", "1min", NULL, &config_type_duration, JOB(job.probe_timeout_ns), 1 * MS,
		86400 * SEC, false, "How long Probe= may take.", FOR_WORK},
	{"Job", "PauseOnFailure", "0", NULL, &config_type_count, JOB(job.pause_on_failure), 0, 1000,
		false, "After so many failures in a row the job is paused; 0: never.", FOR(CRON)},
	{"Job", "HistoryOk", "30", NULL, &config_type_count, JOB(job.history_ok), 1, 10000, false,
		"How many records of good runs are kept.", FOR_WORK},
	{"Job", "HistoryFailed", "30", NULL, &config_type_count, JOB(job.history_failed), 1, 10000,
		false, "How many records of other runs, and of skipped instants, are kept.", FOR_WORK},
	{"Job", "OutputTail", "4096", NULL, &config_type_bytes, JOB(job.output_tail), 0, 65536,
		false, "How many bytes of the end of its output a record keeps.", FOR_WORK},
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
