/* The invariants, checked at the moment they could break:
 *
 * I1  no two jobs, of different terms or nodes, are alive at the same global instant
 * I2  tokens grow with the start of jobs
 * I3  clean=T is written only when the work of T, and of every term before, is dead for good, and
 *     never by a term that did not finish its wait (a seizure may: it has waited itself)
 * I4  the core asks for nothing when it is idle or over, and for one stop (or a harder one) per
 * LEAD I5  work starts only while D - K - G is ahead, and the core agrees
 *
 * Liveness is sim.c's: its phases have a bound. */
#include "sim.h"

#include <stdarg.h>
#include <stdio.h>

void check_violation(struct sim *s, const char *format, ...)
{
	va_list args;

	if (s->violated)
		return;
	s->violated = true;
	va_start(args, format);
	(void)vsnprintf(s->violation, sizeof(s->violation), format, args);
	va_end(args);
	trace(s, NULL, "VIOLATION %s", s->violation);
}

void check_hash(struct sim *s, uint64_t value)
{
	s->hash = (s->hash ^ value) * UINT64_C(0x100000001b3);
	s->hash ^= s->hash >> 29;
}

static bool is_ready(const struct sim *s, int64_t token)
{
	unsigned kept = s->n_ready < SIM_TERMS ? s->n_ready : SIM_TERMS;

	for (unsigned i = 0; i < kept; i++)
		if (s->ready[(s->n_ready - 1 - i) % SIM_TERMS] == token)
			return true;
	return false;
}

void check_ready(struct sim *s, int64_t token)
{
	if (!is_ready(s, token))
		s->ready[s->n_ready++ % SIM_TERMS] = token;
}

void check_clean(struct sim *s, int64_t token, bool by_seizure)
{
	for (unsigned i = 0; i < s->n_nodes; i++) {
		const struct guardian *g = &s->nodes[i].guardian;

		if (g->job != JOB_NONE && g->job_token <= token)
			check_violation(s, "I3: clean says %lld, but job %lld lives on %c",
				(long long)token, (long long)g->job_token, node_name(&s->nodes[i]));
	}
	if (!by_seizure && !is_ready(s, token))
		check_violation(s, "I3: term %lld never finished its wait and says clean",
			(long long)token);
	if (token > s->cleaned)
		s->cleaned = token;
}

void check_launch(struct node *n)
{
	struct sim *s = n->sim;
	const struct sim_profile *p = &s->profile;
	int64_t token = n->guardian.job_token;
	int64_t passed = once_elapsed_max(n->guardian.order.proved, node_now(n));

	for (unsigned i = 0; i < s->n_nodes; i++)
		if (i != n->index && s->nodes[i].guardian.job != JOB_NONE)
			check_violation(s, "I1: job %lld starts on %c while job %lld lives on %c",
				(long long)token, node_name(n),
				(long long)s->nodes[i].guardian.job_token, node_name(&s->nodes[i]));
	if (token < s->last_token || (token == s->last_token && n->index != s->last_node))
		check_violation(s, "I2: job %lld starts after job %lld", (long long)token,
			(long long)s->last_token);
	if (token <= s->cleaned)
		check_violation(s, "I3: job %lld starts after clean said %lld", (long long)token,
			(long long)s->cleaned);
	s->last_token = token;
	s->last_node = n->index;
	if (passed >= p->fence_after - p->kill - p->grace)
		check_violation(s, "I5: job %lld starts too late", (long long)token);
	if (election_may_launch(&n->core, node_now(n)) <= 0)
		check_violation(
			s, "I5: the core would not have job %lld started", (long long)token);
}

static bool is_operation(enum election_action_kind kind)
{
	return kind < ELECTION_LEAD;
}

static void check_order(struct node *n, const struct election_action *a, int64_t *leading)
{
	struct sim *s = n->sim;

	if (a->kind == ELECTION_LEAD) {
		if (*leading != 0)
			check_violation(s, "I4: LEAD %lld while %lld is not over",
				(long long)a->token, (long long)*leading);
		*leading = a->token;
	} else if (a->kind == ELECTION_STOP_WORK) {
		const struct guardian_order *in = &n->guardian.inbox;

		if (a->token == 0 || a->token != *leading)
			check_violation(
				s, "I4: STOP_WORK %lld without its LEAD", (long long)a->token);
		else if (in->token == a->token && in->stop && a->grace > in->grace)
			check_violation(s, "I4: STOP_WORK %lld again, with more grace",
				(long long)a->token);
	}
}

void check_actions(
	struct node *n, enum election_role before, const struct election_actions *actions)
{
	int64_t leading = n->leading;
	bool quiet = before == ELECTION_OVER;

	if (actions->n > ELECTION_ACTIONS_MAX)
		check_violation(n->sim, "I4: %u actions", actions->n);
	for (unsigned i = 0; i < actions->n && i < ELECTION_ACTIONS_MAX; i++) {
		const struct election_action *a = &actions->v[i];

		if (quiet || (n->core.role == ELECTION_IDLE && is_operation(a->kind)))
			check_violation(n->sim, "I4: %c is over and asks for more", node_name(n));
		if (is_operation(a->kind) && a->op == 0)
			check_violation(n->sim, "I4: an operation without an id");
		if (a->kind == ELECTION_ENDED)
			quiet = true;
		check_order(n, a, &leading);
	}
}
