/* The agent.
 *
 * Happy path: configuration -> HELLO -> WELCOME -> the groups campaign, their jobs run (group.h) -> SIGTERM:
 * the groups end -> QUIT.
 *
 * Failures: a wrong configuration ends the process with its exit code before HELLO, and the daemon with
 * it. The guardian gone: this process has no business left. The guardian stopped (it acts on no
 * extension): it is killed, and with it all of this daemon, because nothing holds the jobs' deadline any
 * more but the fuse. */
#include "daemon/agent.h"

#include "daemon/config.h"
#include "daemon/events.h"
#include "daemon/groups.h"
#include "daemon/history.h"
#include "daemon/log.h"
#include "daemon/memory.h"
#include "daemon/plaintext.h"
#include "daemon/renewal.h"
#include "daemon/uplink.h"
#include "daemon/window.h"

#include <errno.h>
#include <ev.h>
#include <malloc.h>
#include <once/elect.h>
#include <once/ev.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const int64_t SHED_AFTER = 3 * ONCE_NSEC_PER_SEC, WATCHDOG_MIN = 2 * ONCE_NSEC_PER_SEC;

struct agent {
	const struct options *options;
	struct config config;
	struct ev_loop *ev;
	struct once_loop *loop;
	struct once_client *client;
	struct renewal renewal; /* of the client's certificates and password */
	struct uplink uplink;
	char cgroup[LINK_PATH_MAX];
	char instance[LINK_NAME_MAX];
	struct history history;
	struct history_owner history_owner;
	struct groups groups;
	struct groups_owner groups_owner;
	struct once_timer *alive;
	int64_t alive_ns;
	struct plaintext plain;
	struct once_timer *shed; /* a while after a change of state: what that used is idle again */
	int signo;	 /* that asked for the end; 0: none */
	bool ending;	 /* the groups were told to stop */
	int code;	 /* to exit with */
	struct window window;
};

/* ---- end ---- */

static void leave(struct agent *a)
{
	ev_break(a->ev, EVBREAK_ALL);
}

/* A job gets its grace and the kill, the proof that it is dead its 5 s; what etcd has not answered
 * FenceAfter= later is left to time out. */
static long long stop_takes_usec(const struct once_timing *t)
{
	return (t->stop_grace_ns + t->kill_budget_ns + t->fence_after_ns) / 1000 + 5000000;
}

static void end(struct agent *a, int code)
{
	if (a->ending)
		return;
	a->ending = true;
	a->code = code;
	window_ending(&a->window);
	(void)uplink_notify(&a->uplink, "STOPPING=1\nSTATUS=Stopping\nEXTEND_TIMEOUT_USEC=%lld",
		stop_takes_usec(&a->config.timing));
	if (groups_stop(&a->groups))
		return;
	(void)uplink_quit(&a->uplink, code);
	leave(a);
}

/* The jobs have lost what holds their deadline: end everything, at once, without ceremony. */
static void on_guardian_silent(void *userdata)
{
	struct agent *a = userdata;
	char path[LINK_PATH_MAX + 16];
	FILE *kill_all;

	log_err("guardian-silent", "the guardian does not act: killing it and every job");
	if (a->cgroup[0] != '\0') {
		(void)snprintf(path, sizeof(path), "%s/cgroup.kill", a->cgroup);
		kill_all = fopen(path, "we");
		if (kill_all) {
			(void)fputs("1", kill_all);
			(void)fclose(kill_all);
		}
	}
	(void)kill(getppid(), SIGKILL);
	_exit(EXIT_FAILURE);
}

/* ---- what the groups say ---- */

static void on_job_finished(void *userdata, int code)
{
	struct agent *a = userdata;

	if (a->config.run)
		end(a, code);
}

static void on_job_stopped(void *userdata, int code, bool by_itself)
{
	struct agent *a = userdata;

	if (!a->config.run)
		return;
	if (by_itself)
		end(a, code); /* its end crossed the order to stop */
	else if (a->signo != 0)
		a->code = code;
}

static void on_all_stopped(void *userdata)
{
	struct agent *a = userdata;

	if (a->config.run && a->config.once && a->groups.runs != 0)
		end(a, EXIT_TERM_LOST);
}

static void on_refresh(void *userdata)
{
	struct agent *a = userdata;

	groups_refresh(&a->groups);
}

static void on_state(void *userdata)
{
	struct agent *a = userdata;

	a->loop->ops->timer_set(a->shed, SHED_AFTER);
}

static void on_ended(void *userdata, int error)
{
	struct agent *a = userdata;

	if (error < 0 && a->code == 0)
		a->code = EXIT_FAILURE;
	(void)uplink_quit(&a->uplink, a->code);
	leave(a);
}

static void on_endpoint(void *userdata, const char *url, int http_version, const char *why)
{
	if (http_version == 0)
		log_info("endpoint-left", "leaving %s: %s", url, why);
	else
		log_info("endpoint", "connected to %s over %s (%s)", url,
			http_version >= 20 ? "HTTP/2" : "HTTP/1.1", why);
}

/* ---- what etcd is ---- */

static void on_disowned(void *userdata, const struct once_lineage *answered)
{
	struct agent *a = userdata;

	(void)answered;
	history_doubt(&a->history);
}

static void on_lost(void *userdata)
{
	struct agent *a = userdata;

	groups_suspend(&a->groups, true);
	window_alarm(&a->window, &a->history.known);
}

static void on_found(void *userdata)
{
	struct agent *a = userdata;

	groups_suspend(&a->groups, false);
	window_alarm(&a->window, NULL);
}

static void on_alarm(void *userdata, struct once_bytes key)
{
	struct agent *a = userdata;

	history_heard(&a->history, key);
}

/* A token that jobs have seen must be known after a crash, too. */
static void on_led(void *userdata)
{
	struct agent *a = userdata;

	history_led(&a->history);
}

/* ---- start ---- */

static void on_shed(void *userdata)
{
	(void)userdata;
	(void)malloc_trim(0); /* what reading keys and certificates took */
	memory_shed(false);
}

/* What the service manager is to wait for a sign of life: as long as work may live without a proof,
 * for before that nothing is lost, and a loaded machine is not made worse by a restart. */
static int64_t watchdog_ns(const struct once_timing *t)
{
	return t->fence_after_ns > WATCHDOG_MIN ? t->fence_after_ns : WATCHDOG_MIN;
}

static void on_alive(void *userdata)
{
	struct agent *a = userdata;
	struct link_alive alive = {.type = LINK_ALIVE};

	(void)uplink_send(&a->uplink, &alive, sizeof(alive));
	a->loop->ops->timer_set(a->alive, a->alive_ns);
}

static void on_welcome(struct agent *a, const struct link_welcome *w)
{
	if (w->error == -EBUSY) {
		log_err("busy", "another onced runs as node %s for %s on this host", a->config.node,
			a->config.key);
		end(a, EXIT_FAILURE);
		return;
	}
	if (w->error < 0) {
		log_err("start", "%s: cannot take the lock: %s",
			a->config.runtime_dir ? a->config.runtime_dir : "", strerror(-w->error));
		end(a, EXIT_FAILURE);
		return;
	}
	memcpy(a->cgroup, w->cgroup, sizeof(a->cgroup));
	window_restarts(&a->window, w->restarts);
	if (w->watchdog_ns > 0) {
		a->alive_ns = watchdog_ns(&a->config.timing) / 4;
		(void)uplink_notify(&a->uplink, "WATCHDOG_USEC=%lld",
			(long long)(watchdog_ns(&a->config.timing) / 1000));
		on_alive(a);
	}
	log_debug("welcome", "jobs are held by %s%s%s",
		w->contain == LINK_CONTAIN_CGROUP ? "cgroup " : "subreaper", a->cgroup,
		w->restarts ? ", after a crash of the agent" : "");
	if (groups_start(&a->groups, &(struct state_owner){w->incarnation, w->proven}) < 0) {
		end(a, EXIT_FAILURE);
		return;
	}
	(void)uplink_notify(&a->uplink, "READY=1\nSTATUS=Following: nobody leads");
	if (a->groups.suspended)
		groups_suspend(&a->groups, true); /* so its status is not that */
	a->loop->ops->timer_set(a->shed, SHED_AFTER);
}

/* ---- reload ---- */

static int64_t monotonic_usec(void)
{
	struct timespec ts = {0};
	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static bool same(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "") == 0;
}

/* Member by member: what lies between them is nobody's. */
static bool same_timing(const struct once_timing *a, const struct once_timing *b)
{
	return a->lease_ttl_s == b->lease_ttl_s && a->fence_after_ns == b->fence_after_ns &&
		a->beat_interval_ns == b->beat_interval_ns &&
		a->request_timeout_ns == b->request_timeout_ns &&
		a->stop_grace_ns == b->stop_grace_ns && a->kill_budget_ns == b->kill_budget_ns &&
		a->clock_drift_ppm == b->clock_drift_ppm;
}

/* Whether something differs beside jobs, LogLevel=, certificates and password. */
static bool needs_restart(const struct config *old, const struct config *fresh)
{
	bool other = old->n_endpoints != fresh->n_endpoints ||
		!same(old->node, fresh->node) || !same(old->key, fresh->key) ||
		!same(old->address, fresh->address) || old->allow_plaintext != fresh->allow_plaintext ||
		!same(old->value, fresh->value) || !same(old->prefix, fresh->prefix) ||
		!same(old->runtime_dir, fresh->runtime_dir) || !same(old->state_dir, fresh->state_dir) ||
		!same(old->http_listen, fresh->http_listen) || old->http_remote != fresh->http_remote ||
		!same_timing(&old->timing, &fresh->timing);

	for (size_t i = 0; !other && i < old->n_endpoints; i++)
		other = !same(old->endpoints[i], fresh->endpoints[i]);
	return other;
}

static struct once_client_config client_config(const struct config *c)
{
	struct once_client_config config = config_connection(c);

	config.prefer_leader = true;
	config.connect_timeout_ns = config.request_timeout_ns = c->timing.request_timeout_ns;
	return config;
}

/* Of all groups, which have taken them out of the configuration. */
static void show_jobs(struct agent *a)
{
	struct config all = a->config;

	if (groups_jobs(&a->groups, &all) < 0) {
		log_warning("http", "out of memory: the page shows the old jobs");
		return;
	}
	window_reload(&a->window, &all);
	free(all.jobs);
}

static void reload_good(struct agent *a, struct config *fresh)
{
	struct once_client_config config;
	bool restart = needs_restart(&a->config, fresh);
	const char *message = "";

	log_set_level(fresh->log_level);
	config_swap_credentials(&a->config, fresh);
	config = client_config(&a->config);
	renewal_reading(&a->renewal);
	if (once_client_reload(a->client, &config, &message) < 0)
		log_err("reload", "%s: going on with the old certificates", message);
	if (groups_reload(&a->groups, fresh) < 0)
		log_err("reload", "out of memory: not all of it is reloaded");
	else if (restart)
		log_warning("reload", "jobs, LogLevel=, certificates and password are reloaded; what "
				      "else changed takes effect at the next start");
	else
		log_info("reload", "reloaded");
	show_jobs(a);
}

/* A wrong configuration changes nothing. */
static void reload(struct agent *a)
{
	struct config fresh;

	(void)uplink_notify(&a->uplink, "RELOADING=1\nMONOTONIC_USEC=%lld", (long long)monotonic_usec());
	if (a->config.run) {
		log_info("reload", "onced run has nothing to reload");
	} else if (config_load(a->options, &fresh, stderr) != 0) {
		log_err("reload", "the new configuration is wrong: going on with the old one");
	} else {
		reload_good(a, &fresh);
		config_free(&fresh);
	}
	(void)uplink_notify(&a->uplink, "READY=1");
}

/* ---- what the guardian says ---- */

static void on_signal(struct agent *a, const struct link_signal *s)
{
	if (s->signo == SIGHUP) {
		reload(a);
		return;
	}
	if (s->signo == SIGUSR1)
		groups_dump_events("asked for");
	if (s->signo != SIGTERM && s->signo != SIGINT)
		return;
	if (a->signo == 0)
		log_info("signal", "%s: stopping", s->signo == SIGINT ? "interrupted" : "terminated");
	else
		log_info("signal", "again: killing at once");
	a->signo = s->signo;
	end(a, a->config.run ? 128 + s->signo : 0);
}

static void on_fenced(struct agent *a, const struct link_fenced *fenced)
{
	const struct group *group = groups_of(&a->groups, fenced->group);

	(void)log_field("ONCED_GROUP", group ? group->name : "");
	log_warning("fenced", "the guardian stopped the jobs of token %lld, %.3f s before the deadline",
		(long long)fenced->token, (double)fenced->margin_ns / 1e9);
	(void)log_field("ONCED_GROUP", a->config.group);
	window_fenced(&a->window, group ? group->shown : NULL);
}

static void on_packet(void *userdata, const void *packet)
{
	struct agent *a = userdata;
	uint32_t type;

	if (!packet) {
		log_err("guardian-gone", "the guardian is gone");
		_exit(EXIT_FAILURE); /* it took the jobs with it */
	}
	memcpy(&type, packet, sizeof(type));
	switch (type) {
	case LINK_WELCOME:
		on_welcome(a, packet);
		break;
	case LINK_SIGNAL:
		on_signal(a, packet);
		break;
	case LINK_FENCED:
		on_fenced(a, packet);
		break;
	case LINK_STARTED:
	case LINK_REFUSED:
	case LINK_ENDED:
	case LINK_EMPTY:
		groups_packet(&a->groups, packet, type);
		break;
	default:
		break;
	}
}

/* ---- life ---- */

/* Names the lock, the cgroup leaf and the state file: one per node, key and etcd on this host. */
static void instance_name(const struct config *c, char out[LINK_NAME_MAX])
{
	uint32_t hash = 2166136261u;

	for (size_t part = 0; part < c->n_endpoints + 2; part++) {
		const char *text = part == 0 ? c->prefix : part == 1 ? c->key : c->endpoints[part - 2];
		for (; *text; text++)
			hash = (hash ^ (unsigned char)*text) * 16777619u;
		hash = (hash ^ 0xff) * 16777619u;
	}
	(void)snprintf(out, LINK_NAME_MAX, "%.50s-%08x", c->node, hash);
}

static int client_start(struct agent *a)
{
	static const struct once_client_listener listener = {.endpoint = on_endpoint, .disowned = on_disowned};
	struct once_client_config config = client_config(&a->config);
	const char *message = "";
	int r = once_client_new(&a->client, a->loop, &config, &listener, a, &message);

	if (r < 0)
		log_err("etcd", "%s", message && message[0] ? message : strerror(-r));
	return r;
}

static void on_warm(void *userdata, const struct once_response *response)
{
	(void)userdata, (void)response;
}

/* Shaking hands with etcd takes as long as the guardian takes to make ready: both at once. */
static void client_warm_up(struct agent *a)
{
	struct once_call_options options = {
		ONCE_LANE_CONTROL, a->config.timing.request_timeout_ns};

	(void)once_status(a->client, NULL, &options, on_warm, a);
}

static int agent_init(struct agent *a, int link_fd, const struct link_page *page)
{
	const char *runtime_dir = a->config.runtime_dir ? a->config.runtime_dir : "";
	int r;

	/* The default loop would abort() without a descriptor for signals, which the guardian takes. */
	a->ev = ev_loop_new(EVBACKEND_EPOLL | EVFLAG_NOENV);
	if (!a->ev) {
		log_err("start", "cannot wait for anything: %s", strerror(errno));
		a->code = EXIT_FAILURE;
		return -EIO;
	}
	a->loop = once_loop_ev_new(a->ev);
	if (!a->loop)
		return -ENOMEM;
	a->alive = a->loop->ops->timer_new(a->loop, on_alive, a);
	a->shed = a->loop->ops->timer_new(a->loop, on_shed, a);
	if (!a->alive || !a->shed)
		return -ENOMEM;
	r = plaintext_init(&a->plain, &a->config, a->loop);
	if (r < 0)
		return r;
	a->groups_owner = (struct groups_owner){a, on_job_finished, on_job_stopped, on_all_stopped,
		on_guardian_silent, on_state, on_led, on_alarm, on_ended};
	a->history_owner = (struct history_owner){a, on_lost, on_found};
	if (runtime_dir[0] && mkdir(runtime_dir, 0700) < 0 && errno != EEXIST)
		log_warning("runtime-dir", "%s: %s: a restart will wait longer", runtime_dir,
			strerror(errno));
	if (runtime_dir[0] && access(runtime_dir, W_OK) < 0)
		runtime_dir = "";
	instance_name(&a->config, a->instance);
	events_init(runtime_dir, a->instance);
	events_on_crash();
	r = uplink_init(&a->uplink, link_fd, page, a->loop, on_packet, a);
	if (r == 0)
		r = groups_init(&a->groups, &a->config, &a->groups_owner, &a->uplink, a->loop,
			&a->window, runtime_dir, a->instance);
	if (r == 0) /* the guardian makes ready while the client does */
		r = uplink_hello(&a->uplink, a->instance, runtime_dir);
	if (r == 0)
		r = renewal_init(&a->renewal, a->loop, &a->config);
	if (r == 0)
		r = client_start(a);
	if (r == 0)
		r = history_init(&a->history, &a->config, a->client, a->loop, a->instance,
			&a->history_owner);
	if (r < 0)
		return r;
	renewal_start(&a->renewal, a->client);
	client_warm_up(a);
	r = groups_connect(&a->groups, a->client);
	if (r == 0)
		r = window_init(&a->window, &a->config, a->client, a->loop,
			&(struct window_owner){a, on_refresh});
	if (r < 0)
		return r;
	if (a->groups.suspended) /* since before there was a window */
		window_alarm(&a->window, &a->history.known);
	groups_show(&a->groups);
	show_jobs(a);
	return r;
}

static void agent_fini(struct agent *a)
{
	window_fini(&a->window);
	groups_fini(&a->groups);
	history_fini(&a->history);
	if (a->loop)
		renewal_fini(&a->renewal);
	a->client = once_client_free(a->client);
	uplink_fini(&a->uplink);
	if (a->alive)
		a->loop->ops->timer_free(a->alive);
	if (a->shed)
		a->loop->ops->timer_free(a->shed);
	plaintext_fini(&a->plain);
	a->loop = once_loop_ev_free(a->loop);
	if (a->ev)
		ev_loop_destroy(a->ev);
	config_free(&a->config);
}

int agent_main(int link_fd, const struct link_page *page, void *arg)
{
	struct agent a = {.options = arg};
	int code;

	code = config_load(a.options, &a.config, stderr);
	if (code != 0)
		return code;
	log_set_level(a.config.log_level);
	(void)log_field("ONCED_NODE", a.config.node);
	(void)log_field("ONCED_GROUP", a.config.group);
	if (a.config.password_from_environment)
		log_warning("password", "the password came from the environment, where others may read "
					"it: better is --password-file");
	(void)signal(SIGPIPE, SIG_IGN);
	a.code = a.options->run ? EXIT_USAGE : EXIT_CONFIG_FILE;
	if (agent_init(&a, link_fd, page) < 0) {
		(void)uplink_quit(&a.uplink, a.code);
	} else {
		a.code = 0;
		ev_run(a.ev, 0);
	}
	code = a.code;
	agent_fini(&a);
	return code;
}
