/* See session.h: the lease.
 *
 * Happy path: granted; renewed every third of its TTL, whatever else the loop does; revoked.
 * Failures: a renewal without an answer is sent again every tenth of the TTL, and the deadline
 * stands. The lease gone, by its end or by somebody's hand: the session is lost at once. */
#include "tools/oncectl/kv/session.h"

static void wake(struct kv_session *s)
{
	s->woken = true;
}

void kv_session_lose(struct kv_session *s)
{
	if (s->lost)
		return;
	s->call = once_call_cancel(s->call);
	s->ctl->loop->ops->timer_set(s->renew, -1);
	s->ctl->loop->ops->timer_set(s->deadline, -1);
	s->lost = true;
	wake(s);
	if (s->on_lost)
		s->on_lost(s->userdata);
}

/* There is nothing left to revoke. */
static void lose_lease(struct kv_session *s)
{
	s->lease = 0;
	kv_session_lose(s);
}

void kv_session_interrupt(struct kv_session *s)
{
	s->interrupted = true;
	wake(s);
}

static int64_t part_of_ttl(const struct kv_session *s, int parts)
{
	return s->ttl_s * ONCE_NSEC_PER_SEC / parts;
}

static void prove(struct kv_session *s, struct once_instant sent)
{
	int64_t age = once_elapsed_max(sent, s->ctl->loop->ops->now(s->ctl->loop));

	s->proved = sent;
	s->ctl->loop->ops->timer_set(s->deadline, part_of_ttl(s, 10) * 9 - age);
	s->ctl->loop->ops->timer_set(s->renew, part_of_ttl(s, 3));
	if (s->renewed)
		s->renewed(s->userdata);
}

static void on_renewed(void *userdata, const struct once_response *response)
{
	struct kv_session *s = userdata;

	s->call = NULL;
	if (response->error < 0)
		s->ctl->loop->ops->timer_set(s->renew, part_of_ttl(s, 10));
	else if (response->ttl_s <= 0)
		lose_lease(s);
	else
		prove(s, response->sent);
}

static void on_renew(void *userdata)
{
	struct kv_session *s = userdata;
	struct once_call_options options = {ONCE_LANE_CONTROL, part_of_ttl(s, 3)};

	if (once_lease_keepalive(s->ctl->client, &s->call, &options, s->lease, on_renewed, s) < 0)
		s->ctl->loop->ops->timer_set(s->renew, part_of_ttl(s, 10));
}

static void on_deadline(void *userdata)
{
	lose_lease(userdata);
}

int kv_session_open(struct kv_session *s, struct ctl *ctl, int64_t ttl_s)
{
	struct kv_request grant = {.kind = KV_LEASE_GRANT, .number = ttl_s};
	const struct once_response *response;

	*s = (struct kv_session){.ctl = ctl};
	s->renew = ctl->loop->ops->timer_new(ctl->loop, on_renew, s);
	s->deadline = ctl->loop->ops->timer_new(ctl->loop, on_deadline, s);
	if (!s->renew || !s->deadline)
		return ctl_out_of_memory();
	response = kv_ask(ctl, &grant);
	if (response->error < 0)
		return kv_refused(CTL_FAILED, response);
	s->lease = response->lease;
	s->ttl_s = response->ttl_s;
	prove(s, response->sent);
	return CTL_OK;
}

void kv_session_turn(struct kv_session *s, int64_t timeout_ns)
{
	(void)ctl_wait(s->ctl, &s->woken, timeout_ns);
	s->woken = false;
}

int kv_session_close(struct kv_session *s)
{
	struct kv_request revoke = {.kind = KV_LEASE_REVOKE, .lease = s->lease};
	const struct once_response *response = NULL;

	s->watch = once_watch_cancel(s->watch);
	s->call = once_call_cancel(s->call);
	if (s->lease) {
		ctl_round_time(s->ctl);
		response = kv_ask(s->ctl, &revoke);
	}
	if (s->renew)
		s->ctl->loop->ops->timer_free(s->renew);
	if (s->deadline)
		s->ctl->loop->ops->timer_free(s->deadline);
	s->renew = s->deadline = NULL;
	/* gone already is what was wanted */
	if (response && response->error < 0 && response->outcome != ONCE_APPLIED)
		return kv_refused(CTL_FAILED, response);
	return CTL_OK;
}
