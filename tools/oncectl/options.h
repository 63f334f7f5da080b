/* The command line of oncectl. */
#ifndef ONCECTL_OPTIONS_H
#define ONCECTL_OPTIONS_H

#include "tools/oncectl/ctl.h"

/* Fills ctl up to its config, or returns the exit code after one line on standard error. *ret_done:
 * help or the version was printed. */
int ctl_options_parse(struct ctl *ctl, int argc, char **argv, bool *ret_done);

/* oncectl help, and of one command. */
void ctl_print_help(void);
void ctl_print_command_help(const struct ctl_command *command);

/* NULL: no such command. second: the next word, for names of two words; may be NULL. */
const struct ctl_command *ctl_find_command(const char *name, const char *second);
/* The words in the table's order; NULL behind the last. */
const struct ctl_command *ctl_command_at(size_t i);

#endif
