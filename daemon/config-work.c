/* What a job's type asks for and what it has no use for: the rules behind Schedule=, Step=, Runner=
 * and their like, and the user to run as. Every mistake has its one line; nothing is started or
 * changed. */
#include "daemon/config-internal.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/calendar.h"
#include "daemon/words.h"

#define ORIGIN(job, member) config_job_origin(job, offsetof(struct config_job_draft, member))

void config_work_free(struct config_job_draft *job)
{
	free(job->exec);
	free(job->probe);
	free(job->runner);
	free(job->user);
	words_free(job->steps);
	words_free(job->undo);
	job->exec = job->probe = job->runner = job->user = NULL;
	job->steps = job->undo = NULL;
}

/* ---- which keys ------------------------------------------------------------------------------ */

static void list_types(char *out, size_t size, unsigned types)
{
	size_t n = 0;

	for (unsigned type = CONFIG_JOB_SERVICE; type <= CONFIG_JOB_MIGRATE; type++)
		if (types & 1u << type && n < size)
			n += (size_t)snprintf(out + n, size - n, "%s%s", n > 0 ? ", " : "",
				config_job_type_name((enum config_job_type)type));
}

static void refuse_foreign(struct config_draft *draft, struct config_job_draft *job)
{
	char types[64] = "";

	if (ORIGIN(job, job.type)->bad)
		return;
	for (size_t i = 0; i < config_job_table.n_keys; i++) {
		const struct config_key *key = &config_job_table.keys[i];

		if (!job->origins[i].set || !key->types || key->types & 1u << job->job.type)
			continue;
		list_types(types, sizeof(types), key->types);
		config_report(draft, &job->origins[i], key->name,
			"Type=%s has no such key, expected it with Type=%s only",
			config_job_type_name(job->job.type), types);
	}
}

/* Reports a required key that is missing. True: it is there, good or bad. */
static bool is_there(struct config_draft *draft, const struct config_job_draft *job,
	const struct config_origin *origin, const char *key, const char *expected)
{
	struct config_origin nowhere = {.file = job->file};

	if (!origin->set)
		config_report(
			draft, &nowhere, key, "missing in section [Job], expected %s", expected);
	return origin->set;
}

/* ---- each type ------------------------------------------------------------------------------- */

/* What a command of ours has, and a unit says itself. */
static void refuse_beside_unit(struct config_draft *draft, struct config_job_draft *job)
{
	const struct config_job *j = &job->job;
	const struct {
		bool said;
		const struct config_origin *origin;
		const char *key;
	} keys[] = {
		{job->exec && job->exec[0], ORIGIN(job, exec), "Exec"},
		{j->shell, ORIGIN(job, job.shell), "Shell"},
		{job->user, ORIGIN(job, user), "User"},
		{j->directory && strcmp(j->directory, "/") != 0, ORIGIN(job, job.directory), "WorkingDirectory"},
		{j->n_environment > 0, ORIGIN(job, job.environment), "Environment"},
		{j->isolate && ORIGIN(job, job.isolate)->set, ORIGIN(job, job.isolate), "Isolate"},
	};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (keys[i].said)
			config_report(draft, keys[i].origin, keys[i].key,
				"is for a command, expected the unit's own settings with Unit=");
}

/* The command is this program, which has systemd start it. */
static int complete_unit(struct config_draft *draft, struct config_job_draft *job)
{
	struct config_job *j = &job->job;

	refuse_beside_unit(draft, job);
	j->isolate = false;
	j->argv = calloc(4, sizeof(*j->argv));
	j->argc = 3;
	if (!j->argv || !(j->argv[0] = strdup("/proc/self/exe")) || !(j->argv[1] = strdup("unit")) ||
		!(j->argv[2] = strdup(j->unit)))
		return -ENOMEM;
	return 0;
}

static int complete_command(struct config_draft *draft, struct config_job_draft *job)
{
	const struct config_origin *origin = ORIGIN(job, exec);

	if (job->job.unit)
		return complete_unit(draft, job);
	if (ORIGIN(job, job.unit)->bad) /* has had its line */
		return 0;
	if (!is_there(draft, job, origin, "Exec", "a command") || !job->exec)
		return 0;
	return config_command(
		draft, origin, "Exec", job->exec, job->job.shell, &job->job.argv, &job->job.argc);
}

static int complete_cron(struct config_draft *draft, struct config_job_draft *job)
{
	const struct config_origin *schedule = ORIGIN(job, job.schedule),
				   *zone = ORIGIN(job, job.time_zone);
	char why[CONFIG_WHY_MAX];
	int r = complete_command(draft, job);

	if (r < 0 || !is_there(draft, job, schedule, "Schedule", "when to run") || schedule->bad)
		return r;
	if (!zone->bad && !draft->for_fuzzing &&
		calendar_check_zone(job->job.time_zone, why, sizeof(why)) < 0)
		config_report(draft, zone, "TimeZone", "%s", why);
	else if (calendar_check(job->job.schedule, why, sizeof(why)) < 0)
		config_report(draft, schedule, "Schedule", "%s", why);
	return 0;
}

static struct config_step *find_step(const struct config_job *job, const char *name, size_t size)
{
	for (size_t i = 0; i < job->n_steps; i++)
		if (strncmp(job->steps[i].name, name, size) == 0 && !job->steps[i].name[size])
			return &job->steps[i];
	return NULL;
}

/* Gives each Undo= to its step. */
static int complete_undo(struct config_draft *draft, struct config_job_draft *job)
{
	const struct config_origin *undo = ORIGIN(job, undo), *policy = ORIGIN(job, job.on_failure);

	for (char **text = job->undo; text && *text; text++) {
		size_t size = strcspn(*text, ":");
		struct config_step *step = find_step(&job->job, *text, size);

		if (!step)
			config_report(draft, undo, "Undo", "there is no Step=%.*s: to take back",
				(int)size, *text);
		else if (config_command(draft, undo, "Undo", *text + size + 1, job->job.shell,
				 &step->undo, &step->n_undo) < 0)
			return -ENOMEM;
	}
	if (!policy->set || policy->bad)
		job->job.on_failure =
			job->undo && *job->undo ? CONFIG_FAILURE_UNDO : CONFIG_FAILURE_HOLD;
	else if (job->job.on_failure == CONFIG_FAILURE_UNDO && !undo->set)
		config_report(
			draft, policy, "OnFailure", "undo without a command, expected Undo= too");
	return 0;
}

static int complete_steps(struct config_draft *draft, struct config_job_draft *job)
{
	const struct config_origin *origin = ORIGIN(job, steps);
	size_t n = 0;

	if (!is_there(draft, job, origin, "Step", "name: command"))
		return 0;
	while (job->steps && job->steps[n])
		n++;
	job->job.steps = calloc(n + 1, sizeof(*job->job.steps));
	if (!job->job.steps)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		struct config_step *step = &job->job.steps[job->job.n_steps++];
		const char *colon = strchr(job->steps[i], ':');

		step->name = strndup(job->steps[i], (size_t)(colon - job->steps[i]));
		if (!step->name || config_command(draft, origin, "Step", colon + 1, job->job.shell,
					   &step->argv, &step->argc) < 0)
			return -ENOMEM;
	}
	return complete_undo(draft, job);
}

/* What is wrong with the words' % signs, or NULL. */
static const char *template_problem(char *const *words)
{
	bool named = false;

	for (; *words; words++) {
		for (const char *at = strchr(*words, '%'); at; at = strchr(at + 2, '%')) {
			if (at[1] == '\0' || !strchr("fns%", at[1]))
				return "has a % that is none of %f, %n, %s, %%";
			named |= at[1] == 'f';
		}
	}
	return named ? NULL : "names no file, expected %f where it belongs";
}

static int complete_migrate(struct config_draft *draft, struct config_job_draft *job)
{
	const struct config_origin *origin = ORIGIN(job, runner);
	size_t errors = draft->n_errors;
	const char *problem;

	(void)is_there(draft, job, ORIGIN(job, job.files), "Directory", "where the files are");
	if (!is_there(draft, job, origin, "Runner", "a command with %f for the file") ||
		!job->runner)
		return 0;
	if (config_command(draft, origin, "Runner", job->runner, false, &job->job.runner,
		    &job->job.n_runner) < 0)
		return -ENOMEM;
	problem = draft->n_errors == errors ? template_problem(job->job.runner) : NULL;
	if (problem)
		config_report(draft, origin, "Runner", "%s", problem);
	return 0;
}

/* ---- what the types but service share -------------------------------------------------------- */

static int complete_interrupt(struct config_draft *draft, struct config_job_draft *job)
{
	const struct config_origin *policy = ORIGIN(job, job.on_interrupt),
				   *probe = ORIGIN(job, probe),
				   *timeout = ORIGIN(job, job.probe_timeout_ns);
	struct config_job *j = &job->job;

	if (!policy->set || policy->bad)
		j->on_interrupt = j->type == CONFIG_JOB_STEPS	  ? POLICY_INTERRUPT_RERUN
				  : j->type == CONFIG_JOB_MIGRATE ? POLICY_INTERRUPT_HOLD
								  : POLICY_INTERRUPT_SKIP;
	if (j->type == CONFIG_JOB_SERVICE || policy->bad)
		return 0;
	if (j->on_interrupt == POLICY_INTERRUPT_PROBE && !probe->set)
		config_report(draft, policy, "OnInterrupt",
			"probe without a command, expected Probe= too");
	if (j->on_interrupt != POLICY_INTERRUPT_PROBE && probe->set)
		config_report(
			draft, probe, "Probe", "is never asked, expected OnInterrupt=probe too");
	if (timeout->set && !probe->set)
		config_report(draft, timeout, "ProbeTimeout", "has nothing to time, expected Probe= too");
	if (!job->probe)
		return 0;
	return config_command(draft, probe, "Probe", job->probe, j->shell, &j->probe, &j->n_probe);
}

/* ---- the user -------------------------------------------------------------------------------- */

static int take_user(struct config_user *user, const struct passwd *entry)
{
	user->uid = entry->pw_uid;
	user->gid = entry->pw_gid;
	if (config_set_string(&user->home, entry->pw_dir) < 0 ||
		config_set_string(&user->shell, entry->pw_shell) < 0)
		return -ENOMEM;
	return config_set_string(&user->name, entry->pw_name);
}

static int complete_user(struct config_draft *draft, struct config_job_draft *job)
{
	const struct config_origin *origin = ORIGIN(job, user);
	gid_t groups[LINK_SUPPLEMENTARY_MAX];
	int n = LINK_SUPPLEMENTARY_MAX;
	struct passwd *entry;

	if (!job->user || job->job.unit) /* beside Unit= it was refused */
		return 0;
	if (draft->for_fuzzing || draft->for_reading) /* looks into no file */
		return config_set_string(&job->job.user.name, job->user);
	entry = getpwnam(job->user);
	if (!entry) {
		config_report(draft, origin, "User", "there is no user %s on this host", job->user);
		return 0;
	}
	if (entry->pw_uid != geteuid() && geteuid() != 0) {
		config_report(draft, origin, "User",
			"only root can run jobs as %s, expected a daemon that is started as root "
			"or as %s",
			job->user, job->user);
		return 0;
	}
	if (entry->pw_uid == geteuid()) /* nothing to change */
		return 0;
	if (getgrouplist(entry->pw_name, entry->pw_gid, groups, &n) < 0) {
		config_report(draft, origin, "User", "%s is in more than %d groups", job->user,
			LINK_SUPPLEMENTARY_MAX);
		return 0;
	}
	job->job.user.n_groups = (uint32_t)n;
	for (int i = 0; i < n; i++)
		job->job.user.groups[i] = groups[i];
	return take_user(&job->job.user, entry);
}

/* ---------------------------------------------------------------------------------------------- */

int config_complete_work(struct config_draft *draft, struct config_job_draft *job)
{
	int r = 0;

	refuse_foreign(draft, job);
	switch (job->job.type) {
	case CONFIG_JOB_SERVICE:
	case CONFIG_JOB_ONCE:
		r = complete_command(draft, job);
		break;
	case CONFIG_JOB_CRON:
		r = complete_cron(draft, job);
		break;
	case CONFIG_JOB_STEPS:
		r = complete_steps(draft, job);
		break;
	case CONFIG_JOB_MIGRATE:
		r = complete_migrate(draft, job);
		break;
	}
	if (r == 0)
		r = complete_interrupt(draft, job);
	if (r == 0)
		r = complete_user(draft, job);
	if (r == 0 && !job->job.id)
		r = config_set_string(&job->job.id, job->job.name);
	return r;
}
