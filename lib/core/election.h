/* The election as a pure step machine: (state, event) -> actions. No I/O, no clock, no allocation, no
 * randomness source, no globals: the same object file runs in the daemon, in the simulator and under
 * the fuzzer. docs/protocol.md holds the rules and the argument; the names V, H, R, G, K, delta are
 * its names.
 *
 * The shell (lib/elect, tests/sim) feeds events, each stamped with the present moment, and performs
 * the actions in their order. Every operation carries an id; its reply comes back once, or never when
 * the process dies. Between events it steps with ELECTION_TICK when election_wake_in() says. */
#ifndef CORE_ELECTION_H
#define CORE_ELECTION_H

#include <once/time.h>
#include <stdbool.h>
#include <stdint.h>

/* ---- configuration ---- */

struct election_config {
	int64_t lease_ttl;	 /* asked for, in ns */
	int64_t fence_after;	 /* V */
	int64_t beat_interval;	 /* H */
	int64_t request_timeout; /* R */
	int64_t stop_grace;	 /* G */
	int64_t kill_budget;	 /* K */
	int64_t drift_ppm;	 /* delta */
	uint64_t incarnation;	 /* random and new for every start of a process; never 0 */
	uint64_t seed;		 /* of the jitter */
	bool seize;		 /* take over from a silent term before its lease ends */
	int64_t stand_back;	 /* leave what is vacant or silent to others for so long */
};

/* ---- what etcd holds for the group ---- */

/* One of the group's keys as last seen. A zero field is an absent one. */
struct election_view {
	struct {
		int64_t create; /* the token of the term; 0: nobody leads */
		int64_t lease;
	} leader;
	struct {
		int64_t mod; /* the token of the latest term; 0: there never was one */
		uint64_t incarnation;
	} epoch;
	struct {
		int64_t mod; /* 0: none (never written, or deleted as a beat under NOSPACE) */
		uint64_t incarnation;
	} beat;
	int64_t clean; /* token of a term whose work was proven dead; 0: none */
	enum { ELECTION_CONFIG_ABSENT, ELECTION_CONFIG_OURS, ELECTION_CONFIG_OTHER } config;
	enum { ELECTION_RESERVE_NONE, ELECTION_RESERVE_US, ELECTION_RESERVE_OTHER } reserve;
};

enum election_key {
	ELECTION_KEY_LEADER,
	ELECTION_KEY_EPOCH,
	ELECTION_KEY_BEAT, /* of any node; those of other incarnations than the epoch's are ignored */
	ELECTION_KEY_CLEAN,
	ELECTION_KEY_CONFIG,
	ELECTION_KEY_RESERVE,
	ELECTION_KEYS,
};

/* ---- events ---- */

enum election_event_kind {
	ELECTION_START = 1, /* .start */
	ELECTION_TICK,
	ELECTION_LISTED,    /* .listed: the answer to ELECTION_LIST */
	ELECTION_LIST_FAILED,
	ELECTION_SEEN,	    /* .seen: one change of one key, from the watch */
	ELECTION_UNWATCHED, /* the watch ended for good; list again */
	ELECTION_REPLY,	    /* .reply */
	ELECTION_WORK_DEAD, /* the owner: every process of the term's work is proven dead */
	ELECTION_STOP,	    /* release, revoke, end */
	ELECTION_RESIGN,    /* give leadership away, go on following */
	ELECTION_PROVE,	    /* a beat now, if one may go: others' go, too */
	ELECTION_STAND_BACK, /* .stand_back: config.stand_back from now on, lease_ttl at most */
	/* etcd answers with another or an older history: nothing counts that it says. Work ends as that of a
	 * lost term; nothing is sent, released or claimed until ... */
	ELECTION_SUSPEND,
	ELECTION_RESUME, /* what is known of etcd is forgotten; whoever may say so has waited for V(1 + delta) */
};

enum election_outcome {
	ELECTION_APPLIED = 1, /* answered; a txn's branch is in .succeeded */
	ELECTION_REFUSED,     /* has no effect and never will have */
	ELECTION_UNKNOWN,     /* may have an effect, or still get one */
};

enum election_refusal {
	ELECTION_REFUSED_OTHER, /* not connected, not permitted, ... */
	ELECTION_REFUSED_NOSPACE, /* the exception: this one may have had its effect, and will have no other */
	ELECTION_REFUSED_NO_LEASE,
};

/* A term of an earlier process of this node on this boot, from what it saved. */
struct election_recovered {
	int64_t token; /* 0: none */
	int64_t lease;
	bool ready; /* it had finished its wait */
	bool dead;  /* its work is proven dead */
};

struct election_event {
	enum election_event_kind kind;
	struct once_instant now;
	union {
		struct {
			struct election_recovered recovered;
		} start;
		struct {
			int64_t revision;
			struct election_view view;
		} listed;
		struct {
			enum election_key key;
			int64_t revision;	    /* of the change */
			struct election_view view;  /* the one key's fields; zero: deleted */
		} seen;
		struct {
			uint32_t op;
			enum election_outcome outcome;
			enum election_refusal refusal;
			struct once_instant sent;
			bool succeeded;
			int64_t revision;
			/* grant: the lease and its TTL in ns; keep-alive: TTL, 0: gone */
			int64_t lease, ttl;
			/* acquire, both branches: what the txn's ranges and previous values showed.
			 * Success: epoch is the one before, beat that of the epoch last SEEN or LISTED. */
			struct election_view view;
		} reply;
		struct {
			bool to_other; /* a reservation for a named node goes into the release */
			/* Not campaigning for so long from now, whoever leads; 0: as is custom after a
			 * release; negative: no longer standing back, and nothing else. */
			int64_t stay_away;
		} resign;
		struct {
			int64_t duration;
		} stand_back;
	};
};

/* ---- actions ---- */

enum election_action_kind {
	/* Operations on etcd; each is answered by one ELECTION_REPLY with its op (LIST: by LISTED or
	 * LIST_FAILED). */
	ELECTION_LIST = 1,  /* linearizable read of every key; .rewatch: and watch from the next revision
			       on, elsewhere */
	ELECTION_GRANT,	    /* a lease of lease_ttl */
	ELECTION_KEEPALIVE, /* .lease */
	ELECTION_REVOKE,    /* .lease */
	/* compare create(leader)==0, value(config)==ours [.fresh: create(config)==0, create(epoch)==0],
	 * no reserve of another; then range clean, range the view's epoch's beat, put leader with .lease,
	 * put epoch (previous wanted), put own beat [.fresh: put config]; else range all */
	ELECTION_ACQUIRE,
	/* compare create(leader)==.token, lease(leader)==.lease; then put own beat
	 * [.as_delete: delete it] */
	ELECTION_BEAT,
	/* compare create(leader)==.token, mod(the epoch's beat)==.beat_mod; then delete leader,
	 * put clean=.token */
	ELECTION_SEIZE,
	/* compare create(leader)==.token; then delete leader [.clean: put clean=.token]
	 * [.reserve: put reserve]; else [.clean: if mod(clean) < .clean_before: put clean=.token] */
	ELECTION_RELEASE,

	/* To the owner */
	ELECTION_LEAD,	 /* work may start: .token, .proved */
	ELECTION_EXTEND, /* proven again: .token, .proved */
	ELECTION_STOP_WORK, /* .token, .reason, .grace; WORK_DEAD is awaited. May come again, only ever with
			       less grace: a term that is lost while it stops */
	ELECTION_SAVE,	 /* .saved; token 0: forget */
	ELECTION_NOTE,	 /* .note */
	ELECTION_ENDED,
};

enum election_reason { /* as enum once_stop_reason */
	ELECTION_REASON_SHUTDOWN = 1,
	ELECTION_REASON_SWITCHOVER,
	ELECTION_REASON_DEADLINE,
	ELECTION_REASON_LOST,
};

enum election_note {
	ELECTION_NOTE_FOLLOWING,	/* .token leads */
	ELECTION_NOTE_VACANT,		/* nobody leads */
	ELECTION_NOTE_ACQUIRED,		/* .token is ours */
	ELECTION_NOTE_WAITING,		/* for .duration: the previous term's work may live */
	ELECTION_NOTE_READY,		/* the wait is over */
	ELECTION_NOTE_SEIZING,		/* .token has been silent for .duration */
	ELECTION_NOTE_SEIZED,
	ELECTION_NOTE_LOST,		/* .token is not ours any more */
	ELECTION_NOTE_DEADLINE,		/* no proof in time */
	ELECTION_NOTE_RELEASED,		/* .token, work proven dead */
	ELECTION_NOTE_RECOVERED,	/* a term of an earlier process was released */
	ELECTION_NOTE_PHANTOM,		/* an acquire was applied after it was given up; undone */
	ELECTION_NOTE_CONFIG_OTHER,	/* the group's timing in etcd is not ours: not campaigning */
	ELECTION_NOTE_CONFIG_ABSENT,	/* ... is missing though there were terms: not campaigning */
	ELECTION_NOTE_RESERVED,		/* for another node: not campaigning now */
	ELECTION_NOTE_NOSPACE,		/* beats are deletes now */
	ELECTION_NOTE_SPACE,		/* beats are puts again */
	ELECTION_NOTE_TTL_SHORT,	/* the server granted .duration, less than V: not campaigning */
	ELECTION_NOTE_UNKNOWN,		/* an answer was lost; the same request goes again */
	ELECTION_NOTE_FOREIGN,		/* the key is nobody's term and on no lease: it never ends */
	ELECTION_NOTES,
};

struct election_saved {
	int64_t token, lease;
	uint64_t incarnation;
	bool ready;
};

struct election_action {
	enum election_action_kind kind;
	uint32_t op;
	int64_t token, lease, beat_mod, clean_before;
	bool fresh, as_delete, clean, reserve, rewatch;
	enum election_reason reason;
	int64_t grace;
	struct once_instant proved;
	struct election_saved saved;
	enum election_note note;
	int64_t duration;
};

enum { ELECTION_ACTIONS_MAX = 16 };

struct election_actions {
	unsigned n;
	struct election_action v[ELECTION_ACTIONS_MAX];
};

/* ---- the machine ---- */

enum election_role {
	ELECTION_IDLE,	    /* not started */
	ELECTION_RECOVER,   /* releases a term of an earlier process */
	ELECTION_FOLLOW,    /* another leads, or nobody */
	ELECTION_CLAIM,	    /* an acquire is on its way, its outcome not settled */
	ELECTION_CONTEST,   /* a seize is on its way */
	ELECTION_WAIT,	    /* holds the key; work of an earlier term may live */
	ELECTION_LEADING,   /* holds the key; work may run */
	ELECTION_STOPPING,  /* work was told to stop and is not proven dead */
	ELECTION_RELEASING, /* work is dead; the key is given away */
	ELECTION_REVOKING,  /* the last request before the end */
	ELECTION_OVER,
};

/* Touched by core/ only. */
struct election {
	struct election_config config;
	enum election_role role;
	struct election_actions *out; /* during a step only */
	struct once_instant now;
	uint32_t last_op;
	uint64_t random;

	/* what is known of etcd */
	struct election_view view;
	int64_t revisions[ELECTION_KEYS]; /* up to which each key's entry is known */
	bool listed, ever_term, suspended;
	struct once_instant beat_seen; /* when this node learned of view.beat */
	struct {
		int64_t epoch, beat;
		struct once_instant beat_seen;
	} last; /* of the view when the acquire was first sent */
	struct once_instant heard;     /* when anything of the term was last heard */
	struct once_instant vacant_since; /* when this node learned that nobody leads */
	struct {
		uint32_t op;
		struct once_instant asked;
		unsigned failures;
		bool rewatch; /* the watch is gone, silent or not yet there */
	} list;
	struct once_instant complained; /* when it was last noted why this node does not campaign */

	/* the node's lease */
	struct {
		int64_t id, ttl;
		uint32_t op;
		bool granting;		     /* what op is; else a keep-alive */
		struct once_instant renewed; /* when the last good grant or keep-alive was sent */
		struct once_instant asked;
		unsigned failures;
	} lease;

	/* the one request of the role: acquire, seize, beat, release or revoke */
	struct {
		uint32_t op; /* 0: none on its way */
		struct election_action action;
		struct once_instant asked;
		unsigned failures;
		bool again; /* it was not settled: the same goes again */
	} request;

	/* the term */
	int64_t token; /* 0: holds none */
	struct once_instant proved;
	int64_t before;		      /* token of the term before; 0: unknown */
	struct once_instant wait_since;
	bool ready;		      /* the wait is over: work may have run */
	bool beat_now;
	unsigned nospace;	      /* beats as deletes since the alarm; 0: no alarm */

	/* the end */
	enum election_reason reason;
	int64_t grace;
	struct once_instant stopping_since, ending_since;
	bool stop;    /* ELECTION_STOP was asked */
	bool reserve; /* the release reserves for another */
	bool hold;    /* stands back: not campaigning for hold_for since hold_since */
	struct once_instant hold_since;
	int64_t hold_for;
	struct election_recovered recovered;
};

void election_init(struct election *e, const struct election_config *config);

/* Total: any event is legal in any state. */
void election_step(struct election *e, const struct election_event *event,
	struct election_actions *ret_actions);

/* Nanoseconds from now until ELECTION_TICK is due; negative: never. */
int64_t election_wake_in(const struct election *e, struct once_instant now);

/* How long work started now could run before it would be told to stop; <= 0: start none. */
int64_t election_may_launch(const struct election *e, struct once_instant now);

const char *election_role_name(enum election_role role);
const char *election_note_name(enum election_note note);

#endif
