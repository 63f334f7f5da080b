/* oncectl: the operator's command. Arguments in, exit code out; see ctl.h. */
#include "tools/oncectl/options.h"

#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>

/* What could not be written was not told: a full disk must not look like success. */
static int finish_output(int code)
{
	if ((fflush(stdout) != 0 || ferror(stdout)) && code == CTL_OK)
		return ctl_error(CTL_FAILED, "standard output: cannot be written");
	return code;
}

int main(int argc, char **argv)
{
	struct ctl ctl = {0};
	bool done = false;
	int code;

	/* Holds passwords; what it runs for others is dumpable again by its exec. */
	(void)prctl(PR_SET_DUMPABLE, 0);
	arena_init(&ctl.line);
	arena_init(&ctl.arena);
	code = ctl_options_parse(&ctl, argc, argv, &done);
	if (code == CTL_OK && !done && !ctl.command->offline && !ctl.command->timing)
		code = ctl_connect(&ctl);
	if (code == CTL_OK && !done)
		code = ctl.command->run(&ctl);
	if (code == CTL_OK && (ctl.arena.short_of_memory || ctl.line.short_of_memory))
		code = ctl_out_of_memory(); /* something is missing from what was shown */
	code = finish_output(code);
	ctl_disconnect(&ctl);
	arena_fini(&ctl.arena);
	arena_fini(&ctl.line);
	return code;
}
