/* once and step: a command under a claim. */
#ifndef ONCECTL_CLAIMED_H
#define ONCECTL_CLAIMED_H

#include "tools/oncectl/ctl.h"

#include <once/claim.h>

/* Flags of both. */
#define CLAIMED_FLAGS                                                                              \
	{"--content", "TEXT", "what makes it the same again [the words of COMMAND]"},              \
		{"--on-interrupt", "report|rerun",                                                 \
			"when its runner died: tell so, or run it again"},                         \
		{"--wait", "TIME", "for another's run at most [as long as it takes]"},             \
	{                                                                                          \
		"--live", "TIME", "a runner not proven for so long is dead [10s]"                  \
	}

enum { CLAIMED_OWN_FAULT = 125 }; /* exit code: oncectl's, as env(1) has it */

/* Runs it, or waits for who does, and returns the exit code. key: the record's; defaults are the
 * command's. what: "once backup", for messages. */
struct claimed_defaults {
	enum once_on_interrupt on_interrupt;
	uint32_t rerun;
};
int claimed_run(
	struct ctl *ctl, const char *key, const char *what, struct claimed_defaults defaults);

/* The records of --prefix; NULL: the line is printed. */
struct once_records *claimed_records(struct ctl *ctl);

#endif
