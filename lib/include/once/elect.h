/* Leader election with proof: run something on one node only, and know until when you may. Since 0.1.
 *
 * An elector campaigns for one key through a client. While it leads, every beat interval a guarded
 * write proves it; each proof moves a deadline. The owner runs its work only between on_lead() and
 * on_stop(), must be able to end it by itself at the deadline (another process or the kernel should
 * hold it, as onced's guardian does), and says once_elector_stopped() when the work is proven dead.
 * Only then is the key given away. docs/protocol.md has the rules and the argument.
 *
 * All functions belong to the loop's thread. Callbacks come from the loop only, never from inside a
 * function here. */
#ifndef ONCE_ELECT_H
#define ONCE_ELECT_H

#include <once/client.h>

#ifdef __cplusplus
extern "C" {
#endif

struct once_elector;
struct once_node;

/* Every node of a group must have the same; the values are stored in etcd and compared in every
 * acquire. See once_timing_check(). */
struct once_timing {
	int64_t lease_ttl_s;
	int64_t fence_after_ns;	    /* V: work may live until the last proof was sent + V */
	int64_t beat_interval_ns;   /* H */
	int64_t request_timeout_ns; /* R */
	int64_t stop_grace_ns;	    /* G: between SIGTERM and SIGKILL */
	int64_t kill_budget_ns;	    /* K: from SIGKILL to proven dead, at most */
	int32_t clock_drift_ppm;    /* delta, as parts of a million; 100000 = 10 % */
};

/* The named profiles "normal", "fast", "wan". 0, or -ENOENT. */
int once_timing_profile(struct once_timing *ret, const char *name);

/* 0 when H + 2R + V/10 <= V - G - K, TTL >= V, everything positive; else -EINVAL with one line that
 * holds the rule and its numbers in message. */
int once_timing_check(const struct once_timing *timing, char *message, size_t size);

enum once_elector_state {
	ONCE_ELECTOR_FOLLOWING, /* another leads, or nobody does yet */
	ONCE_ELECTOR_WAITING,	/* holds the key; an earlier leader's work may still live */
	ONCE_ELECTOR_LEADING,	/* holds the key; work may run */
	ONCE_ELECTOR_STOPPING,	/* work is being stopped */
	ONCE_ELECTOR_STOPPED,
};

enum once_stop_reason {
	ONCE_STOP_SHUTDOWN = 1, /* once_elector_stop() */
	ONCE_STOP_SWITCHOVER,	/* once_elector_resign() or an operator's request */
	ONCE_STOP_DEADLINE,	/* no proof in time: no quorum, cut off, stopped process */
	ONCE_STOP_LOST,		/* etcd shows another leader, or none: kill at once */
};

enum once_log_level { ONCE_LOG_ERR = 3, ONCE_LOG_WARNING = 4, ONCE_LOG_INFO = 6, ONCE_LOG_DEBUG = 7 };

struct once_elector_callbacks {
	/* Work may start, guarded by token (the create_revision of the key). Proved and valid: see
	 * on_extend, which follows every later proof. */
	void (*on_lead)(void *userdata, int64_t token, struct once_instant proved);
	/* Leadership was proven again by a write sent at `proved`: work may live until
	 * proved + timing.fence_after_ns on either clock. Also called while WAITING (no work yet). */
	void (*on_extend)(void *userdata, int64_t token, struct once_instant proved);
	/* Work must end: within grace_ns (0: now). Then call once_elector_stopped(), once. Comes once
	 * per on_lead(), and again with no grace when a term is lost that was stopping. */
	void (*on_stop)(void *userdata, int64_t token, enum once_stop_reason reason, int64_t grace_ns);
	/* Something to tell an operator or a person: state changes, odd things. One line, escaped.
	 * Optional. */
	void (*on_log)(void *userdata, enum once_log_level level, const char *event, const char *text);
	/* The state changed; leader is the present leader's value ("" when none is known). Optional. */
	void (*on_state)(void *userdata, enum once_elector_state state, const char *leader);
	/* Keep these bytes where they survive this process but not this boot, replacing the earlier;
	 * size 0: forget them. Given back as config.recovered they let a restarted node release its
	 * old term at once. Optional. */
	void (*on_save)(void *userdata, const void *data, size_t size);
	/* The elector has ended: released and revoked as far as that went within its time. error: 0
	 * after once_elector_stop(); -EEXIST: another living node of the group has this node's name
	 * (found out after up to 1.5 lease TTLs, work having been stopped as after a stop). May free
	 * it. */
	void (*on_stopped)(void *userdata, int error);
};

/* Strings and bytes are copied. */
struct once_elector_config {
	const char *key;    /* "/leader" */
	const char *value;  /* what the key holds: the node's name by custom */
	const char *prefix; /* "/onced": where the group's other keys live */
	const char *group;  /* "default" */
	const char *node;   /* unique in the group: [a-z0-9][a-z0-9._-]{0,63} */
	const char *address; /* shown to others; may be empty */
	struct once_timing timing;
	const void *recovered; /* what on_save() kept last, or NULL */
	size_t recovered_size;
	bool recovered_empty; /* the work of that incarnation is proven dead: it may be released */
	bool record; /* keep the last 64k events for once_elector_dump(): at most 2.6 MB, less at first */
};

/* -EINVAL: a name or the timing; message says which (may be NULL). -ENOMEM. Starts nothing. */
int once_elector_new(struct once_elector **ret, struct once_client *client,
	struct once_loop *loop, const struct once_elector_config *config,
	const struct once_elector_callbacks *callbacks, void *userdata, char *message, size_t size);

/* ---- many groups ---- */

/* What many electors of one process share: a lease, a registration under prefix/nodes/, a watch stream, and
 * beats that prove up to 60 groups each; an idle group costs next to nothing. See docs/groups.md. Since
 * 0.2. Strings are copied. */
struct once_node_config {
	const char *key;    /* "/leader": of the group "default"; of any other group g "/leader/g" */
	const char *prefix; /* "/onced" */
	const char *node;   /* unique: [a-z0-9][a-z0-9._-]{0,63} */
	const char *address; /* shown to others; may be NULL */
	struct once_timing timing;
};

/* -EINVAL: a name or the timing; message says which (may be NULL). -ENOMEM, -EIO: no random number. Starts
 * nothing. client and loop are borrowed until once_node_free(). Since 0.1. */
int once_node_new(struct once_node **ret, struct once_client *client, struct once_loop *loop,
	const struct once_node_config *config, char *message, size_t size);

/* An elector of the node, for config.group. Of config count group, value, recovered, recovered_size,
 * recovered_empty and record; the rest is the node's. -EEXIST: the node has one for that group. Else as
 * once_elector_new(). Groups other than "default" leave a vacant key first to the node whose turn it is by
 * name; and a term whose work was not stopped by its deadline is given up, without a word that it is dead.
 * When one's lease has ended the others' has, too. -EEXIST in on_stopped() comes to all of them. Since 0.1. */
int once_elector_new_on(struct once_elector **ret, struct once_node *node,
	const struct once_elector_config *config, const struct once_elector_callbacks *callbacks,
	void *userdata, char *message, size_t size);

/* Frees its electors, too, as once_elector_free() does. Legal in their callbacks but on_log(). Returns NULL; NULL is fine.
 * Since 0.1. */
struct once_node *once_node_free(struct once_node *node);

/* Begin: self-test of the guard, recovery, registration, campaign. etcd need not be there yet. */
int once_elector_start(struct once_elector *elector);

/* End in order: on_stop() if leading, release when the owner says stopped, revoke, on_stopped(). Within
 * 4 R after the work ended it stops whatever etcd answers. Again: no effect. */
void once_elector_stop(struct once_elector *elector);

/* Give leadership away but go on following; `to` names the node that may acquire for the next 10 s
 * (NULL: any other than this one, for as long). -ENOTCONN: does not lead. */
int once_elector_resign(struct once_elector *elector, const char *to);

/* Do not campaign for so long from now, giving leadership away if there is any; a reservation for this
 * node ends it. ns < 0: campaign again. */
void once_elector_stay_away(struct once_elector *elector, int64_t ns);

/* What etcd answers is of another history than before (once_client_trust()): work is stopped as that of a lost term,
 * nothing is sent, and the key, should there be one, is not given back; until once_elector_resume(). Before
 * once_elector_start(), too. Of a node's electors, all or none. Since 0.1. */
void once_elector_suspend(struct once_elector *elector);

/* Campaign anew, with nothing known of etcd. The caller has seen to it that all work of the history before is dead:
 * FenceAfter and the drift of clocks have passed since that history came to its end. Since 0.1. */
void once_elector_resume(struct once_elector *elector);

/* The owner's word after on_stop(): every process of the work is dead, for certain. */
void once_elector_stopped(struct once_elector *elector);

/* Time left until the deadline minus grace and kill budget: work started now could run as long.
 * Negative or 0: start nothing. */
int64_t once_elector_may_launch_ns(const struct once_elector *elector);

enum once_elector_state once_elector_state(const struct once_elector *elector);
int64_t once_elector_token(const struct once_elector *elector); /* 0: holds none */
int64_t once_elector_lease(const struct once_elector *elector); /* 0: holds none */
/* Token of the term that was last seen in etcd, of whichever node; 0: nobody leads, or nothing was seen
 * yet. Since 0.1. */
int64_t once_elector_leader_token(const struct once_elector *elector);
/* When a beat of that term was last seen to have changed, by a follower; zero: none was. Since 0.1. */
struct once_instant once_elector_beat_seen(const struct once_elector *elector);

/* Writes the events of the election that are kept, and the state they began from, to fd; tests/sim
 * replays them to the same decisions (docs/replay.md). Holds tokens and lease ids, nothing secret. Only
 * write(2) is called, so it may be called in a signal handler. 0; -ENODATA: nothing is kept (without
 * config.record, or no memory was left for it); -errno of a write, part of it being written. */
int once_elector_dump(const struct once_elector *elector, int fd);

/* Stops at once without a word to etcd: as a crash would. Returns NULL; NULL is fine. */
struct once_elector *once_elector_free(struct once_elector *elector);

#ifdef __cplusplus
}
#endif

#endif
