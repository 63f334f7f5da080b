/* Keeps the client on the endpoint whose member leads etcd, if that is wanted: a follower forwards
 * writes to it, which doubles a long round trip.
 *
 *	poke -> (5 s since the last look) -> status -> it leads: done
 *	                                       -> leader known by its id: move
 *	                                       -> member list -> an endpoint of ours: move
 *
 * Failures: who may not ask for the status (3.5.30 wants root) has no preference; nothing else here
 * is worth more than waiting for the next poke. */
#include "etcd/internal.h"
#include <errno.h>
#include <stdlib.h>

#define LOOK_INTERVAL_NS (5 * ONCE_NSEC_PER_SEC)

static bool move_to(struct once_client *client, size_t endpoint)
{
	if (endpoint != client->current && client->gen) {
		client_retire(client->gen, endpoint, "etcd's leader is another member");
	}
	return true;
}

static bool move_by_id(struct once_client *client)
{
	for (size_t i = 0; i < client->n_endpoints; i++) {
		if (client->endpoints[i].member_id == client->leader.id) {
			return move_to(client, i);
		}
	}
	return false;
}

static void move_by_url(struct once_client *client, const struct once_member *member)
{
	for (size_t i = 0; i < client->n_endpoints; i++) {
		for (size_t j = 0; j < member->n_client_urls; j++) {
			if (endpoint_same(client->endpoints[i].url, member->client_urls[j])) {
				(void)move_to(client, i);
				return;
			}
		}
	}
}

static void on_members(void *userdata, const struct once_response *response)
{
	struct once_client *client = userdata;
	client->leader.call = NULL;
	for (size_t i = 0; i < response->n_members; i++) {
		if (response->members[i].id == client->leader.id) {
			move_by_url(client, &response->members[i]);
			return;
		}
	}
}

static void on_status(void *userdata, const struct once_response *response)
{
	struct once_client *client = userdata;
	client->leader.call = NULL;
	client->leader.id = response->error ? 0 : response->leader;
	if (!client->leader.id || client->leader.id == response->member_id || move_by_id(client)) {
		return;
	}
	(void)once_member_list(client, &client->leader.call, NULL, false, on_members, client);
}

static void on_timer(void *userdata)
{
	struct once_client *client = userdata;
	client->leader.waiting = false;
	client->leader.looked_at = client->loop->ops->now(client->loop);
	(void)once_status(client, &client->leader.call, NULL, on_status, client);
}

int leader_init(struct once_client *client, bool wanted)
{
	client->leader.wanted = wanted && client->n_endpoints > 1;
	if (client->leader.wanted) {
		client->leader.timer = client->loop->ops->timer_new(client->loop, on_timer, client);
	}
	return client->leader.wanted && !client->leader.timer ? -ENOMEM : 0;
}

void leader_fini(struct once_client *client)
{
	client->leader.call = once_call_cancel(client->leader.call);
	client->loop->ops->timer_free(client->leader.timer);
	client->leader.timer = NULL;
}

void leader_poke(struct once_client *client)
{
	struct leader *leader = &client->leader;
	int64_t in_ns = 0;
	if (!leader->wanted || leader->waiting || leader->call) {
		return;
	}
	if (leader->looked_at.boot_ns) {
		in_ns = LOOK_INTERVAL_NS -
			once_elapsed_min(leader->looked_at, client->loop->ops->now(client->loop));
	}
	leader->waiting = true;
	client->loop->ops->timer_set(leader->timer, in_ns > 0 ? in_ns : 0);
}
