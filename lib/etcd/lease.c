/* Lease calls: encode and send. */
#include "etcd/internal.h"

static int start(struct once_client *client, struct once_call **ret_call,
	const struct once_call_options *options, int encoded, struct codec_request *request,
	once_done_fn *done, void *userdata)
{
	if (encoded < 0) {
		codec_request_fini(request);
		return encoded;
	}
	return call_start(client, ret_call, options, request, 0, done, userdata);
}

int once_lease_grant(struct once_client *client, struct once_call **ret_call,
	const struct once_call_options *options, int64_t ttl_s, int64_t lease, once_done_fn *done,
	void *userdata)
{
	struct codec_request request;
	codec_request_init(&request, 0);
	int r = codec_encode_lease_grant(&request, ttl_s, lease);
	return start(client, ret_call, options, r, &request, done, userdata);
}

int once_lease_keepalive(struct once_client *client, struct once_call **ret_call,
	const struct once_call_options *options, int64_t lease, once_done_fn *done, void *userdata)
{
	struct codec_request request;
	codec_request_init(&request, 0);
	int r = codec_encode_lease_keepalive(&request, lease);
	return start(client, ret_call, options, r, &request, done, userdata);
}

int once_lease_revoke(struct once_client *client, struct once_call **ret_call,
	const struct once_call_options *options, int64_t lease, once_done_fn *done, void *userdata)
{
	struct codec_request request;
	codec_request_init(&request, 0);
	int r = codec_encode_lease_revoke(&request, lease);
	return start(client, ret_call, options, r, &request, done, userdata);
}

int once_lease_time_to_live(struct once_client *client, struct once_call **ret_call,
	const struct once_call_options *options, int64_t lease, bool keys, once_done_fn *done,
	void *userdata)
{
	struct codec_request request;
	codec_request_init(&request, 0);
	int r = codec_encode_lease_time_to_live(&request, lease, keys);
	return start(client, ret_call, options, r, &request, done, userdata);
}

int once_lease_list(struct once_client *client, struct once_call **ret_call,
	const struct once_call_options *options, once_done_fn *done, void *userdata)
{
	struct codec_request request;
	codec_request_init(&request, 0);
	int r = codec_encode_lease_list(&request);
	return start(client, ret_call, options, r, &request, done, userdata);
}
