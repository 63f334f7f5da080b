/* Every command, in the order of help: one line each. struct ctl_command ctl_command_NAME stands in
 * cmd-NAME.c. */
#ifndef ONCECTL_COMMANDS_H
#define ONCECTL_COMMANDS_H

#define CTL_COMMANDS(X)                                                                            \
	X(status)                                                                                  \
	X(calendar)                                                                                \
	X(help)

#endif
