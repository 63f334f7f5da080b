/* The election of docs/protocol.md as a model for spin. check.sh runs it; docs/safety.md tells what came
 * out. Every -DBREAK_x takes one rule away, and spin must then find a violation.
 *
 * Every step of a process begins and ends at the same place, so a state is the variables below and nothing
 * else.
 *
 * Time. A tick is a tick of the slowest clock that ClockDrift= allows. By that measure a clock may gain,
 * and none loses:
 *   - work is dead when V ticks have passed since its proof was sent (earlier is possible: work may die
 *     at any moment);
 *   - who waits does so by a clock of his own, which may have gained GAIN ticks meanwhile, so his wait of
 *     V + MARGIN of his ticks may last only V + MARGIN - GAIN; waiting longer is possible too.
 * delta is chosen so that V(1 + delta) covers what a clock gains in that time: MARGIN == GAIN, whatever
 * both are in ticks. All rules
 * compare a whole number of ticks by "at least" or "at most", for which whole ticks reach the same states
 * as continuous time does. Clocks stop counting at V: no rule asks for more. Work that must die and a
 * wait that ends at the same tick: the death is first, as K is held back for it.
 *
 * Nothing an agent does is ever forced. So an agent that is paused for any time, a slow one, a node that
 * is down, a late watch and a late reply need no steps of their own. Only the guardian is punctual: see
 * tick().
 *
 * Messages. A request that was sent may be applied at any later time, again and again, its reply lost:
 *   - acquire, beat: a late copy needs nothing but its compares to hold, so it is let in whenever they do,
 *     whether or not it was sent before: more can happen here than really can;
 *   - the beat whose reply arrives is applied as soon as sent, since that gives the latest deadline;
 *     -DBEAT_DELAY puts any time between the two;
 *   - a beat as delete (no space in etcd) is, for who follows, a beat that he has not seen;
 *   - seize: `seizing` stays until its compares can hold no more;
 *   - release with clean: `released` keeps it while it could still change something;
 *   - release without clean, revoke, expiry, an operator's delete: the key vanishes at any moment.
 * Not modelled: leases (nothing may depend on them), reads and watches as such (a node knows what etcd
 * holds, or does not know it yet), config and reserve (they only forbid to acquire), the revision of
 * `clean` (the order of its values stands for it), the grace and the kill within V.
 *
 * Bounds: NODES, TERMS (successful acquires) and V. Faults, requests, beats, crashes and restarts are not
 * bounded. -DFEW_FAULTS leaves out late and repeated acquires, crashes and restarts, -DOPERATOR adds the
 * loss of the epoch key. */

#ifdef COVERAGE
#define step atomic /* spin then tells which statements were never reached */
#else
#define step d_step
#endif

#ifndef NODES
#define NODES 2
#endif
#ifndef TERMS
#define TERMS 4
#endif
#ifndef V
#define V 2
#endif

#define GAIN 1
#ifdef BREAK_no_drift_margin
#define MARGIN 0
#else
#define MARGIN 1
#endif
#ifdef BREAK_lost_epoch_is_fresh
#define OPERATOR
#define FRESH (epoch == 0)
#else
#define FRESH (last == 0)
#endif
#ifdef BREAK_seize_early
#define SEIZE_AFTER (V - 1)
#else
#define SEIZE_AFTER V
#endif

#ifdef BREAK_leftovers
#define nothing_left(node) true
#else
#define nothing_left(node) (job[node] == 0)
#endif

/* -DONLY=n checks one invariant alone: which ones a broken rule leads to. */
#ifndef ONLY
#define check(n, what) assert(what)
#else
#define check(n, what) assert(n != ONLY || (what))
#endif

#define waited(span) (wait[me] + GAIN >= (span) + MARGIN)

#define NOBODY NODES
#define NO_WAIT (TERMS + 1) /* in before[]: no work of an earlier term can live */

/* roles */
#define FOLLOW 0
#define CLAIM 1
#define WAIT 2
#define LEAD 3 /* work may run, or is told to stop and not yet dead */
#define OFF 4  /* the agent died and its work is not yet dead */

/* request[] */
#define NONE 0
#define SENT 1
#define DONE 2 /* applied; the reply is on its way */

/* etcd */
byte leader;	      /* token in the leader key; 0: absent */
byte owner = NOBODY;  /* the node whose incarnation put it and does not know */
byte epoch;	      /* token of the latest term, or 0: deleted */
byte clean;
bit seizing;	      /* a seizure is on its way whose compares hold */
byte released;	      /* bit T: a release with clean=T is on its way and would change something */

/* nodes */
byte role[NODES];
byte token[NODES];
byte before[NODES];   /* until the wait is over: the term before, 0: unknown */
byte request[NODES];  /* of CLAIM: the acquire; of WAIT and LEAD: a beat */
byte age[NODES];      /* ticks since it was sent */
byte proof[NODES];    /* ticks since the last acknowledged proof was sent */
byte wait[NODES];     /* ticks since the beat was seen, or the wait began */
bit seen[NODES];      /* the last beat etcd holds is the one seen */
byte job[NODES];      /* token of the work that is alive */

/* for the checks only */
byte last;	      /* latest token */
byte started;	      /* highest token that work was started with */

byte k; /* of loops; 0 between steps */

/* ---- etcd ---- */

/* A beat was put or deleted: what any node saw is the last no more. */
inline beat_changed()
{
#ifndef BREAK_seize_without_beat_compare
	seizing = 0;
#endif
	for (k : 0 .. NODES - 1) {
		if
		:: role[k] == CLAIM && request[k] == DONE -> skip /* the answer is on its way */
#ifdef BREAK_shortcut_without_compare
		:: role[k] == CLAIM && request[k] == SENT -> skip
#endif
		:: else ->
			wait[k] = (seen[k] -> 0 : wait[k]);
			seen[k] = 0
		fi
	}
	k = 0 /* a step may not end with a loop */
}

inline key_gone()
{
	leader = 0;
	owner = NOBODY;
	seizing = 0
}

/* The transaction acquire; its caller has looked that the key is absent. */
inline acquire(who)
{
	last++;
	leader = last;
	epoch = last;
	owner = who;
	beat_changed()
}

/* I3: clean=T is written when the work of T and before is dead; see check_start() for later. */
inline write_clean(t)
{
	for (k : 0 .. NODES - 1) {
		check(3, job[k] == 0 || job[k] > t)
	}
	k = 0;
	clean = t;
	released = released & (255 << (t + 1)) /* the others would change nothing any more */
}

/* ---- nodes ---- */

inline forget_request()
{
	request[me] = NONE;
	age[me] = 0
}

inline to_follow()
{
	role[me] = FOLLOW;
	token[me] = 0;
	before[me] = 0;
	wait[me] = 0;
	seen[me] = 0;
	proof[me] = (job[me] -> proof[me] : 0);
	forget_request()
}

/* The release with clean is sent and may be applied from here on. A node that waits for its answer does
 * nothing that one that follows could not do. */
inline to_release()
{
	released = (leader == token[me] || clean < token[me] -> released | (1 << token[me]) : released);
	to_follow()
}

inline new_incarnation()
{
	owner = (owner == me -> NOBODY : owner)
}

inline check_start()
{
	for (k : 0 .. NODES - 1) {
		check(1, job[k] == 0)
	}
	k = 0;
	check(2, token[me] >= started);
	check(3, token[me] > clean);
	started = token[me]
}

inline proved()
{
#ifdef BREAK_deadline_from_reply
	proof[me] = 0;
#else
	proof[me] = age[me];
#endif
	forget_request()
}

#define holds(n) (role[n] == WAIT || role[n] == LEAD)

active [NODES] proctype node()
{
	byte me = _pid;

	do
	/* follow: see a beat, seize */
	:: step { (role[me] == FOLLOW || (role[me] == CLAIM && request[me] == SENT)) && last && !seen[me] ->
		seen[me] = 1;
		wait[me] = 0 }
	:: step { role[me] == FOLLOW && leader && epoch == leader && seen[me] && !seizing &&
			waited(SEIZE_AFTER) ->
		seizing = 1 }

	/* claim */
	:: step { role[me] == FOLLOW && (last < TERMS || owner == me) ->
		role[me] = CLAIM;
		request[me] = SENT }
	:: step { role[me] == CLAIM && request[me] == SENT && leader == 0 && last < TERMS ->
		before[me] = (FRESH || (epoch && clean == epoch) -> NO_WAIT : epoch);
		request[me] = DONE;
		acquire(me);
		token[me] = last }
	:: step { role[me] == CLAIM && request[me] == DONE ->
		role[me] = WAIT;
		owner = (leader == token[me] -> NOBODY : owner);
		if
		:: seen[me] -> seen[me] = 0 /* it was the last beat: wait[] counts from there */
		:: else ->
#ifdef BREAK_wait_from_send
			wait[me] = age[me]
#else
			wait[me] = 0
#endif
		fi;
		proved() }
	:: step { role[me] == CLAIM && request[me] == SENT -> /* given up */
		role[me] = FOLLOW;
		forget_request() }
	:: step { role[me] == CLAIM && request[me] == DONE -> to_follow() }
#ifndef FEW_FAULTS
	:: step { role[me] == CLAIM && request[me] == DONE -> /* the reply is lost, it goes again */
		to_follow();
		role[me] = CLAIM;
		request[me] = SENT }
	:: step { role[me] == CLAIM && request[me] == SENT && age[me] -> age[me] = 0 }
	:: step { role[me] == CLAIM && request[me] == SENT && leader && owner == me ->
		/* the branch for failure shows that an earlier copy did it */
		request[me] = DONE;
		token[me] = leader;
#ifdef BREAK_replay_without_wait
		before[me] = NO_WAIT;
#else
		before[me] = 0;
#endif
		wait[me] = 0;
		seen[me] = 0 }
	:: step { leader == 0 && last < TERMS -> acquire(me) } /* a late copy */
#endif

	/* wait */
#ifdef BREAK_no_wait
	:: step { role[me] == WAIT ->
#else
	:: step { role[me] == WAIT &&
			(waited(V) || before[me] == NO_WAIT || (before[me] && clean == before[me])) ->
#endif
		role[me] = LEAD;
		before[me] = 0;
		wait[me] = 0 }
	:: step { role[me] == WAIT -> to_follow() } /* lost, resigned, told to stop, or crashed */
#ifdef BREAK_clean_while_waiting
	:: step { role[me] == WAIT -> to_release() }
#endif

	/* beats, as puts or, without space, as deletes */
#ifdef BEAT_DELAY
	:: step { holds(me) && request[me] == NONE -> request[me] = SENT }
	:: step { holds(me) && request[me] == SENT && leader == token[me] ->
#else
	/* applied as soon as sent: the latest deadline that a beat can give */
	:: step { holds(me) && request[me] == NONE && leader == token[me] ->
#endif
		request[me] = DONE;
#ifndef BREAK_proof_without_trace
		beat_changed()
#endif
		}
#ifdef BREAK_beat_without_token_compare
	:: step { holds(me) && request[me] != DONE && leader != token[me] -> request[me] = DONE }
#endif
	:: step { holds(me) && request[me] == DONE && age[me] <= proof[me] -> proved() }
	:: step { holds(me) && request[me] != NONE -> forget_request() }
#ifdef BREAK_trust_keepalive
	:: step { role[me] == LEAD && proof[me] -> proof[me] = 0 }
#endif

	/* lead */
	:: step { role[me] == LEAD && job[me] == 0 && proof[me] < V ->
		check_start();
		job[me] = token[me] }
	:: step { job[me] -> /* killed, or it ends by itself */
		job[me] = 0;
		proof[me] = (role[me] == LEAD -> proof[me] : 0) }
#ifdef BREAK_clean_before_dead
	:: step { role[me] == LEAD -> to_release() }
#else
	:: step { role[me] == LEAD && job[me] == 0 -> to_release() }
#endif

	/* crash and restart. Before LEAD nothing runs and nothing is to be said; a node that is down is one
	 * that does nothing. */
	:: step { owner == me -> new_incarnation() }
#ifdef BREAK_recovered_clean_without_ready
	:: step { role[me] == WAIT -> new_incarnation(); to_release() }
#endif
#ifndef FEW_FAULTS
	:: step { role[me] == LEAD && job[me] -> /* the agent alone dies; the guardian ends the work */
		role[me] = OFF;
		new_incarnation();
		forget_request() }
	:: step { role[me] == OFF && nothing_left(me) -> /* recovers its term */
#ifdef BREAK_adopt
		if
		:: leader == token[me] ->
			role[me] = LEAD;
			proof[me] = 0
		:: else -> to_release()
		fi
#else
		to_release()
#endif
		}
	:: step { role[me] == LEAD || role[me] == OFF -> /* the machine restarts and has forgotten */
		job[me] = 0;
		new_incarnation();
		to_follow() }
#endif
	od
}

/* ---- etcd and time ---- */

#define RELEASED(t) \
	:: step { (released & (1 << t)) && leader == t -> \
		key_gone(); \
		write_clean(t) } \
	:: step { (released & (1 << t)) && leader != t && clean < t -> write_clean(t) }

/* I4: work may have sent a write at any time since it started. None is taken after a later acquire. */
#ifdef BREAK_unfenced_write
#define FENCE(t) true
#else
#define FENCE(t) leader == t
#endif
#define WRITES(t) \
	:: step { t <= started && FENCE(t) -> check(4, t == last) }

/* I5: a release takes away no other term's key. */
#define RELEASED_ANY(t) \
	:: step { (released & (1 << t)) && leader && leader != t -> check(5, false) }

inline tick()
{
	for (k : 0 .. NODES - 1) {
		age[k] = (request[k] != NONE && age[k] < V -> age[k] + 1 : age[k]);
		wait[k] = ((role[k] == WAIT || seen[k]) && wait[k] < V -> wait[k] + 1 : wait[k]);
		proof[k] = ((holds(k) || job[k]) && proof[k] < V -> proof[k] + 1 : proof[k]);
#ifndef BREAK_no_guardian
		if
		:: job[k] && proof[k] == V -> /* the guardian, or the kernel for it */
			job[k] = 0;
			proof[k] = (role[k] == LEAD -> V : 0)
		:: else
		fi
#endif
	}
	k = 0
}

active proctype world()
{
	do
	:: step { true -> tick() }
	:: step { leader -> key_gone() } /* expired, revoked, deleted: at any moment */
	:: step { leader -> beat_changed() } /* a late copy of a beat */
#ifndef FEW_FAULTS
	:: step { leader == 0 && last < TERMS -> acquire(NOBODY) } /* late, of a dead incarnation */
#endif
	:: step { seizing && leader ->
		write_clean(leader);
		key_gone() }
#ifdef OPERATOR
	:: step { epoch -> epoch = 0 } /* an operator's mistake */
#endif
	RELEASED(1)
	RELEASED(2)
	WRITES(1)
	WRITES(2)
#if TERMS > 2
	RELEASED(3)
	WRITES(3)
#endif
#if TERMS > 3
	RELEASED(4)
	WRITES(4)
#endif
#ifdef BREAK_release_without_token_compare
	RELEASED_ANY(1)
	RELEASED_ANY(2)
#endif
	od
}
