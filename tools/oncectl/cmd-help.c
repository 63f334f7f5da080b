/* oncectl help [COMMAND] */
#include "tools/oncectl/options.h"

#include <string.h>

static int run(struct ctl *ctl)
{
	const struct ctl_command *command;

	if (ctl->n_words == 0) {
		ctl_print_help();
		return CTL_OK;
	}
	command = ctl_find_command(ctl->words[0], ctl->words[1]);
	if (!command)
		return ctl_error(
			CTL_USAGE, "%s: there is no such command; see oncectl help", ctl->words[0]);
	if (ctl->n_words > 1 && !strchr(command->name, ' '))
		return ctl_error(
			CTL_USAGE, "help: too many words, expected oncectl help [COMMAND]");
	ctl_print_command_help(command);
	return CTL_OK;
}

const struct ctl_command ctl_command_help = {
	.name = "help",
	.words = "[COMMAND]",
	.max_words = 2,
	.offline = true,
	.summary = "what there is, or one command in detail",
	.run = run,
};
