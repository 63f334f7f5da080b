/* See endpoint.h.
 *
 * Who does not answer is told on standard error, the others are printed, and the exit code is 1. */
#include "tools/oncectl/kv/endpoint.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int from_members(struct ctl *ctl, struct kv_endpoints *ret)
{
	struct kv_request request = {.kind = KV_MEMBERS, .flag = true};
	const struct once_response *response = kv_ask(ctl, &request);
	size_t n = 0;

	if (response->error < 0)
		return kv_error(CTL_FAILED,
			"failed to fetch endpoints from etcd cluster member list: %s",
			response->message);
	for (size_t i = 0; i < response->n_members; i++)
		n += response->members[i].n_client_urls;
	ret->items = arena_array(&ctl->arena, n, sizeof(*ret->items));
	if (!ret->items)
		return ctl_out_of_memory();
	for (size_t i = 0; i < response->n_members; i++)
		for (size_t k = 0; k < response->members[i].n_client_urls; k++)
			ret->items[ret->n++].url = response->members[i].client_urls[k];
	return CTL_OK;
}

/* The endpoint as the user wrote it, who may have left out http://. */
static const char *as_said(struct ctl *ctl, const char *url)
{
	static const char scheme[] = "http://";
	const char *bare = url + sizeof(scheme) - 1;

	if (strncmp(url, scheme, sizeof(scheme) - 1) != 0 || !ctl->endpoints_said)
		return url;
	return strstr(ctl->endpoints_said, scheme) ? url : bare;
}

int kv_endpoints_find(struct ctl *ctl, struct kv_endpoints *ret)
{
	*ret = (struct kv_endpoints){0};
	if (ctl_flag(ctl, "--cluster"))
		return from_members(ctl, ret);
	ret->items = arena_array(&ctl->arena, ctl->config.n_endpoints, sizeof(*ret->items));
	if (!ret->items)
		return ctl_out_of_memory();
	for (; ret->n < ctl->config.n_endpoints; ret->n++)
		ret->items[ret->n].url = as_said(ctl, ctl->config.endpoints[ret->n]);
	return CTL_OK;
}

void kv_endpoint_ask(struct ctl *ctl, struct kv_endpoint *e, struct kv_request *request)
{
	static const struct once_response unusable = {
		.error = -EINVAL, .message = "cannot be used as an endpoint"};
	struct once_instant began;

	ctl->began = began = ctl->loop->ops->now(ctl->loop);
	e->response = &unusable;
	if (ctl_client_of(ctl, e->url, &request->client) == CTL_OK)
		e->response = kv_ask(ctl, request);
	e->took_ns = once_elapsed_max(began, ctl->loop->ops->now(ctl->loop));
}

const char *kv_text(const char *text)
{
	return text ? text : "";
}

int kv_endpoints_ask(struct ctl *ctl, enum kv_kind kind, int64_t number, const char *what,
	struct kv_endpoints *ret)
{
	int code = kv_endpoints_find(ctl, ret), failed = CTL_OK;
	size_t n = 0;

	for (size_t i = 0; code == CTL_OK && i < ret->n; i++) {
		struct kv_request request = {.kind = kind, .number = number};
		struct kv_endpoint e = ret->items[i];

		kv_endpoint_ask(ctl, &e, &request);
		request.client = once_client_free(request.client);
		if (e.response->error == 0) {
			ret->items[n++] = e;
			continue;
		}
		failed = CTL_FAILED;
		fprintf(stderr, "Failed to get the %s of endpoint %s (%s)\n", what, e.url,
			e.response->message);
	}
	ret->n = n;
	return code == CTL_OK ? failed : code;
}

void kv_endpoints_json(struct ctl *ctl, const struct kv_endpoints *all,
	void (*one)(struct kv_json *json, const struct kv_endpoint *e))
{
	struct kv_json json = {.ctl = ctl};

	kv_json_open(&json, NULL, '[');
	for (size_t i = 0; i < all->n; i++)
		one(&json, &all->items[i]);
	kv_json_close(&json, ']');
	putchar('\n');
}
