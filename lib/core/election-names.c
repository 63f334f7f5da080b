/* The words for the election's roles and notes, in logs and in traces. */
#include "core/election.h"

const char *election_role_name(enum election_role role)
{
	static const char *const names[] = {"idle", "recover", "follow", "claim", "contest", "wait",
		"leading", "stopping", "releasing", "revoking", "over"};

	return (unsigned)role < sizeof(names) / sizeof(names[0]) ? names[role] : "?";
}

const char *election_note_name(enum election_note note)
{
	static const char *const names[ELECTION_NOTES] = {
		[ELECTION_NOTE_FOLLOWING] = "following",
		[ELECTION_NOTE_VACANT] = "vacant",
		[ELECTION_NOTE_ACQUIRED] = "acquired",
		[ELECTION_NOTE_WAITING] = "waiting",
		[ELECTION_NOTE_READY] = "ready",
		[ELECTION_NOTE_SEIZING] = "seizing",
		[ELECTION_NOTE_SEIZED] = "seized",
		[ELECTION_NOTE_LOST] = "lost",
		[ELECTION_NOTE_DEADLINE] = "deadline",
		[ELECTION_NOTE_RELEASED] = "released",
		[ELECTION_NOTE_RECOVERED] = "recovered",
		[ELECTION_NOTE_PHANTOM] = "phantom",
		[ELECTION_NOTE_CONFIG_OTHER] = "config-other",
		[ELECTION_NOTE_CONFIG_ABSENT] = "config-absent",
		[ELECTION_NOTE_RESERVED] = "reserved",
		[ELECTION_NOTE_NOSPACE] = "nospace",
		[ELECTION_NOTE_SPACE] = "space",
		[ELECTION_NOTE_TTL_SHORT] = "ttl-short",
		[ELECTION_NOTE_UNKNOWN] = "unknown-outcome",
		[ELECTION_NOTE_FOREIGN] = "foreign-key",
	};

	return (unsigned)note < ELECTION_NOTES ? names[note] : "?";
}
