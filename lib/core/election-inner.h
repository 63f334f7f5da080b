/* Inside the election: what its files share. election-moves.c sends and changes roles,
 * election-view.c knows what etcd holds, election-campaign.c gets the key, election-term.c keeps it
 * and gives it away, election.c puts them together. */
#ifndef CORE_ELECTION_INNER_H
#define CORE_ELECTION_INNER_H

#include "core/election.h"

#define ELECTION_NEVER INT64_MAX

static inline bool is_set(struct once_instant t)
{
	return t.boot_ns != 0 || t.raw_ns != 0;
}

/* At least this long ago, for one who must be in time. A moment never set was long ago. */
static inline int64_t since(const struct election *e, struct once_instant t)
{
	return is_set(t) ? once_elapsed_max(t, e->now) : ELECTION_NEVER;
}

static inline int64_t min64(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static inline int64_t max64(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* From now until span has passed since t; 0 when it has. */
static inline int64_t left(const struct election *e, struct once_instant t, int64_t span)
{
	int64_t passed = since(e, t);
	return passed >= span ? 0 : span - passed;
}

static inline bool holds_key(const struct election *e)
{
	return e->role == ELECTION_WAIT || e->role == ELECTION_LEADING ||
	       e->role == ELECTION_STOPPING;
}

/* election-moves.c */
void election_request_new(struct election *e, struct election_action action);
void election_request_failed(struct election *e, enum election_outcome outcome);
void election_complain(struct election *e, enum election_note what);
void election_stop_work(struct election *e, enum election_reason reason, int64_t grace);
void election_lost(struct election *e);
void election_disown(struct election *e);
struct election_action *election_act(struct election *e, enum election_action_kind kind);
uint32_t election_new_op(struct election *e);
void election_request_send(struct election *e);
void election_enter(struct election *e, enum election_role role);
void election_enter_releasing(struct election *e, int64_t token);
void election_enter_over(struct election *e);
void election_shuffle(struct election *e);
int64_t election_request_due_in(struct election *e);
int64_t election_v_with_drift(const struct election *e);
void election_save(struct election *e);
int64_t election_pace(struct election *e, unsigned failures);
void election_enter_revoking(struct election *e);
void election_enter_follow(struct election *e);
void election_note(struct election *e, enum election_note what, int64_t token, int64_t duration);

/* election-view.c */
void election_on_listed(struct election *e, const struct election_event *event);
void election_list_advance(struct election *e);
int64_t election_list_due_in(struct election *e);
bool election_view_names_us(const struct election *e);
void election_on_seen(struct election *e, const struct election_event *event);
void election_view_apply_all(
	struct election *e, int64_t revision, const struct election_view *seen);

/* election-campaign.c */
void election_claim_advance(struct election *e);
void election_lease_advance(struct election *e);
void election_follow_advance(struct election *e);
int64_t election_lease_due_in(struct election *e);
void election_contest_reply(struct election *e, const struct election_event *event);
int64_t election_follow_due_in(struct election *e);
void election_extend(struct election *e);
void election_lease_reply(struct election *e, const struct election_event *event);
void election_claim_reply(struct election *e, const struct election_event *event);

/* election-term.c */
void election_beat_advance(struct election *e);
void election_start(struct election *e, const struct election_event *event);
void election_revoke_advance(struct election *e);
void election_beat_reply(struct election *e, const struct election_event *event);
int64_t election_wait_due_in(const struct election *e);
int64_t election_soft_due_in(const struct election *e);
void election_revoke_reply(struct election *e, const struct election_event *event);
void election_release_advance(struct election *e);
void election_release_reply(struct election *e, const struct election_event *event);
void election_deadline_check(struct election *e);
void election_wait_advance(struct election *e);
void election_leading_advance(struct election *e);
int64_t election_beat_due_in(struct election *e);

#endif
