/* Golden traces. A script is a list of moments and what happens then; nothing in it is random (the
 * network takes 0.5 ms each way, clocks run true, a job obeys within 20 ms), so its trace is
 * compared as text: any change of what the election does shows as a change of what an operator
 * would read. traces/NAME.txt is the specification of the script NAME; `sim --golden DIR --update`
 * writes them. */
#include "golden.h"

#include "sim.h"

#include <stdio.h>
#include <string.h>

enum { TRACE_MAX = 32768 };

/* A verb is a fault, or one of these. */
enum {
	BOOT = FAULTS, /* an agent starts */
	MEND,	       /* .duration: the fault that ends */
	DROP_ANSWER,   /* of the next acquire: it is applied, nobody hears of it */
	DELAY_ACQUIRE, /* acquires reach etcd after .duration ms */
	IGNORE_TERM,   /* jobs ignore SIGTERM */
	SWITCH_TO,     /* .duration: the node */
	OVER_QUOTA,    /* .duration: so many writes are made and said to be refused */
	UNDELAY,
	STAY_AWAY, /* .duration: for so long; negative: no longer */
};

struct step {
	int64_t at_ms;
	int verb;
	char node;
	int64_t duration;
	const char *says;
};

struct script {
	const char *name, *about;
	int64_t end_ms;
	unsigned profile, nodes;
	const struct step *steps;
	unsigned n_steps;
};

#define SCRIPT(name, about, end, profile, nodes, ...)                                              \
	{                                                                                          \
		name, about, end, profile, nodes, (const struct step[]){__VA_ARGS__},              \
			sizeof((const struct step[]){__VA_ARGS__}) / sizeof(struct step)           \
	}
#define THREE                                                                                      \
	{0, BOOT, 'a', 0, NULL}, {100, BOOT, 'b', 0, NULL},                                        \
	{                                                                                          \
		200, BOOT, 'c', 0, NULL                                                            \
	}

enum { FAST, NORMAL };

static const struct script scripts[] = {
	SCRIPT("start", "three nodes on an empty etcd", 3000, FAST, 3, THREE),
	SCRIPT("sigterm", "the leader is told to stop", 3000, FAST, 3, THREE,
		{2000, FAULT_STOP, 'a', 0, "systemctl stop onced"}),
	SCRIPT("sigterm-ignored", "the leader is told to stop; its job does not care", 4000, FAST,
		3, THREE, {1500, IGNORE_TERM, 'a', 0, NULL},
		{2000, FAULT_STOP, 'a', 0, "systemctl stop onced"}),
	SCRIPT("agent-crash", "the leader's agent dies", 3000, FAST, 3, THREE,
		{2000, FAULT_AGENT_CRASH, 'a', 0, NULL}),
	SCRIPT("agent-crash-waiting", "the agent of a leader that waits dies: nothing is clean",
		9000, FAST, 3, THREE, {2000, FAULT_REBOOT, 'a', 0, "power is lost"},
		{2100, FAULT_EARLY_REVOKE, 0, 0, "an operator revokes the lease"},
		{2600, FAULT_AGENT_CRASH, 'b', 0, NULL}, {2600, FAULT_AGENT_CRASH, 'c', 0, NULL}),
	SCRIPT("host-loss", "the leader's machine is gone for good", 6000, FAST, 3, THREE,
		{2000, FAULT_REBOOT, 'a', 0, "power is lost"}),
	SCRIPT("host-loss-normal", "the same with profile normal", 16000, NORMAL, 3, THREE,
		{5000, FAULT_REBOOT, 'a', 0, "power is lost"}),
	SCRIPT("pause-agent", "the leader's agent is stopped, its guardian is not", 9000, FAST, 3,
		THREE, {2000, FAULT_PAUSE, 'a', 4000, "SIGSTOP to the agent"}),
	SCRIPT("pause-all", "everything on the leader is stopped: the kernel's fuse", 9000, FAST, 3,
		THREE, {2000, FAULT_FREEZE, 'a', 4000, "SIGSTOP to everything of onced"}),
	SCRIPT("partition", "the leader is cut off from etcd, and comes back", 12000, FAST, 3,
		THREE, {2000, FAULT_PARTITION, 'a', 0, "cut off"},
		{6000, MEND, 'a', FAULT_PARTITION, "connected"}),
	SCRIPT("one-way", "the leader's requests pass, the answers do not", 9000, FAST, 3, THREE,
		{2000, FAULT_ONE_WAY, 'a', 0, "hears nothing"},
		{6000, MEND, 'a', FAULT_ONE_WAY, "hears again"}),
	SCRIPT("quorum-short", "etcd elects a leader; profile normal rides it out", 12000, NORMAL,
		3, THREE, {5000, FAULT_QUORUM, 0, 0, "etcd has no quorum"},
		{6500, MEND, 0, FAULT_QUORUM, "etcd has quorum"}),
	SCRIPT("quorum", "etcd loses its quorum for longer than the job may live", 16000, FAST, 3,
		THREE, {2000, FAULT_QUORUM, 0, 0, "etcd has no quorum"},
		{7000, MEND, 0, FAULT_QUORUM, "etcd has quorum"}),
	SCRIPT("delete-key", "an operator deletes the leader's key", 6000, FAST, 3, THREE,
		{2000, FAULT_DELETE_LEADER, 0, 0, "etcdctl del /leader"}),
	SCRIPT("revoke-lease", "an operator revokes the leader's lease", 6000, FAST, 3, THREE,
		{2000, FAULT_EARLY_REVOKE, 0, 0, "etcdctl lease revoke"}),
	SCRIPT("overwrite-key", "an operator overwrites the leader's key", 6000, FAST, 3, THREE,
		{2000, FAULT_OVERWRITE, 0, 0, "etcdctl put /leader me"}),
	SCRIPT("delete-config", "an operator deletes the timing; it is missed at the next election",
		8000, FAST, 3, THREE, {2000, FAULT_DELETE_CONFIG, 0, 0, "etcdctl del config"},
		{3000, FAULT_STOP, 'a', 0, "systemctl stop onced"},
		{6000, MEND, 0, FAULT_DELETE_CONFIG, "the timing is put back"}),
	SCRIPT("restart-all", "all nodes are stopped and started again", 8000, FAST, 3, THREE,
		{2000, FAULT_STOP, 'a', 0, "systemctl stop onced"},
		{2000, FAULT_STOP, 'b', 0, "systemctl stop onced"},
		{2000, FAULT_STOP, 'c', 0, "systemctl stop onced"},
		{4000, MEND, 'b', FAULT_STOP, NULL}, {4000, MEND, 'c', FAULT_STOP, NULL},
		{4000, MEND, 'a', FAULT_STOP, NULL}),
	SCRIPT("reboot-all", "power is lost everywhere", 12000, FAST, 3, THREE,
		{2000, FAULT_REBOOT, 'a', 0, "power is lost"},
		{2000, FAULT_REBOOT, 'b', 0, "power is lost"},
		{2000, FAULT_REBOOT, 'c', 0, "power is lost"}),
	SCRIPT("lost-acquire", "the answer to an acquire is lost", 4000, FAST, 2,
		{0, DROP_ANSWER, 0, 0, NULL}, {0, BOOT, 'a', 0, NULL}, {100, BOOT, 'b', 0, NULL}),
	SCRIPT("late-acquire", "acquires reach etcd after their nodes gave them up", 5000, FAST, 3,
		THREE, {1900, DELAY_ACQUIRE, 0, 400, NULL},
		{2000, FAULT_STOP, 'a', 0, "systemctl stop onced"}, {2050, UNDELAY, 0, 0, NULL}),
	SCRIPT("phantom", "an acquire is applied when its node follows another", 9000, FAST, 3,
		THREE, {1900, DELAY_ACQUIRE, 'b', 2000, NULL},
		{2000, FAULT_STOP, 'a', 0, "systemctl stop onced"}, {2050, UNDELAY, 0, 0, NULL},
		{3900, FAULT_SILENT_WATCH, 'b', 0, "hears no changes"},
		{4000, FAULT_STOP, 'c', 0, "systemctl stop onced"}),
	SCRIPT("nospace", "etcd runs out of space; the leader goes on", 9000, FAST, 3, THREE,
		{2000, FAULT_NOSPACE, 0, 0, "etcd raises NOSPACE"},
		{5000, MEND, 0, FAULT_NOSPACE, "etcd has space"}),
	SCRIPT("nospace-crash", "etcd runs out of space and the leader's machine is lost", 12000,
		FAST, 3, THREE, {2000, FAULT_NOSPACE, 0, 0, "etcd raises NOSPACE"},
		{3000, FAULT_REBOOT, 'a', 0, "power is lost"},
		{8000, MEND, 0, FAULT_NOSPACE, "etcd has space"}),
	SCRIPT("nospace-taken", "etcd makes the acquire that passes its quota, and says it refused it",
		9000, FAST, 3, THREE, {1900, FAULT_STOP, 'a', 0, "systemctl stop onced"},
		{1901, FAULT_NOSPACE, 0, 0, "etcd raises NOSPACE"}, {1901, OVER_QUOTA, 0, 9, NULL},
		{4000, MEND, 0, FAULT_NOSPACE, "etcd has space"}),
	SCRIPT("switchover", "leadership is handed to a named node", 5000, FAST, 3, THREE,
		{2000, SWITCH_TO, 'a', 'c', "oncectl switchover --to c"}),
	SCRIPT("switchover-dead", "... that is not there", 16000, FAST, 3, {0, BOOT, 'a', 0, NULL},
		{100, BOOT, 'b', 0, NULL},
		{2000, SWITCH_TO, 'a', 'c', "oncectl switchover --to c"}),
	SCRIPT("resign", "leadership is given away to whoever takes it", 5000, FAST, 3, THREE,
		{2000, FAULT_RESIGN, 'a', 0, "oncectl switchover"}),
	SCRIPT("resign-alone", "... and there is nobody else", 16000, FAST, 1,
		{0, BOOT, 'a', 0, NULL}, {2000, FAULT_RESIGN, 'a', 0, "oncectl switchover"}),
	SCRIPT("switch-back", "a node that has just given leadership away is asked for by name",
		5000, FAST, 2, {0, BOOT, 'a', 0, NULL}, {100, BOOT, 'b', 0, NULL},
		{2000, SWITCH_TO, 'a', 'b', "oncectl switchover --to b"},
		{3000, SWITCH_TO, 'b', 'a', "oncectl switchover --to a"}),
	SCRIPT("stay-away", "a node stays away from leadership for a while, although nobody leads",
		30000, FAST, 2, {0, BOOT, 'a', 0, NULL}, {100, BOOT, 'b', 0, NULL},
		{2000, STAY_AWAY, 'a', 20000, "oncectl resign --for 20s"},
		{4000, FAULT_STOP, 'b', 0, "systemctl stop onced"}),
	SCRIPT("stay-away-follower", "... and is told so while it follows, and then to come back",
		12000, FAST, 2, {0, BOOT, 'a', 0, NULL}, {100, BOOT, 'b', 0, NULL},
		{2000, STAY_AWAY, 'b', 60000, "oncectl resign --for 1min --node b"},
		{3000, FAULT_STOP, 'a', 0, "systemctl stop onced"},
		{8000, STAY_AWAY, 'b', -1, "oncectl resign --cancel --node b"}),
	SCRIPT("silent-watch", "a follower's watch says nothing any more when the leader stops",
		6000, FAST, 2, {0, BOOT, 'a', 0, NULL}, {100, BOOT, 'b', 0, NULL},
		{2000, FAULT_SILENT_WATCH, 'b', 0, "hears no changes"},
		{2010, FAULT_STOP, 'a', 0, "systemctl stop onced"}),
	SCRIPT("etcd-leader", "etcd changes its leader: every lease starts anew", 4000, FAST, 3,
		THREE, {2000, FAULT_ETCD_LEADER, 0, 0, "etcd has a new leader"}),
	SCRIPT("stale-keepalive", "a deposed etcd leader says yes to every keep-alive", 7000, FAST,
		3, THREE,
		{2000, FAULT_STALE_KEEPALIVE, 0, 0, "keep-alives are answered by a deposed leader"},
		{2500, FAULT_EARLY_REVOKE, 0, 0, "the new leader has revoked the lease"},
		{5000, MEND, 0, FAULT_STALE_KEEPALIVE, "and no more"}),
	SCRIPT("older-history", "etcd is restored from a backup under three nodes", 12000, FAST, 3, THREE,
		{3000, FAULT_RESTORE, 0, 0, "etcd is restored from a backup"},
		{7000, MEND, 0, FAULT_RESTORE, "oncectl new-generation"}),
	SCRIPT("older-history-stop", "... and a node is told to stop before anybody accepts it", 6000, FAST, 1,
		{0, BOOT, 'a', 0, NULL}, {3000, FAULT_RESTORE, 0, 0, "etcd is restored from a backup"},
		{4000, FAULT_STOP, 'a', 0, "systemctl stop onced"}),
};

/* ---- playing ---- */

static void special(struct sim *s, const struct step *step, struct node *n)
{
	switch (step->verb) {
	case BOOT:
		node_start(n);
		break;
	case MEND:
		fault_end(s, (enum fault)step->duration, n);
		break;
	case DROP_ANSWER:
		s->knobs.drop_acquires = 1;
		break;
	case DELAY_ACQUIRE:
		s->knobs.slow_kind = ELECTION_ACQUIRE;
		s->knobs.slow_node = step->node;
		s->knobs.slow_ppm = 1000000;
		s->knobs.slow_min = s->knobs.slow_max = step->duration * MSEC;
		break;
	case UNDELAY:
		s->knobs.slow_kind = 0;
		break;
	case IGNORE_TERM:
		s->knobs.obey_ppm = 0;
		break;
	case OVER_QUOTA:
		s->etcd.over_quota = step->duration;
		break;
	case STAY_AWAY:
		node_resign(n, false, 0, step->duration * MSEC);
		break;
	case SWITCH_TO:
		node_resign(n, true, (unsigned)(step->duration - 'a'), 0);
		break;
	default:
		break;
	}
}

void script_step(struct sim *s, uint32_t i)
{
	const struct step *step = &s->script->steps[i];
	struct node *n = step->node ? &s->nodes[step->node - 'a'] : NULL;

	if (step->says && n)
		trace(s, NULL, "%c: %s", node_name(n), step->says);
	else if (step->says)
		trace(s, NULL, "%s", step->says);
	if (step->verb < FAULTS)
		fault_begin(s, (enum fault)step->verb, n ? n : &s->nodes[0], step->duration * MSEC);
	else
		special(s, step, n);
}

struct text {
	char at[TRACE_MAX];
	size_t n;
};

static void add_line(void *userdata, const char *line)
{
	struct text *t = userdata;
	int n = snprintf(t->at + t->n, sizeof(t->at) - t->n, "%s\n", line);

	if (n > 0 && t->n + (size_t)n < sizeof(t->at))
		t->n += (size_t)n;
}

static void play(struct sim *s, const struct script *script, struct text *text)
{
	static const int64_t second = SEC;
	struct sim_stats stats = {0};
	char head[200];

	text->n = 0;
	(void)snprintf(head, sizeof(head), "# %s: %s", script->name, script->about);
	add_line(text, head);
	s->line = add_line;
	s->userdata = text;
	s->verbose = false;
	sim_init(s, 1, &sim_profiles[script->profile], script->nodes, &stats);
	knobs_fixed(s);
	s->script = script;
	s->now = 0;
	for (unsigned i = 0; i < script->n_steps; i++)
		sim_at(s, script->steps[i].at_ms * MSEC, EVENT_SCRIPT, 0, 0, i, 0);
	while (s->n_heap > 0 && !s->violated && s->heap[0].at <= script->end_ms * second / 1000)
		sim_next(s);
	(void)snprintf(head, sizeof(head), "# job time %.3f of %.3f s, overlaps %d",
		(double)sim_job_time(s) / SEC, (double)script->end_ms / 1000, s->violated);
	add_line(text, head);
	s->line = NULL;
}

/* ---- comparing ---- */

static bool store(const char *path, const struct text *t)
{
	FILE *f = fopen(path, "w");
	bool good = f && fwrite(t->at, 1, t->n, f) == t->n;

	if (f && fclose(f) != 0)
		good = false;
	return good;
}

static void show_difference(const struct text *expected, const struct text *got)
{
	size_t i = 0, line = 0;

	while (i < expected->n && i < got->n && expected->at[i] == got->at[i]) {
		i++;
		if (expected->at[i - 1] == '\n')
			line = i;
	}
	(void)printf("  expected: %.*s\n  got:      %.*s\n",
		(int)strcspn(expected->at + line, "\n"), expected->at + line,
		(int)strcspn(got->at + line, "\n"), got->at + line);
}

static bool compare(const char *path, const struct text *got)
{
	static struct text expected;
	FILE *f = fopen(path, "r");

	expected.n = f ? fread(expected.at, 1, sizeof(expected.at) - 1, f) : 0;
	expected.at[expected.n] = 0;
	if (f)
		(void)fclose(f);
	if (expected.n == got->n && memcmp(expected.at, got->at, got->n) == 0)
		return true;
	(void)printf("%s differs\n", path);
	show_difference(&expected, got);
	return false;
}

int golden_all(struct sim *s, const char *directory, bool update)
{
	static struct text text;
	unsigned n = sizeof(scripts) / sizeof(scripts[0]), failed = 0;
	char path[512];

	for (unsigned i = 0; i < n; i++) {
		bool good;

		play(s, &scripts[i], &text);
		(void)snprintf(path, sizeof(path), "%s/%s.txt", directory, scripts[i].name);
		good = update ? store(path, &text) : compare(path, &text);
		if (s->violated) {
			(void)printf("%s: %s\n", scripts[i].name, s->violation);
			good = false;
		}
		failed += !good;
	}
	(void)printf("%u traces, %u %s\n", n, failed, update ? "not written" : "differ");
	return failed ? 1 : 0;
}
