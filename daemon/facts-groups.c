/* Groups of this node: which there are, what their elections say, what follows from it. See facts.h.
 *
 * Happy path: facts_group_add() for each -> the group's own calls, by the pointer -> read by the page ->
 * facts_group_gone(), or all at the end.
 *
 * Failures: none can be had but memory when one is added. Only the default group remembers its terms: a
 * thousand groups shall not cost a thousand histories that etcd has as well. */
#include "daemon/facts.h"

#include "base/escape.h"

#include <stdlib.h>
#include <string.h>

/* ---- which there are ------------------------------------------------------------------------- */

/* Where the name is, or belongs: the default group comes first, whatever it is called. */
static size_t place_of(const struct facts *f, const char *name, bool *ret_found)
{
	size_t low = 1, high = f->n_groups;
	int order;

	*ret_found = f->n_groups > 0 && strcmp(f->groups[0]->name, name) == 0;
	if (*ret_found || f->n_groups == 0)
		return 0;
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		order = strcmp(name, f->groups[middle]->name);
		*ret_found = order == 0;
		if (*ret_found)
			return middle;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

struct facts_group *facts_group(const struct facts *f, const char *name)
{
	bool found;
	size_t at = place_of(f, name, &found);

	return found ? f->groups[at] : NULL;
}

static void group_free(struct facts_group *g)
{
	free(g->terms);
	free(g);
}

static struct facts_group *group_new(const char *name, bool remembers)
{
	struct facts_group *g = calloc(1, sizeof(*g));

	if (!g)
		return NULL;
	(void)snprintf(g->name, sizeof(g->name), "%s", name);
	if (remembers)
		g->terms = calloc(FACTS_TERMS_MAX, sizeof(*g->terms));
	if (remembers && !g->terms) {
		group_free(g);
		return NULL;
	}
	return g;
}

struct facts_group *facts_group_add(struct facts *f, const char *name)
{
	struct facts_group **groups, *g;
	bool found;
	size_t at = place_of(f, name, &found);

	if (found)
		return f->groups[at];
	groups = realloc(f->groups, (f->n_groups + 1) * sizeof(struct facts_group *));
	if (!groups)
		return NULL;
	f->groups = groups;
	g = group_new(name, f->n_groups == 0);
	if (!g)
		return NULL;
	memmove(groups + at + 1, groups + at, (f->n_groups - at) * sizeof(struct facts_group *));
	groups[at] = g;
	f->n_groups++;
	f->version++;
	return g;
}

void facts_group_gone(struct facts *f, struct facts_group *g)
{
	size_t at = 1;

	while (at < f->n_groups && f->groups[at] != g)
		at++;
	if (at >= f->n_groups)
		return;
	f->n_groups--;
	memmove(f->groups + at, f->groups + at + 1,
		(f->n_groups - at) * sizeof(struct facts_group *));
	group_free(g);
	f->version++;
}

void facts_groups_fini(struct facts *f)
{
	while (f->n_groups > 0)
		group_free(f->groups[--f->n_groups]);
	free(f->groups);
	f->groups = NULL;
}

/* ---- what happens ---------------------------------------------------------------------------- */

/* The first leader that is seen may have led for long: when that began is not known. */
static void leader_is(struct facts_group *g, int64_t leader_token)
{
	if (leader_token == g->leader_token)
		return;
	if (g->changes > 0)
		g->changed_ms = once_utc_now();
	g->changes += leader_token != 0;
	g->leader_token = leader_token;
}

/* Its first proof may come before it is known as the leader. */
static void token_is(struct facts_group *g, int64_t token)
{
	if (token == g->token)
		return;
	g->proved = (struct once_instant){0};
	if (token != 0)
		g->changed_ms = once_utc_now();
	g->token = token;
}

void facts_state(struct facts *f, struct facts_group *g, enum once_elector_state state,
	const char *leader, int64_t token, int64_t leader_token)
{
	if (state == ONCE_ELECTOR_WAITING ||
		state == ONCE_ELECTOR_LEADING) { /* the watch may tell later */
		leader_token = token;
		leader = leader[0] ? leader : f->value;
	}
	leader_is(g, leader_token);
	token_is(g, token);
	g->state = state;
	(void)escape_line(g->leader, sizeof(g->leader), leader, strlen(leader));
	f->version++;
}

void facts_seen(
	struct facts *f, struct facts_group *g, int64_t leader_token, struct once_instant seen)
{
	g->seen = seen;
	if (leader_token == g->leader_token || g->token != 0)
		return;
	leader_is(g, leader_token);
	f->version++;
}

void facts_proof(struct facts *f, struct facts_group *g, int64_t token, struct once_instant proved,
	struct once_instant now)
{
	token_is(g, token);
	g->proved = proved;
	f->etcd_heard = true;
	if (proved.boot_ns == f->proved.boot_ns && proved.raw_ns == f->proved.raw_ns)
		return; /* the same beat, for another group */
	f->proved = proved;
	facts_observe(
		&f->beats, facts_bounds_short, FACTS_BOUNDS_SHORT, once_elapsed_max(proved, now));
}

void facts_lead(struct facts *f, struct facts_group *g)
{
	g->led++;
	f->version++;
}

void facts_stop(struct facts *f, struct facts_group *g, enum once_stop_reason reason)
{
	if ((size_t)reason < sizeof(g->stopped) / sizeof(g->stopped[0]))
		g->stopped[reason]++;
	f->version++;
}

void facts_fenced(struct facts *f, struct facts_group *g)
{
	g->fence_kills++;
	f->version++;
}

/* ---- what follows ---------------------------------------------------------------------------- */

int64_t facts_deadline_ns(
	const struct facts *f, const struct facts_group *g, struct once_instant now)
{
	if (g->token == 0 || g->proved.boot_ns == 0)
		return 0;
	return f->timing.fence_after_ns - once_elapsed_max(g->proved, now);
}

bool facts_leads(const struct facts *f, const struct facts_group *g, struct once_instant now)
{
	return g->state == ONCE_ELECTOR_LEADING && facts_deadline_ns(f, g, now) > 0;
}

int64_t facts_term_token(const struct facts *f, const struct facts_group *g)
{
	return f->alarmed ? g->token : g->leader_token;
}

const char *facts_state_name(enum once_elector_state state)
{
	static const char *const names[] = {
		"following", "waiting", "leading", "stopping", "stopped"};

	return (unsigned)state < sizeof(names) / sizeof(names[0]) ? names[state] : "?";
}
