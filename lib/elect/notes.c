/* The core's notes in words. */
#include "elect/elector.h"

#include "base/duration.h"

void elector_note(struct once_elector *e, const struct election_action *a)
{
	const char *event = election_note_name(a->note);
	long long token = (long long)a->token;
	char d[DURATION_TEXT_MAX];
	double s = (double)a->duration / 1e9;

	switch (a->note) {
	case ELECTION_NOTE_FOLLOWING:
		elector_say(e, ONCE_LOG_INFO, event, "following %s (token %lld)", e->leader, token);
		break;
	case ELECTION_NOTE_VACANT:
		elector_say(e, ONCE_LOG_DEBUG, event, "nobody leads");
		break;
	case ELECTION_NOTE_ACQUIRED:
		elector_say(e, ONCE_LOG_INFO, event, "holding %s, token %lld", e->keys.leader, token);
		break;
	case ELECTION_NOTE_WAITING:
		elector_say(e, ONCE_LOG_INFO, event,
			"waiting %.3f s: work of the term before may still live", s);
		break;
	case ELECTION_NOTE_READY:
		elector_say(e, ONCE_LOG_DEBUG, event, "the wait is over");
		break;
	case ELECTION_NOTE_SEIZING:
		elector_say(e, ONCE_LOG_WARNING, event,
			"leader %s (token %lld) has been silent for %.3f s: taking over", e->leader, token, s);
		break;
	case ELECTION_NOTE_SEIZED:
		elector_say(e, ONCE_LOG_INFO, event, "ended the silent term %lld", token);
		break;
	case ELECTION_NOTE_LOST:
		elector_say(e, ONCE_LOG_WARNING, event,
			"lost leadership (token %lld): %s is not ours any more", token, e->keys.leader);
		break;
	case ELECTION_NOTE_DEADLINE:
		elector_say(e, ONCE_LOG_WARNING, event,
			"leadership (token %lld) could not be proven in time: stopping", token);
		break;
	case ELECTION_NOTE_RELEASED:
		elector_say(e, ONCE_LOG_INFO, event, "released token %lld: its work is dead", token);
		break;
	case ELECTION_NOTE_RECOVERED:
		elector_say(e, ONCE_LOG_INFO, event,
			"released token %lld of an earlier process: its work is dead", token);
		break;
	case ELECTION_NOTE_PHANTOM:
		elector_say(e, ONCE_LOG_INFO, event,
			"a request given up was applied late (token %lld): undoing it", token);
		break;
	case ELECTION_NOTE_CONFIG_OTHER:
		elector_say(e, ONCE_LOG_ERR, event,
			"not campaigning: %s in etcd is not this node's timing (%s). To change the timing, "
			"stop every node, then delete the keys under %s",
			e->keys.config, e->keys.config_value, e->keys.group);
		break;
	case ELECTION_NOTE_CONFIG_ABSENT:
		elector_say(e, ONCE_LOG_ERR, event,
			"not campaigning: %s is missing though there were terms. To begin anew, stop every "
			"node, then delete the keys under %s",
			e->keys.config, e->keys.group);
		break;
	case ELECTION_NOTE_RESERVED:
		elector_say(e, ONCE_LOG_INFO, event, "leadership is reserved for another node");
		break;
	case ELECTION_NOTE_NOSPACE:
		elector_say(e, ONCE_LOG_ERR, event,
			"etcd has no space (NOSPACE alarm): still leading, but nothing can be written");
		break;
	case ELECTION_NOTE_SPACE:
		elector_say(e, ONCE_LOG_INFO, event, "etcd takes writes again");
		break;
	case ELECTION_NOTE_TTL_SHORT:
		elector_say(e, ONCE_LOG_ERR, event,
			"not campaigning: etcd granted a lease of %s, FenceAfter is longer",
			duration_format(d, a->duration));
		break;
	case ELECTION_NOTE_UNKNOWN:
		elector_say(e, ONCE_LOG_DEBUG, event, "an answer was lost; asking again");
		break;
	case ELECTION_NOTE_FOREIGN:
		elector_say(e, ONCE_LOG_ERR, event,
			"not campaigning: %s was put by something else and is on no lease, so it never "
			"ends. Delete it when nothing relies on it",
			e->keys.leader);
		break;
	case ELECTION_NOTES:
		break;
	}
}
