/* Status, member list, hash, alarms: encode and send. Status and hash are the member's own, the others
 * may be asked of members without a leader, too. */
#include "etcd/internal.h"

int once_status(struct once_client *client, struct once_call **ret_call,
	const struct once_call_options *options, once_done_fn *done, void *userdata)
{
	struct codec_request request;
	codec_request_init(&request, 0);
	int r = codec_encode_status(&request);
	if (r < 0) {
		codec_request_fini(&request);
		return r;
	}
	return call_start(client, ret_call, options, &request, CALL_STALE, done, userdata);
}

int once_member_list(struct once_client *client, struct once_call **ret_call,
	const struct once_call_options *options, bool linearizable, once_done_fn *done,
	void *userdata)
{
	struct codec_request request;
	codec_request_init(&request, 0);
	int r = codec_encode_member_list(&request, linearizable);
	if (r < 0) {
		codec_request_fini(&request);
		return r;
	}
	return call_start(
		client, ret_call, options, &request, linearizable ? 0 : CALL_STALE, done, userdata);
}

int once_hash_kv(struct once_client *client, struct once_call **ret_call,
	const struct once_call_options *options, int64_t revision, once_done_fn *done,
	void *userdata)
{
	struct codec_request request;
	codec_request_init(&request, 0);
	int r = codec_encode_hash_kv(&request, revision);
	if (r < 0) {
		codec_request_fini(&request);
		return r;
	}
	return call_start(client, ret_call, options, &request, CALL_STALE, done, userdata);
}

int once_alarm_list(struct once_client *client, struct once_call **ret_call,
	const struct once_call_options *options, once_done_fn *done, void *userdata)
{
	struct codec_request request;
	codec_request_init(&request, 0);
	int r = codec_encode_alarm(&request, NULL);
	if (r < 0) {
		codec_request_fini(&request);
		return r;
	}
	return call_start(client, ret_call, options, &request, CALL_STALE, done, userdata);
}

int once_alarm_disarm(struct once_client *client, struct once_call **ret_call,
	const struct once_call_options *options, const struct once_alarm *alarm, once_done_fn *done,
	void *userdata)
{
	struct codec_request request;
	codec_request_init(&request, 0);
	int r = codec_encode_alarm(&request, alarm);
	if (r < 0) {
		codec_request_fini(&request);
		return r;
	}
	return call_start(client, ret_call, options, &request, 0, done, userdata);
}
