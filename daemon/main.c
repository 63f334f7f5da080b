/* onced: arguments in, exit code out. What it does is in guardian.h and agent.h; "unit" is how jobs with Unit=
 * call it (unit.h). */
#include "daemon/agent.h"
#include "daemon/config.h"
#include "daemon/guardian.h"
#include "daemon/log.h"
#include "daemon/options.h"
#include "daemon/unit.h"

#include <stdio.h>
#include <string.h>

static int check(const struct options *options)
{
	struct config config;
	int code = config_load(options, &config, stderr);

	if (code != 0)
		return code;
	if (options->verbose >= 0 && config_print(&config, stdout) < 0) {
		fprintf(stderr, "onced: out of memory while showing the configuration\n");
		code = 1;
	}
	config_free(&config);
	return fflush(stdout) == 0 ? code : 1;
}

int main(int argc, char **argv)
{
	struct options options;
	int code;

	if (argc > 1 && strcmp(argv[1], "unit") == 0)
		return unit_main(argc - 1, argv + 1);
	code = options_parse(argc, argv, &options);
	if (code != 0 || options.done)
		return code;
	if (options.dump_keys) {
		config_dump_keys(stdout);
		return 0;
	}
	if (options.check)
		return check(&options);
	log_init();
	return guardian_run(agent_main, &options);
}
