/* Commands on their way to the guardian. See launch.h. */
#include "daemon/launch.h"

#include "base/buf.h"
#include "daemon/unit.h"

#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { STRINGS_MAX = LINK_PACKET_MAX - 1024, EXIT_CANNOT_RUN = 126, EXIT_NOT_FOUND = 127 };

static void put_string(struct buf *b, const char *text)
{
	(void)buf_append(b, text, strlen(text) + 1);
}

static void put_variable(struct buf *b, uint32_t *count, const char *name, const char *value)
{
	(void)buf_printf(b, "%s=%s", name, value);
	(void)buf_putc(b, '\0');
	(*count)++;
}

static void put_number(struct buf *b, uint32_t *count, const char *name, int64_t value)
{
	(void)buf_printf(b, "%s=%lld", name, (long long)value);
	(void)buf_putc(b, '\0');
	(*count)++;
}

static bool is_ours(const char *variable)
{
	return strncmp(variable, "ONCED_", 6) == 0 || strncmp(variable, "ETCD_LOCK_", 10) == 0;
}

/* The command has no business with the daemon's password. */
static bool is_secret(const char *variable)
{
	return strncmp(variable, "ETCDCTL_PASSWORD=", 17) == 0 ||
	       (strncmp(variable, "ETCDCTL_USER=", 13) == 0 && strchr(variable, ':'));
}

/* Whether the job gives the variable itself. Of two, most programs take the first. */
static bool is_given(const struct config_job *job, const char *variable)
{
	size_t n = strcspn(variable, "=");

	for (size_t i = 0; i < job->n_environment; i++)
		if (strncmp(job->environment[i], variable, n) == 0 && job->environment[i][n] == '=')
			return true;
	return false;
}

/* Nothing of the daemon's own environment but what was named, except under onced run, which stands
 * in front of a command as env(1) does. */
static void put_inherited(struct buf *b, uint32_t *count, const struct launch *l)
{
	if (!l->config->inherit_environment) {
		if (!is_given(l->job, "PATH"))
			put_variable(b, count, "PATH",
				"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
		return;
	}
	for (char **v = environ; v && *v; v++) {
		if (is_ours(*v) || is_secret(*v) || is_given(l->job, *v))
			continue;
		put_string(b, *v);
		(*count)++;
	}
}

/* As a login would. */
static void put_user(struct buf *b, uint32_t *count, const struct config_job *job)
{
	const char *const variables[][2] = {{"HOME", job->user.home}, {"SHELL", job->user.shell},
		{"USER", job->user.name}, {"LOGNAME", job->user.name}};

	for (size_t i = 0; job->user.name && i < sizeof(variables) / sizeof(variables[0]); i++)
		if (!is_given(job, variables[i][0]) && variables[i][1])
			put_variable(b, count, variables[i][0], variables[i][1]);
}

static bool is_unit(const struct launch *l)
{
	return l->job->unit && l->argv == l->job->argv; /* and no probe */
}

/* For the program that has the unit started. */
static void put_unit(struct buf *b, uint32_t *count, const struct launch *l)
{
	put_variable(b, count, UNIT_VARIABLE_DIRECTORY, l->config->runtime_dir ? l->config->runtime_dir : "/");
	put_number(b, count, UNIT_VARIABLE_GRACE, l->job->stop_grace_ns / 1000);
}

static void put_environment(struct buf *b, uint32_t *count, const struct launch *l)
{
	const struct config *c = l->config;

	put_inherited(b, count, l);
	put_user(b, count, l->job);
	for (size_t i = 0; i < l->job->n_environment; i++) {
		put_string(b, l->job->environment[i]);
		(*count)++;
	}
	put_variable(b, count, "ONCED_JOB", l->job->name);
	put_variable(b, count, "ONCED_NODE", c->node);
	put_variable(b, count, "ONCED_KEY", c->key);
	put_variable(b, count, "ONCED_REASON", l->reason);
	put_number(b, count, "ONCED_TOKEN", l->term->token);
	if (l->name)
		put_variable(b, count, "ONCED_RUN", l->name);
	else
		put_number(b, count, "ONCED_RUN", (int64_t)l->run);
	if (l->scheduled)
		put_variable(b, count, "ONCED_SCHEDULED", l->scheduled);
	put_number(b, count, "ONCED_ATTEMPT", l->attempt);
	put_number(b, count, "ONCED_DEADLINE", l->term->proved.boot_ns + c->timing.fence_after_ns);
	put_variable(b, count, "ETCD_LOCK_KEY", c->key);
	put_number(b, count, "ETCD_LOCK_REV", l->term->token);
	if (l->takes_result)
		put_number(b, count, "ONCED_RESULT_FD", LINK_RESULT_FD);
	for (size_t i = 0; i < l->n_variables; i++)
		put_variable(b, count, l->variables[i][0], l->variables[i][1]);
	if (is_unit(l))
		put_unit(b, count, l);
}

static void set_user(struct link_launch *packet, const struct config_user *user)
{
	if (!user->name)
		return;
	packet->flags |= LINK_LAUNCH_USER;
	packet->uid = user->uid;
	packet->gid = user->gid;
	packet->n_groups = user->n_groups;
	memcpy(packet->groups, user->groups, sizeof(packet->groups));
}

int launch_send(struct uplink *uplink, const struct launch *l)
{
	struct link_launch packet = {.type = LINK_LAUNCH,
		.group = l->term->group,
		.run = l->run,
		.token = l->term->token,
		.argc = (uint32_t)l->argc,
		.flags = (l->job->isolate ? LINK_LAUNCH_ISOLATE : 0u) |
			 (l->config->run ? LINK_LAUNCH_STDIN : 0u) |
			 (l->takes_result ? LINK_LAUNCH_RESULT : 0u)};
	const int fds[LINK_FDS_MAX] = {l->out_fd, l->out_fd, l->result_fd};
	char directory[4096] = "";
	struct buf b;
	int r;

	if (!l->job->directory && l->config->run && !getcwd(directory, sizeof(directory)))
		return -errno;
	set_user(&packet, &l->job->user);
	if (is_unit(l))
		unit_slice(l->job->unit, packet.slice);
	buf_init(&b, STRINGS_MAX + sizeof(packet));
	(void)buf_append(&b, &packet, sizeof(packet));
	put_string(&b, l->job->directory ? l->job->directory : directory);
	for (size_t i = 0; i < l->argc; i++)
		put_string(&b, l->argv[i]);
	put_environment(&b, &packet.envc, l);
	r = buf_error(&b);
	if (r == 0) {
		packet.strings_size = (uint32_t)(b.size - sizeof(packet));
		memcpy(b.data, &packet, sizeof(packet));
		r = uplink_send_fds(uplink, b.data, b.size, fds,
			l->out_fd < 0	  ? 0
			: l->takes_result ? 3
					  : 2);
	}
	buf_fini(&b);
	return r;
}

int launch_code(int status)
{
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

const char *launch_refused_text(int error, const char *what)
{
	if (strcmp(what, "slice") == 0 && error == -EBUSY)
		return "something is in it that this daemon has not started";
	if (strcmp(what, "slice") == 0 && (error == -EOPNOTSUPP || error == -EACCES || error == -EPERM || error == -EROFS))
		return "this daemon is no unit of systemd, or may not make cgroups";
	return strerror(-error);
}

int launch_refused_code(int error)
{
	return error == -ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN;
}
