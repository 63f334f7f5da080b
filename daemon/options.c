/* See options.h. */
#include "daemon/options.h"

#include "daemon/config.h"

int options_parse(int argc, char **argv, struct options *ret)
{
	*ret = (struct options){.file = CONFIG_FILE_DEFAULT};
	return 0;
}
