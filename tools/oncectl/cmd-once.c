/* oncectl once ID -- COMMAND: run it one time ever, in the whole cluster. */
#include "tools/oncectl/claimed.h"

static int run(struct ctl *ctl)
{
	struct claimed_defaults defaults = {.on_interrupt = ONCE_INTERRUPT_REPORT};
	const char *id = ctl->words[0];
	char key[ONCE_KEY_SIZE];

	if (ctl_flag(ctl, "--retry"))
		defaults.rerun = 1 << ONCE_RUN_FAILED | 1 << ONCE_RUN_TIMEOUT |
				 1 << ONCE_RUN_INTERRUPTED | 1 << ONCE_RUN_LOST;
	if (!once_id_valid(id))
		return ctl_error(CTL_USAGE, "id: bad name \"%s\", expected %s", id, ONCE_ID_RULE);
	if (once_key_make(key, ctl->config.prefix, ONCE_KEY_ONCE, id, NULL, 0) < 0)
		return ctl_error(CTL_USAGE, "prefix: expected %s", ONCE_PREFIX_RULE);
	return claimed_run(ctl, key, ctl_printf(ctl, "once %s", id), defaults);
}

static const struct ctl_flag flags[] = {
	CLAIMED_FLAGS,
	{"--retry", NULL, "run it again if it had failed or was interrupted before"},
	{NULL},
};

const struct ctl_command ctl_command_once = {
	.name = "once",
	.words = "ID",
	.min_words = 1,
	.max_words = 1,
	.takes_command = true,
	.summary = "run a command one time ever, wherever it is called",
	.details = "The first to call runs it; all others, now and later, print what it printed "
		   "and exit with\n"
		   "its status. A runner that dies in the middle leaves it interrupted: nobody "
		   "knows how far\n"
		   "it came. 125: oncectl itself failed.\n",
	.flags = flags,
	.run = run,
};
