/* The trace: one line per thing an operator would want in a log, in the words of one.
 * Requests and answers come only when verbose. */
#include "sim.h"

#include <stdarg.h>
#include <stdio.h>

void trace(struct sim *s, const struct node *n, const char *format, ...)
{
	char text[200], line[256];
	va_list args;

	if (!s->line)
		return;
	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	(void)snprintf(line, sizeof(line), "[%3lld.%03lld] %c %s %s", (long long)(s->now / SEC),
		(long long)(s->now % SEC / MSEC), n ? node_name(n) : '*', n ? ">" : "|", text);
	s->line(s->userdata, line);
}

static const char *const reasons[] = {"?", "shutdown", "switchover", "deadline", "lost"};

/* printf formats: the token, then the duration in seconds. */
static const char *const notes[ELECTION_NOTES] = {
	[ELECTION_NOTE_FOLLOWING] = "follows %1$lld",
	[ELECTION_NOTE_VACANT] = "nobody leads",
	[ELECTION_NOTE_ACQUIRED] = "acquires %1$lld",
	[ELECTION_NOTE_WAITING] = "waits %2$.3f s: work of term %1$lld may live",
	[ELECTION_NOTE_READY] = "%1$lld has waited long enough",
	[ELECTION_NOTE_SEIZING] = "seizes %1$lld: silent for %2$.3f s",
	[ELECTION_NOTE_SEIZED] = "seized %1$lld",
	[ELECTION_NOTE_LOST] = "%1$lld is lost",
	[ELECTION_NOTE_DEADLINE] = "%1$lld has no proof in time",
	[ELECTION_NOTE_RELEASED] = "releases %1$lld",
	[ELECTION_NOTE_RECOVERED] = "releases %1$lld, a term of its last agent",
	[ELECTION_NOTE_PHANTOM] = "undoes %1$lld: acquired after it was given up",
	[ELECTION_NOTE_CONFIG_OTHER] = "does not campaign: other timing in etcd",
	[ELECTION_NOTE_CONFIG_ABSENT] = "does not campaign: the timing in etcd is gone",
	[ELECTION_NOTE_RESERVED] = "does not campaign: reserved for another",
	[ELECTION_NOTE_NOSPACE] = "%1$lld: etcd has no space, beats are deletes now",
	[ELECTION_NOTE_SPACE] = "%1$lld: etcd has space, beats are puts again",
	[ELECTION_NOTE_TTL_SHORT] = "does not campaign: etcd granted %2$.3f s only",
	[ELECTION_NOTE_UNKNOWN] = "has no answer; asks the same again",
};

static const char *const operations[] = {
	"?", "list", "grant", "keepalive", "revoke", "acquire", "beat", "seize", "release"};

void trace_action(struct node *n, const struct election_action *a)
{
	struct sim *s = n->sim;
	char text[160];

	switch (a->kind) {
	case ELECTION_NOTE:
		if ((unsigned)a->note >= ELECTION_NOTES || !notes[a->note]) {
			trace(s, n, "note %s", election_note_name(a->note));
			break;
		}
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		if (a->note == ELECTION_NOTE_WAITING && a->token == 0) {
			trace(s, n, "waits %.3f s: work of an earlier term may live",
				(double)a->duration / SEC);
			break;
		}
		(void)snprintf(text, sizeof(text), notes[a->note], (long long)a->token,
			(double)a->duration / SEC);
#pragma GCC diagnostic pop
		trace(s, n, "%s", text);
		break;
	case ELECTION_LEAD:
		trace(s, n, "leads %lld", (long long)a->token);
		break;
	case ELECTION_STOP_WORK:
		trace(s, n, "stops job %lld: %s, grace %.3f s", (long long)a->token,
			reasons[a->reason <= ELECTION_REASON_LOST ? a->reason : 0],
			(double)a->grace / SEC);
		break;
	case ELECTION_EXTEND:
	case ELECTION_SAVE:
	case ELECTION_ENDED:
		break;
	default:
		if (s->verbose)
			trace(s, n, "  #%u %s%s%s%s", a->op, operations[a->kind],
				a->clean ? " clean" : "", a->fresh ? " fresh" : "",
				a->as_delete ? " as delete" : "");
		break;
	}
}
