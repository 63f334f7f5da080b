/* Facts, server and reader put together. See window.h. */
#include "daemon/window.h"

#include "daemon/log.h"

#include <errno.h>
#include <string.h>

static void on_refresh(void *userdata)
{
	struct window *w = userdata;

	w->owner.refresh(w->owner.userdata);
}

static void on_looked(void *userdata)
{
	struct window *w = userdata;

	look_now(w->look);
}

static void on_read(void *userdata)
{
	struct window *w = userdata;

	web_changed(w->web);
}

static void on_line(void *userdata, enum once_log_level level, const char *event, const char *text)
{
	struct window *w = userdata;

	if (level > ONCE_LOG_INFO)
		return;
	facts_line(&w->facts, level, event, text);
	web_changed(w->web);
}

int window_init(struct window *w, const struct config *config, struct once_client *client,
	struct once_loop *loop, const struct window_owner *owner)
{
	struct web_owner web_owner = {w, on_refresh, on_looked};

	memset(w, 0, sizeof(*w));
	if (!config->http_listen)
		return 0;
	w->owner = *owner;
	if (facts_init(&w->facts, config) < 0)
		return -ENOMEM;
	w->open = true;
	log_listen(on_line, w);
	if (look_new(&w->look, config, &w->facts, client, loop, on_read, w) < 0 ||
		web_new(&w->web, config, &w->facts, loop, &web_owner) < 0) {
		window_fini(w);
		return -ENOMEM;
	}
	return 0;
}

void window_fini(struct window *w)
{
	if (!w->open)
		return;
	log_listen(NULL, NULL);
	w->web = web_free(w->web);
	w->look = look_free(w->look);
	facts_fini(&w->facts);
	w->open = false;
}

/* ---- what happens ---------------------------------------------------------------------------- */

struct facts_group *window_group(struct window *w, const char *name)
{
	struct facts_group *g;

	if (!w->open)
		return NULL;
	g = facts_group_add(&w->facts, name);
	if (!g)
		log_warning("http", "out of memory: the page does not show group %s", name);
	return g;
}

void window_group_gone(struct window *w, struct facts_group *g)
{
	if (w->open && g)
		facts_group_gone(&w->facts, g);
}

void window_state(struct window *w, struct facts_group *g, enum once_elector_state state,
	const char *leader, int64_t token, int64_t leader_token)
{
	if (!w->open || !g)
		return;
	if (leader[0])
		w->facts.etcd_heard = true;
	facts_state(&w->facts, g, state, leader, token, leader_token);
	web_changed(w->web);
}

void window_seen(struct window *w, struct facts_group *g, int64_t leader_token,
	struct once_instant beat_seen)
{
	if (w->open && g)
		facts_seen(&w->facts, g, leader_token, beat_seen);
}

void window_proof(
	struct window *w, struct facts_group *g, int64_t token, struct once_instant proved)
{
	if (w->open && g)
		facts_proof(&w->facts, g, token, proved, once_instant_now());
}

void window_lead(struct window *w, struct facts_group *g)
{
	if (w->open && g)
		facts_lead(&w->facts, g);
}

void window_stop(struct window *w, struct facts_group *g, enum once_stop_reason reason)
{
	if (w->open && g)
		facts_stop(&w->facts, g, reason);
}

void window_fenced(struct window *w, struct facts_group *g)
{
	if (w->open && g)
		facts_fenced(&w->facts, g);
}

void window_event(struct window *w, const char *event)
{
	if (!w->open)
		return;
	facts_event(&w->facts, event);
	web_changed(w->web);
}

void window_alarm(struct window *w, const struct once_lineage *knew)
{
	if (!w->open)
		return;
	facts_alarm(&w->facts, knew);
	web_changed(w->web);
}

void window_ran(struct window *w, const char *job, const char *item, const struct once_run *run)
{
	if (!w->open)
		return;
	facts_run(&w->facts, job, item, run);
	web_changed(w->web);
}

void window_reload(struct window *w, const struct config *config)
{
	if (w->open && facts_reload(&w->facts, config) < 0)
		log_warning("http", "out of memory: the page shows the old jobs");
	if (w->open)
		web_changed(w->web);
}

void window_restarts(struct window *w, uint32_t restarts)
{
	if (w->open)
		w->facts.agent_restarts = restarts;
}

void window_ending(struct window *w)
{
	if (!w->open)
		return;
	w->facts.ending = true;
	w->facts.version++;
	web_changed(w->web);
}
