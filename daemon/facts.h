/* What the agent knows and people ask for: groups and their terms, nodes, jobs and their runs, counters,
 * the latest lines of the log. The agent and the jobs tell it as things happen; the status page and the
 * metrics read it. Plain memory: no loop, no etcd, no clock of its own but for moments as text.
 *
 * Everything is bounded: what it keeps does not grow with time, and nothing that etcd or a client says
 * names a metric or a label, but for names that the configuration has found valid. */
#ifndef ONCED_FACTS_H
#define ONCED_FACTS_H

#include "base/buf.h"
#include "daemon/config.h"

#include <once/ledger.h>

enum {
	FACTS_TEXT_MAX = 256, /* bytes of a foreign text, escaped, its NUL included */
	FACTS_TERMS_MAX = 24, /* terms of a group that are remembered */
	FACTS_NODES_MAX = 128,
	FACTS_RUNS_MAX = 5,    /* latest runs of a job */
	FACTS_LINES_MAX = 200, /* of the log */
	FACTS_BUCKETS_MAX = 16,
	FACTS_REASONS_MAX = 16,
};

/* ---- histograms ---- */

struct facts_histogram {
	uint64_t buckets[FACTS_BUCKETS_MAX]; /* each counts its own, not those below */
	uint64_t count;
	int64_t sum_ns;
};

/* Upper bounds in ns; what is above the last one is counted only in count. */
extern const int64_t facts_bounds_short[], facts_bounds_job[];
enum { FACTS_BOUNDS_SHORT = 14, FACTS_BOUNDS_JOB = 9 };

/* ---- groups ---- */

/* As oncectl leaders has them. Moments in ms since 1970, 0: not known. */
struct facts_term {
	int64_t token;
	char node[FACTS_TEXT_MAX];
	int64_t since_ms, until_ms;
	char end[48]; /* a word: shutdown, switchover, deadline, crash, silent; "": not known */
	char ended_by[ONCE_NAME_MAX + 1]; /* "": not known */
	bool over;
};

struct facts_group {
	char name[ONCE_NAME_MAX + 1];
	enum once_elector_state state;
	char leader[FACTS_TEXT_MAX]; /* value of the key; "": nobody leads, or not known */
	int64_t leader_token;	     /* 0: nobody leads, or not known yet */
	int64_t token;		     /* this node's; 0: holds none */
	struct once_instant proved;  /* latest proof of token */
	struct once_instant seen;    /* latest beat of another's term; zero: none */
	uint64_t changes;	     /* of the leader, since this process began */
	/* When this node got the key, or saw another leader than before, or none; 0: never. */
	int64_t changed_ms;
	uint64_t led, stopped[5]; /* terms of this node; how they ended, by enum once_stop_reason */
	uint64_t fence_kills;	  /* the guardian stopped its runs at the deadline */
	struct facts_term *terms; /* owned: FACTS_TERMS_MAX, latest first; NULL: not kept */
	size_t n_terms;
};

/* ---- nodes ---- */

struct facts_node {
	char name[FACTS_TEXT_MAX], address[FACTS_TEXT_MAX];
};

/* ---- jobs ---- */

/* Of struct once_run what is shown. */
struct facts_run {
	enum once_run_state state;
	int64_t at_ms; /* the moment it is of, or when it started */
	int64_t start_ms, end_ms, token;
	uint32_t attempt;
	bool exited;
	int32_t exit_code, exit_signal;
	char node[ONCE_NAME_MAX + 1];
	char cause[ONCE_WORD_MAX + 1], reason[ONCE_WORD_MAX + 1];
	char detail[160], item[ONCE_ID_MAX + 1];
};

struct calendar;

struct facts_job {
	char name[CONFIG_NAME_MAX + 1], group[ONCE_NAME_MAX + 1];
	enum config_job_type type;
	char *description, *schedule; /* owned; schedule NULL: none */
	struct calendar *calendar;    /* owned; NULL: none */
	int64_t jitter_ns, output_tail;
	struct facts_run runs[FACTS_RUNS_MAX]; /* the latest first */
	size_t n_runs;
	int64_t last_success_ms; /* 0: none known */
	/* by this process */
	uint64_t ended[ONCE_RUN_LOST + 1];
	struct {
		char reason[ONCE_WORD_MAX + 1];
		uint64_t count;
	} skipped[FACTS_REASONS_MAX];
	size_t n_skipped;
	struct facts_histogram duration;
	bool running;
};

/* ---- the log ---- */

struct facts_line {
	uint64_t number; /* from 1 on */
	int64_t at_ms;
	enum once_log_level level;
	char event[32], text[FACTS_TEXT_MAX];
};

struct facts {
	char node[CONFIG_NAME_MAX + 1], key[CONFIG_KEY_MAX + 1], prefix[CONFIG_KEY_MAX + 1];
	char profile[16];
	char value[FACTS_TEXT_MAX]; /* of the key while this node leads */
	struct once_timing timing;
	struct once_instant began;
	uint64_t version; /* grows with every change that the page shows */
	uint64_t reloads; /* pointers to jobs are good as long as it is the same */

	struct facts_group **groups; /* owned, as each: the default one, then by name */
	size_t n_groups;
	struct facts_job *jobs; /* owned, in the order of their names */
	size_t n_jobs;
	struct facts_node *nodes; /* owned; FACTS_NODES_MAX */
	size_t n_nodes;
	int64_t looked_ms; /* when nodes and terms were read; 0: never */

	bool etcd_heard, etcd_silent;
	bool alarmed; /* etcd is another one, or older than it was: nothing that it says counts */
	struct once_lineage knew; /* what this node had seen of it by then, and since when it is so */
	int64_t alarm_ms;
	bool ending;
	uint64_t unanswered;	      /* requests of the election whose answer was lost */
	struct facts_histogram beats; /* round trips of proofs */
	struct once_instant proved;   /* the latest of them: one beat proves many groups */
	struct facts_histogram lag;   /* how late the loop's timers are */
	struct once_instant turned;   /* when the loop last turned */
	uint32_t agent_restarts;

	struct facts_line *lines;   /* owned: a ring */
	uint64_t n_lines;	    /* ever */
	uint64_t requests, refused; /* of the page itself */
};

/* -ENOMEM. */
int facts_init(struct facts *f, const struct config *config);
void facts_fini(struct facts *f);
/* The jobs of a new configuration; those that stay keep their numbers. -ENOMEM: some are missing. */
int facts_reload(struct facts *f, const struct config *config);

/* NULL: there is none. */
struct facts_group *facts_group(const struct facts *f, const char *name);
struct facts_job *facts_job(struct facts *f, const char *name);

/* Another group of this node, or the one of that name; good until facts_group_gone(). NULL: -ENOMEM. */
struct facts_group *facts_group_add(struct facts *f, const char *name);
/* This node left it. The default one stays. */
void facts_group_gone(struct facts *f, struct facts_group *g);
/* All of them, for facts_fini(). */
void facts_groups_fini(struct facts *f);

/* ---- what happens ---- */

void facts_state(struct facts *f, struct facts_group *g, enum once_elector_state state,
	const char *leader, int64_t token, int64_t leader_token);
/* Of somebody's term, that its token or its beat was seen: it may come without a change of state. */
void facts_seen(
	struct facts *f, struct facts_group *g, int64_t leader_token, struct once_instant seen);
void facts_proof(struct facts *f, struct facts_group *g, int64_t token, struct once_instant proved,
	struct once_instant now);
void facts_lead(struct facts *f, struct facts_group *g);
void facts_stop(struct facts *f, struct facts_group *g, enum once_stop_reason reason);
void facts_fenced(struct facts *f, struct facts_group *g);
/* Nothing that etcd says is believed, from now on: this much was known of it. NULL: it is again. */
void facts_alarm(struct facts *f, const struct once_lineage *knew);
/* A word of the elector's log that counts: etcd-silent, etcd-answers, unknown-outcome, ... */
void facts_event(struct facts *f, const char *event);
/* A run began, ended or was skipped here. item: of a flow; NULL. */
void facts_run(struct facts *f, const char *job, const char *item, const struct once_run *run);
/* One that etcd tells of; the latest first. Replaces what was known when the first one (i = 0) comes. */
void facts_known_run(struct facts *f, struct facts_job *job, size_t i, const struct once_run *run,
	int64_t at_ms);
void facts_line(struct facts *f, enum once_log_level level, const char *event, const char *text);
void facts_lag(struct facts *f, int64_t late_ns, struct once_instant now);

/* ---- what follows ---- */

/* Until this node's jobs of the group are dead for certain, by the last proof; <= 0: no term, or over. */
int64_t facts_deadline_ns(
	const struct facts *f, const struct facts_group *g, struct once_instant now);
/* LEADING, and the deadline lies ahead. */
bool facts_leads(const struct facts *f, const struct facts_group *g, struct once_instant now);
/* Of the term that there is, as far as etcd can be believed: else of this node's own; 0: none, or not known. */
int64_t facts_term_token(const struct facts *f, const struct facts_group *g);
const char *facts_state_name(enum once_elector_state state);
/* The next moment of the job's schedule after now_ms, with its jitter; 0: none. */
int64_t facts_next_ms(const struct facts_job *job, int64_t now_ms);

void facts_observe(struct facts_histogram *h, const int64_t *bounds, size_t n, int64_t ns);

/* ---- as text ---- */

/* OpenMetrics 1.0; classic: the text format of Prometheus before it (0.0.4). buf_error() tells. */
void facts_metrics(struct facts *f, struct buf *out, bool classic, struct once_instant now);
/* /status, in the words of oncectl status --json where it is the same thing. */
void facts_status(struct facts *f, struct buf *out, struct once_instant now);
/* One event of the stream: what changes with every beat. */
void facts_pulse(struct facts *f, struct buf *out, struct once_instant now);
void facts_line_json(const struct facts_line *line, struct buf *out);
/* Line i of those that are kept, the oldest first; NULL: no more. */
const struct facts_line *facts_line_at(const struct facts *f, size_t i);

/* ---- health ---- */

/* The HTTP status of /health, /leader, ... for the group, and in out the answer's body; 0: no such path. As
 * Patroni means them: docs/monitoring.md. */
int facts_health(struct facts *f, const char *path, struct facts_group *g, struct once_instant now,
	struct buf *out);

#endif
