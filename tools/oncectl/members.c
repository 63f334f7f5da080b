/* See members.h. Happy path: the list, then for each member a client of its own, a first request
 * that connects and a second whose time counts. A member that cannot be asked has its reason
 * instead. */
#include "tools/oncectl/members.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct probe {
	struct ctl *ctl;
	struct ctl_member *member;
	struct once_client *client;
	bool warm;
	size_t *missing;
	bool *done;
};

static void finished(struct probe *p, const char *why)
{
	p->member->why = why;
	if (--*p->missing == 0)
		*p->done = true;
}

static void on_status(void *userdata, const struct once_response *response);

static void ask(struct probe *p, int64_t timeout_ns)
{
	struct once_call_options options = {ONCE_LANE_CONTROL, timeout_ns};
	int r = once_status(p->client, NULL, &options, on_status, p);

	if (r < 0)
		finished(p, once_strerror(r));
}

static void on_status(void *userdata, const struct once_response *response)
{
	struct probe *p = userdata;

	if (response->error != 0) {
		finished(p, ctl_printf(p->ctl, "%s", response->message));
		return;
	}
	if (!p->warm) {
		p->warm = true;
		ask(p, ctl_time_left(p->ctl));
		return;
	}
	p->member->status = ctl_copy(&p->ctl->arena, response);
	p->member->leads = response->leader != 0 && response->leader == response->member_id;
	p->member->round_trip_ns = once_elapsed_max(response->sent, response->received);
	finished(p, NULL);
}

static void on_endpoint(void *userdata, const char *url, int http_version, const char *why)
{
	struct probe *p = userdata;

	(void)url;
	(void)why;
	if (http_version != 0)
		p->member->http_version = http_version;
}

static void begin(struct probe *p, int64_t timeout_ns)
{
	static const struct once_client_listener listener = {.endpoint = on_endpoint};
	struct once_client_config config = config_connection(&p->ctl->config);
	const char *why = NULL;
	int r;

	config.endpoints = &p->member->url;
	config.n_endpoints = 1;
	config.connect_timeout_ns = config.request_timeout_ns = timeout_ns;
	r = p->member->url
			? once_client_new(&p->client, p->ctl->loop, &config, &listener, p, &why)
			: -1;

	if (r < 0)
		finished(p, p->member->url ? ctl_printf(p->ctl, "%s", why ? why : once_strerror(r))
					   : "it has not started yet");
	else
		ask(p, timeout_ns);
}

/* etcd lists them by their id, which says nothing to people. */
static int by_name(const void *a, const void *b)
{
	const struct ctl_member *x = a, *y = b;

	return strcmp(x->name ? x->name : "", y->name ? y->name : "");
}

static void take_list(struct ctl *ctl, const struct once_response *list, struct ctl_members *ret)
{
	for (size_t i = 0; i < list->n_members; i++) {
		const struct once_member *from = &list->members[i];
		struct ctl_member *m = &ret->members[i];

		m->name = from->name && *from->name ? ctl_text(ctl, once_str(from->name)) : NULL;
		m->url = from->n_client_urls > 0 ? from->client_urls[0] : NULL;
		m->id = from->id;
		m->is_learner = from->is_learner;
		m->why = "no answer in time";
	}
	ret->n = list->n_members;
	if (ret->n > 0)
		qsort(ret->members, ret->n, sizeof(*ret->members), by_name);
}

int ctl_members_probe(struct ctl *ctl, int64_t timeout_ns, struct ctl_members *ret)
{
	const struct once_response *list = ctl_members(ctl);
	struct probe *probes;
	size_t missing;
	bool done = false;

	*ret = (struct ctl_members){0};
	if (!list)
		return CTL_UNREACHABLE;
	ret->members = arena_array(&ctl->arena, list->n_members, sizeof(*ret->members));
	probes = arena_array(&ctl->arena, list->n_members, sizeof(*probes));
	if (!ret->members || !probes)
		return ctl_out_of_memory();
	take_list(ctl, list, ret);
	missing = ret->n;
	done = missing == 0;
	for (size_t i = 0; i < ret->n; i++) {
		probes[i] = (struct probe){
			.ctl = ctl, .member = &ret->members[i], .missing = &missing, .done = &done};
		begin(&probes[i], timeout_ns);
	}
	(void)ctl_wait(ctl, &done, timeout_ns);
	for (size_t i = 0; i < ret->n; i++)
		(void)once_client_free(probes[i].client);
	return CTL_OK;
}

static const char *role(const struct ctl_member *m)
{
	if (!m->status)
		return "not reached";
	return m->is_learner ? "learner" : m->leads ? "leader" : "follower";
}

static const char *remark(struct ctl *ctl, const struct ctl_member *m)
{
	if (!m->status)
		return ctl_text(ctl, once_str(m->why ? m->why : ""));
	if (m->status->n_errors == 0)
		return NULL;
	return ctl_text(ctl, once_str(m->status->errors[0]));
}

void ctl_members_print(struct ctl *ctl, const struct ctl_members *members)
{
	static const char *const heads[] = {
		"ETCD", "URL", "VERSION", "ROLE", "HTTP", "ROUND TRIP", "DB SIZE", "REMARK", NULL};
	struct ctl_table table;

	ctl_table_init(&table, ctl, heads);
	for (size_t i = 0; i < members->n; i++) {
		const struct ctl_member *m = &members->members[i];

		ctl_table_add(&table,
			m->name ? m->name : ctl_printf(ctl, "%llx", (unsigned long long)m->id));
		ctl_table_add(&table, m->url ? ctl_text(ctl, once_str(m->url)) : NULL);
		ctl_table_add(&table, m->status && m->status->version
					      ? ctl_text(ctl, once_str(m->status->version))
					      : NULL);
		ctl_table_add(&table, role(m));
		ctl_table_add(&table, m->http_version == 20   ? "2"
				      : m->http_version == 11 ? "1.1"
							      : NULL);
		ctl_table_add(&table,
			m->status ? ctl_printf(ctl, "%.1fms", (double)m->round_trip_ns / 1e6)
				  : NULL);
		ctl_table_add(&table,
			m->status ? ctl_printf(ctl, "%.1fMB", (double)m->status->db_size / 1e6)
				  : NULL);
		ctl_table_add(&table, remark(ctl, m));
	}
	ctl_table_print(&table);
}

void ctl_members_json(struct ctl_json *json, const struct ctl_members *members)
{
	ctl_json_array(json, "etcd");
	for (size_t i = 0; i < members->n; i++) {
		const struct ctl_member *m = &members->members[i];

		ctl_json_object(json, NULL);
		ctl_json_text(json, "name", m->name);
		ctl_json_text(json, "url", m->url);
		ctl_json_text(json, "role", role(m));
		if (m->status) {
			ctl_json_text(json, "version", m->status->version);
			ctl_json_number(json, "http", m->http_version);
			ctl_json_seconds(json, "round_trip_seconds", m->round_trip_ns);
			ctl_json_number(json, "db_size", m->status->db_size);
			ctl_json_array(json, "alarms");
			for (size_t k = 0; k < m->status->n_errors; k++)
				ctl_json_text(json, NULL, m->status->errors[k]);
			ctl_json_end_array(json);
		} else {
			ctl_json_text(json, "why", m->why);
		}
		ctl_json_end_object(json);
	}
	ctl_json_end_array(json);
}
